package kernels

import (
	"fmt"
	"unsafe"
)

// Epilogue says where the accumulator of a product starts and what happens to it
// at the end. The zero Epilogue computes the plain product.
type Epilogue struct {
	Bias       []float32  // one element per column of C, or nil
	Act        Activation // applied to the finished sum
	Accumulate bool       // start from C itself; excludes Bias and Act
}

func (e Epilogue) check(kernel string, c operand) error {
	if e.Accumulate && (e.Bias != nil || e.Act != Linear) {
		return fmt.Errorf("kernels: %s: Accumulate excludes Bias and Act", kernel)
	}
	if e.Bias != nil {
		if err := checkCols(kernel, "bias", len(e.Bias), c); err != nil {
			return err
		}
	}
	return e.Act.check(kernel)
}

// Gemm computes C = act(A·B + bias) for A[m,k], B[k,n] and C[m,n]. C must not
// share memory with A or B. A nil Scratch is legal, but may allocate.
func (t *Table) Gemm(s *Scratch, c, a, b Matrix, e Epilogue) error {
	const kernel = "Gemm"
	if !fits(&c, &a, &b, &e, a.Rows, a.Cols, b.Rows, b.Cols) {
		if err := checkViews(kernel, c, a, b); err != nil {
			return err
		}
		switch {
		case b.Rows != a.Cols:
			return shapeError(kernel, "b is %dx%d, a has %d columns", b.Rows, b.Cols, a.Cols)
		case c.Rows != a.Rows || c.Cols != b.Cols:
			return shapeError(kernel, "c is %dx%d, a·b is %dx%d", c.Rows, c.Cols, a.Rows, b.Cols)
		}
		return e.check(kernel, operand{"c", c})
	}
	raceProduct(c, a, b, e.Bias)
	t.product(s, &c, &a, a.Stride, 1, &b, &e)
	return nil
}

// GemmNT computes C = act(A·Bᵀ + bias) for A[m,k], B[n,k] and C[m,n]: with
// A = dY and B = W it is the gradient dX. C must not share memory with A or B.
// A nil Scratch is legal, but allocates.
func (t *Table) GemmNT(s *Scratch, c, a, b Matrix, e Epilogue) error {
	const kernel = "GemmNT"
	if !fits(&c, &a, &b, &e, a.Rows, a.Cols, b.Cols, b.Rows) {
		if err := checkViews(kernel, c, a, b); err != nil {
			return err
		}
		switch {
		case b.Cols != a.Cols:
			return shapeError(kernel, "b is %dx%d, a has %d columns", b.Rows, b.Cols, a.Cols)
		case c.Rows != a.Rows || c.Cols != b.Rows:
			return shapeError(kernel, "c is %dx%d, a·bᵀ is %dx%d", c.Rows, c.Cols, a.Rows, b.Rows)
		}
		return e.check(kernel, operand{"c", c})
	}
	raceProduct(c, a, b, e.Bias)
	if s == nil {
		s = new(Scratch)
	}
	if t.tiles == nil {
		gemmNTGeneric(s, c, a, b, e)
	} else {
		t.tiles.gemmNT(s, &c, &a, &b, &e)
	}
	return nil
}

// GemmTN computes C = act(Aᵀ·B + bias) for A[k,m], B[k,n] and C[m,n]: with A = X
// and B = dY it is the gradient dW. C must not share memory with A or B. A nil
// Scratch is legal, but may allocate.
func (t *Table) GemmTN(s *Scratch, c, a, b Matrix, e Epilogue) error {
	const kernel = "GemmTN"
	if !fits(&c, &a, &b, &e, a.Cols, a.Rows, b.Rows, b.Cols) {
		if err := checkViews(kernel, c, a, b); err != nil {
			return err
		}
		switch {
		case b.Rows != a.Rows:
			return shapeError(kernel, "b is %dx%d, a has %d rows", b.Rows, b.Cols, a.Rows)
		case c.Rows != a.Cols || c.Cols != b.Cols:
			return shapeError(kernel, "c is %dx%d, aᵀ·b is %dx%d", c.Rows, c.Cols, a.Cols, b.Cols)
		}
		return e.check(kernel, operand{"c", c})
	}
	raceProduct(c, a, b, e.Bias)
	t.product(s, &c, &a, 1, a.Stride, &b, &e)
	return nil
}

// product computes C = act(A·B + bias) with element (i, p) of A at a.Data[i*aRow+p*aCol].
func (t *Table) product(s *Scratch, c, a *Matrix, aRow, aCol int, b *Matrix, e *Epilogue) {
	if t.tiles == nil {
		gemmGeneric(*c, a.Data, aRow, aCol, *b, *e)
	} else {
		t.tiles.gemm(s, c, unsafe.SliceData(a.Data), aRow, aCol, b, e)
	}
}

// fits reports whether the operands make a product of m rows and n columns. It is the quick way through the checks, which
// find the words for an error.
func fits(c, a, b *Matrix, e *Epilogue, m, k, kOfB, n int) bool {
	return c.Rows == m && c.Cols == n && k == kOfB && c.Valid() && a.Valid() && b.Valid() && e.Act <= Tanh &&
		(e.Bias == nil || len(e.Bias) == n && !e.Accumulate) && !(e.Accumulate && e.Act != Linear)
}

func checkViews(kernel string, c, a, b Matrix) error {
	for _, o := range [...]operand{{"c", c}, {"a", a}, {"b", b}} {
		if err := o.check(kernel); err != nil {
			return err
		}
	}
	return nil
}
