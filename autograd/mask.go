package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Unequal returns a [rows, 1] tensor: 1 for each row of x that has an element other than value, 0 for the others. It carries
// no gradient.
func (t *Tape) Unequal(x *Tensor, value float32) *Tensor {
	if !t.accept("Unequal", x) {
		return &t.dead
	}
	y := t.result(x.Rows, 1)
	ops.ComputeUnequal(y.Matrix, x.Matrix, value)
	return &y.Tensor
}

type maskRowsOp struct{ x, mask, y *variable }

// MaskRows returns x with zeros in the rows for which mask [rows, 1] has 0. No gradient reaches the mask.
func (t *Tape) MaskRows(x, mask *Tensor) *Tensor {
	if !t.accept("MaskRows", x, mask) {
		return &t.dead
	}
	if mask.Rows != x.Rows || mask.Cols != 1 {
		t.fail(fmt.Errorf("autograd: MaskRows: the mask is %dx%d, x is %dx%d: %w", mask.Rows, mask.Cols, x.Rows, x.Cols, kernels.ErrShape))
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	ops.ComputeMaskRows(y.Matrix, x.Matrix, mask.Matrix)
	return record(t, y, maskRowsOp{t.of(x), t.of(mask), y})
}

func (o *maskRowsOp) backward(t *Tape) error {
	ops.ComputeMaskRows(o.y.grad, o.y.grad, o.mask.Matrix) // nothing needs dy after this
	return t.give(o.x, o.y.grad)
}
