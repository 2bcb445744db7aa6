package asmsim

import "math"

// Lanes hold the bits of a float32. Results are rounded to nearest even once, denormal numbers are kept, and NaN comes
// out as hardware makes it: the first source that is one, quieted, or else the indefinite NaN.

const (
	indefinite = 0xffc00000
	infinity   = 0x7f800000
	signBit    = 0x80000000
)

func float(x uint32) float32 { return math.Float32frombits(x) }
func word(x float32) uint32  { return math.Float32bits(x) }

func isNaN(x uint32) bool   { return x&^signBit > infinity }
func quiet(x uint32) uint32 { return x | 0x00400000 }

// result returns the bits of r = f(sources), which are given in the order in which a NaN among them counts.
func result(r float32, sources ...uint32) uint32 {
	if r == r {
		return word(r)
	}
	for _, s := range sources {
		if isNaN(s) {
			return quiet(s)
		}
	}
	return indefinite
}

// In binary operations x is Intel's first source, which Go writes last.

func fadd(x, y uint32) uint32 { return result(float(x)+float(y), x, y) }
func fsub(x, y uint32) uint32 { return result(float(x)-float(y), x, y) }
func fmul(x, y uint32) uint32 { return result(float(x)*float(y), x, y) }
func fdiv(x, y uint32) uint32 { return result(float(x)/float(y), x, y) }

// fmax and fmin return the second source where the comparison fails: of two zeros and where either is NaN.
func fmax(x, y uint32) uint32 {
	if float(x) > float(y) {
		return x
	}
	return y
}

func fmin(x, y uint32) uint32 {
	if float(x) < float(y) {
		return x
	}
	return y
}

// The square root in float64 is precise enough that the second rounding is innocent.
func fsqrt(x uint32) uint32 { return result(float32(math.Sqrt(float64(float(x)))), x) }

// fused is a·b + c with one rounding, after the signs of the product and of c are flipped by signBit or 0. The product
// is exact in float64. Rounding the sum twice goes wrong only where the first rounding makes a tie of float32, whose low
// 28 bits are zero: there the sum is made odd if it is inexact.
func fused(a, b, c, product, summand uint32) uint32 {
	p, d := float64(float(a^product))*float64(float(b)), float64(float(c^summand))
	s := p + d
	switch {
	case s != s:
		return result(float32(s), a, b, c) // a NaN keeps its sign
	case math.Float64bits(s)&(1<<28-1) != 0 || math.IsInf(s, 0):
		return word(float32(s))
	}
	back := s - p
	if lost := (p - (s - back)) + (d - back); lost != 0 && math.Float64bits(s)&1 == 0 {
		s = math.Nextafter(s, math.Copysign(math.Inf(1), lost))
	}
	return word(float32(s))
}
