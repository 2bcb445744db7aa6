package nn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// A model file is a safetensors file (https://github.com/huggingface/safetensors), so other programs can read the
// weights: the length of the header, 8 bytes; the header, JSON; the numbers of all tensors, one after the other. All is
// little-endian. The header's metadata says how to rebuild the model.
//
// A model has exactly one file: fields and tensors have one order. So a reader rebuilds the graph from the metadata,
// without memory for weights, and the header it was given is sound if it equals the header of that. A field that a later
// version adds must therefore be left out while it is zero, or else the version must change.

const (
	fileFormat  = "espalier"
	fileVersion = "1"

	maxHeader = 100_000_000 // bytes, as in safetensors' own implementation
	maxNodes  = 1 << 14     // and layers
	maxEdges  = 1 << 16     // operands of all nodes
	maxName   = 1 << 12     // bytes of a name
	maxNames  = 1 << 20     // bytes of the names of all nodes' layers
	maxValues = 1 << 20     // of one JSON text; what the others allow has less
)

// checkSize reports a graph that is too large. With maxNames, maxRank and maxElements these are the limits of a model;
// they keep the header of whatever NewModel accepts below maxHeader.
func checkSize(nodes, edges int) error {
	switch {
	case nodes > maxNodes:
		return fmt.Errorf("the model has %d nodes, at most %d are possible", nodes, maxNodes)
	case edges > maxEdges:
		return fmt.Errorf("the model's nodes are called on %d nodes in all, at most %d are possible", edges, maxEdges)
	}
	return nil
}

// metadata is "__metadata__" in the header, where safetensors allows only strings.
type metadata struct {
	Format       string `json:"format"`
	Version      string `json:"version"`
	Checksum     string `json:"checksum"`           // SHA-256 of the file in hexadecimal, with these digits zero
	Architecture string `json:"architecture"`       // JSON
	Training     string `json:"training,omitempty"` // JSON; "" if the model is not compiled
}

// The digits of the checksum are in one place in every file.
const (
	checksumDigits = 64
	checksumAt     = 8 + len(`{"__metadata__":{"format":"`+fileFormat+`","version":"`+fileVersion+`","checksum":"`)
)

// A tensor is an array of numbers in a file.
type tensor struct {
	name  string
	shape []int
	data  *[]float32 // where the model has the numbers
}

// tensorInfo is a tensor in the header.
type tensorInfo struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // of the first byte and the one after the last, from the end of the header
}

// encodeHeader returns a file up to the first number, with zeros for the checksum.
func encodeHeader(meta metadata, tensors []tensor) ([]byte, error) {
	meta.Format, meta.Version, meta.Checksum = fileFormat, fileVersion, strings.Repeat("0", checksumDigits)
	b := bytes.NewBuffer(make([]byte, 8))
	e := newEncoder(b)
	var errs []error
	encode := func(v any) {
		if err := e.Encode(v); err != nil {
			errs = append(errs, err)
		}
		b.Truncate(b.Len() - 1) // the end of the line
	}
	field := func(before, name string, value any) {
		b.WriteString(before)
		encode(name)
		b.WriteByte(':')
		encode(value)
	}
	field("{", "__metadata__", meta)
	var offset int64
	for _, t := range tensors {
		end := offset + 4*int64(elements(t.shape))
		field(",", t.name, tensorInfo{"F32", t.shape, [2]int64{offset, end}})
		offset = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	size := b.Len() - 8
	if size > maxHeader {
		errs = append(errs, fmt.Errorf("the header has %d bytes, at most %d are possible", size, maxHeader))
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(size))
	return b.Bytes(), errors.Join(errs...)
}

// readHeader reads a file up to the first number.
func readHeader(r io.Reader) ([]byte, error) {
	b := make([]byte, 8)
	if n, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("header length: %d of 8 bytes: %w", n, unexpected(err))
	}
	size := binary.LittleEndian.Uint64(b)
	if size > maxHeader {
		return nil, fmt.Errorf("header length %d is more than %d: not a safetensors file", size, maxHeader)
	}
	for end := 8 + int(size); len(b) < end; { // memory grows only with what has arrived
		have := len(b)
		b = append(make([]byte, 0, min(end, max(2*have, 1<<16))), b...)
		n, err := io.ReadFull(r, b[have:cap(b)])
		if err != nil {
			return nil, fmt.Errorf("header: %d of %d bytes: %w", have-8+n, size, unexpected(err))
		}
		b = b[:cap(b)]
	}
	return b, nil
}

// compareHeaders reports where a header, its checksum apart, is not what it must be.
func compareHeaders(have, want []byte) error {
	if bytes.Equal(have, want) {
		return nil
	}
	i := 8
	for i < min(len(have), len(want)) && have[i] == want[i] {
		i++
	}
	around := func(b []byte) []byte { return b[max(8, min(i-60, len(b))):min(i+60, len(b))] }
	return fmt.Errorf("header does not fit its architecture at byte %d: has `%s`, must be `%s`", i, around(have), around(want))
}

// writeFloats writes numbers as bytes.
func writeFloats(w io.Writer, v []float32) error {
	b := make([]byte, 0, 4*min(len(v), 1<<14))
	for i, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		if len(b) == cap(b) || i == len(v)-1 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return nil
}

// readFloats reads n numbers. Whatever n is, memory grows only with what has arrived.
func readFloats(r io.Reader, n int) ([]float32, error) {
	const step = 1 << 14
	buffer := make([]byte, 4*min(n, step))
	v := make([]float32, 0, min(n, step))
	for len(v) < n {
		b := buffer[:4*min(n-len(v), step)]
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, unexpected(err)
		}
		if len(v) == cap(v) {
			v = append(make([]float32, 0, min(n, 2*len(v))), v...)
		}
		for ; len(b) > 0; b = b[4:] {
			v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	}
	return v, nil
}

// unexpected returns err; where it is the end of the input, as one that came too early.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// encodeJSON returns v on one line, with < and the like as they are.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	err := newEncoder(&b).Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// decodeJSON sets v and reports fields that it does not have.
func decodeJSON(text string, v any) error {
	if err := checkValues(text); err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// checkValues reports a text whose values could take much more memory than the text itself, and strings that are longer
// than a name can be: errors would repeat them.
func checkValues(text string) error {
	n, quoted, begin := 1, false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if quoted = !quoted; quoted {
				begin = i + 1
			} else if i-begin > len(`\u0000`)*maxName {
				return fmt.Errorf("has a string of %d bytes, a name has at most %d", i-begin, maxName)
			}
		case quoted && c == '\\':
			i++
		case !quoted && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	if n > maxValues {
		return fmt.Errorf("has %d values, at most %d are possible", n, maxValues)
	}
	return nil
}

// An indices is a JSON array of numbers in exactly the memory that they need.
type indices []int

func (l *indices) UnmarshalJSON(text []byte) error {
	n := bytes.Count(text, []byte(",")) + 1
	if n > maxEdges {
		return fmt.Errorf("a list has %d elements, at most %d are possible", n, maxEdges)
	}
	*l = make(indices, 0, n)
	return json.Unmarshal(text, (*[]int)(l))
}

// A few is a JSON array of at most maxRank elements.
type few[T any] []T

func (l *few[T]) UnmarshalJSON(text []byte) error {
	if n := bytes.Count(text, []byte(",")) + 1; n > maxRank {
		return fmt.Errorf("a list has %d elements, at most %d are possible", n, maxRank)
	}
	return json.Unmarshal(text, (*[]T)(l))
}

// A list is a JSON array of at most maxNodes elements. Reading ends at the first wrong one, where package json would
// go on and make a struct for each two bytes of "[0,0,0,".
type list[T any] []T

func (l *list[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		if len(*l) == maxNodes {
			return fmt.Errorf("a list has more than %d elements", maxNodes)
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		*l = append(*l, v)
	}
	return nil
}
