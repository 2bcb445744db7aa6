package ops

import (
	"cmp"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// A Cell is what a recurrent layer computes in each step from the input x, the state h and, with several gates, their parts.
type Cell uint8

const (
	SimpleRNN Cell = iota // act(x + h·u + b)
	GRU                   // [kernels.Table.GRU], its gates in the order update, reset, candidate
	LSTM                  // [kernels.Table.LSTM], its gates in the order input, forget, candidate, output
)

// Gates returns how many gates, candidates included, a cell has for each unit.
func (c Cell) Gates() int { return [...]int{1, 3, 4}[c] }

// String returns rnn, gru or lstm.
func (c Cell) String() string { return [...]string{"rnn", "gru", "lstm"}[c] }

// A Recurrence is what a Recurrent of [Ops] does with its operands.
type Recurrence struct {
	Cell      Cell
	Act       kernels.Activation // of SimpleRNN
	Steps     int
	Backwards bool // from the last step to the first
}

// Check reports operands that do not fit together. b and mask may be nil.
func (r Recurrence) Check(x, u, b, mask *Tensor) error {
	n := 0
	switch {
	case r.Cell > LSTM:
		return fmt.Errorf("unknown cell %d: valid are 0 (rnn), 1 (gru) and 2 (lstm)", r.Cell)
	case r.Steps < 1:
		return fmt.Errorf("%d steps, needs at least 1", r.Steps)
	default:
		n = r.Cell.Gates() * u.Rows
	}
	fits := func(x *Tensor, rows, cols int) bool { return x == nil || x.Rows == rows && x.Cols == cols }
	if u.Rows < 1 || u.Cols != n || x.Cols%r.Steps != 0 || x.Cols/r.Steps != n || !fits(b, 1, n) || !fits(mask, x.Rows, r.Steps) {
		return fmt.Errorf("%s of %d steps: x is %s, u %s, b %s, the mask %s; for u of [units, %d·units] x must be [rows, steps·%[7]d·units], b [1, %[7]d·units] and the mask [rows, steps]: %w",
			r.Cell, r.Steps, sizeOf(x), sizeOf(u), sizeOf(b), sizeOf(mask), r.Cell.Gates(), kernels.ErrShape)
	}
	return nil
}

func sizeOf(x *Tensor) string {
	if x == nil {
		return "nil"
	}
	return fmt.Sprintf("%dx%d", x.Rows, x.Cols)
}

// RecurrentSteps is the memory of a [Recurrence], and what every recorder computes in each of its steps but the product of
// the state and u. All matrices have a row for each sample.
type RecurrentSteps struct {
	Recurrence
	Y, X, Mask kernels.Matrix // of all steps; Mask has no data if there is none
	Cells      kernels.Matrix // of all steps, of an LSTM
	// Sums, the product and the bias, and Gates are those of all steps, or of one at a time if they have the columns of one.
	Sums, Gates kernels.Matrix
	Start       kernels.Matrix // zeros: the state before the first step
	Now         RecurrentStep  // see Move
	now         int
}

// A RecurrentStep has the columns of all matrices for one step.
type RecurrentStep struct {
	Y, X, Sums, Gates, Cells kernels.Matrix
	Before, CellsBefore      kernels.Matrix // the state and the cells before
}

// Time returns the number, in the input, of the step that is computed as the i-th.
func (s *RecurrentSteps) Time(i int) int {
	if s.Backwards {
		return s.Steps - 1 - i
	}
	return i
}

// At returns the columns of m for the i-th step.
func (s *RecurrentSteps) At(m *kernels.Matrix, i, width int) kernels.Matrix {
	if m.Cols == width {
		return *m
	}
	from := s.Time(i) * width
	return m.Columns(from, from+width)
}

// Before returns the columns of m, which are Y's or Cells', for the step before the i-th, or zeros if that is the first.
func (s *RecurrentSteps) Before(m *kernels.Matrix, i int) kernels.Matrix {
	if i == 0 {
		return s.Start
	}
	return s.At(m, i-1, s.Start.Cols)
}

// First fills the sums of the first step, before which the state is zero.
func (s *RecurrentSteps) First(bias []float32) {
	sums := s.At(&s.Sums, 0, s.Cell.Gates()*s.Start.Cols)
	for i := range sums.Rows {
		if clear(sums.Row(i)); bias != nil {
			copy(sums.Row(i), bias)
		}
	}
}

// Move sets Now to the i-th step. It comes before the product, and fills views field by field: a view that is read as soon as
// it is made costs more than a step of few units.
func (s *RecurrentSteps) Move(i int) {
	units := s.Start.Cols
	n := s.Cell.Gates() * units
	move := func(to, m *kernels.Matrix, i, width int) {
		to.Data, to.Rows, to.Cols, to.Stride = m.Data, m.Rows, width, m.Stride
		if m.Cols != width && m.Rows > 0 {
			to.Data = m.Data[s.Time(i)*width:]
		}
	}
	now := &s.Now
	move(&now.Y, &s.Y, i, units)
	move(&now.X, &s.X, i, n)
	move(&now.Sums, &s.Sums, i, n)
	move(&now.Gates, &s.Gates, i, n)
	before, cells := &s.Y, &s.Cells
	if s.now = i; i == 0 {
		before, cells, i = &s.Start, &s.Start, 1
	}
	move(&now.Before, before, i-1, units)
	if s.Cell == LSTM {
		move(&now.Cells, &s.Cells, s.now, units)
		move(&now.CellsBefore, cells, i-1, units)
	}
}

// Step computes the step that Move has set from its sums.
func (s *RecurrentSteps) Step(t *kernels.Table) error {
	now := &s.Now
	var err error
	switch s.Cell {
	case SimpleRNN:
		err = cmp.Or(t.Add(now.Y, now.X, now.Sums), t.Activate(now.Y, now.Y, nil, s.Act))
	case GRU:
		err = t.GRU(now.Y, now.Gates, now.X, now.Sums, now.Before)
	case LSTM:
		err = t.LSTM(now.Y, now.Cells, now.Gates, now.X, now.Sums, now.CellsBefore)
	}
	if s.Mask.Data == nil || err != nil {
		return err
	}
	for row := range now.Y.Rows {
		if !s.Masked(row, s.now) {
			continue
		}
		copy(now.Y.Row(row), now.Before.Row(row))
		if s.Cell == LSTM {
			copy(now.Cells.Row(row), now.CellsBefore.Row(row))
		}
	}
	return nil
}

// Masked reports whether the mask leaves the i-th step of a sample out.
func (s *RecurrentSteps) Masked(row, i int) bool {
	return s.Mask.Data != nil && s.Mask.Row(row)[s.Time(i)] == 0
}
