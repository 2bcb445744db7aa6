package plan

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Dense implements [ops.Ops]; w and b must be constants.
func (r *Recorder) Dense(x, w, b *ops.Tensor, act kernels.Activation) *ops.Tensor {
	operands := []*ops.Tensor{x, w, b}
	if b == nil {
		operands = operands[:2]
	}
	if !r.accept("dense", operands...) {
		return &dead
	}
	for _, c := range operands[1:] {
		if !r.of(c).fixed {
			r.fail(errors.New("dense: weights must be constants"))
		}
	}
	if x.Cols != w.Rows || b != nil && (b.Rows != 1 || b.Cols != w.Cols) {
		r.fail(fmt.Errorf("dense: x is %dx%d, the weights are %dx%d: %w", x.Rows, x.Cols, w.Rows, w.Cols, kernels.ErrShape))
		return &dead
	}
	return r.record(operation{name: "dense", kind: product, act: act, run: multiply, flops: 2 * x.Rows * x.Cols * w.Cols}, x.Rows, w.Cols, operands...)
}

// multiply computes a product of constants; a step has its weights packed.
func multiply(t *kernels.Table, s *boundStep) error {
	e := kernels.Epilogue{Act: s.act}
	if len(s.x) > 2 {
		e.Bias = s.x[2].Row(0)
	}
	return t.Gemm(nil, s.y, s.x[0], s.x[1], e)
}
