package nn

import (
	"cmp"
	"fmt"

	"github.com/espalier-ml/espalier/internal/portable"
	"github.com/espalier-ml/espalier/kernels"
)

type (
	accuracy       struct{}
	binaryAccuracy struct {
		named
		rising
		Threshold float64 `json:"threshold"`
	}
	categoricalAccuracy struct {
		named
		rising
	}
	sparseAccuracy struct {
		named
		rising
	}
	topKAccuracy struct {
		named
		rising
		K int `json:"k"`
	}
	sparseTopKAccuracy struct {
		named
		rising
		K             int  `json:"k"`
		FromSortedIDs bool `json:"from_sorted_ids"`
	}
)

func newBinaryAccuracy() binaryAccuracy {
	return binaryAccuracy{named: named{LogName: "binary_accuracy"}, Threshold: 0.5}
}

func newTopKAccuracy(k int) topKAccuracy {
	return topKAccuracy{named: named{LogName: "top_k_categorical_accuracy"}, K: k}
}

func newSparseTopKAccuracy(k int) sparseTopKAccuracy {
	return sparseTopKAccuracy{named: named{LogName: "sparse_top_k_categorical_accuracy"}, K: k}
}

func init() {
	Register("accuracy", accuracy{})
	Register("Accuracy", newMean[equalRows]("accuracy"))
	Register("BinaryAccuracy", newBinaryAccuracy())
	Register("CategoricalAccuracy", categoricalAccuracy{named: named{LogName: "categorical_accuracy"}})
	Register("SparseCategoricalAccuracy", sparseAccuracy{named: named{LogName: "sparse_categorical_accuracy"}})
	Register("TopKCategoricalAccuracy", newTopKAccuracy(5))
	Register("SparseTopKCategoricalAccuracy", newSparseTopKAccuracy(5))
}

// Accuracy is the share of right rows. An output p of one column says 1 if p > 0.5, or if p > 0 where the loss takes
// logits, and 0 otherwise; it is right if that is the target. One of several columns is right if its first maximum is at
// the label, or where the target has its first maximum.
func Accuracy() Metric { return accuracy{} }

// EqualAccuracy measures how many columns equal their targets: Keras' class Accuracy, which [Accuracy], Keras' "accuracy", is
// not. Its log is called "accuracy", too.
func EqualAccuracy(opts ...MetricOption) Metric { return meanMetricOf[equalRows]("accuracy", opts) }

// BinaryAccuracy measures how many columns are right: above the [Threshold], which is 0.5 unless there is that option, if the
// target is 1, and not above it if the target is 0. Where the loss takes logits, outputs are their sigmoids.
func BinaryAccuracy(opts ...MetricOption) Metric {
	m := newBinaryAccuracy()
	return configured(&m, opts)
}

// CategoricalAccuracy measures how many rows have their first maximum at the label, or where the target has its first maximum.
func CategoricalAccuracy(opts ...MetricOption) Metric {
	return configured(&categoricalAccuracy{named: named{LogName: "categorical_accuracy"}}, opts)
}

// SparseCategoricalAccuracy measures how many rows have their first maximum at the label.
func SparseCategoricalAccuracy(opts ...MetricOption) Metric {
	return configured(&sparseAccuracy{named: named{LogName: "sparse_categorical_accuracy"}}, opts)
}

// TopKCategoricalAccuracy measures how many rows have fewer than k columns above that of the label, or of the target's first
// maximum. Keras' k is 5 unless it is told.
func TopKCategoricalAccuracy(k int, opts ...MetricOption) Metric {
	m := newTopKAccuracy(k)
	return configured(&m, opts)
}

// SparseTopKCategoricalAccuracy measures how many rows have fewer than k columns above that of the label. Keras' k is 5 unless
// it is told.
func SparseTopKCategoricalAccuracy(k int, opts ...MetricOption) Metric {
	m := newSparseTopKAccuracy(k)
	return configured(&m, opts)
}

func (accuracy) Name() string { return "accuracy" }

func (accuracy) Start(out Output) (Meter, error) {
	threshold := float32(0.5)
	if out.Logits {
		threshold = 0 // where the sigmoid is 0.5
	}
	return countRows(func(p []float32, y Target, i int) bool {
		if y.Labels == nil && len(p) == 1 {
			class := float32(0)
			if p[0] > threshold {
				class = 1
			}
			return class == y.Values.Row(i)[0]
		}
		return isArgmax(p, classAt(y, i))
	}), nil
}

// equalRows are how many columns are equal.
type equalRows struct{ rising }

func (equalRows) row(p, t []float32) float64 {
	equal := 0
	for j := range p {
		if p[j] == t[j] {
			equal++
		}
	}
	return float64(equal) / float64(len(p))
}

func (m *binaryAccuracy) setThresholds(t []float64) error { return setOne(&m.Threshold, t) }

func (m *binaryAccuracy) Start(out Output) (Meter, error) {
	if err := cmp.Or(m.check(), needFloats(out)); err != nil {
		return nil, err
	}
	threshold := cutoff(m.Threshold, out.Logits)
	return &rowMeter{of: func(values []float64, out kernels.Matrix, y Target) {
		for i := range values {
			right, t := 0, y.Values.Row(i)
			for j, p := range out.Row(i) {
				class := float32(0)
				if p > threshold {
					class = 1
				}
				if class == t[j] {
					right++
				}
			}
			values[i] = float64(right) / float64(out.Cols)
		}
	}}, nil
}

// cutoff returns where an output of logits or probabilities passes a threshold of probabilities.
func cutoff(threshold float64, logits bool) float32 {
	if logits {
		threshold = portable.Log(threshold / (1 - threshold))
	}
	return float32(threshold)
}

func (m *categoricalAccuracy) Start(Output) (Meter, error) {
	return countRows(func(p []float32, y Target, i int) bool { return isArgmax(p, classAt(y, i)) }), m.check()
}

func (m *sparseAccuracy) Start(out Output) (Meter, error) {
	return countRows(func(p []float32, y Target, i int) bool { return isArgmax(p, classAt(y, i)) }), cmp.Or(m.check(), needLabels(out))
}

func (m *topKAccuracy) Start(Output) (Meter, error) {
	return countRows(func(p []float32, y Target, i int) bool { return isTop(p, classAt(y, i), m.K) }), cmp.Or(m.check(), checkTop(m.K))
}

func (m *sparseTopKAccuracy) Start(out Output) (Meter, error) {
	return countRows(func(p []float32, y Target, i int) bool {
		label := classAt(y, i)
		if !m.FromSortedIDs {
			return isTop(p, label, m.K)
		}
		for _, id := range p[:min(m.K, len(p))] {
			if id == float32(label) {
				return true
			}
		}
		return false
	}), cmp.Or(m.check(), needLabels(out), checkTop(m.K))
}

func checkTop(k int) error {
	if k < 1 {
		return fmt.Errorf("k is %d, must be at least 1", k)
	}
	return nil
}

// countRows returns a meter of the share of right rows.
func countRows(right func(p []float32, y Target, i int) bool) *rowMeter {
	return &rowMeter{of: func(values []float64, out kernels.Matrix, y Target) {
		for i := range values {
			if values[i] = 0; right(out.Row(i), y, i) {
				values[i] = 1
			}
		}
	}}
}

// classAt returns the class of row i: its label, or where the target has its first maximum.
func classAt(y Target, i int) int {
	if y.Labels != nil {
		return int(y.Labels[i])
	}
	return argmax(y.Values.Row(i))
}

// isTop reports whether fewer than k values lie above the one at i. No value lies at a class that the output does not have.
func isTop(v []float32, i, k int) bool {
	if i < 0 || i >= len(v) {
		return false
	}
	x, above := v[i], 0
	for _, o := range v {
		if o > x {
			above++
		}
	}
	return above < k && x == x
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
