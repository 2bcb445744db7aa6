package nn

import (
	"errors"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// The activations with parameters. In files they are what Keras calls them: the name alone where the parameters are Keras'
// defaults, else an object with a configuration. Those that are an [ActivationKind] with their defaults become that one.

type reluOf struct {
	NegativeSlope float64  `json:"negative_slope"`
	MaxValue      *float64 `json:"max_value"` // nil: none
	Threshold     float64  `json:"threshold"`
}

type leakyReLU struct {
	NegativeSlope float64 `json:"negative_slope"`
}

type elu struct {
	Alpha float64 `json:"alpha"`
}

type celu struct {
	Alpha float64 `json:"alpha"`
}

type geluOf struct {
	Approximate bool `json:"approximate"`
}

type squareplus struct {
	B float64 `json:"b"`
}

type softShrink struct {
	Threshold float64 `json:"threshold"`
}

type hardShrink struct {
	Threshold float64 `json:"threshold"`
}

type threshold struct {
	Threshold float64 `json:"threshold"`
	Value     float64 `json:"default_value"`
}

func init() {
	registerConfigured("relu", reluOf{})
	registerConfigured("gelu", geluOf{})
	Register("leaky_relu", leakyReLU{0.2})
	Register("elu", elu{1})
	Register("celu", celu{1})
	Register("squareplus", squareplus{4})
	Register("soft_shrink", softShrink{0.5})
	Register("hard_shrink", hardShrink{0.5})
	Register("threshold", threshold{})
}

// ReLUOf returns the activation that is min(x, limit) above a threshold and slope·(x-threshold) elsewhere: [ReLU] is that of
// a slope of 0, no limit, which is math.Inf(1), and a threshold of 0. None of them may be negative.
func ReLUOf(slope, limit, threshold float64) ActivationFunction {
	a := reluOf{slope, &limit, threshold}
	if math.IsInf(limit, 1) {
		a.MaxValue = nil
	}
	return a
}

// LeakyReLUOf returns the activation that is x above 0 and slope·x elsewhere. Keras' default of the slope is 0.2.
func LeakyReLUOf(slope float64) ActivationFunction { return leakyReLU{slope} }

// ELUOf returns the activation that is x above 0 and alpha·(exp(x)-1) elsewhere (Clevert, Unterthiner and Hochreiter,
// arXiv:1511.07289). Keras' default of alpha is 1.
func ELUOf(alpha float64) ActivationFunction { return elu{alpha} }

// CELUOf returns the activation that is x above 0 and alpha·(exp(x/alpha)-1) elsewhere, for a positive alpha (Barron,
// arXiv:1704.07483). Keras' default of alpha is 1.
func CELUOf(alpha float64) ActivationFunction { return celu{alpha} }

// ApproximateGELU returns the approximation x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2 of [GELU] (Hendrycks and Gimpel,
// arXiv:1606.08415): Keras' gelu with approximate=True.
func ApproximateGELU() ActivationFunction { return geluOf{true} }

// SquareplusOf returns the activation (x + √(x²+b))/2, for a positive b (Barron, arXiv:2112.11687). Keras' default of b is 4.
func SquareplusOf(b float64) ActivationFunction { return squareplus{b} }

// SoftShrinkOf returns the activation that takes values nearer to 0 by a threshold: x-threshold above it, x+threshold below
// -threshold, and 0 in between. Keras' default of the threshold is 0.5; it may not be negative.
func SoftShrinkOf(threshold float64) ActivationFunction { return softShrink{threshold} }

// HardShrinkOf returns the activation that is x above a threshold and below -threshold, and 0 in between. Keras' default of
// the threshold is 0.5; it may not be negative.
func HardShrinkOf(threshold float64) ActivationFunction { return hardShrink{threshold} }

// ThresholdOf returns the activation that is x above a limit, and a value elsewhere.
func ThresholdOf(limit, value float64) ActivationFunction { return threshold{limit, value} }

// unary returns the function for kernels.
func (a reluOf) unary() kernels.Unary {
	limit := math.Inf(1)
	if a.MaxValue != nil {
		limit = *a.MaxValue
	}
	return unary(kernels.Rectify, a.NegativeSlope, limit, a.Threshold)
}

func (a leakyReLU) unary() kernels.Unary { return reluOf{NegativeSlope: a.NegativeSlope}.unary() }

func (a elu) unary() kernels.Unary { return unary(kernels.ELU, a.Alpha, 1, 1) }

func (a celu) unary() kernels.Unary { return unary(kernels.ELU, a.Alpha, 1/a.Alpha, 1) }

func (a geluOf) unary() kernels.Unary {
	if a.Approximate {
		return unary(kernels.GELUTanh, 0, 0, 0)
	}
	return unary(kernels.GELU, 0, 0, 0)
}

func (a squareplus) unary() kernels.Unary { return unary(kernels.Squareplus, a.B, 0, 0) }

func (a softShrink) unary() kernels.Unary { return unary(kernels.SoftShrink, a.Threshold, 0, 0) }

func (a hardShrink) unary() kernels.Unary { return unary(kernels.HardShrink, a.Threshold, 0, 0) }

func (a threshold) unary() kernels.Unary { return unary(kernels.Threshold, a.Threshold, a.Value, 0) }

func unary(kind kernels.UnaryKind, a, b, c float64) kernels.Unary {
	return kernels.Unary{Kind: kind, A: float32(a), B: float32(b), C: float32(c)}
}

func (a reluOf) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor     { return o.Unary(x, a.unary()) }
func (a leakyReLU) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor  { return o.Unary(x, a.unary()) }
func (a elu) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor        { return o.Unary(x, a.unary()) }
func (a celu) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor       { return o.Unary(x, a.unary()) }
func (a geluOf) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor     { return o.Unary(x, a.unary()) }
func (a squareplus) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor { return o.Unary(x, a.unary()) }
func (a softShrink) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor { return o.Unary(x, a.unary()) }
func (a hardShrink) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor { return o.Unary(x, a.unary()) }
func (a threshold) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor  { return o.Unary(x, a.unary()) }

// plain returns the activation without a configuration that does the same, if there is one.
func (a reluOf) plain() any {
	if a == (reluOf{}) {
		return ReLU
	}
	return nil
}

func (a geluOf) plain() any {
	if !a.Approximate {
		return GELU
	}
	return nil
}

func (a reluOf) check() error {
	limit := 0.0
	if a.MaxValue != nil {
		limit = *a.MaxValue
	}
	return errors.Join(notNegative("negative_slope", a.NegativeSlope), notNegative("max_value", limit), notNegative("threshold", a.Threshold))
}

func (a leakyReLU) check() error { return inFloat32("negative_slope", a.NegativeSlope) }
func (a elu) check() error       { return inFloat32("alpha", a.Alpha) }

func (a celu) check() error {
	if !(float32(a.Alpha) > 0) {
		return fmt.Errorf("alpha is %v, must be positive", a.Alpha)
	}
	return errors.Join(inFloat32("alpha", a.Alpha), inFloat32("1/alpha", 1/a.Alpha))
}

func (a squareplus) check() error {
	if !(float32(a.B) > 0) {
		return fmt.Errorf("b is %v, must be positive", a.B)
	}
	return inFloat32("b", a.B)
}

func (a softShrink) check() error { return notNegative("threshold", a.Threshold) }
func (a hardShrink) check() error { return notNegative("threshold", a.Threshold) }

func (a threshold) check() error {
	return errors.Join(inFloat32("threshold", a.Threshold), inFloat32("default_value", a.Value))
}

func notNegative(name string, v float64) error {
	if v < 0 {
		return fmt.Errorf("%s is %v, must not be negative", name, v)
	}
	return inFloat32(name, v)
}

func inFloat32(name string, v float64) error {
	if !(math.Abs(v) <= math.MaxFloat32) {
		return fmt.Errorf("%s is %v, must be finite in float32", name, v)
	}
	return nil
}
