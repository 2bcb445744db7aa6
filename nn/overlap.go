package nn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// An overlap of predictions and targets is 1 - k·I / (k·I + more·F + less·M + 1e-7): I = Σ p·t is what both have, F = Σ
// p·(1-t) what only the predictions have and M = Σ t·(1-p) what only the targets have.
type overlap struct{ k, more, less float64 }

// of returns the loss of some rows together and, unless it has no data, fills grad with its gradient times the weight.
func (o overlap) of(grad, pred, target kernels.Matrix, weight float64) float64 {
	both, found, missed := 0.0, 0.0, 0.0
	for i := range pred.Rows {
		p, t := pred.Row(i), target.Row(i)
		for j := range p {
			p, t := float64(p[j]), float64(t[j])
			both += float64(p * t)
			found += float64(p * (1 - t))
			missed += float64(t * (1 - p))
		}
	}
	both = float64(both * o.k)
	whole := both + float64(o.more*found) + float64(o.less*missed) + kerasEpsilon
	if grad.Data != nil {
		for i := range grad.Rows {
			g := grad.Row(i)
			for j, t := range target.Row(i) {
				t := float64(t)
				own := float64(o.k * t)
				slope := own + float64(o.more*(1-t)) - float64(o.less*t)
				g[j] = float32((float64(both*slope) - float64(own*whole)) / whole / whole * weight)
			}
		}
	}
	return 1 - both/whole
}

// overlapBase is what losses of overlaps have.
type overlapBase struct {
	lossBase
	Axis axes `json:"axis"` // of a batch, that the overlap sums over; none stands for all of them
}

func (b *overlapBase) Targets() TargetKind { return Probabilities }

// isWhole reports whether the overlap is that of the whole batch.
func (b *overlapBase) isWhole() bool { return len(b.Axis) != 1 }

func (b *overlapBase) check(name string) error {
	if a := b.Axis; !(len(a) == 0 || slices.ContainsFunc([]axes{{1}, {-1}, {0, 1}, {0, -1}}, func(b axes) bool { return slices.Equal(a, b) })) {
		return fmt.Errorf("loss %s: axis %v: valid are null for the whole batch, -1 and 1 for each row", name, []int(b.Axis))
	}
	return b.lossBase.check(name)
}

// loss is that of f, which has the same value for all rows if it is whole.
func (b *overlapBase) loss(f ops.LossFunction, o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	if !b.isWhole() {
		return o.CustomLoss(f, out, y, rows)
	}
	sum := 1.0
	if rows != nil {
		sum = 0
		for _, w := range rows {
			sum += float64(w)
		}
	}
	return o.Scale(o.CustomLoss(f, out, y, nil), float32(sum))
}

// rows computes all rows of a batch. The weights of a whole one are all the same.
func (b *overlapBase) rows(name string, of overlap, loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	if y.Values.Cols != pred.Cols {
		return fmt.Errorf("%s: targets of %d columns for an output of %d: %w", name, y.Values.Cols, pred.Cols, kernels.ErrShape)
	}
	if b.isWhole() {
		one := float32(of.of(grad, pred, y.Values, 1))
		for i := range loss {
			loss[i] = one
		}
		return nil
	}
	for i := range loss {
		weight := 1.0
		if weights != nil {
			weight = float64(weights[i])
		}
		var g kernels.Matrix
		if grad.Data != nil {
			g = grad.RowRange(i, i+1)
		}
		loss[i] = float32(of.of(g, pred.RowRange(i, i+1), y.Values.RowRange(i, i+1), weight))
	}
	return nil
}

// A RowByRowOption is what RowByRow returns.
type RowByRowOption struct{}

// RowByRow gives each row of a [Dice] or [Tversky] loss a value of its own, in place of one for the whole batch.
func RowByRow() RowByRowOption { return RowByRowOption{} }

func (RowByRowOption) applyLoss(f *lossFields) error { return setField(&f.axis, axes{-1}, "RowByRow") }

type dice struct{ overlapBase }

type tversky struct {
	overlapBase
	Alpha float64 `json:"alpha"`
	Beta  float64 `json:"beta"`
}

func init() {
	Register("Dice", dice{overlapBase{usualLoss, nil}})
	alias[Loss]("Dice", "dice")
	Register("Tversky", tversky{overlapBase{usualLoss, nil}, 0.5, 0.5})
	alias[Loss]("Tversky", "tversky")
}

// Dice is 1 - 2·Σ t·p / (Σ t + Σ p + 1e-7) over all rows and columns of a batch (Milletari et al., arXiv:1606.04797): a loss
// for few positives among many negatives, with probabilities as targets. It has one value for the batch, which counts as often
// as the rows' weights say; they do not weigh what is within the sums. See [RowByRow].
func Dice(opts ...LossOption) Loss {
	d := &dice{overlapBase{usualLoss, nil}}
	d.apply(lossFields{axis: &d.Axis}, opts)
	return d
}

func (d *dice) Name() string       { return "dice" }
func (d *dice) Check(Output) error { return d.check(d.Name()) }

func (d *dice) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return d.loss(d, o, out, y, rows)
}

// Rows implements [ops.LossFunction].
func (d *dice) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return d.rows(d.Name(), overlap{2, 1, 1}, loss, grad, pred, y, weights)
}

// Tversky is 1 - I / (I + alpha·M + beta·F + 1e-7) over all rows and columns of a batch, with I = Σ t·p, M = Σ t·(1-p) for
// what is missed, and F = Σ (1-t)·p for what is wrongly found (Salehi et al., arXiv:1706.05721, whose alpha and beta are the
// other way round). So it is in Keras up to 3.15; later versions have followed the paper. Alpha and beta are 0.5 there unless
// they are told: that is [Dice]. The loss has one value for the batch, as [Dice] has.
func Tversky(alpha, beta float64, opts ...LossOption) Loss {
	t := &tversky{overlapBase{usualLoss, nil}, alpha, beta}
	t.apply(lossFields{axis: &t.Axis}, opts)
	return t
}

func (t *tversky) Name() string { return "tversky" }

func (t *tversky) Check(Output) error {
	return errors.Join(t.check(t.Name()), checkParameter(t.Name(), "alpha", t.Alpha, 0), checkParameter(t.Name(), "beta", t.Beta, 0))
}

func (t *tversky) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return t.loss(t, o, out, y, rows)
}

// Rows implements [ops.LossFunction].
func (t *tversky) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return t.rows(t.Name(), overlap{1, t.Beta, t.Alpha}, loss, grad, pred, y, weights)
}
