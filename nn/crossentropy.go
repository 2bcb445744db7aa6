package nn

import (
	"fmt"

	"github.com/espalier-ml/espalier/ops"
)

// A crossentropy comes from logits in one kernel where the output's activation is its own, and otherwise from
// probabilities as Keras computes it: divided by the row's sum (not the binary form), clipped to [1e-7, 1-1e-7].
type crossentropy struct {
	FromLogits bool  `json:"from_logits"`
	err        error // of an option
}

// A LossOption configures a cross-entropy.
type LossOption interface{ applyLoss(*crossentropy) }

// A FromLogitsOption is what FromLogits returns.
type FromLogitsOption struct{}

// FromLogits tells a cross-entropy that the output has no softmax or sigmoid: the loss applies it. Without this option the
// output must end in one of them, and with it in neither: Compile refuses what it sees to be otherwise.
func FromLogits() FromLogitsOption { return FromLogitsOption{} }

func (FromLogitsOption) applyLoss(c *crossentropy) { c.FromLogits = true }

func newCrossentropy(opts []LossOption) (c crossentropy) {
	for i, o := range opts {
		if o == nil {
			c.err = errNilOption(i)
			continue
		}
		o.applyLoss(&c)
	}
	return c
}

// Logits reports whether the output has logits.
func (c *crossentropy) Logits() bool { return c.FromLogits }

// check reports an output that does not end as the loss wants it, which is in its own activation.
func (c *crossentropy) check(name string, out Output, own ActivationKind) error {
	if c.err != nil {
		return fmt.Errorf("loss %s: %w", name, c.err)
	}
	if own == Softmax && out.Shape.Last() < 2 {
		return fmt.Errorf("loss %s needs an output of at least 2 columns, this one has %d", name, out.Shape.Last())
	}
	probabilities := out.Activation == Softmax || out.Activation == Sigmoid
	switch {
	case out.Activation == nil:
	case c.FromLogits && probabilities:
		return fmt.Errorf("loss %s with FromLogits applies a softmax or sigmoid, the output has %s already: leave out one of them", name, out.Activation)
	case !c.FromLogits && !probabilities:
		if a, known := out.Activation.(ActivationKind); known { // one of the user's own can end in probabilities
			return fmt.Errorf("loss %s needs probabilities, the output ends in %s: end it in %s, or give the loss FromLogits", name, a, own)
		}
	}
	return nil
}

type sparseCrossentropy struct{ crossentropy }

func init() { Register("SparseCategoricalCrossentropy", sparseCrossentropy{}) }

// SparseCategoricalCrossentropy is -log p[label] for Labels and an output of one column per class.
func SparseCategoricalCrossentropy(opts ...LossOption) Loss {
	return &sparseCrossentropy{newCrossentropy(opts)}
}

func (c *sparseCrossentropy) Name() string                    { return "sparse_categorical_crossentropy" }
func (c *sparseCrossentropy) Targets() TargetKind             { return Classes }
func (c *sparseCrossentropy) Check(out Output) error          { return c.check(c.Name(), out, Softmax) }
func (c *sparseCrossentropy) Fuses(a ActivationFunction) bool { return !c.FromLogits && a == Softmax }

func (c *sparseCrossentropy) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	if c.FromLogits {
		loss, _ := o.SoftmaxCrossEntropy(out, y.Labels, rows)
		return loss
	}
	return o.ClippedCrossEntropy(out, y.Labels, rows)
}

func (c *sparseCrossentropy) FusedLoss(o ops.Losses, x *ops.Tensor, y Target, rows []float32) (loss, out *ops.Tensor) {
	return o.SoftmaxCrossEntropy(x, y.Labels, rows)
}

type categoricalCrossentropy struct{ crossentropy }

func init() { Register("CategoricalCrossentropy", categoricalCrossentropy{}) }

// CategoricalCrossentropy is -sum t log p for targets of one probability per class.
func CategoricalCrossentropy(opts ...LossOption) Loss {
	return &categoricalCrossentropy{newCrossentropy(opts)}
}

func (c *categoricalCrossentropy) Name() string           { return "categorical_crossentropy" }
func (c *categoricalCrossentropy) Targets() TargetKind    { return Probabilities }
func (c *categoricalCrossentropy) Check(out Output) error { return c.check(c.Name(), out, Softmax) }
func (c *categoricalCrossentropy) Fuses(a ActivationFunction) bool {
	return !c.FromLogits && a == Softmax
}

func (c *categoricalCrossentropy) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	if c.FromLogits {
		loss, _ := o.SoftCrossEntropy(out, y.Values, rows)
		return loss
	}
	return o.ClippedSoftCrossEntropy(out, y.Values, rows)
}

func (c *categoricalCrossentropy) FusedLoss(o ops.Losses, x *ops.Tensor, y Target, rows []float32) (loss, out *ops.Tensor) {
	return o.SoftCrossEntropy(x, y.Values, rows)
}

type binaryCrossentropy struct{ crossentropy }

func init() { Register("BinaryCrossentropy", binaryCrossentropy{}) }

// BinaryCrossentropy is the mean over the columns of -t log p - (1-t) log(1-p).
func BinaryCrossentropy(opts ...LossOption) Loss {
	return &binaryCrossentropy{newCrossentropy(opts)}
}

func (c *binaryCrossentropy) Name() string                    { return "binary_crossentropy" }
func (c *binaryCrossentropy) Targets() TargetKind             { return Probabilities }
func (c *binaryCrossentropy) Check(out Output) error          { return c.check(c.Name(), out, Sigmoid) }
func (c *binaryCrossentropy) Fuses(a ActivationFunction) bool { return !c.FromLogits && a == Sigmoid }

func (c *binaryCrossentropy) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	if c.FromLogits {
		loss, _ := o.BinaryCrossEntropy(out, y.Values, rows)
		return loss
	}
	return o.ClippedBinaryCrossEntropy(out, y.Values, rows)
}

func (c *binaryCrossentropy) FusedLoss(o ops.Losses, x *ops.Tensor, y Target, rows []float32) (loss, out *ops.Tensor) {
	return o.BinaryCrossEntropy(x, y.Values, rows)
}
