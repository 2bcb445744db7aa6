package kernels

import "fmt"

// An IndexError is an index that is none of the rows of a matrix.
type IndexError struct {
	Row, Col int // where the index lies
	Value    float32
	Rows     int // valid are whole numbers below this
}

func (e *IndexError) Error() string {
	return fmt.Sprintf("row %d, column %d is %v, valid are whole numbers from 0 to %d", e.Row, e.Col, e.Value, e.Rows-1)
}

// CheckIndices returns an [IndexError] about the first element of x that is not a
// whole number from 0 to rows-1.
func CheckIndices(x Matrix, rows int) error {
	if err := (operand{"x", x}).check("CheckIndices"); err != nil {
		return err
	}
	for i := range filled(&x) {
		for j, v := range x.Row(i) {
			if indexOf(v, rows) < 0 {
				return &IndexError{i, j, v, rows}
			}
		}
	}
	return nil
}

// indexOf returns v as an index of rows, or -1.
func indexOf(v float32, rows int) int {
	i := int(v) // any number, if v is NaN or beyond int
	if float32(i) != v || i < 0 || i >= rows {
		return -1
	}
	return i
}

// Gather looks up rows of w: elements j·n to (j+1)·n of row i of y, where n is
// w.Cols, are row x[i, j] of w. y has x.Rows rows of x.Cols·w.Cols columns. The
// first element of x that is no row of w is returned as an [IndexError]; y then
// holds some of the result.
func (t *Table) Gather(y, x, w Matrix) error {
	if t.err != nil {
		return t.err
	}
	for _, o := range []operand{{"x", x}, {"w", w}, {"y", y}} {
		if err := o.check("Gather"); err != nil {
			return err
		}
	}
	if y.Rows != x.Rows || y.Cols != x.Cols*w.Cols {
		return shapeError("Gather", "y is %dx%d, x %dx%d and w %dx%d ask for %dx%d", y.Rows, y.Cols, x.Rows, x.Cols, w.Rows, w.Cols, x.Rows, x.Cols*w.Cols)
	}
	for i := range filled(&x) {
		to := y.Row(i)
		for j, v := range x.Row(i) {
			k := indexOf(v, w.Rows)
			if k < 0 {
				return &IndexError{i, j, v, w.Rows}
			}
			copy(to[j*w.Cols:], w.Row(k))
		}
	}
	return nil
}
