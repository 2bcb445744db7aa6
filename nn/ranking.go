package nn

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/internal/portable"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// These losses are beyond Keras. They look at pairs, of which the one with the higher target should have the higher
// prediction: at those of the columns of a row or, where the output has one column, at those of the rows of a batch.

type bpr struct{ lossBase }

type pairwiseRanking struct {
	lossBase
	Margin float64 `json:"margin"`
}

func init() {
	Register("BPR", bpr{usualLoss})
	Register("PairwiseRanking", pairwiseRanking{usualLoss, 1})
}

// BPR is Bayesian personalized ranking (Rendle et al., arXiv:1205.2618), log(1+exp(lower-higher)) of a pair of predictions of
// which the first has the lower target: -log of the chance that they are in the right order.
//
// If the output has several columns, such as a score for what a user has bought and one for what not, with targets of 1 and 0,
// a row's loss is the mean over its pairs of columns whose targets differ. If it has one column, a row's loss is the mean over
// all rows of the batch that have a lower target, weighed by what these count: a batch needs rows of both kinds.
func BPR(opts ...LossOption) Loss {
	b := &bpr{usualLoss}
	b.apply(lossFields{}, opts)
	return b
}

// PairwiseRanking is max(0, margin - (higher-lower)) of the pairs that [BPR] looks at: the higher target should lead by the
// margin (Joachims, "Optimizing Search Engines using Clickthrough Data", 2002, whose margin is 1).
func PairwiseRanking(margin float64, opts ...LossOption) Loss {
	r := &pairwiseRanking{usualLoss, margin}
	r.apply(lossFields{}, opts)
	return r
}

func (b *bpr) Name() string        { return "bpr" }
func (b *bpr) Targets() TargetKind { return Numbers }
func (b *bpr) Check(Output) error  { return b.check(b.Name()) }

func (b *bpr) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return o.CustomLoss(b, out, y, rows)
}

// Rows implements [ops.LossFunction].
func (b *bpr) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rankRows(b.Name(), logisticPair, loss, grad, pred, y, weights)
}

func (r *pairwiseRanking) Name() string        { return "pairwise_ranking" }
func (r *pairwiseRanking) Targets() TargetKind { return Numbers }
func (r *pairwiseRanking) Check(Output) error {
	return errors.Join(r.check(r.Name()), checkParameter(r.Name(), "margin", r.Margin, 0))
}

func (r *pairwiseRanking) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return o.CustomLoss(r, out, y, rows)
}

// Rows implements [ops.LossFunction].
func (r *pairwiseRanking) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rankRows(r.Name(), r.pair, loss, grad, pred, y, weights)
}

// logisticPair and pair return the loss of a pair, by how far the one that should be higher leads, and its slope by that.

func logisticPair(lead float64) (loss, slope float64) {
	return portable.Softplus(-lead), -portable.Sigmoid(-lead)
}

func (r *pairwiseRanking) pair(lead float64) (loss, slope float64) {
	if lead >= r.Margin {
		return 0, 0
	}
	return r.Margin - lead, -1
}

func rankRows(name string, pair func(lead float64) (loss, slope float64), loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	if y.Values.Cols != pred.Cols {
		return fmt.Errorf("%s: targets of %d columns for an output of %d: %w", name, y.Values.Cols, pred.Cols, kernels.ErrShape)
	}
	weightOf := func(i int) float64 {
		if weights == nil {
			return 1
		}
		return float64(weights[i])
	}
	if pred.Cols != 1 {
		for i := range loss {
			loss[i] = float32(rankRow(pair, grad.Row(i), pred.Row(i), y.Values.Row(i), weightOf(i)))
		}
		return nil
	}
	for i := range loss {
		p, t, own := pred.Row(i)[0], y.Values.Row(i)[0], weightOf(i)
		sum, slopes, all := 0.0, 0.0, 0.0
		for j := range loss {
			if w := weightOf(j); y.Values.Row(j)[0] < t && w != 0 {
				l, slope := pair(float64(p) - float64(pred.Row(j)[0]))
				sum += float64(l * w)
				slopes += float64(slope * w)
				all += w
			}
		}
		if all == 0 {
			continue
		}
		if loss[i] = float32(sum / all); grad.Data == nil {
			continue
		}
		grad.Row(i)[0] += float32(slopes / all * own)
		for j := range loss {
			if w := weightOf(j); y.Values.Row(j)[0] < t && w != 0 {
				_, slope := pair(float64(p) - float64(pred.Row(j)[0]))
				grad.Row(j)[0] -= float32(slope * w / all * own)
			}
		}
	}
	return nil
}

// rankRow is a row of several columns.
func rankRow(pair func(lead float64) (loss, slope float64), g, p, t []float32, weight float64) float64 {
	sum, pairs := 0.0, 0.0
	for j := range p {
		for k := range p {
			if t[k] < t[j] {
				loss, _ := pair(float64(p[j]) - float64(p[k]))
				sum += float64(loss)
				pairs++
			}
		}
	}
	if pairs == 0 {
		clear(g)
		return 0
	}
	for j := range g {
		slopes := 0.0
		for k := range p {
			switch {
			case t[k] < t[j]:
				_, slope := pair(float64(p[j]) - float64(p[k]))
				slopes += float64(slope)
			case t[k] > t[j]:
				_, slope := pair(float64(p[k]) - float64(p[j]))
				slopes -= float64(slope)
			}
		}
		g[j] = float32(slopes / pairs * weight)
	}
	return sum / pairs
}
