package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/half"
)

// A tensor is a value between nodes. Every number is a float64 that the element type can have, so that an operator is written
// once for all types; whole numbers beyond 2⁵³ are therefore rounded. A tensor that depends on an input is not known: it has a
// shape and no values.
type tensor struct {
	elem   int64
	shape  []int
	known  bool
	values []float64    // of one that is known; nil until data is called where proto is set
	proto  *tensorProto // which values are decoded from
	lost   string       // why no row of numbers can hold it: it is random, or of strings
}

const (
	maxRank     = 16
	maxElements = math.MaxInt32
)

// elementNames are the types of elements that a tensor can have.
var elementNames = map[int64]string{
	typeFloat: "float32", typeUint8: "uint8", typeInt8: "int8", typeUint16: "uint16", typeInt16: "int16", typeInt32: "int32", typeInt64: "int64",
	typeBool: "bool", typeFloat16: "float16", typeDouble: "float64", typeUint32: "uint32", typeUint64: "uint64", typeBFloat16: "bfloat16",
}

// elementSizes are their bytes in a file.
var elementSizes = map[int64]int{
	typeFloat: 4, typeUint8: 1, typeInt8: 1, typeUint16: 2, typeInt16: 2, typeInt32: 4, typeInt64: 8,
	typeBool: 1, typeFloat16: 2, typeDouble: 8, typeUint32: 4, typeUint64: 8, typeBFloat16: 2,
}

func isFloat(elem int64) bool {
	return elem == typeFloat || elem == typeDouble || elem == typeFloat16 || elem == typeBFloat16
}

// size returns how many elements a tensor of a shape has, or an error for a shape that none may have.
func size(shape []int) (int, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("a shape has %d dimensions, at most %d are possible", len(shape), maxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > maxElements/d {
			return 0, fmt.Errorf("shape %v has more than %d elements", shape, maxElements)
		}
		n *= d
	}
	return n, nil
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func (t *tensor) len() int { return product(t.shape) }

// newConstant checks a tensor of a file against its bytes, and leaves them where they are.
func newConstant(p *tensorProto) (*tensor, error) {
	if p.external {
		return nil, fmt.Errorf("has its data in another file, which is not read: store the model as one file")
	}
	if p.dataType == typeString {
		return &tensor{elem: typeString, lost: "strings"}, nil
	}
	bytes, ok := elementSizes[p.dataType]
	if !ok {
		return nil, fmt.Errorf("has elements of type %d, valid are %v", p.dataType, elementNames)
	}
	t := &tensor{elem: p.dataType, known: true, proto: p}
	for _, d := range p.dims {
		if d < 0 || d > maxElements {
			return nil, fmt.Errorf("has dimensions %v, valid are 0 to %d", p.dims[:min(len(p.dims), maxRank)], maxElements)
		}
		t.shape = append(t.shape, int(d))
		if len(t.shape) > maxRank {
			break
		}
	}
	n, err := size(t.shape)
	if err != nil {
		return nil, err
	}
	have := 0
	switch {
	case p.hasRaw:
		if len(p.raw)%bytes != 0 {
			return nil, fmt.Errorf("has %d bytes of %s, no multiple of %d", len(p.raw), elementNames[p.dataType], bytes)
		}
		have = len(p.raw) / bytes
	case p.dataType == typeFloat:
		have = len(p.floats)
	case p.dataType == typeDouble:
		have = len(p.doubles)
	case p.dataType == typeInt64:
		have = len(p.int64s)
	case p.dataType == typeUint64 || p.dataType == typeUint32:
		have = len(p.uint64s)
	default:
		have = len(p.int32s)
	}
	if have != n {
		return nil, fmt.Errorf("has %d elements, its shape %v has %d", have, t.shape, n)
	}
	return t, nil
}

// data returns the values of a tensor that is known.
func (t *tensor) data() []float64 {
	if t.values == nil && t.proto != nil {
		t.values = make([]float64, t.len())
		t.decode(func(i int, v float64) { t.values[i] = v })
	}
	return t.values
}

// floats returns the values of a tensor that is known as float32.
func (t *tensor) floats() []float32 {
	y := make([]float32, t.len())
	t.floatsInto(y)
	return y
}

// raw returns the bytes of float32 that a tensor has in the file, nil if it has other ones.
func (t *tensor) raw() []byte {
	if t.values == nil && t.proto != nil && t.proto.hasRaw && t.elem == typeFloat {
		return t.proto.raw
	}
	return nil
}

func (t *tensor) floatsInto(y []float32) {
	switch raw := t.raw(); {
	case raw != nil:
		for i := range y {
			y[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[:4]))
			raw = raw[4:]
		}
	case t.values == nil && t.proto != nil:
		t.decode(func(i int, v float64) { y[i] = float32(v) })
	default:
		for i, v := range t.values {
			y[i] = float32(v)
		}
	}
}

// transposedInto writes the transpose of a matrix of so many rows and columns.
func (t *tensor) transposedInto(y []float32, rows, cols int) {
	if raw := t.raw(); raw != nil {
		transpose(y, rows, cols, func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])) })
		return
	}
	x := t.floats()
	transpose(y, rows, cols, func(i int) float32 { return x[i] })
}

// transpose writes the transpose of a matrix x of so many rows and columns, block by block.
func transpose(y []float32, rows, cols int, x func(i int) float32) {
	const block = 32
	for r := 0; r < rows; r += block {
		for c := 0; c < cols; c += block {
			for j := c; j < min(c+block, cols); j++ {
				to := y[j*rows:][:rows]
				for i := r; i < min(r+block, rows); i++ {
					to[i] = x(i*cols + j)
				}
			}
		}
	}
}

// decode calls set with each element.
func (t *tensor) decode(set func(i int, v float64)) {
	p := t.proto
	if !p.hasRaw {
		for i, v := range p.floats {
			set(i, float64(v))
		}
		for i, v := range p.doubles {
			set(i, v)
		}
		for i, v := range p.int64s {
			set(i, float64(v))
		}
		for i, v := range p.uint64s {
			set(i, float64(v))
		}
		for i, v := range p.int32s {
			switch t.elem {
			case typeFloat16:
				set(i, float64(half.Float32(uint16(v))))
			case typeBFloat16:
				set(i, float64(math.Float32frombits(uint32(uint16(v))<<16)))
			default:
				set(i, float64(v))
			}
		}
		return
	}
	b, n := p.raw, elementSizes[t.elem]
	for i := 0; i*n < len(b); i++ {
		x := b[i*n:]
		var v float64
		switch t.elem {
		case typeFloat:
			v = float64(math.Float32frombits(binary.LittleEndian.Uint32(x)))
		case typeDouble:
			v = math.Float64frombits(binary.LittleEndian.Uint64(x))
		case typeInt64:
			v = float64(int64(binary.LittleEndian.Uint64(x)))
		case typeUint64:
			v = float64(binary.LittleEndian.Uint64(x))
		case typeInt32:
			v = float64(int32(binary.LittleEndian.Uint32(x)))
		case typeUint32:
			v = float64(binary.LittleEndian.Uint32(x))
		case typeInt16:
			v = float64(int16(binary.LittleEndian.Uint16(x)))
		case typeUint16:
			v = float64(binary.LittleEndian.Uint16(x))
		case typeFloat16:
			v = float64(half.Float32(binary.LittleEndian.Uint16(x)))
		case typeBFloat16:
			v = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(x)) << 16))
		case typeInt8:
			v = float64(int8(x[0]))
		case typeUint8:
			v = float64(x[0])
		case typeBool:
			if x[0] != 0 {
				v = 1
			}
		}
		set(i, v)
	}
}

// round makes v a value that an element type has.
func round(elem int64, v float64) float64 {
	wrap := func(bits uint, signed bool) float64 {
		if math.IsNaN(v) || math.Abs(v) >= 1<<63 {
			return v
		}
		n := int64(v)
		if signed {
			return float64(n << (64 - bits) >> (64 - bits))
		}
		return float64(uint64(n) << (64 - bits) >> (64 - bits))
	}
	switch elem {
	case typeFloat:
		return float64(float32(v))
	case typeFloat16, typeBFloat16:
		digits, least := 11, -24
		if elem == typeBFloat16 {
			digits, least = 8, -133
		}
		if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return v
		}
		_, e := math.Frexp(v)
		unit := math.Ldexp(1, max(e-digits, least))
		v = math.RoundToEven(v/unit) * unit
		if elem == typeFloat16 && math.Abs(v) > 65504 {
			return math.Copysign(math.Inf(1), v)
		}
		return v
	case typeBool:
		if v != 0 {
			return 1
		}
		return 0
	case typeInt64, typeUint64:
		return math.Trunc(v)
	case typeInt32:
		return wrap(32, true)
	case typeInt16:
		return wrap(16, true)
	case typeInt8:
		return wrap(8, true)
	case typeUint32:
		return wrap(32, false)
	case typeUint16:
		return wrap(16, false)
	case typeUint8:
		return wrap(8, false)
	}
	return v
}

// same reports tensors of one type and shape with the same values.
func (t *tensor) same(o *tensor) bool {
	return t == o || t.elem == o.elem && t.known && o.known && slices.Equal(t.shape, o.shape) && slices.EqualFunc(t.data(), o.data(), func(a, b float64) bool {
		return a == b || a != a && b != b
	})
}

// strides returns how far apart the elements along each axis of a shape lie.
func strides(shape []int) []int {
	s, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// walk calls f with the offset of each element of shape, in order, where the axes have the given strides.
func walk(shape, strides []int, f func(i, offset int)) {
	if product(shape) == 0 {
		return
	}
	index, offset := make([]int, len(shape)), 0
	for i := 0; ; i++ {
		f(i, offset)
		axis := len(shape) - 1
		for ; axis >= 0; axis-- {
			index[axis]++
			offset += strides[axis]
			if index[axis] < shape[axis] {
				break
			}
			offset -= index[axis] * strides[axis]
			index[axis] = 0
		}
		if axis < 0 {
			return
		}
	}
}

// spread returns the strides of a shape that is broadcast to another one.
func spread(from, to []int) []int {
	s, y := strides(from), make([]int, len(to))
	for i := range from {
		if from[i] != 1 {
			y[len(to)-len(from)+i] = s[i]
		}
	}
	return y
}
