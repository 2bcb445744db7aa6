package kernels

import (
	"fmt"
	"math"
)

// A Unary is a function of one number, applied to each element: a kind with its parameters A, B and C, as far as the kind
// has them. Comparing two tells whether they are the same function.
type Unary struct {
	Kind    UnaryKind
	A, B, C float32
}

// A UnaryKind is a formula for a [Unary].
type UnaryKind uint8

const (
	GELU          UnaryKind = iota // x·Φ(x) with the normal distribution function Φ (Hendrycks and Gimpel, arXiv:1606.08415)
	GELUTanh                       // x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2, their approximation of GELU
	SiLU                           // x·sigmoid(x)
	Mish                           // x·tanh(log(1+eˣ)) (Misra, arXiv:1908.08681)
	Softplus                       // log(1+eˣ)
	LogSigmoid                     // log(sigmoid(x))
	Exponential                    // eˣ
	ELU                            // C·x above 0, A·(exp(B·x)-1) elsewhere (Clevert et al., arXiv:1511.07289); celu and selu, too
	Softsign                       // x/(1+|x|)
	TanhShrink                     // x - tanh(x)
	Squareplus                     // (x + √(x²+A))/2
	Rectify                        // min(x, B) above C, A·(x-C) elsewhere: relu with any slope, maximum and threshold
	Threshold                      // x above A, B elsewhere
	Clip                           // min(max(x, A), B)
	HardSigmoid                    // min(max(x/6+1/2, 0), 1)
	SparseSigmoid                  // min(max((x+1)/2, 0), 1)
	HardSiLU                       // x·min(max(x/6+1/2, 0), 1)
	SoftShrink                     // x-A above A, x+A below -A, 0 in between
	HardShrink                     // x above A and below -A, 0 in between
	SparsePlus                     // x above 1, 0 below -1, (x+1)²/4 in between (arXiv:2405.13968)
	RSqrt                          // 1/√(max(x, 0)+A)
)

var unaryKinds = [...]struct {
	name   string
	params int
}{
	GELU: {"gelu", 0}, GELUTanh: {"gelu_tanh", 0}, SiLU: {"silu", 0}, Mish: {"mish", 0}, Softplus: {"softplus", 0},
	LogSigmoid: {"log_sigmoid", 0}, Exponential: {"exponential", 0}, ELU: {"elu", 3}, Softsign: {"softsign", 0},
	TanhShrink: {"tanh_shrink", 0}, Squareplus: {"squareplus", 1}, Rectify: {"rectify", 3}, Threshold: {"threshold", 2},
	Clip: {"clip", 2}, HardSigmoid: {"hard_sigmoid", 0}, SparseSigmoid: {"sparse_sigmoid", 0}, HardSiLU: {"hard_silu", 0}, SoftShrink: {"soft_shrink", 1},
	HardShrink: {"hard_shrink", 1}, SparsePlus: {"sparse_plus", 0}, RSqrt: {"rsqrt", 1},
}

// String returns the name of the kind, such as silu.
func (k UnaryKind) String() string {
	if int(k) < len(unaryKinds) {
		return unaryKinds[k].name
	}
	return fmt.Sprintf("UnaryKind(%d)", uint8(k))
}

// String returns the name of the function with its parameters, such as elu(1, 1, 1).
func (f Unary) String() string {
	if int(f.Kind) < len(unaryKinds) {
		switch unaryKinds[f.Kind].params {
		case 1:
			return fmt.Sprintf("%s(%v)", f.Kind, f.A)
		case 2:
			return fmt.Sprintf("%s(%v, %v)", f.Kind, f.A, f.B)
		case 3:
			return fmt.Sprintf("%s(%v, %v, %v)", f.Kind, f.A, f.B, f.C)
		}
	}
	return f.Kind.String()
}

func (f Unary) check(kernel string) error {
	if int(f.Kind) < len(unaryKinds) {
		return nil
	}
	var valid []string
	for k := range unaryKinds {
		valid = append(valid, fmt.Sprintf("%d (%v)", k, UnaryKind(k)))
	}
	return fmt.Errorf("kernels: %s: unknown function %d: use %s", kernel, f.Kind, valid)
}

// Unary computes y = f(x) for operands of one shape, with an error of at most 2⁻²²·max(1, |x|, |f(x)|), of GELU half of
// that. At infinity it is what f tends to, so SiLU, Mish and both forms of GELU are 0 at -Inf. y may be x.
func (t *Table) Unary(y, x Matrix, f Unary) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "Unary"
	if !same(&y, &x) {
		return checkSame(kernel, operand{"x", x}, operand{"y", y})
	}
	if err := f.check(kernel); err != nil {
		return err
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	var p pieces
	f.split(&p)
	for i := range filled(&y) {
		to, row := y.Row(i), x.Row(i)
		for from, n := range parts(len(to), mathCall) {
			t.unary(to[from:from+n], row[from:from+n], f, &p)
		}
	}
	return nil
}

func (t *Table) unary(y, x []float32, f Unary, p *pieces) {
	v := t.level
	if v == nil || f.portable() {
		for j, v := range x {
			y[j] = f.at(v, p)
		}
		return
	}
	n, to, from := len(x), &y[0], &x[0]
	switch f.Kind {
	case GELU:
		v.gelu(n, to, from)
	case GELUTanh:
		v.gate(n, to, from, geluLinear, geluCubic)
	case SiLU:
		v.gate(n, to, from, 1, 0)
	case Mish:
		v.mish(n, to, from)
	case Softplus:
		v.softplus(n, to, from, 1)
	case LogSigmoid:
		v.softplus(n, to, from, -1)
	case Exponential:
		v.exp(n, to, from)
	case ELU:
		v.elu(n, to, from, f.A, f.B, f.C)
	case Softsign:
		v.softsign(n, to, from)
	default:
		v.piecewise(n, to, from, noescape(p))
	}
}

// portable reports a function without assembly. It has the same bits on every level, Generic among them.
func (f Unary) portable() bool {
	return f.Kind == TanhShrink || f.Kind == Squareplus || f.Kind == RSqrt
}

// UnaryGrad computes the gradient of [Table.Unary] from its input x and its output y: dx = dy·f'(x), or dx += that if
// accumulate is set; the error of f' is at most 2⁻²²·max(1, |f'(x)|). A corner has the slope that Keras gives it. All
// matrices have one shape; dx may be dy if accumulate is not set.
func (t *Table) UnaryGrad(dx, dy, x, y Matrix, f Unary, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "UnaryGrad"
	if !same(&dx, &x) || !same(&dy, &x) || !same(&y, &x) {
		return checkSame(kernel, operand{"x", x}, operand{"y", y}, operand{"dy", dy}, operand{"dx", dx})
	}
	if err := f.check(kernel); err != nil {
		return err
	}
	raceReads(dy, x, y)
	raceWrites(dx)
	flatten(&dx, &dy, &x, &y)
	var p pieces
	if f.split(&p) {
		p = p.slope()
	}
	for i := range filled(&dx) {
		to, g, in, out := dx.Row(i), dy.Row(i), x.Row(i), y.Row(i)
		for from, n := range parts(len(to), mathCall) {
			end := from + n
			t.unaryGrad(to[from:end], g[from:end], in[from:end], out[from:end], f, &p, accumulate)
		}
	}
	return nil
}

func (t *Table) unaryGrad(dx, dy, x, y []float32, f Unary, p *pieces, accumulate bool) {
	v := t.level
	if v == nil || f.portable() || f.bent() {
		for j, v := range x {
			g := float32(dy[j] * f.slope(v, y[j], p))
			if accumulate {
				g += dx[j]
			}
			dx[j] = g
		}
		return
	}
	n, to, g, from, add := len(x), &dx[0], &dy[0], &x[0], flag(accumulate)
	switch f.Kind {
	case GELU:
		v.geluGrad(n, to, g, from, add)
	case GELUTanh:
		v.gateGrad(n, to, g, from, geluLinear, geluCubic, geluLinear, 3*geluCubic, add)
	case SiLU:
		v.gateGrad(n, to, g, from, 1, 0, 1, 0, add)
	case Mish:
		v.mishGrad(n, to, g, from, add)
	case Softplus:
		v.gateGrad(n, to, g, from, 1, 0, 0, 0, add)
	case LogSigmoid:
		v.gateGrad(n, to, g, from, -1, 0, 0, 0, add)
	case Exponential:
		if accumulate {
			v.mulAdd(n, to, g, &y[0])
		} else {
			v.mul(n, to, g, &y[0])
		}
	case ELU:
		v.eluGrad(n, to, g, from, &y[0], float32(f.A*f.B), f.B, f.C, add)
	case Softsign:
		v.softsignGrad(n, to, g, from, add)
	default:
		v.piecewiseGrad(n, to, g, from, noescape(p), add)
	}
}

// bent reports a function whose slope at C is neither that on its left nor that on its right.
func (f *Unary) bent() bool { return f.Kind == Rectify && f.A != 0 && f.C != 0 }

// at returns f(x); p are its pieces if it has some.
func (f *Unary) at(x float32, p *pieces) float32 {
	switch f.Kind {
	case GELU:
		return gelu(x)
	case GELUTanh:
		return gate(x, geluLinear, geluCubic)
	case SiLU:
		return gate(x, 1, 0)
	case Mish:
		return mish(x)
	case Softplus:
		return softplus(x)
	case LogSigmoid:
		return -softplus(-x)
	case Exponential:
		return exp(x)
	case ELU:
		if x > 0 {
			return float32(f.C * x)
		}
		return float32(f.A * expm1(float32(f.B*x)))
	case Softsign:
		x = min(max(x, -math.MaxFloat32), math.MaxFloat32)
		return x / (1 + abs(x))
	case TanhShrink:
		return x - tanh(x)
	case Squareplus:
		return float32(f.squareplus(x))
	case RSqrt:
		return float32(1 / math.Sqrt(float64(max(x, 0))+float64(f.A)))
	}
	return p.at(x)
}

// slope returns f'(x) for y = f(x); p are the pieces of f' if f has some.
func (f *Unary) slope(x, y float32, p *pieces) float32 {
	switch f.Kind {
	case GELU:
		return geluSlope(x)
	case GELUTanh:
		return gateSlope(x, geluLinear, geluCubic, geluLinear, 3*geluCubic)
	case SiLU:
		return gateSlope(x, 1, 0, 1, 0)
	case Mish:
		return mishSlope(x)
	case Softplus:
		return gateSlope(x, 1, 0, 0, 0)
	case LogSigmoid:
		return gateSlope(x, -1, 0, 0, 0)
	case Exponential:
		return y
	case ELU: // A·exp(B·x) is y + A
		if x > 0 {
			return f.C
		}
		return mulAdd(f.B, y, float32(f.A*f.B))
	case Softsign:
		r := 1 / (1 + abs(x))
		return float32(r * r)
	case TanhShrink:
		t := tanh(x)
		return float32(t * t)
	case Squareplus:
		return float32(f.squareplus(x) / f.hypotenuse(x))
	case RSqrt:
		if x <= 0 {
			return 0
		}
		return -0.5 * float32(y*y) * y
	}
	if f.bent() && x == f.C {
		return 0
	}
	return p.at(x)
}

// hypotenuse returns √(x²+A). In float64 the square of a float32 is exact.
func (f *Unary) hypotenuse(x float32) float64 {
	return math.Sqrt(float64(float64(x)*float64(x)) + float64(f.A))
}

// squareplus returns (x + √(x²+A))/2, below 0 as A/2 over the difference of the two.
func (f *Unary) squareplus(x float32) float64 {
	h := f.hypotenuse(x)
	if x < 0 {
		return float64(f.A) / 2 / (h - float64(x))
	}
	return (float64(x) + h) / 2
}

// pieces is a function of three pieces: a line up to low, another one from high on, and c0 + c1·x + c2·x² in between, where
// NaN goes, too.
type pieces struct {
	low, high    float32
	below, above line
	c0, c1, c2   float32
}

// A line is offset + slope·x, and offset alone for a slope of 0, even at infinity: the mask says so in bits.
type line struct {
	slope, offset float32
	mask          uint32
}

func through(slope, offset float32) line {
	if slope == 0 {
		return line{offset: offset}
	}
	return line{slope, offset, 1<<32 - 1}
}

func (l line) at(x float32) float32 {
	return mulAdd(l.slope, math.Float32frombits(math.Float32bits(x)&l.mask), l.offset)
}

func (p *pieces) at(x float32) float32 {
	switch {
	case x <= p.low:
		return p.below.at(x)
	case x >= p.high:
		return p.above.at(x)
	}
	return mulAdd(mulAdd(p.c2, x, p.c1), x, p.c0)
}

// slope returns the derivative.
func (p *pieces) slope() pieces {
	return pieces{low: p.low, high: p.high, below: through(0, p.below.slope), above: through(0, p.above.slope), c0: p.c1, c1: 2 * p.c2}
}

// under returns the number below x.
func under(x float32) float32 { return math.Nextafter32(x, -infinity) }

// split sets p to the pieces of f, if it consists of some.
func (f Unary) split(p *pieces) bool {
	identity, zero := through(1, 0), through(0, 0)
	switch f.Kind {
	case Rectify:
		*p = pieces{low: f.C, high: f.B, below: through(f.A, -float32(f.A*f.C)), above: through(0, f.B), c1: 1}
	case Threshold:
		*p = pieces{low: f.A, high: infinity, below: through(0, f.B), c1: 1}
	case Clip:
		*p = pieces{low: f.A, high: f.B, below: through(0, f.A), above: through(0, f.B), c1: 1}
	case HardSigmoid:
		*p = pieces{low: -3, high: 3, below: zero, above: through(0, 1), c0: 0.5, c1: 1. / 6}
	case SparseSigmoid:
		*p = pieces{low: -1, high: 1, below: zero, above: through(0, 1), c0: 0.5, c1: 0.5}
	case HardSiLU:
		*p = pieces{low: under(-3), high: 3, below: zero, above: identity, c1: 0.5, c2: 1. / 6}
	case SoftShrink:
		*p = pieces{low: under(-f.A), high: -under(-f.A), below: through(1, f.A), above: through(1, -f.A)}
	case HardShrink:
		*p = pieces{low: under(-f.A), high: -under(-f.A), below: identity, above: identity}
	case SparsePlus:
		*p = pieces{low: -1, high: 1, below: zero, above: identity, c0: 0.25, c1: 0.5, c2: 0.25}
	default:
		return false
	}
	if p.high == infinity { // only infinity itself is there, where the polynomial has no value
		p.above = identity
	}
	return true
}

var infinity = float32(math.Inf(1))

// GELUTanh is a gate, x·sigmoid(x·(geluLinear + geluCubic·x²)), because (1+tanh(z))/2 = sigmoid(2z).
const (
	geluLinear = 1.5957691216057308   // 2·√(2/π)
	geluCubic  = 0.071354816272600013 // times 0.044715
)

// gate returns x·sigmoid(x·(a + b·x²)).
func gate(x, a, b float32) float32 {
	x = max(x, expMin) // 0 at -Inf
	return x * sigmoid(gateInput(min(x, -expMin), a, b))
}

func gateInput(x, a, b float32) float32 {
	return float32(x * mulAdd(b, float32(x*x), a))
}

// gateSlope returns s + s·(1-s)·x·(da + db·x²), s = sigmoid(x·(a + b·x²)).
func gateSlope(x, a, b, da, db float32) float32 {
	x = min(max(x, expMin), -expMin)
	w := gateInput(x, a, b)
	s, u := sigmoids(w)
	return mulAdd(float32(float32(s*u)*x), mulAdd(db, float32(x*x), da), s)
}

// sigmoids returns sigmoid(x) and sigmoid(-x).
func sigmoids(x float32) (s, u float32) {
	t := sigmoidTail(x)
	if x < 0 {
		return t, 1 - t
	}
	return 1 - t, t
}

// mish returns x·tanh(log(1+eˣ)). With s = sigmoid(x) and u = 1-s the tangent is (1-u²)/(1+u²) = s·(1+u)/(1+u²).
func mish(x float32) float32 {
	x = max(x, expMin) // 0 at -Inf
	s, u := sigmoids(x)
	return x * (float32(s*(1+u)) / mulAdd(u, u, 1))
}

// mishSlope returns T + x·s·(1-T²), where 1-T² = (2u/(1+u²))².
func mishSlope(x float32) float32 {
	x = min(max(x, expMin), -expMin)
	s, u := sigmoids(x)
	inverse := 1 / mulAdd(u, u, 1)
	r := float32(2 * u * inverse)
	return mulAdd(float32(float32(x*s)*r), r, float32(float32(s*(1+u))*inverse))
}

// softplus returns log(1+eˣ).
func softplus(x float32) float32 { return max(x, 0) + softplusTail(sigmoidTail(x)) }

// expm1 returns eˣ-1 for x up to 0.
func expm1(x float32) float32 {
	x = min(max(x, expMin), 0)
	shifted := mulAdd(x, log2e, roundMagic)
	n := shifted - roundMagic
	r := mulAdd(n, -ln2Hi, x)
	r = mulAdd(n, -ln2Lo, r)
	scale := math.Float32frombits(math.Float32bits(shifted) << 23)
	return mulAdd(expMinus1(r), scale, scale-1)
}
