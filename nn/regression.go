package nn

import (
	"errors"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
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

var (
	squaredError = (&formula{class: "MeanSquaredError", name: "mean_squared_error", op: ops.Losses.MeanSquaredError,
		row: columnMean(func(p, t float64) (loss, slope float64) { d := p - t; return d * d, 2 * d })}).register()
	absoluteError = (&formula{class: "MeanAbsoluteError", name: "mean_absolute_error", op: ops.Losses.MeanAbsoluteError,
		row: columnMean(func(p, t float64) (loss, slope float64) { d := p - t; return math.Abs(d), signOf(d) })}).register()
	absolutePercentageError = (&formula{class: "MeanAbsolutePercentageError", name: "mean_absolute_percentage_error",
		more: []string{"mean_absolute_percentage_error", "mape", "MAPE"},
		row: columnMean(func(p, t float64) (loss, slope float64) {
			d, of := p-t, 100/max(math.Abs(t), kerasEpsilon)
			return math.Abs(d) * of, signOf(d) * of
		})}).register()
	squaredLogarithmicError = (&formula{class: "MeanSquaredLogarithmicError", name: "mean_squared_logarithmic_error",
		more: []string{"mean_squared_logarithmic_error", "msle", "MSLE"},
		row: columnMean(func(p, t float64) (loss, slope float64) {
			d := portable.Log1p(max(p, kerasEpsilon)) - portable.Log1p(max(t, kerasEpsilon))
			if p < kerasEpsilon {
				return d * d, 0
			}
			return d * d, 2 * d / (1 + p)
		})}).register()
	logCosh = (&formula{class: "LogCosh", name: "log_cosh", more: []string{"log_cosh"},
		row: columnMean(func(p, t float64) (loss, slope float64) {
			d := p - t
			e := portable.Exp(-2 * math.Abs(d))
			return math.Abs(d) + portable.Log1p(e) - math.Ln2, signOf(d) * ((1 - e) / (1 + e))
		})}).register()
)

// MeanSquaredError is the mean over the columns of (p-t)²: [MSE] with options, under Keras' name of the class.
func MeanSquaredError(opts ...LossOption) Loss { return squaredError.loss(opts) }

// MeanAbsoluteError is the mean over the columns of |p-t|: [MAE] with options, under Keras' name of the class.
func MeanAbsoluteError(opts ...LossOption) Loss { return absoluteError.loss(opts) }

// MeanAbsolutePercentageError is the mean over the columns of 100·|p-t| / max(|t|, 1e-7).
func MeanAbsolutePercentageError(opts ...LossOption) Loss { return absolutePercentageError.loss(opts) }

// MeanSquaredLogarithmicError is the mean over the columns of (log(1+p) - log(1+t))², where p and t below 1e-7 count as that.
func MeanSquaredLogarithmicError(opts ...LossOption) Loss { return squaredLogarithmicError.loss(opts) }

// LogCosh is the mean over the columns of log(cosh(p-t)): about (p-t)²/2 near the target and |p-t| - log 2 far off.
func LogCosh(opts ...LossOption) Loss { return logCosh.loss(opts) }

type cosineSimilarity struct {
	lossBase
	Axis int `json:"axis"`
}

func init() {
	Register("CosineSimilarity", cosineSimilarity{usualLoss, -1})
	alias[Loss]("CosineSimilarity", "cosine_similarity")
	alias[Loss]("mse", "MSE", "mean_squared_error")
	alias[Loss]("mae", "MAE", "mean_absolute_error")
}

// CosineSimilarity is minus the cosine of the angle between a row and its targets: -1 where they point into one direction and 1
// where they point into opposite ones. A vector shorter than 1e-7 is divided by that in place of its length.
func CosineSimilarity(opts ...LossOption) Loss {
	c := &cosineSimilarity{usualLoss, -1}
	c.apply(lossFields{}, opts)
	return c
}

func (c *cosineSimilarity) Name() string        { return "cosine_similarity" }
func (c *cosineSimilarity) Targets() TargetKind { return Numbers }
func (c *cosineSimilarity) Check(Output) error {
	return errors.Join(c.check(c.Name()), checkLossAxis(c.Name(), c.Axis))
}

func (c *cosineSimilarity) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return o.CustomLoss(c, out, y, rows)
}

// Rows implements [ops.LossFunction].
func (c *cosineSimilarity) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rowFormula(cosineRow).rows(c.Name(), 1, loss, grad, pred, y, weights)
}

func cosineRow(g, p, t []float32, weight float64) float64 {
	pp, tt, pt := 0.0, 0.0, 0.0
	for j := range p {
		p, t := float64(p[j]), float64(t[j])
		pp += float64(p * p)
		tt += float64(t * t)
		pt += float64(p * t)
	}
	ofP, ofT := 1/math.Sqrt(max(pp, kerasEpsilon*kerasEpsilon)), 1/math.Sqrt(max(tt, kerasEpsilon*kerasEpsilon))
	cos := pt * ofP * ofT
	turn := cos // how much of the gradient lies along p, which only changes its length
	if pp < kerasEpsilon*kerasEpsilon {
		turn = 0
	}
	for j := range g {
		along := float64(turn * ofP * float64(p[j]))
		g[j] = float32((along - float64(ofT*float64(t[j]))) * ofP * weight)
	}
	return -cos
}
