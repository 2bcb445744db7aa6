package plan

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Affine implements [ops.Ops]; scale and shift must be constants. A product before or behind it takes it in where it can.
func (r *Recorder) Affine(x, scale, shift *ops.Tensor) *ops.Tensor {
	operands := []*ops.Tensor{x}
	for _, p := range []*ops.Tensor{scale, shift} {
		if p != nil {
			operands = append(operands, p)
		}
	}
	if !r.accept("affine", operands...) {
		return &dead
	}
	for _, p := range operands[1:] {
		if !r.of(p).fixed {
			r.fail(errors.New("affine: scale and shift must be constants"))
			return &dead
		}
		if p.Rows != 1 || p.Cols != x.Cols {
			r.fail(fmt.Errorf("affine: x is %dx%d, scale or shift is %dx%d: %w", x.Rows, x.Cols, p.Rows, p.Cols, kernels.ErrShape))
			return &dead
		}
	}
	if len(operands) == 1 {
		return x
	}
	run := func(t *kernels.Table, s *boundStep) error {
		var scales, shifts []float32
		if scale != nil {
			scales = s.x[1].Row(0)
		}
		if shift != nil {
			shifts = s.x[len(s.x)-1].Row(0)
		}
		return ops.ComputeAffine(t, s.y, s.x[0], scales, shifts)
	}
	o := operation{name: "affine", kind: rowwise, linear: &linear{1, r.of(scale), r.of(shift)}, run: run, flops: 2 * x.Rows * x.Cols}
	return r.record(o, x.Rows, x.Cols, operands...)
}
