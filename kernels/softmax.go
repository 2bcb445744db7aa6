package kernels

import "math"

// Softmax computes y = exp(x-max) / Σ exp(x-max) for each row. y has the shape of
// x and may be x. Entries of -Inf give 0; a row with a NaN or +Inf, or with
// nothing but -Inf, gives NaN throughout.
func (t *Table) Softmax(y, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if !same(&y, &x) {
		return checkSame("Softmax", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	switch v := t.level; {
	case v == nil:
		softmaxGeneric(&y, &x)
	case x.Cols > rowCall:
		for i := range x.Rows {
			v.softmaxLong(y.Row(i), x.Row(i))
		}
	default:
		for i, rows := range x.blocks(rowCall) {
			v.softmax(rows, x.Cols, y.row(i), 4*y.Stride, x.row(i), 4*x.Stride)
		}
	}
	return nil
}

// softmaxLong is a row in pieces.
func (v *level) softmaxLong(y, x []float32) {
	sum := v.sumOfExps(y, x, v.max(x))
	v.scaled(y, y, 1/sum)
}

func softmaxGeneric(y, x *Matrix) {
	for i := range filled(x) {
		dst, row := y.Row(i), x.Row(i)
		r := 1 / expRow(dst, row, maxRow(row))
		scaleGeneric(dst, dst, r)
	}
}

func maxRow(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// expRow returns Σ exp(x-m), and leaves the terms in y unless it is nil.
func expRow(y, x []float32, m float32) float32 {
	var sum lanes
	for j, v := range x {
		e := exp(v - m)
		sum[j&15] += e
		if y != nil {
			y[j] = e
		}
	}
	return sum.fold()
}

// SoftmaxGrad computes the gradient of [Table.Softmax] from its output y:
// dx = y·(dy - Σ dy·y) for each row, or dx += that if accumulate is set. All
// matrices have one shape; dx may be dy if accumulate is not set.
func (t *Table) SoftmaxGrad(dx, dy, y Matrix, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	if !same(&dx, &y) || !same(&dy, &y) {
		return checkSame("SoftmaxGrad", operand{"dy", dy}, operand{"y", y}, operand{"dx", dx})
	}
	raceReads(dy, y)
	raceWrites(dx)
	switch v := t.level; {
	case v == nil:
		softmaxGradGeneric(&dx, &dy, &y, accumulate)
	case y.Cols > rowCall:
		for i := range y.Rows {
			v.softmaxGradLong(dx.Row(i), dy.Row(i), y.Row(i), accumulate)
		}
	default:
		for i, rows := range y.blocks(rowCall) {
			v.softmaxGrad(rows, y.Cols, dx.row(i), 4*dx.Stride, dy.row(i), 4*dy.Stride, y.row(i), 4*y.Stride, flag(accumulate))
		}
	}
	return nil
}

// softmaxGradLong is a row in pieces.
func (v *level) softmaxGradLong(dx, dy, y []float32, accumulate bool) {
	var sum lanes
	for from, n := range parts(len(y), rowCall) {
		v.dot(n, noescape(&sum[0]), &dy[from], &y[from])
	}
	dot := sum.fold()
	for from, n := range parts(len(y), rowCall) {
		v.softmaxGradPiece(n, &dx[from], &dy[from], &y[from], dot, flag(accumulate))
	}
}

func softmaxGradGeneric(dx, dy, y *Matrix, accumulate bool) {
	for i := range filled(y) {
		dst, g, p := dx.Row(i), dy.Row(i), y.Row(i)
		var sum lanes
		for j, v := range p {
			sum[j&15] = mulAdd(g[j], v, sum[j&15])
		}
		dot := sum.fold()
		for j, v := range p {
			d := float32(v * (g[j] - dot))
			if accumulate {
				d += dst[j]
			}
			dst[j] = d
		}
	}
}

// LogSoftmax computes y = (x-max) - log Σ exp(x-max) for each row. y has the
// shape of x and may be x.
func (t *Table) LogSoftmax(y, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if !same(&y, &x) {
		return checkSame("LogSoftmax", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	switch v := t.level; {
	case v == nil:
		logSoftmaxGeneric(&y, &x)
	case x.Cols > rowCall:
		for i := range x.Rows {
			v.logSoftmaxLong(y.Row(i), x.Row(i))
		}
	default:
		for i, rows := range x.blocks(rowCall) {
			v.logSoftmax(rows, x.Cols, y.row(i), 4*y.Stride, x.row(i), 4*x.Stride)
		}
	}
	return nil
}

// logSoftmaxLong is a row in pieces.
func (v *level) logSoftmaxLong(y, x []float32) {
	m := v.max(x)
	l := v.logOf(v.sumOfExps(nil, x, m))
	for from, n := range parts(len(y), rowCall) {
		v.shift(n, &y[from], &x[from], m, l)
	}
}

func logSoftmaxGeneric(y, x *Matrix) {
	for i := range filled(x) {
		dst, row := y.Row(i), x.Row(i)
		m := maxRow(row)
		l := log(expRow(nil, row, m))
		for j, v := range row {
			dst[j] = (v - m) - l
		}
	}
}

// LogSoftmaxGrad computes the gradient of [Table.LogSoftmax] from its output y: dx = dy - exp(y)·Σ dy for each row, or
// dx += that if accumulate is set. All matrices have one shape; dx may be dy if accumulate is not set.
func (t *Table) LogSoftmaxGrad(dx, dy, y Matrix, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	if !same(&dx, &y) || !same(&dy, &y) {
		return checkSame("LogSoftmaxGrad", operand{"dy", dy}, operand{"y", y}, operand{"dx", dx})
	}
	raceReads(dy, y)
	raceWrites(dx)
	for i := range filled(&y) {
		to, g, out := dx.Row(i), dy.Row(i), y.Row(i)
		sum := t.sum(g)
		var p [256]float32 // probabilities
		for from, n := range parts(len(out), len(p)) {
			t.exps(p[:n], out[from:from+n])
			for j, p := range p[:n] {
				d := g[from+j] - float32(p*sum)
				if accumulate {
					d += to[from+j]
				}
				to[from+j] = d
			}
		}
	}
	return nil
}

// sum returns the sum of a row.
func (t *Table) sum(x []float32) float32 {
	if t.level != nil {
		return t.level.sum(x)
	}
	var sum lanes
	for j, v := range x {
		sum[j&15] += v
	}
	return sum.fold()
}

// exps sets y, which has elements, to exp(x).
func (t *Table) exps(y, x []float32) {
	if t.level != nil {
		t.level.exp(len(x), noescape(&y[0]), &x[0])
		return
	}
	for j, v := range x {
		y[j] = exp(v)
	}
}
