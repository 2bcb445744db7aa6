package nn

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// A Metric measures one output.
type Metric interface {
	// Name returns Keras' name of the metric as logs have it, such as "accuracy".
	Name() string
	// Start returns a new meter, or an error for an output that the metric cannot measure.
	Start(out Output) (Meter, error)
}

// Rising is a [Metric] that says whether it is better the larger it is, for callbacks that wait for it to improve.
type Rising interface{ Rises() bool }

// A Meter is the state of a metric over the rows of an epoch.
type Meter interface {
	// Add takes in some rows: the output, what it should be, and how much each row counts; nil rows stand for 1 each.
	Add(out kernels.Matrix, y Target, rows []float32)
	// Value returns the metric of all rows so far, of which there is at least one.
	Value() float64
	// Reset forgets all rows.
	Reset()
}

// A Vector is a [Meter] of several numbers, such as the F1 score of each class. Keras logs an array; here each number has a
// log of its own, "f1_score_0", "f1_score_1" and so on, so that callbacks can follow it. A Vector of one number has one log,
// "f1_score".
type Vector interface {
	Meter // its Value is the mean of the numbers
	// Values returns the numbers, in memory that the next call overwrites. There are as many before the first row, when they
	// may be anything.
	Values() []float64
}

const maxEntries = 1000 // of a Vector: more logs than that nobody reads

// A MetricOption configures a metric. An option that the metric does not know is an error, which [Model.Compile] reports. If
// an option is given twice the last one counts.
type MetricOption interface{ applyMetric(configurable) error }

// A configurable is a metric that has a name in its configuration, and perhaps more, which options look for.
type configurable interface {
	Metric
	base() *named
}

// named is the part of a configuration that all metrics have.
type named struct {
	LogName string `json:"name"`
	err     error  // of an option
}

func (n *named) base() *named { return n }

func (n *named) Name() string { return n.LogName }

// check reports what is wrong with the options, or with the name.
func (n *named) check() error {
	switch {
	case n.err != nil:
		return n.err
	case n.LogName == "" || len(n.LogName) > maxName || !utf8.ValidString(n.LogName):
		return fmt.Errorf("the name %s: valid are 1 to %d bytes of UTF-8", brief.Quote(n.LogName), maxName)
	}
	return nil
}

func (o NameOption) applyMetric(m configurable) error {
	m.base().LogName = string(o)
	return nil
}

// configured applies options to a metric. Compile reports their errors.
func configured(m configurable, opts []MetricOption) Metric {
	n := m.base()
	for i, o := range opts {
		if o == nil {
			n.err = errors.Join(n.err, errNilOption(i))
			continue
		}
		n.err = errors.Join(n.err, o.applyMetric(m))
	}
	return m
}

// option returns m as what can take an option of the given name.
func option[T any](m configurable, name string) (T, error) {
	t, ok := m.(T)
	if !ok {
		return t, fmt.Errorf("has no option %s", name)
	}
	return t, nil
}

// A rising is part of a metric that is better the larger it is.
type rising struct{}

// Rises returns true.
func (rising) Rises() bool { return true }

// needFloats reports an output whose targets are class numbers.
func needFloats(out Output) error {
	if out.Targets == Classes {
		return errors.New("needs targets that are Floats, those of the output's loss are Labels")
	}
	return nil
}

// needLabels reports an output whose targets are not class numbers.
func needLabels(out Output) error {
	if out.Targets != Classes {
		return errors.New("needs targets that are Labels, those of the output's loss are Floats")
	}
	return nil
}

// weightOf returns how much row i counts.
func weightOf(rows []float32, i int) float64 {
	if rows == nil {
		return 1
	}
	return float64(rows[i])
}

// isPositive reports whether row i should be positive in column j: where its label is, or where its target is not 0.
func isPositive(y Target, i, j int) bool {
	if y.Labels != nil {
		return int(y.Labels[i]) == j
	}
	return y.Values.Row(i)[j] != 0
}

// share returns part/whole, 0 if the whole is 0.
func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// mean returns the mean of some numbers, of which there is at least one.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// A rowMeter is the mean of what each row has by itself. Products are rounded before they are added, so that machines with
// fused multiply-add measure the same numbers.
type rowMeter struct {
	of         func(values []float64, out kernels.Matrix, y Target) // fills in the value of each row
	values     []float64
	sum, count float64
}

func (m *rowMeter) Add(out kernels.Matrix, y Target, rows []float32) {
	if cap(m.values) < out.Rows {
		m.values = make([]float64, out.Rows)
	}
	values, sum := m.values[:out.Rows], 0.0
	m.of(values, out, y)
	if rows == nil {
		for _, v := range values {
			sum += v
		}
		m.sum += sum
		m.count += float64(out.Rows)
		return
	}
	for i, v := range values {
		if rows[i] == 0 {
			continue // counts nothing, whatever the row has
		}
		sum += float64(v * float64(rows[i]))
		m.count += float64(rows[i])
	}
	m.sum += sum
}

func (m *rowMeter) Value() float64 { return share(m.sum, m.count) }

func (m *rowMeter) Reset() { m.sum, m.count = 0, 0 }
