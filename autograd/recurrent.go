package autograd

import (
	"cmp"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type recurrentOp struct {
	x, u, b, y *variable
	steps      ops.RecurrentSteps
}

// Recurrent returns the states [rows, steps·units] of all steps of a [ops.Recurrence], in the order of the input: x
// [rows, steps·gates·units] is what the input gives to each gate, with its bias; u [units, gates·units] and b
// [1, gates·units], or nil, are what the state before gives to it. A step for which mask [rows, steps] is 0 leaves the state
// as it is. The state before the first step is zero. No gradient reaches the mask.
func (t *Tape) Recurrent(x, u, b, mask *Tensor, r ops.Recurrence) *Tensor {
	if !t.accept("Recurrent", x, u) || b != nil && !t.accept("Recurrent", b) || mask != nil && !t.accept("Recurrent", mask) {
		return &t.dead
	}
	if err := r.Check(x, u, b, mask); err != nil {
		t.fail(fmt.Errorf("autograd: Recurrent: %w", err))
		return &t.dead
	}
	rows, units, n := x.Rows, u.Rows, u.Cols
	y := t.result(rows, r.Steps*units, x, u)
	y.needs = y.needs || b != nil && t.of(b).needs
	s := ops.RecurrentSteps{Recurrence: r, Y: y.Matrix, X: x.Matrix, Start: t.matrix(rows, units)}
	clear(s.Start.Data)
	if mask != nil {
		s.Mask = mask.Matrix
	}
	kept := n
	if y.needs { // Backward reads them
		kept = r.Steps * n
	}
	switch s.Sums = t.matrix(rows, n); r.Cell {
	case ops.GRU:
		s.Sums, s.Gates = t.matrix(rows, kept), t.matrix(rows, kept)
	case ops.LSTM:
		s.Gates, s.Cells = t.matrix(rows, kept), t.matrix(rows, r.Steps*units)
	}
	var e kernels.Epilogue
	if b != nil {
		e.Bias = b.Row(0)
	}
	s.First(e.Bias)
	for i := range r.Steps {
		if s.Move(i); i > 0 {
			t.check(t.table.Gemm(&t.scratch, s.Now.Sums, s.Now.Before, u.Matrix, e))
		}
		t.check(s.Step(t.table))
	}
	return record(t, y, recurrentOp{t.of(x), t.of(u), t.of(b), y, s})
}

func (o *recurrentOp) backward(t *Tape) error {
	s, rows, units, n := &o.steps, o.y.Rows, o.u.Rows, o.u.Cols
	dx := t.matrix(rows, s.Steps*n) // and of the sums, but for those of a GRU
	dsums := dx
	if s.Cell == ops.GRU {
		dsums = t.matrix(rows, s.Steps*n)
	}
	state := [4]kernels.Matrix{} // gradients by the state and the cell, what a cell was, and the hyperbolic tangents of cells
	for i := range state {
		state[i] = t.matrix(rows, units)
		clear(state[i].Data)
	}
	dh, dcell, kept, squashed := state[0], state[1], state[2], state[3]
	for i := s.Steps - 1; i >= 0; i-- {
		dy, dx, dsums := s.At(&o.y.grad, i, units), s.At(&dx, i, n), s.At(&dsums, i, n)
		before, gates := s.Before(&s.Y, i), s.At(&s.Gates, i, n)
		copy(kept.Data, dcell.Data)
		err := t.table.Add(dy, dy, dh)
		switch s.Cell {
		case ops.SimpleRNN:
			err = cmp.Or(err, t.table.ActivateGrad(dx, nil, dy, s.At(&s.Y, i, units), s.Act, false))
			clear(dh.Data)
		case ops.GRU:
			err = cmp.Or(err, t.table.GRUGrad(dx, dsums, dh, dy, gates, s.At(&s.Sums, i, n), before))
		case ops.LSTM:
			err = cmp.Or(err, t.table.Activate(squashed, s.At(&s.Cells, i, units), nil, kernels.Tanh),
				t.table.LSTMGrad(dx, dcell, dy, gates, squashed, s.Before(&s.Cells, i)))
			clear(dh.Data)
		}
		for row := range rows {
			if s.Masked(row, i) { // the state before has passed through
				clear(dx.Row(row))
				clear(dsums.Row(row))
				copy(dh.Row(row), dy.Row(row))
				copy(dcell.Row(row), kept.Row(row))
			}
		}
		if i > 0 {
			err = cmp.Or(err, t.table.GemmNT(&t.scratch, dh, dsums, o.u.Matrix, kernels.Epilogue{Accumulate: true}))
		}
		if err != nil {
			return err
		}
	}
	each := kernels.MatrixOf(dsums.Data, rows*s.Steps, n)
	if o.b != nil && o.b.needs {
		if err := t.giveSum(o.b, each); err != nil {
			return err
		}
	}
	if o.u.needs {
		before := t.matrix(rows, s.Steps*units)
		for i := range s.Steps {
			if err := t.table.Copy(s.At(&before, i, units), s.Before(&s.Y, i)); err != nil {
				return err
			}
		}
		if err := t.giveProduct(o.u, kernels.MatrixOf(before.Data, rows*s.Steps, units), each); err != nil {
			return err
		}
	}
	if o.x.needs {
		return t.give(o.x, dx)
	}
	return nil
}

// giveProduct adds aᵀ·b to the gradient of x. It sums in parts, see [rowsPerSum].
func (t *Tape) giveProduct(x *variable, a, b kernels.Matrix) error {
	into, accumulate := t.into(x)
	for from := 0; from == 0 || from < a.Rows; from += rowsPerSum {
		to := min(a.Rows, from+rowsPerSum)
		part := into
		if from > 0 {
			part = t.matrix(into.Rows, into.Cols)
		}
		if err := t.table.GemmTN(&t.scratch, part, a.RowRange(from, to), b.RowRange(from, to), kernels.Epilogue{Accumulate: accumulate && from == 0}); err != nil {
			return err
		}
		if from > 0 {
			if err := t.table.Add(into, into, part); err != nil {
				return err
			}
		}
	}
	return nil
}
