package kernels_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Dot products of all heights and widths of tiles, of depths around whole vectors and whole pieces.
func TestDots(t *testing.T) {
	depths := []int{64, 65, 71, 72, 73, 79, 80, 95, 127, 130, 511, 512, 513, 1100}
	if testing.Short() {
		depths = []int{64, 73, 513}
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
