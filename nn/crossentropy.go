package nn

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A crossentropy comes from logits in one kernel where the output's activation is its own, and otherwise from
// probabilities as Keras computes it: divided by the row's sum (not the binary form), clipped to [1e-7, 1-1e-7].
type crossentropy struct {
	lossBase
	FromLogits bool `json:"from_logits"`
	Axis       int  `json:"axis"`
}

var usualCrossentropy = crossentropy{usualLoss, false, -1}

// A smoothing moves targets towards being even among the classes.
type smoothing struct {
	LabelSmoothing float64 `json:"label_smoothing"`
}

// of returns the targets that training sees, of so many classes.
func (s smoothing) of(o ops.Losses, targets kernels.Matrix, classes int) kernels.Matrix {
	if s.LabelSmoothing == 0 {
		return targets
	}
	return o.Smooth(targets, 1-s.LabelSmoothing, s.LabelSmoothing/float64(classes))
}

// at is of for one target.
func (s smoothing) at(t float32, classes int) float64 {
	return float64(float64(t)*(1-s.LabelSmoothing)) + s.LabelSmoothing/float64(classes)
}

func (s smoothing) check(name string) error {
	if !(s.LabelSmoothing >= 0 && s.LabelSmoothing <= 1) {
		return fmt.Errorf("loss %s: label smoothing %v is not in [0, 1]", name, s.LabelSmoothing)
	}
	return nil
}

// A LabelSmoothingOption is how much of the targets of a cross-entropy is evened out.
type LabelSmoothingOption float64

// LabelSmoothing replaces the targets t of a cross-entropy by t·(1-s) + s/classes, those of the binary forms by t·(1-s) +
// s/2 (Szegedy et al., arXiv:1512.00567), so that no probability is driven to 0 or 1. s is from 0 to 1.
func LabelSmoothing(s float64) LabelSmoothingOption { return LabelSmoothingOption(s) }

func (s LabelSmoothingOption) applyLoss(f *lossFields) error {
	return setField(&f.labelSmoothing, float64(s), "LabelSmoothing")
}

// A FromLogitsOption is what FromLogits returns.
type FromLogitsOption struct{}

// FromLogits tells a cross-entropy that the output has no softmax or sigmoid: the loss applies it. Without this option the
// output must end in one of them, and with it in neither: Compile refuses what it sees to be otherwise.
func FromLogits() FromLogitsOption { return FromLogitsOption{} }

func (FromLogitsOption) applyLoss(f *lossFields) error {
	return setField(&f.fromLogits, true, "FromLogits")
}

// An IgnoreClassOption is a label that counts nothing.
type IgnoreClassOption int

// IgnoreClass leaves the rows of one label out of a [SparseCategoricalCrossentropy]: they have no loss, and the mean is that
// of the others. The label may be outside of the classes, such as -1 for rows that have none.
func IgnoreClass(label int) IgnoreClassOption { return IgnoreClassOption(label) }

func (o IgnoreClassOption) applyLoss(f *lossFields) error {
	label := int(o)
	return setField(&f.ignoreClass, &label, "IgnoreClass")
}

// Logits reports whether the output has logits.
func (c *crossentropy) Logits() bool { return c.FromLogits }

// check reports an output that does not end as the loss wants it, which is in its own activation.
func (c *crossentropy) check(name string, out Output, own ActivationKind) error {
	if err := errors.Join(c.lossBase.check(name), checkLossAxis(name, c.Axis)); err != nil {
		return err
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

type sparseCrossentropy struct {
	crossentropy
	IgnoreClass *int `json:"ignore_class"`
}

func init() {
	Register("SparseCategoricalCrossentropy", sparseCrossentropy{usualCrossentropy, nil})
	alias[Loss]("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy")
	Register("CategoricalCrossentropy", categoricalCrossentropy{usualCrossentropy, smoothing{}})
	alias[Loss]("CategoricalCrossentropy", "categorical_crossentropy")
	Register("BinaryCrossentropy", binaryCrossentropy{usualCrossentropy, smoothing{}})
	alias[Loss]("BinaryCrossentropy", "binary_crossentropy", "bce", "BCE")
}

// SparseCategoricalCrossentropy is -log p[label] for Labels and an output of one column per class.
func SparseCategoricalCrossentropy(opts ...LossOption) Loss {
	c := &sparseCrossentropy{usualCrossentropy, nil}
	c.apply(lossFields{fromLogits: &c.FromLogits, ignoreClass: &c.IgnoreClass}, opts)
	return c
}

func (c *sparseCrossentropy) Name() string                    { return "sparse_categorical_crossentropy" }
func (c *sparseCrossentropy) Targets() TargetKind             { return Classes }
func (c *sparseCrossentropy) Check(out Output) error          { return c.check(c.Name(), out, Softmax) }
func (c *sparseCrossentropy) Fuses(a ActivationFunction) bool { return !c.FromLogits && a == Softmax }
func (c *sparseCrossentropy) ignored() *int                   { return c.IgnoreClass }

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

type categoricalCrossentropy struct {
	crossentropy
	smoothing
}

// CategoricalCrossentropy is -sum t log p for targets of one probability per class.
func CategoricalCrossentropy(opts ...LossOption) Loss {
	c := &categoricalCrossentropy{usualCrossentropy, smoothing{}}
	c.apply(lossFields{fromLogits: &c.FromLogits, labelSmoothing: &c.LabelSmoothing}, opts)
	return c
}

func (c *categoricalCrossentropy) Name() string        { return "categorical_crossentropy" }
func (c *categoricalCrossentropy) Targets() TargetKind { return Probabilities }
func (c *categoricalCrossentropy) Check(out Output) error {
	return errors.Join(c.crossentropy.check(c.Name(), out, Softmax), c.smoothing.check(c.Name()))
}
func (c *categoricalCrossentropy) Fuses(a ActivationFunction) bool {
	return !c.FromLogits && a == Softmax
}

func (c *categoricalCrossentropy) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	targets := c.of(o, y.Values, out.Cols)
	if c.FromLogits {
		loss, _ := o.SoftCrossEntropy(out, targets, rows)
		return loss
	}
	return o.ClippedSoftCrossEntropy(out, targets, rows)
}

func (c *categoricalCrossentropy) FusedLoss(o ops.Losses, x *ops.Tensor, y Target, rows []float32) (loss, out *ops.Tensor) {
	return o.SoftCrossEntropy(x, c.of(o, y.Values, x.Cols), rows)
}

type binaryCrossentropy struct {
	crossentropy
	smoothing
}

// BinaryCrossentropy is the mean over the columns of -t log p - (1-t) log(1-p).
func BinaryCrossentropy(opts ...LossOption) Loss {
	c := &binaryCrossentropy{usualCrossentropy, smoothing{}}
	c.apply(lossFields{fromLogits: &c.FromLogits, labelSmoothing: &c.LabelSmoothing}, opts)
	return c
}

func (c *binaryCrossentropy) Name() string        { return "binary_crossentropy" }
func (c *binaryCrossentropy) Targets() TargetKind { return Probabilities }
func (c *binaryCrossentropy) Check(out Output) error {
	return errors.Join(c.crossentropy.check(c.Name(), out, Sigmoid), c.smoothing.check(c.Name()))
}
func (c *binaryCrossentropy) Fuses(a ActivationFunction) bool { return !c.FromLogits && a == Sigmoid }

func (c *binaryCrossentropy) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	targets := c.of(o, y.Values, 2)
	if c.FromLogits {
		loss, _ := o.BinaryCrossEntropy(out, targets, rows)
		return loss
	}
	return o.ClippedBinaryCrossEntropy(out, targets, rows)
}

func (c *binaryCrossentropy) FusedLoss(o ops.Losses, x *ops.Tensor, y Target, rows []float32) (loss, out *ops.Tensor) {
	return o.BinaryCrossEntropy(x, c.of(o, y.Values, 2), rows)
}
