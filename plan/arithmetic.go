package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Add implements [ops.Ops].
func (r *Recorder) Add(a, b *ops.Tensor) *ops.Tensor {
	return r.binary(operation{name: "add", run: func(t *kernels.Table, s *boundStep) error { return t.Add(s.y, s.x[0], s.x[1]) }}, a, b)
}

// Multiply implements [ops.Ops].
func (r *Recorder) Multiply(a, b *ops.Tensor) *ops.Tensor {
	return r.binary(operation{name: "multiply", run: func(t *kernels.Table, s *boundStep) error { return t.Mul(s.y, s.x[0], s.x[1]) }}, a, b)
}

// Maximum implements [ops.Ops].
func (r *Recorder) Maximum(a, b *ops.Tensor) *ops.Tensor {
	return r.binary(operation{name: "maximum", run: func(t *kernels.Table, s *boundStep) error { return t.Maximum(s.y, s.x[0], s.x[1]) }}, a, b)
}

// Minimum implements [ops.Ops].
func (r *Recorder) Minimum(a, b *ops.Tensor) *ops.Tensor {
	return r.binary(operation{name: "minimum", run: func(t *kernels.Table, s *boundStep) error { return t.Minimum(s.y, s.x[0], s.x[1]) }}, a, b)
}

// Scale implements [ops.Ops].
func (r *Recorder) Scale(x *ops.Tensor, alpha float32) *ops.Tensor {
	return r.unary(operation{name: "scale", linear: &linear{alpha: alpha}, run: func(t *kernels.Table, s *boundStep) error { return t.Scale(s.y, s.x[0], alpha) }}, x)
}

// binary records a function of two alike tensors.
func (r *Recorder) binary(o operation, a, b *ops.Tensor) *ops.Tensor {
	if !r.alike(o.name, a, b) {
		return &dead
	}
	o.flops = a.Rows * a.Cols
	return r.record(o, a.Rows, a.Cols, a, b)
}

// alike reports operands that have not one shape.
func (r *Recorder) alike(name string, a, b *ops.Tensor) bool {
	if r.accept(name, a, b) && (a.Rows != b.Rows || a.Cols != b.Cols) {
		r.fail(fmt.Errorf("%s: operands are %dx%d and %dx%d: %w", name, a.Rows, a.Cols, b.Rows, b.Cols, kernels.ErrShape))
	}
	return r.err == nil
}
