package plan

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Reshape implements [ops.Ops].
func (r *Recorder) Reshape(x *ops.Tensor, rows, cols int) *ops.Tensor {
	if !r.accept("reshape", x) {
		return &dead
	}
	if x.Rows == rows && x.Cols == cols {
		return x
	}
	if rows < 1 || cols < 1 || rows*cols != x.Rows*x.Cols {
		r.fail(fmt.Errorf("reshape: a %dx%d tensor cannot become %dx%d: %w", x.Rows, x.Cols, rows, cols, kernels.ErrShape))
		return &dead
	}
	return r.record(operation{name: "reshape", kind: reshape, run: func(t *kernels.Table, s *boundStep) error {
		y := kernels.MatrixOf(s.y.Data, s.x[0].Rows, s.x[0].Cols)
		return t.Copy(y, s.x[0])
	}}, rows, cols, x)
}

// Concatenate implements [ops.Ops].
func (r *Recorder) Concatenate(x ...*ops.Tensor) *ops.Tensor {
	if !r.accept("copy", x...) {
		return &dead
	}
	cols := int64(0) // of many operands more than an int may have
	for _, t := range x {
		if t.Rows != x[0].Rows {
			r.fail(fmt.Errorf("concatenate: operands have %d and %d rows: %w", x[0].Rows, t.Rows, kernels.ErrShape))
		}
		cols += int64(t.Cols)
	}
	switch {
	case len(x) == 0:
		r.fail(errors.New("concatenate: there is no operand"))
		return &dead
	case cols > MaxElements:
		r.fail(fmt.Errorf("copy: a result of %dx%d has more than %d elements: %w", x[0].Rows, cols, MaxElements, kernels.ErrShape))
		return &dead
	}
	return r.record(operation{name: "copy", kind: joining, run: joinColumns}, x[0].Rows, int(cols), x...)
}

// joinColumns joins constants; a step copies only what does not lie in its place yet.
func joinColumns(t *kernels.Table, s *boundStep) error {
	at := 0
	for _, x := range s.x {
		if err := t.Copy(s.y.Columns(at, at+x.Cols), x); err != nil {
			return err
		}
		at += x.Cols
	}
	return nil
}

// Slice implements [ops.Ops].
func (r *Recorder) Slice(x *ops.Tensor, from, to int) *ops.Tensor {
	if !r.accept("slice", x) {
		return &dead
	}
	if from < 0 || to <= from || to > x.Cols {
		r.fail(fmt.Errorf("slice: columns %d to %d of a %dx%d tensor: %w", from, to, x.Rows, x.Cols, kernels.ErrShape))
		return &dead
	}
	return r.record(operation{name: "copy", kind: slicing, from: from, run: func(t *kernels.Table, s *boundStep) error {
		return t.Copy(s.y, s.x[0].Columns(from, to))
	}}, x.Rows, to-from, x)
}

// Repeat implements [ops.Ops].
func (r *Recorder) Repeat(x *ops.Tensor, n int) *ops.Tensor {
	if !r.accept("repeat", x) {
		return &dead
	}
	if n < 1 || n > MaxElements/max(1, x.Cols) {
		r.fail(fmt.Errorf("repeat: %d times %d columns, valid are 1 to %d columns: %w", n, x.Cols, MaxElements, kernels.ErrShape))
		return &dead
	}
	return r.record(operation{name: "repeat", kind: apart, run: func(t *kernels.Table, s *boundStep) error {
		for at, cols := 0, s.x[0].Cols; at < s.y.Cols; at += cols {
			if err := t.Copy(s.y.Columns(at, at+cols), s.x[0]); err != nil {
				return err
			}
		}
		return nil
	}}, x.Rows, n*x.Cols, x)
}
