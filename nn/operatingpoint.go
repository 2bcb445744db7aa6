package nn

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// An operatingPoint is a metric of the best of many thresholds.
type operatingPoint struct {
	named
	rising
	NumThresholds int  `json:"num_thresholds"`
	ClassID       *int `json:"class_id"`
}

func newPoint(name string) operatingPoint {
	return operatingPoint{named: named{LogName: name}, NumThresholds: 200}
}

func (m *operatingPoint) setCount(n int)    { m.NumThresholds = n }
func (m *operatingPoint) setClassID(id int) { m.ClassID = &id }

type (
	sensitivityAtSpecificity struct {
		operatingPoint
		Specificity float64 `json:"specificity"`
	}
	specificityAtSensitivity struct {
		operatingPoint
		Sensitivity float64 `json:"sensitivity"`
	}
	precisionAtRecall struct {
		operatingPoint
		Recall float64 `json:"recall"`
	}
	recallAtPrecision struct {
		operatingPoint
		Precision float64 `json:"precision"`
	}
)

func init() {
	Register("SensitivityAtSpecificity", sensitivityAtSpecificity{operatingPoint: newPoint("sensitivity_at_specificity")})
	Register("SpecificityAtSensitivity", specificityAtSensitivity{operatingPoint: newPoint("specificity_at_sensitivity")})
	Register("PrecisionAtRecall", precisionAtRecall{operatingPoint: newPoint("precision_at_recall")})
	Register("RecallAtPrecision", recallAtPrecision{operatingPoint: newPoint("recall_at_precision")})
}

// SensitivityAtSpecificity measures the highest sensitivity, the share of positives above a threshold, among the thresholds
// with at least the given specificity, the share of negatives that are not above it. It tries 200 thresholds, or as many as
// [Thresholds] says, spread evenly from 0 to 1, and looks at all columns or at one [ClassID]. If no threshold is specific enough
// it is 0.
//
// Keras numbers the names of such metrics, "sensitivity_at_specificity_1"; here an output with two needs the option [Name].
func SensitivityAtSpecificity(specificity float64, opts ...MetricOption) Metric {
	return configured(&sensitivityAtSpecificity{newPoint("sensitivity_at_specificity"), specificity}, opts)
}

// SpecificityAtSensitivity measures the highest specificity among the thresholds with at least the given sensitivity, see
// [SensitivityAtSpecificity].
func SpecificityAtSensitivity(sensitivity float64, opts ...MetricOption) Metric {
	return configured(&specificityAtSensitivity{newPoint("specificity_at_sensitivity"), sensitivity}, opts)
}

// PrecisionAtRecall measures the highest precision among the thresholds with at least the given recall, see [Precision] and
// [SensitivityAtSpecificity].
func PrecisionAtRecall(recall float64, opts ...MetricOption) Metric {
	return configured(&precisionAtRecall{newPoint("precision_at_recall"), recall}, opts)
}

// RecallAtPrecision measures the highest recall among the thresholds with at least the given precision, see [Recall] and
// [SensitivityAtSpecificity].
func RecallAtPrecision(precision float64, opts ...MetricOption) Metric {
	return configured(&recallAtPrecision{newPoint("recall_at_precision"), precision}, opts)
}

func (m *sensitivityAtSpecificity) Start(out Output) (Meter, error) {
	return m.start(out, "specificity", m.Specificity, confusion.specificity, confusion.recall)
}

func (m *specificityAtSensitivity) Start(out Output) (Meter, error) {
	return m.start(out, "sensitivity", m.Sensitivity, confusion.recall, confusion.specificity)
}

func (m *precisionAtRecall) Start(out Output) (Meter, error) {
	return m.start(out, "recall", m.Recall, confusion.recall, confusion.precision)
}

func (m *recallAtPrecision) Start(out Output) (Meter, error) {
	return m.start(out, "precision", m.Precision, confusion.precision, confusion.recall)
}

func (m *operatingPoint) start(out Output, name string, least float64, constrained, value func(confusion) float64) (Meter, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if m.NumThresholds < 1 || m.NumThresholds > maxThresholds {
		return nil, fmt.Errorf("%d thresholds: valid are 1 to %d", m.NumThresholds, maxThresholds)
	}
	if !(least >= 0 && least <= 1) {
		return nil, fmt.Errorf("%s %v is not in [0, 1]", name, least)
	}
	meter := &pointMeter{
		thresholdCounter: thresholdCounter{column: -1}, thresholds: m.NumThresholds, logits: out.Logits,
		least: least, constrained: constrained, value: value,
	}
	return meter, meter.lookAt(m.ClassID, out)
}

// A pointMeter is the best value at the thresholds at which the constrained one is not below the least.
type pointMeter struct {
	thresholdCounter
	thresholds         int
	logits             bool
	least              float64
	constrained, value func(confusion) float64
}

func (m *pointMeter) Add(out kernels.Matrix, y Target, rows []float32) {
	if m.thresholdCounter.thresholds == nil {
		for i := range m.thresholds {
			t := 0.5
			if m.thresholds > 1 {
				t = float64(i) / float64(m.thresholds-1)
			}
			m.thresholdCounter.thresholds = append(m.thresholdCounter.thresholds, cutoff(t, m.logits))
		}
	}
	m.thresholdCounter.Add(out, y, rows)
}

func (m *pointMeter) Value() float64 {
	best := 0.0
	m.each(func(_ int, at confusion) {
		if m.constrained(at) >= m.least {
			best = max(best, m.value(at))
		}
	})
	return best
}
