package nn

import (
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type batchNormalization struct {
	Axes     axes    `json:"axis"`
	Momentum float64 `json:"momentum"`
	affineNorm
	Mean     Object[Initializer] `json:"moving_mean_initializer"`
	Variance Object[Initializer] `json:"moving_variance_initializer"`
}

func newBatchNormalization() batchNormalization {
	return batchNormalization{axes{-1}, 0.99, newAffineNorm(), Object[Initializer]{Zeros()}, Object[Initializer]{Ones()}}
}

func init() { Register("BatchNormalization", newBatchNormalization()) }

// BatchNormalization gives each feature mean 0 and variance 1 over the batch, then scales and shifts it:
// (x-mean)/√(variance+epsilon)·gamma + beta (Ioffe and Szegedy 2015, arXiv:1502.03167). A feature is an index of the last
// axis, or of another one, see [Axis]; gamma and beta, which start with 1 and 0, and the moving averages are [features].
//
// In training mean and variance are those of the batch, all rows of it whatever the number of [Workers], and the moving
// averages go towards them by 1 less [MovingMomentum], whose default is 0.99. Elsewhere they are the moving averages,
// which start with 0 and 1, and in a layer that is frozen, see [Layer.SetTrainable], also in training. What is served is
// then scaled and shifted only, which [NewPlan] makes a part of a Dense layer before or behind it.
//
// Options are Epsilon, by default 0.001, MovingMomentum, Axis, NoScale and NoCenter.
func BatchNormalization(opts ...LayerOption) *Layer {
	n := newBatchNormalization()
	return New(&n, opts...)
}

// A MovingMomentumOption is how slowly a moving average follows.
type MovingMomentumOption float64

// MovingMomentum sets how much of the moving averages of a [BatchNormalization] a training step keeps: the average becomes
// average·momentum + new·(1-momentum), with momentum from 0 to 1. Keras calls it momentum.
func MovingMomentum(momentum float64) MovingMomentumOption { return MovingMomentumOption(momentum) }

func (o MovingMomentumOption) applyLayer(l *Layer) {
	configure(l, "MovingMomentum: only BatchNormalization has one", func(k *batchNormalization) { k.Momentum = float64(o) })
}

func (n *batchNormalization) alongAxes() *axes { return &n.Axes }

func (n *batchNormalization) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if !(n.Momentum >= 0 && n.Momentum <= 1) {
		b.Errorf("momentum %v is not in [0, 1]", n.Momentum)
	}
	features := Shape{x[n.Axes.one(b, x)]}
	n.build(b, features)
	b.State("moving_mean", features, n.Mean.Value)
	b.State("moving_variance", features, n.Variance.Value)
	return x
}

func (n *batchNormalization) Forward(c *Call) *ops.Tensor {
	gamma, beta, i := n.params(c)
	if !c.Training() || !c.Trainable() {
		mean, scale := c.Param(i), c.Unary(c.Param(i+1), kernels.Unary{Kind: kernels.RSqrt, A: float32(n.Epsilon)})
		if gamma != nil {
			scale = c.Multiply(gamma, scale)
		}
		shift := c.Scale(c.Multiply(mean, scale), -1)
		if beta != nil {
			shift = c.Add(beta, shift)
		}
		return c.along(n.Axes, func(x *ops.Tensor) *ops.Tensor { return c.Affine(x, scale, shift) })
	}
	return c.along(n.Axes, func(x *ops.Tensor) *ops.Tensor {
		y, mean, variance := c.BatchNorm(x, gamma, beta, n.Epsilon)
		n.follow(c, i, mean)
		n.follow(c, i+1, variance)
		return y
	})
}

// follow moves the moving average that is parameter i towards the value of this batch.
func (n *batchNormalization) follow(c *Call, i int, now *ops.Tensor) {
	c.Update(i, c.Add(c.Scale(c.Param(i), float32(n.Momentum)), c.Scale(now, float32(1-n.Momentum))))
}

// Mask is that of the input.
func (*batchNormalization) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// affineNorm is what a normalization has that scales and shifts its result.
type affineNorm struct {
	Epsilon float64             `json:"epsilon"`
	Center  bool                `json:"center"`
	Scale   bool                `json:"scale"`
	Beta    Object[Initializer] `json:"beta_initializer"`
	Gamma   Object[Initializer] `json:"gamma_initializer"`

	BetaRegularizer  Object[Regularizer] `json:"beta_regularizer"`
	GammaRegularizer Object[Regularizer] `json:"gamma_regularizer"`
	BetaConstraint   Object[Constraint]  `json:"beta_constraint"`
	GammaConstraint  Object[Constraint]  `json:"gamma_constraint"`
}

func newAffineNorm() affineNorm {
	return affineNorm{Epsilon: 1e-3, Center: true, Scale: true, Beta: Object[Initializer]{Zeros()}, Gamma: Object[Initializer]{Ones()}}
}

func (n *affineNorm) epsilon() *float64   { return &n.Epsilon }
func (n *affineNorm) affine() *affineNorm { return n }

// build asks for gamma and beta.
func (n *affineNorm) build(b *Builder, shape Shape) {
	if err := checkEpsilon(n.Epsilon); err != nil {
		b.Errorf("%w", err)
	}
	if n.Scale {
		b.weight("gamma", shape, n.Gamma, n.GammaRegularizer, n.GammaConstraint)
	}
	if n.Center {
		b.weight("beta", shape, n.Beta, n.BetaRegularizer, n.BetaConstraint)
	}
}

// params returns gamma and beta, nil for those that the layer does not have, and the number of the next parameter.
func (n *affineNorm) params(c *Call) (gamma, beta *ops.Tensor, next int) {
	if n.Scale {
		gamma, next = c.Param(next), next+1
	}
	if n.Center {
		beta, next = c.Param(next), next+1
	}
	return gamma, beta, next
}

// An EpsilonOption is what a normalization adds to the variance.
type EpsilonOption float64

// Epsilon sets what a normalization adds to the variance, so that it never divides by zero.
func Epsilon(epsilon float64) EpsilonOption { return EpsilonOption(epsilon) }

func (o EpsilonOption) applyLayer(l *Layer) {
	configure(l, "Epsilon: only normalizations have one", func(k interface{ epsilon() *float64 }) { *k.epsilon() = float64(o) })
}

// A NoScaleOption leaves a layer without a scale.
type NoScaleOption struct{}

// NoScale leaves a [BatchNormalization], [LayerNormalization] or [GroupNormalization] without gamma.
func NoScale() NoScaleOption { return NoScaleOption{} }

func (NoScaleOption) applyLayer(l *Layer) {
	configure(l, "NoScale: only normalizations with gamma and beta do", func(k interface{ affine() *affineNorm }) { k.affine().Scale = false })
}

// A NoCenterOption leaves a layer without a shift.
type NoCenterOption struct{}

// NoCenter leaves a [BatchNormalization], [LayerNormalization] or [GroupNormalization] without beta.
func NoCenter() NoCenterOption { return NoCenterOption{} }

func (NoCenterOption) applyLayer(l *Layer) {
	configure(l, "NoCenter: only normalizations with gamma and beta do", func(k interface{ affine() *affineNorm }) { k.affine().Center = false })
}
