package autograd

type softmaxOp struct{ x, y *variable }

// Softmax returns exp(x) / sum(exp(x)) of each row.
func (t *Tape) Softmax(x *Tensor) *Tensor {
	if !t.accept("Softmax", x) {
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	t.check(t.table.Softmax(y.Matrix, x.Matrix))
	return record(t, y, softmaxOp{t.of(x), y})
}

func (o *softmaxOp) backward(t *Tape) error {
	g, accumulate := t.into(o.x)
	return t.table.SoftmaxGrad(g, o.y.grad, o.y.Matrix, accumulate)
}
