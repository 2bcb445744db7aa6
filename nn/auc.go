package nn

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// An auc has the fields of Keras' AUC.
type auc struct {
	Thresholds      int    `json:"num_thresholds"`
	Curve           string `json:"curve"`
	SummationMethod string `json:"summation_method"`
	MultiLabel      bool   `json:"multi_label"`
	LogName         string `json:"name"`
	err             error  // of an option
}

const (
	roc, precisionRecall              = "ROC", "PR"
	interpolation, minoring, majoring = "interpolation", "minoring", "majoring"

	maxThresholds = 1 << 20 // of all areas: their counts take 16 MB
)

var usualAUC = auc{Thresholds: 200, Curve: roc, SummationMethod: interpolation, LogName: "auc"}

func init() { Register("AUC", usualAUC) }

// An AUCOption configures [AUC].
type AUCOption interface{ applyAUC(*auc) }

// A ThresholdsOption is what Thresholds returns.
type ThresholdsOption int

// Thresholds sets how many thresholds an [AUC] has, spread evenly from 0 to 1; the default is 200.
func Thresholds(n int) ThresholdsOption { return ThresholdsOption(n) }

func (o ThresholdsOption) applyAUC(a *auc) { a.Thresholds = int(o) }

// A CurveOption is what Curve returns.
type CurveOption string

// Curve chooses the curve of an [AUC]: "ROC", the default, is the true positive rate over the false positive rate, and "PR"
// the precision over the recall.
func Curve(name string) CurveOption { return CurveOption(name) }

func (o CurveOption) applyAUC(a *auc) { a.Curve = string(o) }

// A SummationMethodOption is what SummationMethod returns.
type SummationMethodOption string

// SummationMethod chooses how high the curve of an [AUC] is between two thresholds. "interpolation", the default, draws a
// straight line, and for "PR" lets true and false positives grow evenly, which makes a bent one (Davis and Goadrich, "The
// Relationship Between Precision-Recall and ROC Curves", 2006, section 4). "minoring" takes the lower end, "majoring" the
// higher one.
func SummationMethod(name string) SummationMethodOption { return SummationMethodOption(name) }

func (o SummationMethodOption) applyAUC(a *auc) { a.SummationMethod = string(o) }

// A MultiLabelOption is what MultiLabel returns.
type MultiLabelOption struct{}

// MultiLabel gives each column of the output an [AUC] of its own, of which the metric is the mean.
func MultiLabel() MultiLabelOption { return MultiLabelOption{} }

func (MultiLabelOption) applyAUC(a *auc) { a.MultiLabel = true }

func (o NameOption) applyAUC(a *auc) { a.LogName = string(o) }

// AUC is the area under the ROC curve, or another [Curve], of an output that tells positives from negatives: the chance that
// a positive has the higher output of the two, where those that no threshold separates count half. It is computed as
// keras.metrics.AUC does it. Targets other than 0 are positive. Outputs below 0 count as 0 and those above 1 as 1; where the
// loss takes logits, outputs are their sigmoids. The columns of an output are counted together unless there is [MultiLabel].
//
// The area of a ROC curve is 0 if all targets are of one kind, and that of a PR curve if all are negative. Its log is called
// "auc", or what the option [Name] says: an output with two of them needs that.
func AUC(opts ...AUCOption) Metric {
	a := usualAUC
	for i, o := range opts {
		if o == nil {
			a.err = errNilOption(i)
			continue
		}
		o.applyAUC(&a)
	}
	return &a
}

func (a *auc) Name() string { return a.LogName }

// Rises returns true.
func (a *auc) Rises() bool { return true }

func (a *auc) Start(out Output) (Meter, error) {
	areas := 1
	if a.MultiLabel {
		areas = max(1, out.Shape.Last())
	}
	curves, methods := []string{roc, precisionRecall}, []string{interpolation, minoring, majoring}
	switch {
	case a.err != nil:
		return nil, a.err
	case a.LogName == "" || len(a.LogName) > maxName || !utf8.ValidString(a.LogName):
		return nil, fmt.Errorf("the name %s: valid are 1 to %d bytes of UTF-8", brief.Quote(a.LogName), maxName)
	case a.Thresholds < 2 || a.Thresholds > maxThresholds/areas:
		return nil, fmt.Errorf("%d thresholds for each of %d curves: valid are at least 2, and at most %d for all of them", a.Thresholds, areas, maxThresholds)
	case !slices.Contains(curves, a.Curve):
		return nil, fmt.Errorf("unknown curve %s: valid are %q", brief.Quote(a.Curve), curves)
	case !slices.Contains(methods, a.SummationMethod):
		return nil, fmt.Errorf("unknown summation method %s: valid are %q", brief.Quote(a.SummationMethod), methods)
	case out.Targets == Classes:
		return nil, fmt.Errorf("needs targets that are Floats, 0 or 1 for each column, those of the output's loss are Labels: " +
			"end the output in one sigmoid, or in one for each of several labels, and train it with BinaryCrossentropy")
	}
	return &aucMeter{auc: a, logits: out.Logits}, nil
}

// An aucMeter counts, for each area, what lies between two neighbouring thresholds.
type aucMeter struct {
	*auc
	logits  bool
	buckets []counts // by area and lower threshold; made by the first Add, as Compile and Load only ask whether Start works
}

// counts are how much positives and negatives weigh.
type counts struct{ positives, negatives float64 }

func (c counts) all() float64 { return c.positives + c.negatives }

// A prediction is above a threshold if it is larger. The first threshold is a little below 0 and the last one, of which
// there is no bucket, a little above 1.
func (m *aucMeter) Add(out kernels.Matrix, y Target, rows []float32) {
	size := m.Thresholds - 1
	if m.buckets == nil {
		areas := 1
		if m.MultiLabel {
			areas = out.Cols
		}
		m.buckets = make([]counts, areas*size)
	}
	for i := range out.Rows {
		weight := 1.0
		if rows != nil {
			weight = float64(rows[i])
		}
		t := y.Values.Row(i)
		for j, p := range out.Row(i) {
			at := m.bucket(float64(p))
			if m.MultiLabel {
				at += j * size
			}
			if b := &m.buckets[at]; t[j] != 0 {
				b.positives += weight
			} else {
				b.negatives += weight
			}
		}
	}
}

// bucket returns the number of the last threshold below p. Threshold i is i/size, and p > i/size if p·size > i. The product
// is exact: p has the 24 bits of a float32 and size at most 20. Only a sigmoid has more.
func (m *aucMeter) bucket(p float64) int {
	if m.logits {
		p = 1 / (1 + math.Exp(-p))
	}
	size := m.Thresholds - 1
	switch {
	case !(p > 0):
		return 0
	case p >= 1:
		return size - 1
	}
	return int(math.Ceil(p*float64(size))) - 1
}

func (m *aucMeter) Value() float64 {
	size, sum := m.Thresholds-1, 0.0
	for from := 0; from < len(m.buckets); from += size {
		sum += m.area(m.buckets[from : from+size])
	}
	return sum / float64(len(m.buckets)/size)
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
	if m.Curve == precisionRecall {
		return recall, share(above.positives, above.all())
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
		grown += float64(start * math.Log(low.all()/high.all()))
	}
	return share(float64(slope*grown), all.positives)
}

// share returns part/whole, 0 if the whole is 0.
func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}
