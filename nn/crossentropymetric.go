package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
	"github.com/espalier-ml/espalier/kernels"
)

// A crossentropyMetric is what the metrics of all cross-entropies have.
type crossentropyMetric struct {
	named
	FromLogits bool `json:"from_logits"`
}

func (c *crossentropyMetric) setFromLogits() { c.FromLogits = true }

// applyMetric tells a metric that outputs are logits. Where the output's loss says so, it knows that by itself.
func (FromLogitsOption) applyMetric(m configurable) error {
	t, err := option[interface{ setFromLogits() }](m, "FromLogits")
	if err == nil {
		t.setFromLogits()
	}
	return err
}

// applyMetric smooths the targets of a metric, as of the loss.
func (s LabelSmoothingOption) applyMetric(m configurable) error {
	t, err := option[interface{ setSmoothing(float64) }](m, "LabelSmoothing")
	if err == nil {
		t.setSmoothing(float64(s))
	}
	return err
}

// applyMetric leaves out what has the class as its target.
func (o IgnoreClassOption) applyMetric(m configurable) error {
	t, err := option[interface{ setIgnore(int) }](m, "IgnoreClass")
	if err == nil {
		t.setIgnore(int(o))
	}
	return err
}

type (
	binaryCrossentropyMetric struct {
		crossentropyMetric
		Smoothing float64 `json:"label_smoothing"`
	}
	categoricalCrossentropyMetric struct {
		crossentropyMetric
		Smoothing float64 `json:"label_smoothing"`
		Axis      int     `json:"axis"`
	}
	sparseCrossentropyMetric struct {
		crossentropyMetric
		IgnoreClass *int `json:"ignore_class"`
		Axis        int  `json:"axis"`
	}
)

func (m *binaryCrossentropyMetric) setSmoothing(s float64)      { m.Smoothing = s }
func (m *categoricalCrossentropyMetric) setSmoothing(s float64) { m.Smoothing = s }
func (m *sparseCrossentropyMetric) setIgnore(id int)            { m.IgnoreClass = &id }

func newBinaryCrossentropyMetric() (m binaryCrossentropyMetric) {
	m.LogName = "binary_crossentropy"
	return m
}

func newCategoricalCrossentropyMetric() (m categoricalCrossentropyMetric) {
	m.LogName, m.Axis = "categorical_crossentropy", -1
	return m
}

func newSparseCrossentropyMetric() (m sparseCrossentropyMetric) {
	m.LogName, m.Axis = "sparse_categorical_crossentropy", -1
	return m
}

func init() {
	Register("BinaryCrossentropy", newBinaryCrossentropyMetric())
	Register("CategoricalCrossentropy", newCategoricalCrossentropyMetric())
	Register("SparseCategoricalCrossentropy", newSparseCrossentropyMetric())
}

// BinaryCrossentropyMetric measures the mean over the columns of -t log p - (1-t) log(1-p), with p clipped to [1e-7, 1-1e-7].
// Where the loss takes logits, or with [FromLogits], it is computed from these without the clip. It may have [LabelSmoothing].
func BinaryCrossentropyMetric(opts ...MetricOption) Metric {
	m := newBinaryCrossentropyMetric()
	return configured(&m, opts)
}

// CategoricalCrossentropyMetric measures -sum t log p, with p divided by the row's sum and clipped to [1e-7, 1-1e-7]. Where the
// loss takes logits, or with [FromLogits], it is computed from these without the clip. It may have [LabelSmoothing].
func CategoricalCrossentropyMetric(opts ...MetricOption) Metric {
	m := newCategoricalCrossentropyMetric()
	return configured(&m, opts)
}

// SparseCategoricalCrossentropyMetric measures -log p[label], with p as in [CategoricalCrossentropyMetric]. Rows of an
// [IgnoreClass] are 0; where rows have weights, they are left out.
func SparseCategoricalCrossentropyMetric(opts ...MetricOption) Metric {
	m := newSparseCrossentropyMetric()
	return configured(&m, opts)
}

// Keras clips in float32, whose number next to 1-1e-7 is 1-2⁻²³.
var clipLow, clipHigh = float64(float32(1e-7)), float64(float32(1 - 1e-7))

func clipChance(p float64) float64 { return min(max(p, clipLow), clipHigh) }

func (m *binaryCrossentropyMetric) Start(out Output) (Meter, error) {
	if err := cmp.Or(m.check(), needFloats(out), checkSmoothing(m.Smoothing)); err != nil {
		return nil, err
	}
	logits := m.FromLogits || out.Logits
	return &rowMeter{of: func(values []float64, out kernels.Matrix, y Target) {
		for i := range values {
			sum, t := 0.0, y.Values.Row(i)
			for j, x := range out.Row(i) {
				x, t := float64(x), smoothed(t[j], m.Smoothing, 2)
				if logits {
					sum += portable.Softplus(x) - float64(x*t)
				} else {
					p := clipChance(x)
					sum -= float64(t*portable.Log(p)) + float64((1-t)*portable.Log(1-p))
				}
			}
			values[i] = sum / float64(out.Cols)
		}
	}}, nil
}

func (m *categoricalCrossentropyMetric) Start(out Output) (Meter, error) {
	if err := cmp.Or(m.check(), needFloats(out), checkSmoothing(m.Smoothing), checkColumnAxis(m.Axis)); err != nil {
		return nil, err
	}
	logits := m.FromLogits || out.Logits
	return &rowMeter{of: func(values []float64, out kernels.Matrix, y Target) {
		for i := range values {
			sum, row, t := 0.0, out.Row(i), y.Values.Row(i)
			scale := rowScale(row, logits)
			for j, x := range row {
				sum -= float64(smoothed(t[j], m.Smoothing, len(row)) * logChance(x, scale, logits))
			}
			values[i] = sum
		}
	}}, nil
}

func (m *sparseCrossentropyMetric) Start(out Output) (Meter, error) {
	if err := cmp.Or(m.check(), needLabels(out), checkColumnAxis(m.Axis)); err != nil {
		return nil, err
	}
	logits := m.FromLogits || out.Logits
	of := func(values []float64, out kernels.Matrix, y Target) {
		for i := range values {
			row, label := out.Row(i), y.Labels[i]
			if values[i] = 0; !m.ignores(label) && label >= 0 && int(label) < len(row) {
				values[i] = -logChance(row[label], rowScale(row, logits), logits)
			}
		}
	}
	return &ignoringMeter{rowMeter: rowMeter{of: of}, ignores: m.ignores}, nil
}

func (m *sparseCrossentropyMetric) ignores(label int32) bool {
	return m.IgnoreClass != nil && int(label) == *m.IgnoreClass
}

// An ignoringMeter leaves out rows of one label. As in Keras, they count as rows of loss 0 where there are no weights.
type ignoringMeter struct {
	rowMeter
	ignores func(label int32) bool
	rows    []float32
}

func (m *ignoringMeter) Add(out kernels.Matrix, y Target, rows []float32) {
	if rows != nil {
		m.rows = append(m.rows[:0], rows...)
		for i, label := range y.Labels {
			if m.ignores(label) {
				m.rows[i] = 0
			}
		}
		rows = m.rows
	}
	m.rowMeter.Add(out, y, rows)
}

// rowScale returns the sum of a row of probabilities, or the logarithm of the sum of the exponentials of logits.
func rowScale(row []float32, logits bool) float64 {
	sum := 0.0
	if !logits {
		for _, p := range row {
			sum += float64(p)
		}
		return sum
	}
	largest := math.Inf(-1)
	for _, x := range row {
		largest = max(largest, float64(x))
	}
	for _, x := range row {
		sum += portable.Exp(float64(x) - largest)
	}
	return largest + portable.Log(sum)
}

// logChance returns the logarithm of the probability that x, of a row of the given rowScale, stands for.
func logChance(x float32, scale float64, logits bool) float64 {
	if logits {
		return float64(x) - scale
	}
	return portable.Log(clipChance(float64(x) / scale))
}

// smoothed moves a part of a target evenly to all classes.
func smoothed(t float32, part float64, classes int) float64 {
	return float64(float64(t)*(1-part)) + part/float64(classes)
}

func checkSmoothing(part float64) error {
	if !(part >= 0 && part <= 1) {
		return fmt.Errorf("label smoothing %v is not in [0, 1]", part)
	}
	return nil
}
