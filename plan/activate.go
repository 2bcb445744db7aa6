package plan

import (
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Activate implements [ops.Ops].
func (r *Recorder) Activate(x *ops.Tensor, act kernels.Activation) *ops.Tensor {
	if !r.accept("activate", x) {
		return &dead
	}
	if act == kernels.Linear {
		return x
	}
	return r.record(operation{name: "activate", act: act, flops: x.Rows * x.Cols, run: func(t *kernels.Table, s *boundStep) error {
		return t.Activate(s.y, s.x[0], nil, s.act)
	}}, x.Rows, x.Cols, x)
}
