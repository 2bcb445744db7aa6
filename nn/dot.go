package nn

import (
	"github.com/espalier-ml/espalier/ops"
)

type dot struct {
	Axes      axes `json:"axes"` // one for both inputs, or one for each
	Normalize bool `json:"normalize"`
}

func init() { Register("Dot", dot{}) }

// Dot sums the products of two inputs over an axis of each, axisA and axisB, which must be of one size. The result has the
// other axes of the first input, then those of the second one, or one element if there are none. Axis 0 is that of the batch
// and cannot be summed over; a negative axis counts from behind: Dot(-1, -1) of two vectors is their inner product.
func Dot(axisA, axisB int, opts ...LayerOption) *Layer {
	return New(&dot{Axes: axes{axisA, axisB}}, opts...)
}

// A NormalizeOption makes [Dot] a cosine.
type NormalizeOption struct{}

// Normalize makes the vectors along the axes that [Dot] sums over unit vectors first, so that the result is the cosine of the
// angle between them. Layers of other classes do not take it.
func Normalize() NormalizeOption { return NormalizeOption{} }

func (NormalizeOption) applyLayer(l *Layer) {
	configure(l, "Normalize", func(d *dot) { d.Normalize = true })
}

// A dotCall is what Forward needs to know of a call: the axes in the order that the product takes, and its columns.
type dotCall struct {
	perm  [2][]int
	depth int
}

func (d *dot) Build(b *Builder, in []Shape) Shape {
	if len(in) != 2 {
		b.Errorf("called on %d nodes, takes 2", len(in))
		return in[0]
	}
	if len(d.Axes) != 1 && len(d.Axes) != 2 {
		b.Errorf("axes are %v: must be one for both inputs or one for each", d.Axes)
		return in[0]
	}
	var c dotCall
	var axes [2]int
	var y Shape
	for i, x := range in {
		axis := d.Axes[i%len(d.Axes)]
		if axes[i] = axis - 1; axis < 0 {
			axes[i] = axis + len(x)
		}
		if axis == 0 || axes[i] < 0 || axes[i] >= len(x) {
			b.Errorf("axis %d of input %d, %s: valid are 1 to %d, and -1 to %d from behind", axis, i, x, len(x), -len(x))
			return in[0]
		}
		for j, n := range x {
			if j != axes[i] {
				y = append(y, n)
				c.perm[i] = append(c.perm[i], j)
			}
		}
		c.perm[i] = append(c.perm[i], axes[i])
	}
	if c.depth = in[0][axes[0]]; c.depth != in[1][axes[1]] {
		b.Errorf("axis %d of input 0, %s, and axis %d of input 1, %s, must be of one size", axes[0]+1, in[0], axes[1]+1, in[1])
		return in[0]
	}
	b.Keep(&c)
	if len(y) == 0 {
		return Shape{1}
	}
	return y
}

func (d *dot) Forward(c *Call) *ops.Tensor {
	k := c.Kept().(*dotCall)
	samples := c.In(0).Rows
	var x [2]*ops.Tensor
	for i := range x {
		rows := c.Permute(c.In(i), c.InShape(i), k.perm[i])
		x[i] = c.Reshape(rows, c.In(i).Rows*c.InShape(i).Elements()/k.depth, k.depth)
		if d.Normalize {
			x[i] = c.unit(x[i], 1e-7)
		}
	}
	return c.Samples(c.MatMul(x[0], x[1], samples, 1, true))
}
