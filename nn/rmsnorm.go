package nn

import (
	"math"

	"github.com/espalier-ml/espalier/ops"
)

type rmsNormalization struct {
	Axes  axes    `json:"axis"`
	Small float64 `json:"epsilon"`
}

func init() { Register("RMSNormalization", rmsNormalization{axes{-1}, 1e-6}) }

// RMSNormalization divides each vector along the last axis by the root of the mean of its squares and scales its elements:
// x/√(mean of x²+epsilon)·scale (Zhang and Sennrich 2019, arXiv:1910.07467). scale is [features] and starts with 1. With
// [Axis] the elements of other axes, or of several together, are such a vector. The default of [Epsilon] is Keras', 1e-6.
func RMSNormalization(opts ...LayerOption) *Layer {
	return New(&rmsNormalization{axes{-1}, 1e-6}, opts...)
}

func (n *rmsNormalization) alongAxes() *axes  { return &n.Axes }
func (n *rmsNormalization) epsilon() *float64 { return &n.Small }

func (n *rmsNormalization) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if err := checkEpsilon(n.Small); err != nil {
		b.Errorf("%w", err)
	}
	n.Axes.check(b, x)
	b.Param("scale", n.Axes.sizes(x), Ones())
	return x
}

func (n *rmsNormalization) Forward(c *Call) *ops.Tensor {
	return c.along(n.Axes, func(x *ops.Tensor) *ops.Tensor {
		return c.RMSNorm(x, c.row(c.Param(0), x.Cols, 1), n.Small)
	})
}

// Mask is that of the input.
func (*rmsNormalization) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

type unitNormalization struct {
	Axes axes `json:"axis"`
}

func init() { Register("UnitNormalization", unitNormalization{axes{-1}}) }

// UnitNormalization divides each vector along the last axis by its length, the root of the sum of its squares: the result has
// length 1. A vector of zeros stays one. With [Axis] the elements of other axes, or of several together, are such a vector.
func UnitNormalization(opts ...LayerOption) *Layer { return New(&unitNormalization{axes{-1}}, opts...) }

func (n *unitNormalization) alongAxes() *axes { return &n.Axes }

func (n *unitNormalization) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	n.Axes.check(b, x)
	return x
}

func (n *unitNormalization) Forward(c *Call) *ops.Tensor {
	return c.along(n.Axes, func(x *ops.Tensor) *ops.Tensor { return c.unit(x, 1e-12) })
}

// unit divides the rows of x by √(Σx²+epsilon²). Keras has the larger one of the two terms, and float32 the same in all but tiny
// vectors.
func (c *Call) unit(x *ops.Tensor, epsilon float64) *ops.Tensor {
	size := float64(x.Cols)
	return c.RMSNorm(x, c.Full(1, x.Cols, float32(1/math.Sqrt(size))), epsilon*epsilon/size)
}

// Mask is that of the input.
func (*unitNormalization) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
