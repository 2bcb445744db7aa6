package autograd_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

func (r *reference) Unequal(x *ops.Tensor, value float32) *ops.Tensor {
	y := newMat(x.Rows, 1)
	for i := range y.v {
		for _, v := range r.of(x).row(i) {
			if v != float64(value) {
				y.v[i] = 1
			}
		}
	}
	return r.tensor(y)
}

func (r *reference) MaskRows(x, mask *ops.Tensor) *ops.Tensor {
	y := newMat(x.Rows, x.Cols)
	for i, m := range r.of(mask).v {
		if m != 0 {
			copy(y.row(i), r.of(x).row(i))
		}
	}
	return r.tensor(y)
}

func TestMaskGradients(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, gap := range []int{0, 3} {
			x := newRand(60).normal(4, 5, gap)
			steps := kernels.MatrixOf([]float32{3, 3, 3, 4, 3, 3, 0, 0}, 4, 2)
			checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
				mask := c.Unequal(c.Const(steps), 3)
				return weighted(c, c.Add(p[0], c.MaskRows(c.Scale(p[0], 2), mask)))
			}, []kernels.Matrix{x})
		}
	})
}

// What is masked is gone, whatever it was.
func TestMaskRows(t *testing.T) {
	nan := float32(math.NaN())
	tape := autograd.NewTape(nil)
	x := tape.Const(kernels.MatrixOf([]float32{1, 1, nan, 1, 1, 2, nan, nan}, 4, 2))
	require.Equal(t, []float32{0, 1, 1, 1}, tape.Unequal(x, 1).Data)
	y := tape.MaskRows(x, tape.Const(kernels.MatrixOf([]float32{1, 0, 0.5, 0}, 4, 1)))
	require.Equal(t, []float32{1, 1, 0, 0, 1, 2, 0, 0}, y.Data)
	require.NoError(t, tape.Err())
}

func TestMaskErrors(t *testing.T) {
	tape := autograd.NewTape(nil)
	for want, call := range map[string]func(x *ops.Tensor){
		"Unequal: operand 0 is not on this tape":  func(*ops.Tensor) { tape.Unequal(nil, 0) },
		"MaskRows: operand 1 is not on this tape": func(x *ops.Tensor) { tape.MaskRows(x, nil) },
		"MaskRows: the mask is 2x3, x is 2x3":     func(x *ops.Tensor) { tape.MaskRows(x, x) },
		"MaskRows: the mask is 3x1, x is 2x3":     func(x *ops.Tensor) { tape.MaskRows(x, tape.Const(kernels.NewMatrix(3, 1))) },
	} {
		tape.Reset()
		call(tape.Param(kernels.NewMatrix(2, 3)))
		require.ErrorContains(t, tape.Err(), want)
	}
}
