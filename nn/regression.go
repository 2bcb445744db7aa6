package nn

import (
	"errors"
	"math"

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
	of := math.Abs
	if r == meanSquared {
		of = func(d float64) float64 { return d * d }
	}
	return &rowMeter{of: func(p []float32, y Target, row int) float64 { return meanOf(of, p, y.Values.Row(row)) }}, nil
}

// meanOf returns the mean of a function of the differences.
func meanOf(of func(float64) float64, p, t []float32) float64 {
	sum := 0.0
	for j, v := range p {
		sum += of(float64(v) - float64(t[j]))
	}
	return sum / float64(len(p))
}
