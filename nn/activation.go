package nn

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// An ActivationFunction is what a layer applies to its result: [ReLU] and its kin, or a registered type of one's own, whose
// fields are its parameters, see [Register].
type ActivationFunction interface {
	// Apply returns the function of x, which has a row for each vector along the last axis. Its result has x's shape.
	Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor
}

// An ActivationKind is an activation without parameters.
type ActivationKind uint8

const (
	Linear  ActivationKind = iota // x
	ReLU                          // max(x, 0)
	Sigmoid                       // 1 / (1 + exp(-x))
	Tanh                          // tanh(x)
	Softmax                       // exp(x) / sum(exp(x)) over the last axis
	GELU                          // x·Φ(x) with the normal distribution function Φ; Keras' gelu with approximate=False
)

func init() {
	for i, name := range activationNames {
		Register(name, ActivationKind(i))
	}
}

var activationNames = []string{"linear", "relu", "sigmoid", "tanh", "softmax", "gelu"}

// String returns Keras' name of the activation.
func (a ActivationKind) String() string {
	if int(a) < len(activationNames) {
		return activationNames[a]
	}
	return fmt.Sprintf("ActivationKind(%d)", uint8(a))
}

// Apply applies the activation to each row of x.
func (a ActivationKind) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor {
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

// epilogue is the part of the activation that the kernel of a dense layer applies.
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

// epilogue splits an activation into what a product's kernel applies and what is to follow.
func epilogue(a ActivationFunction) (kernels.Activation, ActivationFunction) {
	if k, ok := a.(ActivationKind); ok {
		if e := k.epilogue(); e != kernels.Linear {
			return e, Linear
		}
	}
	return kernels.Linear, a
}

// checkActivation reports what is not a registered activation.
func checkActivation(a ActivationFunction) error {
	if k, ok := a.(ActivationKind); ok && int(k) >= len(activationNames) {
		return fmt.Errorf("unknown activation %s: valid are %q", k, activationNames)
	}
	if _, err := classOf(a); err != nil {
		return fmt.Errorf("the activation %w", err)
	}
	return nil
}

type activation struct {
	Function Object[ActivationFunction] `json:"activation"`
}

func init() { Register("Activation", activation{}) }

// Activation applies a function to its input, along the last axis where that matters.
func Activation(a ActivationFunction, opts ...LayerOption) *Layer {
	return New(&activation{Object[ActivationFunction]{a}}, opts...)
}

func (a *activation) Activation() ActivationFunction { return a.Function.Value }

func (a *activation) Build(b *Builder, in []Shape) Shape {
	if err := checkActivation(a.Function.Value); err != nil {
		b.Errorf("%w", err)
	}
	return b.One(in)
}

func (a *activation) Forward(c *Call) *ops.Tensor {
	return c.Samples(c.Act.Apply(c, c.Vectors(0)))
}

// Mask is that of the input.
func (*activation) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
