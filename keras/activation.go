package keras

import (
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/ops"
)

// hardSigmoid2 is the name of what Keras 1 and 2 call hard_sigmoid.
const hardSigmoid2 = "hard_sigmoid_of_keras_2"

// hardSigmoid is x/5 + 1/2 from -2.5 to 2.5, 0 below and 1 above. Keras 3 has another function under the name.
type hardSigmoid struct{}

func init() { nn.Register(hardSigmoid2, hardSigmoid{}) }

// Apply uses that sparse_sigmoid is x/2 + 1/2 within the same limits.
func (hardSigmoid) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor {
	return nn.SparseSigmoid.Apply(o, o.Scale(x, 0.4))
}
