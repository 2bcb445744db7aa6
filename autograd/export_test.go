package autograd

import (
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// Poison fills the memory that the next step will get with NaN.
func (t *Tape) Poison() {
	t.arena.reset()
	for i := range t.arena.block {
		t.arena.block[i] = float32(math.NaN())
	}
}

// Values returns the matrices of all tensors on the tape.
func (t *Tape) Values() []kernels.Matrix {
	var values []kernels.Matrix
	for _, x := range t.vars.items[:t.vars.used] {
		values = append(values, x.Matrix)
	}
	return values
}

// RowsPerSum is how many rows one chain of additions takes.
const RowsPerSum = rowsPerSum
