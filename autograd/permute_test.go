package autograd_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Permute looks every element up by its indices.
func (r *reference) Permute(x *ops.Tensor, shape, perm []int) *ops.Tensor {
	last := shape[perm[len(perm)-1]]
	in := r.of(x).v
	y := newMat(len(in)/last, last)
	elements := 1
	for _, d := range shape {
		elements *= d
	}
	for i := range y.v {
		index := make([]int, len(shape)) // of the operand
		rest := i % elements
		for j := len(perm) - 1; j >= 0; j-- {
			index[perm[j]] = rest % shape[perm[j]]
			rest /= shape[perm[j]]
		}
		at := i / elements
		for j, d := range shape {
			at = at*d + index[j]
		}
		y.v[i] = in[at]
	}
	return r.tensor(y)
}

var permutations = []struct{ shape, perm []int }{
	{[]int{6}, []int{0}},
	{[]int{2, 3}, []int{0, 1}},
	{[]int{2, 3}, []int{1, 0}},
	{[]int{1, 6}, []int{1, 0}},
	{[]int{2, 3, 4}, []int{0, 2, 1}},
	{[]int{2, 3, 4}, []int{1, 0, 2}},
	{[]int{2, 3, 4}, []int{1, 2, 0}},
	{[]int{2, 3, 4}, []int{2, 0, 1}},
	{[]int{2, 3, 4}, []int{2, 1, 0}},
	{[]int{2, 1, 3, 1}, []int{3, 2, 1, 0}},
	{[]int{2, 3, 2, 2}, []int{2, 0, 3, 1}},
}

func TestPermuteGradients(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, p := range permutations {
			elements := 1
			for _, d := range p.shape {
				elements *= d
			}
			t.Run(fmt.Sprintf("op=Permute/%v/%v", p.shape, p.perm), func(t *testing.T) {
				checkGradients(t, table, func(c calc, x []*ops.Tensor) *ops.Tensor {
					y := c.Permute(x[0], p.shape, p.perm)
					return c.Add(weighted(c, y), weighted(c, c.Permute(x[0], p.shape, p.perm)))
				}, []kernels.Matrix{newRand(1).normal(3, elements, 0)})
			})
		}
	})
}

func TestPermuteErrors(t *testing.T) {
	for _, c := range []struct{ shape, perm []int }{
		{nil, nil},
		{[]int{2, 3}, []int{0}},
		{[]int{2, 3}, []int{0, 0}},
		{[]int{2, 3}, []int{1, 2}},
		{[]int{0, 3}, []int{1, 0}},
		{[]int{2, 4}, []int{1, 0}},
		{make([]int, 40), make([]int, 40)},
	} {
		tape := autograd.NewTape(nil)
		tape.Permute(tape.Const(kernels.NewMatrix(3, 6)), c.shape, c.perm)
		require.ErrorIs(t, tape.Err(), kernels.ErrShape, "%v", c)
	}
	tape := autograd.NewTape(nil)
	x := kernels.NewMatrix(3, 6)
	x.Cols = 4
	tape.Permute(tape.Const(x), []int{2, 2}, []int{1, 0})
	require.ErrorIs(t, tape.Err(), kernels.ErrShape, "a gap")
}
