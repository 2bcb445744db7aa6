package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type affineOp struct{ x, scale, shift, y *variable }

// Affine returns x[i,j]·scale[j] + shift[j]: scale and shift are [1, columns of x], nil for a scale of 1 or a shift of 0. The
// product is rounded before the sum.
func (t *Tape) Affine(x, scale, shift *Tensor) *Tensor {
	if !t.accept("Affine", x) {
		return &t.dead
	}
	scales, shifts := t.columns("Affine", "scale", scale, x), t.columns("Affine", "shift", shift, x)
	if t.err != nil {
		return &t.dead
	}
	if scale == nil && shift == nil {
		return x
	}
	y := t.result(x.Rows, x.Cols, x)
	for _, p := range [2]*Tensor{scale, shift} {
		y.needs = y.needs || p != nil && t.of(p).needs
	}
	t.check(ops.ComputeAffine(t.table, y.Matrix, x.Matrix, scales, shifts))
	return record(t, y, affineOp{t.of(x), t.of(scale), t.of(shift), y})
}

// columns returns the elements of p, which has one for each column of x, or nil if p is.
func (t *Tape) columns(op, name string, p, x *Tensor) []float32 {
	switch {
	case p == nil:
		return nil
	case t.of(p) == nil:
		t.fail(fmt.Errorf("autograd: %s: the %s is not on this tape", op, name))
		return nil
	case p.Rows != 1 || p.Cols != x.Cols:
		t.fail(fmt.Errorf("autograd: %s: the %s is %dx%d, x is %dx%d: %w", op, name, p.Rows, p.Cols, x.Rows, x.Cols, kernels.ErrShape))
		return nil
	}
	return p.Row(0)
}

func (o *affineOp) backward(t *Tape) error {
	dy := o.y.grad
	if o.scale != nil && o.scale.needs {
		terms := t.matrix(dy.Rows, dy.Cols)
		if err := t.table.Mul(terms, dy, o.x.Matrix); err != nil {
			return err
		}
		if err := t.giveSum(o.scale, terms); err != nil {
			return err
		}
	}
	if o.shift != nil && o.shift.needs {
		if err := t.giveSum(o.shift, dy); err != nil {
			return err
		}
	}
	if !o.x.needs {
		return nil
	}
	if o.scale != nil { // nothing needs dy after this, so its memory takes dx
		if err := ops.ComputeAffine(t.table, dy, dy, o.scale.Row(0), nil); err != nil {
			return err
		}
	}
	return t.give(o.x, dy)
}

// giveSum adds the sums of the columns of g to the gradient of x, one row.
func (t *Tape) giveSum(x *variable, g kernels.Matrix) error {
	into, accumulate := t.into(x)
	return t.sumColumns(into, g, accumulate)
}

// sumColumns sets y, one row, to the sums of the columns of x, or adds them. It sums in parts, see [rowsPerSum].
func (t *Tape) sumColumns(y, x kernels.Matrix, accumulate bool) error {
	if err := t.table.ColSum(y.Row(0), x.RowRange(0, min(x.Rows, rowsPerSum)), accumulate); err != nil {
		return err
	}
	for from := rowsPerSum; from < x.Rows; from += rowsPerSum {
		part := t.matrix(1, x.Cols)
		if err := t.table.ColSum(part.Data, x.RowRange(from, min(x.Rows, from+rowsPerSum)), false); err != nil {
			return err
		}
		if err := t.table.Add(y, y, part); err != nil {
			return err
		}
	}
	return nil
}
