package nn

import (
	"math"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// These are Keras' classes of layers that do what an Activation does, and PReLU. The short names belong to the functions, so
// the layers have the word in theirs.

type reluLayer struct {
	Max       *float64 `json:"max_value"`
	Slope     float64  `json:"negative_slope"`
	Threshold float64  `json:"threshold"`
}

func init() { Register("ReLU", reluLayer{}) }

// ReLULayer is Keras' layer ReLU: x above threshold but at most maximum, slope·(x-threshold) below. ReLULayer(math.Inf(1), 0,
// 0) is [Activation] with [ReLU]. None of the three may be negative.
func ReLULayer(maximum, slope, threshold float64, opts ...LayerOption) *Layer {
	r := &reluLayer{Slope: slope, Threshold: threshold}
	if !math.IsInf(maximum, 1) {
		r.Max = &maximum
	}
	return New(r, opts...)
}

func (r *reluLayer) maximum() float64 {
	if r.Max == nil {
		return math.Inf(1)
	}
	return *r.Max
}

func (r *reluLayer) Build(b *Builder, in []Shape) Shape {
	b.notNegative("max_value", r.maximum())
	b.notNegative("negative_slope", r.Slope)
	b.notNegative("threshold", r.Threshold)
	return b.One(in)
}

func (r *reluLayer) Forward(c *Call) *ops.Tensor {
	if r.Max == nil && r.Slope == 0 && r.Threshold == 0 {
		return c.Samples(c.Activate(c.Vectors(0), kernels.ReLU))
	}
	return c.unary(kernels.Unary{Kind: kernels.Rectify, A: float32(r.Slope), B: float32(r.maximum()), C: float32(r.Threshold)})
}

// Mask is that of the input.
func (*reluLayer) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// unary returns f of input 0.
func (c *Call) unary(f kernels.Unary) *ops.Tensor { return c.Samples(c.Unary(c.Vectors(0), f)) }

// notNegative reports a parameter that is negative or no number of float32.
func (b *Builder) notNegative(name string, v float64) {
	if !(v >= 0) || v > math.MaxFloat32 && !math.IsInf(v, 1) {
		b.Errorf("%s is %v, must not be negative, nor beyond float32", name, v)
	}
}

type leakyReLULayer struct {
	Slope float64 `json:"negative_slope"`
}

func init() { Register("LeakyReLU", leakyReLULayer{0.3}) }

// LeakyReLULayer is Keras' layer LeakyReLU: x above zero, slope·x below. Keras' default for the slope is 0.3.
func LeakyReLULayer(slope float64, opts ...LayerOption) *Layer {
	return New(&leakyReLULayer{slope}, opts...)
}

func (r *leakyReLULayer) Build(b *Builder, in []Shape) Shape {
	b.notNegative("negative_slope", r.Slope)
	return b.One(in)
}

func (r *leakyReLULayer) Forward(c *Call) *ops.Tensor {
	return c.unary(kernels.Unary{Kind: kernels.Rectify, A: float32(r.Slope), B: float32(math.Inf(1))})
}

// Mask is that of the input.
func (*leakyReLULayer) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

type eluLayer struct {
	Alpha float64 `json:"alpha"`
}

func init() { Register("ELU", eluLayer{1}) }

// ELULayer is Keras' layer ELU: x above zero, alpha·(exp(x)-1) below. Keras' default for alpha is 1.
func ELULayer(alpha float64, opts ...LayerOption) *Layer { return New(&eluLayer{alpha}, opts...) }

func (e *eluLayer) Build(b *Builder, in []Shape) Shape {
	if !(math.Abs(e.Alpha) <= math.MaxFloat32) {
		b.Errorf("alpha is %v, must be finite in float32", e.Alpha)
	}
	return b.One(in)
}

func (e *eluLayer) Forward(c *Call) *ops.Tensor {
	return c.unary(kernels.Unary{Kind: kernels.ELU, A: float32(e.Alpha), B: 1, C: 1})
}

// Mask is that of the input.
func (*eluLayer) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

type softmaxLayer struct {
	Axes axes `json:"axis"`
}

func init() { Register("Softmax", softmaxLayer{axes{-1}}) }

// SoftmaxLayer is Keras' layer Softmax: [Activation] with [Softmax], but along the axes that [Axis] sets.
func SoftmaxLayer(opts ...LayerOption) *Layer { return New(&softmaxLayer{axes{-1}}, opts...) }

func (s *softmaxLayer) alongAxes() *axes { return &s.Axes }

// Activation is what a loss can include; along other axes there is nothing that it knows.
func (s *softmaxLayer) Activation() ActivationFunction {
	if slices.Equal(s.Axes, axes{-1}) {
		return Softmax
	}
	return Linear
}

func (s *softmaxLayer) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	s.Axes.check(b, x)
	return x
}

func (s *softmaxLayer) Forward(c *Call) *ops.Tensor {
	if s.Activation() == Softmax {
		return c.Samples(c.Act.Apply(c, c.Vectors(0)))
	}
	return c.along(s.Axes, c.Softmax)
}

// Mask is that of the input.
func (*softmaxLayer) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

type preLU struct {
	Alpha  Object[Initializer] `json:"alpha_initializer"`
	Shared axes                `json:"shared_axes"`

	Regularizer Object[Regularizer] `json:"alpha_regularizer"`
	Constraint  Object[Constraint]  `json:"alpha_constraint"`
}

func init() { Register("PReLU", preLU{Alpha: Object[Initializer]{Zeros()}}) }

// PReLU is x above zero and alpha·x below, with a slope alpha for each element of a sample that is learned and starts with
// zero (He et al. 2015, arXiv:1502.01852). See [SharedAxes].
func PReLU(opts ...LayerOption) *Layer {
	return New(&preLU{Alpha: Object[Initializer]{Zeros()}}, opts...)
}

// A SharedAxesOption says along which axes a parameter is the same.
type SharedAxesOption []int

// SharedAxes makes the slope of a [PReLU] the same along axes, which are counted as those of [Axis].
func SharedAxes(axes ...int) SharedAxesOption { return axes }

func (o SharedAxesOption) applyLayer(l *Layer) {
	configure(l, "SharedAxes: only PReLU does", func(k *preLU) { k.Shared = axes(slices.Clone(o)) })
}

func (p *preLU) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if len(p.Shared) > 0 {
		p.Shared.check(b, x)
	}
	b.weight("alpha", p.slopes(slices.Clone(x)), p.Alpha, p.Regularizer, p.Constraint)
	return x
}

// slopes makes the shape of a sample that of alpha.
func (p *preLU) slopes(s Shape) Shape {
	for i := range s {
		if p.Shared.has(i, len(s)) {
			s[i] = 1
		}
	}
	return s
}

func (p *preLU) Forward(c *Call) *ops.Tensor {
	x, alpha := c.In(0), c.Param(0)
	c.from = append(c.from[:0], c.Shape()...)
	alpha = c.spread(c.Reshape(alpha, 1, alpha.Rows*alpha.Cols), p.slopes(c.from), c.Shape())
	above, below := c.Activate(x, kernels.ReLU), c.Activate(c.Scale(x, -1), kernels.ReLU)
	return c.Add(above, c.Affine(below, c.Scale(alpha, -1), nil))
}

// Mask is that of the input.
func (*preLU) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
