package kernels

// Fill sets every element of x to v.
func (t *Table) Fill(x Matrix, v float32) error {
	if err := (operand{"x", x}).check("Fill"); err != nil {
		return err
	}
	raceWrites(x)
	flatten(&x)
	for i := range x.Rows {
		t.fill(x.Row(i), v)
	}
	return nil
}

// Copy computes y = x for operands of one shape that may overlap row by row, but
// not across rows.
func (t *Table) Copy(y, x Matrix) error {
	if !same(&y, &x) {
		return checkSame("Copy", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	for i := range y.Rows {
		copy(y.Row(i), x.Row(i))
	}
	return nil
}

// Scale computes y = alpha·x for operands of one shape. y may be x.
func (t *Table) Scale(y, x Matrix, alpha float32) error {
	if !same(&y, &x) {
		return checkSame("Scale", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	for i := range y.Rows {
		t.scale(y.Row(i), x.Row(i), alpha)
	}
	return nil
}

// Axpy computes y += alpha·x for operands of one shape. y may be x.
func (t *Table) Axpy(y Matrix, alpha float32, x Matrix) error {
	if !same(&y, &x) {
		return checkSame("Axpy", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	for i := range y.Rows {
		t.axpy(y.Row(i), alpha, x.Row(i))
	}
	return nil
}

// Add computes y = a + b for operands of one shape. y may be a or b.
func (t *Table) Add(y, a, b Matrix) error {
	if !same(&y, &a) || !same(&y, &b) {
		return checkSame("Add", operand{"a", a}, operand{"b", b}, operand{"y", y})
	}
	raceReads(a, b)
	raceWrites(y)
	flatten(&y, &a, &b)
	for i := range y.Rows {
		t.add(y.Row(i), a.Row(i), b.Row(i))
	}
	return nil
}

// Mul computes y = a·b, element by element, for operands of one shape. y may be
// a or b.
func (t *Table) Mul(y, a, b Matrix) error {
	if !same(&y, &a) || !same(&y, &b) {
		return checkSame("Mul", operand{"a", a}, operand{"b", b}, operand{"y", y})
	}
	raceReads(a, b)
	raceWrites(y)
	flatten(&y, &a, &b)
	for i := range y.Rows {
		t.mul(y.Row(i), a.Row(i), b.Row(i))
	}
	return nil
}

// MulAdd computes y += a·b, element by element, for operands of one shape. y may
// be a or b.
func (t *Table) MulAdd(y, a, b Matrix) error {
	if !same(&y, &a) || !same(&y, &b) {
		return checkSame("MulAdd", operand{"a", a}, operand{"b", b}, operand{"y", y})
	}
	raceReads(a, b)
	raceWrites(y)
	flatten(&y, &a, &b)
	for i := range y.Rows {
		t.mulAdd(y.Row(i), a.Row(i), b.Row(i))
	}
	return nil
}
