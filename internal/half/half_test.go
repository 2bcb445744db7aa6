package half

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFloat32(t *testing.T) {
	inf := float32(math.Inf(1))
	for bits, want := range map[uint16]float32{
		0x0000: 0, 0x0001: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x0400: 0x1p-14, 0x3555: 0x1.554p-2, 0x3c00: 1, 0x3e00: 1.5, 0x7bff: 65504, 0x7c00: inf,
	} {
		require.Equal(t, want, Float32(bits), "%#x", bits)
		require.Equal(t, -want, Float32(bits|0x8000), "%#x", bits|0x8000)
	}
	require.True(t, math.Signbit(float64(Float32(0x8000))))
	require.True(t, math.IsNaN(float64(Float32(0x7e00))))
}
