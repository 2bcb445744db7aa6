package ops

import (
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// ComputeRMSNorm is what every recorder computes for an RMSNorm of [Ops]: y = x·s·gamma for each row, with
// s = 1/√(mean of x²+epsilon), which inverse gets for each row unless it is nil. y and x have one shape and do not overlap.
func ComputeRMSNorm(t *kernels.Table, y, x kernels.Matrix, gamma []float32, epsilon float64, inverse []float32) error {
	if x.Cols == 0 {
		return nil
	}
	scale := kernels.MatrixOf(gamma, 1, len(gamma))
	for i := range x.Rows {
		to, from := y.RowRange(i, i+1), x.RowRange(i, i+1)
		if err := t.RowSumSquares(to.Row(0)[:1], from); err != nil {
			return err
		}
		s := float32(1 / math.Sqrt(float64(to.Row(0)[0])/float64(x.Cols)+epsilon))
		if inverse != nil {
			inverse[i] = s
		}
		if err := t.Scale(to, from, s); err != nil {
			return err
		}
		if err := t.Mul(to, to, scale); err != nil {
			return err
		}
	}
	return nil
}
