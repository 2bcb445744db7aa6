package plan

import (
	"math/rand/v2"

	"github.com/espalier-ml/espalier/ops"
)

// Dropout implements [ops.Ops]. It returns x: a plan serves and does not train.
func (r *Recorder) Dropout(x *ops.Tensor, _ float64, _ rand.Source) *ops.Tensor { return x }
