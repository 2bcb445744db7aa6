package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

type layerNormOp struct {
	x, gamma, beta, y *variable
	stats             kernels.Matrix // of the rows of x, for the gradient
}

// LayerNorm returns (x-mean)/√(variance+epsilon)·gamma + beta, with the mean and the variance of each row of x. gamma and beta
// are [1, x.Cols].
func (t *Tape) LayerNorm(x, gamma, beta *Tensor, epsilon float64) *Tensor {
	if !t.accept("LayerNorm", x, gamma, beta) {
		return &t.dead
	}
	if gamma.Rows != 1 || beta.Rows != 1 {
		t.fail(fmt.Errorf("autograd: LayerNorm: gamma is %dx%d, beta is %dx%d, x is %dx%d: %w",
			gamma.Rows, gamma.Cols, beta.Rows, beta.Cols, x.Rows, x.Cols, kernels.ErrShape))
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x, gamma, beta)
	var stats kernels.Matrix
	if y.needs {
		stats = t.matrix(x.Rows, 2)
	}
	t.check(t.table.LayerNorm(y.Matrix, x.Matrix, gamma.Row(0), beta.Row(0), float32(epsilon), stats))
	return record(t, y, layerNormOp{t.of(x), t.of(gamma), t.of(beta), y, stats})
}

func (o *layerNormOp) backward(t *Tape) error {
	var dx kernels.Matrix
	accumulate := false
	if o.x.needs {
		dx, accumulate = t.into(o.x)
	}
	for from := 0; from == 0 || from < o.x.Rows; from += rowsPerSum {
		rows := func(m kernels.Matrix) kernels.Matrix { return m.RowRange(from, min(from+rowsPerSum, m.Rows)) }
		part, dgamma, dbeta := dx, t.zero(o.gamma), t.zero(o.beta)
		if o.x.needs {
			part = rows(dx)
		}
		err := t.table.LayerNormGrad(part, dgamma.Data, dbeta.Data, rows(o.y.grad), rows(o.x.Matrix), o.gamma.Row(0), rows(o.stats), accumulate)
		if err == nil && o.gamma.needs {
			err = t.give(o.gamma, dgamma)
		}
		if err == nil && o.beta.needs {
			err = t.give(o.beta, dbeta)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// zero returns zeros in the shape of x for a sum to start from, or nothing if x needs no gradient.
func (t *Tape) zero(x *variable) kernels.Matrix {
	if !x.needs {
		return kernels.Matrix{}
	}
	m := t.matrix(x.Rows, x.Cols)
	clear(m.Data)
	return m
}
