package ops

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// ComputeAddPairs is what every recorder computes for an AddPairs of [Ops].
func ComputeAddPairs(t *kernels.Table, y, a, b kernels.Matrix, groups int, act kernels.Activation) error {
	perGroup, n := a.Rows/groups, b.Rows/groups
	for i := range a.Rows {
		group := i / perGroup
		if err := t.Activate(y.RowRange(i*n, (i+1)*n), b.RowRange(group*n, (group+1)*n), a.Row(i), act); err != nil {
			return err
		}
	}
	return nil
}

// CheckAddPairs reports operands of an AddPairs of [Ops] that do not fit.
func CheckAddPairs(a, b *Tensor, groups int) error {
	if groups < 1 || a.Rows%groups+b.Rows%groups > 0 || a.Cols != b.Cols {
		return fmt.Errorf("a is %dx%d, b is %dx%d, in %d groups: %w", a.Rows, a.Cols, b.Rows, b.Cols, groups, kernels.ErrShape)
	}
	return nil
}
