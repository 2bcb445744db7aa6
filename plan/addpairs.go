package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// AddPairs implements [ops.Ops]; neither operand may be a constant unless both are. groups are those of one sample.
func (r *Recorder) AddPairs(a, b *ops.Tensor, groups int, act kernels.Activation) *ops.Tensor {
	if !r.accept("addpairs", a, b) {
		return &dead
	}
	err := ops.CheckAddPairs(a, b, groups)
	if err == nil && r.of(a).fixed != r.of(b).fixed {
		err = errMixed
	}
	if err != nil {
		r.fail(fmt.Errorf("addpairs: %w", err))
		return &dead
	}
	rows := a.Rows
	run := func(t *kernels.Table, s *boundStep) error {
		return ops.ComputeAddPairs(t, s.y, s.x[0], s.x[1], groups*(s.x[0].Rows/rows), act)
	}
	result := a.Rows * (b.Rows / groups)
	return r.record(operation{name: "addpairs", kind: apart, run: run, flops: 2 * result * a.Cols}, result, a.Cols, a, b)
}
