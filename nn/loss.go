package nn

import (
	"errors"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A Loss is what training makes small for one output. The loss of a batch is the mean over its rows of each row's loss
// times its sample weight, if it has one.
type Loss interface {
	// Name returns Keras' name of the loss, such as "sparse_categorical_crossentropy".
	Name() string

	sparse() bool              // the target is Labels
	probability() bool         // targets are from 0 to 1
	check(width int) error     // reports an output that the loss cannot serve
	fits(out *Node) error      // reports an output of which the loss makes no sense
	threshold() float32        // above which an output of one column means class 1
	config() lossConfig        // for saving
	fuses(ActivationKind) bool // the loss includes this activation: it wants the logits
	// forward returns sum(weights[i] * loss of row i) and the output as the metrics see it.
	forward(t *autograd.Tape, out *autograd.Tensor, y target, weights []float32, logits bool) (loss, pred *autograd.Tensor)
}

// A LossMetric can serve as a loss and as a metric.
type LossMetric interface {
	Loss
	Metric
}

// A LossOption configures a cross-entropy.
type LossOption interface{ applyLoss(*crossentropy) }

type fromLogits struct{}

// FromLogits tells a cross-entropy that the output has no softmax or sigmoid: the loss applies it. Without this option the
// output must end in one of them, and with it in neither: Compile refuses what it sees to be otherwise.
func FromLogits() LossOption { return fromLogits{} }

func (fromLogits) applyLoss(c *crossentropy) { c.logits = true }

// MSE is the mean squared error, the mean over the columns of (p - t)².
func MSE() LossMetric { return &regression{"mse", (*autograd.Tape).MeanSquaredError, squared} }

// MAE is the mean absolute error, the mean over the columns of |p - t|.
func MAE() LossMetric { return &regression{"mae", (*autograd.Tape).MeanAbsoluteError, math.Abs} }

func squared(d float64) float64 { return d * d }

// regression is a loss that is a mean over the columns of a function of the difference.
type regression struct {
	name string
	loss func(t *autograd.Tape, pred *autograd.Tensor, targets kernels.Matrix, weights []float32) *autograd.Tensor
	of   func(difference float64) float64
}

func (r *regression) Name() string              { return r.name }
func (r *regression) sparse() bool              { return false }
func (r *regression) probability() bool         { return false }
func (r *regression) check(int) error           { return nil }
func (r *regression) config() lossConfig        { return lossConfig{Name: r.name} }
func (r *regression) fuses(ActivationKind) bool { return false }
func (r *regression) fits(out *Node) error      { return fitsActivation(out) }
func (r *regression) threshold() float32        { return 0.5 }

func (r *regression) forward(t *autograd.Tape, out *autograd.Tensor, y target, weights []float32, _ bool) (loss, pred *autograd.Tensor) {
	return r.loss(t, out, y.values, weights), out
}

func (r *regression) serves(h *head) error {
	if h.loss.sparse() {
		return fmt.Errorf("metric %s needs targets that are Floats, loss %s has Labels", r.name, h.loss.Name())
	}
	return nil
}

func (r *regression) sum(_ *head, pred kernels.Matrix, y target) float64 {
	sum := 0.0
	if pred.Cols == 1 && pred.Contiguous() && y.values.Contiguous() {
		t := y.values.Data
		for i, p := range pred.Data[:pred.Rows] {
			sum += r.of(float64(p) - float64(t[i]))
		}
		return sum
	}
	for i := range pred.Rows {
		row := 0.0
		t := y.values.Row(i)
		for j, p := range pred.Row(i) {
			row += r.of(float64(p) - float64(t[j]))
		}
		sum += row / float64(pred.Cols)
	}
	return sum
}

// A crossentropy comes from logits in one kernel where the output's activation is its own, and otherwise from
// probabilities as Keras computes it: divided by the row's sum (not the binary form), clipped to [1e-7, 1-1e-7].
type crossentropy struct {
	form   crossentropyForm
	logits bool  // FromLogits
	err    error // of an option
}

type crossentropyForm uint8

const (
	sparseForm crossentropyForm = iota
	softForm
	binaryForm
)

var crossentropyNames = [...]string{"sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"}

// SparseCategoricalCrossentropy is -log p[label] for Labels and an output of one column per class.
func SparseCategoricalCrossentropy(opts ...LossOption) Loss { return newCrossentropy(sparseForm, opts) }

// CategoricalCrossentropy is -sum t log p for targets of one probability per class.
func CategoricalCrossentropy(opts ...LossOption) Loss { return newCrossentropy(softForm, opts) }

// BinaryCrossentropy is the mean over the columns of -t log p - (1-t) log(1-p).
func BinaryCrossentropy(opts ...LossOption) Loss { return newCrossentropy(binaryForm, opts) }

func newCrossentropy(form crossentropyForm, opts []LossOption) *crossentropy {
	c := &crossentropy{form: form}
	for i, o := range opts {
		if o == nil {
			c.err = errNilOption(i)
			continue
		}
		o.applyLoss(c)
	}
	return c
}

func (c *crossentropy) Name() string       { return crossentropyNames[c.form] }
func (c *crossentropy) sparse() bool       { return c.form == sparseForm }
func (c *crossentropy) probability() bool  { return true }
func (c *crossentropy) config() lossConfig { return lossConfig{Name: c.Name(), FromLogits: c.logits} }

func (c *crossentropy) threshold() float32 {
	if c.logits {
		return 0 // where the sigmoid is 0.5
	}
	return 0.5
}

func (c *crossentropy) check(width int) error {
	if c.err != nil {
		return fmt.Errorf("loss %s: %w", c.Name(), c.err)
	}
	if c.form != binaryForm && width < 2 {
		return fmt.Errorf("loss %s needs an output of at least 2 columns, this one has %d", c.Name(), width)
	}
	return nil
}

func (c *crossentropy) fits(out *Node) error {
	a, known := lastActivation(out)
	probabilities := a == Softmax || a == Sigmoid
	switch {
	case !known:
	case c.logits && probabilities:
		return fmt.Errorf("loss %s with FromLogits applies a softmax or sigmoid, the output has %s already: leave out one of them", c.Name(), a)
	case !c.logits && !probabilities:
		return fmt.Errorf("loss %s needs probabilities, the output ends in %s: end it in %s, or give the loss FromLogits", c.Name(), a, c.activation())
	}
	return fitsActivation(out)
}

// activation is the one that the loss belongs to.
func (c *crossentropy) activation() ActivationKind {
	if c.form == binaryForm {
		return Sigmoid
	}
	return Softmax
}

// fitsActivation reports a softmax of single numbers.
func fitsActivation(out *Node) error {
	if a, known := lastActivation(out); known && a == Softmax && out.features() == 1 {
		return errors.New("a softmax of one column is always 1: use Sigmoid")
	}
	return nil
}

// lastActivation returns the activation that the values of n come from, if it is one.
func lastActivation(n *Node) (a ActivationKind, known bool) {
	for {
		switch k := n.layer.kind.(type) {
		case activated:
			return k.activation(), true
		case *flatten, *reshape, *dropout:
			n = n.in[0]
		default:
			return 0, false
		}
	}
}

func (c *crossentropy) fuses(a ActivationKind) bool {
	return !c.logits && a == c.activation()
}

func (c *crossentropy) forward(t *autograd.Tape, out *autograd.Tensor, y target, weights []float32, logits bool) (loss, pred *autograd.Tensor) {
	pred = out
	if logits || c.logits {
		var probs *autograd.Tensor
		switch c.form {
		case sparseForm:
			loss, probs = t.SoftmaxCrossEntropy(out, y.labels, weights)
		case softForm:
			loss, probs = t.SoftCrossEntropy(out, y.values, weights)
		case binaryForm:
			loss, probs = t.BinaryCrossEntropy(out, y.values, weights)
		}
		if logits {
			pred = probs
		}
		return loss, pred
	}
	switch c.form {
	case sparseForm:
		loss = t.ClippedCrossEntropy(out, y.labels, weights)
	case softForm:
		loss = t.ClippedSoftCrossEntropy(out, y.values, weights)
	case binaryForm:
		loss = t.ClippedBinaryCrossEntropy(out, y.values, weights)
	}
	return loss, pred
}

// lossConfig is a loss as a model file has it.
type lossConfig struct {
	Name       string `json:"name"`
	FromLogits bool   `json:"from_logits,omitempty"`
}

func (c lossConfig) loss() (Loss, error) {
	switch c.Name {
	case "mse":
		return MSE(), nil
	case "mae":
		return MAE(), nil
	}
	for form, name := range crossentropyNames {
		if c.Name == name {
			return &crossentropy{form: crossentropyForm(form), logits: c.FromLogits}, nil
		}
	}
	return nil, fmt.Errorf("unknown loss %q: valid are %q", c.Name, append([]string{"mse", "mae"}, crossentropyNames[:]...))
}
