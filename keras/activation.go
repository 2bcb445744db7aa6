package keras

import (
	"encoding/json"

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

// activationLayers are the layers that can stand for an activation with parameters.
var activationLayers = map[string]string{"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}

// activation returns an activation as a function, where a file has a layer for it.
func (r *reader) activation(text json.RawMessage) (json.RawMessage, error) {
	var o struct {
		Class  string `json:"class_name"`
		Config fields `json:"config"`
	}
	if json.Unmarshal(text, &o) != nil || activationLayers[o.Class] == "" {
		return text, nil
	}
	if o.Config == nil {
		o.Config = fields{}
	}
	r.upgrade(o.Class, o.Config)
	for _, f := range layerFields {
		delete(o.Config, f)
	}
	if o.Class == "LeakyReLU" && o.Config["negative_slope"] == nil {
		o.Config["negative_slope"] = json.RawMessage("0.3") // the layer's default, which is not the function's
	}
	o.Class = activationLayers[o.Class]
	return json.Marshal(o)
}
