package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/ops"
)

func init() {
	nn.Register("ONNXOperator", operatorLayer{})
	nn.Register("ONNXAffine", affine{Scale: true, Shift: true})
	nn.Register("ONNXPooling", pooling{})
}

// An operatorLayer is a node for which package nn has no layer. It is computed row by row, in float64, which takes much longer
// than a layer; its gradient is there where [call.gradient] knows it.
type operatorLayer struct {
	Graph  []byte   `json:"graph"`  // a model of one node, with its constants and the shapes of its inputs for one row
	Output int      `json:"output"` // of the node
	Shape  nn.Shape `json:"target_shape"`
}

// A function is what an operatorLayer computes.
type function struct {
	call    call      // in has the constants, and the others without values
	dynamic []*tensor // inputs, in the order of the layer's
	output  int
}

// newFunction reads the graph of an operatorLayer.
func newFunction(graph []byte, output int) (*function, error) {
	m, err := decodeModel(graph)
	if err != nil {
		return nil, err
	}
	if m.graph == nil || len(m.graph.nodes) != 1 || len(m.opsets) != 1 {
		return nil, fmt.Errorf("the graph must have one node and one version of operators")
	}
	n := m.graph.nodes[0]
	if output < 0 || output >= len(n.outputs) || n.outputs[output] == "" {
		return nil, fmt.Errorf("the node has no output %d", output)
	}
	budget := 1 << 24
	f := &function{call: call{nodeProto: n, version: m.opsets[0].version, budget: &budget}, output: output}
	byName := map[string]*tensor{}
	for _, p := range m.graph.initializers {
		t, err := newConstant(p)
		if err != nil {
			return nil, fmt.Errorf("constant %q %w", p.name, err)
		}
		t.data() // many goroutines read it
		byName[p.name] = t
	}
	for _, x := range m.graph.inputs {
		t := &tensor{elem: x.kind.elem}
		for _, d := range x.kind.dims {
			t.shape = append(t.shape, int(min(max(d.size, -1), math.MaxInt32)))
		}
		if _, err := size(t.shape); err != nil {
			return nil, err
		}
		byName[x.name] = t
		f.dynamic = append(f.dynamic, t)
	}
	for _, x := range n.inputs {
		t := byName[x]
		if x != "" && t == nil {
			return nil, fmt.Errorf("input %q is not declared", x)
		}
		f.call.in = append(f.call.in, t)
	}
	return f, nil
}

func (k *operatorLayer) Build(b *nn.Builder, in []nn.Shape) nn.Shape {
	f, err := newFunction(k.Graph, k.Output)
	if err != nil {
		b.Errorf("%w", err)
		return nn.Shape{1}
	}
	c := f.call
	if err := c.evaluate(); err != nil {
		b.Errorf("%s: %w", c.describe(), err)
		return nn.Shape{1}
	}
	if n := c.out[k.Output].len(); c.out[k.Output].lost != "" || n != k.Shape.Elements() {
		b.Errorf("%s: output %d has %d elements, the shape is %s", c.describe(), k.Output, n, k.Shape)
	}
	if len(in) != max(1, len(f.dynamic)) {
		b.Errorf("called on %d nodes, takes %d", len(in), max(1, len(f.dynamic)))
		return k.Shape
	}
	for i, t := range f.dynamic {
		if in[i].Elements() != t.len() {
			b.Errorf("input %d has shape %s, must have %d elements", i, in[i], t.len())
		}
	}
	f.call.budget = nil
	b.Keep(f)
	return slices.Clone(k.Shape)
}

func (k *operatorLayer) Forward(c *nn.Call) *ops.Tensor {
	x := make([]*ops.Tensor, c.Len())
	for i := range x {
		x[i] = c.In(i)
	}
	return c.Custom(c.Kept().(*function), c.In(0).Rows, k.Shape.Elements(), x...)
}

// Name is that of the operator.
func (f *function) Name() string { return f.call.op }

// row returns the call for one row of the operands.
func (f *function) row(x []kernels.Matrix, i int) (*call, error) {
	c := f.call
	c.in = slices.Clone(c.in)
	for k, t := range f.dynamic {
		known := &tensor{elem: t.elem, shape: t.shape, known: true, values: make([]float64, t.len())}
		for j, v := range x[k].Row(i) {
			known.values[j] = round(t.elem, float64(v))
		}
		for j, in := range f.call.in {
			if in == t {
				c.in[j] = known
			}
		}
	}
	return &c, c.evaluate()
}

func (f *function) Forward(y kernels.Matrix, x []kernels.Matrix) error {
	for i := range y.Rows {
		c, err := f.row(x, i)
		if err != nil {
			return fmt.Errorf("%s: %w", f.call.describe(), err)
		}
		for j, v := range c.out[f.output].data() {
			y.Row(i)[j] = float32(v)
		}
	}
	return nil
}

func (f *function) Backward(dx []kernels.Matrix, dy, _ kernels.Matrix, x []kernels.Matrix) error {
	for i := range dy.Rows {
		c, err := f.row(x, i)
		if err != nil {
			return fmt.Errorf("%s: %w", f.call.describe(), err)
		}
		d := make([]float64, dy.Cols)
		for j, v := range dy.Row(i) {
			d[j] = float64(v)
		}
		gradients, err := c.gradient(f.output, d)
		if err != nil {
			return fmt.Errorf("%s: %w", f.call.describe(), err)
		}
		for k, t := range f.dynamic {
			if dx[k].Data == nil {
				continue
			}
			for j, in := range f.call.in {
				if in != t || gradients[j] == nil {
					continue
				}
				for e, g := range gradients[j] {
					dx[k].Row(i)[e] += float32(g)
				}
			}
		}
	}
	return nil
}

// affine is x·scale + shift with weights for each of the last Features elements of a sample.
type affine struct {
	Features int  `json:"features"`
	Scale    bool `json:"scale"`
	Shift    bool `json:"shift"`
}

func (a *affine) Build(b *nn.Builder, in []nn.Shape) nn.Shape {
	x := b.One(in)
	if a.Features < 1 || x.Elements()%a.Features != 0 {
		b.Errorf("has %d features for shape %s", a.Features, x)
		return x
	}
	if a.Scale {
		b.Param("scale", nn.Shape{a.Features}, nn.Ones())
	}
	if a.Shift {
		b.Param("shift", nn.Shape{a.Features}, nn.Zeros())
	}
	return x
}

func (a *affine) Forward(c *nn.Call) *ops.Tensor {
	x := c.In(0)
	x = c.Reshape(x, x.Rows*x.Cols/a.Features, a.Features)
	var scale, shift *ops.Tensor
	i := 0
	if a.Scale {
		scale, i = c.Param(0), 1
	}
	if a.Shift {
		shift = c.Param(i)
	}
	return c.Samples(c.Affine(x, scale, shift))
}

// pooling is a MaxPool or AveragePool over images with the channels last, with any padding and dilation.
type pooling struct {
	Average  bool   `json:"average"`
	Size     [2]int `json:"pool_size"`
	Strides  [2]int `json:"strides"`
	Dilation [2]int `json:"dilation_rate"`
	Before   [2]int `json:"before"` // what is padded above and left of the image, and does not count
	Out      [2]int `json:"out"`    // places below and beside each other
}

func (p *pooling) window(x nn.Shape) kernels.Window {
	return kernels.Window{In: [2]int(x[:2]), Channels: x[2], Size: p.Size, Stride: p.Strides, Dilation: p.Dilation, Before: p.Before, Out: p.Out}
}

func (p *pooling) Build(b *nn.Builder, in []nn.Shape) nn.Shape {
	x := b.One(in)
	if len(x) != 3 {
		b.Errorf("called on shape %s, takes (height, width, channels)", x)
		return nn.Shape{1}
	}
	w := p.window(x)
	if err := w.Check(); err != nil {
		b.Errorf("%w", err)
	}
	return nn.Shape{p.Out[0], p.Out[1], x[2]}
}

func (p *pooling) Forward(c *nn.Call) *ops.Tensor {
	x := c.InShape(0)
	w := p.window(x)
	images := c.Reshape(c.In(0), c.In(0).Rows, x.Elements())
	if p.Average {
		return c.Samples(c.AveragePool(images, w))
	}
	return c.Samples(c.MaxPool(images, w))
}
