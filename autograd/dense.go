package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

type denseOp struct {
	x, w, b, y *Tensor
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
		y.needs = y.needs || b.needs
		e.Bias = b.Row(0)
	}
	t.check(t.table.Gemm(&t.scratch, y.Matrix, x.Matrix, w.Matrix, e))
	o := t.denses.get()
	*o = denseOp{x, w, b, y, act}
	return t.record(o, y)
}

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
	if err := t.table.ActivateGrad(dz, db, dz, o.y.Matrix, o.act, false); err != nil {
		return err
	}
	if o.w.needs {
		g, accumulate := t.into(o.w)
		if err := t.table.GemmTN(&t.scratch, g, o.x.Matrix, dz, kernels.Epilogue{Accumulate: accumulate}); err != nil {
			return err
		}
	}
	if o.x.needs {
		g, accumulate := t.into(o.x)
		return t.table.GemmNT(&t.scratch, g, dz, o.w.Matrix, kernels.Epilogue{Accumulate: accumulate})
	}
	return nil
}
