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

// compare returns predicate imm of VCMPPS. The lowest three bits say what holds of ordered operands; bit 4 is about
// exceptions.
func compare(imm uint64) func(x, y uint32) bool {
	if imm > 31 {
		fail("no predicate %d", imm)
	}
	ordered := [8]func(x, y float32) bool{
		func(x, y float32) bool { return x == y },
		func(x, y float32) bool { return x < y },
		func(x, y float32) bool { return x <= y },
		func(x, y float32) bool { return false },
		func(x, y float32) bool { return x != y },
		func(x, y float32) bool { return x >= y },
		func(x, y float32) bool { return x > y },
		func(x, y float32) bool { return true },
	}[imm&7]
	// UNORD, NEQ, NLT, NLE; EQ_U, NGE, NGT, TRUE.
	unordered := (1<<3|1<<4|1<<5|1<<6|1<<8|1<<9|1<<10|1<<15)>>(imm&15)&1 != 0
	return func(x, y uint32) bool {
		if isNaN(x) || isNaN(y) {
			return unordered
		}
		return ordered(float(x), float(y))
	}
}

// compareInts returns predicate imm of VPCMPD and VPCMPUD.
func compareInts[T int32 | uint32](imm uint64) func(x, y uint32) bool {
	if imm > 7 {
		fail("no predicate %d", imm)
	}
	return [8]func(x, y uint32) bool{
		func(x, y uint32) bool { return x == y },
		func(x, y uint32) bool { return T(x) < T(y) },
		func(x, y uint32) bool { return T(x) <= T(y) },
		func(x, y uint32) bool { return false },
		func(x, y uint32) bool { return x != y },
		func(x, y uint32) bool { return T(x) >= T(y) },
		func(x, y uint32) bool { return T(x) > T(y) },
		func(x, y uint32) bool { return true },
	}[imm]
}

// roundInt rounds to an integer as the low bits of an immediate say: nearest even, down, up, toward zero; 4 means
// MXCSR, in which Go leaves nearest even.
func roundInt(x float64, mode uint64) float64 {
	switch {
	case mode&4 != 0 || mode&3 == 0:
		return math.RoundToEven(x)
	case mode&3 == 1:
		return math.Floor(x)
	case mode&3 == 2:
		return math.Ceil(x)
	}
	return math.Trunc(x)
}

// roundScale rounds to imm>>4 binary digits behind the point.
func roundScale(x uint32, imm uint64) uint32 {
	if isNaN(x) {
		return quiet(x)
	}
	digits := int(imm >> 4)
	return word(float32(math.Ldexp(roundInt(math.Ldexp(float64(float(x)), digits), imm), -digits)))
}

// scale is x · 2^floor(y).
func scale(x, y uint32) uint32 {
	a, b := float64(float(x)), float64(float(y))
	switch {
	case isNaN(x) && x&0x00400000 != 0 && math.IsInf(b, 1):
		return infinity
	case isNaN(x) && x&0x00400000 != 0 && math.IsInf(b, -1):
		return 0
	case isNaN(x):
		return quiet(x)
	case isNaN(y):
		return quiet(y)
	case math.IsInf(a, 0) && math.IsInf(b, -1), a == 0 && math.IsInf(b, 1):
		return indefinite
	}
	// Beyond 400 either way every finite number leaves the range of float32; within, float64 holds the result.
	return word(float32(math.Ldexp(a, int(math.Floor(max(-400, min(400, b)))))))
}

// exponent is floor(log2|x|).
func exponent(x uint32) uint32 {
	a := math.Abs(float64(float(x)))
	switch {
	case isNaN(x):
		return quiet(x)
	case a == 0:
		return word(float32(math.Inf(-1)))
	case math.IsInf(a, 0):
		return infinity
	}
	_, e := math.Frexp(a)
	return word(float32(e - 1))
}

// mantissa scales x by a power of two into the interval that bits 0 and 1 of imm name; bit 2 clears the sign and bit 3
// makes negative numbers NaN.
func mantissa(x uint32, imm uint64) uint32 {
	sign := x & signBit
	if imm&4 != 0 {
		sign = 0
	}
	magnitude := x &^ signBit
	switch {
	case isNaN(x):
		return quiet(x)
	case magnitude == 0:
		return word(1) | sign
	case x&signBit != 0 && imm&8 != 0:
		return indefinite
	case magnitude == infinity:
		return word(1) | sign
	}
	f, e := math.Frexp(float64(float(magnitude))) // f in [1/2, 1)
	switch imm & 3 {
	case 0: // [1, 2)
		f *= 2
	case 1: // [1/2, 2): the exponent becomes even
		if (e-1)&1 == 0 {
			f *= 2
		}
	case 3: // [3/4, 3/2)
		if f < 0.75 {
			f *= 2
		}
	}
	return word(float32(f)) | sign
}

// toInt converts to an integer of 32 bits.
func toInt(x uint32, mode uint64) uint32 {
	r := roundInt(float64(float(x)), mode)
	if r >= math.MinInt32 && r <= math.MaxInt32 {
		return uint32(int32(r))
	}
	return signBit // the indefinite integer
}

// class tests x for the categories that imm selects.
func class(x uint32, imm uint64) bool {
	negative, magnitude := x&signBit != 0, x&^signBit
	for bit, is := range [8]bool{
		isNaN(x) && x&0x00400000 != 0,
		x == 0,
		x == signBit,
		x == infinity,
		x == infinity|signBit,
		magnitude != 0 && magnitude < 0x00800000,
		negative && magnitude != 0 && magnitude < infinity,
		isNaN(x) && x&0x00400000 == 0,
	} {
		if is && imm>>bit&1 != 0 {
			return true
		}
	}
	return false
}
