package autograd

type addOp struct{ a, b, y *variable }

// Add returns a + b, element by element. Both must have the same shape.
func (t *Tape) Add(a, b *Tensor) *Tensor {
	if !t.accept("Add", a, b) {
		return &t.dead
	}
	y := t.result(a.Rows, a.Cols, a, b)
	t.check(t.table.Add(y.Matrix, a.Matrix, b.Matrix))
	return record(t, y, addOp{t.of(a), t.of(b), y})
}

func (o *addOp) backward(t *Tape) error {
	if o.b.needs {
		if err := t.lend(o.b, o.y.grad); err != nil {
			return err
		}
	}
	if o.a.needs {
		return t.give(o.a, o.y.grad)
	}
	return nil
}

type multiplyOp struct{ a, b, y *variable }

// Multiply returns a * b, element by element. Both must have the same shape.
func (t *Tape) Multiply(a, b *Tensor) *Tensor {
	if !t.accept("Multiply", a, b) {
		return &t.dead
	}
	y := t.result(a.Rows, a.Cols, a, b)
	t.check(t.table.Mul(y.Matrix, a.Matrix, b.Matrix))
	return record(t, y, multiplyOp{t.of(a), t.of(b), y})
}

func (o *multiplyOp) backward(t *Tape) error {
	for _, p := range [2][2]*variable{{o.a, o.b}, {o.b, o.a}} {
		x, other := p[0], p[1]
		if !x.needs {
			continue
		}
		g, accumulate := t.into(x)
		product := t.table.Mul
		if accumulate {
			product = t.table.MulAdd
		}
		if err := product(g, o.y.grad, other.Matrix); err != nil {
			return err
		}
	}
	return nil
}

type scaleOp struct {
	x, y  *variable
	alpha float32
}

// Scale returns alpha * x.
func (t *Tape) Scale(x *Tensor, alpha float32) *Tensor {
	if !t.accept("Scale", x) {
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	t.check(t.table.Scale(y.Matrix, x.Matrix, alpha))
	return record(t, y, scaleOp{t.of(x), y, alpha})
}

func (o *scaleOp) backward(t *Tape) error {
	if err := t.table.Scale(o.y.grad, o.y.grad, o.alpha); err != nil {
		return err
	}
	return t.give(o.x, o.y.grad)
}

type sumOp struct{ x, y *variable }

// Sum returns the 1x1 sum of all elements of x: each row by [kernels.Table.RowSum], the rows in float64.
func (t *Tape) Sum(x *Tensor) *Tensor {
	if !t.accept("Sum", x) {
		return &t.dead
	}
	rows := t.arena.alloc(x.Rows)
	t.check(t.table.RowSum(rows, x.Matrix))
	sum := 0.0
	for _, r := range rows {
		sum += float64(r)
	}
	y := t.result(1, 1, x)
	y.Data[0] = float32(sum)
	return record(t, y, sumOp{t.of(x), y})
}

// Mean returns the 1x1 mean of all elements of x, NaN where there are none.
func (t *Tape) Mean(x *Tensor) *Tensor {
	sum := t.Sum(x)
	if t.err != nil {
		return &t.dead
	}
	mean := t.Scale(sum, float32(1/float64(x.Rows*x.Cols)))
	if m := mean.Data[0]; m-m != 0 { // the sum may leave float32 where the mean does not
		exact := 0.0
		for i := range x.Rows {
			for _, v := range x.Row(i) {
				exact += float64(v)
			}
		}
		mean.Data[0] = float32(exact / float64(x.Rows*x.Cols))
	}
	return mean
}

func (o *sumOp) backward(t *Tape) error {
	g := t.matrix(o.x.Rows, o.x.Cols)
	if err := t.table.Fill(g, o.y.grad.Data[0]); err != nil {
		return err
	}
	return t.give(o.x, g)
}

type rowSumOp struct{ x, y *variable }

// RowSum returns the sum of each row of x as a [rows, 1] tensor.
func (t *Tape) RowSum(x *Tensor) *Tensor {
	if !t.accept("RowSum", x) {
		return &t.dead
	}
	y := t.result(x.Rows, 1, x)
	t.check(t.table.RowSum(y.Data, x.Matrix))
	return record(t, y, rowSumOp{t.of(x), y})
}

func (o *rowSumOp) backward(t *Tape) error {
	g := t.matrix(o.x.Rows, o.x.Cols)
	for i := range g.Rows {
		if err := t.table.Fill(g.RowRange(i, i+1), o.y.grad.Data[i]); err != nil {
			return err
		}
	}
	return t.give(o.x, g)
}
