package kernels_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

func TestGather(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range []struct{ m, n, rows, cols int }{{0, 2, 3, 4}, {1, 1, 1, 1}, {3, 0, 2, 5}, {4, 3, 7, 0}, {5, 1, 6, 17}, {2, 4, 3, 8}} {
			for _, gap := range []int{0, 3} {
				r := newRand(uint64(s.m*100 + s.rows))
				w, x, y := r.matrix(s.rows, s.cols, gap), r.matrix(s.m, s.n, gap), r.matrix(s.m, s.n*s.cols, gap)
				for i := range s.m {
					for j := range s.n {
						x.Row(i)[j] = float32(r.IntN(s.rows))
					}
				}
				want := copyOf(y, gap)
				for i := range s.m {
					for j := range s.n {
						for k := range s.cols {
							want.Row(i)[j*s.cols+k] = w.Row(int(x.Row(i)[j]))[k]
						}
					}
				}
				require.NoError(t, table.Gather(y, x, w))
				require.Equal(t, want.Data, y.Data, "%+v, gap %d", s, gap)
			}
		}
	})
}

func TestIndexErrors(t *testing.T) {
	const rows = 5
	minusZero := float32(math.Copysign(0, -1))
	for _, good := range []float32{0, minusZero, 1, rows - 1} {
		x := kernels.MatrixOf([]float32{good}, 1, 1)
		require.NoError(t, kernels.CheckIndices(x, rows))
		require.NoError(t, kernels.Default().Gather(kernels.NewMatrix(1, 2), x, kernels.NewMatrix(rows, 2)))
	}
	for _, bad := range []float32{-1, -1e-45, 0.5, rows, 4.9999995, nan, inf, -inf, 1e10, -1e10, 1 << 31, 1 << 32, 1 << 63, -(1 << 63), math.MaxFloat32} {
		x := kernels.MatrixOf([]float32{0, 1, 4, bad}, 2, 2)
		errs := map[string]error{
			"CheckIndices": kernels.CheckIndices(x, rows),
			"Gather":       kernels.Default().Gather(kernels.NewMatrix(2, 6), x, kernels.NewMatrix(rows, 3)),
		}
		for name, err := range errs {
			var index *kernels.IndexError
			require.ErrorAs(t, err, &index, "%s: %v", name, bad)
			require.Equal(t, [3]int{1, 1, rows}, [3]int{index.Row, index.Col, index.Rows})
			require.Equal(t, math.Float32bits(bad), math.Float32bits(index.Value))
		}
	}
	err := kernels.CheckIndices(kernels.MatrixOf([]float32{2.5}, 1, 1), rows)
	require.EqualError(t, err, "row 0, column 0 is 2.5, valid are whole numbers from 0 to 4")
}
