package nn

import "github.com/espalier-ml/espalier/kernels"

// rowSumSquares sums the squares of each row of x.
func rowSumSquares(_ *kernels.Table, dst []float32, x kernels.Matrix) error {
	for i := range x.Rows {
		dst[i] = 0
		for _, v := range x.Row(i) {
			dst[i] += v * v
		}
	}
	return nil
}
