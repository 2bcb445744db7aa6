package kernels

import (
	"errors"
	"fmt"
	"math/bits"
	"unsafe"
)

// ErrShape is wrapped by every error about operands that do not fit together.
var ErrShape = errors.New("shape mismatch")

// Matrix is a row-major view of float32 data that it does not own. Element
// (i, j) is Data[i*Stride+j]; Stride is in elements. The kernels reject a view
// whose Data is shorter than (Rows-1)*Stride+Cols.
type Matrix struct {
	Data               []float32
	Rows, Cols, Stride int
}

// NewMatrix returns a zeroed contiguous matrix. With a negative dimension it
// holds no data, and every kernel refuses it.
func NewMatrix(rows, cols int) Matrix {
	m := Matrix{Rows: rows, Cols: cols, Stride: cols}
	if rows > 0 && cols > 0 {
		m.Data = make([]float32, rows*cols)
	}
	return m
}

// MatrixOf returns a contiguous view of the first rows*cols elements of data.
// The kernels refuse the view if data is shorter.
func MatrixOf(data []float32, rows, cols int) Matrix {
	return Matrix{Data: data, Rows: rows, Cols: cols, Stride: cols}
}

// vector returns the view of x as one row.
func vector(x []float32) Matrix { return Matrix{Data: x, Rows: 1, Cols: len(x), Stride: len(x)} }

// Row returns row i: Cols elements that cannot be appended to. Like an index it
// panics when i is out of range.
func (m Matrix) Row(i int) []float32 {
	if m.Cols == 0 {
		return nil
	}
	from := i * m.Stride
	return m.Data[from : from+m.Cols : from+m.Cols]
}

// Columns returns the view of columns from up to, but not including, to.
func (m Matrix) Columns(from, to int) Matrix {
	m.Cols = to - from
	if m.Rows == 0 || m.Cols == 0 {
		m.Data = nil
		return m
	}
	m.Data = m.Data[from:]
	return m
}

// RowRange returns the view of rows from up to, but not including, to.
func (m Matrix) RowRange(from, to int) Matrix {
	m.Rows = to - from
	if m.Rows == 0 || m.Cols == 0 {
		m.Data = nil
		return m
	}
	m.Data = m.Data[from*m.Stride:]
	return m
}

// Contiguous reports whether the rows follow each other without a gap.
func (m Matrix) Contiguous() bool { return m.Stride == m.Cols || m.Rows <= 1 }

// absent reports whether m stands for a result that the caller skips: no data and no elements.
func (m *Matrix) absent() bool { return m.Data == nil && m.Rows == 0 && m.Cols == 0 }

// skipped is absent, and makes m the zero Matrix if it is: a stride would move the pointer that stands for no result.
func (m *Matrix) skipped() bool {
	if !m.absent() {
		return false
	}
	m.Stride = 0
	return true
}

// part returns row i of a result, or the zero Matrix if it is skipped or not wanted.
func (m *Matrix) part(i int, wanted bool) Matrix {
	if m.Data == nil || !wanted {
		return Matrix{}
	}
	return m.RowRange(i, i+1)
}

// over reports whether m lies on o.
func (m *Matrix) over(o *Matrix) bool {
	return m.Data != nil && unsafe.SliceData(m.Data) == unsafe.SliceData(o.Data)
}

// flatten turns matrices of one shape into single long rows if all of them are
// contiguous, and leaves them as they are otherwise.
func flatten(ms ...*Matrix) {
	for _, m := range ms {
		if !m.Contiguous() {
			return
		}
	}
	for _, m := range ms {
		m.Rows, m.Cols = 1, m.Rows*m.Cols
		m.Stride = m.Cols
	}
}

// operand is a matrix under the name it has in an error message.
type operand struct {
	name string
	Matrix
}

func shapeError(kernel, format string, args ...any) error {
	return fmt.Errorf("kernels: %s: %s: %w", kernel, fmt.Sprintf(format, args...), ErrShape)
}

// Valid reports whether the dimensions, the stride and the data of m hold together: the kernels refuse a view that is not
// valid.
func (m *Matrix) Valid() bool {
	if m.Rows < 0 || m.Cols < 0 || m.Stride < m.Cols {
		return false
	}
	if m.Rows == 0 || m.Cols == 0 {
		return true
	}
	// The product may take two words.
	high, low := bits.Mul64(uint64(m.Rows-1), uint64(m.Stride))
	return high == 0 && len(m.Data) >= m.Cols && low <= uint64(len(m.Data)-m.Cols)
}

// plain reports whether m is valid, as far as that is quick to see.
func (m *Matrix) plain() bool {
	return uint64(m.Rows|m.Cols|m.Stride) < 1<<31 && m.Stride >= m.Cols && int64(m.Rows-1)*int64(m.Stride) <= int64(len(m.Data)-m.Cols)
}

// check reports a view whose dimensions, stride and data do not hold together.
func (o operand) check(kernel string) error {
	switch {
	case o.Valid():
		return nil
	case o.Rows < 0 || o.Cols < 0:
		return shapeError(kernel, "%s is %dx%d", o.name, o.Rows, o.Cols)
	case o.Stride < o.Cols:
		return shapeError(kernel, "%s is %dx%d with stride %d", o.name, o.Rows, o.Cols, o.Stride)
	}
	return shapeError(kernel, "%s is %dx%d with stride %d but holds %d elements",
		o.name, o.Rows, o.Cols, o.Stride, len(o.Data))
}

// same reports whether two matrices are valid and have one shape: the quick way through checkSame.
func same(a, b *Matrix) bool {
	return a.Rows == b.Rows && a.Cols == b.Cols && a.Valid() && b.Valid()
}

// checkSame reports the first operand that is no valid view or has not the shape
// of the first one.
func checkSame(kernel string, operands ...operand) error {
	first := operands[0]
	for _, o := range operands {
		if err := o.check(kernel); err != nil {
			return err
		}
		if o.Rows != first.Rows || o.Cols != first.Cols {
			return shapeError(kernel, "%s is %dx%d, %s is %dx%d",
				o.name, o.Rows, o.Cols, first.name, first.Rows, first.Cols)
		}
	}
	return nil
}

// checkOptional is checkSame for a result that the caller may skip.
func checkOptional(kernel string, first, o operand) error {
	if o.absent() {
		return nil
	}
	return checkSame(kernel, first, o)
}

// checkRows reports a vector that has not one element per row of o.
func checkRows(kernel, name string, n int, o operand) error {
	if n != o.Rows {
		return shapeError(kernel, "%s has %d elements, %s has %d rows", name, n, o.name, o.Rows)
	}
	return nil
}

// checkCols reports a vector that has not one element per column of o.
func checkCols(kernel, name string, n int, o operand) error {
	if n != o.Cols {
		return shapeError(kernel, "%s has %d elements, %s has %d columns", name, n, o.name, o.Cols)
	}
	return nil
}
