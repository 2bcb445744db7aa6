package nn

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/portable"
	"github.com/espalier-ml/espalier/kernels"
)

// An auc has the fields of Keras' AUC, and one of its own.
type auc struct {
	named
	rising
	NumThresholds   int       `json:"num_thresholds"`
	Thresholds      levels    `json:"thresholds"` // instead
	Curve           string    `json:"curve"`
	SummationMethod string    `json:"summation_method"`
	MultiLabel      bool      `json:"multi_label"`
	NumLabels       *int      `json:"num_labels"`
	LabelWeights    []float64 `json:"label_weights"`
	FromLogits      bool      `json:"from_logits"`
	Exact           bool      `json:"exact"`
}

const (
	roc, precisionRecall, precisionRecallGain = "ROC", "PR", "PRGAIN"
	interpolation, minoring, majoring         = "interpolation", "minoring", "majoring"

	maxThresholds = 1 << 20 // of all areas: their counts take 16 MB
)

func usualAUC() auc {
	return auc{named: named{LogName: "auc"}, NumThresholds: 200, Curve: roc, SummationMethod: interpolation}
}

func init() { Register("AUC", usualAUC()) }

// A ThresholdsOption is what Thresholds returns.
type ThresholdsOption int

// Thresholds sets how many thresholds an [AUC] or a metric such as [SensitivityAtSpecificity] has, spread evenly from 0 to 1; the
// default is 200.
func Thresholds(n int) ThresholdsOption { return ThresholdsOption(n) }

func (o ThresholdsOption) applyMetric(m configurable) error {
	t, err := option[interface{ setCount(int) }](m, "Thresholds")
	if err == nil {
		t.setCount(int(o))
	}
	return err
}

// A CurveOption is what Curve returns.
type CurveOption string

// Curve chooses the curve of an [AUC]: "ROC", the default, is the true positive rate over the false positive rate, "PR" the
// precision over the recall, and "PRGAIN" the precision gain over the recall gain (Flach and Kull, "Precision-Recall-Gain
// Curves: PR Analysis Done Right", 2015).
func Curve(name string) CurveOption { return CurveOption(name) }

func (o CurveOption) applyMetric(m configurable) error {
	a, err := option[*auc](m, "Curve")
	if err == nil {
		a.Curve = string(o)
	}
	return err
}

// A SummationMethodOption is what SummationMethod returns.
type SummationMethodOption string

// SummationMethod chooses how high the curve of an [AUC] is between two thresholds. "interpolation", the default, draws a
// straight line, and for "PR" lets true and false positives grow evenly, which makes a bent one (Davis and Goadrich, "The
// Relationship Between Precision-Recall and ROC Curves", 2006, section 4). "minoring" takes the lower end, "majoring" the
// higher one.
func SummationMethod(name string) SummationMethodOption { return SummationMethodOption(name) }

func (o SummationMethodOption) applyMetric(m configurable) error {
	a, err := option[*auc](m, "SummationMethod")
	if err == nil {
		a.SummationMethod = string(o)
	}
	return err
}

// A MultiLabelOption is what MultiLabel returns.
type MultiLabelOption struct{}

// MultiLabel gives each column of the output an [AUC] of its own, of which the metric is the mean.
func MultiLabel() MultiLabelOption { return MultiLabelOption{} }

func (MultiLabelOption) applyMetric(m configurable) error {
	a, err := option[*auc](m, "MultiLabel")
	if err == nil {
		a.MultiLabel = true
	}
	return err
}

// A LabelWeightsOption is what LabelWeights returns.
type LabelWeightsOption []float64

// LabelWeights says how much each column of the output counts in an [AUC]: in the mean of the areas if there is [MultiLabel], and
// in the counts of positives and negatives otherwise.
func LabelWeights(weights ...float64) LabelWeightsOption { return slices.Clone(weights) }

func (o LabelWeightsOption) applyMetric(m configurable) error {
	a, err := option[*auc](m, "LabelWeights")
	if err == nil {
		a.LabelWeights = o
	}
	return err
}

// An ExactOption is what Exact returns.
type ExactOption struct{}

// Exact gives an [AUC] a threshold between any two outputs that differ, so that the area is that of all pairs, whatever range
// outputs have. Keras has no such option. The metric keeps all outputs of an epoch, at 12 bytes each, and sorts them at its end.
func Exact() ExactOption { return ExactOption{} }

func (ExactOption) applyMetric(m configurable) error {
	a, err := option[*auc](m, "Exact")
	if err == nil {
		a.Exact = true
	}
	return err
}

func (a *auc) setCount(n int) { a.NumThresholds = n }
func (a *auc) setFromLogits() { a.FromLogits = true }

func (a *auc) setThresholds(t []float64) error {
	a.Thresholds = t
	return nil
}

// AUC is the area under the ROC curve, or another [Curve], of an output that tells positives from negatives: the chance that
// a positive has the higher output of the two, where those that no threshold separates count half. It is computed as
// keras.metrics.AUC does it, or with [Exact] without Keras' thresholds. Targets other than 0 are positive. Outputs below 0
// count as 0 and those above 1 as 1; where the loss takes logits, or with [FromLogits], outputs are their sigmoids. The columns
// of an output are counted together unless there is [MultiLabel].
//
// The area of a ROC curve is 0 if all targets are of one kind, and that of a PR curve if all are negative. Its log is called
// "auc", or what the option [Name] says: an output with two of them needs that.
func AUC(opts ...MetricOption) Metric {
	a := usualAUC()
	return configured(&a, opts)
}

func (a *auc) Start(out Output) (Meter, error) {
	if err := cmp.Or(a.check(), a.Thresholds.check()); err != nil {
		return nil, err
	}
	columns, areas, thresholds := out.Shape.Last(), 1, a.NumThresholds
	if a.MultiLabel {
		areas = max(1, columns)
	}
	if len(a.Thresholds) > 0 {
		thresholds = len(a.Thresholds) + 2
	}
	curves, methods := []string{roc, precisionRecall, precisionRecallGain}, []string{interpolation, minoring, majoring}
	switch {
	case thresholds < 2 || thresholds > maxThresholds/areas:
		return nil, fmt.Errorf("%d thresholds for each of %d curves: valid are at least 2, and at most %d for all of them", thresholds, areas, maxThresholds)
	case !slices.Contains(curves, a.Curve):
		return nil, fmt.Errorf("unknown curve %s: valid are %q", brief.Quote(a.Curve), curves)
	case !slices.Contains(methods, a.SummationMethod):
		return nil, fmt.Errorf("unknown summation method %s: valid are %q", brief.Quote(a.SummationMethod), methods)
	case out.Targets == Classes:
		return nil, fmt.Errorf("needs targets that are Floats, 0 or 1 for each column, those of the output's loss are Labels: " +
			"end the output in one sigmoid, or in one for each of several labels, and train it with BinaryCrossentropy")
	case a.NumLabels != nil && (!a.MultiLabel || *a.NumLabels != columns):
		return nil, fmt.Errorf("has %d labels: valid are, with MultiLabel, the %d columns of the output", *a.NumLabels, columns)
	case len(a.LabelWeights) > 0 && len(a.LabelWeights) != columns:
		return nil, fmt.Errorf("has %d label weights for %d columns", len(a.LabelWeights), columns)
	case slices.ContainsFunc(a.LabelWeights, func(w float64) bool { return !(w >= 0 && w <= math.MaxFloat32) }):
		return nil, fmt.Errorf("label weights %v must be finite and not negative", a.LabelWeights)
	}
	m := &aucMeter{auc: a, logits: a.FromLogits || out.Logits, size: thresholds - 1}
	for _, t := range a.Thresholds {
		m.inner = append(m.inner, float32(t))
	}
	slices.Sort(m.inner)
	if a.Exact {
		return &exactMeter{aucMeter: m}, nil
	}
	return m, nil
}

// An aucMeter counts, for each area, what lies between two neighbouring thresholds.
type aucMeter struct {
	*auc
	logits  bool
	size    int       // buckets of an area: one less than its thresholds
	inner   []float32 // the thresholds but the first and the last one; nil: spread evenly
	buckets []counts  // by area and lower threshold; made by the first Add, as Compile and Load only ask whether Start works
}

// counts are how much positives and negatives weigh.
type counts struct{ positives, negatives float64 }

func (c counts) all() float64 { return c.positives + c.negatives }

func (c *counts) add(positive bool, weight float64) {
	if positive {
		c.positives += weight
	} else {
		c.negatives += weight
	}
}

// A prediction is above a threshold if it is larger. The first threshold is a little below 0 and the last one, of which
// there is no bucket, a little above 1.
func (m *aucMeter) Add(out kernels.Matrix, y Target, rows []float32) {
	if m.buckets == nil {
		m.buckets = make([]counts, m.areas(out.Cols)*m.size)
	}
	for i := range out.Rows {
		row, t := weightOf(rows, i), y.Values.Row(i)
		for j, p := range out.Row(i) {
			at, weight := m.bucket(float64(p)), float64(row*m.columnWeight(j))
			if m.MultiLabel {
				at += j * m.size
			}
			m.buckets[at].add(t[j] != 0, weight)
		}
	}
}

// areas returns how many areas an output has.
func (m *aucMeter) areas(columns int) int {
	if m.MultiLabel {
		return columns
	}
	return 1
}

// columnWeight returns how much a column weighs in the counts.
func (m *aucMeter) columnWeight(j int) float64 {
	if m.MultiLabel || len(m.LabelWeights) == 0 {
		return 1
	}
	return m.LabelWeights[j]
}

// bucket returns the number of the last threshold below p. Threshold i is i/size, and p > i/size if p·size > i. The product
// is exact: p has the 24 bits of a float32 and size at most 20. Only a sigmoid has more.
func (m *aucMeter) bucket(p float64) int {
	if m.logits {
		p = portable.Sigmoid(p)
	}
	switch {
	case !(p > 0):
		return 0
	case m.inner != nil:
		i, _ := slices.BinarySearchFunc(m.inner, p, func(t float32, p float64) int { return cmp.Compare(float64(t), p) })
		return i
	case p >= 1:
		return m.size - 1
	}
	return int(math.Ceil(p*float64(m.size))) - 1
}

func (m *aucMeter) Value() float64 {
	sum, all := 0.0, 0.0
	for from := 0; from < len(m.buckets); from += m.size {
		weight := m.areaWeight(from / m.size)
		sum += float64(weight * m.area(m.buckets[from:from+m.size]))
		all += weight
	}
	return share(sum, all)
}

// areaWeight returns how much an area weighs in their mean.
func (m *aucMeter) areaWeight(i int) float64 {
	if !m.MultiLabel || len(m.LabelWeights) == 0 {
		return 1
	}
	return m.LabelWeights[i]
}

func (m *aucMeter) Reset() { clear(m.buckets) }

// area adds up the strips between neighbouring thresholds, from the highest one down.
func (m *aucMeter) area(buckets []counts) float64 {
	var all, high counts
	for _, b := range slices.Backward(buckets) {
		all.positives += b.positives
		all.negatives += b.negatives
	}
	area := 0.0
	for _, b := range slices.Backward(buckets) {
		low := counts{high.positives + b.positives, high.negatives + b.negatives}
		area += m.strip(low, high, all)
		high = low
	}
	return area
}

// strip returns the area between two thresholds, above which there are low and high of all.
func (m *aucMeter) strip(low, high, all counts) float64 {
	if m.Curve == precisionRecall && m.SummationMethod == interpolation {
		return interpolated(low, high, all)
	}
	x1, y1 := m.point(low, all)
	x0, y0 := m.point(high, all)
	switch m.SummationMethod {
	case minoring:
		return float64((x1 - x0) * min(y0, y1))
	case majoring:
		return float64((x1 - x0) * max(y0, y1))
	}
	return float64((x1 - x0) * (y0 + y1) / 2)
}

// point returns the point of the curve at a threshold.
func (m *aucMeter) point(above, all counts) (x, y float64) {
	recall := share(above.positives, all.positives)
	switch m.Curve {
	case precisionRecall:
		return recall, share(above.positives, above.all())
	case precisionRecallGain:
		if above.positives == 0 {
			return 0, 1
		}
		odds := share(all.positives, all.negatives)
		return max(0, 1-float64(odds*(all.positives-above.positives)/above.positives)), 1 - float64(odds*above.negatives/above.positives)
	}
	return share(above.negatives, all.negatives), recall
}

// interpolated is the integral of the precision over the recall while the positives grow by slope for each row that is told
// to be one: the precision after n rows is (start + slope·n) / n.
func interpolated(low, high, all counts) float64 {
	grown := low.positives - high.positives
	slope := share(grown, low.all()-high.all())
	start := high.positives - float64(slope*high.all())
	if high.all() > 0 {
		grown += float64(start * portable.Log(low.all()/high.all()))
	}
	return share(float64(slope*grown), all.positives)
}

// An exactMeter is an aucMeter of a bucket for each output that there is.
type exactMeter struct {
	*aucMeter
	scores  [][]scored // by area
	buckets []counts   // of one area
}

// A scored is an output, and what it should be.
type scored struct {
	score, weight float32
	positive      bool
}

func (m *exactMeter) Add(out kernels.Matrix, y Target, rows []float32) {
	if m.scores == nil {
		m.scores = make([][]scored, m.areas(out.Cols))
	}
	for i := range out.Rows {
		row := weightOf(rows, i)
		if row == 0 {
			continue
		}
		t := y.Values.Row(i)
		for j, p := range out.Row(i) {
			area := &m.scores[j%len(m.scores)]
			*area = append(*area, scored{p, float32(row * m.columnWeight(j)), t[j] != 0})
		}
	}
}

func (m *exactMeter) Value() float64 {
	sum, all := 0.0, 0.0
	for i, scores := range m.scores {
		slices.SortFunc(scores, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
		m.buckets = m.buckets[:0]
		for k, s := range scores {
			if k == 0 || s.score != scores[k-1].score {
				m.buckets = append(m.buckets, counts{})
			}
			m.buckets[len(m.buckets)-1].add(s.positive, float64(s.weight))
		}
		weight := m.areaWeight(i)
		sum += float64(weight * m.area(m.buckets))
		all += weight
	}
	return share(sum, all)
}

func (m *exactMeter) Reset() {
	for i := range m.scores {
		m.scores[i] = m.scores[i][:0]
	}
}
