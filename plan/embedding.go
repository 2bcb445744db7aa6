package plan

import (
	"errors"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Embedding implements [ops.Ops]; w must be a constant.
func (r *Recorder) Embedding(x, w *ops.Tensor) *ops.Tensor {
	if !r.accept("embed", x, w) {
		return &dead
	}
	if !r.of(w).fixed {
		r.fail(errors.New("embed: weights must be constants"))
	}
	return r.record(operation{name: "embed", kind: embedding, run: func(t *kernels.Table, s *boundStep) error {
		return t.Gather(s.y, s.x[0], s.x[1])
	}}, x.Rows, x.Cols*w.Cols, x, w)
}
