package autograd

import "github.com/espalier-ml/espalier/kernels"

type unaryOp struct {
	x, y *variable
	f    kernels.Unary
}

// Unary returns f(x), element by element.
func (t *Tape) Unary(x *Tensor, f kernels.Unary) *Tensor {
	if !t.accept("Unary", x) {
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	t.check(t.table.Unary(y.Matrix, x.Matrix, f))
	return record(t, y, unaryOp{t.of(x), y, f})
}

func (o *unaryOp) backward(t *Tape) error {
	g, accumulate := t.into(o.x)
	return t.table.UnaryGrad(g, o.y.grad, o.x.Matrix, o.y.Matrix, o.f, accumulate)
}
