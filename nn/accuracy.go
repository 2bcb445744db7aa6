package nn

import "github.com/espalier-ml/espalier/kernels"

type accuracy struct{}

func init() { Register("accuracy", accuracy{}) }

// Accuracy is the share of right rows. An output p of one column says 1 if p > 0.5, or if p > 0 where the loss takes
// logits, and 0 otherwise; it is right if that is the target. One of several columns is right if its first maximum is at
// the label, or where the target has its first maximum.
func Accuracy() Metric { return accuracy{} }

func (accuracy) Name() string { return "accuracy" }

func (accuracy) Start(out Output) (Meter, error) {
	threshold := float32(0.5)
	if out.Logits {
		threshold = 0 // where the sigmoid is 0.5
	}
	return &rowMeter{of: func(values []float64, out kernels.Matrix, y Target) {
		for i := range values {
			p, right := out.Row(i), false
			switch {
			case y.Labels != nil:
				right = isArgmax(p, int(y.Labels[i]))
			case len(p) == 1:
				class := float32(0)
				if p[0] > threshold {
					class = 1
				}
				right = class == y.Values.Row(i)[0]
			default:
				right = isArgmax(p, argmax(y.Values.Row(i)))
			}
			if values[i] = 0; right {
				values[i] = 1
			}
		}
	}}, nil
}

// isArgmax reports whether v has its first maximum at i, which may be the label that a loss ignores. It mostly ends at the
// first value that says no.
func isArgmax(v []float32, i int) bool {
	if uint(i) >= uint(len(v)) {
		return false
	}
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
