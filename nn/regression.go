package nn

import (
	"errors"
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// regression is the mean over the columns of a function of the difference.
type regression uint8

const (
	meanSquared regression = iota
	meanAbsolute
)

func init() {
	Register("mse", meanSquared)
	Register("mae", meanAbsolute)
}

// MSE is the mean squared error, the mean over the columns of (p - t)².
func MSE() LossMetric { return meanSquared }

// MAE is the mean absolute error, the mean over the columns of |p - t|.
func MAE() LossMetric { return meanAbsolute }

func (r regression) Name() string        { return [...]string{"mse", "mae"}[r] }
func (r regression) Targets() TargetKind { return Numbers }
func (r regression) Check(Output) error  { return nil }

func (r regression) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	if r == meanSquared {
		return o.MeanSquaredError(out, y.Values, rows)
	}
	return o.MeanAbsoluteError(out, y.Values, rows)
}

func (r regression) Start(out Output) (Meter, error) {
	if out.Targets == Classes {
		return nil, errors.New("needs targets that are Floats, those of the output's loss are Labels")
	}
	return &rowMeter{of: r.values}, nil
}

// values fills in the mean of each row.
func (r regression) values(values []float64, out kernels.Matrix, y Target) {
	for i := range values {
		sum, t := 0.0, y.Values.Row(i)
		for j, p := range out.Row(i) {
			d := float64(p) - float64(t[j])
			if r == meanSquared {
				sum += float64(d * d)
			} else {
				sum += math.Abs(d)
			}
		}
		values[i] = sum / float64(out.Cols)
	}
}
