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
			if values[i] = 0; isRight(out.Row(i), y, i, threshold) {
				values[i] = 1
			}
		}
	}}, nil
}

// isRight reports whether the output p of a row says what its target is.
func isRight(p []float32, y Target, row int, threshold float32) bool {
	switch {
	case y.Labels != nil:
		return isArgmax(p, int(y.Labels[row]))
	case len(p) == 1:
		class := float32(0)
		if p[0] > threshold {
			class = 1
		}
		return class == y.Values.Row(row)[0]
	}
	return isArgmax(p, argmax(y.Values.Row(row)))
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
