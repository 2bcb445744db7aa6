package autograd

import (
	"cmp"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type rmsNormOp struct {
	x, gamma, y *variable
	inverse     []float32 // 1/√(mean of x²+epsilon) of each row
}

// RMSNorm returns x/√(mean of x²+epsilon)·gamma, with the mean over each row (Zhang and Sennrich, arXiv:1910.07467). gamma is
// [1, columns of x].
func (t *Tape) RMSNorm(x, gamma *Tensor, epsilon float64) *Tensor {
	if !t.accept("RMSNorm", x, gamma) {
		return &t.dead
	}
	if gamma.Rows != 1 || gamma.Cols != x.Cols {
		t.fail(fmt.Errorf("autograd: RMSNorm: gamma is %dx%d, x is %dx%d: %w", gamma.Rows, gamma.Cols, x.Rows, x.Cols, kernels.ErrShape))
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x, gamma)
	inverse := t.arena.alloc(x.Rows)
	t.check(ops.ComputeRMSNorm(t.table, y.Matrix, x.Matrix, gamma.Row(0), epsilon, inverse))
	return record(t, y, rmsNormOp{t.of(x), t.of(gamma), y, inverse})
}

// backward computes, with x̂ = x·inverse and g = dy·gamma, dx = (g - x̂·mean(g·x̂))·inverse with the mean over the row, and
// gives gamma the sum of dy·x̂ over the rows.
func (o *rmsNormOp) backward(t *Tape) error {
	dy := o.y.grad
	normal, terms := t.matrix(dy.Rows, dy.Cols), t.matrix(dy.Rows, dy.Cols)
	for i, s := range o.inverse {
		if err := t.table.Scale(normal.RowRange(i, i+1), o.x.RowRange(i, i+1), s); err != nil {
			return err
		}
	}
	if err := t.table.Mul(terms, dy, normal); err != nil {
		return err
	}
	if o.gamma.needs {
		if err := t.giveSum(o.gamma, terms); err != nil {
			return err
		}
	}
	if !o.x.needs {
		return nil
	}
	sums := t.arena.alloc(dy.Rows)
	if err := cmp.Or(
		ops.ComputeAffine(t.table, terms, terms, o.gamma.Row(0), nil),
		t.table.RowSum(sums, terms),
		ops.ComputeAffine(t.table, dy, dy, o.gamma.Row(0), nil), // nothing needs dy after this
	); err != nil {
		return err
	}
	for i, s := range o.inverse {
		g := dy.RowRange(i, i+1)
		if err := cmp.Or(t.table.Axpy(g, -sums[i]/float32(dy.Cols), normal.RowRange(i, i+1)), t.table.Scale(g, g, s)); err != nil {
			return err
		}
	}
	return t.give(o.x, dy)
}
