// Package formula computes in float64, from definitions, what tests compare with.
package formula

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// Unary returns f(x).
func Unary(f kernels.Unary, x float64) float64 {
	a, b, c := float64(f.A), float64(f.B), float64(f.C)
	switch f.Kind {
	case kernels.GELU:
		return gated(x, math.Erfc(-x/math.Sqrt2)/2)
	case kernels.GELUTanh:
		return gated(x, sigmoid(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case kernels.SiLU:
		return gated(x, sigmoid(x))
	case kernels.Mish:
		return gated(x, math.Tanh(softplus(x)))
	case kernels.Softplus:
		return softplus(x)
	case kernels.LogSigmoid:
		return -softplus(-x)
	case kernels.Exponential:
		return math.Exp(x)
	case kernels.ELU:
		if x > 0 {
			return c * x
		}
		return a * math.Expm1(b*x)
	case kernels.Softsign:
		if math.IsInf(x, 0) {
			return math.Copysign(1, x)
		}
		return x / (1 + math.Abs(x))
	case kernels.TanhShrink:
		return x - math.Tanh(x)
	case kernels.Squareplus:
		if x < 0 {
			return 2 * a / 4 / (math.Hypot(x, math.Sqrt(a)) - x)
		}
		return (x + math.Hypot(x, math.Sqrt(a))) / 2
	case kernels.Rectify:
		if x <= c {
			if a == 0 {
				return 0
			}
			return a * (x - c)
		}
		return math.Min(x, b)
	case kernels.Threshold:
		if x <= a {
			return b
		}
		return x
	case kernels.Clip:
		return math.Min(math.Max(x, a), b)
	case kernels.HardSigmoid:
		return hardSigmoid(x)
	case kernels.SparseSigmoid:
		return math.Min(math.Max((x+1)/2, 0), 1)
	case kernels.HardSiLU:
		return gated(x, hardSigmoid(x))
	case kernels.SoftShrink:
		return x - math.Min(math.Max(x, -a), a)
	case kernels.HardShrink:
		if math.Abs(x) <= a {
			return 0
		}
		return x
	case kernels.SparsePlus:
		if math.Abs(x) < 1 {
			return (x + 1) * (x + 1) / 4
		}
		return math.Max(x, 0)
	case kernels.RSqrt:
		return 1 / math.Sqrt(math.Max(x, 0)+a)
	}
	panic(fmt.Sprint("formula: ", f))
}

// UnarySlope returns f'(x), and at corners what Keras has there.
func UnarySlope(f kernels.Unary, x float64) float64 {
	a, b, c := float64(f.A), float64(f.B), float64(f.C)
	s := sigmoid(x)
	u := sigmoid(-x)
	within := func(inside bool) float64 {
		switch {
		case x != x:
			return x
		case inside:
			return 1
		}
		return 0
	}
	switch f.Kind {
	case kernels.GELU:
		return math.Erfc(-x/math.Sqrt2)/2 + gated(x, math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
	case kernels.GELUTanh:
		k := 2 * math.Sqrt(2/math.Pi)
		x = math.Min(math.Max(x, -100), 100)
		z := k * (x + 0.044715*x*x*x)
		return sigmoid(z) + x*sigmoid(z)*sigmoid(-z)*k*(1+3*0.044715*x*x)
	case kernels.SiLU:
		return s + gated(x, s*u)
	case kernels.Mish:
		t := math.Tanh(softplus(x))
		r := 2 * u / (1 + u*u)
		return t + gated(x, s*r*r)
	case kernels.Softplus:
		return s
	case kernels.LogSigmoid:
		return u
	case kernels.Exponential:
		return math.Exp(x)
	case kernels.ELU:
		if x > 0 {
			return c
		}
		return a * b * math.Exp(b*x)
	case kernels.Softsign:
		return 1 / ((1 + math.Abs(x)) * (1 + math.Abs(x)))
	case kernels.TanhShrink:
		return math.Tanh(x) * math.Tanh(x)
	case kernels.Squareplus:
		return Unary(f, x) / math.Hypot(x, math.Sqrt(a))
	case kernels.Rectify:
		if x < c || x == c && c == 0 {
			return a
		}
		return within(x > c && (x < b || math.IsInf(b, 1)))
	case kernels.Threshold:
		return within(x > a)
	case kernels.Clip:
		return within(x > a && x < b)
	case kernels.HardSigmoid:
		return within(math.Abs(x) < 3) / 6
	case kernels.SparseSigmoid:
		return within(math.Abs(x) < 1) / 2
	case kernels.HardSiLU:
		return hardSiLUSlope(x)
	case kernels.SoftShrink, kernels.HardShrink:
		return within(math.Abs(x) > a)
	case kernels.SparsePlus:
		return math.Min(math.Max((x+1)/2, 0), 1)
	case kernels.RSqrt:
		if x <= 0 {
			return 0
		}
		return -0.5 * math.Pow(x+a, -1.5)
	}
	panic(fmt.Sprint("formula: ", f))
}

func hardSiLUSlope(x float64) float64 {
	switch {
	case x < -3:
		return 0
	case x >= 3:
		return 1
	}
	return x/3 + 0.5
}

// gated returns x·g, and the limit 0 for g = 0.
func gated(x, g float64) float64 {
	if g == 0 {
		return 0
	}
	return x * g
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func hardSigmoid(x float64) float64 { return math.Min(math.Max(x/6+0.5, 0), 1) }

// Unaries are functions of every kind.
var Unaries = []kernels.Unary{
	{Kind: kernels.GELU}, {Kind: kernels.GELUTanh}, {Kind: kernels.SiLU}, {Kind: kernels.Mish}, {Kind: kernels.Softplus},
	{Kind: kernels.LogSigmoid}, {Kind: kernels.Exponential}, {Kind: kernels.ELU, A: 1, B: 1, C: 1},
	{Kind: kernels.ELU, A: 1.7580993408473766, B: 1, C: 1.0507009873554805}, {Kind: kernels.ELU, A: 2, B: 0.5, C: 1},
	{Kind: kernels.Softsign}, {Kind: kernels.TanhShrink}, {Kind: kernels.Squareplus, A: 4},
	{Kind: kernels.Rectify, A: 0.2, B: float32(math.Inf(1))}, {Kind: kernels.Rectify, B: 6}, {Kind: kernels.Rectify, A: 0.1, B: 2, C: 0.5},
	{Kind: kernels.Threshold, A: 0.3, B: -0.7}, {Kind: kernels.Clip, A: -1, B: 1}, {Kind: kernels.HardSigmoid},
	{Kind: kernels.SparseSigmoid}, {Kind: kernels.HardSiLU}, {Kind: kernels.SoftShrink, A: 0.5}, {Kind: kernels.HardShrink, A: 0.5}, {Kind: kernels.SparsePlus},
	{Kind: kernels.RSqrt, A: 0.5},
}

// Corners returns where f jumps or has no slope.
func Corners(f kernels.Unary) []float64 {
	a, b, c := float64(f.A), float64(f.B), float64(f.C)
	switch f.Kind {
	case kernels.ELU, kernels.RSqrt:
		return []float64{0}
	case kernels.Rectify:
		return []float64{c, b}
	case kernels.Threshold:
		return []float64{a}
	case kernels.Clip:
		return []float64{a, b}
	case kernels.SparseSigmoid:
		return []float64{-1, 1}
	case kernels.HardSigmoid, kernels.HardSiLU:
		return []float64{-3, 3}
	case kernels.SoftShrink, kernels.HardShrink:
		return []float64{-a, a}
	}
	return nil
}
