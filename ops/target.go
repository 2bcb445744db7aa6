package ops

import "github.com/espalier-ml/espalier/kernels"

// A Target is what an output should be: class labels or values, the other is empty.
type Target struct {
	Labels []int32
	Values kernels.Matrix
}
