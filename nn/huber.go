package nn

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type huber struct {
	lossBase
	Delta float64 `json:"delta"`
}

func init() {
	Register("Huber", huber{usualLoss, 1})
	alias[Loss]("Huber", "huber")
}

// Huber is the mean over the columns of d²/2 where the error d = p - t is at most delta, and of delta·(|d| - delta/2) beyond
// (Huber, "Robust Estimation of a Location Parameter", 1964). Far off it grows like [MAE], so that outliers pull no more
// than others do, and near the target it is as smooth as [MSE]. Keras' delta is 1 unless it is told.
func Huber(delta float64, opts ...LossOption) Loss {
	h := &huber{usualLoss, delta}
	h.apply(lossFields{}, opts)
	return h
}

func (h *huber) Name() string        { return "huber_loss" }
func (h *huber) Targets() TargetKind { return Numbers }

func (h *huber) Check(Output) error {
	if !(float32(h.Delta) > 0 && h.Delta <= math.MaxFloat32) {
		return fmt.Errorf("loss huber_loss: delta %v must be positive and finite in float32", h.Delta)
	}
	return h.check(h.Name())
}

func (h *huber) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return o.CustomLoss(h, out, y, rows)
}

// Rows implements [ops.LossFunction].
func (h *huber) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rowFormula(h.row).rows(h.Name(), 1, loss, grad, pred, y, weights)
}

func (h *huber) row(g, p, t []float32, weight float64) float64 {
	n, sum := float64(len(p)), 0.0
	for j := range p {
		d := float64(p[j]) - float64(t[j])
		slope := max(-h.Delta, min(d, h.Delta))
		sum += float64(slope * (d - slope/2)) // is d²/2 where the slope is d
		if g != nil {
			g[j] = float32(slope * weight / n)
		}
	}
	return sum / n
}
