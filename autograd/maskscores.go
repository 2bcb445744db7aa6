package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type maskScoresOp struct{ x, y *variable }

// MaskScores returns x, the scores of queries for keys, with 10⁹ subtracted from those that a softmax is to leave out: of keys
// for which keys, [groups, number of keys], has 0 and of those that the query does not see through w. The queries of each of
// groups lie below each other in x, and the scores of each of heads for the keys of the group side by side. keys may be nil.
func (t *Tape) MaskScores(x, keys *Tensor, groups, heads int, w ops.Window) *Tensor {
	if !t.accept("MaskScores", x) || keys != nil && !t.accept("MaskScores", keys) {
		return &t.dead
	}
	if err := ops.CheckMaskScores(x, keys, groups, heads); err != nil {
		t.fail(fmt.Errorf("autograd: MaskScores: %w", err))
		return &t.dead
	}
	var mask kernels.Matrix
	if keys != nil {
		mask = keys.Matrix
	}
	y := t.result(x.Rows, x.Cols, x)
	ops.ComputeMaskScores(y.Matrix, x.Matrix, mask, groups, heads, w)
	return record(t, y, maskScoresOp{t.of(x), y})
}

// The difference is a constant.
func (o *maskScoresOp) backward(t *Tape) error { return t.give(o.x, o.y.grad) }
