package autograd_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// MaskScores decides for each score by itself.
func (r *reference) MaskScores(x, keys *ops.Tensor, groups, heads int, w ops.Window) *ops.Tensor {
	y := newMat(x.Rows, x.Cols)
	queries, n := x.Rows/groups, x.Cols/heads
	for i := range y.rows {
		for j, v := range r.of(x).row(i) {
			query, key := i%queries, j%n
			if w.Before >= 0 && key < query-w.Before || w.After >= 0 && key > query+w.After || keys != nil && r.of(keys).row(i / queries)[key] == 0 {
				v -= 1e9
			}
			y.row(i)[j] = v
		}
	}
	return r.tensor(y)
}

var windows = []ops.Window{{Before: -1, After: -1}, {Before: -1, After: 0}, {Before: 1, After: 0}, {Before: 0, After: 1}, {Before: 2, After: 2}}

// Every query has a key left that counts: what a softmax of masked scores only is, is not a matter of this operation.
func TestMaskScoresGradients(t *testing.T) {
	keys := kernels.MatrixOf([]float32{1, 0, 1, 1, 1, 1, 0, 1}, 2, 4)
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, queries := range []int{1, 4} {
			for _, w := range windows {
				for _, masked := range []bool{false, true} {
					if masked && w.Before >= 0 && w.After < 2 {
						continue
					}
					t.Run(fmt.Sprintf("op=MaskScores/queries=%d/%v/keys=%v", queries, w, masked), func(t *testing.T) {
						checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
							var mask *ops.Tensor
							if masked {
								mask = c.Const(keys)
							}
							y := c.MaskScores(p[0], mask, 2, 3, w)
							return weighted(c, c.Softmax(c.Reshape(y, 3*p[0].Rows, 4)))
						}, []kernels.Matrix{newRand(1).normal(2*queries, 3*4, 1)})
					})
				}
			}
		}
	})
}

func TestMaskScoresErrors(t *testing.T) {
	for _, c := range []struct{ rows, cols, groups, heads int }{{2, 4, 0, 1}, {2, 4, 1, 0}, {3, 4, 2, 1}, {2, 6, 2, 2}, {4, 4, 4, 1}} {
		tape := autograd.NewTape(nil)
		tape.MaskScores(tape.Const(kernels.NewMatrix(c.rows, c.cols)), tape.Const(kernels.NewMatrix(2, 4)), c.groups, c.heads, ops.Window{})
		require.ErrorIs(t, tape.Err(), kernels.ErrShape, "%v", c)
	}
}
