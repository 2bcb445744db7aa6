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

var Dots = dots

// ExactSum is acc and the sum of a·b as the contract demands it of a SIMD level: for k ascending, or of an element of
// GemmNT, whose B is [n, k], in lanes where dots says so.
func ExactSum(transB bool, acc float32, n, k int, a, b func(p int) float32) float32 {
	if !transB || !dots(n, k) {
		for p := range k {
			acc = ExactFMA(a(p), b(p), acc)
		}
		return acc
	}
	pieces, vectors := (k+511)/512, (k+15)/16
	for i := range pieces {
		var sum lanes
		for p := i * vectors / pieces * 16; p < min(k, (i+1)*vectors/pieces*16); p++ {
			sum[p%16] = ExactFMA(a(p), b(p), sum[p%16])
		}
		acc += sum.fold()
	}
	return acc
}
