package plan

import (
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Gelu implements [ops.Ops].
func (r *Recorder) Gelu(x *ops.Tensor) *ops.Tensor {
	return r.unary(operation{name: "gelu", run: func(t *kernels.Table, s *boundStep) error { return t.Gelu(s.y, s.x[0]) }}, x)
}
