package nn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// These losses are beyond Keras. The output has several columns for each of the targets, beside each other: what it says of
// the distribution that the target comes from.

type quantile struct {
	lossBase
	Quantiles []float64 `json:"quantiles"`
}

func init() { Register("Quantile", quantile{usualLoss, nil}) }

// Quantile is the pinball loss (Koenker and Bassett, "Regression Quantiles", 1978), the mean over the columns of q·(t-p) where
// the target t is above the prediction p and (1-q)·(p-t) elsewhere. It makes p the value that targets are below with
// probability q: the median for a quantile of 0.5. The output has a column for each of the quantiles, so 3·n columns for
// three quantiles of targets of n columns: first those of the first target.
func Quantile(quantiles []float64, opts ...LossOption) Loss {
	q := &quantile{usualLoss, slices.Clone(quantiles)}
	q.apply(lossFields{}, opts)
	return q
}

func (q *quantile) Name() string        { return "quantile" }
func (q *quantile) Targets() TargetKind { return Numbers }

// TargetColumns implements [Columned].
func (q *quantile) TargetColumns(out Output) int { return out.Shape.Last() / max(1, len(q.Quantiles)) }

func (q *quantile) Check(out Output) error {
	n := len(q.Quantiles)
	if n == 0 {
		return errors.New("loss quantile has no quantiles")
	}
	for _, v := range q.Quantiles {
		if !(v > 0 && v < 1) {
			return fmt.Errorf("loss quantile: quantile %v is not between 0 and 1", v)
		}
	}
	return errors.Join(checkOutputs(q.Name(), out, n), q.check(q.Name()))
}

func (q *quantile) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return o.CustomLoss(q, out, y, rows)
}

// Rows implements [ops.LossFunction].
func (q *quantile) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rowFormula(q.row).rows(q.Name(), len(q.Quantiles), loss, grad, pred, y, weights)
}

func (q *quantile) row(g, p, t []float32, weight float64) float64 {
	n, sum := float64(len(p)), 0.0
	for j, p := range p {
		i := j % len(q.Quantiles)
		d, slope := float64(p)-float64(t[j/len(q.Quantiles)]), 0.0
		switch {
		case d > 0:
			slope = 1 - q.Quantiles[i]
		case d < 0:
			slope = -q.Quantiles[i]
		}
		sum += float64(slope * d)
		if g != nil {
			g[j] = float32(slope * weight / n)
		}
	}
	return sum / n
}

// checkOutputs reports an output that has not so many columns for each of the targets.
func checkOutputs(loss string, out Output, outputs int) error {
	if n := out.Shape.Last(); n%outputs != 0 {
		return fmt.Errorf("loss %s needs %d columns of the output for each of the targets, this one has %d in all", loss, outputs, n)
	}
	return nil
}

var (
	gaussianNLL = (&formula{class: "GaussianNLL", name: "gaussian_nll", outputs: 2, row: targetMean(2, gaussianAt)}).register()

	zeroInflatedLogNormal = (&formula{class: "ZeroInflatedLogNormal", name: "zero_inflated_lognormal", outputs: 3,
		row: targetMean(3, zeroInflatedAt)}).register()
)

// GaussianNLL is the mean over the targets of -log of the density that a normal distribution has at the target (Nix and
// Weigend, "Estimating the mean and variance of the target probability distribution", 1994). The output has two columns for
// each target, the mean and the logarithm of the variance, so that it ends in [Linear]; targets of n columns need 2·n.
func GaussianNLL(opts ...LossOption) Loss { return gaussianNLL.loss(opts) }

// ZeroInflatedLogNormal is for amounts of which many are 0, such as what a customer will spend (Wang, Liu and Miao,
// arXiv:1912.07753). The output has three columns for each target and ends in [Linear]: the logit of the chance that the
// target is above 0, then mu and s of a log-normal distribution of the targets above 0, whose deviation sigma is log(1+exp(s)),
// at least 0.00035. The loss is the mean over the targets of -log of what that distribution gives the target; the expected
// amount is sigmoid(logit)·exp(mu + sigma²/2). Targets below 0 count as 0.
func ZeroInflatedLogNormal(opts ...LossOption) Loss { return zeroInflatedLogNormal.loss(opts) }

// targetMean is the mean over the targets of a function of what the output has for each. It returns its slopes, too.
func targetMean(outputs int, at func(p []float32, t float64) (loss float64, slopes [3]float64)) rowFormula {
	return func(g, p, t []float32, weight float64) float64 {
		n, sum := float64(len(t)), 0.0
		for j, t := range t {
			from := j * outputs
			loss, slopes := at(p[from:from+outputs], float64(t))
			sum += float64(loss)
			if g != nil {
				for i := range outputs {
					g[from+i] = float32(slopes[i] * weight / n)
				}
			}
		}
		return sum / n
	}
}

const halfLog2Pi = 0.91893853320467274178

func gaussianAt(p []float32, t float64) (loss float64, slopes [3]float64) {
	mean, logVariance := float64(p[0]), float64(p[1])
	precision := portable.Exp(-logVariance)
	d := t - mean
	square := float64(d * d * precision)
	return (logVariance+square)/2 + halfLog2Pi, [3]float64{-d * precision, (1 - square) / 2}
}

// leastDeviation keeps the likelihood of a log-normal distribution finite: the root of float32's precision, as the authors
// have it.
const leastDeviation = 0.00034526698300124393

func zeroInflatedAt(p []float32, t float64) (loss float64, slopes [3]float64) {
	z, mu, s := float64(p[0]), float64(p[1]), float64(p[2])
	if !(t > 0) {
		return portable.Softplus(z), [3]float64{portable.Sigmoid(z)}
	}
	sigma, chain := portable.Softplus(s), portable.Sigmoid(s)
	if sigma < leastDeviation {
		sigma, chain = leastDeviation, 0
	}
	logT := portable.Log(t)
	d := (logT - mu) / sigma
	square := float64(d * d)
	loss = portable.Softplus(-z) + logT + portable.Log(sigma) + halfLog2Pi + square/2
	return loss, [3]float64{-portable.Sigmoid(-z), -d / sigma, (1 - square) / sigma * chain}
}
