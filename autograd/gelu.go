package autograd

type geluOp struct{ x, y *variable }

// Gelu returns x·Φ(x), element by element, with the normal distribution function Φ.
func (t *Tape) Gelu(x *Tensor) *Tensor {
	if !t.accept("Gelu", x) {
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	t.check(t.table.Gelu(y.Matrix, x.Matrix))
	return record(t, y, geluOp{t.of(x), y})
}

func (o *geluOp) backward(t *Tape) error {
	g, accumulate := t.into(o.x)
	return t.table.GeluGrad(g, o.y.grad, o.x.Matrix, accumulate)
}
