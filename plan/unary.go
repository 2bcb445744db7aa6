package plan

import (
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Unary implements [ops.Ops]. The name has the parameters, so that share does not take two for the same function.
func (r *Recorder) Unary(x *ops.Tensor, f kernels.Unary) *ops.Tensor {
	return r.unary(operation{name: f.String(), run: func(t *kernels.Table, s *boundStep) error { return t.Unary(s.y, s.x[0], f) }}, x)
}
