package nn

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/kernels"
)

// A classIoU is what the metrics of intersections over unions have that tell several classes apart.
type classIoU struct {
	named
	rising
	Classes int    `json:"num_classes"`
	Ignore  *int   `json:"ignore_class"`
	Sparse  bool   `json:"sparse_y_pred"`
	Axis    int    `json:"axis"`
	DType   string `json:"dtype"`
}

type (
	iou struct {
		classIoU
		Targets    indices `json:"target_class_ids"`
		SparseTrue bool    `json:"sparse_y_true"`
	}
	meanIoU struct {
		classIoU
		SparseTrue bool `json:"sparse_y_true"`
	}
	oneHotIoU struct {
		classIoU
		Targets indices `json:"target_class_ids"`
	}
	oneHotMeanIoU struct{ classIoU }
	binaryIoU     struct {
		named
		rising
		Targets   indices `json:"target_class_ids"`
		Threshold float64 `json:"threshold"`
		DType     string  `json:"dtype"`
	}
)

func newClassIoU(name string, sparse bool) classIoU {
	return classIoU{named: named{LogName: name}, Sparse: sparse, Axis: -1}
}

func init() {
	Register("IoU", iou{newClassIoU("io_u", true), nil, true})
	Register("MeanIoU", meanIoU{newClassIoU("mean_io_u", true), true})
	Register("OneHotIoU", oneHotIoU{newClassIoU("one_hot_io_u", false), nil})
	Register("OneHotMeanIoU", oneHotMeanIoU{newClassIoU("one_hot_mean_io_u", false)})
	Register("BinaryIoU", newBinaryIoU())
}

func newBinaryIoU() binaryIoU {
	return binaryIoU{named: named{LogName: "binary_io_u"}, Targets: indices{0, 1}, Threshold: 0.5}
}

// Weights of rows count as they are where a metric is made in Go. Keras' default is to cut them to whole numbers, which turns
// most of them to 0, unless dtype is float32: so that is what constructors say.
const wholeWeights, anyWeights = "int", "float32"

// A SparseYPredOption is what SparseYPred returns.
type SparseYPredOption bool

// SparseYPred says whether the columns of an output are class numbers, from 0, or one column is for each class, of which the
// first maximum counts. The former is Keras' default for [IoU] and [MeanIoU], the latter for [OneHotIoU] and [OneHotMeanIoU].
func SparseYPred(numbers bool) SparseYPredOption { return SparseYPredOption(numbers) }

func (o SparseYPredOption) applyMetric(m configurable) error {
	t, err := option[interface{ setSparse(bool) }](m, "SparseYPred")
	if err == nil {
		t.setSparse(bool(o))
	}
	return err
}

func (m *classIoU) setSparse(numbers bool) { m.Sparse = numbers }
func (m *classIoU) setIgnore(id int)       { m.Ignore = &id }

func (m *binaryIoU) setThresholds(t []float64) error { return setOne(&m.Threshold, t) }

// IoU measures the mean over some classes of true positives / (true positives + false positives + false negatives): the
// intersection of what is of a class and what was told to be, over their union. Targets are Labels, or class numbers in each
// column. Classes that occur nowhere are left out, and so is what has a class number that is not below classes, or is
// the [IgnoreClass].
//
// Its log is called "io_u", as Keras calls it.
func IoU(classes int, targets []int, opts ...MetricOption) Metric {
	m := &iou{newClassIoU("io_u", true), slices.Clone(targets), true}
	m.Classes, m.DType = classes, anyWeights
	return configured(m, opts)
}

// MeanIoU is the [IoU] of all classes. Its log is called "mean_io_u".
func MeanIoU(classes int, opts ...MetricOption) Metric {
	m := &meanIoU{newClassIoU("mean_io_u", true), true}
	m.Classes, m.DType = classes, anyWeights
	return configured(m, opts)
}

// OneHotIoU is the [IoU] of outputs and targets with a column for each class. Its log is called "one_hot_io_u".
func OneHotIoU(classes int, targets []int, opts ...MetricOption) Metric {
	m := &oneHotIoU{newClassIoU("one_hot_io_u", false), slices.Clone(targets)}
	m.Classes, m.DType = classes, anyWeights
	return configured(m, opts)
}

// OneHotMeanIoU is the [MeanIoU] of outputs and targets with a column for each class. Its log is called "one_hot_mean_io_u".
func OneHotMeanIoU(classes int, opts ...MetricOption) Metric {
	m := &oneHotMeanIoU{newClassIoU("one_hot_mean_io_u", false)}
	m.Classes, m.DType = classes, anyWeights
	return configured(m, opts)
}

// BinaryIoU is the [IoU] of the classes 0 and 1, where a column is of class 1 from the [Threshold] on, 0.5 unless there is that
// option. Where the loss takes logits, outputs are their sigmoids. Its log is called "binary_io_u".
func BinaryIoU(opts ...MetricOption) Metric {
	m := newBinaryIoU()
	m.DType = anyWeights
	return configured(&m, opts)
}

func (m *iou) Start(out Output) (Meter, error) { return m.start(out, m.Targets, m.SparseTrue) }

func (m *meanIoU) Start(out Output) (Meter, error) { return m.start(out, nil, m.SparseTrue) }

func (m *oneHotIoU) Start(out Output) (Meter, error) { return m.start(out, m.Targets, false) }

func (m *oneHotMeanIoU) Start(out Output) (Meter, error) { return m.start(out, nil, false) }

const maxIoUClasses = 1 << 16

// start returns a meter of some classes; nil are all of them.
func (m *classIoU) start(out Output, targets []int, sparseTrue bool) (Meter, error) {
	if err := cmp.Or(m.check(), checkColumnAxis(m.Axis)); err != nil {
		return nil, err
	}
	if m.Classes < 1 || m.Classes > maxIoUClasses {
		return nil, fmt.Errorf("%d classes: valid are 1 to %d", m.Classes, maxIoUClasses)
	}
	labels, columns := out.Targets == Classes, out.Shape.Last()
	switch {
	case m.Sparse && labels && columns > 1:
		return nil, fmt.Errorf("takes the %d columns of the output for class numbers, but each row has one label: use SparseYPred(false)", columns)
	case !m.Sparse && sparseTrue && !labels && columns > 1:
		return nil, errors.New("takes the columns of the target for class numbers, but not those of the output: use OneHotIoU or OneHotMeanIoU")
	}
	meter, err := newIoUMeter(m.Classes, targets, m.DType)
	if err != nil {
		return nil, err
	}
	if meter.ignore = -1; m.Ignore != nil {
		meter.ignore = *m.Ignore
	}
	meter.of = func(p []float32, y Target, i, j int) (is, told int) {
		switch {
		case y.Labels != nil:
			is = int(y.Labels[i])
		case sparseTrue:
			is = meter.class(y.Values.Row(i)[j])
		default:
			is = argmax(y.Values.Row(i))
		}
		if m.Sparse {
			return is, meter.class(p[j])
		}
		return is, argmax(p)
	}
	meter.whole = !m.Sparse
	return meter, nil
}

func (m *binaryIoU) Start(out Output) (Meter, error) {
	if err := cmp.Or(m.check(), needFloats(out), levels{m.Threshold}.check()); err != nil {
		return nil, err
	}
	meter, err := newIoUMeter(2, m.Targets, m.DType)
	if err != nil {
		return nil, err
	}
	meter.ignore = -1
	threshold := cutoff(m.Threshold, out.Logits)
	meter.of = func(p []float32, y Target, i, j int) (is, told int) {
		if p[j] >= threshold {
			told = 1
		}
		return meter.class(y.Values.Row(i)[j]), told
	}
	return meter, nil
}

// An iouMeter counts, for each class, what is of it, what was told to be, and what both.
type iouMeter struct {
	classes int
	targets []int // nil: all of them
	ignore  int
	cut     bool // weights to whole numbers
	whole   bool // a row is one thing; otherwise each column is
	of      func(p []float32, y Target, i, j int) (is, told int)
	unions  []iouCounts // made by the first Add
}

type iouCounts struct{ is, told, both float64 }

func newIoUMeter(classes int, targets []int, dtype string) (*iouMeter, error) {
	for _, id := range targets {
		if id < 0 || id >= classes {
			return nil, fmt.Errorf("target class %d: valid for %d classes are 0 to %d", id, classes, classes-1)
		}
	}
	m := &iouMeter{classes: classes, targets: targets}
	switch {
	case dtype == "", strings.Contains(dtype, wholeWeights):
		m.cut = true
	case !strings.Contains(dtype, "float"):
		return nil, fmt.Errorf("unknown dtype %q: valid are %q", dtype, []string{wholeWeights, anyWeights})
	}
	return m, nil
}

// class returns the class that a number stands for, -1 if there is none. It looks first: machines differ in what int makes of a
// huge number.
func (m *iouMeter) class(v float32) int {
	if !(v > -1 && v < float32(m.classes)) {
		return -1
	}
	return int(v)
}

func (m *iouMeter) Add(out kernels.Matrix, y Target, rows []float32) {
	if m.unions == nil {
		m.unions = make([]iouCounts, m.classes)
	}
	columns := out.Cols
	if m.whole {
		columns = 1
	}
	for i := range out.Rows {
		weight := weightOf(rows, i)
		if m.cut {
			weight = math.Trunc(weight)
		}
		for j := range columns {
			is, told := m.of(out.Row(i), y, i, j)
			if is < 0 || is >= m.classes || told < 0 || told >= m.classes || is == m.ignore {
				continue
			}
			m.unions[is].is += weight
			m.unions[told].told += weight
			if is == told {
				m.unions[is].both += weight
			}
		}
	}
}

func (m *iouMeter) Value() float64 {
	if m.unions == nil {
		return 0
	}
	sum, n := 0.0, kerasEpsilon
	count := func(c iouCounts) {
		if union := c.is + c.told - c.both; union > 1e-9 {
			sum += c.both / (union + kerasEpsilon)
			n++
		}
	}
	if m.targets == nil {
		for _, c := range m.unions {
			count(c)
		}
	}
	for _, id := range m.targets {
		count(m.unions[id])
	}
	return sum / n
}

func (m *iouMeter) Reset() { clear(m.unions) }
