package nn

import (
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type addLoss struct {
	Weight float64 `json:"weight"`
}

func init() {
	Register("AddLoss", addLoss{Weight: 1})
	Register("ActivityRegularization", activityRegularization{})
}

// AddLoss adds a term to the loss: called on (y, term) it passes y on as it is, and adds weight times the mean over the rows of
// the sum of a row's elements of term to what training makes small, and to "loss" in the logs, of validation too. It is what
// Keras' add_loss is for: a term that compares nothing with a target, such as the divergence of an autoencoder's code. More
// terms may follow. Serving does not compute what only terms need, and a loss includes the activation of what is passed on.
func AddLoss(weight float64, opts ...LayerOption) *Layer { return New(&addLoss{weight}, opts...) }

func (a *addLoss) Build(b *Builder, in []Shape) Shape {
	if len(in) < 2 {
		b.Errorf("called on %d nodes, takes what it passes on and at least one term", len(in))
	}
	if !(math.Abs(a.Weight) <= math.MaxFloat32) || vanishes(a.Weight) {
		b.Errorf("weight %v must be finite in float32, and not so small that it is 0 there", a.Weight)
	}
	b.Same()
	return in[0]
}

func (*addLoss) Forward(c *Call) *ops.Tensor { return c.In(0) }

// Mask is that of what is passed on.
func (*addLoss) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// Penalty implements [Regularizer]: it is the weighted sum.
func (a *addLoss) Penalty(x, grad kernels.Matrix, scale float32) (float32, error) {
	sum, slope := 0.0, float32(a.Weight*float64(scale))
	for i := range x.Rows {
		for _, v := range x.Row(i) {
			sum += float64(v)
		}
		if grad.Data != nil {
			g := grad.Row(i)
			for j := range g {
				g[j] += slope
			}
		}
	}
	return float32(a.Weight * sum), nil
}

type activityRegularization struct {
	L1 float64 `json:"l1"`
	L2 float64 `json:"l2"`
}

// ActivityRegularization passes its input on and adds l1·Σ|x| + l2·Σx² of it, over the number of rows, to the loss: the
// [ActivityRegularizer] of a layer as a layer of its own.
func ActivityRegularization(l1, l2 float64, opts ...LayerOption) *Layer {
	return New(&activityRegularization{l1, l2}, opts...)
}

func (a *activityRegularization) Build(b *Builder, in []Shape) Shape {
	b.Same()
	return b.One(in)
}

func (*activityRegularization) Forward(c *Call) *ops.Tensor { return c.In(0) }

// Mask is that of the input.
func (*activityRegularization) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// ActivityRegularizer implements [ActivityRegularized].
func (a *activityRegularization) ActivityRegularizer() Regularizer { return L1L2(a.L1, a.L2) }
