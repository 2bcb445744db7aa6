package bench

import "github.com/klauspost/cpuid/v2"

// for loops > 0: 24 times a[i] = a[i]·0.5 + 1, over 12 registers of 8 elements.
//
//go:noescape
func fmaYMM(loops int)

// for loops > 0: 24 times a[i] = a[i]·0.5 + 1, over 12 registers of 16 elements.
//
//go:noescape
func fmaZMM(loops int)

// fmaLoop returns the loop for an ISA and the floating-point operations of one pass, or nil if this machine has no such
// instructions.
func fmaLoop(isa string) (loop func(loops int), flops float64) {
	switch {
	case isa == "avx2" && cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3):
		return fmaYMM, 24 * 8 * 2
	case isa == "avx512" && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX2):
		return fmaZMM, 24 * 16 * 2
	}
	return nil, 0
}
