package kernels

import (
	"slices"
	"testing"

	"github.com/klauspost/cpuid/v2"
	"github.com/stretchr/testify/require"
)

func TestISAString(t *testing.T) {
	names := []string{"generic", "avx2", "avx512", "neon", "ISA(4)"}
	for i, name := range names {
		require.Equal(t, name, ISA(i).String())
	}
}

func TestISASupported(t *testing.T) {
	avx2 := []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3}
	avx512 := append([]cpuid.FeatureID{cpuid.AVX512F, cpuid.AVX512VL, cpuid.AVX512DQ, cpuid.AVX512BW}, avx2...)
	neon := []cpuid.FeatureID{cpuid.ASIMD}
	levels := map[ISA][]cpuid.FeatureID{Generic: nil, AVX2: avx2, AVX512: avx512, NEON: neon}
	for isa, need := range levels {
		t.Run("isa="+isa.String(), func(t *testing.T) {
			has := func(f cpuid.FeatureID) bool { return slices.Contains(need, f) }
			require.True(t, isa.supported(has))
			for _, missing := range need {
				require.False(t, isa.supported(func(f cpuid.FeatureID) bool { return f != missing && has(f) }),
					"without %v", missing)
			}
		})
	}
	require.False(t, ISA(9).supported(func(cpuid.FeatureID) bool { return true }))
}
