package nn

import (
	"cmp"

	"github.com/espalier-ml/espalier/kernels"
)

type (
	hingeMetric        struct{ named }
	squaredHingeMetric struct{ named }
)

func init() {
	Register("Hinge", hingeMetric{named{LogName: "hinge"}})
	Register("SquaredHinge", squaredHingeMetric{named{LogName: "squared_hinge"}})
}

// HingeMetric measures the mean over the columns of max(0, 1 - t·p). Targets t are -1 and 1; if all that a batch has are 0 and 1,
// zeros stand for -1.
func HingeMetric(opts ...MetricOption) Metric {
	return configured(&hingeMetric{named{LogName: "hinge"}}, opts)
}

// SquaredHingeMetric measures the mean over the columns of max(0, 1 - t·p)², for targets as those of [HingeMetric].
func SquaredHingeMetric(opts ...MetricOption) Metric {
	return configured(&squaredHingeMetric{named{LogName: "squared_hinge"}}, opts)
}

func (m *hingeMetric) Start(out Output) (Meter, error) {
	return startHinge(&m.named, out, func(d float64) float64 { return d })
}

func (m *squaredHingeMetric) Start(out Output) (Meter, error) {
	return startHinge(&m.named, out, func(d float64) float64 { return float64(d * d) })
}

func startHinge(n *named, out Output, of func(float64) float64) (Meter, error) {
	if err := cmp.Or(n.check(), needFloats(out)); err != nil {
		return nil, err
	}
	return &rowMeter{of: func(values []float64, out kernels.Matrix, y Target) {
		binary := allBinary(y.Values)
		for i := range values {
			sum, t := 0.0, y.Values.Row(i)
			for j, p := range out.Row(i) {
				sign := float64(t[j])
				if binary {
					sign = 2*sign - 1
				}
				sum += of(max(0, 1-float64(sign*float64(p))))
			}
			values[i] = sum / float64(out.Cols)
		}
	}}, nil
}
