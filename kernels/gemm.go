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
	if err := checkViews(kernel, c, a, b); err != nil {
		return err
	}
	switch {
	case b.Rows != a.Cols:
		return shapeError(kernel, "b is %dx%d, a has %d columns", b.Rows, b.Cols, a.Cols)
	case c.Rows != a.Rows || c.Cols != b.Cols:
		return shapeError(kernel, "c is %dx%d, a·b is %dx%d", c.Rows, c.Cols, a.Rows, b.Cols)
	}
	if err := e.check(kernel, operand{"c", c}); err != nil {
		return err
	}
	raceProduct(c, a, b, e.Bias)
	t.product(s, c, a, a.Stride, 1, b, e)
	return nil
}

// GemmNT computes C = act(A·Bᵀ + bias) for A[m,k], B[n,k] and C[m,n]: with
// A = dY and B = W it is the gradient dX. C must not share memory with A or B.
// A nil Scratch is legal, but allocates.
func (t *Table) GemmNT(s *Scratch, c, a, b Matrix, e Epilogue) error {
	const kernel = "GemmNT"
	if err := checkViews(kernel, c, a, b); err != nil {
		return err
	}
	switch {
	case b.Cols != a.Cols:
		return shapeError(kernel, "b is %dx%d, a has %d columns", b.Rows, b.Cols, a.Cols)
	case c.Rows != a.Rows || c.Cols != b.Rows:
		return shapeError(kernel, "c is %dx%d, a·bᵀ is %dx%d", c.Rows, c.Cols, a.Rows, b.Rows)
	}
	if err := e.check(kernel, operand{"c", c}); err != nil {
		return err
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
	if err := checkViews(kernel, c, a, b); err != nil {
		return err
	}
	switch {
	case b.Rows != a.Rows:
		return shapeError(kernel, "b is %dx%d, a has %d rows", b.Rows, b.Cols, a.Rows)
	case c.Rows != a.Cols || c.Cols != b.Cols:
		return shapeError(kernel, "c is %dx%d, aᵀ·b is %dx%d", c.Rows, c.Cols, a.Cols, b.Cols)
	}
	if err := e.check(kernel, operand{"c", c}); err != nil {
		return err
	}
	raceProduct(c, a, b, e.Bias)
	t.product(s, c, a, 1, a.Stride, b, e)
	return nil
}

// product computes C = act(A·B + bias) with element (i, p) of A at a.Data[i*aRow+p*aCol].
func (t *Table) product(s *Scratch, c, a Matrix, aRow, aCol int, b Matrix, e Epilogue) {
	if t.tiles == nil {
		gemmGeneric(c, a.Data, aRow, aCol, b, e)
	} else {
		if s == nil {
			s = new(Scratch)
		}
		t.tiles.gemm(s, &c, unsafe.SliceData(a.Data), aRow, aCol, &b, &e)
	}
}

func checkViews(kernel string, c, a, b Matrix) error {
	for _, o := range [...]operand{{"c", c}, {"a", a}, {"b", b}} {
		if err := o.check(kernel); err != nil {
			return err
		}
	}
	return nil
}
