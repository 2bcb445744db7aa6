package autograd_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

func (r *reference) AddPairs(a, b *ops.Tensor, groups int, act kernels.Activation) *ops.Tensor {
	am, bm := r.of(a), r.of(b)
	n := bm.rows / groups
	y := newMat(am.rows*n, am.cols)
	for i := range y.rows {
		group := i / n / (am.rows / groups)
		for j := range y.cols {
			y.row(i)[j] = am.row(i / n)[j] + bm.row(group*n + i%n)[j]
		}
	}
	return r.Activate(r.noted(y), act)
}

func TestAddPairsGradients(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range []struct{ groups, m, n, cols int }{{1, 1, 1, 1}, {1, 3, 2, 5}, {3, 2, 4, 3}, {2, 1, 3, 17}} {
			for _, act := range activations {
				for _, gap := range []int{0, 3} {
					t.Run(fmt.Sprintf("op=AddPairs/%v/act=%v/gap=%d", s, act, gap), func(t *testing.T) {
						r := newRand(3)
						checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
							y := c.AddPairs(p[0], p[1], s.groups, act)
							return weighted(c, c.Add(y, c.AddPairs(p[0], p[1], s.groups, act)))
						}, []kernels.Matrix{r.normal(s.groups*s.m, s.cols, gap), r.normal(s.groups*s.n, s.cols, gap)})
					})
				}
			}
		}
	})
}

func TestAddPairsErrors(t *testing.T) {
	for _, c := range []struct{ a, b, cols, groups int }{{2, 2, 3, 0}, {3, 2, 3, 2}, {2, 3, 3, 2}, {2, 2, 4, 1}} {
		tape := autograd.NewTape(nil)
		tape.AddPairs(tape.Const(kernels.NewMatrix(c.a, 3)), tape.Const(kernels.NewMatrix(c.b, c.cols)), c.groups, kernels.Tanh)
		require.ErrorIs(t, tape.Err(), kernels.ErrShape, "%v", c)
	}
}
