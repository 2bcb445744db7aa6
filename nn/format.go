package nn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/espalier-ml/espalier/safetensors"
)

// A model file is a safetensors file, so other programs can read the weights. The header's metadata says how to rebuild
// the model.
//
// A model has exactly one file: fields and tensors have one order. So a reader rebuilds the graph from the metadata,
// without memory for weights, and the header it was given is sound if it equals the header of that. A configuration leaves
// out what is as in the registered defaults, so that files of today stay what they are when a class gets a field.

const (
	fileFormat  = "espalier"
	fileVersion = "2"

	maxNodes  = 1 << 14 // and layers
	maxEdges  = 1 << 16 // operands of all nodes
	maxName   = 1 << 12 // bytes of a name
	maxNames  = 1 << 20 // bytes of the names of all nodes' layers
	maxValues = 1 << 20 // of one JSON text; what the others allow has less
)

// checkSize reports a graph that is too large. With maxNames, maxRank and maxElements these are the limits of a model;
// they keep the header of whatever NewModel accepts below safetensors.MaxHeader.
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
	Checksum     string `json:"checksum"`     // SHA-256 of the file in hexadecimal, with these digits zero
	Architecture string `json:"architecture"` // JSON
	Training     string `json:"training"`     // JSON; "" if the model is not compiled
	SelfTest     string `json:"self_test"`    // JSON; "" if there is none
	Metadata     string `json:"metadata"`     // JSON of what the user says; "" for nothing
}

// The digits of the checksum are in one place in every file.
const (
	checksumDigits = 64
	checksumAt     = 8 + len(`{"__metadata__":{"format":"`+fileFormat+`","version":"`+fileVersion+`","checksum":"`)
)

// A tensor is an array of numbers in a file.
type tensor struct {
	name  string
	shape Shape
	data  *[]float32 // where the model has the numbers
}

// encodeHeader returns a file up to the first number, with zeros for the checksum.
func encodeHeader(meta metadata, tensors []tensor) ([]byte, error) {
	entries := []safetensors.Entry{
		{Key: "format", Value: fileFormat},
		{Key: "version", Value: meta.Version},
		{Key: "checksum", Value: strings.Repeat("0", checksumDigits)},
		{Key: "architecture", Value: meta.Architecture},
	}
	for _, e := range []safetensors.Entry{{Key: "training", Value: meta.Training}, {Key: "self_test", Value: meta.SelfTest}, {Key: "metadata", Value: meta.Metadata}} {
		if e.Value != "" {
			entries = append(entries, e)
		}
	}
	infos := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		infos[i] = safetensors.Tensor{Name: t.name, Shape: t.shape}
	}
	return safetensors.EncodeHeader(entries, infos)
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
