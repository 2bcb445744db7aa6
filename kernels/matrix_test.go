package kernels_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

func TestMatrixViews(t *testing.T) {
	m := kernels.NewMatrix(3, 4)
	for i := range m.Data {
		m.Data[i] = float32(i)
	}
	require.True(t, m.Contiguous())
	require.Equal(t, []float32{4, 5, 6, 7}, m.Row(1))
	require.Equal(t, 4, cap(m.Row(1)), "appending to a row must not write the next one")

	c := m.Columns(1, 3)
	require.Equal(t, 3, c.Rows)
	require.Equal(t, []float32{9, 10}, c.Row(2))
	require.False(t, c.Contiguous())
	require.True(t, c.RowRange(2, 3).Contiguous(), "one row has no gap")

	r := m.RowRange(1, 3)
	require.Equal(t, []float32{8, 9, 10, 11}, r.Row(1))
	require.Equal(t, 2, r.Rows)

	data := []float32{1, 2, 3, 4, 5, 6, 7}
	require.Equal(t, []float32{4, 5, 6}, kernels.MatrixOf(data, 2, 3).Row(1), "data may be longer")
}

func TestEmptyViews(t *testing.T) {
	m := kernels.NewMatrix(2, 3)
	require.Zero(t, m.Columns(3, 3).Cols)
	require.Zero(t, m.RowRange(2, 2).Rows)
	require.Empty(t, m.Columns(1, 1).Row(1))
	require.Equal(t, 2, kernels.NewMatrix(0, 3).Columns(1, 3).Cols)
	require.Equal(t, 1, kernels.NewMatrix(3, 0).RowRange(2, 3).Rows)
}

func TestInvalidViews(t *testing.T) {
	cases := []struct {
		name string
		x    kernels.Matrix
		want string
	}{
		{"rows", kernels.NewMatrix(-1, 3), "x is -1x3"},
		{"cols", kernels.NewMatrix(3, -1), "x is 3x-1"},
		{"stride", kernels.Matrix{Data: make([]float32, 9), Rows: 2, Cols: 3, Stride: 2}, "x is 2x3 with stride 2"},
		{"short", kernels.MatrixOf(make([]float32, 5), 2, 3), "x is 2x3 with stride 3 but holds 5 elements"},
		{"none", kernels.MatrixOf(nil, 1, 1), "x is 1x1 with stride 1 but holds 0 elements"},
		{"overflow", kernels.Matrix{Data: make([]float32, 9), Rows: 3, Cols: 1, Stride: math.MaxInt},
			fmt.Sprintf("x is 3x1 with stride %d but holds 9 elements", math.MaxInt)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := kernels.Default().Fill(c.x, 1)
			require.ErrorIs(t, err, kernels.ErrShape)
			require.EqualError(t, err, "kernels: Fill: "+c.want+": shape mismatch")
		})
	}
	last := kernels.Matrix{Data: make([]float32, 7), Rows: 2, Cols: 3, Stride: 4}
	require.NoError(t, kernels.Default().Fill(last, 1), "nothing is needed behind the last row")
	require.Equal(t, []float32{1, 1, 1, 0, 1, 1, 1}, last.Data)
}
