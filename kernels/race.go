//go:build race

package kernels

import (
	"runtime"
	"unsafe"
)

// The race detector does not see what assembly reads and writes, so each kernel says it once its operands are checked.

// raceReads tells that the caller reads the matrices.
func raceReads(ms ...Matrix) {
	for _, m := range ms {
		raceRows(m, false)
	}
}

// raceWrites tells that the caller writes the matrices.
func raceWrites(ms ...Matrix) {
	for _, m := range ms {
		raceRows(m, true)
	}
}

func raceRows(m Matrix, write bool) {
	if m.Rows == 0 || m.Cols == 0 {
		return
	}
	flatten(&m)
	for i := range m.Rows {
		row := unsafe.Pointer(&m.Data[i*m.Stride])
		if write {
			runtime.RaceWriteRange(row, 4*m.Cols)
		} else {
			runtime.RaceReadRange(row, 4*m.Cols)
		}
	}
}

// raceProduct tells what a product of matrices reads and writes.
func raceProduct(c, a, b Matrix, bias []float32) {
	raceReads(a, b, vector(bias))
	raceWrites(c)
}
