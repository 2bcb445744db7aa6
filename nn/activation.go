package nn

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// An ActivationKind is a function that a layer applies to its result.
type ActivationKind uint8

const (
	Linear  ActivationKind = iota // x
	ReLU                          // max(x, 0)
	Sigmoid                       // 1 / (1 + exp(-x))
	Tanh                          // tanh(x)
	Softmax                       // exp(x) / sum(exp(x)) over the last axis
	GELU                          // x·Φ(x) with the normal distribution function Φ; Keras' gelu with approximate=False
)

var activationNames = []string{"linear", "relu", "sigmoid", "tanh", "softmax", "gelu"}

// String returns Keras' name of the activation.
func (a ActivationKind) String() string {
	if int(a) < len(activationNames) {
		return activationNames[a]
	}
	return fmt.Sprintf("ActivationKind(%d)", uint8(a))
}

// MarshalText writes Keras' name.
func (a ActivationKind) MarshalText() ([]byte, error) { return []byte(a.String()), a.check() }

// UnmarshalText reads Keras' name.
func (a *ActivationKind) UnmarshalText(text []byte) error {
	i := slices.Index(activationNames, string(text))
	if i < 0 {
		return fmt.Errorf("unknown activation %s: valid are %q", brief.Quote(string(text)), activationNames)
	}
	*a = ActivationKind(i)
	return nil
}

func (a ActivationKind) check() error {
	if int(a) >= len(activationNames) {
		return fmt.Errorf("unknown activation %s: valid are %q", a, activationNames)
	}
	return nil
}

// epilogue is the part of the activation that the kernel of a dense layer applies; the rest is a step of its own.
func (a ActivationKind) epilogue() kernels.Activation {
	switch a {
	case ReLU:
		return kernels.ReLU
	case Sigmoid:
		return kernels.Sigmoid
	case Tanh:
		return kernels.Tanh
	}
	return kernels.Linear
}

// on applies the activation to each row of x.
func (a ActivationKind) on(o ops.Ops, x *ops.Tensor) *ops.Tensor {
	switch a {
	case Linear:
		return x
	case Softmax:
		return o.Softmax(x)
	case GELU:
		return o.Gelu(x)
	}
	return o.Activate(x, a.epilogue())
}

// activated is a kind that ends in an activation, which a loss on the layer's logits can include.
type activated interface{ activation() ActivationKind }

type activation struct {
	Activation ActivationKind `json:"activation"`
}

// Activation applies a function to its input.
func Activation(a ActivationKind, opts ...LayerOption) *Layer {
	return newLayer(&activation{a}, opts...)
}

func (a *activation) class() string              { return "Activation" }
func (a *activation) activation() ActivationKind { return a.Activation }

func (a *activation) build(in [][]int) ([]int, []param, error) {
	if err := oneInput(in); err != nil {
		return nil, nil, err
	}
	return in[0], nil, a.Activation.check()
}

func (a *activation) forward(c *call) *ops.Tensor {
	x := c.in[0]
	switch {
	case c.logits:
		return x
	case a.Activation == Softmax:
		return c.flat(a.Activation.on(c.ops, c.lastAxis(x, c.node.shape)))
	}
	return a.Activation.on(c.ops, x)
}

func oneInput(in [][]int) error {
	if len(in) != 1 {
		return fmt.Errorf("called on %d nodes, takes 1", len(in))
	}
	return nil
}
