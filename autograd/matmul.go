package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type matMulOp struct {
	a, b, y       *variable
	groups, heads int
	transposed    bool
}

// MatMul returns a·b, or a·bᵀ if transposed is set, of groups times heads pairs of matrices: groups of them lie below each
// other in a, b and the result, and heads of them side by side in a group.
func (t *Tape) MatMul(a, b *Tensor, groups, heads int, transposed bool) *Tensor {
	if !t.accept("MatMul", a, b) {
		return &t.dead
	}
	cols, err := ops.MatMulCols(a, b, groups, heads, transposed)
	if err != nil {
		t.fail(fmt.Errorf("autograd: MatMul: %w", err))
		return &t.dead
	}
	y := t.result(a.Rows, cols, a, b)
	product := (*kernels.Table).Gemm
	if transposed {
		product = (*kernels.Table).GemmNT
	}
	t.check(ops.ComputeMatMul(t.table, &t.scratch, product, y.Matrix, a.Matrix, b.Matrix, groups, heads, kernels.Epilogue{}))
	return record(t, y, matMulOp{t.of(a), t.of(b), y, groups, heads, transposed})
}

func (o *matMulOp) backward(t *Tape) error {
	// Of y = a·b the gradients are dy·bᵀ and aᵀ·dy, of y = a·bᵀ they are dy·b and dyᵀ·a.
	byA, left, right := (*kernels.Table).GemmNT, o.a.Matrix, o.y.grad
	if o.transposed {
		byA, left, right = (*kernels.Table).Gemm, o.y.grad, o.a.Matrix
	}
	if o.a.needs {
		if err := o.gradient(t, byA, o.a, o.y.grad, o.b.Matrix); err != nil {
			return err
		}
	}
	if o.b.needs {
		return o.gradient(t, (*kernels.Table).GemmTN, o.b, left, right)
	}
	return nil
}

// gradient makes a product the gradient of x, or adds it.
func (o *matMulOp) gradient(t *Tape, product ops.Product, x *variable, left, right kernels.Matrix) error {
	g, accumulate := t.into(x)
	return ops.ComputeMatMul(t.table, &t.scratch, product, g, left, right, o.groups, o.heads, kernels.Epilogue{Accumulate: accumulate})
}
