package kernels

import "math"

// The bounds below are in units in the last place of the exact result and hold on every level, with products rounded and
// with products fused: TestSweep and, where two polynomials meet, TestErfNearItsEnd.
//
// The coefficients are those of the Cephes library's single precision functions
// (Stephen L. Moshier, netlib.org/cephes) but for erf, which has its own. Each function is straight-line apart
// from its special cases, so that a vector version can repeat it lane by lane.

// mulAdd is a·b + c with the product rounded first: without the conversion arm64
// would fuse the two. The vector tables put one fused operation in its place.
func mulAdd(a, b, c float32) float32 { return float32(a*b) + c }

// fused is a·b + c with the product as it is, and so next to what the vector tables compute: the rounded product would cost
// erf its bound.
func fused(a, b, c float32) float32 { return float32(float64(a)*float64(b) + float64(c)) }

const (
	log2e = 1.44269504088896341

	// ln 2 in two parts: n·ln2Hi is exact for every exponent n.
	ln2Hi = 0.693359375
	ln2Lo = -2.12194440e-4

	// Adding it to a number rounds that to an integer n, and leaves n+127, the exponent field of 2ⁿ, in the low bits of
	// the sum.
	roundMagic = 3<<22 + 127

	expMin = -88 // n is -127 there, and the field zero
	expMax = 88  // up to here 2ⁿ is finite
)

// exp returns eˣ within 1.03 ulp. Results below 2^-126.5 are 0.
func exp(x float32) float32 {
	x = min(max(x, expMin), expMax+1)
	shifted := mulAdd(x, log2e, roundMagic)
	n := shifted - roundMagic
	r := mulAdd(n, -ln2Hi, x)
	r = mulAdd(n, -ln2Lo, r)
	field := math.Float32bits(shifted) << 23
	if x > expMax { // eˣ is half of it, twice
		scale := math.Float32frombits(field - 1<<23)
		return 2 * mulAdd(expMinus1(r), scale, scale)
	}
	scale := math.Float32frombits(field)
	return mulAdd(expMinus1(r), scale, scale)
}

// expMinus1 returns eʳ-1 for r within half of ln 2 around 0.
func expMinus1(r float32) float32 {
	p := mulAdd(1.9875691500e-4, r, 1.3981999507e-3)
	p = mulAdd(p, r, 8.3334519073e-3)
	p = mulAdd(p, r, 4.1665795894e-2)
	p = mulAdd(p, r, 1.6666665459e-1)
	p = mulAdd(p, r, 5.0000001201e-1)
	return mulAdd(float32(p*r), r, r)
}

// log returns the natural logarithm within 0.83 ulp: -Inf for 0, NaN below it.
func log(x float32) float32 {
	const (
		sqrtHalf  = 0x3f3504f3 // bits of the least mantissa, sqrt(1/2)
		minNormal = 0x1p-126
	)
	switch {
	case x != x || x < 0:
		return float32(math.NaN())
	case x == 0:
		return float32(math.Inf(-1))
	case x > math.MaxFloat32:
		return x
	}
	e := float32(0)
	if x < minNormal {
		x *= 1 << 23
		e = -23
	}
	bits := int32(math.Float32bits(x)) - sqrtHalf
	e += float32(bits >> 23)
	z := math.Float32frombits(uint32(bits&0x7fffff+sqrtHalf)) - 1
	p := mulAdd(7.0376836292e-2, z, -1.1514610310e-1)
	p = mulAdd(p, z, 1.1676998740e-1)
	p = mulAdd(p, z, -1.2420140846e-1)
	p = mulAdd(p, z, 1.4249322787e-1)
	p = mulAdd(p, z, -1.6668057665e-1)
	p = mulAdd(p, z, 2.0000714765e-1)
	p = mulAdd(p, z, -2.4999993993e-1)
	p = mulAdd(p, z, 3.3333331174e-1)
	zz := float32(z * z)
	y := float32(float32(p*z) * zz)
	y = mulAdd(e, ln2Lo, y)
	y = mulAdd(-0.5, zz, y)
	return mulAdd(e, ln2Hi, z+y)
}

// log1p returns log(1+x) within 1.44 ulp for finite x above -1. The logarithm of the rounded sum
// is corrected by what the rounding lost.
func log1p(x float32) float32 {
	u := 1 + x
	return log(u) + (x-(u-1))/u
}

// sigmoid returns 1/(1+e⁻ˣ) within 1.45 ulp.
func sigmoid(x float32) float32 {
	t := sigmoidTail(x)
	if x < 0 {
		return t
	}
	return 1 - t
}

// sigmoidTail returns sigmoid(-|x|), at most 1/2. With e^|x| = 2ⁿ·(1+q) it is 2⁻ⁿ/(2⁻ⁿ+1+q): q keeps the bits that
// rounding 1+q would lose, and the reciprocal is corrected by what the rounded sum lost.
func sigmoidTail(x float32) float32 {
	a := min(abs(x), -expMin)
	shifted := mulAdd(a, -log2e, roundMagic)
	n := shifted - roundMagic
	r := mulAdd(n, ln2Hi, a)
	r = mulAdd(n, ln2Lo, r)
	scale := math.Float32frombits(math.Float32bits(shifted) << 23)
	q := expMinus1(r)
	y := q + scale
	sum := 1 + y
	lost := y - (sum - 1)
	inverse := 1 / sum
	inverse = mulAdd(-inverse, float32(inverse*lost), inverse)
	return float32(inverse * scale)
}

// softplusTail returns log(1+e^-|x|) for t = sigmoidTail(x). That is -log(1-t), where 1+t stands in for 1/(1-t) in the
// correction: it is below 2⁻²⁵.
func softplusTail(t float32) float32 {
	u := 1 - t
	lost := (1 - u) - t
	return -(log(u) + mulAdd(lost, t, lost))
}

// tanh returns the hyperbolic tangent within 1.34 ulp, by a polynomial near 0 and
// from exp(2|x|) elsewhere, where it saturates by itself.
func tanh(x float32) float32 {
	a := abs(x)
	if a < 0.625 {
		z := float32(x * x)
		p := mulAdd(-5.70498872745e-3, z, 2.06390887954e-2)
		p = mulAdd(p, z, -5.37397155531e-2)
		p = mulAdd(p, z, 1.33314422036e-1)
		p = mulAdd(p, z, -3.33332819422e-1)
		return mulAdd(float32(p*z), x, x)
	}
	y := 1 - 2/(exp(min(2*a, 40))+1)
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&(1<<31))
}

// erfNearEnd is where erf changes from its polynomial to the exponential of one.
const erfNearEnd = 0.921875

// erf returns the error function within 1.08 ulp.
func erf(x float32) float32 {
	a := abs(x)
	if a < erfNearEnd {
		return erfNear(x)
	}
	y := 1 - erfcFar(a)
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&(1<<31))
}

// erfNear returns erf(x) for |x| up to erfNearEnd: the polynomial is the minimax one of erf(x)/x - 1 over x², within
// 2⁻³¹.
func erfNear(x float32) float32 {
	z := float32(x * x)
	p := fused(8.3700943e-05, z, -8.1427098e-04)
	p = fused(p, z, 5.2010338e-03)
	p = fused(p, z, -2.6859399e-02)
	p = fused(p, z, 1.1283696e-01)
	p = fused(p, z, -3.7612635e-01)
	p = fused(p, z, 1.2837917e-01)
	return fused(p, x, x)
}

// erfcFar returns 1-erf(a) for a from erfNearEnd on. The polynomial is the minimax one of log(erfc(a))/a + 1 up to 6,
// weighted so that erf is within 2⁻²⁸ and erfc within 0.14 %; beyond it falls to -Inf by itself.
func erfcFar(a float32) float32 {
	p := fused(-1.4616295e-05, a, 3.5107919e-04)
	p = fused(p, a, -3.7367109e-03)
	p = fused(p, a, 2.3921896e-02)
	p = fused(p, a, -1.0638140e-01)
	p = fused(p, a, -6.3508594e-01)
	p = fused(p, a, -1.2865981e-01)
	return exp(fused(p, a, -a))
}

const (
	invSqrt2   = 0.70710678118654752
	invSqrt2Pi = 0.39894228040143268

	normalEnd = 40 // the normal density and both tails are 0 long before
)

// normal returns the distribution function Φ(x) = (1 + erf(x/√2))/2. The lower tail does not come from 1 and keeps what
// erfcFar has of relative accuracy.
func normal(x float32) float32 {
	u := float32(x * invSqrt2)
	a := abs(u)
	if a < erfNearEnd {
		return mulAdd(erfNear(u), 0.5, 0.5)
	}
	tail := 0.5 * erfcFar(a)
	if x < 0 {
		return tail
	}
	return 1 - tail
}

// gelu returns x·Φ(x).
func gelu(x float32) float32 {
	x = max(x, -normalEnd) // 0 at -Inf
	return x * normal(x)
}

// geluSlope returns the derivative Φ(x) + x·φ(x) of gelu.
func geluSlope(x float32) float32 {
	x = min(max(x, -normalEnd), normalEnd)
	density := float32(exp(float32(x*x)*-0.5) * invSqrt2Pi)
	return mulAdd(density, x, normal(x))
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
