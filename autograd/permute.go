package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/ops"
)

type permuteOp struct {
	x, y *variable
	back ops.Permutation
}

// Permute returns the samples in x, each of the given shape, with their axes in the order perm: axis i of the result is axis
// perm[i] of x. The result has a row for each vector along its last axis.
func (t *Tape) Permute(x *Tensor, shape, perm []int) *Tensor {
	if !t.accept("Permute", x) {
		return &t.dead
	}
	p, err := ops.NewPermutation(shape, perm)
	rows, cols := 0, 0
	if err == nil {
		rows, cols, err = p.Shape(x)
	}
	if err != nil {
		t.fail(fmt.Errorf("autograd: Permute: %w", err))
		return &t.dead
	}
	if p.Identity() {
		return t.Reshape(x, rows, cols)
	}
	y := t.result(rows, cols, x)
	p.Apply(y.Data, x.Data[:rows*cols])
	return record(t, y, permuteOp{t.of(x), y, p.Inverse()})
}

func (o *permuteOp) backward(t *Tape) error {
	g := t.matrix(o.x.Rows, o.x.Cols)
	o.back.Apply(g.Data, o.y.grad.Data)
	return t.give(o.x, g)
}
