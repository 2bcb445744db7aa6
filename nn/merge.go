package nn

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type concatenate struct{}

// Concatenate joins its inputs along their last axis.
func Concatenate(opts ...LayerOption) *Layer { return newLayer(&concatenate{}, opts...) }

func (*concatenate) class() string { return "Concatenate" }

func (*concatenate) build(in [][]int) ([]int, []param, error) {
	lead := in[0][:len(in[0])-1]
	width := 0
	for i, s := range in {
		if !slices.Equal(s[:len(s)-1], lead) {
			return nil, nil, fmt.Errorf("input %d has shape %s, which differs from input 0, %s, in more than the last axis", i, formatShape(s), formatShape(in[0]))
		}
		width += s[len(s)-1]
	}
	out := append(slices.Clone(lead), width)
	return out, nil, checkShape(out)
}

func (*concatenate) forward(c *call) *ops.Tensor {
	rows := c.in[0].Rows
	for i, x := range c.in {
		c.in[i] = c.lastAxis(x, c.node.in[i].shape)
	}
	return c.ops.Reshape(c.ops.Concatenate(c.in...), rows, c.node.features())
}

// elementwise combines inputs of one shape, from left to right.
type elementwise struct {
	name    string
	combine func(o ops.Ops, a, b *ops.Tensor) *ops.Tensor
}

// Add sums its inputs, which must all have one shape.
func Add(opts ...LayerOption) *Layer { return newLayer(newAdd(), opts...) }

// Multiply multiplies its inputs element by element. They must all have one shape.
func Multiply(opts ...LayerOption) *Layer { return newLayer(newMultiply(), opts...) }

func newAdd() kind      { return &elementwise{"Add", ops.Ops.Add} }
func newMultiply() kind { return &elementwise{"Multiply", ops.Ops.Multiply} }

func (e *elementwise) class() string { return e.name }

func (e *elementwise) build(in [][]int) ([]int, []param, error) {
	if len(in) < 2 {
		return nil, nil, fmt.Errorf("called on %d node, takes at least 2", len(in))
	}
	for i, s := range in {
		if !slices.Equal(s, in[0]) {
			return nil, nil, fmt.Errorf("input %d has shape %s, input 0 has %s: they must be equal", i, formatShape(s), formatShape(in[0]))
		}
	}
	return in[0], nil, nil
}

func (e *elementwise) forward(c *call) *ops.Tensor {
	y := c.in[0]
	for _, x := range c.in[1:] {
		y = e.combine(c.ops, y, x)
	}
	return y
}
