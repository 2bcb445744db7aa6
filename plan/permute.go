package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Permute implements [ops.Ops].
func (r *Recorder) Permute(x *ops.Tensor, shape, perm []int) *ops.Tensor {
	if !r.accept("permute", x) {
		return &dead
	}
	p, err := ops.NewPermutation(shape, perm)
	rows, cols := 0, 0
	if err == nil {
		rows, cols, err = p.Shape(x)
	}
	if err != nil {
		r.fail(fmt.Errorf("permute: %w", err))
		return &dead
	}
	if p.Identity() {
		return r.Reshape(x, rows, cols)
	}
	in, elements := x.Rows, rows*cols
	run := func(_ *kernels.Table, s *boundStep) error {
		for i := range s.y.Rows / rows {
			p.Apply(s.y.Data[i*rows*s.y.Stride:][:elements], s.x[0].Data[i*in*s.x[0].Stride:][:elements])
		}
		return nil
	}
	return r.record(operation{name: "permute", kind: apart, run: run}, rows, cols, x)
}
