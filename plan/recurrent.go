package plan

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Recurrent implements [ops.Ops]; u and b must be constants. It is one step of the plan, which computes all steps of the
// sequence with packed weights.
func (r *Recorder) Recurrent(x, u, b, mask *ops.Tensor, o ops.Recurrence) *ops.Tensor {
	if !r.accept("recurrent", x, u) {
		return &dead
	}
	if b == nil {
		b = r.Const(kernels.NewMatrix(1, u.Cols))
	}
	operands := []*ops.Tensor{x, u, b}
	if mask != nil {
		operands = append(operands, mask)
	}
	if !r.accept("recurrent", operands...) {
		return &dead
	}
	if err := o.Check(x, u, b, mask); err != nil {
		r.fail(fmt.Errorf("recurrent: %w", err))
		return &dead
	}
	for i, v := range operands {
		if r.of(v).fixed != (i == 1 || i == 2) {
			r.fail(errors.New("recurrent: u and b must be constants, x and the mask must not"))
			return &dead
		}
	}
	run := func(t *kernels.Table, s *boundStep) error { return s.recurrent(t, o) }
	units := u.Rows
	return r.record(operation{name: o.Cell.String(), kind: recurrent, run: run, flops: 2 * x.Rows * o.Steps * units * u.Cols}, x.Rows, o.Steps*units, operands...)
}

// recurrent appends the step of a recurrence. Its operands are x, the sums, zeros for the first state, the bias, the cells of
// an LSTM, and the mask if there is one; the product is bound to the sums and to one state.
func (l *lowering) recurrent(v *value) {
	o := v.step
	u := o.in[1]
	s := step{op: o.name, name: o.label, run: o.run, flops: o.flops, w: l.pack([]*value{v}, u.Rows, u.Cols), bound: true, bytes: 4 * (u.Rows + 1) * u.Cols}
	s.y = l.viewOf(v.place, v.Rows, v.Cols)
	s.x = []view{l.operand(o.in[0])}
	scratch := func(width int) {
		s.x = append(s.x, l.viewOf(place{buffer: l.newBuffer(v.Rows * width)}, v.Rows, width))
	}
	scratch(u.Cols)
	scratch(u.Rows)
	s.x = append(s.x, view{constant: l.constant(o.in[2])})
	if o.name == ops.LSTM.String() {
		scratch(v.Cols)
	}
	if len(o.in) > 3 {
		s.x = append(s.x, l.operand(o.in[3]))
	}
	l.emit(s)
}

// recurrent computes all steps of a recurrence.
func (b *boundStep) recurrent(t *kernels.Table, o ops.Recurrence) error {
	s := ops.RecurrentSteps{Recurrence: o, Y: b.y, X: b.x[0], Sums: b.x[1], Gates: b.x[1], Start: b.x[2]}
	bias, more := b.x[3].Row(0), b.x[4:]
	if o.Cell == ops.LSTM {
		s.Cells, more = more[0], more[1:]
	}
	if len(more) > 0 {
		s.Mask = more[0]
	}
	for i := range s.Start.Rows {
		clear(s.Start.Row(i))
	}
	s.First(bias)
	for i := range o.Steps {
		if s.Move(i); i > 0 {
			if err := b.dense.Move(s.Now.Before.Data); err != nil {
				return err
			}
			if err := b.dense.Run(b.scratch, s.Y.Rows); err != nil {
				return err
			}
		}
		if err := s.Step(t); err != nil {
			return err
		}
	}
	return nil
}
