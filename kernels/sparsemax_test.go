package kernels_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Beside the definition over sorted elements, in float64, with the gradient beside that of the definition.
func TestSparsemax(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for cols := 1; cols < 40; cols++ {
			r := newRand(uint64(cols))
			x, dy := r.matrix(5, cols, 2), r.matrix(5, cols, 0)
			require.NoError(t, table.Scale(x, x, 0.3)) // so that several have a share
			y, dx := copyOf(x, 1), copyOf(x, 0)
			require.NoError(t, table.Sparsemax(y, x))
			require.NoError(t, table.SparsemaxGrad(dx, dy, x, y, true))
			for i := range 5 {
				row := x.Row(i)
				order := make([]int, cols)
				for j := range order {
					order[j] = j
				}
				slices.SortStableFunc(order, func(a, b int) int { return int(sign(row[b] - row[a])) })
				size, sum, total := 0, 0.0, -1.0
				for n, j := range order {
					if sum += float64(row[j]); float64(row[j])-(sum-1)/float64(n+1) > 0 {
						size, total = n+1, total+sum
					}
				}
				slope := 0.0
				for j, v := range y.Row(i) {
					require.InDelta(t, max(float64(row[j])-total/float64(size), 0), v, 1e-6)
					if v > 0 {
						slope += float64(dy.Row(i)[j])
					}
				}
				for n, j := range order {
					want := float64(row[j])
					if y.Row(i)[j] > 0 {
						want += float64(dy.Row(i)[j])
					}
					if n < size {
						want -= slope * float64(size-n) / float64(size)
					}
					require.InDelta(t, want, dx.Row(i)[j], 1e-6)
				}
			}
		}
		for _, v := range []float32{nan, inf} {
			x := kernels.MatrixOf([]float32{1, v, 2}, 1, 3)
			require.NoError(t, table.Sparsemax(x, x))
			requireSameBits(t, []float32{nan, nan, nan}, x.Data)
		}
		x := kernels.MatrixOf([]float32{-inf, 3, -inf, -inf, -inf, -inf}, 2, 3)
		require.NoError(t, table.Sparsemax(x, x))
		requireSameBits(t, []float32{0, 1, 0, nan, nan, nan}, x.Data)
	})
}

func sign(x float32) float32 {
	switch {
	case x < 0:
		return -1
	case x > 0:
		return 1
	}
	return 0
}
