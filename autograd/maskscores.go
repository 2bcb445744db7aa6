package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type maskScoresOp struct{ x, y *variable }

// MaskScores returns x, the scores of queries for keys, with 10⁹ subtracted from those that a softmax is to leave out. The
// queries of each of groups lie below each other in x, and the scores of each of heads for the keys of the group side by side.
// Left out are the keys for which keys, [groups, number of keys], has 0 and those that a query does not see through w. A query
// for which queries, [groups, number of queries], has 0 leaves all of them out, so that the softmax is the same for each.
// queries and keys may be nil.
func (t *Tape) MaskScores(x, queries, keys *Tensor, groups, heads int, w ops.Band) *Tensor {
	if !t.accept("MaskScores", x) {
		return &t.dead
	}
	var masks [2]kernels.Matrix
	for i, m := range [...]*Tensor{queries, keys} {
		if m == nil {
			continue
		}
		if !t.accept("MaskScores", m) {
			return &t.dead
		}
		masks[i] = m.Matrix
	}
	if err := ops.CheckMaskScores(x, queries, keys, groups, heads); err != nil {
		t.fail(fmt.Errorf("autograd: MaskScores: %w", err))
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols, x)
	ops.ComputeMaskScores(y.Matrix, x.Matrix, masks[0], masks[1], groups, heads, w)
	return record(t, y, maskScoresOp{t.of(x), y})
}

// The difference is a constant.
func (o *maskScoresOp) backward(t *Tape) error { return t.give(o.x, o.y.grad) }
