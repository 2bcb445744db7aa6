package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// RMSNorm implements [ops.Ops]; gamma must be a constant.
func (r *Recorder) RMSNorm(x, gamma *ops.Tensor, epsilon float64) *ops.Tensor {
	if !r.accept("rmsnorm", x, gamma) {
		return &dead
	}
	if !r.of(gamma).fixed || gamma.Rows != 1 || gamma.Cols != x.Cols {
		r.fail(fmt.Errorf("rmsnorm: x is %dx%d, gamma %dx%d; gamma must be a constant: %w", x.Rows, x.Cols, gamma.Rows, gamma.Cols, kernels.ErrShape))
		return &dead
	}
	run := func(t *kernels.Table, s *boundStep) error {
		return ops.ComputeRMSNorm(t, s.y, s.x[0], s.x[1].Row(0), epsilon, nil)
	}
	return r.record(operation{name: "rmsnorm", kind: apart, run: run, flops: 4 * x.Rows * x.Cols}, x.Rows, x.Cols, x, gamma)
}
