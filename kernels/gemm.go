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
	if t.err != nil {
		return t.err
	}
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
		if err := e.check(kernel, operand{"c", c}); err != nil {
			return err
		}
	}
	raceProduct(c, a, b, e.Bias)
	if t.level == nil {
		gemmGeneric(c, a.Data, a.Stride, 1, b, e)
	} else {
		t.level.gemm(s, &c, unsafe.SliceData(a.Data), a.Stride, 1, &b, &e)
	}
	return nil
}

// GemmNT computes C = act(A·Bᵀ + bias) for A[m,k], B[n,k] and C[m,n]: with
// A = dY and B = W it is the gradient dX. From k = 64 on, or k = 32
// if n is at most 8, the SIMD levels compute it from dot products of rows, which
// adds in another order than [Table.Gemm]. C must not share memory with A or B. A nil Scratch is legal, but may allocate.
func (t *Table) GemmNT(s *Scratch, c, a, b Matrix, e Epilogue) error {
	if t.err != nil {
		return t.err
	}
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
		if err := e.check(kernel, operand{"c", c}); err != nil {
			return err
		}
	}
	raceProduct(c, a, b, e.Bias)
	if t.level == nil {
		gemmNTGeneric(s, c, a, b, e)
	} else {
		t.level.gemmNT(s, &c, &a, &b, &e)
	}
	return nil
}

// GemmTN computes C = act(Aᵀ·B + bias) for A[k,m], B[k,n] and C[m,n]: with A = X
// and B = dY it is the gradient dW. C must not share memory with A or B. A nil
// Scratch is legal, but may allocate.
func (t *Table) GemmTN(s *Scratch, c, a, b Matrix, e Epilogue) error {
	if t.err != nil {
		return t.err
	}
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
		if err := e.check(kernel, operand{"c", c}); err != nil {
			return err
		}
	}
	raceProduct(c, a, b, e.Bias)
	if t.level == nil {
		gemmGeneric(c, a.Data, 1, a.Stride, b, e)
	} else {
		t.level.gemmTN(s, &c, &a, &b, &e)
	}
	return nil
}

// fits reports whether the operands make a product of m rows and n columns, as far as that is quick to see: what it leaves
// out goes through the checks that find the words for an error.
func fits(c, a, b *Matrix, e *Epilogue, m, k, kOfB, n int) bool {
	return c.Rows == m && c.Cols == n && k == kOfB && c.plain() && a.plain() && b.plain() && e.Act <= Tanh &&
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

// gemmGeneric takes k in steps of four: one pass over a row of C then costs four
// products per load and store, and its elements do not wait for each other.
func gemmGeneric(c Matrix, a []float32, rowStride, colStride int, b Matrix, e Epilogue) {
	k := b.Rows
	for i := range filled(&c) {
		y := c.Row(i)
		if e.Bias != nil {
			copy(y, e.Bias)
		} else if !e.Accumulate {
			clear(y)
		}
		at, p := i*rowStride, 0
		if len(y) == 1 { // too short to repay the slicing
			acc := y[0]
			for ; p < k; p++ {
				acc = mulAdd(a[at+p*colStride], b.Data[p*b.Stride], acc)
			}
			y[0] = acc
		}
		for ; p+4 <= k; p += 4 {
			a0, a1, a2, a3 := a[at], a[at+colStride], a[at+2*colStride], a[at+3*colStride]
			b0, b1, b2, b3 := b.Row(p)[:len(y)], b.Row(p + 1)[:len(y)], b.Row(p + 2)[:len(y)], b.Row(p + 3)[:len(y)]
			for j, acc := range y {
				acc = mulAdd(a0, b0[j], acc)
				acc = mulAdd(a1, b1[j], acc)
				acc = mulAdd(a2, b2[j], acc)
				y[j] = mulAdd(a3, b3[j], acc)
			}
			at += 4 * colStride
		}
		for ; p < k; p++ {
			axpyGeneric(y, a[at], b.Row(p))
			at += colStride
		}
		activateRow(y, y, nil, e.Act)
	}
}

func gemmNTGeneric(s *Scratch, c, a, b Matrix, e Epilogue) {
	if s == nil {
		s = new(Scratch)
	}
	s.b = grow(s.b, b.Rows*b.Cols)
	bt := MatrixOf(s.b, b.Cols, b.Rows)
	for j := range filled(&b) {
		for p, v := range b.Row(j) {
			bt.Data[p*bt.Stride+j] = v
		}
	}
	gemmGeneric(c, a.Data, a.Stride, 1, bt, e)
}
