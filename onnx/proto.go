package onnx

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of onnx.proto that a model for inference has, with the fields that matter here. Fields that are not listed are
// skipped. Bytes are not copied: a decoded message refers to the file's memory.

type modelProto struct {
	irVersion                     int64
	producerName, producerVersion string
	domain                        string
	modelVersion                  int64
	doc                           string
	graph                         *graphProto
	opsets                        []opsetProto
	metadata                      []entryProto
	functions                     []string // names of the functions that the file defines: none is supported
}

// An opsetProto says which version of the operators of a domain a model uses. The domain of ONNX itself is "".
type opsetProto struct {
	domain  string
	version int64
}

type entryProto struct{ key, value string }

type graphProto struct {
	name         string
	doc          string
	nodes        []*nodeProto
	initializers []*tensorProto
	inputs       []*valueProto
	outputs      []*valueProto
	values       []*valueProto
	sparse       int // how many sparse initializers there are: none is supported
}

type nodeProto struct {
	name, op, domain string
	inputs, outputs  []string
	attributes       []*attributeProto
}

// An attributeProto has the one value that its kind says.
type attributeProto struct {
	name    string
	kind    int64
	f       float32
	i       int64
	s       []byte
	t       *tensorProto
	g       *graphProto
	floats  []float32
	ints    []int64
	strings [][]byte
	ref     string // the attribute of a function that it stands for
}

// Kinds of attributes.
const (
	kindFloat   = 1
	kindInt     = 2
	kindString  = 3
	kindTensor  = 4
	kindGraph   = 5
	kindFloats  = 6
	kindInts    = 7
	kindStrings = 8
)

// A tensorProto has its elements either in raw or in one of the lists.
type tensorProto struct {
	name     string
	dims     []int64
	dataType int64
	raw      []byte
	hasRaw   bool
	floats   []float32
	int32s   []int64 // of all types that are narrower than 64 bits, too
	int64s   []int64
	doubles  []float64
	uint64s  []uint64
	strings  [][]byte
	external bool // the elements are in another file, which is not followed
}

// Types of elements.
const (
	typeFloat    = 1
	typeUint8    = 2
	typeInt8     = 3
	typeUint16   = 4
	typeInt16    = 5
	typeInt32    = 6
	typeInt64    = 7
	typeString   = 8
	typeBool     = 9
	typeFloat16  = 10
	typeDouble   = 11
	typeUint32   = 12
	typeUint64   = 13
	typeBFloat16 = 16
)

// A valueProto declares an input, an output or a value between nodes.
type valueProto struct {
	name string
	doc  string
	kind typeProto
}

// A typeProto is a tensor, or, with a word for it, something else.
type typeProto struct {
	other    string // "sequence", "map", ...; empty for a tensor
	elem     int64
	dims     []dimProto
	hasShape bool
}

// A dimProto is a size, a symbol or, where neither is set, unknown.
type dimProto struct {
	size  int64
	fixed bool
	name  string
}

// A decoder reads messages of a file. What they take in memory, beside the file itself, is charged to a budget that grows
// with the file, so that millions of empty messages in it cannot become gigabytes.
type decoder struct {
	budget int
	depth  int
}

const (
	maxDepth = 64 // of messages within others
	growth   = 5  // how many times its last memory a list has taken that has grown element by element
)

var errBudget = errors.New("has more messages than a file of its size should have")

// charge takes bytes from the budget.
func (d *decoder) charge(bytes int) error {
	if d.budget -= bytes; d.budget < 0 {
		return errBudget
	}
	return nil
}

// A wireValue is the value of one field: n of a number, b of what has a length.
type wireValue struct {
	kind protowire.Type
	n    uint64
	b    []byte
}

// fields calls f for each field of a message.
func (d *decoder) fields(b []byte, f func(n protowire.Number, v wireValue) error) error {
	if d.depth++; d.depth > maxDepth {
		return fmt.Errorf("is nested more than %d messages deep", maxDepth)
	}
	defer func() { d.depth-- }()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		v := wireValue{kind: kind}
		switch kind {
		case protowire.VarintType:
			v.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(b)
			v.n = uint64(x)
		case protowire.Fixed64Type:
			v.n, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			v.b, n = protowire.ConsumeBytes(b)
		default: // groups, which ONNX never had
			return fmt.Errorf("field %d has the wire type %d, valid are 0, 1, 2 and 5", number, kind)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := f(number, v); err != nil {
			return err
		}
	}
	return nil
}

// Each of the following takes a field's value, or says that its wire type is not that of the field.

func (v wireValue) want(kind protowire.Type, n protowire.Number) error {
	if v.kind != kind {
		return fmt.Errorf("field %d has the wire type %d, must be %d", n, v.kind, kind)
	}
	return nil
}

func (d *decoder) text(to *string, n protowire.Number, v wireValue) error {
	if err := v.want(protowire.BytesType, n); err != nil {
		return err
	}
	*to = string(v.b)
	return d.charge(len(v.b))
}

func (d *decoder) texts(to *[]string, n protowire.Number, v wireValue) error {
	var s string
	if err := d.text(&s, n, v); err != nil {
		return err
	}
	*to = append(*to, s)
	return d.charge(growth * 16)
}

func (d *decoder) integer(to *int64, n protowire.Number, v wireValue) error {
	*to = int64(v.n)
	return v.want(protowire.VarintType, n)
}

func (d *decoder) bytes(to *[]byte, n protowire.Number, v wireValue) error {
	*to = v.b
	return v.want(protowire.BytesType, n)
}

func (d *decoder) blobs(to *[][]byte, n protowire.Number, v wireValue) error {
	*to = append(*to, v.b)
	if err := v.want(protowire.BytesType, n); err != nil {
		return err
	}
	return d.charge(growth * 24)
}

// integers takes numbers that are packed or each on their own.
func integers[T int64 | uint64](d *decoder, to *[]T, n protowire.Number, v wireValue) error {
	if v.kind == protowire.VarintType {
		*to = append(*to, T(v.n))
		return d.charge(growth * 8)
	}
	if err := v.want(protowire.BytesType, n); err != nil {
		return err
	}
	count := 0
	for _, c := range v.b { // the last byte of each number
		if c < 0x80 {
			count++
		}
	}
	if err := d.charge(8 * count); err != nil {
		return err
	}
	if *to == nil {
		*to = make([]T, 0, count)
	}
	for b := v.b; len(b) > 0; {
		x, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		*to, b = append(*to, T(x)), b[n:]
	}
	return nil
}

func (d *decoder) floats(to *[]float32, n protowire.Number, v wireValue) error {
	if v.kind == protowire.Fixed32Type {
		*to = append(*to, math.Float32frombits(uint32(v.n)))
		return d.charge(growth * 4)
	}
	if err := v.want(protowire.BytesType, n); err != nil {
		return err
	}
	if len(v.b)%4 != 0 {
		return fmt.Errorf("field %d has %d bytes of float32, no multiple of 4", n, len(v.b))
	}
	if err := d.charge(len(v.b)); err != nil {
		return err
	}
	if *to == nil {
		*to = make([]float32, 0, len(v.b)/4)
	}
	for b := v.b; len(b) > 0; b = b[4:] {
		x, _ := protowire.ConsumeFixed32(b)
		*to = append(*to, math.Float32frombits(x))
	}
	return nil
}

func (d *decoder) doubles(to *[]float64, n protowire.Number, v wireValue) error {
	if v.kind == protowire.Fixed64Type {
		*to = append(*to, math.Float64frombits(v.n))
		return d.charge(growth * 8)
	}
	if err := v.want(protowire.BytesType, n); err != nil {
		return err
	}
	if len(v.b)%8 != 0 {
		return fmt.Errorf("field %d has %d bytes of float64, no multiple of 8", n, len(v.b))
	}
	if err := d.charge(len(v.b)); err != nil {
		return err
	}
	for b := v.b; len(b) > 0; b = b[8:] {
		x, _ := protowire.ConsumeFixed64(b)
		*to = append(*to, math.Float64frombits(x))
	}
	return nil
}

// message decodes a message within another one.
func (d *decoder) message(size int, n protowire.Number, v wireValue, decode func(d *decoder, b []byte) error) error {
	if err := v.want(protowire.BytesType, n); err != nil {
		return err
	}
	if err := d.charge(size); err != nil {
		return err
	}
	return decode(d, v.b)
}

// decodeModel decodes a file.
func decodeModel(b []byte) (*modelProto, error) {
	d := &decoder{budget: 8<<20 + 2*len(b)}
	m := &modelProto{}
	err := d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return d.integer(&m.irVersion, n, v)
		case 2:
			return d.text(&m.producerName, n, v)
		case 3:
			return d.text(&m.producerVersion, n, v)
		case 4:
			return d.text(&m.domain, n, v)
		case 5:
			return d.integer(&m.modelVersion, n, v)
		case 6:
			return d.text(&m.doc, n, v)
		case 7:
			if m.graph == nil {
				m.graph = &graphProto{}
			}
			return d.message(0, n, v, m.graph.decode)
		case 8:
			var o opsetProto
			err := d.message(growth*24, n, v, o.decode)
			m.opsets = append(m.opsets, o)
			return err
		case 14:
			var e entryProto
			err := d.message(growth*32, n, v, e.decode)
			m.metadata = append(m.metadata, e)
			return err
		case 25:
			name := ""
			err := d.message(growth*16, n, v, func(d *decoder, b []byte) error {
				return d.fields(b, func(n protowire.Number, v wireValue) error {
					if n == 1 {
						return d.text(&name, n, v)
					}
					return nil
				})
			})
			m.functions = append(m.functions, name)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (o *opsetProto) decode(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return d.text(&o.domain, n, v)
		case 2:
			return d.integer(&o.version, n, v)
		}
		return nil
	})
}

func (e *entryProto) decode(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return d.text(&e.key, n, v)
		case 2:
			return d.text(&e.value, n, v)
		}
		return nil
	})
}

func (g *graphProto) decode(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		value := func(to *[]*valueProto) error {
			x := &valueProto{}
			*to = append(*to, x)
			return d.message(128+growth*8, n, v, x.decode)
		}
		switch n {
		case 1:
			x := &nodeProto{}
			g.nodes = append(g.nodes, x)
			return d.message(160+growth*8, n, v, x.decode)
		case 2:
			return d.text(&g.name, n, v)
		case 5:
			x := &tensorProto{}
			g.initializers = append(g.initializers, x)
			return d.message(288+growth*8, n, v, x.decode)
		case 10:
			return d.text(&g.doc, n, v)
		case 11:
			return value(&g.inputs)
		case 12:
			return value(&g.outputs)
		case 13:
			return value(&g.values)
		case 15:
			g.sparse++
		}
		return nil
	})
}

func (x *nodeProto) decode(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return d.texts(&x.inputs, n, v)
		case 2:
			return d.texts(&x.outputs, n, v)
		case 3:
			return d.text(&x.name, n, v)
		case 4:
			return d.text(&x.op, n, v)
		case 5:
			a := &attributeProto{}
			x.attributes = append(x.attributes, a)
			return d.message(240+growth*8, n, v, a.decode)
		case 7:
			return d.text(&x.domain, n, v)
		}
		return nil
	})
}

func (a *attributeProto) decode(d *decoder, b []byte) error {
	err := d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return d.text(&a.name, n, v)
		case 2:
			a.f = math.Float32frombits(uint32(v.n))
			return v.want(protowire.Fixed32Type, n)
		case 3:
			return d.integer(&a.i, n, v)
		case 4:
			return d.bytes(&a.s, n, v)
		case 5:
			a.t = &tensorProto{}
			return d.message(288, n, v, a.t.decode)
		case 6:
			a.g = &graphProto{}
			return d.message(192, n, v, a.g.decode)
		case 7:
			return d.floats(&a.floats, n, v)
		case 8:
			return integers(d, &a.ints, n, v)
		case 9:
			return d.blobs(&a.strings, n, v)
		case 20:
			return d.integer(&a.kind, n, v)
		case 21:
			return d.text(&a.ref, n, v)
		}
		return nil
	})
	if a.kind == 0 { // files before IR version 2 did not say
		a.kind = a.guess()
	}
	return err
}

// guess returns the kind of the value that is set.
func (a *attributeProto) guess() int64 {
	switch {
	case a.t != nil:
		return kindTensor
	case a.g != nil:
		return kindGraph
	case a.floats != nil:
		return kindFloats
	case a.ints != nil:
		return kindInts
	case a.strings != nil:
		return kindStrings
	case a.s != nil:
		return kindString
	case a.f != 0:
		return kindFloat
	}
	return kindInt
}

func (t *tensorProto) decode(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return integers(d, &t.dims, n, v)
		case 2:
			return d.integer(&t.dataType, n, v)
		case 4:
			return d.floats(&t.floats, n, v)
		case 5:
			return integers(d, &t.int32s, n, v)
		case 6:
			return d.blobs(&t.strings, n, v)
		case 7:
			return integers(d, &t.int64s, n, v)
		case 8:
			return d.text(&t.name, n, v)
		case 9:
			t.hasRaw = true
			return d.bytes(&t.raw, n, v)
		case 10:
			return d.doubles(&t.doubles, n, v)
		case 11:
			return integers(d, &t.uint64s, n, v)
		case 13:
			t.external = true
		case 14:
			t.external = t.external || v.n == 1
			return v.want(protowire.VarintType, n)
		}
		return nil
	})
}

func (x *valueProto) decode(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return d.text(&x.name, n, v)
		case 2:
			return d.message(0, n, v, x.kind.decode)
		case 3:
			return d.text(&x.doc, n, v)
		}
		return nil
	})
}

func (t *typeProto) decode(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return d.message(0, n, v, t.decodeTensor)
		case 4:
			t.other = "sequence"
		case 5:
			t.other = "map"
		case 8:
			t.other = "sparse tensor"
		case 9:
			t.other = "optional"
		}
		return nil
	})
}

func (t *typeProto) decodeTensor(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			return d.integer(&t.elem, n, v)
		case 2:
			t.hasShape = true
			return d.message(0, n, v, func(d *decoder, b []byte) error {
				return d.fields(b, func(n protowire.Number, v wireValue) error {
					if n != 1 {
						return nil
					}
					t.dims = append(t.dims, dimProto{})
					return d.message(growth*32, n, v, t.dims[len(t.dims)-1].decode)
				})
			})
		}
		return nil
	})
}

func (x *dimProto) decode(d *decoder, b []byte) error {
	return d.fields(b, func(n protowire.Number, v wireValue) error {
		switch n {
		case 1:
			x.fixed = true
			return d.integer(&x.size, n, v)
		case 2:
			return d.text(&x.name, n, v)
		}
		return nil
	})
}

// Each of the following appends a field to a message, leaving out what has the value that a reader assumes without it.

func appendInteger(b []byte, n protowire.Number, x int64) []byte {
	if x == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(x))
}

func appendText(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendTexts(b []byte, n protowire.Number, all []string) []byte {
	for _, s := range all { // an empty name says that an optional input is not given
		b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	return b
}

func appendBlob(b []byte, n protowire.Number, x []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), x)
}

func appendIntegers[T int64 | uint64](b []byte, n protowire.Number, all []T) []byte {
	if len(all) == 0 {
		return b
	}
	var packed []byte
	for _, x := range all {
		packed = protowire.AppendVarint(packed, uint64(x))
	}
	return appendBlob(b, n, packed)
}

func appendFloats(b []byte, n protowire.Number, all []float32) []byte {
	if len(all) == 0 {
		return b
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.BytesType), uint64(4*len(all)))
	for _, x := range all {
		b = protowire.AppendFixed32(b, math.Float32bits(x))
	}
	return b
}

func appendDoubles(b []byte, n protowire.Number, all []float64) []byte {
	if len(all) == 0 {
		return b
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.BytesType), uint64(8*len(all)))
	for _, x := range all {
		b = protowire.AppendFixed64(b, math.Float64bits(x))
	}
	return b
}

// encode returns the file of a model.
func (m *modelProto) encode() []byte {
	b := appendInteger(nil, 1, m.irVersion)
	b = appendText(b, 2, m.producerName)
	b = appendText(b, 3, m.producerVersion)
	b = appendText(b, 4, m.domain)
	b = appendInteger(b, 5, m.modelVersion)
	b = appendText(b, 6, m.doc)
	if m.graph != nil {
		b = appendBlob(b, 7, m.graph.encode())
	}
	for _, o := range m.opsets {
		b = appendBlob(b, 8, appendInteger(appendText(nil, 1, o.domain), 2, o.version))
	}
	for _, e := range m.metadata {
		b = appendBlob(b, 14, appendText(appendText(nil, 1, e.key), 2, e.value))
	}
	return b
}

func (g *graphProto) encode() (b []byte) {
	for _, x := range g.nodes {
		b = appendBlob(b, 1, x.encode())
	}
	b = appendText(b, 2, g.name)
	for _, t := range g.initializers {
		b = appendBlob(b, 5, t.encode())
	}
	b = appendText(b, 10, g.doc)
	for _, x := range g.inputs {
		b = appendBlob(b, 11, x.encode())
	}
	for _, x := range g.outputs {
		b = appendBlob(b, 12, x.encode())
	}
	for _, x := range g.values {
		b = appendBlob(b, 13, x.encode())
	}
	return b
}

func (x *nodeProto) encode() []byte {
	b := appendTexts(nil, 1, x.inputs)
	b = appendTexts(b, 2, x.outputs)
	b = appendText(b, 3, x.name)
	b = appendText(b, 4, x.op)
	for _, a := range x.attributes {
		b = appendBlob(b, 5, a.encode())
	}
	return appendText(b, 7, x.domain)
}

func (a *attributeProto) encode() []byte {
	b := appendText(nil, 1, a.name)
	switch a.kind { // the value is written even where it is 0 or empty
	case kindFloat:
		b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(a.f))
	case kindInt:
		b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), uint64(a.i))
	case kindString:
		b = appendBlob(b, 4, a.s)
	case kindTensor:
		b = appendBlob(b, 5, a.t.encode())
	case kindGraph:
		b = appendBlob(b, 6, a.g.encode())
	case kindFloats:
		b = appendFloats(b, 7, a.floats)
	case kindInts:
		b = appendIntegers(b, 8, a.ints)
	case kindStrings:
		for _, s := range a.strings {
			b = appendBlob(b, 9, s)
		}
	}
	return appendInteger(b, 20, a.kind)
}

func (t *tensorProto) encode() []byte {
	b := make([]byte, 0, len(t.raw)+64)
	b = appendIntegers(b, 1, t.dims)
	b = appendInteger(b, 2, t.dataType)
	b = appendFloats(b, 4, t.floats)
	b = appendIntegers(b, 5, t.int32s)
	for _, s := range t.strings {
		b = appendBlob(b, 6, s)
	}
	b = appendIntegers(b, 7, t.int64s)
	b = appendText(b, 8, t.name)
	if t.hasRaw {
		b = appendBlob(b, 9, t.raw)
	}
	b = appendDoubles(b, 10, t.doubles)
	return appendIntegers(b, 11, t.uint64s)
}

func (x *valueProto) encode() []byte {
	b := appendText(nil, 1, x.name)
	var shape []byte
	for _, d := range x.kind.dims {
		var dim []byte
		if d.fixed {
			dim = protowire.AppendVarint(protowire.AppendTag(dim, 1, protowire.VarintType), uint64(d.size))
		}
		shape = appendBlob(shape, 1, appendText(dim, 2, d.name))
	}
	tensor := appendInteger(nil, 1, x.kind.elem)
	if x.kind.hasShape {
		tensor = appendBlob(tensor, 2, shape)
	}
	b = appendBlob(b, 2, appendBlob(nil, 1, tensor))
	return appendText(b, 3, x.doc)
}
