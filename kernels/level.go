package kernels

import (
	"iter"
	"unsafe"
)

// level is one vector instruction set: its assembly functions, called through variables so that tests can run the level in
// a simulator where the machine lacks it.
type level struct {
	isa ISA
	tiles
	functions
}

// table returns the kernels of the level. Those that no caller needs to be fast are portable Go.
func (v *level) table() *Table { return &Table{ISA: v.isa, level: v} }

// nameOf returns the ISA of the level; nil is portable Go.
func (v *level) nameOf() ISA {
	if v == nil {
		return Generic
	}
	return v.isa
}

// While assembly runs its goroutine cannot be stopped, and everybody who wants to stop the world waits for it. So a call
// has at most this many elements, a few microseconds of work or, from main memory, some 100 KiB; rows of more columns than
// rowCall are computed in pieces.
const (
	flatCall   = 8 << 10
	updateCall = 4 << 10 // of an optimizer, which has up to seven streams of memory
	mathCall   = 2 << 10 // of an exponential or two each
	rowCall    = 4 << 10
)

// safePoint is where the world may stop between two calls. Nothing else in a loop over calls is one: a function in
// assembly has no check of its stack, and the signal that asks to stop is lost when it arrives there.
//
//go:noinline
func safePoint() { neverInlined() }

// neverInlined is a call, without which safePoint would have no stack to check.
//
//go:noinline
func neverInlined() {}

// parts yields where each call for n elements begins and how many it has, at most most.
func parts(n, most int) iter.Seq2[int, int] {
	return func(yield func(from, n int) bool) {
		for from := 0; from < n; from += most {
			if from > 0 {
				safePoint()
			}
			if !yield(from, min(most, n-from)) {
				return
			}
		}
	}
}

// blocks yields the first row of each call for the rows of m, of which a call has at most most elements or one row, and
// how many rows that are. It yields nothing if m has no columns.
func (m *Matrix) blocks(most int) iter.Seq2[int, int] {
	height, width := m.Rows, (m.Cols+15)&^15 // a part of a vector costs a vector
	if m.Cols == 0 {
		height = 0
	} else if m.Rows > 1 && m.Rows*width > most { // saves small calls the division
		height = max(1, most/width)
	}
	return func(yield func(i, rows int) bool) {
		for i := 0; i < m.Rows && height > 0; i += height {
			if i > 0 {
				safePoint()
			}
			if !yield(i, min(height, m.Rows-i)) {
				return
			}
		}
	}
}

// noescape hides from the compiler where p goes, so that what it points to may stay on the stack: no assembly function
// keeps it, which the compiler cannot know of a function in a variable. While the address is a number the stack must not
// move, so no check of the compiler's may come in between.
//
//go:nosplit
//go:nocheckptr
//go:norace
func noescape[T any](p *T) *T {
	word := uintptr(unsafe.Pointer(p))
	return *(**T)(unsafe.Pointer(&word))
}

// row returns where row i begins, or nil for a result that the caller skips.
func (m *Matrix) row(i int) *float32 {
	if m.Data == nil {
		return nil
	}
	return &m.Data[i*m.Stride]
}

// at returns where element (i, j) lies.
func (m *Matrix) at(i, j int) *float32 { return &m.Data[i*m.Stride+j] }

// pointer returns the address of s[i], or nil if there is no s.
func pointer(s []float32, i int) *float32 {
	if s == nil {
		return nil
	}
	return &s[i]
}

var unitWeight = float32(1)

// weightsFrom returns where the weight of row i is, and how many bytes the next one is from there.
func weightsFrom(weights []float32, i int) (*float32, int) {
	if weights == nil {
		return &unitWeight, 0
	}
	return &weights[i], 4
}

// isColumn reports whether m has one column without gaps.
func isColumn(m *Matrix) bool { return m.Cols == 1 && m.Contiguous() }

func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}

// lanes are the 16 partial sums of a row reduction; element j goes to lane j&15.
type lanes [16]float32

func (l *lanes) fold() float32 {
	for half := len(l) / 2; half > 0; half /= 2 {
		for i := range half {
			l[i] += l[i+half]
		}
	}
	return l[0]
}

// The pieces of long rows.

// max returns the maximum of a row; it may miss a NaN.
func (v *level) max(x []float32) float32 {
	top := minusInf32
	for from, n := range parts(len(x), rowCall) {
		v.rowMax(n, noescape(&top), &x[from])
	}
	return top
}

// sum returns the sum of a row.
func (v *level) sum(x []float32) float32 {
	var sum lanes
	for from, n := range parts(len(x), rowCall) {
		if n >= 16 {
			v.colSum(n/16, 16, noescape(&sum[0]), &x[from], 64)
		}
		if n%16 > 0 {
			v.colSum(1, n%16, noescape(&sum[0]), &x[from+n&^15], 0)
		}
	}
	return sum.fold()
}

// sumOfSquares returns Σ x², each added with one rounding.
func (v *level) sumOfSquares(x []float32) float32 {
	var sum lanes
	for from, n := range parts(len(x), flatCall) {
		v.dot(n, noescape(&sum[0]), &x[from], &x[from])
	}
	return sum.fold()
}

// sumOfExps returns Σ exp(x-m), and leaves the terms in y unless it is nil.
func (v *level) sumOfExps(y, x []float32, m float32) float32 {
	var sum lanes
	for from, n := range parts(len(x), mathCall) {
		v.expSum(n, noescape(&sum[0]), pointer(y, from), &x[from], m)
	}
	return sum.fold()
}

// logOf returns log(x) with the bits that assembly gives.
func (v *level) logOf(x float32) float32 {
	var y float32
	v.log(1, noescape(&y), noescape(&x))
	return y
}

// fma returns a·b + c with one rounding.
func (v *level) fma(a, b, c float32) float32 {
	v.mulAdd(1, noescape(&c), noescape(&a), noescape(&b))
	return c
}
