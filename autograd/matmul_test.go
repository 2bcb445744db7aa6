package autograd_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

func (r *reference) MatMul(a, b *ops.Tensor, groups, heads int, transposed bool) *ops.Tensor {
	am, bm := r.of(a), r.of(b)
	m, k, n := am.rows/groups, am.cols/heads, bm.cols/heads
	at := func(g, h, p, j int) float64 { return bm.row(g*k + p)[h*n+j] }
	if transposed {
		n = bm.rows / groups
		at = func(g, h, p, j int) float64 { return bm.row(g*n + j)[h*k+p] }
	}
	y := newMat(am.rows, heads*n)
	for i := range y.rows {
		for h := range heads {
			for j := range n {
				for p := range k {
					y.row(i)[h*n+j] += am.row(i)[h*k+p] * at(i/m, h, p, j)
				}
			}
		}
	}
	return r.noted(y)
}

func TestMatMulGradients(t *testing.T) {
	sizes := []struct{ groups, heads, m, k, n int }{{1, 1, 1, 1, 1}, {1, 1, 3, 5, 2}, {3, 1, 2, 3, 4}, {1, 3, 4, 2, 3}, {2, 3, 3, 2, 4}, {2, 2, 1, 40, 3}}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range sizes {
			for _, transposed := range []bool{false, true} {
				for _, gap := range []int{0, 3} {
					t.Run(fmt.Sprintf("op=MatMul/%v/transposed=%v/gap=%d", s, transposed, gap), func(t *testing.T) {
						r := newRand(1)
						b := r.normal(s.groups*s.k, s.heads*s.n, gap)
						if transposed {
							b = r.normal(s.groups*s.n, s.heads*s.k, gap)
						}
						checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
							y := c.MatMul(p[0], p[1], s.groups, s.heads, transposed)
							return weighted(c, c.Add(y, c.MatMul(p[0], p[1], s.groups, s.heads, transposed)))
						}, []kernels.Matrix{r.normal(s.groups*s.m, s.heads*s.k, gap), b})
					})
				}
			}
		}
		t.Run("same", func(t *testing.T) {
			checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
				y := c.MatMul(p[0], p[0], 2, 2, true)
				return weighted(c, c.MatMul(y, p[0], 2, 2, false))
			}, []kernels.Matrix{newRand(2).normal(6, 4, 1)})
		})
	})
}

func TestMatMulErrors(t *testing.T) {
	for _, c := range []struct {
		a, b          [2]int
		groups, heads int
		transposed    bool
	}{
		{[2]int{4, 6}, [2]int{6, 5}, 0, 1, false},
		{[2]int{4, 6}, [2]int{6, 5}, 1, 0, false},
		{[2]int{4, 6}, [2]int{6, 5}, 3, 1, false},
		{[2]int{4, 6}, [2]int{6, 6}, 1, 4, false},
		{[2]int{4, 6}, [2]int{5, 6}, 1, 1, false},
		{[2]int{4, 6}, [2]int{6, 5}, 1, 1, true},
		{[2]int{4, 6}, [2]int{4, 5}, 2, 1, false},
		{[2]int{0, 6}, [2]int{6, 5}, 1, 1, false},
		{[2]int{4, 6}, [2]int{6, 0}, 1, 1, false},
	} {
		tape := autograd.NewTape(nil)
		tape.MatMul(tape.Const(kernels.NewMatrix(c.a[0], c.a[1])), tape.Const(kernels.NewMatrix(c.b[0], c.b[1])), c.groups, c.heads, c.transposed)
		require.ErrorIs(t, tape.Err(), kernels.ErrShape, "%v", c)
	}
}
