package autograd

import (
	"cmp"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

type denseOp struct {
	x, w, b, y *variable
	act        kernels.Activation
}

// Dense returns act(x·w + b): x is [rows, in], w [in, out], b [1, out] or nil for none.
func (t *Tape) Dense(x, w, b *Tensor, act kernels.Activation) *Tensor {
	if !t.accept("Dense", x, w) || b != nil && !t.accept("Dense", b) {
		return &t.dead
	}
	y := t.result(x.Rows, w.Cols, x, w)
	e := kernels.Epilogue{Act: act}
	if b != nil {
		if b.Rows != 1 || b.Cols != w.Cols {
			t.fail(fmt.Errorf("autograd: Dense: the bias is %dx%d, the weights are %dx%d: %w", b.Rows, b.Cols, w.Rows, w.Cols, kernels.ErrShape))
			return &t.dead
		}
		y.needs = y.needs || t.of(b).needs
		e.Bias = b.Row(0)
	}
	t.check(t.table.Gemm(&t.scratch, y.Matrix, x.Matrix, w.Matrix, e))
	return record(t, y, denseOp{t.of(x), t.of(w), t.of(b), y, act})
}

// rowsPerSum is how many rows of a batch one chain of float32 additions takes. In a chain of 2²⁴ ones the next one changes
// nothing, so a larger batch is summed in parts of this size.
const rowsPerSum = 1 << 16

func (o *denseOp) backward(t *Tape) error {
	dz := o.y.grad // nothing needs dy after this, so its memory takes dz
	var db []float32
	if o.b != nil && o.b.needs {
		g, accumulate := t.into(o.b)
		db = g.Row(0)
		if !accumulate {
			clear(db)
		}
	}
	var dw kernels.Matrix
	accumulate := false
	if o.w.needs {
		dw, accumulate = t.into(o.w)
	}
	if err := o.weights(t, dw, db, dz.RowRange(0, min(dz.Rows, rowsPerSum)), 0, accumulate); err != nil {
		return err
	}
	for from := rowsPerSum; from < dz.Rows; from += rowsPerSum {
		w, b := t.matrix(dw.Rows, dw.Cols), t.matrix(1, len(db))
		clear(b.Data)
		if err := o.weights(t, w, b.Data, dz.RowRange(from, min(dz.Rows, from+rowsPerSum)), from, false); err != nil {
			return err
		}
		if err := cmp.Or(t.table.Add(dw, dw, w), t.table.Add(kernels.MatrixOf(db, 1, len(db)), kernels.MatrixOf(db, 1, len(db)), b)); err != nil {
			return err
		}
	}
	if o.x.needs {
		g, accumulate := t.into(o.x)
		return t.table.GemmNT(&t.scratch, g, dz, o.w.Matrix, kernels.Epilogue{Accumulate: accumulate})
	}
	return nil
}

// weights turns some rows of dy into those of dz and computes what they add to the gradients of the weights and the bias,
// or of those that have one. The first row is number from.
func (o *denseOp) weights(t *Tape, dw kernels.Matrix, db []float32, dz kernels.Matrix, from int, accumulate bool) error {
	if len(db) == 0 {
		db = nil
	}
	if err := t.table.ActivateGrad(dz, db, dz, o.y.RowRange(from, from+dz.Rows), o.act, false); err != nil || !o.w.needs {
		return err
	}
	return t.table.GemmTN(&t.scratch, dw, o.x.RowRange(from, from+dz.Rows), dz, kernels.Epilogue{Accumulate: accumulate})
}
