package nn

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/ops"
)

// A functional is the kind of the layer that a model is within another. It computes nothing itself: a call of the model calls the
// layers within on the other's nodes, so training, masks, states, plans and losses meet nothing that they do not know, and
// what a model within a model computes has the bits of the same layers without it. That it was one call is remembered for what
// shows a model: Summary, drawings, files and the names of weights.
type functional struct{ model *Model }

func init() { Register("Functional", functional{}) }

// Build is reached where a layer holds a model, which is not its way to call one.
func (*functional) Build(b *Builder, in []Shape) Shape {
	b.Errorf("a model cannot be called within a layer: call it on nodes")
	return Shape{1}
}

func (*functional) Forward(c *Call) *ops.Tensor { return c.In(0) } // never reached, as Build fails

// MarshalJSON writes the graph, as that of the model around it.
func (f functional) MarshalJSON() ([]byte, error) {
	if f.model == nil {
		return []byte("{}"), nil
	}
	a, err := f.model.architecture()
	if err != nil {
		return nil, err
	}
	return encodeJSON(a)
}

// submodel returns the model that the layer is, nil if it is none.
func (l *Layer) submodel() *Model {
	if f, ok := l.kind.(*functional); ok {
		return f.model
	}
	return nil
}

// asLayer makes the layer that m is in other models. An empty name asks for an automatic one.
func (m *Model) asLayer(name string) {
	m.layer = New(&functional{m}, Name(name))
}

// On calls the model as a layer of another one and returns the node of its only output: for a model of several, see
// [Model.OutputsOn]. The nodes that it is called on take the place of its inputs, in their order, and have their shapes.
//
// All calls share the weights, with the model itself, too: what one of them learns, all know. Within the other model they are
// named after this one, as encoder/dense/kernel, so layers of different models may have the same names. Models made with the same
// [Seed] start with the same values where layers have the same names. A model may be called within a model that is itself called
// within another. But one layer cannot be in two places of a model: within two models, say, or within one and beside it.
func (m *Model) On(in ...*Node) *Node {
	if m == nil || m.layer == nil {
		return new(Node) // as for a layer
	}
	if len(m.outputs) != 1 {
		n := m.newCall(in)
		n.err = fmt.Errorf("has %d outputs: use OutputsOn", len(m.outputs))
		return n
	}
	return m.OutputsOn(in...)[0]
}

// OutputsOn calls the model as On does and returns the nodes of its outputs, in the order of [Model.Outputs].
func (m *Model) OutputsOn(in ...*Node) []*Node {
	if m == nil || m.layer == nil {
		return nil
	}
	call := m.newCall(in)
	if ok := m.checkCall(call); !ok {
		for range m.outputs {
			call.ends = append(call.ends, call)
		}
		return call.ends
	}
	made := map[*Node]*Node{}
	for i, n := range m.inputs {
		made[n] = in[i]
	}
	for _, n := range m.nodes {
		if made[n] != nil {
			continue
		}
		var on []*Node
		for _, x := range n.in {
			on = append(on, made[x])
		}
		made[n] = n.layer.On(on...)
		made[n].call = call
		call.body = append(call.body, made[n])
	}
	for _, n := range m.outputs {
		call.ends = append(call.ends, made[n])
	}
	return call.ends
}

func (m *Model) newCall(in []*Node) *Node { return m.layer.newNode(in) }

// checkCall reports whether the model can be called on a call's operands, whose error stays with it.
func (m *Model) checkCall(n *Node) bool {
	if len(n.in) != len(m.inputs) {
		n.err = fmt.Errorf("called on %d nodes, takes %d: %s", len(n.in), len(m.inputs), brief.QuoteAll(names(m.inputs)))
		return false
	}
	shapes, ok := n.operands()
	for i := range shapes {
		if have, want := shapes[i].String(), m.inputs[i].shape.String(); have != want {
			n.err = errors.Join(n.err, fmt.Errorf("input %s is called on shape %s, takes %s", brief.Quote(m.inputs[i].layer.name), have, want))
		}
	}
	return ok && n.err == nil
}

// Submodel returns the model that this one calls as a layer of that name, or, by a path such as decoder/attention, one within
// that.
func (m *Model) Submodel(path string) (*Model, error) {
	l, err := m.Layer(path)
	if err != nil {
		return nil, err
	}
	if s := l.submodel(); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("nn: model %s: %s is not a model", brief.Quote(m.name), m.describe(l))
}

// SetTrainable freezes (false) or thaws (true) all layers of the model, see [Layer.SetTrainable].
func (m *Model) SetTrainable(trainable bool) {
	for _, l := range m.layers {
		l.SetTrainable(trainable)
	}
}

// maxDepth is how deep models can be within models.
const maxDepth = 16

// enter finds the layers and weights of the model and of those within it, with their paths.
func (m *Model) enter(prefix string, layers []*Layer) (errs []error) {
	for _, l := range layers {
		path := prefix + l.name
		if other, ok := m.paths[l]; ok {
			if _, ok := l.kind.(*inputLayer); !ok {
				errs = append(errs, fmt.Errorf("%s is in two places of the model, %s and %s", l.describe(), brief.Quote(other), brief.Quote(path)))
			}
			continue
		}
		m.paths[l] = path
		if s := l.submodel(); s != nil {
			errs = append(errs, m.enter(path+"/", s.layers)...)
			continue
		}
		m.allLayers = append(m.allLayers, l)
		for _, p := range l.params {
			m.weights = append(m.weights, l.weight(path, p))
		}
	}
	return errs
}

// describe is that of the layer, with its path.
func (m *Model) describe(l *Layer) string {
	return fmt.Sprintf("layer %s (%s)", brief.Quote(m.paths[l]), l.Class())
}

// submodels returns the models that the model calls.
func (m *Model) submodels() (all []*Model) {
	for _, l := range m.layers {
		if s := l.submodel(); s != nil {
			all = append(all, s)
		}
	}
	return all
}

// adoptValues gives the models within m the values that m has read for their weights.
func (m *Model) adoptValues() {
	for _, s := range m.submodels() {
		for _, w := range s.weights {
			w.Matrix = w.param.value
		}
		s.adoptValues()
	}
}

// An extent is what a file of a model holds: of nodes as they are computed, and as the models within define them.
type extent struct{ nodes, edges, names, depth int }

func (e extent) check() error {
	switch {
	case e.depth > maxDepth:
		return fmt.Errorf("models are nested %d deep, at most %d are possible", e.depth, maxDepth)
	case e.names > maxNames:
		return fmt.Errorf("the names of all nodes' layers have %d bytes, at most %d are possible", e.names, maxNames)
	}
	return checkSize(e.nodes, e.edges)
}

// within returns the extent with that of a model that is called in it.
func (e extent) within(s extent) extent {
	return extent{e.nodes + s.nodes, e.edges + s.edges, e.names + s.names, max(e.depth, s.depth+1)}
}

// top returns n as a model shows it: the call of the model that has made it, or n itself.
func (n *Node) top() *Node {
	if n != nil && n.call != nil {
		return n.call
	}
	return n
}

// results returns the nodes that n is in the graph of a model: those of the outputs of a model that it calls, or n itself.
func (n *Node) results() []*Node {
	if n.ends != nil {
		return n.ends
	}
	return []*Node{n}
}

// name returns what n is called as an input or an output.
func (n *Node) name() string { return n.top().layer.name }

// computed returns the nodes that are computed where models show these: those that calls of models have made stand for the calls.
// It ends where there are too many.
func computed(tops []*Node) (nodes []*Node) {
	for _, n := range tops {
		if len(nodes) > maxNodes {
			break
		}
		if n.layer.submodel() != nil && n.err == nil {
			nodes = append(nodes, n.body...)
		} else {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
