package kernels

// GRU computes one step of gated recurrent units whose reset gate follows the product (Cho et al. 2014, arXiv:1406.1078, as
// Keras' reset_after and cuDNN have it). gates, x and sums have three times the columns of y: those of the update gate z, the
// reset gate r and the candidate c. x is the input's part of each, sums that of the state before.
//
//	z, r = sigmoid(x + sums)    c = tanh(x + r·sums)    y = z·before + (1-z)·c
//
// gates gets z, r and c. y may be before, and gates may be x or sums.
func (t *Table) GRU(y, gates, x, sums, before Matrix) error {
	if t.err != nil {
		return t.err
	}
	if !alike(y.Rows, y.Cols, &y, &before) || !alike(y.Rows, 3*y.Cols, &gates, &x, &sums) {
		return checkRecurrent("GRU", 3, operand{"y", y}, operand{"before", before}, operand{"gates", gates}, operand{"x", x}, operand{"sums", sums})
	}
	raceReads(x, sums, before)
	raceWrites(y, gates)
	units, v := y.Cols, t.level
	if v == nil {
		for i := range filled(&y) {
			gruGeneric(y.Row(i), gates.Row(i), x.Row(i), sums.Row(i), before.Row(i))
		}
		return nil
	}
	for i, rows := range y.blocks(mathCall) {
		for j, cols := range parts(units, mathCall) {
			v.gru(rows, cols, 4*units, y.at(i, j), 4*y.Stride, gates.at(i, j), 4*gates.Stride, x.at(i, j), 4*x.Stride,
				sums.at(i, j), 4*sums.Stride, before.at(i, j), 4*before.Stride)
		}
	}
	return nil
}

func gruGeneric(y, gates, x, sums, before []float32) {
	n := len(y)
	for j, h := range before {
		z, r := sigmoid(x[j]+sums[j]), sigmoid(x[n+j]+sums[n+j])
		c := tanh(float32(r*sums[2*n+j]) + x[2*n+j])
		gates[j], gates[n+j], gates[2*n+j] = z, r, c
		y[j] = mulAdd(z, h-c, c)
	}
}

// GRUGrad computes the gradients of [Table.GRU] from that by y and from what it has read and written: dx by x, dsums by sums,
// and dbefore by before, which lacks the part that comes through sums. dbefore may be dy.
func (t *Table) GRUGrad(dx, dsums, dbefore, dy, gates, sums, before Matrix) error {
	if t.err != nil {
		return t.err
	}
	if err := checkRecurrent("GRUGrad", 3, operand{"dy", dy}, operand{"before", before}, operand{"dbefore", dbefore},
		operand{"gates", gates}, operand{"sums", sums}, operand{"dx", dx}, operand{"dsums", dsums}); err != nil {
		return err
	}
	raceReads(dy, gates, sums, before)
	raceWrites(dx, dsums, dbefore)
	n := dy.Cols
	for i := range filled(&dy) {
		g, s, b, dx, dsums, dbefore := gates.Row(i), sums.Row(i), before.Row(i), dx.Row(i), dsums.Row(i), dbefore.Row(i)
		for j, d := range dy.Row(i) {
			z, r, c := g[j], g[n+j], g[2*n+j]
			dc := float32(float32(d*(1-z)) * mulAdd(-c, c, 1))
			dz := float32(float32(d*(b[j]-c)) * float32(z*(1-z)))
			dr := float32(float32(dc*s[2*n+j]) * float32(r*(1-r)))
			dx[j], dx[n+j], dx[2*n+j] = dz, dr, dc
			dsums[j], dsums[n+j], dsums[2*n+j] = dz, dr, dc*r
			dbefore[j] = d * z
		}
	}
	return nil
}

// LSTM computes one step of long short-term memories (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
// 2000). gates, x and sums have four times the columns of y: those of the input gate i, the forget gate f, the candidate g
// and the output gate o. x is the input's part of each, sums that of the state before, and before the cell before.
//
//	i, f, o = sigmoid(x + sums)    g = tanh(x + sums)    cell = f·before + i·g    y = o·tanh(cell)
//
// gates gets i, f, g and o. cell may be before, and gates may be x or sums.
func (t *Table) LSTM(y, cell, gates, x, sums, before Matrix) error {
	if t.err != nil {
		return t.err
	}
	if !alike(y.Rows, y.Cols, &y, &before, &cell) || !alike(y.Rows, 4*y.Cols, &gates, &x, &sums) {
		return checkRecurrent("LSTM", 4, operand{"y", y}, operand{"before", before}, operand{"cell", cell}, operand{"gates", gates}, operand{"x", x}, operand{"sums", sums})
	}
	raceReads(x, sums, before)
	raceWrites(y, cell, gates)
	units, v := y.Cols, t.level
	if v == nil {
		for i := range filled(&y) {
			lstmGeneric(y.Row(i), cell.Row(i), gates.Row(i), x.Row(i), sums.Row(i), before.Row(i))
		}
		return nil
	}
	for i, rows := range y.blocks(mathCall) {
		for j, cols := range parts(units, mathCall) {
			v.lstm(rows, cols, 4*units, y.at(i, j), 4*y.Stride, cell.at(i, j), 4*cell.Stride, gates.at(i, j), 4*gates.Stride,
				x.at(i, j), 4*x.Stride, sums.at(i, j), 4*sums.Stride, before.at(i, j), 4*before.Stride)
		}
	}
	return nil
}

func lstmGeneric(y, cell, gates, x, sums, before []float32) {
	n := len(y)
	for j, c := range before {
		i, f := sigmoid(x[j]+sums[j]), sigmoid(x[n+j]+sums[n+j])
		g, o := tanh(x[2*n+j]+sums[2*n+j]), sigmoid(x[3*n+j]+sums[3*n+j])
		gates[j], gates[n+j], gates[2*n+j], gates[3*n+j] = i, f, g, o
		c = mulAdd(f, c, float32(i*g))
		cell[j] = c
		y[j] = o * tanh(c)
	}
}

// LSTMGrad computes the gradients of [Table.LSTM] from that by y and from what it has read and written, with squashed =
// tanh(cell): dx by x, which is that by sums, too. dcell has the gradient by cell that does not come through y, and gets that
// by before.
func (t *Table) LSTMGrad(dx, dcell, dy, gates, squashed, before Matrix) error {
	if t.err != nil {
		return t.err
	}
	if err := checkRecurrent("LSTMGrad", 4, operand{"dy", dy}, operand{"before", before}, operand{"squashed", squashed}, operand{"dcell", dcell},
		operand{"gates", gates}, operand{"dx", dx}); err != nil {
		return err
	}
	raceReads(dy, gates, squashed, before)
	raceWrites(dx, dcell)
	n := dy.Cols
	for row := range filled(&dy) {
		gate, s, b, dx, dcell := gates.Row(row), squashed.Row(row), before.Row(row), dx.Row(row), dcell.Row(row)
		for j, d := range dy.Row(row) {
			i, f, g, o := gate[j], gate[n+j], gate[2*n+j], gate[3*n+j]
			dc := dcell[j] + float32(float32(d*o)*mulAdd(-s[j], s[j], 1))
			dx[j] = float32(dc*g) * float32(i*(1-i))
			dx[n+j] = float32(dc*b[j]) * float32(f*(1-f))
			dx[2*n+j] = float32(dc*i) * mulAdd(-g, g, 1)
			dx[3*n+j] = float32(d*s[j]) * float32(o*(1-o))
			dcell[j] = dc * f
		}
	}
	return nil
}

// alike reports whether operands are valid views of rows x cols: the quick way through checkRecurrent.
func alike(rows, cols int, ms ...*Matrix) bool {
	for _, m := range ms {
		if m.Rows != rows || m.Cols != cols || !m.plain() {
			return false
		}
	}
	return true
}

// checkRecurrent reports operands that are no valid views or do not fit together: those up to "gates" have the shape of the
// first, the others so many times its columns.
func checkRecurrent(kernel string, parts int, operands ...operand) error {
	first, cols := operands[0], operands[0].Cols
	for _, o := range operands {
		if o.name == "gates" {
			cols = parts * first.Cols
		}
		if err := o.check(kernel); err != nil {
			return err
		}
		if o.Rows != first.Rows || o.Cols != cols {
			return shapeError(kernel, "%s is %dx%d, %s is %dx%d", o.name, o.Rows, o.Cols, first.name, first.Rows, first.Cols)
		}
	}
	return nil
}
