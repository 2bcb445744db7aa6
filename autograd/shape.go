package autograd

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

type reshapeOp struct{ x, y *variable }

// Reshape returns the elements of x in row order as a rows x cols tensor. It shares the memory of x, which must be
// contiguous, as every result of an operation is.
func (t *Tape) Reshape(x *Tensor, rows, cols int) *Tensor {
	if !t.accept("Reshape", x) {
		return &t.dead
	}
	if x.Rows == rows && x.Cols == cols {
		return x
	}
	m := kernels.MatrixOf(x.Data, rows, cols)
	if !m.Valid() || rows*cols != x.Rows*x.Cols || !x.Contiguous() {
		t.fail(fmt.Errorf("autograd: Reshape: a %dx%d tensor (stride %d) cannot become %dx%d: %w", x.Rows, x.Cols, x.Stride, rows, cols, kernels.ErrShape))
		return &t.dead
	}
	v := t.of(x)
	y := t.variable(m, v.needs)
	return record(t, y, reshapeOp{v, y})
}

func (o *reshapeOp) backward(t *Tape) error {
	return t.give(o.x, kernels.MatrixOf(o.y.grad.Data, o.x.Rows, o.x.Cols))
}

type concatenateOp struct {
	x []*variable
	y *variable
}

// Concatenate returns the columns of all x beside each other. All must have the same number of rows.
func (t *Tape) Concatenate(x ...*Tensor) *Tensor {
	if !t.accept("Concatenate", x...) {
		return &t.dead
	}
	if len(x) == 0 {
		t.fail(fmt.Errorf("autograd: Concatenate needs at least one operand"))
		return &t.dead
	}
	cols := 0
	for _, x := range x {
		cols += x.Cols
	}
	y := t.result(x[0].Rows, cols, x...)
	at := 0
	for _, x := range x {
		t.check(t.table.Copy(y.Columns(at, at+x.Cols), x.Matrix))
		at += x.Cols
	}
	if t.err != nil {
		return &t.dead
	}
	if y.needs {
		o := next[concatenateOp](t)
		o.x, o.y = o.x[:0], y
		for _, x := range x {
			o.x = append(o.x, t.of(x))
		}
		t.ops = append(t.ops, entry{o, y, t.label})
	}
	return &y.Tensor
}

func (o *concatenateOp) backward(t *Tape) error {
	at := 0
	for _, x := range o.x {
		if x.needs {
			if err := t.lend(x, o.y.grad.Columns(at, at+x.Cols)); err != nil {
				return err
			}
		}
		at += x.Cols
	}
	return nil
}

type sliceOp struct {
	x, y     *variable
	from, to int
}

// Slice returns the columns from (included) to (excluded) of x.
func (t *Tape) Slice(x *Tensor, from, to int) *Tensor {
	if !t.accept("Slice", x) {
		return &t.dead
	}
	if from < 0 || to < from || to > x.Cols {
		t.fail(fmt.Errorf("autograd: Slice: columns %d to %d of a %dx%d tensor: %w", from, to, x.Rows, x.Cols, kernels.ErrShape))
		return &t.dead
	}
	y := t.result(x.Rows, to-from, x)
	t.check(t.table.Copy(y.Matrix, x.Columns(from, to)))
	return record(t, y, sliceOp{t.of(x), y, from, to})
}

func (o *sliceOp) backward(t *Tape) error {
	g, accumulate := t.into(o.x)
	if !accumulate {
		if err := t.table.Fill(g, 0); err != nil {
			return err
		}
	}
	into := g.Columns(o.from, o.to)
	return t.table.Add(into, into, o.y.grad)
}

type repeatOp struct {
	x, y *variable
	n    int
}

// Repeat returns the columns of x n times beside each other.
func (t *Tape) Repeat(x *Tensor, n int) *Tensor {
	if !t.accept("Repeat", x) {
		return &t.dead
	}
	if n < 1 || n > math.MaxInt32/max(1, x.Rows*x.Cols) {
		t.fail(fmt.Errorf("autograd: Repeat: %d times %d elements, valid are 1 time and up to %d elements: %w", n, x.Rows*x.Cols, math.MaxInt32, kernels.ErrShape))
		return &t.dead
	}
	y := t.result(x.Rows, n*x.Cols, x)
	for i := range n {
		t.check(t.table.Copy(y.Columns(i*x.Cols, (i+1)*x.Cols), x.Matrix))
	}
	return record(t, y, repeatOp{t.of(x), y, n})
}

func (o *repeatOp) backward(t *Tape) error {
	for i := range o.n {
		if err := t.lend(o.x, o.y.grad.Columns(i*o.x.Cols, (i+1)*o.x.Cols)); err != nil {
			return err
		}
	}
	return nil
}
