package autograd

import (
	"errors"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type customOp struct {
	f ops.Function
	x []*variable
	y *variable
}

// Custom returns f(x...), a rows x cols tensor. An error of f fails the tape.
func (t *Tape) Custom(f ops.Function, rows, cols int, x ...*Tensor) *Tensor {
	if !t.accept("Custom", x...) {
		return &t.dead
	}
	switch {
	case f == nil || len(x) == 0:
		t.fail(errors.New("autograd: Custom needs a function and at least one operand"))
		return &t.dead
	case rows < 0 || cols < 0 || cols > 0 && rows > math.MaxInt32/cols:
		t.fail(fmt.Errorf("autograd: Custom: %s: a result of %dx%d, valid are 0 to %d elements: %w", f.Name(), rows, cols, math.MaxInt32, kernels.ErrShape))
		return &t.dead
	}
	y := t.result(rows, cols, x...)
	t.in = t.in[:0]
	for _, x := range x {
		t.in = append(t.in, x.Matrix)
	}
	err := f.Forward(y.Matrix, t.in)
	clear(t.in) // lets go of the caller's data
	if err != nil {
		t.fail(fmt.Errorf("autograd: Custom: %s: %w", f.Name(), err))
		return &t.dead
	}
	if y.needs {
		o := next[customOp](t)
		o.f, o.x, o.y = f, o.x[:0], y
		for _, x := range x {
			o.x = append(o.x, t.of(x))
		}
		t.ops = append(t.ops, entry{o, y, t.label})
	}
	return &y.Tensor
}

func (o *customOp) backward(t *Tape) error {
	t.in, t.dx = t.in[:0], t.dx[:0]
	for _, x := range o.x {
		var dx kernels.Matrix
		if x.needs {
			dx = t.matrix(x.Rows, x.Cols)
			clear(dx.Data)
		}
		t.in, t.dx = append(t.in, x.Matrix), append(t.dx, dx)
	}
	err := o.f.Backward(t.dx, o.y.grad, o.y.Matrix, t.in)
	clear(t.in)
	if err != nil {
		return fmt.Errorf("autograd: Custom: backward of %s: %w", o.f.Name(), err)
	}
	for i, x := range o.x {
		if x.needs {
			if err := t.give(x, t.dx[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
