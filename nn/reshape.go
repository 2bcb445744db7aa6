package nn

import (
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type flatten struct{}

func init() { Register("Flatten", flatten{}) }

// Flatten turns each sample into one row of features.
func Flatten(opts ...LayerOption) *Layer { return New(&flatten{}, opts...) }

func (*flatten) Build(b *Builder, in []Shape) Shape {
	b.Same()
	return Shape{b.One(in).Elements()}
}

func (*flatten) Forward(c *Call) *ops.Tensor { return c.In(0) }

type reshape struct {
	Shape Shape `json:"target_shape"`
}

func init() { Register("Reshape", reshape{}) }

// Reshape gives each sample another shape of as many elements, without the batch axis: Reshape([]int{8, 4}).
func Reshape(shape []int, opts ...LayerOption) *Layer {
	return New(&reshape{slices.Clone(shape)}, opts...)
}

func (r *reshape) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if err := r.Shape.check(); err != nil {
		b.Errorf("%w", err)
	} else if r.Shape.Elements() != x.Elements() {
		b.Errorf("cannot turn shape %s (%d elements) into %s (%d)", x, x.Elements(), r.Shape, r.Shape.Elements())
	}
	b.Same()
	return r.Shape
}

// Forward has nothing to do: samples are rows of features whatever their shape.
func (*reshape) Forward(c *Call) *ops.Tensor { return c.In(0) }
