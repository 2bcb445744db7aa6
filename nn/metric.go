package nn

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// A Metric measures one output. Its value over an epoch is the mean over the rows; sample weights do not count.
type Metric interface {
	// Name returns Keras' name of the metric as logs have it, such as "accuracy".
	Name() string

	// serves reports an output that the metric cannot measure.
	serves(h *head) error
	// sum returns the sum over the rows of the metric of a row.
	sum(h *head, pred kernels.Matrix, y target) float64
}

type accuracy struct{}

// Accuracy is the share of right rows. An output p of one column says 1 if p > 0.5, or if p > 0 where the loss takes
// logits, and 0 otherwise; it is right if that is the target. One of several columns is right if its first maximum is at
// the label, or where the target has its first maximum.
func Accuracy() Metric { return accuracy{} }

func (accuracy) Name() string       { return "accuracy" }
func (accuracy) serves(*head) error { return nil }

func (accuracy) sum(h *head, pred kernels.Matrix, y target) float64 {
	right, threshold := 0, h.loss.threshold()
	for i := range pred.Rows {
		p := pred.Row(i)
		var ok bool
		switch {
		case y.labels != nil:
			ok = isArgmax(p, int(y.labels[i]))
		case len(p) == 1:
			class := float32(0)
			if p[0] > threshold {
				class = 1
			}
			ok = class == y.values.Row(i)[0]
		default:
			ok = isArgmax(p, argmax(y.values.Row(i)))
		}
		if ok {
			right++
		}
	}
	return float64(right)
}

// isArgmax reports whether v has its first maximum at i. It mostly ends at the first value that says no.
func isArgmax(v []float32, i int) bool {
	x := v[i]
	for _, o := range v[i+1:] {
		if o > x {
			return false
		}
	}
	for _, o := range v[:i] {
		if o >= x {
			return false
		}
	}
	return true
}

func argmax(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// metricNamed returns the metric that a model file names.
func metricNamed(name string) (Metric, error) {
	all := []Metric{Accuracy(), MSE(), MAE()}
	valid := make([]string, len(all))
	for i, m := range all {
		if m.Name() == name {
			return m, nil
		}
		valid[i] = m.Name()
	}
	return nil, fmt.Errorf("unknown metric %q: valid are %q", name, valid)
}
