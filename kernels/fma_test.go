package kernels

import "math"

// ExactFMA is a·b + c with one rounding, which tests hold the kernels to. The product is exact in float64; making the
// rounded sum odd where it is inexact keeps the second rounding innocent.
func ExactFMA(a, b, c float32) float32 {
	p, d := float64(a)*float64(b), float64(c)
	s := p + d
	// Only a sum that looks like a tie between two float32 suffers from being rounded twice; a denormal has its ties
	// elsewhere.
	if math.Float64bits(s)&(1<<29-1) != 1<<28 && math.Abs(s) >= 0x1p-126 || math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	back := s - p
	if lost := (p - (s - back)) + (d - back); lost != 0 && math.Float64bits(s)&1 == 0 {
		s = math.Nextafter(s, math.Copysign(math.Inf(1), lost))
	}
	return float32(s)
}
