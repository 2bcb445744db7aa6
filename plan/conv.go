package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Conv implements [ops.Ops]; w and b must be constants.
func (r *Recorder) Conv(x, w, b *ops.Tensor, v kernels.Window, act kernels.Activation) *ops.Tensor {
	operands := r.convOperands("conv", x, w, b, &v, v.Elements(), act)
	if operands == nil {
		return &dead
	}
	run := func(t *kernels.Table, s *boundStep) error {
		w := s.w
		if w == nil { // of constants
			w = new(kernels.PackedB)
			if err := t.Pack(w, s.x[1], biasOf(s.x)); err != nil {
				return err
			}
		}
		return t.Conv(s.scratch, s.y, s.x[0], &v, w, s.act)
	}
	o := operation{name: "conv", kind: convolution, act: act, run: run, flops: 2 * v.Places() * v.Elements() * w.Cols}
	return r.record(o, x.Rows*v.Places(), w.Cols, operands...)
}

// Depthwise implements [ops.Ops]; w and b must be constants.
func (r *Recorder) Depthwise(x, w, b *ops.Tensor, v kernels.Window, act kernels.Activation) *ops.Tensor {
	operands := r.convOperands("depthwise", x, w, b, &v, v.Size[0]*v.Size[1], act)
	if operands == nil {
		return &dead
	}
	run := func(t *kernels.Table, s *boundStep) error {
		return t.Depthwise(s.scratch, s.y, s.x[0], &v, s.x[1], biasOf(s.x), s.act)
	}
	return r.record(operation{name: "depthwise", kind: depthwise, act: act, run: run, flops: 2 * v.Places() * v.Elements()}, x.Rows*v.Places(), v.Channels, operands...)
}

// convOperands returns the operands of a convolution whose weights have so many rows, or nil if they do not fit.
func (r *Recorder) convOperands(name string, x, w, b *ops.Tensor, v *kernels.Window, rows int, act kernels.Activation) []*ops.Tensor {
	operands := []*ops.Tensor{x, w}
	if b != nil {
		operands = append(operands, b)
	}
	if !r.acceptWindow(name, x, v) || !r.accept(name, operands...) {
		return nil
	}
	switch {
	case !r.of(w).fixed || b != nil && !r.of(b).fixed:
		r.fail(fmt.Errorf("%s: w and b must be constants", name))
	case w.Rows != rows || b != nil && (b.Rows != 1 || b.Cols != w.Cols):
		r.fail(fmt.Errorf("%s: w is %dx%d, must have %d rows, and b one of as many columns: %w", name, w.Rows, w.Cols, rows, kernels.ErrShape))
	case act > kernels.Tanh:
		r.fail(fmt.Errorf("%s: unknown activation %d", name, act))
	default:
		return operands
	}
	return nil
}

// biasOf returns the bias among the operands of a convolution, nil if there is none.
func biasOf(x []kernels.Matrix) []float32 {
	if len(x) < 3 {
		return nil
	}
	return x[2].Row(0)
}
