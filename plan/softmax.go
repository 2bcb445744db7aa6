package plan

import (
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Softmax implements [ops.Ops].
func (r *Recorder) Softmax(x *ops.Tensor) *ops.Tensor {
	return r.unary(operation{name: "softmax", kind: rowwise, run: func(t *kernels.Table, s *boundStep) error { return t.Softmax(s.y, s.x[0]) }}, x)
}

// LogSoftmax implements [ops.Ops].
func (r *Recorder) LogSoftmax(x *ops.Tensor) *ops.Tensor {
	return r.unary(operation{name: "log_softmax", kind: rowwise, run: func(t *kernels.Table, s *boundStep) error { return t.LogSoftmax(s.y, s.x[0]) }}, x)
}

// Sparsemax implements [ops.Ops].
func (r *Recorder) Sparsemax(x *ops.Tensor) *ops.Tensor {
	return r.unary(operation{name: "sparsemax", kind: rowwise, run: func(t *kernels.Table, s *boundStep) error { return t.Sparsemax(s.y, s.x[0]) }}, x)
}
