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

// CustomLoss returns sum(weights[i] * loss[i]) with the losses that f gives the rows of pred. Nil weights stand for 1/rows
// each. An error of f fails the tape.
func (t *Tape) CustomLoss(f ops.LossFunction, pred *Tensor, y ops.Target, weights []float32) *Tensor {
	if !t.accept("CustomLoss", pred) {
		return &t.dead
	}
	if err := checkLoss(f, pred, y, weights); err != nil {
		t.fail(fmt.Errorf("autograd: CustomLoss: %w", err))
		return &t.dead
	}
	loss, _ := t.loss(pred, weights, false, func(loss []float32, _, grad kernels.Matrix, weights []float32) error {
		clear(loss)
		clear(grad.Data)
		if err := f.Rows(loss, grad, pred.Matrix, y, weights); err != nil {
			return fmt.Errorf("autograd: CustomLoss: %w", err)
		}
		return nil
	})
	return loss
}

// checkLoss reports a target or weights that have not an element or a row for each row of pred.
func checkLoss(f ops.LossFunction, pred *Tensor, y ops.Target, weights []float32) error {
	rows, labels, v := pred.Rows, len(y.Labels), y.Values
	switch {
	case f == nil:
		return errors.New("the function is nil")
	case !v.Valid():
		return fmt.Errorf("the values are a %dx%d matrix (stride %d) of %d elements: %w", v.Rows, v.Cols, v.Stride, len(v.Data), kernels.ErrShape)
	case labels+v.Rows != rows || labels > 0 && v.Rows > 0:
		return fmt.Errorf("%d labels and %d rows of values for %d rows, valid are as many of the one and none of the other: %w", labels, v.Rows, rows, kernels.ErrShape)
	case weights != nil && len(weights) != rows:
		return fmt.Errorf("%d weights for %d rows: %w", len(weights), rows, kernels.ErrShape)
	}
	return nil
}
