package ops

import "github.com/espalier-ml/espalier/kernels"

// ComputeAffine is what every recorder computes for an Affine of [Ops]: y = x·scale + shift, column by column, for y and x of
// one shape; nil stands for a scale of 1 and a shift of 0. y may be x.
//
// The product is rounded before the sum on every level of kernels, so that all of them give the same bits. No kernel has
// one row for all rows of a product: it is called for each.
func ComputeAffine(t *kernels.Table, y, x kernels.Matrix, scale, shift []float32) error {
	if scale != nil {
		row := kernels.MatrixOf(scale, 1, len(scale))
		for i := range x.Rows {
			if err := t.Mul(y.RowRange(i, i+1), x.RowRange(i, i+1), row); err != nil {
				return err
			}
		}
		x = y
	}
	if scale != nil && shift == nil {
		return nil
	}
	return t.Activate(y, x, shift, kernels.Linear)
}
