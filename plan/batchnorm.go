package plan

import (
	"errors"

	"github.com/espalier-ml/espalier/ops"
)

// BatchNorm implements [ops.Ops]. It is an error: a plan serves, and a sample must not depend on others. What serves is an
// affine function of a layer's own averages.
func (r *Recorder) BatchNorm(_, _, _ *ops.Tensor, _ float64) (y, mean, variance *ops.Tensor) {
	r.fail(errors.New("batchnorm: the statistics of a batch are for training alone"))
	return &dead, &dead, &dead
}
