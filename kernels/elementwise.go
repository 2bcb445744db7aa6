package kernels

// Fill sets every element of x to v.
func (t *Table) Fill(x Matrix, v float32) error {
	if t.err != nil {
		return t.err
	}
	if err := (operand{"x", x}).check("Fill"); err != nil {
		return err
	}
	raceWrites(x)
	flatten(&x)
	for i := range filled(&x) {
		t.fill(x.Row(i), v)
	}
	return nil
}

func (t *Table) fill(x []float32, value float32) {
	v := t.level
	if v == nil {
		fillGeneric(x, value)
		return
	}
	for from, n := range parts(len(x), flatCall) {
		v.fill(n, &x[from], value)
	}
}

func fillGeneric(x []float32, v float32) {
	for j := range x {
		x[j] = v
	}
}

// filled returns the number of rows that hold something.
func filled(m *Matrix) int {
	if m.Cols == 0 {
		return 0
	}
	return m.Rows
}

// Copy computes y = x for operands of one shape. y may be x.
func (t *Table) Copy(y, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if !same(&y, &x) {
		return checkSame("Copy", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	t.activate(&y, &x, nil, Linear)
	return nil
}

// copyRow copies x in parts: copying, like assembly, does not stop for anybody.
func copyRow(y, x []float32) {
	for from, n := range parts(len(x), flatCall) {
		copy(y[from:], x[from:from+n])
	}
}

// Scale computes y = alpha·x for operands of one shape. y may be x.
func (t *Table) Scale(y, x Matrix, alpha float32) error {
	if t.err != nil {
		return t.err
	}
	if !same(&y, &x) {
		return checkSame("Scale", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	for i := range filled(&y) {
		if v := t.level; v == nil {
			scaleGeneric(y.Row(i), x.Row(i), alpha)
		} else {
			v.scaled(y.Row(i), x.Row(i), alpha)
		}
	}
	return nil
}

func (v *level) scaled(y, x []float32, alpha float32) {
	for from, n := range parts(len(y), flatCall) {
		v.scale(n, &y[from], &x[from], alpha)
	}
}

func scaleGeneric(y, x []float32, alpha float32) {
	y = y[:len(x)]
	for j, v := range x {
		y[j] = v * alpha
	}
}

// Axpy computes y += alpha·x for operands of one shape. y may be x.
func (t *Table) Axpy(y Matrix, alpha float32, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if !same(&y, &x) {
		return checkSame("Axpy", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	for i := range filled(&y) {
		to, row := y.Row(i), x.Row(i)
		v := t.level
		if v == nil {
			axpyGeneric(to, alpha, row)
			continue
		}
		for from, n := range parts(len(to), flatCall) {
			v.axpy(n, &to[from], &row[from], alpha)
		}
	}
	return nil
}

func axpyGeneric(y []float32, alpha float32, x []float32) {
	y = y[:len(x)]
	for j, v := range x {
		y[j] = mulAdd(alpha, v, y[j])
	}
}

// Add computes y = a + b for operands of one shape. y may be a or b.
func (t *Table) Add(y, a, b Matrix) error {
	if t.err != nil {
		return t.err
	}
	if t.level == nil {
		return binary("Add", nil, addGeneric, &y, &a, &b)
	}
	return binary("Add", t.level.add, nil, &y, &a, &b)
}

func addGeneric(y, a, b []float32) {
	y, b = y[:len(a)], b[:len(a)]
	for j, v := range a {
		y[j] = v + b[j]
	}
}

// Mul computes y = a·b, element by element, for operands of one shape. y may be a or b.
func (t *Table) Mul(y, a, b Matrix) error {
	if t.err != nil {
		return t.err
	}
	if t.level == nil {
		return binary("Mul", nil, mulGeneric, &y, &a, &b)
	}
	return binary("Mul", t.level.mul, nil, &y, &a, &b)
}

func mulGeneric(y, a, b []float32) {
	y, b = y[:len(a)], b[:len(a)]
	for j, v := range a {
		y[j] = v * b[j]
	}
}

// MulAdd computes y += a·b, element by element, for operands of one shape. y may be a or b.
func (t *Table) MulAdd(y, a, b Matrix) error {
	if t.err != nil {
		return t.err
	}
	if t.level == nil {
		return binary("MulAdd", nil, mulAddGeneric, &y, &a, &b)
	}
	return binary("MulAdd", t.level.mulAdd, nil, &y, &a, &b)
}

func mulAddGeneric(y, a, b []float32) {
	y, b = y[:len(a)], b[:len(a)]
	for j, v := range a {
		y[j] = mulAdd(v, b[j], y[j])
	}
}

// Maximum computes y = max(a, b), element by element, for operands of one shape. y may be a or b.
func (t *Table) Maximum(y, a, b Matrix) error {
	if t.err != nil {
		return t.err
	}
	if t.level == nil {
		return binary("Maximum", nil, maximumGeneric, &y, &a, &b)
	}
	return binary("Maximum", t.level.maximum, nil, &y, &a, &b)
}

func maximumGeneric(y, a, b []float32) {
	y, b = y[:len(a)], b[:len(a)]
	for j, v := range a {
		y[j] = max(v, b[j])
	}
}

// Minimum computes y = min(a, b), element by element, for operands of one shape. y may be a or b.
func (t *Table) Minimum(y, a, b Matrix) error {
	if t.err != nil {
		return t.err
	}
	return binary("Minimum", nil, minimumGeneric, &y, &a, &b)
}

func minimumGeneric(y, a, b []float32) {
	y, b = y[:len(a)], b[:len(a)]
	for j, v := range a {
		y[j] = min(v, b[j])
	}
}

// binary computes y from a and b row by row, in assembly or, where there is none, in Go.
func binary(kernel string, assembly func(n int, y, a, b *float32), portable func(y, a, b []float32), y, a, b *Matrix) error {
	if !same(y, a) || !same(y, b) {
		return checkSame(kernel, operand{"a", *a}, operand{"b", *b}, operand{"y", *y})
	}
	raceReads(*a, *b)
	raceWrites(*y)
	flatten(y, a, b)
	for i := range filled(y) {
		to, left, right := y.Row(i), a.Row(i), b.Row(i)
		if assembly == nil {
			portable(to, left, right)
			continue
		}
		for from, n := range parts(len(to), flatCall) {
			assembly(n, &to[from], &left[from], &right[from])
		}
	}
	return nil
}
