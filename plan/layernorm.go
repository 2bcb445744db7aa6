package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// LayerNorm implements [ops.Ops].
func (r *Recorder) LayerNorm(x, gamma, beta *ops.Tensor, epsilon float64) *ops.Tensor {
	if !r.accept("layernorm", x, gamma, beta) {
		return &dead
	}
	for _, p := range []*ops.Tensor{gamma, beta} {
		if !r.of(p).fixed || p.Rows != 1 || p.Cols != x.Cols {
			r.fail(fmt.Errorf("layernorm: x is %dx%d, gamma %dx%d, beta %dx%d; gamma and beta must be constants: %w",
				x.Rows, x.Cols, gamma.Rows, gamma.Cols, beta.Rows, beta.Cols, kernels.ErrShape))
			return &dead
		}
	}
	run := func(t *kernels.Table, s *boundStep) error {
		return t.LayerNorm(s.y, s.x[0], s.x[1].Row(0), s.x[2].Row(0), float32(epsilon), kernels.Matrix{})
	}
	return r.record(operation{name: "layernorm", kind: rowwise, run: run, flops: 8 * x.Rows * x.Cols}, x.Rows, x.Cols, x, gamma, beta)
}
