package nn

import (
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type concatenate struct{}

func init() { Register("Concatenate", concatenate{}) }

// Concatenate joins its inputs along their last axis.
func Concatenate(opts ...LayerOption) *Layer { return New(&concatenate{}, opts...) }

func (*concatenate) Build(b *Builder, in []Shape) Shape {
	lead := in[0][:len(in[0])-1]
	width := 0
	for i, s := range in {
		if !slices.Equal(s[:len(s)-1], lead) {
			b.Errorf("input %d has shape %s, which differs from input 0, %s, in more than the last axis", i, s, in[0])
		}
		width += s.Last()
	}
	return append(slices.Clone(lead), width)
}

func (*concatenate) Forward(c *Call) *ops.Tensor {
	for i, x := range c.in {
		c.in[i] = c.vectors(x, c.InShape(i))
	}
	rows := c.in[0].Rows / (c.Shape().Elements() / c.Shape().Last())
	return c.Reshape(c.Concatenate(c.in...), rows, c.Shape().Elements())
}

func (*concatenate) Mask(c *Call) *ops.Tensor { return c.anyMask() }

type add struct{}

func init() { Register("Add", add{}) }

// Add sums its inputs, which must all have one shape.
func Add(opts ...LayerOption) *Layer { return New(&add{}, opts...) }

func (*add) Build(b *Builder, in []Shape) Shape { return b.alike(in) }

func (*add) Forward(c *Call) *ops.Tensor {
	y := c.In(0)
	for i := 1; i < c.Len(); i++ {
		y = c.Add(y, c.In(i))
	}
	return y
}

func (*add) Mask(c *Call) *ops.Tensor { return c.anyMask() }

type multiply struct{}

func init() { Register("Multiply", multiply{}) }

// Multiply multiplies its inputs element by element. They must all have one shape.
func Multiply(opts ...LayerOption) *Layer { return New(&multiply{}, opts...) }

func (*multiply) Build(b *Builder, in []Shape) Shape { return b.alike(in) }

func (*multiply) Forward(c *Call) *ops.Tensor {
	y := c.In(0)
	for i := 1; i < c.Len(); i++ {
		y = c.Multiply(y, c.In(i))
	}
	return y
}

func (*multiply) Mask(c *Call) *ops.Tensor { return c.anyMask() }

// alike returns the shape that all inputs, at least two, must have.
func (b *Builder) alike(in []Shape) Shape {
	if len(in) < 2 {
		b.Errorf("called on %d node, takes at least 2", len(in))
	}
	for i, s := range in {
		if !slices.Equal(s, in[0]) {
			b.Errorf("input %d has shape %s, input 0 has %s: they must be equal", i, s, in[0])
		}
	}
	return in[0]
}
