// Package safetensors reads and writes files of tensors in the safetensors format
// (https://github.com/huggingface/safetensors): the length of the header, 8 bytes; the header, JSON; the numbers of all
// tensors, one after the other. All is little-endian. It knows no model: tensors in, tensors out.
//
// A file is never trusted. A header has at most [MaxHeader] bytes, whatever a file claims memory grows only with what has
// arrived, and nothing that a file holds panics.
package safetensors

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A Tensor is an array of numbers with a name, row by row. A shape without dimensions is that of one number.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// An Entry is a line of a file's metadata, which may say anything about it.
type Entry struct{ Key, Value string }

// Write writes tensors as F32, with metadata before them, both in the order given: the same arguments give the same
// bytes. What [EncodeHeader] refuses, and a tensor whose values are more or fewer than its shape has, is an error before
// the first byte.
func Write(w io.Writer, metadata []Entry, tensors []Tensor) error {
	header, err := EncodeHeader(metadata, tensors)
	if err != nil {
		return err
	}
	for _, t := range tensors {
		if n, _ := bytesOf(t.Shape, 4); int64(len(t.Data)) != n/4 {
			return fmt.Errorf("safetensors: tensor %s has %d values, shape %v needs %d", brief.Quote(t.Name), len(t.Data), t.Shape, n/4)
		}
	}
	out := bufio.NewWriter(w)
	out.Write(header) // its error is that of Flush
	for _, t := range tensors {
		if err := WriteFloats(out, t.Data); err != nil {
			break
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

// Read reads a file, which must end with the last number. Each number becomes a float32: F64 is rounded to the nearest one,
// all other types stay exactly what they are. An integer that float32 does not have, such as 2^24+1, and an F64 beyond its
// range are errors. Tensors come in the order of their numbers. What [ReadHeader] and [ParseHeader] refuse is an error.
func Read(r io.Reader) ([]Entry, []Tensor, error) {
	in := bufio.NewReader(r)
	b, err := ReadHeader(in)
	if err != nil {
		return nil, nil, err
	}
	h, err := ParseHeader(b)
	if err != nil {
		return nil, nil, err
	}
	var tensors []Tensor
	for _, t := range h.Tensors {
		d := dtypes[t.DType]
		data, err := readNumbers(in, (t.End-t.Begin)/d.size, d)
		if err != nil {
			return nil, nil, fmt.Errorf("safetensors: tensor %s: %w", brief.Quote(t.Name), err)
		}
		tensors = append(tensors, Tensor{t.Name, t.Shape, data})
	}
	if _, err := in.ReadByte(); err == nil {
		return nil, nil, errors.New("safetensors: goes on after the last number")
	} else if err != io.EOF {
		return nil, nil, fmt.Errorf("safetensors: %w", err)
	}
	return h.Metadata, tensors, nil
}
