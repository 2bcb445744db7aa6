package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// MaskScores implements [ops.Ops]; neither operand may be a constant unless both are. groups are those of one sample.
func (r *Recorder) MaskScores(x, keys *ops.Tensor, groups, heads int, w ops.Window) *ops.Tensor {
	operands := []*ops.Tensor{x, keys}
	if keys == nil {
		operands = operands[:1]
	}
	if !r.accept("mask scores", operands...) {
		return &dead
	}
	err := ops.CheckMaskScores(x, keys, groups, heads)
	if err == nil && keys != nil && r.of(x).fixed != r.of(keys).fixed {
		err = errMixed
	}
	if err != nil {
		r.fail(fmt.Errorf("mask scores: %w", err))
		return &dead
	}
	rows := x.Rows
	run := func(_ *kernels.Table, s *boundStep) error {
		var mask kernels.Matrix
		if len(s.x) > 1 {
			mask = s.x[1]
		}
		ops.ComputeMaskScores(s.y, s.x[0], mask, groups*(s.y.Rows/rows), heads, w)
		return nil
	}
	return r.record(operation{name: "mask scores", kind: apart, run: run, flops: x.Rows * x.Cols}, x.Rows, x.Cols, operands...)
}
