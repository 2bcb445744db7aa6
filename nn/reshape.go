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

// Reshape gives each sample another shape of as many elements, without the batch axis: Reshape([]int{8, 4}). One size can be
// -1: it is what the others leave.
func Reshape(shape []int, opts ...LayerOption) *Layer {
	return New(&reshape{slices.Clone(shape)}, opts...)
}

func (r *reshape) Build(b *Builder, in []Shape) Shape {
	x, to := b.One(in), slices.Clone(r.Shape)
	if open := slices.Index(to, -1); open >= 0 {
		to[open] = 1
		if n := to.Elements(); n > 0 {
			to[open] = max(1, x.Elements()/n)
		}
	}
	if err := to.check(); err != nil {
		b.Errorf("%w", err)
	} else if to.Elements() != x.Elements() {
		b.Errorf("cannot turn shape %s (%d elements) into %s (%d)", x, x.Elements(), r.Shape, to.Elements())
	}
	b.Same()
	return to
}

// Forward has nothing to do: samples are rows of features whatever their shape.
func (*reshape) Forward(c *Call) *ops.Tensor { return c.In(0) }

type repeatVector struct {
	N int `json:"n"`
}

func init() { Register("RepeatVector", repeatVector{}) }

// RepeatVector makes a sequence of n steps of each sample, all of them its features: shape (features) becomes (n, features).
func RepeatVector(n int, opts ...LayerOption) *Layer { return New(&repeatVector{n}, opts...) }

func (r *repeatVector) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if len(x) != 1 || r.N < 1 {
		b.Errorf("repeats shape %s %d times, takes a shape of one axis, and at least 1 time", x, r.N)
	}
	return Shape{r.N, x.Last()}
}

func (r *repeatVector) Forward(c *Call) *ops.Tensor { return c.Repeat(c.In(0), r.N) }
