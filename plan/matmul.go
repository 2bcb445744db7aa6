package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// MatMul implements [ops.Ops]; neither operand may be a constant unless both are. groups are those of one sample.
func (r *Recorder) MatMul(a, b *ops.Tensor, groups, heads int, transposed bool) *ops.Tensor {
	if !r.accept("matmul", a, b) {
		return &dead
	}
	cols, err := ops.MatMulCols(a, b, groups, heads, transposed)
	if err == nil && r.of(a).fixed != r.of(b).fixed {
		err = errMixed
	}
	if err != nil {
		r.fail(fmt.Errorf("matmul: %w", err))
		return &dead
	}
	product := (*kernels.Table).Gemm
	if transposed {
		product = (*kernels.Table).GemmNT
	}
	rows := a.Rows
	run := func(t *kernels.Table, s *boundStep) error {
		return ops.ComputeMatMul(t, s.scratch, product, s.y, s.x[0], s.x[1], groups*(s.y.Rows/rows), heads, kernels.Epilogue{})
	}
	return r.record(operation{name: "matmul", kind: apart, run: run, flops: 2 * a.Rows * a.Cols / heads * cols}, a.Rows, cols, a, b)
}
