package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// MaskScores implements [ops.Ops]; an operand may only be a constant if all are. groups are those of one sample.
func (r *Recorder) MaskScores(x, queries, keys *ops.Tensor, groups, heads int, w ops.Band) *ops.Tensor {
	operands := []*ops.Tensor{x}
	var at [2]int // of the masks among the operands
	for i, m := range [...]*ops.Tensor{queries, keys} {
		if m != nil {
			at[i] = len(operands)
			operands = append(operands, m)
		}
	}
	if !r.accept("maskscores", operands...) {
		return &dead
	}
	err := ops.CheckMaskScores(x, queries, keys, groups, heads)
	for _, m := range operands {
		if err == nil && r.of(m).fixed != r.of(x).fixed {
			err = errMixed
		}
	}
	if err != nil {
		r.fail(fmt.Errorf("maskscores: %w", err))
		return &dead
	}
	rows := x.Rows
	run := func(_ *kernels.Table, s *boundStep) error {
		var masks [2]kernels.Matrix
		for i, j := range at {
			if j > 0 {
				masks[i] = s.x[j]
			}
		}
		ops.ComputeMaskScores(s.y, s.x[0], masks[0], masks[1], groups*(s.y.Rows/rows), heads, w)
		return nil
	}
	return r.record(operation{name: "maskscores", kind: apart, run: run, flops: x.Rows * x.Cols}, x.Rows, x.Cols, operands...)
}
