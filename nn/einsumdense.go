package nn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type einsumDense struct {
	Equation string                     `json:"equation"`
	Output   sizes                      `json:"output_shape"`
	Function Object[ActivationFunction] `json:"activation"`
	BiasAxes string                     `json:"bias_axes"`
	kernelAndBias
}

func init() {
	Register("EinsumDense", einsumDense{Function: Object[ActivationFunction]{Linear}, kernelAndBias: usualKernel()})
}

// EinsumDense computes act(x·kernel + bias) over axes that an equation names, as Keras' layer does: "abc,cd->abd" is [Dense] over
// the last axis, "abc,cde->abde" gives its result two axes, and "abcd,cde->abe" sums over two. A letter stands for an axis. The
// first axis, of the input and the result, is that of the batch; it and all axes that the equation need not name can be "...",
// as in "...x,xy->...y". The kernel has the axes between the comma and the arrow. Those which the input has, too, and the result
// has not are summed over; those that all three have are kept: each of their elements has weights of its own.
//
// outputShape has the size of each axis that the result names, without the batch axis; 0 stands for that of the input. There is
// no bias unless [BiasAxes] asks for one. Kernels start Glorot uniform, with the sizes of the axes that are summed over as
// fan in and those of the others as fan out, biases zero: see [WeightOption].
func EinsumDense(equation string, outputShape []int, act ActivationFunction, opts ...LayerOption) *Layer {
	return New(&einsumDense{equation, slices.Clone(outputShape), Object[ActivationFunction]{act}, "", usualKernel()}, opts...)
}

// A BiasAxesOption gives an [EinsumDense] a bias.
type BiasAxesOption string

// BiasAxes gives an [EinsumDense] layer a bias along those axes of the result, which the letters of its equation name. Layers of
// other classes do not take it.
func BiasAxes(axes string) BiasAxesOption { return BiasAxesOption(axes) }

func (o BiasAxesOption) applyLayer(l *Layer) {
	configure(l, "BiasAxes", func(e *einsumDense) { e.BiasAxes = string(o) })
}

func (e *einsumDense) Activation() ActivationFunction { return e.Function.Value }

// An einsum is an equation for one shape: which axes are moved where, so that a product of matrices does the rest. The input
// gets the order free axes, kept axes, summed axes; the kernel summed, kept, own axes.
type einsum struct {
	in, kernel, out             Shape // without the batch axis; that of out is in the order free, kept, own axes
	moveIn, moveKernel, moveOut []int
	kept, depth, own            int   // elements of kept, summed and own axes
	bias                        Shape // nil for none
	biasOfOwn                   bool  // it has own axes only, and so is that of a product
	narrow, wide                Shape // what the bias is repeated from, with 1 for axes that it does not have, and to
}

func (e *einsumDense) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if err := checkActivation(e.Function.Value); err != nil {
		b.Errorf("%w", err)
	}
	c, y, err := e.compile(x)
	if err != nil {
		b.Errorf("equation %q of an input %s: %w", e.Equation, x, err)
		return x
	}
	b.Keep(c)
	e.askKernelAs(b, "kernel", c.kernel, c.depth, c.kept*c.own)
	if c.bias != nil {
		e.askBias(b, c.bias)
	}
	return y
}

// askKernelAs asks for a kernel that starts as a matrix of in rows and out columns.
func (k *kernelAndBias) askKernelAs(b *Builder, name string, shape Shape, in, out int) {
	start := k.KernelInitializer
	if start.Value != nil {
		start.Value = drawnAs{start.Value, Shape{in, out}}
	}
	b.weight(name, shape, start, k.KernelRegularizer, k.KernelConstraint)
}

// drawnAs initializes a parameter as one of another shape.
type drawnAs struct {
	Initializer
	shape Shape
}

func (d drawnAs) Check(Shape) error { return checkFits(d.Initializer, d.shape) }

func (d drawnAs) Fill(values []float32, _ Shape, random *rand.Rand) {
	d.Initializer.Fill(values, slices.Clone(d.shape), random)
}

// compile returns the equation for a shape, and the shape of the result.
func (e *einsumDense) compile(shape Shape) (*einsum, Shape, error) {
	x, w, y, sizes, err := e.axes(shape)
	if err != nil {
		return nil, nil, err
	}
	var free, keptAxes, summed, own []rune
	for _, a := range x[1:] {
		switch inW, inY := slices.Contains(w, a), slices.Contains(y, a); {
		case inW && inY:
			keptAxes = append(keptAxes, a)
		case inW:
			summed = append(summed, a)
		case inY:
			free = append(free, a)
		default:
			return nil, nil, fmt.Errorf("axis %c is neither in the kernel nor in the result", a)
		}
	}
	for _, a := range y[1:] {
		if !slices.Contains(x, a) {
			own = append(own, a)
		}
	}
	of := func(axes []rune) (s Shape) {
		for _, a := range axes {
			s = append(s, sizes[a])
		}
		return s
	}
	places := func(order, axes []rune) (perm []int) {
		for _, a := range order {
			perm = append(perm, slices.Index(axes, a))
		}
		return perm
	}
	result := slices.Concat(free, keptAxes, own)
	c := &einsum{in: shape, kernel: of(w), out: of(result),
		kept: of(keptAxes).Elements(), depth: of(summed).Elements(), own: of(own).Elements(),
		moveIn:     places(slices.Concat(free, keptAxes, summed), x[1:]),
		moveKernel: places(slices.Concat(summed, keptAxes, own), w),
		moveOut:    places(y[1:], result),
	}
	for _, s := range []Shape{c.kernel, of(y[1:])} {
		if err := s.check(); err != nil {
			return nil, nil, err
		}
	}
	if e.BiasAxes == "" {
		return c, of(y[1:]), nil
	}
	c.biasOfOwn = true
	for _, a := range e.BiasAxes {
		if !slices.Contains(y[1:], a) || a >= elided {
			return nil, nil, fmt.Errorf("bias axis %c is not in the result", a)
		}
		c.biasOfOwn = c.biasOfOwn && slices.Contains(own, a)
	}
	biased := func(axes []rune) (s Shape) {
		for _, a := range axes {
			if s = append(s, 1); strings.ContainsRune(e.BiasAxes, a) {
				s[len(s)-1] = sizes[a]
			}
		}
		return s
	}
	first := slices.IndexFunc(y, func(a rune) bool { return strings.ContainsRune(e.BiasAxes, a) })
	c.bias = biased(y[first:])
	c.narrow, c.wide = biased(y[1:]), of(y[1:])
	if c.biasOfOwn {
		c.narrow, c.wide = biased(own), of(own)
	}
	return c, of(y[1:]), nil
}

// elided is the first letter for an axis that an equation does not name.
const elided = '\ue000'

// axes returns the axes of the input, the kernel and the result by letters, the batch axis included, and their sizes.
func (e *einsumDense) axes(shape Shape) (x, w, y []rune, size map[rune]int, err error) {
	left, result, ok := strings.Cut(strings.ReplaceAll(e.Equation, " ", ""), "->")
	input, kernel, comma := strings.Cut(left, ",")
	if !ok || !comma {
		return nil, nil, nil, nil, errors.New(`must be of the form "ab,bc->ac"`)
	}
	rank := len(shape) + 1
	var names [maxRank + 1]rune // of the axes that it does not name
	for i := range names {
		names[i] = elided + rune(i)
	}
	n := rank - len([]rune(strings.Replace(input, "...", "", 1)))
	if n < 0 || n > 0 && !strings.Contains(input, "...") {
		return nil, nil, nil, nil, fmt.Errorf("the input has %d axes with that of the batch, which are not those of %q", rank, input)
	}
	x = []rune(strings.Replace(input, "...", string(names[:n]), 1))
	w = []rune(kernel)
	y = []rune(strings.Replace(result, "...", string(names[:n]), 1))
	for _, axes := range [][]rune{x, w, y} {
		for i, a := range axes {
			letter := a >= 'a' && a <= 'z' || a >= 'A' && a <= 'Z' || a >= elided && a < elided+rune(n)
			if !letter || slices.Contains(axes[:i], a) {
				return nil, nil, nil, nil, fmt.Errorf("has %q, must have letters, each once, in a term", string(a))
			}
		}
	}
	if len(x) == 0 || len(y) == 0 || x[0] != y[0] || slices.Contains(w, x[0]) {
		return nil, nil, nil, nil, errors.New("the first axis of the input, that of the batch, must be the first one of the result and not in the kernel")
	}
	if strings.Contains(input, "...") != strings.Contains(result, "...") {
		return nil, nil, nil, nil, errors.New("... must be in the input and in the result")
	}
	size = map[rune]int{}
	for i, a := range x[1:] {
		size[a] = shape[i]
	}
	named := 0
	for _, a := range y[1:] {
		if a >= elided {
			continue
		}
		if named == len(e.Output) {
			return nil, nil, nil, nil, fmt.Errorf("output shape %v has fewer axes than the result", e.Output)
		}
		d := e.Output[named]
		named++
		switch have, ok := size[a]; {
		case ok && d != 0 && d != have:
			return nil, nil, nil, nil, fmt.Errorf("axis %c has %d elements in the input and %d in the output shape", a, have, d)
		case !ok && d < 1:
			return nil, nil, nil, nil, fmt.Errorf("axis %c is not in the input, so that the output shape must say how many elements it has", a)
		case !ok && !slices.Contains(w, a):
			return nil, nil, nil, nil, fmt.Errorf("axis %c is neither in the input nor in the kernel", a)
		case !ok:
			size[a] = d
		}
	}
	if named != len(e.Output) {
		return nil, nil, nil, nil, fmt.Errorf("output shape %v has more axes than the result", e.Output)
	}
	for _, a := range w {
		if size[a] == 0 {
			return nil, nil, nil, nil, fmt.Errorf("axis %c of the kernel is neither in the input nor in the result", a)
		}
	}
	return x, w, y, size, nil
}

func (e *einsumDense) Forward(c *Call) *ops.Tensor {
	k := c.Kept().(*einsum)
	var all, own *ops.Tensor // the bias of a sample or of a product
	act, rest := epilogue(c.Act)
	if k.bias != nil {
		if bias := c.spread(c.Reshape(c.Param(1), 1, k.narrow.Elements()), k.narrow, k.wide); k.biasOfOwn {
			own = bias
		} else {
			all, act, rest = bias, kernels.Linear, c.Act
		}
	}
	x := c.Permute(c.In(0), k.in, k.moveIn)
	x = c.Reshape(x, x.Rows*x.Cols/(k.kept*k.depth), k.kept*k.depth)
	w := c.Reshape(c.Permute(c.Param(0), k.kernel, k.moveKernel), k.depth, k.kept*k.own)
	c.operands = c.operands[:0]
	for i := range k.kept {
		xi, wi := x, w
		if k.kept > 1 {
			xi, wi = c.Slice(x, i*k.depth, (i+1)*k.depth), c.Slice(w, i*k.own, (i+1)*k.own)
		}
		c.operands = append(c.operands, c.Dense(xi, wi, own, act))
	}
	y := c.operands[0]
	if k.kept > 1 {
		y = c.Ops.Concatenate(c.operands...)
	}
	y = c.Samples(c.Permute(y, k.out, k.moveOut))
	if all != nil {
		y = c.Affine(y, nil, all)
	}
	return c.Samples(rest.Apply(c, c.vectors(y, c.Shape())))
}
