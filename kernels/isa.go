package kernels

import (
	"fmt"

	"github.com/klauspost/cpuid/v2"
)

// ISA names an instruction set level that a [Table] is written for.
type ISA uint8

const (
	Generic ISA = iota // portable Go
	AVX2               // amd64 with AVX2 and FMA3
	AVX512             // amd64 with AVX-512 F, VL, DQ and BW on top of AVX2
	NEON               // arm64 with Advanced SIMD
)

// String returns the name that ESPALIER_ISA uses: generic, avx2, avx512 or neon.
func (isa ISA) String() string {
	switch isa {
	case Generic:
		return "generic"
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	case NEON:
		return "neon"
	}
	return fmt.Sprintf("ISA(%d)", uint8(isa))
}

// supported reports whether a CPU with the given features runs the level. It
// asks for every feature by itself: there are CPUs with AVX-512 F and without VL.
func (isa ISA) supported(has func(cpuid.FeatureID) bool) bool {
	switch isa {
	case Generic:
		return true
	case AVX2:
		return has(cpuid.AVX2) && has(cpuid.FMA3)
	case AVX512:
		return AVX2.supported(has) && has(cpuid.AVX512F) && has(cpuid.AVX512VL) &&
			has(cpuid.AVX512DQ) && has(cpuid.AVX512BW)
	case NEON:
		return has(cpuid.ASIMD)
	}
	return false
}
