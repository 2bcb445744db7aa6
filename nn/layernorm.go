package nn

import (
	"errors"
	"math"

	"github.com/espalier-ml/espalier/ops"
)

type layerNormalization struct {
	Epsilon float64 `json:"epsilon"`
}

func init() { Register("LayerNormalization", layerNormalization{1e-3}) }

// LayerNormalization gives each vector along the last axis mean 0 and variance 1, then scales and shifts its elements:
// (x-mean)/√(variance+epsilon)·gamma + beta (Ba, Kiros and Hinton 2016, arXiv:1607.06450). gamma and beta are [features];
// they start with 1 and 0. The default of epsilon is Keras', 0.001; see [Epsilon].
func LayerNormalization(opts ...LayerOption) *Layer { return New(&layerNormalization{1e-3}, opts...) }

// An EpsilonOption is what a normalization adds to the variance.
type EpsilonOption float64

// Epsilon sets what a normalization adds to the variance, so that it never divides by zero.
func Epsilon(epsilon float64) EpsilonOption { return EpsilonOption(epsilon) }

func (o EpsilonOption) applyLayer(l *Layer) {
	n, ok := l.kind.(*layerNormalization)
	if !ok {
		l.err = errors.Join(l.err, errors.New("does not take Epsilon: only normalizations have one"))
		return
	}
	n.Epsilon = float64(o)
}

func (n *layerNormalization) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if !(float32(n.Epsilon) > 0 && n.Epsilon <= math.MaxFloat32) {
		b.Errorf("epsilon %v must be positive and finite in float32", n.Epsilon)
	}
	b.Param("gamma", Shape{x.Last()}, Ones())
	b.Param("beta", Shape{x.Last()}, Zeros())
	return x
}

func (n *layerNormalization) Forward(c *Call) *ops.Tensor {
	return c.Samples(c.LayerNorm(c.Vectors(0), c.Param(0), c.Param(1), n.Epsilon))
}

// Mask is that of the input.
func (*layerNormalization) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
