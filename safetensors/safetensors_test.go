package safetensors

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestWriteIsRead(t *testing.T) {
	long := make([]float32, 100_000) // more than one step of reading
	for i := range long {
		long[i] = float32(i)
	}
	metadata := []Entry{{"z", "<&>\"\\\n日本"}, {"a", ""}}
	tensors := []Tensor{
		{"none", []int{0, 3}, []float32{}},
		{"<one>", []int{}, []float32{math.MaxFloat32}},
		{"", []int{2, 2}, []float32{0, float32(math.Inf(-1)), 1e-45, -1}},
		{"long", []int{1000, 100}, long},
	}
	var b bytes.Buffer
	require.NoError(t, Write(&b, metadata, tensors))
	haveMetadata, have, err := Read(&b)
	require.NoError(t, err)
	require.Equal(t, metadata, haveMetadata)
	require.Equal(t, tensors, have)
}

func TestWriteOfNothing(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Write(&b, nil, nil))
	require.Equal(t, file("{}      "), b.Bytes())
	metadata, tensors, err := Read(&b)
	require.NoError(t, err)
	require.Empty(t, metadata)
	require.Empty(t, tensors)
}

func TestWriteRefuses(t *testing.T) {
	var b bytes.Buffer
	require.EqualError(t, Write(&b, nil, []Tensor{{"a", []int{2, 2}, make([]float32, 3)}}), `safetensors: tensor "a" has 3 values, shape [2 2] needs 4`)
	require.EqualError(t, Write(&b, nil, []Tensor{{"a", []int{2}, make([]float32, 3)}}), `safetensors: tensor "a" has 3 values, shape [2] needs 2`)
	require.ErrorContains(t, Write(&b, nil, []Tensor{{"a", []int{-1}, nil}}), "negative")
	require.Zero(t, b.Len())
	r, w := io.Pipe()
	broken := errors.New("broken")
	r.CloseWithError(broken)
	require.ErrorIs(t, Write(w, nil, nil), broken)
	require.ErrorIs(t, WriteFloats(w, []float32{1}), broken)
}

// Numbers of every size follow each other in one file.
func TestReadOfManyTypes(t *testing.T) {
	b := file(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},`+
		`"c":{"dtype":"I64","shape":[1],"data_offsets":[7,15]},"d":{"dtype":"F32","shape":[1,1],"data_offsets":[15,19]}}`,
		0, 0x3e, 0, 0xfc, 7, 8, 9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0xc0, 0xbf)
	_, tensors, err := Read(bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, []Tensor{{"a", []int{2}, []float32{1.5, float32(math.Inf(-1))}}, {"b", []int{3}, []float32{7, 8, 9}},
		{"c", []int{1}, []float32{-2}}, {"d", []int{1, 1}, []float32{-1.5}}}, tensors)
}

func TestReadOfTruncated(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Write(&b, []Entry{{"a", "b"}}, []Tensor{{"x", []int{3}, []float32{1, 2, 3}}}))
	for i := range b.Len() {
		_, _, err := Read(bytes.NewReader(b.Bytes()[:i]))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
	_, _, err := Read(io.MultiReader(&b, strings.NewReader("x")))
	require.EqualError(t, err, "safetensors: goes on after the last number")
	_, _, err = Read(bytes.NewReader(file("{}", 0)))
	require.EqualError(t, err, "safetensors: goes on after the last number")
	broken := errors.New("broken")
	_, _, err = Read(io.MultiReader(bytes.NewReader(file("{}")), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
}

// Whatever is read can be written and read again, and is what it was.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, Write(&b, []Entry{{"a", "b"}}, []Tensor{{"x", []int{3}, []float32{1, 2, 3}}, {"y", nil, []float32{4}}}))
	f.Add(b.Bytes())
	f.Add(file(`{"b":{"dtype":"F16","shape":[2],"data_offsets":[1,5]},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`, 1, 2, 3, 4, 5))
	f.Fuzz(func(t *testing.T, b []byte) {
		metadata, tensors, err := Read(bytes.NewReader(b))
		if err != nil {
			require.Regexp(t, "^safetensors: ", err.Error())
			return
		}
		var first, second bytes.Buffer
		require.NoError(t, Write(&first, metadata, tensors))
		metadata, tensors, err = Read(bytes.NewReader(first.Bytes()))
		require.NoError(t, err)
		require.NoError(t, Write(&second, metadata, tensors))
		require.Equal(t, first.Bytes(), second.Bytes())
	})
}
