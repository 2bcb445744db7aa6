package nn

import (
	"errors"

	"github.com/espalier-ml/espalier/ops"
)

// A Loss is what training makes small for one output. The loss of a batch is the mean over its rows of each row's loss
// times its sample weight, if it has one, unless the loss is [Reduced] otherwise.
type Loss interface {
	// Name returns Keras' name of the loss, such as "sparse_categorical_crossentropy".
	Name() string
	// Targets says what data the loss compares an output with.
	Targets() TargetKind
	// Check reports an output that the loss cannot serve.
	Check(out Output) error
	// Loss returns the sum over the rows of rows[i] times the loss of row i, as a 1x1 tensor. The output out has a row for
	// each sample.
	Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor
}

// Fused is a [Loss] that is better computed from what an activation is applied to than from its result, as a cross-entropy
// is from logits.
type Fused interface {
	Loss
	// Fuses reports whether the loss includes the activation.
	Fuses(ActivationFunction) bool
	// FusedLoss is Loss from the operand of the activation. It returns its result, too, for the metrics.
	FusedLoss(o ops.Losses, x *ops.Tensor, y Target, rows []float32) (loss, out *ops.Tensor)
}

// Reduced is a [Loss] that says how the losses of rows make that of a batch.
type Reduced interface {
	Loss
	Reduction() Reduction
}

// Columned is a [Loss] of targets that are not as wide as its output. Only metrics that have this method, too, and agree can
// measure such an output.
type Columned interface {
	// TargetColumns returns how many columns the targets of an output have.
	TargetColumns(out Output) int
}

// A Target is what an output should be: class labels or values, the other is empty.
type Target = ops.Target

// A TargetKind says what the targets of an output are.
type TargetKind uint8

const (
	Numbers       TargetKind = iota // values of any size, as wide as the output unless the loss is Columned
	Probabilities                   // values from 0 to 1, as wide
	Classes                         // labels, one per row, below the output's width, or the class that the loss ignores
)

// An Output is what a loss or a metric can know of the output that it is for.
type Output struct {
	Shape      Shape              // of one axis
	Activation ActivationFunction // that its values come from; nil if that is not known
	Targets    TargetKind         // of its loss
	Logits     bool               // its values are logits: the loss, which says so in a method Logits() bool, applies the activation
}

// A LossMetric can serve as a loss and as a metric.
type LossMetric interface {
	Loss
	Metric
}

// checkActivated reports an output of which no loss makes sense: a softmax of single numbers.
func (o Output) checkActivated() error {
	if o.Activation == Softmax && o.Shape.Last() == 1 {
		return errors.New("a softmax of one column is always 1: use Sigmoid")
	}
	return nil
}
