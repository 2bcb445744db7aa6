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
func (r *reference) MaskScores(x, asked, keys *ops.Tensor, groups, heads int, w ops.Band) *ops.Tensor {
	y := newMat(x.Rows, x.Cols)
	queries, n := x.Rows/groups, x.Cols/heads
	for i := range y.rows {
		for j, v := range r.of(x).row(i) {
			query, key := i%queries, j%n
			if w.Before >= 0 && key < query-w.Before || w.After >= 0 && key > query+w.After || keys != nil && r.of(keys).row(i / queries)[key] == 0 || asked != nil && r.of(asked).row(i / queries)[query] == 0 {
				v -= 1e9
			}
			y.row(i)[j] = v
		}
	}
	return r.tensor(y)
}

var bands = []ops.Band{{Before: -1, After: -1}, {Before: -1, After: 0}, {Before: 1, After: 0}, {Before: 0, After: 1}, {Before: 2, After: 2}}

// Every query has a key left that counts: what a softmax of masked scores only is, is not a matter of this operation.
func TestMaskScoresGradients(t *testing.T) {
	keys := kernels.MatrixOf([]float32{1, 0, 1, 1, 1, 1, 0, 1}, 2, 4)
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, queries := range []int{1, 4} {
			for _, w := range bands {
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
							y := c.MaskScores(p[0], nil, mask, 2, 3, w)
							return weighted(c, c.Softmax(c.Reshape(y, 3*p[0].Rows, 4)))
						}, []kernels.Matrix{newRand(1).normal(2*queries, 3*4, 1)})
					})
				}
			}
		}
	})
}

// A query that does not count is far below for all keys alike, also for those that do not count themselves.
func TestMaskScoresOfQueries(t *testing.T) {
	tape := autograd.NewTape(nil)
	x := tape.Param(newRand(1).normal(4, 6, 0))
	queries, keys := kernels.MatrixOf([]float32{1, 0, 0, 1}, 2, 2), kernels.MatrixOf([]float32{1, 0, 1, 1, 1, 1}, 2, 3)
	y := tape.MaskScores(x, tape.Const(queries), tape.Const(keys), 2, 2, ops.Band{Before: -1, After: 0})
	const far = -1e9
	for i, want := range [][]float32{
		{x.Row(0)[0], far, far, x.Row(0)[3], far, far},
		{far, far, far, far, far, far},
		{far, far, far, far, far, far},
		{x.Row(3)[0], x.Row(3)[1], far, x.Row(3)[3], x.Row(3)[4], far},
	} {
		require.Equal(t, want, y.Row(i), "row %d", i)
	}
	require.NoError(t, tape.Backward(tape.Sum(y)))
	require.Equal(t, kernels.MatrixOf([]float32{1, 1, 1, 1, 1, 1}, 1, 6).Data, tape.Grad(x).Row(1))
}

func TestMaskScoresErrors(t *testing.T) {
	for _, c := range []struct{ rows, cols, groups, heads int }{{2, 4, 0, 1}, {2, 4, 1, 0}, {3, 4, 2, 1}, {2, 6, 2, 2}, {4, 4, 4, 1}} {
		tape := autograd.NewTape(nil)
		tape.MaskScores(tape.Const(kernels.NewMatrix(c.rows, c.cols)), nil, tape.Const(kernels.NewMatrix(2, 4)), c.groups, c.heads, ops.Band{})
		require.ErrorIs(t, tape.Err(), kernels.ErrShape, "%v", c)
	}
}
