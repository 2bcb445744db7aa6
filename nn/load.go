package nn

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/safetensors"
)

// A LoadOption configures what reads a model.
type LoadOption interface{ applyLoad(*loading) }

// A loading is what is known before a model is read.
type loading struct {
	maxBytes int64 // of its values
	serves   bool  // the state of the optimizer is not kept
	prefix   string
	untested bool
}

// A ForServingOption says that a model is only to serve.
type ForServingOption struct{}

// ForServing reads a model without what only training needs. It is not compiled, and takes the memory of its weights alone.
func ForServing() ForServingOption { return ForServingOption{} }

func (ForServingOption) applyLoad(c *loading) { c.serves = true }

// A PrefixOption is what the names of a model's layers are to begin with.
type PrefixOption string

// Prefix puts a prefix before the names of all layers of the model that is read, and so of its inputs, outputs and weights, so
// that it can be joined with another one whose layers have the same names. The model is not compiled.
func Prefix(prefix string) PrefixOption { return PrefixOption(prefix) }

func (o PrefixOption) applyLoad(c *loading) { c.prefix = string(o) }

// Load returns the model that Save wrote. A file that differs from what Save would write in a single byte is an error.
// A file is never trusted: while it is read, it takes at most 16 MB and 8 times what has arrived, whatever it claims, and
// every number in it has a range. A model has at most 16,384 nodes with at most 65,536 inputs in all, and the names of all
// nodes' layers take at most 1 MiB together; NewModel makes no larger ones.
func Load(path string, opts ...LoadOption) (*Model, error) {
	f, err := os.Open(path)
	return load(path, f, err, opts)
}

// LoadFS is Load from a file system, such as an embed.FS.
func LoadFS(fsys fs.FS, name string, opts ...LoadOption) (*Model, error) {
	f, err := fsys.Open(name)
	return load(name, f, err, opts)
}

func load(path string, f fs.File, err error, opts []LoadOption) (*Model, error) {
	var m *Model
	if err == nil {
		defer f.Close()
		m, err = readWith(f, opts)
	}
	if err != nil {
		return nil, brief.Error(fmt.Errorf("nn: Load %q: %w", path, err))
	}
	return m, nil
}

// Read is Load from a reader, which must end with the model.
func Read(r io.Reader, opts ...LoadOption) (*Model, error) {
	m, err := readWith(r, opts)
	if err != nil {
		return nil, brief.Error(fmt.Errorf("nn: Read: %w", err))
	}
	return m, nil
}

func readWith(r io.Reader, opts []LoadOption) (*Model, error) {
	c := loading{maxBytes: math.MaxInt64}
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("option %d is nil", i)
		}
		o.applyLoad(&c)
	}
	m, err := read(r, c)
	if err == nil && m.selfTest != nil && !c.untested {
		err = m.selfTest.run(m)
	}
	if err != nil {
		return nil, err
	}
	m.selfTest = nil
	return m, nil
}

func read(r io.Reader, c loading) (*Model, error) {
	if err := kernels.Err(); err != nil {
		return nil, err
	}
	in := bufio.NewReader(r)
	have, err := safetensors.ReadHeader(in)
	if err != nil {
		return nil, err
	}
	m, want, err := parseHeader(have[8:])
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
	if c.serves {
		kept = len(m.weights)
	}
	size := int64(0)
	for _, t := range tensors[:kept] {
		size += 4 * int64(t.shape.Elements())
	}
	if size > c.maxBytes {
		return nil, fmt.Errorf("has values of %d bytes, MaxBytes allows %d", size, c.maxBytes)
	}
	for i, t := range tensors {
		if i >= kept {
			if _, err = io.CopyN(io.Discard, body, 4*int64(t.shape.Elements())); err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
		} else {
			*t.data, err = safetensors.ReadFloats(body, t.shape.Elements())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", brief.Quote(t.name), err)
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
	if c.prefix != "" {
		m.trainer = nil
		if err := m.rename(c.prefix); err != nil {
			return nil, fmt.Errorf("prefix %s: %w", brief.Quote(c.prefix), err)
		}
	}
	if c.serves {
		m.trainer = nil
		for _, w := range m.weights {
			w.param.place(w.Data)
			w.Matrix = w.param.value
		}
		m.adoptValues()
		return m, nil
	}
	m.gather()
	m.adoptValues()
	if m.trainer != nil {
		m.trainer.gather()
	}
	return m, nil
}

// rename puts a prefix before the names of the layers, which no other model has yet.
func (m *Model) rename(prefix string) error {
	for _, l := range m.layers {
		l.name = prefix + l.name
		if s := l.submodel(); s != nil {
			s.name = l.name
		}
	}
	for l, path := range m.paths {
		m.paths[l] = prefix + path
	}
	for _, w := range m.weights {
		w.Name = prefix + w.Name
	}
	m.inputNodes, m.outputNodes = nodesByName(m.inputs), nodesByName(m.outputs)
	_, err := nameLayers(m.layers)
	return errors.Join(err, m.measure(), m.checkNames())
}

// parseHeader returns the model that a header describes, without values, and the header that is the only one for it.
func parseHeader(text []byte) (*Model, []byte, error) {
	var header struct {
		Metadata metadata `json:"__metadata__"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	meta := &header.Metadata
	if meta.Format != fileFormat {
		return nil, nil, fmt.Errorf("format is %s, must be %q: not a model that Save wrote", brief.Quote(meta.Format), fileFormat)
	}
	if meta.Version == version1 {
		return meta.parseVersion1()
	}
	if meta.Version != fileVersion {
		return nil, nil, fmt.Errorf("version is %s, must be %q or %q", brief.Quote(meta.Version), version1, fileVersion)
	}
	var a architecture
	if err := decodeJSON(meta.Architecture, &a); err != nil {
		return nil, nil, fmt.Errorf("architecture: %w", err)
	}
	m, err := a.model(1)
	if err != nil {
		return nil, nil, fmt.Errorf("architecture: %w", err)
	}
	if meta.Training != "" {
		var t training
		if err := decodeJSON(meta.Training, &t); err != nil {
			return nil, nil, fmt.Errorf("training: %w", err)
		}
		if err := t.compile(m); err != nil {
			return nil, nil, fmt.Errorf("training: %w", err)
		}
	}
	if m.metadata, err = decodeMetadata(meta.Metadata); err != nil {
		return nil, nil, err
	}
	if meta.SelfTest != "" {
		if err := json.Unmarshal([]byte(meta.SelfTest), &m.selfTest); err != nil {
			return nil, nil, fmt.Errorf("self-test: %w", err)
		}
	}
	want, err := m.header(m.selfTest, m.metadata)
	return m, want, err
}

// model builds the graph of a model that is so deep within others. It reports only the first error: all of them could be much longer than the file.
func (a *architecture) model(depth int) (*Model, error) {
	if depth > maxDepth {
		return nil, extent{depth: depth}.check()
	}
	e := extent{nodes: len(a.Nodes)}
	for _, c := range a.Nodes {
		e.edges += len(c.On)
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	layers := map[string]*Layer{}
	for _, c := range a.Layers {
		l, err := c.layer(depth)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", brief.Quote(c.Name), err)
		}
		if layers[c.Name] != nil {
			return nil, fmt.Errorf("two layers have the name %s", brief.Quote(c.Name))
		}
		if s := l.submodel(); s != nil {
			if e = e.within(s.extent); e.check() != nil {
				return nil, e.check()
			}
		}
		layers[c.Name] = l
	}
	var nodes []*Node
	for i, c := range a.Nodes {
		l := layers[c.Layer]
		if l == nil {
			return nil, fmt.Errorf("node %d: unknown layer %s: valid are %s", i, brief.Quote(c.Layer), brief.QuoteAll(slices.Sorted(maps.Keys(layers))))
		}
		if s := l.submodel(); s != nil { // a small file can have many calls of a large model
			if e.nodes += len(s.nodes); e.check() != nil {
				return nil, e.check()
			}
		}
		made, err := l.callOn(c.On, nodes)
		if err != nil {
			return nil, fmt.Errorf("node %d: %s: %w", i, l.describe(), err)
		}
		nodes = append(nodes, made...)
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
		if isSource(n) != isInput[n] {
			return nil, fmt.Errorf("node %d: %s: the inputs must be the nodes of class InputLayer", i, n.layer.describe())
		}
	}
	m.asLayer(a.Name)
	return m, m.connect()
}

func (c *layerConfig) layer(depth int) (*Layer, error) {
	if c.Name == "" {
		return nil, errors.New("has no name")
	}
	if c.Class == className(&functional{}) {
		return c.submodel(depth + 1)
	}
	kind, err := newObject[Kind](c.Class, c.Config)
	if err != nil {
		return nil, err
	}
	l := New(kind, Name(c.Name))
	l.frozen = !c.Trainable
	return l, nil
}

// submodel returns the layer that a model is.
func (c *layerConfig) submodel(depth int) (*Layer, error) {
	var a architecture
	if err := decodeJSON(string(c.Config), &a); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if a.Name != c.Name {
		return nil, fmt.Errorf("its model has the name %s", brief.Quote(a.Name))
	}
	m, err := a.model(depth)
	if err != nil {
		return nil, err
	}
	return m.layer, nil
}

// callOn calls the layer on earlier nodes.
func (l *Layer) callOn(on []int, earlier []*Node) ([]*Node, error) {
	if len(on) == 0 {
		if len(l.nodes) > 0 {
			return nil, errors.New("must be there once and on no other node")
		}
		n := l.source()
		return []*Node{n}, n.err
	}
	var in []*Node
	for _, i := range on {
		if i < 0 || i >= len(earlier) {
			return nil, fmt.Errorf("is on node %d, valid are earlier ones, 0 to %d", i, len(earlier)-1)
		}
		in = append(in, earlier[i])
	}
	if s := l.submodel(); s != nil {
		made := s.OutputsOn(in...)
		call := l.nodes[len(l.nodes)-1]
		for _, n := range call.body {
			if n.err != nil {
				return nil, fmt.Errorf("%s: %w", s.describe(n.layer), n.err)
			}
		}
		return made, call.err
	}
	n := l.On(in...)
	return []*Node{n}, n.err
}

// ends returns the nodes that are inputs or outputs. Each needs a name, a layer, of its own.
func ends(what string, places []int, nodes []*Node) ([]*Node, error) {
	var all []*Node
	seen := map[*Layer]bool{}
	for _, i := range places {
		if i < 0 || i >= len(nodes) {
			return nil, fmt.Errorf("%s is node %d, valid are 0 to %d", what, i, len(nodes)-1)
		}
		l := nodes[i].top().layer
		if seen[l] {
			return nil, fmt.Errorf("two %ss are from %s", what, l.describe())
		}
		seen[l] = true
		all = append(all, nodes[i])
	}
	return all, nil
}

// maxIterations is up to where the optimizer can count: float64, in which Adam computes its correction, has every number.
// No training gets there.
const maxIterations = 1 << 53

// compile does what Compile does, but for the optimizer's state.
func (t *training) compile(m *Model) error {
	c := compilation{Losses{}, LossWeights{}, Metrics{}, WeightedMetrics{}}
	for _, n := range m.outputs {
		c.losses[n.name()] = nil
	}
	for _, h := range t.Heads {
		loss, ok := c.losses[h.Output]
		if !ok {
			return fmt.Errorf("unknown output %s: valid are %s", brief.Quote(h.Output), brief.QuoteAll(m.OutputNames()))
		}
		if loss != nil {
			return fmt.Errorf("output %s is there twice", brief.Quote(h.Output))
		}
		if c.losses[h.Output] = h.Loss.Value; h.Loss.Value == nil {
			return fmt.Errorf("output %s has no loss", brief.Quote(h.Output))
		}
		c.weights[h.Output] = h.Weight
		for _, metric := range h.Metrics {
			c.metrics[h.Output] = append(c.metrics[h.Output], metric.Value)
		}
		for _, metric := range h.Weighted {
			c.weighted[h.Output] = append(c.weighted[h.Output], metric.Value)
		}
	}
	if t.Iterations < 0 || t.Iterations > maxIterations {
		return fmt.Errorf("iterations are %d, valid are 0 to %d", t.Iterations, int64(maxIterations))
	}
	heads, err := m.heads(c)
	if err = errors.Join(checkOptimizer(t.Optimizer.Value), err); err != nil {
		return err
	}
	m.trainer = newTrainer(m, t.Optimizer.Value, heads)
	m.trainer.iterations = t.Iterations
	return nil
}
