package nn

import (
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type permute struct {
	Dims Shape `json:"dims"`
}

func init() { Register("Permute", permute{}) }

// Permute reorders the axes of each sample: axis i of the result is axis dims[i-1] of the input. Axes count from 1, the batch
// axis is not among them: Permute([]int{2, 1}) transposes.
func Permute(dims []int, opts ...LayerOption) *Layer {
	return New(&permute{slices.Clone(dims)}, opts...)
}

func (p *permute) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	perm, y := make([]int, len(x)), make(Shape, len(x))
	for i := range x {
		at := slices.Index(p.Dims, i+1)
		if at < 0 || len(p.Dims) != len(x) {
			b.Errorf("dims %s must have each of the axes 1 to %d of the input %s once", p.Dims, len(x), x)
			return x
		}
		perm[at], y[at] = i, x[i]
	}
	b.Keep(perm)
	return y
}

func (p *permute) Forward(c *Call) *ops.Tensor {
	return c.Samples(c.Permute(c.In(0), c.InShape(0), c.Kept().([]int)))
}
