package nn

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
	return &rowMeter{of: func(p []float32, y Target, row int) float64 {
		var right bool
		switch {
		case y.Labels != nil:
			right = isArgmax(p, int(y.Labels[row]))
		case len(p) == 1:
			class := float32(0)
			if p[0] > threshold {
				class = 1
			}
			right = class == y.Values.Row(row)[0]
		default:
			right = isArgmax(p, argmax(y.Values.Row(row)))
		}
		if right {
			return 1
		}
		return 0
	}}, nil
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
