package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// An Option says what a file leaves open.
type Option interface{ apply(*config) }

type config struct {
	shapes map[string][]int
	values map[string][]float64
}

type inputShape struct {
	name string
	dims []int
}

// InputShape says how large a sample of an input is, without the batch, where the file leaves that open: a model has one
// size for each input. With as many sizes as the input has axes in the file, all of it is one sample.
func InputShape(input string, dims ...int) Option { return inputShape{input, slices.Clone(dims)} }

func (o inputShape) apply(c *config) { c.shapes[o.name] = o.dims }

type inputValue struct {
	name   string
	values []float64
}

// InputValue makes an input of the graph a constant: the model does not have it then. It is for inputs that say how to compute, such
// as the axes of a reduction, which a model must know beforehand.
func InputValue(input string, values ...float64) Option {
	return inputValue{input, slices.Clone(values)}
}

func (o inputValue) apply(c *config) { c.values[o.name] = o.values }

// Load reads a model from a file.
func Load(path string, opts ...Option) (*nn.Model, error) {
	f, err := os.Open(path)
	return load(path, f, err, opts)
}

// LoadFS is [Load] from a file system, such as an embed.FS.
func LoadFS(fsys fs.FS, name string, opts ...Option) (*nn.Model, error) {
	f, err := fsys.Open(name)
	return load(name, f, err, opts)
}

func load(path string, f fs.File, err error, opts []Option) (*nn.Model, error) {
	var m *nn.Model
	if err == nil {
		defer f.Close()
		size := int64(0)
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		m, err = readAll(f, size, opts)
	}
	if err != nil {
		return nil, brief.Error(fmt.Errorf("onnx: Load %q: %w", path, err))
	}
	return m, nil
}

// Read is [Load] from a reader, which must end with the model.
func Read(r io.Reader, opts ...Option) (*nn.Model, error) {
	m, err := readAll(r, 0, opts)
	if err != nil {
		return nil, brief.Error(fmt.Errorf("onnx: Read: %w", err))
	}
	return m, nil
}

// maxFile is the largest file that protobuf allows.
const maxFile = 2 << 30

// readAll reads what is expected to have a size, of which no more than a part is believed.
func readAll(r io.Reader, expected int64, opts []Option) (*nn.Model, error) {
	if expected > maxFile {
		return nil, fmt.Errorf("has %d bytes, at most %d are possible", expected, int64(maxFile))
	}
	file := make([]byte, 0, max(512, expected+1))
	for {
		if len(file) == cap(file) {
			file = slices.Grow(file, len(file))
		}
		n, err := r.Read(file[len(file):cap(file)])
		file = file[:len(file)+n]
		if len(file) > maxFile {
			return nil, fmt.Errorf("has more than %d bytes", int64(maxFile))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return parse(file, opts)
}

// parse returns the model of a file.
func parse(file []byte, opts []Option) (*nn.Model, error) {
	c := config{shapes: map[string][]int{}, values: map[string][]float64{}}
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("option %d is nil", i)
		}
		o.apply(&c)
	}
	if len(file) == 0 {
		return nil, errors.New("is empty")
	}
	m, err := decodeModel(file)
	if err != nil {
		return nil, fmt.Errorf("is no ONNX model: %w", err)
	}
	g, err := newGraph(m, len(file), c)
	if err != nil {
		return nil, err
	}
	if err := g.shapes(); err != nil {
		return nil, err
	}
	name := m.graph.name
	if name == "" {
		name = "onnx"
	}
	return g.lower(nn.Name(name), nn.Metadata(m.userData()))
}

// userData returns what a file says about itself, as the metadata of a model has it.
func (m *modelProto) userData() map[string]string {
	all, size := map[string]string{}, 0
	for _, e := range m.metadata {
		if size += len(e.key) + len(e.value); size <= 1<<20 && utf8.ValidString(e.key) && utf8.ValidString(e.value) {
			all[e.key] = e.value
		}
	}
	return all
}
