package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/half"
	"github.com/espalier-ml/espalier/internal/narrow"
)

// A dtype is a type of numbers in a file. Its decode appends the numbers in b to v, up to one that float32 cannot stand for.
type dtype struct {
	size   int64 // of a number, in bytes
	decode func(v []float32, b []byte) ([]float32, error)
}

var little = binary.LittleEndian

var dtypes = map[string]dtype{
	"F64":  checked(8, func(b []byte) (float32, error) { return narrow.Float(math.Float64frombits(little.Uint64(b))) }),
	"F32":  float32s,
	"F16":  each(2, func(b []byte) float32 { return half.Float32(little.Uint16(b)) }),
	"BF16": each(2, func(b []byte) float32 { return math.Float32frombits(uint32(little.Uint16(b)) << 16) }),
	"I64":  checked(8, func(b []byte) (float32, error) { return narrow.Int(int64(little.Uint64(b))) }),
	"I32":  checked(4, func(b []byte) (float32, error) { return narrow.Int(int64(int32(little.Uint32(b)))) }),
	"I16":  each(2, func(b []byte) float32 { return float32(int16(little.Uint16(b))) }),
	"I8":   each(1, func(b []byte) float32 { return float32(int8(b[0])) }),
	"U64":  checked(8, func(b []byte) (float32, error) { return narrow.Int(little.Uint64(b)) }),
	"U32":  checked(4, func(b []byte) (float32, error) { return narrow.Int(int64(little.Uint32(b))) }),
	"U16":  each(2, func(b []byte) float32 { return float32(little.Uint16(b)) }),
	"U8":   each(1, func(b []byte) float32 { return float32(b[0]) }),
	"BOOL": each(1, func(b []byte) float32 { return float32(b[0]) }),
}

// float32s is written out, since models are made of it.
var float32s = dtype{4, func(v []float32, b []byte) ([]float32, error) {
	for ; len(b) > 0; b = b[4:] {
		v = append(v, math.Float32frombits(little.Uint32(b)))
	}
	return v, nil
}}

// each is a type whose numbers all are float32 too.
func each(size int64, number func([]byte) float32) dtype {
	return dtype{size, func(v []float32, b []byte) ([]float32, error) {
		for ; len(b) > 0; b = b[size:] {
			v = append(v, number(b))
		}
		return v, nil
	}}
}

// checked is a type of numbers that float32 may not have.
func checked(size int64, number func([]byte) (float32, error)) dtype {
	return dtype{size, func(v []float32, b []byte) ([]float32, error) {
		for ; len(b) > 0; b = b[size:] {
			x, err := number(b)
			if err != nil {
				return v, err
			}
			v = append(v, x)
		}
		return v, nil
	}}
}

// WriteFloats writes numbers as F32. The error is that of w.
func WriteFloats(w io.Writer, v []float32) error {
	b := make([]byte, 0, 4*min(len(v), 1<<14))
	for i, x := range v {
		b = little.AppendUint32(b, math.Float32bits(x))
		if len(b) == cap(b) || i == len(v)-1 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return nil
}

// ReadFloats reads n numbers that are F32, none if n is negative. Whatever n is, memory grows only with what has arrived.
// The error is that of r; io.ErrUnexpectedEOF if r ends too early.
func ReadFloats(r io.Reader, n int) ([]float32, error) {
	return readNumbers(r, int64(max(0, n)), float32s)
}

// ReadNumbers is ReadFloats for numbers of any type that [Info] may name. They become float32 as [Read] says.
func ReadNumbers(r io.Reader, dtype string, n int) ([]float32, error) {
	d, ok := dtypes[dtype]
	if !ok {
		return nil, errDType(dtype)
	}
	return readNumbers(r, int64(max(0, n)), d)
}

func errDType(dtype string) error {
	return fmt.Errorf("unknown dtype %s: valid are %s", brief.Quote(dtype), brief.QuoteAll(slices.Sorted(maps.Keys(dtypes))))
}

func readNumbers(r io.Reader, n int64, d dtype) ([]float32, error) {
	const (
		first = 1 << 14 // numbers that there is memory for before any have been read: n may be a lie
		step  = 1 << 13
	)
	buffer := make([]byte, d.size*min(n, step))
	v := make([]float32, 0, min(n, first))
	for int64(len(v)) < n {
		if len(v) == cap(v) {
			v = append(make([]float32, 0, min(n, 4*int64(len(v)))), v...)
		}
		b := buffer[:d.size*min(int64(cap(v)-len(v)), step)]
		_, err := io.ReadFull(r, b)
		if err != nil {
			return nil, unexpected(err)
		}
		if v, err = d.decode(v, b); err != nil {
			return nil, fmt.Errorf("number %d: %w", len(v), err)
		}
	}
	return v, nil
}
