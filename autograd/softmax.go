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

type logSoftmaxOp struct{ x, y *variable }

// LogSoftmax returns log(softmax(x)) of each row.
func (t *Tape) LogSoftmax(x *Tensor) *Tensor {
	if !t.accept("LogSoftmax", x) {
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	t.check(t.table.LogSoftmax(y.Matrix, x.Matrix))
	return record(t, y, logSoftmaxOp{t.of(x), y})
}

func (o *logSoftmaxOp) backward(t *Tape) error {
	g, accumulate := t.into(o.x)
	return t.table.LogSoftmaxGrad(g, o.y.grad, o.y.Matrix, accumulate)
}

type sparsemaxOp struct{ x, y *variable }

// Sparsemax returns max(x-τ, 0) of each row, see [kernels.Table.Sparsemax].
func (t *Tape) Sparsemax(x *Tensor) *Tensor {
	if !t.accept("Sparsemax", x) {
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	t.check(t.table.Sparsemax(y.Matrix, x.Matrix))
	return record(t, y, sparsemaxOp{t.of(x), y})
}

func (o *sparsemaxOp) backward(t *Tape) error {
	g, accumulate := t.into(o.x)
	return t.table.SparsemaxGrad(g, o.y.grad, o.x.Matrix, o.y.Matrix, accumulate)
}
