// Package portable has functions of float64 numbers that give the same bits on every machine. Those of package math need
// not: some are assembly on some architectures, and the others may be compiled with fused multiply-add. [math.Sqrt],
// [math.FMA] and what only moves bits are exact everywhere; so is [math.Pow] with whole exponents, which only multiplies.
//
// Every function is a series, long enough for float64, of an argument that is first made small. Results are within a few
// units in the last place, and exact where the text says so.
package portable

import "math"

const (
	// ln 2 in two parts: n·ln2Hi is exact for every exponent n.
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10

	maxExp = 709.782712893384
	minExp = -745.1332191019412
)

// Exp returns eˣ; Exp(0) is exact.
func Exp(x float64) float64 {
	switch {
	case x != x || x > maxExp && math.IsInf(x, 1):
		return x
	case x > maxExp:
		return math.Inf(1)
	case x < minExp:
		return 0
	}
	n := math.Floor(math.FMA(x, math.Log2E, 0.5))
	r := math.FMA(n, -ln2Lo, math.FMA(n, -ln2Hi, x)) // at most half of ln 2
	p := 1.0
	for i := 14.0; i > 0; i-- { // 1 + r/1·(1 + r/2·(1 + ...))
		p = math.FMA(p, r/i, 1)
	}
	return math.Ldexp(p, int(n))
}

// Log returns the natural logarithm of x: NaN below 0, -Inf for 0; Log(1) is exact.
func Log(x float64) float64 {
	switch {
	case x != x || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case math.IsInf(x, 1):
		return x
	}
	m, e := math.Frexp(x) // m in [1/2, 1)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	s := (m - 1) / (m + 1) // log m = 2·artanh s = 2·(s + s³/3 + s⁵/5 + ...), |s| < 0.172
	ss, p := float64(s*s), 0.0
	for i := 23.0; i > 1; i -= 2 {
		p = math.FMA(p, ss, 1/i)
	}
	n := float64(e)
	log := math.FMA(float64(2*s*ss), p, 2*s)
	return math.FMA(n, ln2Hi, math.FMA(n, ln2Lo, log))
}

// Pow returns xʸ for x of at least 0, and NaN for others. It is exact for y = 1/2, rounded once, and for whole y what
// multiplications give.
func Pow(x, y float64) float64 {
	switch {
	case !(x >= 0) || y != y:
		return math.NaN()
	case y == math.Trunc(y) || x == 0 || math.IsInf(x, 1):
		return math.Pow(x, y)
	case y == 0.5:
		return math.Sqrt(x)
	}
	return Exp(float64(y * Log(x)))
}

// CosPi returns the cosine of π·x for x between 0 and 1; multiples of 1/2 are exact.
func CosPi(x float64) float64 {
	switch {
	case x > 0.75:
		return -cos(1 - x)
	case x > 0.25:
		return sin(0.5 - x)
	}
	return cos(x)
}

// sin and cos are those of π·x for |x| up to 1/4.
func sin(x float64) float64 {
	x = float64(x * math.Pi)
	xx, p := float64(x*x), 1.0
	for i := 16.0; i > 0; i -= 2 { // 1 - x²/(2·3)·(1 - x²/(4·5)·(1 - ...))
		p = math.FMA(p, -xx/float64(i*(i+1)), 1)
	}
	return float64(p * x)
}

func cos(x float64) float64 {
	x = float64(x * math.Pi)
	xx, p := float64(x*x), 1.0
	for i := 16.0; i > 0; i -= 2 {
		p = math.FMA(p, -xx/float64(i*(i-1)), 1)
	}
	return p
}
