package safetensors

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDTypes(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		dtype string
		bytes []byte
		want  float32
	}{
		{"F64", []byte{0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f}, 0.1},
		{"F32", []byte{0, 0, 0xc0, 0xbf}, -1.5},
		{"F16", []byte{0, 0x3e}, 1.5},
		{"F16", []byte{1, 0x80}, -0x1p-24},
		{"F16", []byte{0xff, 0x7b}, 65504},
		{"F16", []byte{0, 4}, 0x1p-14},
		{"F16", []byte{0, 0xfc}, -inf},
		{"BF16", []byte{0xc0, 0xbf}, -1.5},
		{"I64", []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -2},
		{"I64", []byte{0, 0, 0, 0, 0, 0xff, 0xff, 0xff}, -0x1p40},
		{"I32", []byte{0xfe, 0xff, 0xff, 0xff}, -2},
		{"I16", []byte{0xfe, 0xff}, -2},
		{"I8", []byte{0xfe}, -2},
		{"U64", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0x1p64},
		{"U32", []byte{1, 0, 0, 1}, 0x1p24}, // rounded to even
		{"U16", []byte{0xfe, 0xff}, 65534},
		{"U8", []byte{0xfe}, 254},
		{"BOOL", []byte{1}, 1},
	} {
		d := dtypes[c.dtype]
		require.Len(t, c.bytes, int(d.size), c.dtype)
		v, err := readNumbers(bytes.NewReader(c.bytes), 1, d)
		require.NoError(t, err)
		require.Equal(t, []float32{c.want}, v, c.dtype)
	}
	require.True(t, math.IsNaN(float64(half(0x7e00))))
	require.True(t, math.Signbit(float64(half(0x8000))))
	v, err := ReadFloats(bytes.NewReader(nil), -1)
	require.NoError(t, err)
	require.Empty(t, v)
}
