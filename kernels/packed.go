package kernels

import "fmt"

// PackedB is the weights of a dense layer with their bias, laid out for the products of one [Table]. The zero value is
// ready for [Table.Pack]. It does not change afterwards, so any number of goroutines may use it.
type PackedB struct {
	level      *level // whose products read it
	rows, cols int
	panel      int       // columns that lie beside each other: all of them on Generic
	data       []float32 // panel after panel, the last one filled up with zeros
	bias       []float32 // nil for none
}

// Pack copies w [k, n] and bias, of n elements or nil, into dst, reusing its memory.
func (t *Table) Pack(dst *PackedB, w Matrix, bias []float32) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "Pack"
	if err := (operand{"w", w}).check(kernel); err != nil {
		return err
	}
	if bias != nil {
		if err := checkCols(kernel, "bias", len(bias), operand{"w", w}); err != nil {
			return err
		}
	}
	panel := max(w.Cols, 1)
	if t.level != nil {
		panel = t.level.panel
	}
	size := 0
	if w.Rows > 0 {
		size = (w.Cols + panel - 1) / panel * panel * w.Rows
	}
	*dst = PackedB{level: t.level, rows: w.Rows, cols: w.Cols, panel: panel, data: grow(dst.data, size), bias: dst.bias}
	if size > 0 {
		pack(dst.data, w, panel)
	}
	if bias == nil {
		dst.bias = nil
	} else {
		dst.bias = append(dst.bias[:0], bias...)
	}
	return nil
}

// pack copies b into panels of the given width.
func pack(dst []float32, b Matrix, panel int) {
	for j := 0; j < b.Cols; j += panel {
		n := min(panel, b.Cols-j)
		for p := range b.Rows {
			copy(dst[:n], b.Data[p*b.Stride+j:])
			clear(dst[n:panel])
			dst = dst[panel:]
		}
	}
}

// Dense computes y = act(x·w + bias) for x [m, k] and w packed by the same table. y must not share memory with
// x. The result has the bits of [Table.Gemm].
func (t *Table) Dense(s *Scratch, y, x Matrix, w *PackedB, act Activation) error {
	if t.err != nil {
		return t.err
	}
	if !y.Valid() || !x.Valid() || w == nil || w.level != t.level || x.Cols != w.rows || y.Rows != x.Rows || y.Cols != w.cols || act > Tanh {
		return t.checkDense(y, x, w, act)
	}
	raceProduct(y, x, vector(w.data), w.bias)
	if t.level == nil {
		gemmGeneric(y, x.Data, x.Stride, 1, MatrixOf(w.data, w.rows, w.cols), Epilogue{Bias: w.bias, Act: act})
	} else {
		t.level.dense(s, &y, &x, w, act)
	}
	return nil
}

// checkDense says what is wrong with the operands of Dense.
func (t *Table) checkDense(y, x Matrix, w *PackedB, act Activation) error {
	const kernel = "Dense"
	if err := (operand{"y", y}).check(kernel); err != nil {
		return err
	}
	if err := (operand{"x", x}).check(kernel); err != nil {
		return err
	}
	switch {
	case w == nil:
		return fmt.Errorf("kernels: Dense: w is nil: use Table.Pack")
	case w.level != t.level:
		return fmt.Errorf("kernels: Dense: w is packed for %s, the table is %s", w.level.nameOf(), t.level.nameOf())
	case x.Cols != w.rows:
		return shapeError(kernel, "w is %dx%d, x has %d columns", w.rows, w.cols, x.Cols)
	case y.Rows != x.Rows || y.Cols != w.cols:
		return shapeError(kernel, "y is %dx%d, x·w is %dx%d", y.Rows, y.Cols, x.Rows, w.cols)
	}
	return act.check(kernel)
}
