package kernels_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

func TestSums(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, rows := range []int{0, 1, 2, 7} {
			for _, cols := range []int{0, 1, 15, 16, 17, 32, 100} {
				t.Run(shapeName(rows, cols), func(t *testing.T) {
					r := newRand(uint64(rows*1000 + cols))
					x, byCol, byRow := r.matrix(rows, cols, 3), r.floats(cols), make([]float32, rows)
					start := append([]float32(nil), byCol...)

					want := make([]float32, cols)
					for i := range rows {
						for j, v := range x.Row(i) {
							want[j] += v
							start[j] += v
						}
					}
					require.NoError(t, table.ColSum(byCol, x, true))
					requireSameBits(t, start, byCol)
					require.NoError(t, table.ColSum(byCol, x, false))
					requireSameBits(t, want, byCol)

					require.NoError(t, table.RowSum(byRow, x))
					for i := range rows {
						require.Equal(t, sumInLanes(x.Row(i)), byRow[i])
					}
				})
			}
		}
	})
}

// sumInLanes spells out the order that the numeric contract gives to rows.
func sumInLanes(x []float32) float32 {
	var a [16]float32
	for j, v := range x {
		a[j%16] += v
	}
	for i := range 8 {
		a[i] += a[i+8]
	}
	for i := range 4 {
		a[i] += a[i+4]
	}
	return (a[0] + a[2]) + (a[1] + a[3])
}
