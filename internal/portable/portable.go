// Package portable has functions of package math with the same bits on every machine: that package uses assembly on some,
// and Go may fuse a product with a sum where a processor can. Here every product is rounded before it is added.
package portable

import "math"

const (
	log2e = 1.44269504088896340736

	// ln 2 in two parts: n·ln2Hi is exact for every exponent n.
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10

	expMin, expMax = -745.2, 709.8 // beyond, eˣ is 0 or infinite
)

// inverses are 1/n!, those of Taylor's series of eˣ.
var inverses = func() (inverses [14]float64) {
	inverses[0] = 1
	for n := 1; n < len(inverses); n++ {
		inverses[n] = inverses[n-1] / float64(n)
	}
	return inverses
}()

// Exp returns eˣ within 2 ulp, where it is no denormal number.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x < expMin:
		return 0
	case x > expMax:
		return math.Inf(1)
	}
	n := math.Floor(float64(x*log2e) + 0.5)
	r := (x - float64(n*ln2Hi)) - float64(n*ln2Lo)
	sum := 0.0
	for i := len(inverses) - 1; i > 0; i-- { // within half of ln 2 around 0 the series ends below 2⁻⁵⁶
		sum = float64(sum*r) + inverses[i]
	}
	return math.Ldexp(1+float64(sum*r), int(n))
}

// Log returns the natural logarithm within 2 ulp: -Inf for 0, NaN below it.
func Log(x float64) float64 {
	switch {
	case x != x || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case x > math.MaxFloat64:
		return x
	}
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	n := float64(e)
	f := m - 1
	s := f / (2 + f) // log(1+f) = 2·artanh(s), |s| below 0.172
	z := float64(s * s)
	sum := 0.0
	for i := 23.0; i >= 3; i -= 2 {
		sum = float64(sum*z) + 1/i
	}
	// 2s is f - s·f.
	tail := float64(s*f) - float64(2*float64(float64(s*z)*sum))
	return float64(n*ln2Hi) - ((tail - float64(n*ln2Lo)) - f)
}

// Log1p returns log(1+x), also where x is so small that 1+x is not exact.
func Log1p(x float64) float64 {
	u := 1 + x
	if u == 0 || u > math.MaxFloat64 {
		return Log(u)
	}
	return Log(u) + (x-(u-1))/u // corrects the logarithm of the rounded sum
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

// Softplus returns log(1+eˣ).
func Softplus(x float64) float64 { return max(x, 0) + Log1p(Exp(-math.Abs(x))) }

// Sigmoid returns 1/(1+e⁻ˣ).
func Sigmoid(x float64) float64 {
	if x < 0 {
		e := Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + Exp(-x))
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
