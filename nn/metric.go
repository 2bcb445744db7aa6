package nn

import "github.com/espalier-ml/espalier/kernels"

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

func (m *rowMeter) Value() float64 { return m.sum / m.count }

func (m *rowMeter) Reset() { m.sum, m.count = 0, 0 }
