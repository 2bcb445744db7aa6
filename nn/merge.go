package nn

import (
	"math"
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type concatenate struct {
	Axes axes `json:"axis"`
}

func init() { Register("Concatenate", concatenate{axes{-1}}) }

// Concatenate joins its inputs along their last axis, or another one, see [Axis].
func Concatenate(opts ...LayerOption) *Layer { return New(&concatenate{axes{-1}}, opts...) }

func (k *concatenate) alongAxes() *axes { return &k.Axes }

func (k *concatenate) Build(b *Builder, in []Shape) Shape {
	axis := k.Axes.one(b, in[0])
	to := slices.Clone(in[0])
	to[axis] = 0
	for i, s := range in {
		if len(s) != len(to) || !slices.Equal(s[:axis], to[:axis]) || !slices.Equal(s[axis+1:], to[axis+1:]) {
			b.Errorf("input %d has shape %s, which differs from input 0, %s, in more than axis %d", i, s, in[0], axis+1)
			continue
		}
		to[axis] += s[axis]
	}
	return to
}

func (k *concatenate) Forward(c *Call) *ops.Tensor {
	axis, samples := k.Axes.index(len(c.Shape())), c.In(0).Rows
	for i, x := range c.in {
		c.in[i] = rowsBefore(c, x, c.InShape(i), axis)
	}
	return c.Reshape(c.Concatenate(c.in...), samples, c.Shape().Elements())
}

// rowsBefore returns samples with a row for each index of the axes before axis.
func rowsBefore(c *Call, x *ops.Tensor, shape Shape, axis int) *ops.Tensor {
	inner := shape[axis:].Elements()
	return c.Reshape(x, x.Rows*x.Cols/inner, inner)
}

// Mask joins the masks as Forward the inputs, but that along the last axis what counts in one of them counts. Where only
// some inputs have a mask, all of the others counts.
func (k *concatenate) Mask(c *Call) *ops.Tensor {
	last := len(c.Shape()) - 1
	axis := k.Axes.index(last + 1)
	if axis == last {
		return c.anyMask()
	}
	if !slices.ContainsFunc(c.masks, func(m *ops.Tensor) bool { return m != nil }) {
		return nil
	}
	samples := 0
	for i, m := range c.masks {
		shape := c.InShape(i)
		samples = c.in[i].Rows * c.in[i].Cols / shape.Elements()
		if m == nil {
			m = c.unequal(c.Reshape(c.in[i], samples, shape.Elements()), shape.Last(), float32(math.NaN()))
		}
		c.in[i] = rowsBefore(c, m, shape[:last], axis)
	}
	return c.Reshape(c.Concatenate(c.in...), samples, c.Shape()[:last].Elements())
}

// merging is what layers that merge inputs element by element have in common.
type merging struct{}

func (merging) Build(b *Builder, in []Shape) Shape { return b.broadcast(in) }

func (merging) Mask(c *Call) *ops.Tensor { return c.anyMask() }

// merge returns op of the first two inputs, of that and the third, and so on.
func (c *Call) merge(op func(a, b *ops.Tensor) *ops.Tensor) *ops.Tensor {
	y := c.spread(c.In(0), c.InShape(0), c.Shape())
	for i := 1; i < c.Len(); i++ {
		y = op(y, c.spread(c.In(i), c.InShape(i), c.Shape()))
	}
	return y
}

type (
	add      struct{ merging }
	subtract struct{ merging }
	multiply struct{ merging }
	average  struct{ merging }
	maximum  struct{ merging }
	minimum  struct{ merging }
)

func init() {
	Register("Add", add{})
	Register("Subtract", subtract{})
	Register("Multiply", multiply{})
	Register("Average", average{})
	Register("Maximum", maximum{})
	Register("Minimum", minimum{})
}

// Add sums its inputs, element by element. Like all layers that merge, it repeats an input along axes in which it has size 1,
// and an input with fewer axes along those that it lacks, which are the first ones.
func Add(opts ...LayerOption) *Layer { return New(&add{}, opts...) }

// Subtract returns its first input less the second one, element by element, see [Add].
func Subtract(opts ...LayerOption) *Layer { return New(&subtract{}, opts...) }

// Multiply multiplies its inputs, element by element, see [Add].
func Multiply(opts ...LayerOption) *Layer { return New(&multiply{}, opts...) }

// Average returns the mean of its inputs, element by element, see [Add].
func Average(opts ...LayerOption) *Layer { return New(&average{}, opts...) }

// Maximum returns the largest of its inputs, element by element, see [Add].
func Maximum(opts ...LayerOption) *Layer { return New(&maximum{}, opts...) }

// Minimum returns the smallest of its inputs, element by element, see [Add].
func Minimum(opts ...LayerOption) *Layer { return New(&minimum{}, opts...) }

func (*add) Forward(c *Call) *ops.Tensor      { return c.merge(c.Add) }
func (*multiply) Forward(c *Call) *ops.Tensor { return c.merge(c.Multiply) }
func (*maximum) Forward(c *Call) *ops.Tensor  { return c.merge(c.Maximum) }
func (*minimum) Forward(c *Call) *ops.Tensor  { return c.merge(c.Minimum) }

func (*average) Forward(c *Call) *ops.Tensor {
	return c.Scale(c.merge(c.Add), float32(1/float64(c.Len())))
}

func (*subtract) Build(b *Builder, in []Shape) Shape {
	if len(in) != 2 {
		b.Errorf("called on %d nodes, takes 2", len(in))
	}
	return b.broadcast(in)
}

func (*subtract) Forward(c *Call) *ops.Tensor {
	return c.merge(func(x, y *ops.Tensor) *ops.Tensor { return c.Add(x, c.Scale(y, -1)) })
}
