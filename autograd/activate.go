package autograd

import "github.com/espalier-ml/espalier/kernels"

type activateOp struct {
	x, y *variable
	act  kernels.Activation
}

// Activate returns act(x), element by element.
func (t *Tape) Activate(x *Tensor, act kernels.Activation) *Tensor {
	if !t.accept("Activate", x) {
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	t.check(t.table.Activate(y.Matrix, x.Matrix, nil, act))
	return record(t, y, activateOp{t.of(x), y, act})
}

func (o *activateOp) backward(t *Tape) error {
	g, accumulate := t.into(o.x)
	return t.table.ActivateGrad(g, nil, o.y.grad, o.y.Matrix, o.act, accumulate)
}
