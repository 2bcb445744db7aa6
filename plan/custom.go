package plan

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Custom implements [ops.Ops]: each session of the plan calls f.Forward. Operands may be values and constants.
func (r *Recorder) Custom(f ops.Function, rows, cols int, x ...*ops.Tensor) *ops.Tensor {
	if !r.accept("custom", x...) {
		return &dead
	}
	if f == nil || len(x) == 0 {
		r.fail(errors.New("custom: needs a function and at least one operand"))
		return &dead
	}
	name := brief.Cut(f.Name(), brief.MaxQuoted)
	if rows < 1 || cols < 1 {
		r.fail(fmt.Errorf("custom: %s: a result of %dx%d, both must be at least 1: %w", name, rows, cols, kernels.ErrShape))
		return &dead
	}
	run := func(_ *kernels.Table, s *boundStep) error {
		if err := f.Forward(s.y, s.x); err != nil {
			return fmt.Errorf("plan: layer %s: %s: %w", brief.Quote(s.step.name), name, err)
		}
		return nil
	}
	return r.record(operation{name: name, kind: apart, run: run, flops: rows * cols}, rows, cols, x...)
}
