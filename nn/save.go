package nn

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"unicode/utf8"
)

// architecture is the graph of a model in a file.
type architecture struct {
	Name    string            `json:"name"`
	Seed    uint64            `json:"seed"`
	Layers  list[layerConfig] `json:"layers"`  // in the order of their creation
	Nodes   list[nodeConfig]  `json:"nodes"`   // in the order of their creation
	Inputs  []int             `json:"inputs"`  // in Nodes
	Outputs []int             `json:"outputs"` // in Nodes
}

type layerConfig struct {
	Class     string          `json:"class"`
	Name      string          `json:"name"`
	Config    json.RawMessage `json:"config"`
	Trainable bool            `json:"trainable"`
}

// nodeConfig is one call of a layer. A node can only be called on earlier ones, so there are no cycles.
type nodeConfig struct {
	Layer string `json:"layer"`
	On    []int  `json:"on,omitempty"` // in Nodes
}

// training is what Compile was given and how far training has come.
type training struct {
	Optimizer  Optimizer        `json:"optimizer"`
	Iterations int64            `json:"iterations"`
	Heads      list[headConfig] `json:"heads"` // the outputs that are trained
}

type headConfig struct {
	Output  string     `json:"output"`
	Loss    lossConfig `json:"loss"`
	Weight  float64    `json:"loss_weight"`
	Metrics []string   `json:"metrics,omitempty"`
}

// Save writes the model to a file that Load reads: its graph, weights and, if it is compiled, everything that training
// needs to go on as if it had not been interrupted. Weights that are not finite are an error.
//
// The file is complete or not there at all: Save writes a temporary file, .espalier-*.tmp in the same folder, and then
// gives it the name path, which replaces a regular file of that name. If Save fails before that, the old file stays and
// the temporary one is removed; a process that is killed may leave the latter behind.
func (m *Model) Save(path string) error {
	if err := m.save(path); err != nil {
		return fmt.Errorf("nn: Save %q: %w", path, err)
	}
	return nil
}

func (m *Model) save(path string) error {
	mode := fs.FileMode(0o666)
	if old, err := os.Stat(path); err == nil {
		if mode = old.Mode(); !mode.IsRegular() {
			return fmt.Errorf("is not a regular file but %s", mode)
		}
	}
	folder := filepath.Dir(path)
	temporary := filepath.Join(folder, fmt.Sprintf(".espalier-%016x.tmp", rand.Uint64()))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm())
	if err != nil {
		return err
	}
	if _, err = m.writeTo(f); err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncFolder(folder)
}

// syncFolder makes a rename last through a loss of power.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // cannot sync folders
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// WriteTo writes what Save writes. The same model gives the same bytes.
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	n, err := m.writeTo(w)
	if err != nil {
		err = fmt.Errorf("nn: WriteTo: %w", err)
	}
	return n, err
}

func (m *Model) writeTo(w io.Writer) (int64, error) {
	header, err := m.header()
	if err != nil {
		return 0, err
	}
	tensors := m.tensors()
	for _, t := range tensors {
		if n := elements(t.shape); len(*t.data) != n {
			return 0, fmt.Errorf("%q has %d values, shape %s needs %d", t.name, len(*t.data), formatShape(t.shape), n)
		}
		if err := t.check(); err != nil {
			return 0, err
		}
	}
	write := func(w io.Writer) error {
		_, err := w.Write(header)
		for _, t := range tensors {
			if err == nil {
				err = writeFloats(w, *t.data)
			}
		}
		return err
	}
	sum := sha256.New()
	if err := write(sum); err != nil {
		return 0, err
	}
	hex.Encode(header[checksumAt:], sum.Sum(nil))
	counted := &counter{w: w}
	buffered := bufio.NewWriter(counted)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	return counted.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// tensors returns what a file of the model holds: the weights, then the optimizer's state.
func (m *Model) tensors() []tensor {
	var all []tensor
	for _, w := range m.weights {
		all = append(all, tensor{w.Name, w.Shape, &w.Data})
	}
	if m.trainer == nil {
		return all
	}
	for i, w := range m.weights {
		for j, slot := range m.trainer.optimizer.slots() {
			all = append(all, tensor{"optimizer/" + w.Name + "/" + slot, w.Shape, &m.trainer.slots[i][j]})
		}
	}
	return all
}

func (t *tensor) check() error {
	if i := nonFinite(*t.data); i >= 0 {
		return fmt.Errorf("%q: value %d is %v: %w", t.name, i, (*t.data)[i], ErrNonFinite)
	}
	return nil
}

// header returns the file of the model up to the first number, with zeros for the checksum.
func (m *Model) header() ([]byte, error) {
	a, err := m.architecture()
	if err != nil {
		return nil, err
	}
	text, err := encodeJSON(a)
	if err != nil {
		return nil, err
	}
	meta := metadata{Architecture: string(text)}
	if m.trainer != nil {
		if err := m.trainer.optimizer.check(); err != nil { // a callback may have changed it
			return nil, err
		}
		if text, err = encodeJSON(m.trainer.training()); err != nil {
			return nil, err
		}
		meta.Training = string(text)
	}
	return encodeHeader(meta, m.tensors())
}

func (m *Model) architecture() (*architecture, error) {
	a := &architecture{Name: m.name, Seed: m.seed}
	if len(m.nodes) > maxNodes {
		return nil, fmt.Errorf("the model has %d nodes, at most %d are possible", len(m.nodes), maxNodes)
	}
	if !utf8.ValidString(m.name) {
		return nil, fmt.Errorf("the model's name %q is not valid UTF-8", m.name)
	}
	layers := slices.Clone(m.layers)
	slices.SortFunc(layers, func(a, b *Layer) int { return cmp.Compare(a.created, b.created) })
	for _, l := range layers {
		config, err := encodeJSON(l.kind)
		if err == nil && !utf8.ValidString(l.name) {
			err = errors.New("the name is not valid UTF-8")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.describe(), err)
		}
		a.Layers = append(a.Layers, layerConfig{l.kind.class(), l.name, config, !l.frozen})
	}
	nodes := slices.Clone(m.nodes)
	slices.SortFunc(nodes, func(a, b *Node) int { return cmp.Compare(a.created, b.created) })
	place := map[*Node]int{}
	for i, n := range nodes {
		place[n] = i
		c := nodeConfig{Layer: n.layer.name}
		if _, ok := n.layer.kind.(*inputLayer); !ok {
			for _, in := range n.in {
				c.On = append(c.On, place[in])
			}
		}
		a.Nodes = append(a.Nodes, c)
	}
	for _, n := range m.inputs {
		a.Inputs = append(a.Inputs, place[n])
	}
	for _, n := range m.outputs {
		a.Outputs = append(a.Outputs, place[n])
	}
	return a, nil
}

func (t *trainer) training() *training {
	c := &training{Optimizer: t.optimizer, Iterations: t.iterations}
	for _, h := range t.heads {
		head := headConfig{Output: h.name, Loss: h.loss.config(), Weight: h.weight}
		for _, metric := range h.metrics {
			head.Metrics = append(head.Metrics, metric.Name())
		}
		c.Heads = append(c.Heads, head)
	}
	return c
}
