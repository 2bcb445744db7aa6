package narrow

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFloat(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want float32
	}{{0.1, 0.1}, {-math.MaxFloat32, -math.MaxFloat32}, {1e-60, 0}, {math.Inf(-1), float32(math.Inf(-1))}} {
		v, err := Float(c.x)
		require.NoError(t, err)
		require.Equal(t, c.want, v)
	}
	v, err := Float(math.NaN())
	require.NoError(t, err)
	require.True(t, v != v)
	_, err = Float(-3.5e38)
	require.EqualError(t, err, "-3.5e+38 is beyond the range of float32")
}

func TestInt(t *testing.T) {
	for n, want := range map[int64]float32{0: 0, -1: -1, 1 << 24: 1 << 24, 1<<24 + 2: 1<<24 + 2, -1 << 63: -0x1p63, -0xffffff << 39: -0xffffffp39} {
		v, err := Int(n)
		require.NoError(t, err)
		require.Equal(t, want, v)
	}
	for n, want := range map[uint64]float32{0: 0, 1 << 63: 0x1p63, 0xffffff << 40: 0xffffffp40} {
		v, err := Int(n)
		require.NoError(t, err)
		require.Equal(t, want, v)
	}
	_, err := Int(int64(-1<<24 - 1))
	require.EqualError(t, err, "float32 does not have the integer -16777217")
	_, err = Int(uint64(math.MaxUint64))
	require.EqualError(t, err, "float32 does not have the integer 18446744073709551615")
}
