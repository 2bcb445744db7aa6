package onnx

import (
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// Element by element: functions of one, two or many operands that are broadcast to one shape.

// A unary is a function of one number and its derivative, given the result too; nil where there is none.
type unary struct{ f, derivative func(x, y float64) float64 }

func tanh(x float64) float64 {
	if e := portable.Exp(-2 * math.Abs(x)); e == e {
		if a := math.Abs(x); a < 1e-3 { // where 1-e would lose digits
			x2 := x * x
			return x * (1 - float64(x2*(1.0/3-float64(x2*2/15))))
		}
		return math.Copysign((1-e)/(1+e), x)
	}
	return x
}

// erf sums 2/√π·e^(-x²)·Σ 2ⁿx²ⁿ⁺¹/(1·3·5···(2n+1)), which has positive terms only.
func erf(x float64) float64 {
	if a := math.Abs(x); a > 6 {
		return math.Copysign(1, x)
	}
	sum, term := 0.0, x
	for n := 1.0; ; n++ {
		if sum += term; math.Abs(term) <= 1e-17*math.Abs(sum) || sum != sum {
			break
		}
		term *= 2 * x * x / (2*n + 1)
	}
	return 2 / math.Sqrt(math.Pi) * portable.Exp(-x*x) * sum
}

// cosine reduces x to the half turn that portable.CosPi takes.
func cosine(x float64) float64 {
	if x -= x - x; x != x {
		return x
	}
	turns := math.Mod(math.Abs(x)/math.Pi, 2)
	if turns > 1 {
		turns = 2 - turns
	}
	return portable.CosPi(turns)
}

func softplus(x float64) float64 {
	if math.IsInf(x, 1) {
		return x
	}
	return portable.Softplus(x)
}

func step(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// density is that of the normal distribution.
func density(x float64) float64 { return portable.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

// unaries make the function of a node.
var unaries = map[string]func(c *call) unary{
	"Abs":      plain(math.Abs, func(x, _ float64) float64 { return step(x > 0) - step(x < 0) }),
	"Ceil":     plain(math.Ceil, zero),
	"Floor":    plain(math.Floor, zero),
	"Round":    plain(math.RoundToEven, zero),
	"Sign":     plain(func(x float64) float64 { return step(x > 0) - step(x < 0) }, zero),
	"Neg":      plain(func(x float64) float64 { return -x }, func(_, _ float64) float64 { return -1 }),
	"Not":      plain(func(x float64) float64 { return step(x == 0) }, nil),
	"Identity": plain(func(x float64) float64 { return x }, func(_, _ float64) float64 { return 1 }),
	"IsNaN":    plain(func(x float64) float64 { return step(x != x) }, nil),
	"IsInf": func(c *call) unary {
		up, down := c.integer("detect_positive", 1) != 0, c.integer("detect_negative", 1) != 0
		return unary{func(x, _ float64) float64 { return step(up && math.IsInf(x, 1) || down && math.IsInf(x, -1)) }, nil}
	},
	"Sqrt":       plain(math.Sqrt, func(_, y float64) float64 { return 0.5 / y }),
	"Reciprocal": plain(func(x float64) float64 { return 1 / x }, func(_, y float64) float64 { return -y * y }),
	"Exp":        plain(portable.Exp, func(_, y float64) float64 { return y }),
	"Log":        plain(portable.Log, func(x, _ float64) float64 { return 1 / x }),
	"Erf":        plain(erf, func(x, _ float64) float64 { return 2 / math.Sqrt(math.Pi) * portable.Exp(-x*x) }),
	"Cos":        plain(cosine, func(x, _ float64) float64 { return -cosine(x - math.Pi/2) }),
	"Sin":        plain(func(x float64) float64 { return cosine(x - math.Pi/2) }, func(x, _ float64) float64 { return cosine(x) }),
	"Tanh":       plain(tanh, func(_, y float64) float64 { return 1 - float64(y*y) }),
	"Sigmoid":    plain(portable.Sigmoid, func(_, y float64) float64 { return y * (1 - y) }),
	"Relu": plain(func(x float64) float64 {
		if x < 0 {
			return 0
		}
		return x
	}, func(x, _ float64) float64 { return step(x > 0) }),
	"Softplus": plain(softplus, func(x, _ float64) float64 { return portable.Sigmoid(x) }),
	"Softsign": plain(func(x float64) float64 { return x / (1 + math.Abs(x)) }, func(x, _ float64) float64 {
		d := 1 + math.Abs(x)
		return 1 / (d * d)
	}),
	"Mish": plain(func(x float64) float64 { return x * tanh(softplus(x)) }, func(x, _ float64) float64 {
		t := tanh(softplus(x))
		return t + float64(x*(1-float64(t*t))*portable.Sigmoid(x))
	}),
	"HardSwish": plain(func(x float64) float64 { return x * min(max(x/6+0.5, 0), 1) }, func(x, _ float64) float64 {
		if x <= -3 || x >= 3 {
			return step(x >= 3)
		}
		return x/3 + 0.5
	}),
	"HardSigmoid": func(c *call) unary {
		alpha, beta := c.float("alpha", 0.2), c.float("beta", 0.5)
		return unary{func(x, _ float64) float64 { return min(max(float64(alpha*x)+beta, 0), 1) }, func(_, y float64) float64 { return alpha * step(y > 0 && y < 1) }}
	},
	"LeakyRelu": func(c *call) unary {
		alpha := c.float("alpha", 0.01)
		return sloped(func(x float64) float64 { return alpha * x }, func(_, _ float64) float64 { return alpha }, 1)
	},
	"Elu": func(c *call) unary {
		alpha := c.float("alpha", 1)
		return sloped(func(x float64) float64 { return alpha * (portable.Exp(x) - 1) }, func(_, y float64) float64 { return y + alpha }, 1)
	},
	"Celu": func(c *call) unary {
		alpha := c.float("alpha", 1)
		return sloped(func(x float64) float64 { return alpha * (portable.Exp(x/alpha) - 1) }, func(x, _ float64) float64 { return portable.Exp(x / alpha) }, 1)
	},
	"Selu": func(c *call) unary {
		alpha, gamma := c.float("alpha", 1.6732632423543772), c.float("gamma", 1.0507009873554805)
		return sloped(func(x float64) float64 { return gamma * alpha * (portable.Exp(x) - 1) }, func(_, y float64) float64 { return y + gamma*alpha }, gamma)
	},
	"ThresholdedRelu": func(c *call) unary {
		alpha := c.float("alpha", 1)
		return unary{func(x, _ float64) float64 {
			if x > alpha {
				return x
			}
			return 0
		}, func(x, _ float64) float64 { return step(x > alpha) }}
	},
	"Shrink": func(c *call) unary {
		bias, lambda := c.float("bias", 0), c.float("lambd", 0.5)
		return unary{func(x, _ float64) float64 {
			switch {
			case x < -lambda:
				return x + bias
			case x > lambda:
				return x - bias
			}
			return 0
		}, func(x, _ float64) float64 { return step(x < -lambda || x > lambda) }}
	},
	"Gelu": func(c *call) unary {
		if c.text("approximate", "none") == "tanh" {
			inner := func(x float64) float64 { return math.Sqrt(2/math.Pi) * (x + float64(0.044715*x*x*x)) }
			return unary{func(x, _ float64) float64 { return x / 2 * (1 + tanh(inner(x))) }, func(x, _ float64) float64 {
				t := tanh(inner(x))
				return (1+t)/2 + float64(x/2*(1-float64(t*t))*math.Sqrt(2/math.Pi)*(1+float64(3*0.044715*x*x)))
			}}
		}
		half := func(x float64) float64 { return (1 + erf(x/math.Sqrt2)) / 2 }
		return unary{func(x, _ float64) float64 { return x * half(x) }, func(x, _ float64) float64 { return half(x) + float64(x*density(x)) }}
	},
	"Swish": func(c *call) unary {
		alpha := c.float("alpha", 1)
		return unary{func(x, _ float64) float64 { return x * portable.Sigmoid(alpha*x) }, func(x, y float64) float64 {
			s := portable.Sigmoid(alpha * x)
			return s + float64(alpha*y*(1-s))
		}}
	},
	"Clip": func(c *call) unary {
		low, high := math.Inf(-1), math.Inf(1)
		if c.version < 11 {
			low, high = c.float("min", low), c.float("max", high)
		} else {
			for i, to := range []*float64{&low, &high} {
				if c.has(i+1) && c.in[i+1].known {
					if v := c.constant(i + 1); len(v) != 1 {
						c.fail("input %d has %d values, must have 1", i+1, len(v))
					} else {
						*to = v[0]
					}
				}
			}
		}
		return unary{func(x, _ float64) float64 { return min(max(x, low), high) }, func(x, _ float64) float64 { return step(x >= low && x <= high) }}
	},
}

func plain(f func(x float64) float64, derivative func(x, y float64) float64) func(*call) unary {
	return func(*call) unary { return unary{func(x, _ float64) float64 { return f(x) }, derivative} }
}

func zero(_, _ float64) float64 { return 0 }

// sloped is slope·x above 0 and below elsewhere.
func sloped(below func(x float64) float64, derivative func(x, y float64) float64, slope float64) unary {
	return unary{func(x, _ float64) float64 {
		if x > 0 {
			return slope * x
		}
		return below(x)
	}, func(x, y float64) float64 {
		if x > 0 {
			return slope
		}
		return derivative(x, y)
	}}
}

func runUnary(c *call) {
	x := c.arg(0)
	elem := x.elem
	switch c.op {
	case "IsNaN", "IsInf", "Not":
		elem = typeBool
	case "Clip":
		for i := 1; i < len(c.in); i++ {
			if c.has(i) && !c.in[i].known {
				c.fail("input %d %q must be a constant", i, c.inputs[i])
			}
		}
	}
	f := unaries[c.op](c)
	y := c.result(0, elem, x.shape)
	if c.compute(y, 4, x) {
		for i, v := range x.data() {
			y.values[i] = f.f(v, 0)
		}
	}
}

// A pairwise is a function of two numbers and its derivatives by each of them.
type pairwise struct {
	f    func(a, b float64) float64
	a, b func(a, b, y float64) float64
}

var binaries = map[string]pairwise{
	"Add": {func(a, b float64) float64 { return a + b }, one, one},
	"Sub": {func(a, b float64) float64 { return a - b }, one, func(_, _, _ float64) float64 { return -1 }},
	"Mul": {func(a, b float64) float64 { return a * b }, func(_, b, _ float64) float64 { return b }, func(a, _, _ float64) float64 { return a }},
	"Div": {func(a, b float64) float64 { return a / b }, func(_, b, _ float64) float64 { return 1 / b }, func(_, b, y float64) float64 { return -y / b }},
	"Pow": {power, func(a, b, _ float64) float64 { return b * power(a, b-1) }, func(a, _, y float64) float64 { return y * portable.Log(a) }},
	"Max": {func(a, b float64) float64 { return max(a, b) }, func(a, b, _ float64) float64 { return step(a >= b) }, func(a, b, _ float64) float64 { return step(a < b) }},
	"Min": {func(a, b float64) float64 { return min(a, b) }, func(a, b, _ float64) float64 { return step(a <= b) }, func(a, b, _ float64) float64 { return step(a > b) }},
	"PRelu": {func(a, b float64) float64 {
		if a < 0 {
			return a * b
		}
		return a
	}, func(a, b, _ float64) float64 {
		if a < 0 {
			return b
		}
		return 1
	}, func(a, _, _ float64) float64 { return min(a, 0) }},
	"Sum":            {func(a, b float64) float64 { return a + b }, one, one},
	"Mean":           {func(a, b float64) float64 { return a + b }, one, one},
	"And":            {func(a, b float64) float64 { return step(a != 0 && b != 0) }, nil, nil},
	"Or":             {func(a, b float64) float64 { return step(a != 0 || b != 0) }, nil, nil},
	"Xor":            {func(a, b float64) float64 { return step((a != 0) != (b != 0)) }, nil, nil},
	"Equal":          {func(a, b float64) float64 { return step(a == b) }, nil, nil},
	"Greater":        {func(a, b float64) float64 { return step(a > b) }, nil, nil},
	"GreaterOrEqual": {func(a, b float64) float64 { return step(a >= b) }, nil, nil},
	"Less":           {func(a, b float64) float64 { return step(a < b) }, nil, nil},
	"LessOrEqual":    {func(a, b float64) float64 { return step(a <= b) }, nil, nil},
	"Mod":            {nil, nil, nil}, // depends on an attribute
}

func one(_, _, _ float64) float64 { return 1 }

// power is portable.Pow for any sign of x.
func power(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x >= 0:
		return portable.Pow(x, y)
	case y == math.Trunc(y):
		if math.Mod(y, 2) == 0 {
			return portable.Pow(-x, y)
		}
		return -portable.Pow(-x, y)
	}
	return math.NaN()
}

// operands returns those of a function of several, the second one reshaped as operators before version 7 say.
func (c *call) operands() []*tensor {
	x := make([]*tensor, len(c.in))
	for i := range x {
		x[i] = c.arg(i)
	}
	if len(x) == 0 {
		c.fail("has no inputs")
	}
	if a := c.attribute("axis", kindInt); a != nil && c.version < 7 && len(x) == 2 && len(x[1].shape) <= len(x[0].shape) {
		axis := c.axis(int(min(max(a.i, -99), 99)), len(x[0].shape))
		b := *x[1]
		for len(b.shape) < len(x[0].shape)-axis {
			b.shape = append(b.shape[:len(b.shape):len(b.shape)], 1)
		}
		x[1] = &b
	}
	if c.op == "PRelu" && c.version < 7 && len(x) == 2 && len(x[0].shape) > 2 && slices.Equal(x[1].shape, x[0].shape[1:2]) { // of each channel
		b := *x[1]
		b.shape = append(slices.Clone(b.shape), slices.Repeat([]int{1}, len(x[0].shape)-2)...)
		x[1] = &b
	}
	return x
}

func runBinary(c *call) {
	x := c.operands()
	if variadic := c.op == "Max" || c.op == "Min" || c.op == "Sum" || c.op == "Mean"; !variadic && len(x) != 2 {
		c.fail("has %d inputs, must have 2", len(x))
	}
	elem := x[0].elem
	f := binaries[c.op].f
	switch c.op {
	case "And", "Or", "Xor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual":
		elem = typeBool
	case "Div":
		if !isFloat(elem) {
			f = func(a, b float64) float64 { return math.Trunc(a / b) }
		}
	case "Mod":
		if f = math.Mod; !c.flag("fmod") {
			f = func(a, b float64) float64 { // the sign is that of b
				if m := math.Mod(a, b); m != 0 && (m < 0) != (b < 0) {
					return m + b
				} else {
					return m
				}
			}
		}
	}
	y := c.result(0, elem, c.broadcast(x...))
	if !c.compute(y, 2*len(x), x...) {
		return
	}
	for k, x := range x {
		values := x.data()
		walk(y.shape, spread(x.shape, y.shape), func(i, at int) {
			if v := values[at]; k == 0 {
				y.values[i] = v
			} else {
				y.values[i] = f(y.values[i], v)
			}
		})
	}
	if c.op == "Mean" {
		for i := range y.values {
			y.values[i] /= float64(len(x))
		}
	}
}

func runWhere(c *call) {
	on, a, b := c.arg(0), c.arg(1), c.arg(2)
	y := c.result(0, a.elem, c.broadcast(on, a, b))
	if !c.compute(y, 3, on, a, b) {
		return
	}
	walk(y.shape, spread(b.shape, y.shape), func(i, at int) { y.values[i] = b.data()[at] })
	take := make([]bool, len(y.values))
	walk(y.shape, spread(on.shape, y.shape), func(i, at int) { take[i] = on.data()[at] != 0 })
	walk(y.shape, spread(a.shape, y.shape), func(i, at int) {
		if take[i] {
			y.values[i] = a.data()[at]
		}
	})
}

func runCast(c *call) {
	x := c.arg(0)
	var to int64
	if c.op == "CastLike" {
		to = c.arg(1).elem
	} else if a := c.attribute("to", kindInt); a != nil {
		to = a.i
	}
	if elementNames[to] == "" {
		c.fail("casts to type %d, valid are %v", to, elementNames)
	}
	y := c.result(0, to, x.shape)
	if c.compute(y, 1, x) {
		for i, v := range x.data() {
			if y.values[i] = v; !isFloat(to) && to != typeBool {
				y.values[i] = math.Trunc(v)
			}
		}
	}
}

func runDropout(c *call) {
	x := c.arg(0)
	c.alias(0, x, x.shape)
	if c.wants(1) { // the mask
		y := c.result(1, typeBool, x.shape)
		if c.version < 10 {
			y.elem = x.elem
		}
		c.spend(y.len())
		y.known, y.values = true, make([]float64, y.len())
		for i := range y.values {
			y.values[i] = 1
		}
	}
}
