package nn

import (
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type dense struct {
	Units    int                        `json:"units"`
	Function Object[ActivationFunction] `json:"activation"`
	UseBias  bool                       `json:"use_bias"`
	kernelAndBias
}

func init() {
	Register("Dense", dense{Function: Object[ActivationFunction]{Linear}, UseBias: true, kernelAndBias: usualKernel()})
}

// Dense computes act(x·kernel + bias) over the last axis of its input: kernel [features, units], bias [units]. Kernels
// start Glorot uniform, biases zero: see [WeightOption].
func Dense(units int, act ActivationFunction, opts ...LayerOption) *Layer {
	return New(&dense{units, Object[ActivationFunction]{act}, true, usualKernel()}, opts...)
}

// A NoBiasOption leaves a layer without a bias.
type NoBiasOption struct{}

// NoBias leaves a layer without a bias. Layers of classes that never have one do not take it.
func NoBias() NoBiasOption { return NoBiasOption{} }

func (NoBiasOption) applyLayer(l *Layer) {
	configure(l, "NoBias: it has no bias", biased.dropBias)
}

// A biased kind takes [NoBias].
type biased interface{ dropBias() }

func (d *dense) dropBias() { d.UseBias = false }

func (d *dense) Activation() ActivationFunction { return d.Function.Value }

func (d *dense) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if d.Units < 1 {
		b.Errorf("has %d units, needs at least 1", d.Units)
	}
	d.askKernel(b, Shape{x.Last(), d.Units})
	if d.UseBias {
		d.askBias(b, Shape{d.Units})
	}
	return b.activated(d.Function.Value, append(slices.Clone(x[:len(x)-1]), d.Units))
}

func (d *dense) Forward(c *Call) *ops.Tensor {
	var bias *ops.Tensor
	if d.UseBias {
		bias = c.Param(1)
	}
	fused, rest := epilogue(c.Act)
	return c.Samples(rest.Apply(c, c.Dense(c.Vectors(0), c.Param(0), bias, fused)))
}

// Mask is that of the input.
func (*dense) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
