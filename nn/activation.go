package nn

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// An ActivationFunction is what a layer applies to its result: [ReLU] and its kin, [LeakyReLUOf] and its kin, which have
// parameters, or a registered type of one's own, whose fields are its parameters, see [Register].
type ActivationFunction interface {
	// Apply returns the function of x, which has a row for each vector along the last axis. Its result has x's shape.
	Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor
}

// An ActivationKind is an activation without parameters, or with those that are usual.
type ActivationKind uint8

const (
	Linear        ActivationKind = iota // x
	ReLU                                // max(x, 0)
	Sigmoid                             // 1 / (1 + exp(-x))
	Tanh                                // tanh(x)
	Softmax                             // exp(x) / sum(exp(x)) over the last axis
	GELU                                // x·Φ(x) with the normal distribution function Φ; Keras' gelu with approximate=False
	SiLU                                // x·sigmoid(x), also known as swish
	SELU                                // 1.0507·x above 0, 1.7581·(exp(x)-1) below (Klambauer et al., arXiv:1706.02515)
	Mish                                // x·tanh(softplus(x)) (Misra, arXiv:1908.08681)
	Softplus                            // log(1 + exp(x))
	Softsign                            // x / (1 + |x|)
	Exponential                         // exp(x)
	LogSigmoid                          // log(sigmoid(x))
	HardSigmoid                         // x/6 + 1/2 from -3 to 3, 0 below, 1 above
	HardSiLU                            // x·hard_sigmoid(x), also known as hard swish
	HardTanh                            // x from -1 to 1, -1 below, 1 above
	TanhShrink                          // x - tanh(x)
	ReLU6                               // min(max(x, 0), 6)
	SparsePlus                          // (x+1)²/4 from -1 to 1, 0 below, x above
	SparseSigmoid                       // (x+1)/2 from -1 to 1, 0 below, 1 above
	LogSoftmax                          // log(softmax(x)) over the last axis
	Sparsemax                           // max(x-τ, 0) over the last axis, with Keras' τ: see kernels.Table.Sparsemax
	GLU                                 // a·sigmoid(b) for halves a and b of the last axis, which it leaves half as long
)

// activationKinds are the kinds under Keras' names; unary is the function of those that are computed element by element and
// that no product applies by itself.
var activationKinds = [...]struct {
	name  string
	unary kernels.Unary
}{
	Linear:        {name: "linear"},
	ReLU:          {name: "relu"},
	Sigmoid:       {name: "sigmoid"},
	Tanh:          {name: "tanh"},
	Softmax:       {name: "softmax"},
	GELU:          {"gelu", kernels.Unary{Kind: kernels.GELU}},
	SiLU:          {"silu", kernels.Unary{Kind: kernels.SiLU}},
	SELU:          {"selu", kernels.Unary{Kind: kernels.ELU, A: 1.0507009873554805 * 1.6732632423543772, B: 1, C: 1.0507009873554805}},
	Mish:          {"mish", kernels.Unary{Kind: kernels.Mish}},
	Softplus:      {"softplus", kernels.Unary{Kind: kernels.Softplus}},
	Softsign:      {"softsign", kernels.Unary{Kind: kernels.Softsign}},
	Exponential:   {"exponential", kernels.Unary{Kind: kernels.Exponential}},
	LogSigmoid:    {"log_sigmoid", kernels.Unary{Kind: kernels.LogSigmoid}},
	HardSigmoid:   {"hard_sigmoid", kernels.Unary{Kind: kernels.HardSigmoid}},
	HardSiLU:      {"hard_silu", kernels.Unary{Kind: kernels.HardSiLU}},
	HardTanh:      {"hard_tanh", kernels.Unary{Kind: kernels.Clip, A: -1, B: 1}},
	TanhShrink:    {"tanh_shrink", kernels.Unary{Kind: kernels.TanhShrink}},
	ReLU6:         {"relu6", kernels.Unary{Kind: kernels.Rectify, B: 6}},
	SparsePlus:    {"sparse_plus", kernels.Unary{Kind: kernels.SparsePlus}},
	SparseSigmoid: {"sparse_sigmoid", kernels.Unary{Kind: kernels.SparseSigmoid}},
	LogSoftmax:    {name: "log_softmax"},
	Sparsemax:     {name: "sparsemax"},
	GLU:           {name: "glu"},
}

func init() {
	for i, a := range activationKinds {
		Register(a.name, ActivationKind(i))
	}
	for _, a := range []ActivationKind{Softmax, LogSoftmax, Sparsemax, GLU} {
		registerConfigured(a.String(), alongAxis{a})
	}
	registerAlias[ActivationFunction]("swish", "silu")
	registerAlias[ActivationFunction]("hard_swish", "hard_silu")
}

// alongAxis is how files may write an activation that works along the last axis.
type alongAxis struct{ ActivationKind }

func (a alongAxis) plain() any { return a.ActivationKind }

func (a *alongAxis) UnmarshalJSON(text []byte) error {
	config := struct {
		Axis int `json:"axis"`
	}{-1}
	if err := decodeJSON(string(text), &config); err != nil {
		return err
	}
	if config.Axis != -1 {
		return fmt.Errorf("axis is %d, must be -1: an activation works along the last axis", config.Axis)
	}
	return nil
}

// String returns Keras' name of the activation.
func (a ActivationKind) String() string {
	if int(a) < len(activationKinds) {
		return activationKinds[a].name
	}
	return fmt.Sprintf("ActivationKind(%d)", uint8(a))
}

// Apply applies the activation to each row of x.
func (a ActivationKind) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor {
	switch a {
	case Linear:
		return x
	case ReLU, Sigmoid, Tanh:
		return o.Activate(x, a.epilogue())
	case Softmax:
		return o.Softmax(x)
	case LogSoftmax:
		return o.LogSoftmax(x)
	case Sparsemax:
		return o.Sparsemax(x)
	case GLU:
		half := x.Cols / 2
		return o.Multiply(o.Slice(x, 0, half), o.Activate(o.Slice(x, half, x.Cols), kernels.Sigmoid))
	}
	return o.Unary(x, activationKinds[a].unary)
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

// checkActivation reports what is not a registered activation, or one with parameters that it cannot have.
func checkActivation(a ActivationFunction) error {
	if k, ok := a.(ActivationKind); ok && int(k) >= len(activationKinds) {
		var names []string
		for _, a := range activationKinds {
			names = append(names, a.name)
		}
		return fmt.Errorf("unknown activation %s: valid are %q", k, names)
	}
	if _, err := classOf(a); err != nil {
		return fmt.Errorf("the activation %w", err)
	}
	if p, ok := a.(interface{ check() error }); ok {
		if err := p.check(); err != nil {
			return fmt.Errorf("the activation %s: %w", className(a), err)
		}
	}
	return nil
}

// activated checks an activation, and returns the shape of what it makes of the given one.
func (b *Builder) activated(a ActivationFunction, x Shape) Shape {
	if err := checkActivation(a); err != nil {
		b.Errorf("%w", err)
	}
	if a != GLU {
		return x
	}
	if x.Last()%2 != 0 {
		b.Errorf("the activation glu: the last axis has %d elements, must have an even number", x.Last())
	}
	y := slices.Clone(x)
	y[len(y)-1] /= 2
	return y
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
	return b.activated(a.Function.Value, b.One(in))
}

func (a *activation) Forward(c *Call) *ops.Tensor {
	return c.Samples(c.Act.Apply(c, c.Vectors(0)))
}

// Mask is that of the input.
func (*activation) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
