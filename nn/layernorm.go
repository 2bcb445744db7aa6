package nn

import "github.com/espalier-ml/espalier/ops"

type layerNormalization struct {
	Axes axes `json:"axis"`
	affineNorm
}

func init() { Register("LayerNormalization", layerNormalization{axes{-1}, newAffineNorm()}) }

// LayerNormalization gives each vector along the last axis mean 0 and variance 1, then scales and shifts its elements:
// (x-mean)/√(variance+epsilon)·gamma + beta (Ba, Kiros and Hinton 2016, arXiv:1607.06450). gamma and beta are [features];
// they start with 1 and 0. With [Axis] the elements of other axes, or of several together, are such a vector, and gamma and
// beta have their sizes.
//
// Options are Epsilon, by default Keras' 0.001, Axis, NoScale and NoCenter.
func LayerNormalization(opts ...LayerOption) *Layer {
	return New(&layerNormalization{axes{-1}, newAffineNorm()}, opts...)
}

func (n *layerNormalization) alongAxes() *axes { return &n.Axes }

func (n *layerNormalization) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	n.Axes.check(b, x)
	n.build(b, n.Axes.sizes(x))
	return x
}

func (n *layerNormalization) Forward(c *Call) *ops.Tensor {
	return c.along(n.Axes, func(x *ops.Tensor) *ops.Tensor {
		gamma, beta, _ := n.params(c)
		return c.LayerNorm(x, c.row(gamma, x.Cols, 1), c.row(beta, x.Cols, 0), n.Epsilon)
	})
}

// Mask is that of the input.
func (*layerNormalization) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// row returns x as one row of n, or v everywhere where x is nil.
func (c *Call) row(x *ops.Tensor, n int, v float32) *ops.Tensor {
	if x == nil {
		return c.Full(1, n, v)
	}
	return c.Reshape(x, 1, n)
}

type groupNormalization struct {
	Groups int  `json:"groups"`
	Axes   axes `json:"axis"`
	affineNorm
}

func init() { Register("GroupNormalization", groupNormalization{32, axes{-1}, newAffineNorm()}) }

// GroupNormalization divides the features into groups of neighbours and gives each group of a sample, over all its axes, mean 0
// and variance 1; then it scales and shifts each feature (Wu and He 2018, arXiv:1803.08494). A feature is an index of the last
// axis, or of another one, see [Axis]. gamma and beta are [features] and start with 1 and 0. Their number must be a multiple of
// groups; -1 stands for groups of one feature each.
//
// Options are Epsilon, by default Keras' 0.001, Axis, NoScale and NoCenter.
func GroupNormalization(groups int, opts ...LayerOption) *Layer {
	return New(&groupNormalization{groups, axes{-1}, newAffineNorm()}, opts...)
}

func (n *groupNormalization) alongAxes() *axes { return &n.Axes }

func (n *groupNormalization) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	features := x[n.Axes.one(b, x)]
	if n.Groups != -1 && (n.Groups < 1 || features%n.Groups != 0) {
		b.Errorf("has %d groups for %d features, needs a divisor of that, or -1 for one group each", n.Groups, features)
	}
	n.build(b, Shape{features})
	return x
}

func (n *groupNormalization) Forward(c *Call) *ops.Tensor {
	axis, groups := n.Axes.index(len(c.Shape())), n.Groups
	shape := c.Shape()
	if groups == -1 {
		groups = shape[axis]
	}
	split := append(append(append(c.split[:0], shape[:axis]...), groups, shape[axis]/groups), shape[axis+1:]...)
	c.split = split
	y := c.rearranged(c.In(0), split, func(i int) bool { return i != axis }, func(x *ops.Tensor) *ops.Tensor {
		return c.LayerNorm(x, c.Full(1, x.Cols, 1), c.Full(1, x.Cols, 0), n.Epsilon)
	})
	gamma, beta, _ := n.params(c)
	return c.rearranged(y, shape, func(i int) bool { return i == axis }, func(x *ops.Tensor) *ops.Tensor { return c.Affine(x, gamma, beta) })
}

// Mask is that of the input.
func (*groupNormalization) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
