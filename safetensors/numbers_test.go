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
		{"I64", []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, -0x1p63},
		{"U64", []byte{0, 0, 0, 0, 0, 0xff, 0xff, 0xff}, 0xffffffp40},
		{"U32", []byte{2, 0, 0, 1}, 0x1p24 + 2},
		{"U16", []byte{0xfe, 0xff}, 65534},
		{"U8", []byte{0xfe}, 254},
		{"BOOL", []byte{1}, 1},
	} {
		d := dtypes[c.dtype]
		require.Len(t, c.bytes, int(d.size), c.dtype)
		v, err := ReadNumbers(bytes.NewReader(c.bytes), c.dtype, 1)
		require.NoError(t, err)
		require.Equal(t, []float32{c.want}, v, c.dtype)
	}
	for _, c := range []struct {
		dtype string
		bytes []byte
		want  string
	}{
		{"F64", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0x7f}, "number 1: 1.7976931348623157e+308 is beyond the range of float32"},
		{"I64", []byte{0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff}, "number 1: float32 does not have the integer -16777217"},
		{"I32", []byte{0xff, 0xff, 0xff, 0x7f}, "number 1: float32 does not have the integer 2147483647"},
		{"U64", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "number 1: float32 does not have the integer 18446744073709551615"},
		{"U32", []byte{1, 0, 0, 1}, "number 1: float32 does not have the integer 16777217"},
		{"Q4", nil, `unknown dtype "Q4": valid are ["BF16" "BOOL" "F16" "F32" "F64" "I16" "I32" "I64" "I8" "U16" "U32" "U64" "U8"]`},
	} {
		_, err := ReadNumbers(bytes.NewReader(append(make([]byte, len(c.bytes)), c.bytes...)), c.dtype, 2)
		require.EqualError(t, err, c.want)
	}
	v, err := ReadFloats(bytes.NewReader(nil), -1)
	require.NoError(t, err)
	require.Empty(t, v)
}
