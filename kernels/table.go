package kernels

import (
	"fmt"
	"os"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Table is one full set of kernels, written for one ISA. It is immutable and may
// be shared by any number of goroutines. Use [Default] or one of [Tables]; the
// zero Table has no kernels.
type Table struct {
	ISA ISA

	// The operands of these are checked. Matrices have one shape where the
	// exported method says so; slices have one length.

	tiles *tiles // the products; nil on Generic

	activate     func(y, x *Matrix, bias []float32, act Activation)
	activateGrad func(dx *Matrix, dbias []float32, dy, y *Matrix, act Activation, accumulate bool)

	softmax     func(y, x *Matrix)
	softmaxGrad func(dx, dy, y *Matrix, accumulate bool)
	logSoftmax  func(y, x *Matrix)

	softmaxCrossEntropy       func(loss []float32, probs, grad, logits *Matrix, labels []int32, weights []float32)
	softCrossEntropy          func(loss []float32, probs, grad, logits, targets *Matrix, weights []float32)
	binaryCrossEntropy        func(loss []float32, probs, grad, logits, targets *Matrix, weights []float32)
	clippedCrossEntropy       func(loss []float32, grad, probs *Matrix, labels []int32, weights []float32)
	clippedSoftCrossEntropy   func(loss []float32, grad, probs, targets *Matrix, weights []float32)
	clippedBinaryCrossEntropy func(loss []float32, grad, probs, targets *Matrix, weights []float32)
	meanSquaredError          func(loss []float32, grad, pred, target *Matrix, weights []float32)
	meanAbsoluteError         func(loss []float32, grad, pred, target *Matrix, weights []float32)

	colSum func(dst []float32, x *Matrix, accumulate bool)
	rowSum func(dst []float32, x *Matrix)

	fill   func(x []float32, v float32)
	scale  func(y, x []float32, alpha float32)
	axpy   func(y []float32, alpha float32, x []float32)
	add    func(y, a, b []float32)
	mul    func(y, a, b []float32)
	mulAdd func(y, a, b []float32)

	exp, log, erf, gelu func(y, x []float32)
	geluGrad            func(dx, dy, x []float32, accumulate bool)

	sgd      func(w, g []float32, lr float32)
	momentum func(w, v, g []float32, lr, momentum float32, nesterov bool)
	adam     func(w, m, v, g []float32, alpha, c1, c2, epsilon float32) // c1 = 1-beta1, c2 = 1-beta2
	rmsprop  func(w, v, g []float32, lr, rho, c, epsilon float32)       // c = 1-rho
}

var defaultTable, errISA = choose(os.Getenv("ESPALIER_ISA"), Tables())

// Default returns the best of [Tables], or the one that the environment variable
// ESPALIER_ISA names. The choice is made once, when the program starts.
func Default() *Table { return defaultTable }

// Err is not nil if ESPALIER_ISA names no table of this machine and build. It
// lists the valid values; [Default] is then the Generic table.
func Err() error { return errISA }

// Tables returns every table that both this build has and this machine runs, from
// Generic up to the best.
func Tables() []*Table {
	tables := []*Table{&genericTable}
	for _, t := range archTables() {
		if t.ISA.supported(cpuid.CPU.Has) {
			tables = append(tables, t)
		}
	}
	return tables
}

// choose returns the table that forced names, or the last one if it is empty.
func choose(forced string, tables []*Table) (*Table, error) {
	if forced == "" {
		return tables[len(tables)-1], nil
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		if names[i] = t.ISA.String(); names[i] == forced {
			return t, nil
		}
	}
	return tables[0], fmt.Errorf("kernels: ESPALIER_ISA=%q is not valid here: use %s",
		forced, strings.Join(names, " or "))
}

// Scratch holds the buffers that one goroutine's kernels work in. Its zero value
// is ready; it grows to the largest call and never shrinks, so that repeated
// calls allocate nothing. Two calls must not use it at the same time.
type Scratch struct {
	// Pool, if it is not nil, shares large products among several cores.
	Pool *Pool

	a, b   []float32 // copies of operands in the order that a product reads them
	shared *shared
}

// grow returns a slice of n elements with unspecified values, made of buf if it
// is large enough.
func grow(buf []float32, n int) []float32 {
	if cap(buf) < n {
		return make([]float32, n)
	}
	return buf[:n]
}
