package nn

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
)

// A confusion is how much the rows weigh that are positive or negative, by whether they were told to be.
type confusion struct{ truePositives, falsePositives, trueNegatives, falseNegatives float64 }

func (c confusion) precision() float64 {
	return share(c.truePositives, c.truePositives+c.falsePositives)
}
func (c confusion) recall() float64 { return share(c.truePositives, c.truePositives+c.falseNegatives) }
func (c confusion) specificity() float64 {
	return share(c.trueNegatives, c.trueNegatives+c.falsePositives)
}

// confusionOf returns the confusion at a threshold: what lies above it, of all.
func confusionOf(above, all counts) confusion {
	return confusion{above.positives, above.negatives, all.negatives - above.negatives, all.positives - above.positives}
}

// A thresholdCounter counts positives and negatives by how many thresholds lie below an output.
type thresholdCounter struct {
	thresholds []float32 // ascending
	column     int       // the only one that counts; -1: all of them
	top        int       // only so many of the largest of a row can be positive; 0: all of them
	buckets    []counts  // by thresholds; made by the first Add, as Compile and Load only ask whether Start works
	sorted     []float32 // a row, for top
}

func (c *thresholdCounter) Add(out kernels.Matrix, y Target, rows []float32) {
	if c.buckets == nil {
		c.buckets = make([]counts, len(c.thresholds)+1)
	}
	from, to := 0, out.Cols
	if c.column >= 0 {
		from, to = c.column, c.column+1
	}
	for i := range out.Rows {
		weight, row := weightOf(rows, i), out.Row(i)
		least, ties := c.least(row)
		for j, p := range row[:to] {
			taken := p > least || p == least && ties > 0
			if p == least {
				ties--
			}
			if j < from {
				continue
			}
			below := 0
			if taken {
				below = c.below(p)
			}
			c.buckets[below].add(isPositive(y, i, j), weight)
		}
	}
}

// least returns the smallest of the largest values of a row, and how many of its kind are among them: the first ones.
func (c *thresholdCounter) least(row []float32) (least float32, ties int) {
	if c.top == 0 {
		return float32(math.Inf(-1)), len(row)
	}
	c.sorted = append(c.sorted[:0], row...)
	slices.Sort(c.sorted)
	largest := c.sorted[max(0, len(row)-c.top):]
	for _, p := range largest {
		if p == largest[0] {
			ties++
		}
	}
	return largest[0], ties
}

// below returns how many thresholds are smaller than p.
func (c *thresholdCounter) below(p float32) int {
	from, to := 0, len(c.thresholds)
	for from < to {
		if middle := (from + to) / 2; p > c.thresholds[middle] {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from
}

// each calls f with the confusion at each threshold, from the highest one down.
func (c *thresholdCounter) each(f func(i int, at confusion)) {
	var all, above counts
	for _, b := range c.buckets {
		all.positives += b.positives
		all.negatives += b.negatives
	}
	for i := len(c.buckets) - 1; i > 0; i-- {
		above.positives += c.buckets[i].positives
		above.negatives += c.buckets[i].negatives
		f(i-1, confusionOf(above, all))
	}
}

func (c *thresholdCounter) Reset() { clear(c.buckets) }

// A levels is the thresholds of a metric: in a file null, a number, or several.
type levels []float64

func (l levels) MarshalJSON() ([]byte, error) {
	switch len(l) {
	case 0:
		return []byte("null"), nil
	case 1:
		return json.Marshal(l[0])
	}
	return json.Marshal([]float64(l))
}

func (l *levels) UnmarshalJSON(text []byte) error {
	if text = bytes.TrimSpace(text); len(text) > 0 && text[0] != '[' && text[0] != 'n' {
		*l = levels{0}
		return json.Unmarshal(text, &(*l)[0])
	}
	return json.Unmarshal(text, (*[]float64)(l))
}

func (l levels) check() error {
	for _, t := range l {
		if !(t >= 0 && t <= 1) {
			return fmt.Errorf("threshold %v is not in [0, 1]", t)
		}
	}
	return nil
}

// A ThresholdOption is what Threshold returns.
type ThresholdOption []float64

// Threshold sets from where on, exclusively, outputs count as positive, from 0 to 1. [Precision], [Recall], [TruePositives] and
// their kin take several, and then have a log for each: see [Vector]. An [AUC] has these thresholds, and one below and one above
// all outputs, instead of evenly spread ones. [BinaryAccuracy], [F1Score], [FBetaScore] and [BinaryIoU] take one.
func Threshold(at ...float64) ThresholdOption { return slices.Clone(at) }

func (o ThresholdOption) applyMetric(m configurable) error {
	t, err := option[interface{ setThresholds([]float64) error }](m, "Threshold")
	if err != nil {
		return err
	}
	return t.setThresholds(o)
}

// setOne sets the only threshold of a metric.
func setOne(to *float64, t []float64) error {
	if len(t) != 1 {
		return fmt.Errorf("takes one threshold, has %d", len(t))
	}
	*to = t[0]
	return nil
}

// A TopKOption is what TopK returns.
type TopKOption int

// TopK lets [Precision] and [Recall] take only the k largest columns of a row as positive; without a [Threshold] all of them are.
func TopK(k int) TopKOption { return TopKOption(k) }

func (o TopKOption) applyMetric(m configurable) error {
	t, err := option[interface{ setTopK(int) }](m, "TopK")
	if err == nil {
		t.setTopK(int(o))
	}
	return err
}

// A ClassIDOption is what ClassID returns.
type ClassIDOption int

// ClassID lets a metric look at one column of the output only, as of one class; the first one is 0.
func ClassID(column int) ClassIDOption { return ClassIDOption(column) }

func (o ClassIDOption) applyMetric(m configurable) error {
	t, err := option[interface{ setClassID(int) }](m, "ClassID")
	if err == nil {
		t.setClassID(int(o))
	}
	return err
}

// A thresholded is a metric of the confusion at some thresholds.
type thresholded struct {
	named
	Thresholds levels `json:"thresholds"`
}

func (m *thresholded) setThresholds(t []float64) error {
	m.Thresholds = t
	return nil
}

// start returns a meter of value at each threshold.
func (m *thresholded) start(out Output, usual float32, value func(confusion) float64) (*confusionMeter, error) {
	if err := cmp.Or(m.check(), m.Thresholds.check()); err != nil {
		return nil, err
	}
	if len(m.Thresholds) > maxEntries {
		return nil, fmt.Errorf("%d thresholds: valid are at most %d", len(m.Thresholds), maxEntries)
	}
	meter := &confusionMeter{thresholdCounter: thresholdCounter{column: -1}, value: value}
	if len(m.Thresholds) == 0 {
		meter.thresholds = []float32{usual}
	}
	for _, t := range m.Thresholds {
		meter.thresholds = append(meter.thresholds, cutoff(t, out.Logits))
	}
	given := slices.Clone(meter.thresholds)
	slices.Sort(meter.thresholds)
	for _, t := range meter.thresholds {
		place := slices.Index(given, t)
		meter.order, given[place] = append(meter.order, place), float32(math.NaN())
	}
	meter.values = make([]float64, len(given))
	return meter, nil
}

// A confusionMeter is a Vector of what the confusion at each threshold says.
type confusionMeter struct {
	thresholdCounter
	value  func(confusion) float64
	order  []int // where each threshold is in values
	values []float64
}

func (m *confusionMeter) Values() []float64 {
	m.each(func(i int, at confusion) { m.values[m.order[i]] = m.value(at) })
	return m.values
}

func (m *confusionMeter) Value() float64 { return mean(m.Values()) }

type (
	truePositives  struct{ thresholded }
	falsePositives struct{ thresholded }
	trueNegatives  struct{ thresholded }
	falseNegatives struct{ thresholded }
)

func thresholdedAs(name string) thresholded { return thresholded{named: named{LogName: name}} }

func init() {
	Register("TruePositives", truePositives{thresholdedAs("true_positives")})
	Register("FalsePositives", falsePositives{thresholdedAs("false_positives")})
	Register("TrueNegatives", trueNegatives{thresholdedAs("true_negatives")})
	Register("FalseNegatives", falseNegatives{thresholdedAs("false_negatives")})
	Register("Precision", precision{newRanked("precision")})
	Register("Recall", recall{newRanked("recall")})
}

// TruePositives counts the columns that are positive and above the [Threshold], 0.5 unless there is that option. A column is
// positive if its target is not 0, or if it is at the label. Where the loss takes logits, thresholds are of their sigmoids.
func TruePositives(opts ...MetricOption) Metric {
	return configured(&truePositives{thresholdedAs("true_positives")}, opts)
}

// FalsePositives counts the columns that are negative and above the threshold, see [TruePositives].
func FalsePositives(opts ...MetricOption) Metric {
	return configured(&falsePositives{thresholdedAs("false_positives")}, opts)
}

// TrueNegatives counts the columns that are negative and not above the threshold, see [TruePositives].
func TrueNegatives(opts ...MetricOption) Metric {
	return configured(&trueNegatives{thresholdedAs("true_negatives")}, opts)
}

// FalseNegatives counts the columns that are positive and not above the threshold, see [TruePositives].
func FalseNegatives(opts ...MetricOption) Metric {
	return configured(&falseNegatives{thresholdedAs("false_negatives")}, opts)
}

func (m *truePositives) Start(out Output) (Meter, error) {
	return m.startCount(out, func(c confusion) float64 { return c.truePositives })
}

func (m *falsePositives) Start(out Output) (Meter, error) {
	return m.startCount(out, func(c confusion) float64 { return c.falsePositives })
}

func (m *trueNegatives) Start(out Output) (Meter, error) {
	return m.startCount(out, func(c confusion) float64 { return c.trueNegatives })
}

func (m *falseNegatives) Start(out Output) (Meter, error) {
	return m.startCount(out, func(c confusion) float64 { return c.falseNegatives })
}

func (m *thresholded) startCount(out Output, value func(confusion) float64) (Meter, error) {
	return m.start(out, cutoff(0.5, out.Logits), value)
}

// A ranked is a thresholded metric that can look at some columns only.
type ranked struct {
	thresholded
	rising
	TopK    *int `json:"top_k"`
	ClassID *int `json:"class_id"`
}

func newRanked(name string) ranked { return ranked{thresholded: thresholdedAs(name)} }

func (m *ranked) setTopK(k int)     { m.TopK = &k }
func (m *ranked) setClassID(id int) { m.ClassID = &id }

type (
	precision struct{ ranked }
	recall    struct{ ranked }
)

// Precision measures how many of the columns above the [Threshold], 0.5 unless there is that option, are positive: true over all
// told positives, 0 if there are none. Columns of all rows are counted together, see [TruePositives], or those of one [ClassID]
// or the [TopK] of each row.
func Precision(opts ...MetricOption) Metric {
	return configured(&precision{newRanked("precision")}, opts)
}

// Recall measures how many of the positive columns are above the [Threshold]: true positives over all positives, 0 if there are
// none. It is counted as [Precision] is.
func Recall(opts ...MetricOption) Metric { return configured(&recall{newRanked("recall")}, opts) }

func (m *precision) Start(out Output) (Meter, error) {
	return m.startRanked(out, confusion.precision)
}

func (m *recall) Start(out Output) (Meter, error) {
	return m.startRanked(out, confusion.recall)
}

func (m *ranked) startRanked(out Output, value func(confusion) float64) (Meter, error) {
	usual := cutoff(0.5, out.Logits)
	if m.TopK != nil {
		usual = float32(math.Inf(-1))
	}
	meter, err := m.start(out, usual, value)
	if err != nil {
		return nil, err
	}
	if m.TopK != nil {
		if meter.top = *m.TopK; meter.top < 1 || meter.top > out.Shape.Last() {
			return nil, fmt.Errorf("top k is %d, valid for %d columns are 1 to %d", meter.top, out.Shape.Last(), out.Shape.Last())
		}
	}
	return meter, meter.lookAt(m.ClassID, out)
}

// lookAt lets the thresholdCounter see one column only.
func (c *thresholdCounter) lookAt(id *int, out Output) error {
	if id == nil {
		return nil
	}
	if *id < 0 || *id >= out.Shape.Last() {
		return fmt.Errorf("class %d: valid for %d columns are 0 to %d", *id, out.Shape.Last(), out.Shape.Last()-1)
	}
	c.column = *id
	return nil
}
