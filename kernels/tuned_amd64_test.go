//go:build !purego

package kernels

import (
	"testing"

	"github.com/klauspost/cpuid/v2"
	"github.com/stretchr/testify/require"
)

func TestTuned(t *testing.T) {
	table := avx2.table()
	require.Same(t, table, tuned(table, cpuid.AMD, 25))
	for _, c := range []struct {
		name   string
		vendor cpuid.Vendor
		family int
		narrow int // columns up to which AVX2's tiles are used
		depth  int // from which on
	}{
		{"Zen 4", cpuid.AMD, 25, 16, 0},
		{"Zen 5", cpuid.AMD, 26, 8, 32},
		{"Xeon", cpuid.Intel, 6, 8, 32},
		{"unknown", cpuid.VendorUnknown, 6, 16, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := tuned(avx512.table(), c.vendor, c.family).level
			for n := 1; n <= 40; n++ {
				for _, k := range []int{1, 31, 32, 100} {
					want := 6
					switch {
					case n > c.narrow || k < c.depth:
						want = 14
					case n <= 8:
						want = 12
					}
					require.Len(t, g.of(n, k), want, "%d columns, depth %d", n, k)
				}
			}
		})
	}
	require.Empty(t, avx512.narrow, "the level itself stays as it is")
}

// The tiles of AVX2 read the panels of AVX-512 and give its bits, on any processor.
func TestTunedBits(t *testing.T) {
	if !AVX512.supported(cpuid.CPU.Has) {
		t.Skip("the machine has no AVX-512")
	}
	pure, mixed := avx512.table(), tuned(avx512.table(), cpuid.VendorUnknown, 0)
	values := func(rows, cols int) Matrix {
		m := NewMatrix(rows, cols)
		for i := range m.Data {
			m.Data[i] = float32(i%17)/7 - 1
		}
		return m
	}
	for _, m := range []int{1, 5, 13, 40, 200} {
		for n := 1; n <= 17; n++ {
			for _, k := range []int{1, 10, 65, 700} {
				var a, b PackedB
				x, w := values(m, k), values(k, n)
				want, got := NewMatrix(m, n), NewMatrix(m, n)
				require.NoError(t, pure.Pack(&a, w, nil))
				require.NoError(t, mixed.Pack(&b, w, nil))
				require.NoError(t, pure.Dense(nil, want, x, &a, ReLU))
				require.NoError(t, mixed.Dense(nil, got, x, &b, ReLU))
				require.Equal(t, want.Data, got.Data, "dense %dx%dx%d", m, k, n)
				require.NoError(t, mixed.Gemm(nil, got, x, w, Epilogue{Act: ReLU}))
				require.Equal(t, want.Data, got.Data, "gemm %dx%dx%d", m, k, n)
				require.NoError(t, pure.GemmNT(nil, want, x, values(n, k), Epilogue{}))
				require.NoError(t, mixed.GemmNT(nil, got, x, values(n, k), Epilogue{}))
				require.Equal(t, want.Data, got.Data, "nt %dx%dx%d", m, k, n)
				require.NoError(t, pure.GemmTN(nil, want, values(k, m), w, Epilogue{}))
				require.NoError(t, mixed.GemmTN(nil, got, values(k, m), w, Epilogue{}))
				require.Equal(t, want.Data, got.Data, "tn %dx%dx%d", m, k, n)
			}
		}
	}
}
