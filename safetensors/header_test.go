package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// file returns a file with the given header and data.
func file(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

// The length that a file claims for its header is judged before a byte of it is read.
func TestHeaderLength(t *testing.T) {
	for _, size := range []uint64{MaxHeader + 1, 1 << 40, math.MaxUint64} {
		r := bytes.NewReader(append(binary.LittleEndian.AppendUint64(nil, size), "12345"...))
		_, err := ReadHeader(r)
		require.EqualError(t, err, fmt.Sprintf("safetensors: header length %d is more than %d: not a safetensors file", size, MaxHeader))
		require.Equal(t, 5, r.Len())
	}
	_, err := ReadHeader(bytes.NewReader(append(binary.LittleEndian.AppendUint64(nil, MaxHeader), "12345"...)))
	require.EqualError(t, err, fmt.Sprintf("safetensors: header: 5 of %d bytes: unexpected EOF", MaxHeader))
	_, err = ReadHeader(strings.NewReader("123"))
	require.EqualError(t, err, "safetensors: header length: 3 of 8 bytes: unexpected EOF")
}

func TestParseHeader(t *testing.T) {
	h, err := ParseHeader(file(` {"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16],"more":[{}]},
		"__metadata__":{"z":"1","a":""},"a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"},"none":{"dtype":"I64","shape":[0,9],"data_offsets":[4,4]}}  `))
	require.NoError(t, err)
	require.Equal(t, &Header{
		Metadata: []Entry{{"z", "1"}, {"a", ""}},
		Tensors:  []Info{{"a", "F32", []int{}, 0, 4}, {"none", "I64", []int{0, 9}, 4, 4}, {"b", "F16", []int{2, 3}, 4, 16}},
	}, h)
}

func TestParseHeaderRefuses(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	tensor := func(dtype, shape, offsets string) string {
		return `{"a":{"dtype":"` + dtype + `","shape":` + shape + `,"data_offsets":` + offsets + `}}`
	}
	wrapped := `tensor "b" has the bytes from 1 to -9223372036854775808`
	if strconv.IntSize == 32 {
		wrapped = "cannot unmarshal number 9223372036854775807"
	}
	for header, want := range map[string]string{
		"":                                   "unexpected EOF",
		"{":                                  "unexpected EOF",
		"[]":                                 "is not a JSON object",
		"0":                                  "is not a JSON object",
		"{]":                                 "invalid character",
		"{1:2}":                              "invalid character",
		"{}x":                                "goes on",
		"{}{}":                               "goes on",
		"{\"\xff\":0}":                       "is not valid UTF-8",
		`{"a":[]}`:                           "cannot unmarshal",
		`{"a":null}`:                         `tensor "a": unknown dtype "": valid are ["BF16" "BOOL" "F16"`,
		`{` + a + `,` + a + `}`:              `tensor "a" is there twice`,
		`{"__metadata__":0}`:                 "is not a JSON object",
		`{"__metadata__":{"a":0}}`:           `metadata "a" is not a string`,
		`{"__metadata__":{"a":{}}}`:          `metadata "a" is not a string`,
		`{"__metadata__":{"a":"1","a":"2"}}`: `metadata "a" is there twice`,
		`{"__metadata__":{"a":"","a":""}}`:   `metadata "a" is there twice`,
		`{"__metadata__":{},"__metadata__":` + tensor("F32", "[]", "[0,4]")[5:]: `tensor "__metadata__": the name stands for metadata`,
		tensor("F31", "[1]", "[0,4]"):                                           `tensor "a": unknown dtype "F31"`,
		tensor("F32", "null", "[0,4]"):                                          `tensor "a" needs a shape and two data_offsets`,
		tensor("F32", "[1]", "[0]"):                                             `tensor "a" needs a shape and two data_offsets`,
		tensor("F32", "[1]", "[0,4,8]"):                                         `tensor "a" needs a shape and two data_offsets`,
		tensor("F32", "[1]", "[0,8]"):                                           `tensor "a" has the bytes from 0 to 8: its F32 of shape [1] must have`,
		tensor("F32", "[1]", "[4,8]"):                                           `tensor "a" has the bytes from 4 to 8`,
		tensor("F32", "[1]", "[-4,0]"):                                          `tensor "a" has the bytes from -4 to 0`,
		tensor("F32", "[-1]", "[0,-4]"):                                         `tensor "a" has the bytes from 0 to -4`,
		tensor("F32", "[-1,-1]", "[0,4]"):                                       `tensor "a" has the bytes from 0 to 4: its F32 of shape [-1 -1]`,
		// from 1 on so many bytes that the end is no number, and what it wraps to
		`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[1,-9223372036854775808]}}`: wrapped,
		tensor("F32", "[1.5]", "[0,4]"):                                   "cannot unmarshal number 1.5",
		tensor("F32", "[1]", "[0,1e99]"):                                  "cannot unmarshal number 1e99",
		tensor("F64", "[65536,65536,65536,65536]", "[0,0]"):               `tensor "a" has the bytes from 0 to 0: its F64 of shape [65536 65536 65536 65536] must`,
		`{` + a + `,"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}`: `tensor "b" has the bytes from 3 to 5: its U8 of shape [2] must have as many as they need, from 4`,
		`{` + a + `,"b":{"dtype":"U8","shape":[2],"data_offsets":[5,7]}}`: `tensor "b" has the bytes from 5 to 7`,
	} {
		_, err := ParseHeader(file(header))
		require.ErrorContains(t, err, "safetensors: header: ", header)
		require.ErrorContains(t, err, want, header)
		require.Less(t, len(err.Error()), 1<<13)
	}
	_, err := ParseHeader(nil)
	require.EqualError(t, err, "safetensors: header: shorter than its length")
}

func TestEncodeHeaderRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		metadata []Entry
		tensors  []Tensor
	}{
		`metadata "a" is there twice`:                         {metadata: []Entry{{"a", ""}, {"a", ""}}},
		`metadata "\xff": the name is not valid UTF-8`:        {metadata: []Entry{{"\xff", ""}}},
		`metadata "a": the value is not valid UTF-8`:          {metadata: []Entry{{"a", "\xff"}}},
		`tensor "a" is there twice`:                           {tensors: []Tensor{{Name: "a"}, {Name: "a"}}},
		`tensor "\xff": the name is not valid UTF-8`:          {tensors: []Tensor{{Name: "\xff"}}},
		`tensor "__metadata__": the name stands for metadata`: {tensors: []Tensor{{Name: "__metadata__"}}},
		`tensor "a": shape [-1] has a negative`:               {tensors: []Tensor{{Name: "a", Shape: []int{-1}}}},
		`tensor "a": shape [-1 -1] has a negative`:            {tensors: []Tensor{{Name: "a", Shape: []int{-1, -1}}}},
		`tensor "b": shape [1073741824 1073741824 2] has`:     {tensors: []Tensor{{Name: "b", Shape: []int{1 << 30, 1 << 30, 2}}}},
		`tensor "d": shape [536870912 1073741824] has`:        {tensors: []Tensor{{Name: "c", Shape: []int{3, 1 << 30, 1 << 28}}, {Name: "e", Shape: []int{3, 1 << 30, 1 << 28}}, {Name: "d", Shape: []int{1 << 29, 1 << 30}}}},
	} {
		_, err := EncodeHeader(c.metadata, c.tensors)
		require.ErrorContains(t, err, "safetensors: "+want)
	}
}

// The text of a header is as short as it can be, and a tensor of nothing takes nothing, whatever its other dimensions are.
func TestEncodeHeader(t *testing.T) {
	b, err := EncodeHeader([]Entry{{"<k>", "a&b"}}, []Tensor{{Name: "é<\"", Shape: []int{1 << 30, 1 << 30, 1 << 30, 0}}, {Name: "x"}})
	require.NoError(t, err)
	const want = `{"__metadata__":{"<k>":"a&b"},"é<\"":{"dtype":"F32","shape":[1073741824,1073741824,1073741824,0],"data_offsets":[0,0]},` +
		`"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`
	require.Equal(t, want, strings.TrimRight(string(b[8:]), " "))
	require.Zero(t, len(b)%8)
	h, err := ParseHeader(b)
	require.NoError(t, err)
	require.Equal(t, Info{"é<\"", "F32", []int{1 << 30, 1 << 30, 1 << 30, 0}, 0, 0}, h.Tensors[0])
}

func TestEncodeHeaderOfTooManyBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long where each instruction is emulated or watched")
	}
	_, err := EncodeHeader([]Entry{{"", strings.Repeat("a", MaxHeader)}}, nil)
	require.EqualError(t, err, "safetensors: the header has 100000024 bytes, at most 100000000 are possible")
}

// What a file claims costs nothing.
func TestClaimsCostNothing(t *testing.T) {
	huge, err := EncodeHeader(nil, []Tensor{{Name: "a", Shape: []int{1 << 30, 1 << 20}}})
	require.NoError(t, err)
	for _, b := range [][]byte{huge, binary.LittleEndian.AppendUint64(nil, MaxHeader)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Read(bytes.NewReader(append(b, "12345678"...)))
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<19))
	}
}
