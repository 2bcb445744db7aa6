package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Unequal implements [ops.Ops].
func (r *Recorder) Unequal(x *ops.Tensor, value float32) *ops.Tensor {
	if !r.accept("unequal", x) {
		return &dead
	}
	run := func(_ *kernels.Table, s *boundStep) error {
		ops.ComputeUnequal(s.y, s.x[0], value)
		return nil
	}
	return r.record(operation{name: "unequal", kind: apart, run: run, flops: x.Rows * x.Cols}, x.Rows, 1, x)
}

// MaskRows implements [ops.Ops].
func (r *Recorder) MaskRows(x, mask *ops.Tensor) *ops.Tensor {
	if !r.accept("mask", x, mask) {
		return &dead
	}
	if mask.Rows != x.Rows || mask.Cols != 1 {
		r.fail(fmt.Errorf("mask: the mask is %dx%d, x is %dx%d: %w", mask.Rows, mask.Cols, x.Rows, x.Cols, kernels.ErrShape))
		return &dead
	}
	run := func(_ *kernels.Table, s *boundStep) error {
		ops.ComputeMaskRows(s.y, s.x[0], s.x[1])
		return nil
	}
	return r.record(operation{name: "mask", kind: apart, run: run, flops: x.Rows * x.Cols}, x.Rows, x.Cols, x, mask)
}
