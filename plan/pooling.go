package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Patches implements [ops.Ops].
func (r *Recorder) Patches(x *ops.Tensor, v kernels.Window) *ops.Tensor {
	return r.window("patches", x, &v, v.Elements(), func(t *kernels.Table, s *boundStep) error { return t.Patches(s.y, s.x[0], &v) })
}

// MaxPool implements [ops.Ops].
func (r *Recorder) MaxPool(x *ops.Tensor, v kernels.Window) *ops.Tensor {
	return r.window("maxpool", x, &v, v.Channels, func(t *kernels.Table, s *boundStep) error { return t.MaxPool(s.scratch, s.y, s.x[0], &v) })
}

// AveragePool implements [ops.Ops].
func (r *Recorder) AveragePool(x *ops.Tensor, v kernels.Window) *ops.Tensor {
	return r.window("averagepool", x, &v, v.Channels, func(t *kernels.Table, s *boundStep) error { return t.AveragePool(s.y, s.x[0], &v) })
}

func (r *Recorder) window(name string, x *ops.Tensor, v *kernels.Window, cols int, run func(t *kernels.Table, s *boundStep) error) *ops.Tensor {
	if !r.acceptWindow(name, x, v) {
		return &dead
	}
	return r.record(operation{name: name, kind: apart, run: run, flops: v.Places() * v.Elements()}, x.Rows*v.Places(), cols, x)
}

// acceptWindow is accept for an operation that moves a window over the images x.
func (r *Recorder) acceptWindow(name string, x *ops.Tensor, v *kernels.Window) bool {
	if !r.accept(name, x) {
		return false
	}
	if err := v.Check(); err != nil {
		r.fail(fmt.Errorf("%s: %w", name, err))
		return false
	}
	if image := v.In[0] * v.In[1] * v.Channels; x.Cols != image {
		r.fail(fmt.Errorf("%s: x is %dx%d, an image of %dx%dx%d has %d columns: %w", name, x.Rows, x.Cols, v.In[0], v.In[1], v.Channels, image, kernels.ErrShape))
		return false
	}
	return true
}
