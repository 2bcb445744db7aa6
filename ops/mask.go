package ops

import "github.com/espalier-ml/espalier/kernels"

// ComputeUnequal is what every recorder computes for an Unequal of [Ops]: y[i,0] is 1 if row i of x has an element that is
// not value, or else 0. NaN is not value.
func ComputeUnequal(y, x kernels.Matrix, value float32) {
	for i := range x.Rows {
		unequal := float32(0)
		for _, v := range x.Row(i) {
			if v != value {
				unequal = 1
				break
			}
		}
		y.Row(i)[0] = unequal
	}
}

// ComputeMaskRows is what every recorder computes for a MaskRows of [Ops]: row i of y is that of x, or zeros if mask[i,0] is
// 0. y may be x.
func ComputeMaskRows(y, x, mask kernels.Matrix) {
	for i := range x.Rows {
		if mask.Row(i)[0] == 0 {
			clear(y.Row(i))
		} else {
			copy(y.Row(i), x.Row(i))
		}
	}
}
