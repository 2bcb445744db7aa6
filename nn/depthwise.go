package nn

import (
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// depth is the configuration of how many results a depthwise convolution has for each channel.
type depth struct {
	Multiplier int `json:"depth_multiplier"`
}

func (d *depth) setMultiplier(n int) { d.Multiplier = n }

func (d *depth) check(b *Builder) bool {
	if d.Multiplier < 1 || d.Multiplier > maxElements {
		b.Errorf("has a depth multiplier of %d, valid are 1 to %d", d.Multiplier, maxElements)
		return false
	}
	return true
}

// A DepthOption is how many results a depthwise convolution has for each channel.
type DepthOption int

// DepthMultiplier sets how many results a depthwise or separable convolution has for each channel. The default is 1.
func DepthMultiplier(n int) DepthOption { return DepthOption(n) }

func (o DepthOption) applyLayer(l *Layer) {
	configure(l, "DepthMultiplier: only depthwise and separable convolutions have one", func(k interface{ setMultiplier(int) }) { k.setMultiplier(int(o)) })
}

// convolve returns a row of all results for each place: those of channel i are the Multiplier columns from i·Multiplier on.
func (d *depth) convolve(c *Call, kernel, bias *ops.Tensor, w kernels.Window, act kernels.Activation) *ops.Tensor {
	x := c.In(0)
	if n := d.Multiplier; n > 1 { // channels repeat
		w.Channels *= n
		x = c.Reshape(c.Repeat(c.Reshape(x, x.Rows*x.Cols, 1), n), x.Rows, x.Cols*n)
	}
	return c.Depthwise(x, c.Reshape(kernel, w.Size[0]*w.Size[1], w.Channels), bias, w, act)
}

// depthwiseAndBias is what a configuration says of the weights of a layer that has a depthwise kernel, and perhaps a bias, and of
// its result.
type depthwiseAndBias struct {
	DepthwiseInitializer Object[Initializer] `json:"depthwise_initializer"`
	BiasInitializer      Object[Initializer] `json:"bias_initializer"`
	DepthwiseRegularizer Object[Regularizer] `json:"depthwise_regularizer"`
	BiasRegularizer      Object[Regularizer] `json:"bias_regularizer"`
	Activity             Object[Regularizer] `json:"activity_regularizer"`
	DepthwiseConstraint  Object[Constraint]  `json:"depthwise_constraint"`
	BiasConstraint       Object[Constraint]  `json:"bias_constraint"`
}

// usualDepthwise is the default of Keras.
func usualDepthwise() depthwiseAndBias {
	return depthwiseAndBias{DepthwiseInitializer: Object[Initializer]{GlorotUniform()}, BiasInitializer: Object[Initializer]{Zeros()}}
}

func (d *depthwiseAndBias) askDepthwise(b *Builder, name string, shape Shape) {
	b.weight(name, shape, d.DepthwiseInitializer, d.DepthwiseRegularizer, d.DepthwiseConstraint)
}

func (d *depthwiseAndBias) askBias(b *Builder, shape Shape) {
	b.weight("bias", shape, d.BiasInitializer, d.BiasRegularizer, d.BiasConstraint)
}

// ActivityRegularizer implements [ActivityRegularized].
func (d *depthwiseAndBias) ActivityRegularizer() Regularizer { return d.Activity.Value }

type depthwiseConv[A spatial] struct {
	moving[A]
	depth
	ending
	depthwiseAndBias
}

func newDepthwiseConv[A spatial](size A, act ActivationFunction) depthwiseConv[A] {
	return depthwiseConv[A]{newMoving(size), depth{1}, newEnding(act), usualDepthwise()}
}

func init() {
	Register("DepthwiseConv1D", newDepthwiseConv([1]int{}, Linear))
	Register("DepthwiseConv2D", newDepthwiseConv([2]int{}, Linear))
	Register("SeparableConv1D", newSeparableConv(0, [1]int{}, Linear))
	Register("SeparableConv2D", newSeparableConv(0, [2]int{}, Linear))
}

// DepthwiseConv1D is [Conv1D] of each feature for itself: the kernel is [kernelSize, features, multiplier], and the result has
// multiplier values for each feature, see [DepthMultiplier].
func DepthwiseConv1D(kernelSize int, act ActivationFunction, opts ...LayerOption) *Layer {
	k := newDepthwiseConv([1]int{kernelSize}, act)
	return New(&k, opts...)
}

// DepthwiseConv2D is [Conv2D] of each channel for itself: the kernel is [rows, columns, channels, multiplier], and the result
// has multiplier values for each channel, see [DepthMultiplier].
func DepthwiseConv2D(kernelSize [2]int, act ActivationFunction, opts ...LayerOption) *Layer {
	k := newDepthwiseConv(kernelSize, act)
	return New(&k, opts...)
}

func (k *depthwiseConv[A]) Build(b *Builder, in []Shape) Shape {
	w, err := k.window(b.One(in))
	if err != nil {
		b.Errorf("%w", err)
	}
	if err != nil || !k.check(b) {
		return nil
	}
	k.askDepthwise(b, "kernel", k.kernel(w.Channels, k.Multiplier))
	k.build(b, w.Channels*k.Multiplier, k)
	return placesShape(k.rank(), w, w.Channels*k.Multiplier)
}

func (k *depthwiseConv[A]) Forward(c *Call) *ops.Tensor {
	w, _ := k.window(c.InShape(0))
	act, rest := epilogue(c.Act)
	return c.Samples(rest.Apply(c, k.convolve(c, c.Param(0), k.bias(c, 1), w, act)))
}

type separableConv[A spatial] struct {
	Filters int `json:"filters"`
	moving[A]
	depth
	ending
	depthwiseAndBias
	PointwiseInitializer Object[Initializer] `json:"pointwise_initializer"`
	PointwiseRegularizer Object[Regularizer] `json:"pointwise_regularizer"`
	PointwiseConstraint  Object[Constraint]  `json:"pointwise_constraint"`
}

func newSeparableConv[A spatial](filters int, size A, act ActivationFunction) separableConv[A] {
	return separableConv[A]{Filters: filters, moving: newMoving(size), depth: depth{1}, ending: newEnding(act),
		depthwiseAndBias: usualDepthwise(), PointwiseInitializer: Object[Initializer]{GlorotUniform()}}
}

// SeparableConv1D is a [DepthwiseConv1D] without bias and activation, whose kernel is depthwise_kernel, and a dense layer of
// filters over its results, with pointwise_kernel [1, features·multiplier, filters] and bias.
func SeparableConv1D(filters, kernelSize int, act ActivationFunction, opts ...LayerOption) *Layer {
	k := newSeparableConv(filters, [1]int{kernelSize}, act)
	return New(&k, opts...)
}

// SeparableConv2D is a [DepthwiseConv2D] without bias and activation, whose kernel is depthwise_kernel, and a dense layer of
// filters over its results, with pointwise_kernel [1, 1, channels·multiplier, filters] and bias (Chollet 2017,
// arXiv:1610.02357).
func SeparableConv2D(filters int, kernelSize [2]int, act ActivationFunction, opts ...LayerOption) *Layer {
	k := newSeparableConv(filters, kernelSize, act)
	return New(&k, opts...)
}

func (k *separableConv[A]) Build(b *Builder, in []Shape) Shape {
	w, err := k.window(b.One(in))
	if err != nil {
		b.Errorf("%w", err)
	}
	if err != nil || !k.check(b) {
		return nil
	}
	if k.Filters < 1 {
		b.Errorf("has %d filters, needs at least 1", k.Filters)
		return nil
	}
	k.askDepthwise(b, "depthwise_kernel", k.kernel(w.Channels, k.Multiplier))
	point := newMoving(all[A](1).of)
	b.weight("pointwise_kernel", point.kernel(w.Channels*k.Multiplier, k.Filters), k.PointwiseInitializer, k.PointwiseRegularizer, k.PointwiseConstraint)
	k.build(b, k.Filters, k)
	return placesShape(k.rank(), w, k.Filters)
}

func (k *separableConv[A]) Forward(c *Call) *ops.Tensor {
	w, _ := k.window(c.InShape(0))
	act, rest := epilogue(c.Act)
	x := k.convolve(c, c.Param(0), nil, w, kernels.Linear)
	return c.Samples(rest.Apply(c, c.Dense(x, c.Param(1), k.bias(c, 2), act)))
}
