package kernels_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Dot products of all heights and widths of tiles, of depths around whole vectors and whole pieces.
func TestDots(t *testing.T) {
	depths := []int{31, 32, 33, 47, 63, 64, 65, 71, 72, 73, 79, 80, 95, 127, 130, 511, 512, 513, 1100}
	if testing.Short() {
		depths = []int{32, 64, 73, 513}
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, k := range depths {
			t.Run(fmt.Sprintf("k=%d", k), func(t *testing.T) {
				for m := 1; m <= 9; m++ {
					for n := 1; n <= 20; n++ {
						testProduct(t, table, products[1], m, k, n, (m+n)%3)
					}
				}
			})
		}
	})
}

// A row of dot products has the same bits alone and in any batch, shared or not.
func TestDotsRowAlone(t *testing.T) {
	pool := kernels.NewPool(2)
	defer pool.Close()
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, size := range [][3]int{{43, 100, 70}, {130, 21, 700}, {70, 300, 64}} {
			m, n, k := size[0], size[1], size[2]
			r := newRand(uint64(n))
			a, b, c := r.matrix(m, k, 1), r.matrix(n, k, 0), kernels.NewMatrix(m, n)
			e := kernels.Epilogue{Bias: r.floats(n), Act: kernels.Tanh}
			require.NoError(t, table.GemmNT(&kernels.Scratch{Pool: pool}, c, a, b, e))
			for _, rows := range []int{1, 2, 3, 5, 7} {
				for i := 0; i+rows <= m; i += rows {
					some := kernels.NewMatrix(rows, n)
					require.NoError(t, table.GemmNT(nil, some, a.RowRange(i, i+rows), b, e))
					requireSameMatrix(t, c.RowRange(i, i+rows), some)
				}
			}
		}
	})
}

// NaN and infinities get from every place of a row, in whole vectors and behind them, to all elements that it is part of and
// to no others.
func TestDotsSpecialValues(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		const m, n, k = 5, 13, 75
		r := newRand(1)
		a, b, c := r.matrix(m, k, 0), r.matrix(n, k, 0), kernels.NewMatrix(m, n)
		for place := range k {
			x, y := &a.Row(1)[place], &b.Row(11)[place]
			beforeX, beforeY := *x, *y
			*x, *y = nan, inf
			require.NoError(t, table.GemmNT(nil, c, a, b, kernels.Epilogue{Act: kernels.ReLU}))
			for i := range m {
				for j, v := range c.Row(i) {
					switch factor := a.Row(i)[place]; {
					case i == 1:
						require.True(t, isNaN(v), "c[%d,%d], NaN and infinity at %d", i, j, place)
					case j == 11 && factor > 0:
						require.Equal(t, inf, v, "c[%d,%d], NaN and infinity at %d", i, j, place)
					case j == 11:
						require.Zero(t, v, "c[%d,%d], NaN and infinity at %d", i, j, place)
					default:
						require.Less(t, v, inf, "c[%d,%d], NaN and infinity at %d", i, j, place)
					}
				}
			}
			*x, *y = beforeX, beforeY
		}
	})
}

// Nothing is transposed, so there is no need of a Scratch.
func TestDotsAllocateNothing(t *testing.T) {
	for _, table := range kernels.Tables()[1:] {
		for _, m := range []int{1, 40} {
			r := newRand(1)
			a, b, c := r.matrix(m, 600, 0), r.matrix(100, 600, 0), kernels.NewMatrix(m, 100)
			requireNoAllocations(t, func() error { return table.GemmNT(nil, c, a, b, kernels.Epilogue{}) })
		}
	}
}
