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
	"slices"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/newfile"
	"github.com/espalier-ml/espalier/safetensors"
)

// architecture is the graph of a model in a file.
type architecture struct {
	Name    string            `json:"name"`
	Seed    uint64            `json:"seed"`
	Layers  list[layerConfig] `json:"layers"`  // in the order of their creation
	Nodes   list[nodeConfig]  `json:"nodes"`   // in the order of their creation
	Inputs  indices           `json:"inputs"`  // among the nodes
	Outputs indices           `json:"outputs"` // among the nodes
}

type layerConfig struct {
	Class     string          `json:"class_name"`
	Name      string          `json:"name"`
	Config    json.RawMessage `json:"config"`
	Trainable bool            `json:"trainable"`
}

// nodeConfig is one call of a layer. A node can only be called on earlier ones, so there are no cycles. A call of a model is a
// node for each of its outputs.
type nodeConfig struct {
	Layer string  `json:"layer"`
	On    indices `json:"on,omitempty"` // among the nodes before
}

// training is what Compile was given and how far training has come.
type training struct {
	Optimizer  Object[Optimizer] `json:"optimizer"`
	Iterations int64             `json:"iterations"`
	Heads      list[headConfig]  `json:"heads"` // the outputs that are trained
}

type headConfig struct {
	Output   string               `json:"output"`
	Loss     Object[Loss]         `json:"loss"`
	Weight   float64              `json:"loss_weight"`
	Metrics  list[Object[Metric]] `json:"metrics,omitempty"`
	Weighted list[Object[Metric]] `json:"weighted_metrics,omitempty"`
}

// A SaveOption configures what a file of a model has besides the model.
type SaveOption interface{ applySave(*saving) }

// A saving is what a file has besides the model.
type saving struct {
	untested bool
	metadata map[string]string
}

// Save writes the model to a file that Load reads: its graph, weights and, if it is compiled, everything that training
// needs to go on as if it had not been interrupted. Weights that are not finite are an error.
//
// The file is complete or not there at all: Save writes a temporary file, .espalier-*.tmp in the same folder, and then
// gives it the name path, which replaces a regular file of that name. If Save fails before that, the old file stays and
// the temporary one is removed; a process that is killed may leave the latter behind. When Save returns nil, the file
// outlasts a loss of power; the one error after the change of names is that the system does not promise this.
//
// It looks as if the old file had been written to: a symbolic link stays, and the file that it leads to is replaced; the
// mode stays, and so do owner and group where the process may set them. But other hard links to the old file keep the old
// model. A new file has mode 0666 before the umask.
func (m *Model) Save(path string, opts ...SaveOption) error {
	c := saving{metadata: m.metadata}
	var err error
	for i, o := range opts {
		if o == nil {
			err = errors.Join(err, errNilOption(i))
			continue
		}
		o.applySave(&c)
	}
	if err == nil {
		err = newfile.Write(path, func(w io.Writer) (int64, error) { return m.write(w, c) })
	}
	if err != nil {
		return brief.Error(fmt.Errorf("nn: Save %q: %w", path, err))
	}
	return nil
}

// WriteTo writes what Save writes. The same model gives the same bytes. A model that no file can hold is an error before
// the first byte; after an error of w, it has the first bytes of a file.
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	n, err := m.writeTo(w)
	if err != nil {
		err = brief.Error(fmt.Errorf("nn: WriteTo: %w", err))
	}
	return n, err
}

func (m *Model) writeTo(w io.Writer) (int64, error) { return m.write(w, saving{metadata: m.metadata}) }

func (m *Model) write(w io.Writer, c saving) (int64, error) {
	header, err := m.header(nil, c.metadata)
	if err != nil {
		return 0, err
	}
	tensors := m.tensors()
	for _, t := range tensors {
		if n := t.shape.Elements(); len(*t.data) != n {
			return 0, fmt.Errorf("%s has %d values, shape %s needs %d", brief.Quote(t.name), len(*t.data), t.shape, n)
		}
		if err := t.check(); err != nil {
			return 0, err
		}
	}
	if !c.untested {
		if header, err = m.header(m.newSelfTest(), c.metadata); err != nil {
			return 0, err
		}
	}
	write := func(w io.Writer) error {
		_, err := w.Write(header)
		for _, t := range tensors {
			if err == nil {
				err = safetensors.WriteFloats(w, *t.data)
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
	var slots []string
	if m.trainer != nil {
		slots = m.trainer.slotNames
	}
	all := make([]tensor, 0, len(m.weights)*(1+len(slots)))
	for _, w := range m.weights {
		all = append(all, tensor{w.Name, w.Shape, &w.Data})
	}
	for i, w := range m.weights {
		if w.param.state {
			continue
		}
		for j, slot := range slots {
			if shape := m.trainer.slotShape(i, j); shape != nil {
				all = append(all, tensor{"optimizer/" + w.Name + "/" + slot, shape, &m.trainer.slots[i][j]})
			}
		}
	}
	return all
}

func (t *tensor) check() error {
	if i := nonFinite(*t.data); i >= 0 {
		return fmt.Errorf("%s: value %d is %v: %w", brief.Quote(t.name), i, (*t.data)[i], ErrNonFinite)
	}
	return nil
}

// header returns the file of the model up to the first number, with zeros for the checksum.
func (m *Model) header(test *selfTest, userData map[string]string) ([]byte, error) {
	a, err := m.architecture()
	if err != nil {
		return nil, err
	}
	text, err := encodeJSON(a)
	if err != nil {
		return nil, err
	}
	meta := metadata{Version: fileVersion, Architecture: string(text)}
	if test != nil {
		if text, err = encodeJSON(test); err != nil {
			return nil, err
		}
		meta.SelfTest = string(text)
	}
	if meta.Metadata, err = encodeMetadata(userData); err != nil {
		return nil, err
	}
	if m.trainer != nil {
		if err := checkOptimizer(m.trainer.optimizer); err != nil { // a schedule or a callback may have changed it
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
	if len(m.nodes) == 0 {
		return nil, errEmptyModel
	}
	a := &architecture{Name: m.name, Seed: m.seed}
	if err := m.checkNames(); err != nil {
		return nil, err
	}
	layers := slices.Clone(m.layers)
	slices.SortFunc(layers, func(a, b *Layer) int { return cmp.Compare(a.created, b.created) })
	for _, l := range layers {
		config, err := encodeConfig(l.kind)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.describe(), err)
		}
		a.Layers = append(a.Layers, layerConfig{l.Class(), l.name, config, l.Trainable()})
	}
	nodes := slices.Clone(m.tops)
	slices.SortFunc(nodes, func(a, b *Node) int { return cmp.Compare(a.created, b.created) })
	place, next := map[*Node]int{}, 0
	for _, n := range nodes {
		c := nodeConfig{Layer: n.layer.name}
		for _, in := range n.in {
			c.On = append(c.On, place[in])
		}
		a.Nodes = append(a.Nodes, c)
		for _, n := range n.results() {
			if _, ok := place[n]; !ok { // a model can give on what it was called on
				place[n] = next
			}
			next++
		}
	}
	for _, n := range m.inputs {
		a.Inputs = append(a.Inputs, place[n])
	}
	for _, n := range m.outputs {
		a.Outputs = append(a.Outputs, place[n])
	}
	return a, nil
}

// checkNames reports names that a file cannot hold.
func (m *Model) checkNames() error {
	if !utf8.ValidString(m.name) {
		return fmt.Errorf("the model's name %s is not valid UTF-8", brief.Quote(m.name))
	}
	if len(m.name) > maxName {
		return fmt.Errorf("the model's name %s has %d bytes, at most %d are possible", brief.Quote(m.name), len(m.name), maxName)
	}
	var errs []error
	for _, l := range m.layers {
		switch {
		case !utf8.ValidString(l.name):
			errs = append(errs, fmt.Errorf("%s: the name is not valid UTF-8", l.describe()))
		case len(l.name) > maxName:
			errs = append(errs, fmt.Errorf("%s: the name has %d bytes, at most %d are possible", l.describe(), len(l.name), maxName))
		}
	}
	return errors.Join(errs...)
}

var errEmptyModel = errors.New("the model is empty: make it with NewModel or Load")

func (t *trainer) training() *training {
	c := &training{Optimizer: Object[Optimizer]{t.optimizer}, Iterations: t.iterations}
	for _, h := range t.heads {
		head := headConfig{Output: h.name, Loss: Object[Loss]{h.loss}, Weight: h.weight}
		for _, m := range h.measures {
			if m.weighted {
				head.Weighted = append(head.Weighted, Object[Metric]{m.metric})
			} else {
				head.Metrics = append(head.Metrics, Object[Metric]{m.metric})
			}
		}
		c.Heads = append(c.Heads, head)
	}
	return c
}
