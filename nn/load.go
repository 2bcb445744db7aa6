package nn

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
)

// Load returns the model that Save wrote. A file that differs from what Save would write in a single byte is an error;
// a file is never trusted: memory grows only with what it holds.
func Load(path string) (*Model, error) {
	f, err := os.Open(path)
	return load(path, f, err)
}

// LoadFS is Load from a file system, such as an embed.FS.
func LoadFS(fsys fs.FS, name string) (*Model, error) {
	f, err := fsys.Open(name)
	return load(name, f, err)
}

func load(path string, f fs.File, err error) (*Model, error) {
	var m *Model
	if err == nil {
		defer f.Close()
		m, err = read(f, false)
	}
	if err != nil {
		return nil, fmt.Errorf("nn: Load %q: %w", path, err)
	}
	return m, nil
}

// Parse is Load from memory. The model does not refer to b.
func Parse(b []byte) (*Model, error) { return Read(bytes.NewReader(b)) }

// Read is Load from a reader, which must end with the model.
func Read(r io.Reader) (*Model, error) {
	m, err := read(r, false)
	if err != nil {
		return nil, fmt.Errorf("nn: Read: %w", err)
	}
	return m, nil
}

// LoadPlan returns a plan of the model that Save wrote, without what only training needs: see [NewPlan].
func LoadPlan(path string, maxBatch int, opts ...PlanOption) (*Plan, error) {
	f, err := os.Open(path)
	return loadPlan(path, f, err, maxBatch, opts)
}

// LoadPlanFS is LoadPlan from a file system, such as an embed.FS.
func LoadPlanFS(fsys fs.FS, name string, maxBatch int, opts ...PlanOption) (*Plan, error) {
	f, err := fsys.Open(name)
	return loadPlan(name, f, err, maxBatch, opts)
}

func loadPlan(path string, f fs.File, err error, maxBatch int, opts []PlanOption) (*Plan, error) {
	if err != nil {
		return nil, fmt.Errorf("nn: LoadPlan %q: %w", path, err)
	}
	defer f.Close()
	p, err := ReadPlan(f, maxBatch, opts...)
	if err != nil {
		return nil, fmt.Errorf("nn: LoadPlan %q: %w", path, err)
	}
	return p, nil
}

// ParsePlan is LoadPlan from memory. The plan does not refer to b.
func ParsePlan(b []byte, maxBatch int, opts ...PlanOption) (*Plan, error) {
	return ReadPlan(bytes.NewReader(b), maxBatch, opts...)
}

// ReadPlan is LoadPlan from a reader, which must end with the model.
func ReadPlan(r io.Reader, maxBatch int, opts ...PlanOption) (*Plan, error) {
	m, err := read(r, true)
	if err != nil {
		return nil, fmt.Errorf("nn: ReadPlan: %w", err)
	}
	return NewPlan(m, maxBatch, opts...)
}

// read reads a model. One that only serves does not keep the state of the optimizer.
func read(r io.Reader, serves bool) (*Model, error) {
	if err := kernels.Err(); err != nil {
		return nil, err
	}
	in := bufio.NewReader(r)
	have, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	m, err := parseHeader(have[8:])
	if err != nil {
		return nil, err
	}
	want, err := m.header()
	if err != nil {
		return nil, err
	}
	var checksum string
	if end := checksumAt + checksumDigits; len(have) >= end {
		checksum = string(have[checksumAt:end])
		copy(have[checksumAt:end], want[checksumAt:])
	}
	if err := compareHeaders(have, want); err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(have)
	body := io.TeeReader(in, sum)
	tensors := m.tensors()
	kept := len(tensors)
	if serves {
		kept = len(m.weights)
	}
	for i, t := range tensors {
		if i >= kept {
			if _, err = io.CopyN(io.Discard, body, 4*int64(elements(t.shape))); err != nil {
				return nil, fmt.Errorf("%q: %w", t.name, unexpected(err))
			}
		} else if *t.data, err = readFloats(body, elements(t.shape)); err != nil {
			return nil, fmt.Errorf("%q: %w", t.name, err)
		}
	}
	if _, err := in.ReadByte(); err == nil {
		return nil, errors.New("goes on after the last value")
	} else if err != io.EOF {
		return nil, err
	}
	if s := hex.EncodeToString(sum.Sum(nil)); s != checksum {
		return nil, fmt.Errorf("is damaged: its checksum is %q, its content has %q", checksum, s)
	}
	for _, t := range tensors[:kept] {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	for _, w := range m.weights {
		w.param.value = kernels.MatrixOf(w.Data, w.param.rows, w.param.cols)
		w.Matrix = w.param.value
	}
	return m, nil
}

// parseHeader returns the model that a header describes, without values.
func parseHeader(text []byte) (*Model, error) {
	var header struct {
		Metadata metadata `json:"__metadata__"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	meta := &header.Metadata
	if meta.Format != fileFormat {
		return nil, fmt.Errorf("format is %q, must be %q: not a model that Save wrote", meta.Format, fileFormat)
	}
	if meta.Version != fileVersion {
		return nil, fmt.Errorf("version is %q, must be %q", meta.Version, fileVersion)
	}
	var a architecture
	if err := decodeJSON(meta.Architecture, &a); err != nil {
		return nil, fmt.Errorf("architecture: %w", err)
	}
	m, err := a.model()
	if err != nil {
		return nil, fmt.Errorf("architecture: %w", err)
	}
	if meta.Training != "" {
		var t training
		if err = decodeJSON(meta.Training, &t); err == nil {
			err = t.compile(m)
		}
		if err != nil {
			return nil, fmt.Errorf("training: %w", err)
		}
	}
	return m, nil
}

// model builds the graph. It reports only the first error: all of them could be much longer than the file.
func (a *architecture) model() (*Model, error) {
	layers := map[string]*Layer{}
	for _, c := range a.Layers {
		l, err := c.layer()
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", c.Name, err)
		}
		if layers[c.Name] != nil {
			return nil, fmt.Errorf("two layers have the name %q", c.Name)
		}
		layers[c.Name] = l
	}
	var nodes []*Node
	for i, c := range a.Nodes {
		l := layers[c.Layer]
		if l == nil {
			return nil, fmt.Errorf("node %d: unknown layer %q: valid are %q", i, c.Layer, slices.Sorted(maps.Keys(layers)))
		}
		n, err := l.node(c.On, nodes)
		if err != nil {
			return nil, fmt.Errorf("node %d: %s: %w", i, l.describe(), err)
		}
		nodes = append(nodes, n)
	}
	m := &Model{name: a.Name, seed: a.Seed}
	var err, err2 error
	m.inputs, err = ends("input", a.Inputs, nodes)
	m.outputs, err2 = ends("output", a.Outputs, nodes)
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	isInput := map[*Node]bool{}
	for _, n := range m.inputs {
		isInput[n] = true
	}
	for i, n := range nodes {
		if _, ok := n.layer.kind.(*inputLayer); ok != isInput[n] {
			return nil, fmt.Errorf("node %d: %s: the inputs must be the nodes of class InputLayer", i, n.layer.describe())
		}
	}
	return m, m.connect()
}

// kinds are the classes of layers that a file can have.
var kinds = map[string]func() kind{
	"Activation":  func() kind { return &activation{} },
	"Add":         newAdd,
	"Concatenate": func() kind { return &concatenate{} },
	"Dense":       func() kind { return &dense{} },
	"Dropout":     func() kind { return &dropout{} },
	"Embedding":   func() kind { return &embedding{} },
	"Flatten":     func() kind { return &flatten{} },
	"InputLayer":  func() kind { return &inputLayer{} },
	"Multiply":    newMultiply,
	"Reshape":     func() kind { return &reshape{} },
}

func (c *layerConfig) layer() (*Layer, error) {
	newKind, ok := kinds[c.Class]
	if !ok {
		return nil, fmt.Errorf("unknown class %q: valid are %q", c.Class, slices.Sorted(maps.Keys(kinds)))
	}
	if c.Name == "" {
		return nil, errors.New("has no name")
	}
	l := newLayer(newKind(), nameOption(c.Name))
	l.frozen = !c.Trainable
	if err := decodeJSON(string(c.Config), l.kind); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return l, nil
}

// node calls the layer on earlier nodes.
func (l *Layer) node(on []int, earlier []*Node) (*Node, error) {
	if _, ok := l.kind.(*inputLayer); ok {
		if len(on) > 0 || len(l.nodes) > 0 {
			return nil, errors.New("must be there once and on no other node")
		}
		n := l.source()
		return n, n.err
	}
	var in []*Node
	for _, i := range on {
		if i < 0 || i >= len(earlier) {
			return nil, fmt.Errorf("is on node %d, valid are earlier ones, 0 to %d", i, len(earlier)-1)
		}
		in = append(in, earlier[i])
	}
	n := l.On(in...)
	return n, n.err
}

// ends returns the nodes that are inputs or outputs. Each needs a name, a layer, of its own.
func ends(what string, places []int, nodes []*Node) ([]*Node, error) {
	var all []*Node
	seen := map[*Layer]bool{}
	for _, i := range places {
		if i < 0 || i >= len(nodes) {
			return nil, fmt.Errorf("%s is node %d, valid are 0 to %d", what, i, len(nodes)-1)
		}
		if n := nodes[i]; seen[n.layer] {
			return nil, fmt.Errorf("two %ss are from %s", what, n.layer.describe())
		}
		seen[nodes[i].layer] = true
		all = append(all, nodes[i])
	}
	return all, nil
}

// compile does what Compile does, but for the optimizer's state.
func (t *training) compile(m *Model) error {
	c := compilation{Losses{}, LossWeights{}, Metrics{}}
	for _, n := range m.outputs {
		c.losses[n.layer.name] = nil
	}
	for _, h := range t.Heads {
		loss, ok := c.losses[h.Output]
		if !ok {
			return fmt.Errorf("unknown output %q: valid are %q", h.Output, m.OutputNames())
		}
		if loss != nil {
			return fmt.Errorf("output %q is there twice", h.Output)
		}
		var err error
		if c.losses[h.Output], err = h.Loss.loss(); err != nil {
			return fmt.Errorf("output %q: %w", h.Output, err)
		}
		c.weights[h.Output] = h.Weight
		for _, name := range h.Metrics {
			metric, err := metricNamed(name)
			if err != nil {
				return fmt.Errorf("output %q: %w", h.Output, err)
			}
			c.metrics[h.Output] = append(c.metrics[h.Output], metric)
		}
	}
	if t.Iterations < 0 {
		return fmt.Errorf("iterations are %d, must not be negative", t.Iterations)
	}
	heads, err := m.heads(c)
	if err = errors.Join(t.Optimizer.check(), err); err != nil {
		return err
	}
	m.trainer = newTrainer(m, t.Optimizer, heads)
	m.trainer.iterations = t.Iterations
	return nil
}
