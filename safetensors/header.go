package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
)

// MaxHeader is up to where a header can be, in bytes, as in the format's own implementation.
const MaxHeader = 100_000_000

const metadataKey = "__metadata__"

// A Header says what is in a file.
type Header struct {
	Metadata []Entry
	Tensors  []Info // in the order of their numbers
}

// An Info says where a tensor is: its numbers are the bytes from Begin to before End, from the end of the header.
type Info struct {
	Name       string
	DType      string // F32, F16, ...
	Shape      []int
	Begin, End int64
}

// info is a tensor in the header's JSON.
type info struct {
	DType   string  `json:"dtype"`
	Shape   []int   `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// EncodeHeader returns a file of F32 tensors up to the first number; it does not look at their data. It is an error if a
// name or an entry is not valid UTF-8, if a name is there twice or is "__metadata__", if a dimension is negative, if the
// numbers would take 2^63 bytes or more, and if the header has more than [MaxHeader] bytes.
func EncodeHeader(metadata []Entry, tensors []Tensor) ([]byte, error) {
	b, err := encodeHeader(metadata, tensors)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return b, nil
}

func encodeHeader(metadata []Entry, tensors []Tensor) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 8))
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	encode := func(v any) {
		e.Encode(v)             // a string or an info, which cannot fail
		b.Truncate(b.Len() - 1) // the end of the line
	}
	separator := byte('{')
	field := func(name string, value any) {
		b.WriteByte(separator)
		separator = ','
		encode(name)
		b.WriteByte(':')
		encode(value)
	}
	if len(metadata) > 0 {
		b.WriteString(`{"` + metadataKey + `":`)
		seen := map[string]bool{}
		for _, m := range metadata {
			if err := checkKey("metadata", m.Key, seen); err != nil {
				return nil, err
			}
			if !utf8.ValidString(m.Value) {
				return nil, fmt.Errorf("metadata %s: the value is not valid UTF-8", brief.Quote(m.Key))
			}
			field(m.Key, m.Value)
		}
		b.WriteByte('}')
	}
	seen := map[string]bool{metadataKey: true}
	var offset int64
	for _, t := range tensors {
		if err := checkKey("tensor", t.Name, seen); err != nil {
			return nil, err
		}
		n, ok := bytesOf(t.Shape, 4)
		if !ok || offset > math.MaxInt64-n {
			return nil, fmt.Errorf("tensor %s: shape %s has a negative dimension or too many numbers", brief.Quote(t.Name), briefShape(t.Shape))
		}
		field(t.Name, info{"F32", append([]int{}, t.Shape...), []int64{offset, offset + n}})
		offset += n
	}
	if b.Len() == 8 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	size := b.Len() - 8
	if size > MaxHeader {
		return nil, fmt.Errorf("the header has %d bytes, at most %d are possible", size, MaxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(size))
	return b.Bytes(), nil
}

// checkKey reports a key that is not text or that was seen before.
func checkKey(what, key string, seen map[string]bool) error {
	if !utf8.ValidString(key) {
		return fmt.Errorf("%s %s: the name is not valid UTF-8", what, brief.Quote(key))
	}
	if seen[key] {
		if key == metadataKey {
			return fmt.Errorf("%s %s: the name stands for metadata", what, brief.Quote(key))
		}
		return fmt.Errorf("%s %s is there twice", what, brief.Quote(key))
	}
	seen[key] = true
	return nil
}

// bytesOf returns how many bytes numbers of the given size take, and whether there can be as many.
func bytesOf(shape []int, size int64) (int64, bool) {
	n := size
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if d == 0 {
			n = 0
		}
	}
	for _, d := range shape {
		if n > 0 && int64(d) > math.MaxInt64/n {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}

// briefShape keeps the message about a shape short.
func briefShape(shape []int) string {
	return brief.Cut(fmt.Sprint(shape[:min(len(shape), 33)]), brief.MaxQuoted)
}

// ReadHeader reads a file up to the first number and returns it as it is, the 8 bytes of the length before the JSON. The
// length is judged before anything else is read; memory grows only with what has arrived. A file that ends too early is
// an error that wraps io.ErrUnexpectedEOF.
func ReadHeader(r io.Reader) ([]byte, error) {
	b := make([]byte, 8)
	if n, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("safetensors: header length: %d of 8 bytes: %w", n, unexpected(err))
	}
	size := binary.LittleEndian.Uint64(b)
	if size > MaxHeader {
		return nil, fmt.Errorf("safetensors: header length %d is more than %d: not a safetensors file", size, MaxHeader)
	}
	for end := 8 + int(size); len(b) < end; {
		have := len(b)
		b = append(make([]byte, 0, min(end, max(2*have, 1<<16))), b...)
		n, err := io.ReadFull(r, b[have:cap(b)])
		if err != nil {
			return nil, fmt.Errorf("safetensors: header: %d of %d bytes: %w", have-8+n, size, unexpected(err))
		}
		b = b[:cap(b)]
	}
	return b, nil
}

// unexpected returns err; where it is the end of the input, as one that came too early.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ParseHeader decodes what [ReadHeader] returns. It is an error if a name is there twice, a type of numbers is not known,
// a shape does not fit its bytes, or the tensors' bytes overlap or leave gaps.
func ParseHeader(b []byte) (*Header, error) {
	h := &Header{}
	err := errors.New("shorter than its length")
	if len(b) >= 8 {
		if err = h.parse(b[8:]); err == nil {
			err = h.check()
		}
	}
	if err != nil {
		return nil, brief.Error(fmt.Errorf("safetensors: header: %w", unexpected(err)))
	}
	return h, nil
}

func (h *Header) parse(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	seen := map[string]bool{}
	err := object(d, func(name string) error {
		if name == metadataKey && !seen[name] {
			seen[name] = true
			keys := map[string]bool{}
			return object(d, func(key string) error {
				value, err := d.Token()
				text, ok := value.(string)
				if err == nil && !ok {
					err = fmt.Errorf("metadata %s is not a string", brief.Quote(key))
				}
				h.Metadata = append(h.Metadata, Entry{key, text})
				return cmp.Or(err, checkKey("metadata", key, keys))
			})
		}
		var t info
		if err := cmp.Or(d.Decode(&t), checkKey("tensor", name, seen)); err != nil {
			return err
		}
		if _, ok := dtypes[t.DType]; !ok {
			return fmt.Errorf("tensor %s: %w", brief.Quote(name), errDType(t.DType))
		}
		if len(t.Offsets) != 2 || t.Shape == nil {
			return fmt.Errorf("tensor %s needs a shape and two data_offsets", brief.Quote(name))
		}
		h.Tensors = append(h.Tensors, Info{name, t.DType, t.Shape, t.Offsets[0], t.Offsets[1]})
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("goes on after its JSON object")
	}
	return nil
}

// object reads a JSON object: field reads the value of each key.
func object(d *json.Decoder, field func(key string) error) error {
	begin, err := d.Token()
	if err != nil {
		return err
	}
	if begin != json.Delim('{') {
		return errors.New("is not a JSON object where there must be one")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if err := field(key.(string)); err != nil { // all that Token returns for a key
			return err
		}
	}
	_, err = d.Token()
	return err
}

// check orders the tensors and reports bytes that are not those of exactly one.
func (h *Header) check() error {
	slices.SortStableFunc(h.Tensors, func(a, b Info) int { return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End)) })
	var offset int64
	for _, t := range h.Tensors {
		n, ok := bytesOf(t.Shape, dtypes[t.DType].size)
		if !ok || t.Begin != offset || t.End < t.Begin || t.End-t.Begin != n {
			return fmt.Errorf("tensor %s has the bytes from %d to %d: its %s of shape %s must have as many as they need, from %d",
				brief.Quote(t.Name), t.Begin, t.End, t.DType, briefShape(t.Shape), offset)
		}
		offset = t.End
	}
	return nil
}
