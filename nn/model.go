package nn

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// A Model is a graph of layers from inputs to outputs.
type Model struct {
	name    string
	layer   *Layer // that m is in other models
	seed    uint64
	inputs  []*Node
	outputs []*Node
	layers  []*Layer // in Keras' order: by distance from the outputs, farthest first
	tops    []*Node  // their nodes, each after those it depends on; of a model that is called the calls
	nodes   []*Node  // what is computed, in the same order: of a model that is called what the calls have made
	extent  extent
	weights []*Weight
	values  []float32 // of all weights, see block; nil if another model has had some of them before
	trainer *trainer  // nil before Compile
	busy    atomic.Bool

	metadata map[string]string
	selfTest *selfTest // of the file that is being read

	inputNodes, outputNodes map[string]*Node  // by their layers' names
	lookups                 map[*Node][]*Node // by input: the nodes that look up its values

	allLayers []*Layer          // those within models that are called stand for these
	paths     map[*Layer]string // the names of all layers, behind those of the models that they are in: "encoder/dense"

	maxBytes int64 // of the weights of a new model; 0: any number
	zero     bool  // the weights of a new model
}

// A Weight is one parameter of a model. Its Matrix is the parameter itself: writing to it changes the model.
type Weight struct {
	Name  string // path of the layer and parameter: "dense/kernel", "encoder/dense/kernel"
	Shape Shape  // as Keras has it: a bias is [units], its Matrix 1 x units
	kernels.Matrix
	layer *Layer
	param *param
}

// Trainable reports whether training changes the weight by its gradient: not if it is a state, such as a moving average, or belongs
// to a layer that is frozen, see [Layer.SetTrainable].
func (w *Weight) Trainable() bool { return !w.param.state && !w.layer.frozen }

// A ModelOption configures a model. If an option is given twice the last one counts.
type ModelOption interface{ applyModel(*Model) }

// A SeedOption says what random numbers start from.
type SeedOption uint64

// Seed sets what everything random starts from: the initial weights as an option of NewModel, shuffling and dropout as an
// option of Fit. The default is 0.
func Seed(seed uint64) SeedOption { return SeedOption(seed) }

func (o SeedOption) applyModel(m *Model) { m.seed = uint64(o) }

// A ZeroWeightsOption says that weights are zero at first.
type ZeroWeightsOption struct{}

// ZeroWeights leaves the weights of a new model at zero, for a program that then sets all of them, such as one that reads a file:
// to draw random ones that nobody sees takes longer than that.
func ZeroWeights() ZeroWeightsOption { return ZeroWeightsOption{} }

func (ZeroWeightsOption) applyModel(m *Model) { m.zero = true }

// NewModel returns the model that computes outputs from inputs. Inputs are nodes made by Input; data, losses, metrics
// and results of an output go by the name of its layer. All errors of the graph arrive here, joined.
//
// A layer without a name gets an automatic one from the first model that has it and keeps that. Layers that two models have
// named alike cannot meet in a third one: give those that are to be joined a [Name].
func NewModel(inputs, outputs []*Node, opts ...ModelOption) (*Model, error) {
	m := &Model{inputs: slices.Clone(inputs), outputs: slices.Clone(outputs)}
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("nn: NewModel: %w", errNilOption(i))
		}
		o.applyModel(m)
	}
	m.asLayer(m.name)
	if m.name == "" {
		m.name = snakeCase(m.layer.Class())
	}
	if err := kernels.Err(); err != nil {
		return nil, err
	}
	if err := m.connect(); err != nil {
		return nil, brief.Error(fmt.Errorf("nn: model %s: %w", brief.Quote(m.name), err))
	}
	if err := m.checkBytes(); err != nil {
		return nil, fmt.Errorf("nn: model %s: %w", brief.Quote(m.name), err)
	}
	if slices.ContainsFunc(m.weights, func(w *Weight) bool { return w.param.value.Data != nil }) { // another model has it
		for _, w := range m.weights {
			if w.param.value.Data == nil {
				w.param.place(make([]float32, w.param.size()))
				m.start(w)
			}
			w.Matrix = w.param.value
		}
		return m, nil
	}
	m.gather()
	for _, w := range m.weights {
		m.start(w)
	}
	return m, nil
}

// start gives a weight of a new model its first values.
func (m *Model) start(w *Weight) {
	if !m.zero {
		w.param.start(m.seed, w.Name)
	}
}

// checkBytes reports weights that take more memory than [MaxBytes] allows.
func (m *Model) checkBytes() error {
	size := int64(0)
	for _, w := range m.weights {
		size += 4 * int64(w.param.size())
		if m.maxBytes > 0 && size > m.maxBytes {
			return fmt.Errorf("its weights take more than the %d bytes that MaxBytes allows", m.maxBytes)
		}
	}
	return nil
}

// gather moves the values of the weights into one slice.
func (m *Model) gather() {
	b := blockOf(m.weights)
	m.values = b.memory()
	for i, w := range m.weights {
		values := b.of(m.values, i)
		copy(values, w.Data)
		w.param.place(values)
		w.Matrix = w.param.value
	}
}

// connect finds, names and orders the layers between the inputs and the outputs. It allocates no weights. What it accepts,
// WriteTo can write.
func (m *Model) connect() error {
	for _, s := range []struct {
		what  string
		nodes []*Node
	}{{"input", m.inputs}, {"output", m.outputs}} {
		if len(s.nodes) == 0 {
			return fmt.Errorf("has no %ss", s.what)
		}
		if i := slices.IndexFunc(s.nodes, func(n *Node) bool { return n == nil || n.layer == nil }); i >= 0 {
			return fmt.Errorf("%s %d is nil", s.what, i)
		}
	}
	g := newGraph(m.inputs, m.outputs)
	if err := g.tooLarge(); err != nil {
		return err
	}
	m.layers, m.tops, m.nodes = g.layers(), g.nodes, computed(g.nodes)
	automatic, err := nameLayers(m.layers)
	m.paths = map[*Layer]string{}
	errs := append(m.enter("", m.layers), err)
	errs = append(errs, m.measure(), m.checkNames())
	first := map[*Layer]int{}
	for i, n := range m.inputs {
		if !isSource(n) {
			errs = append(errs, fmt.Errorf("input %d is a result of %s, not of Input", i, n.layer.describe()))
		}
		if _, ok := first[n.layer]; ok {
			errs = append(errs, fmt.Errorf("input %s is given twice", brief.Quote(n.layer.name)))
		}
		first[n.layer] = i
	}
	clear(first)
	for i, n := range m.outputs {
		l := n.top().layer
		if j, ok := first[l]; ok {
			errs = append(errs, fmt.Errorf("outputs %d and %d both come from %s, so they share a name: give them others by Identity", j, i, l.describe()))
			continue
		}
		first[l] = i
	}
	missing := 0
	for _, n := range m.nodes {
		if n.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.describe(n.layer), n.err))
		}
		if missing < brief.MaxListed && isSource(n) && !g.isInput[n] {
			depend := dependents(m.tops, n)
			for _, o := range m.outputs {
				if depend[o.top()] && missing < brief.MaxListed {
					missing++
					errs = append(errs, fmt.Errorf("output %s depends on input %s, which is not among the model's inputs %s",
						brief.Quote(o.name()), brief.Quote(n.layer.name), brief.QuoteAll(names(m.inputs))))
				}
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		for _, l := range automatic {
			l.name = "" // there is no model that has named it
		}
		return err
	}
	m.inputNodes, m.outputNodes = nodesByName(m.inputs), nodesByName(m.outputs)
	m.lookups = lookups(m.nodes)
	for _, l := range automatic {
		if s := l.submodel(); s != nil {
			s.name = l.name
		}
	}
	return nil
}

// measure finds out how large the model is, and reports one that is too large.
func (m *Model) measure() error {
	e := extent{nodes: len(m.nodes), depth: 1}
	for _, n := range m.nodes {
		e.edges += len(n.in)
		e.names += len(m.paths[n.layer])
	}
	for _, s := range m.submodels() {
		e = e.within(s.extent)
	}
	m.extent = e
	return e.check()
}

// nodesByName returns the nodes by their layers' names.
func nodesByName(nodes []*Node) map[string]*Node {
	all := make(map[string]*Node, len(nodes))
	for _, n := range nodes {
		all[n.name()] = n
	}
	return all
}

// names returns the names of the nodes' layers.
func names(nodes []*Node) []string {
	s := make([]string, len(nodes))
	for i, n := range nodes {
		s[i] = n.name()
	}
	return s
}

// nameLayers gives each unnamed layer the first free one of dense, dense_1, dense_2, ... in the order of creation, returns
// these layers, and reports names that two layers have.
func nameLayers(layers []*Layer) (automatic []*Layer, err error) {
	layers = slices.Clone(layers)
	slices.SortFunc(layers, func(a, b *Layer) int { return cmp.Compare(a.created, b.created) })
	taken := map[string]*Layer{}
	var errs []error
	for _, l := range layers {
		if l.name == "" {
			continue
		}
		switch {
		case strings.Contains(l.name, "/") && len(l.params) > 0: // it would be in the names of its weights
			errs = append(errs, fmt.Errorf("%s: the name of a layer with weights cannot contain a slash", l.describe()))
		case strings.Contains(l.name, "\x00"):
			errs = append(errs, fmt.Errorf("%s: a name cannot contain a NUL byte", l.describe()))
		}
		if other := taken[l.name]; other != nil {
			err := fmt.Errorf("%s and %s have the same name", other.describe(), l.describe())
			if other.automatic && l.automatic {
				err = fmt.Errorf("%w, which two other models have given them: give one a Name when you make it", err)
			}
			errs = append(errs, err)
		}
		taken[l.name] = l
	}
	next := map[string]int{} // the names of a class before this number are taken
	for _, l := range layers {
		base := snakeCase(l.Class())
		for ; l.name == ""; next[base]++ {
			i := next[base]
			name := base
			if i > 0 {
				name = fmt.Sprintf("%s_%d", base, i)
			}
			if taken[name] == nil {
				l.name, l.automatic, taken[name] = name, true, l
				automatic = append(automatic, l)
			}
		}
	}
	return automatic, errors.Join(errs...)
}

var wordStart = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`([a-z])([A-Z])`) })

// snakeCase turns InputLayer into input_layer.
func snakeCase(class string) string {
	return strings.ToLower(wordStart().ReplaceAllString(class, "${1}_${2}"))
}

// Name returns the model's name.
func (m *Model) Name() string { return m.name }

// Layers returns the layers in the order of Summary. A model that is called as a layer is one, of class Functional.
func (m *Model) Layers() []*Layer { return slices.Clone(m.layers) }

// Layer returns the layer of the given name, or, by a path such as encoder/dense, one within a model that is called.
func (m *Model) Layer(path string) (*Layer, error) {
	name, rest, nested := strings.Cut(path, "/")
	all := make([]string, len(m.layers))
	for i, l := range m.layers {
		if s := l.submodel(); l.name == name && nested && s != nil {
			return s.Layer(rest)
		} else if l.name == name && !nested {
			return l, nil
		}
		all[i] = l.name
	}
	return nil, fmt.Errorf("nn: model %s has no layer %s: it has %s", brief.Quote(m.name), brief.Quote(path), brief.QuoteAll(all))
}

// Path returns the name of a layer of the model, or of one within a model that is called, behind the names of the models that it is
// in, as Weights have it: encoder/dense. It is empty for other layers.
func (m *Model) Path(l *Layer) string { return m.paths[l] }

// Node returns the node of the layer of that name, for another model that goes on from there: one with a head more, one that
// ends where this one goes on, or one that shows what is inside. Models share the weights of the nodes that they share. A layer
// that the model calls several times has no node of its name.
func (m *Model) Node(layer string) (*Node, error) {
	l, err := m.Layer(layer)
	if err != nil {
		return nil, err
	}
	var node *Node
	for _, n := range m.tops {
		if n.layer != l {
			continue
		}
		if node != nil {
			return nil, fmt.Errorf("nn: model %s calls %s several times: none of the nodes has its name", brief.Quote(m.name), l.describe())
		}
		node = n
	}
	switch {
	case node == nil:
		return nil, fmt.Errorf("nn: model %s: %s is within a model: take the node of that, see Submodel", brief.Quote(m.name), brief.Quote(layer))
	case l.submodel() == nil:
		return node, nil
	case len(node.ends) > 1:
		return nil, fmt.Errorf("nn: model %s: %s has %d results: none of the nodes has its name", brief.Quote(m.name), l.describe(), len(node.ends))
	}
	return node.ends[0], nil
}

// Calls returns the calls between the inputs and the outputs as the model makes them, these included: each after those that it
// depends on. Where [Model.Nodes] has what the layers of a model within compute, this has the call of that model.
func (m *Model) Calls() []*Node { return slices.Clone(m.tops) }

// Nodes returns all calls of layers between the inputs and the outputs, these included: each after those that it depends on. Of a
// model that is called there are the calls of its layers: see [Model.Path].
func (m *Model) Nodes() []*Node { return slices.Clone(m.nodes) }

// Inputs returns the nodes of the inputs in the order given to NewModel.
func (m *Model) Inputs() []*Node { return slices.Clone(m.inputs) }

// Outputs returns the nodes of the outputs in the order given to NewModel.
func (m *Model) Outputs() []*Node { return slices.Clone(m.outputs) }

// InputNames returns the names of the inputs in the order given to NewModel.
func (m *Model) InputNames() []string { return names(m.inputs) }

// OutputNames returns the names of the outputs in the order given to NewModel.
func (m *Model) OutputNames() []string { return names(m.outputs) }

// Weights returns the parameters in the order of Summary.
func (m *Model) Weights() []*Weight { return slices.Clone(m.weights) }

// CountParams returns the number of parameters, those of frozen layers included.
func (m *Model) CountParams() int {
	n := 0
	for _, w := range m.weights {
		n += w.param.size()
	}
	return n
}

// GetWeights returns copies of all parameters by name, values in row order, as SetWeights takes them.
func (m *Model) GetWeights() map[string][]float32 {
	all := make(map[string][]float32, len(m.weights))
	for _, w := range m.weights {
		all[w.Name] = slices.Clone(w.Data)
	}
	return all
}

// SetWeights replaces the named parameters, values in row order. Names and lengths are checked, and values must be
// finite, before anything is written. Parameters that are not named stay.
func (m *Model) SetWeights(values map[string][]float32) error {
	byName := map[string]*Weight{}
	for _, w := range m.weights {
		byName[w.Name] = w
	}
	if err := checkUnknown("weight", values, byName); err != nil {
		return brief.Error(fmt.Errorf("nn: model %s: %w", brief.Quote(m.name), err))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, w := values[name], byName[name]
		if len(v) != w.Rows*w.Cols {
			return fmt.Errorf("nn: weight %s: %d values given, shape %s has %d", brief.Quote(name), len(v), w.Shape, w.Rows*w.Cols)
		}
		if i := nonFinite(v); i >= 0 {
			return fmt.Errorf("nn: weight %s: value %d is %v", brief.Quote(name), i, v[i])
		}
	}
	for name, v := range values {
		copy(byName[name].Data, v)
	}
	return nil
}
