package keras

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// build makes the model of nn. One that is called as a layer has the name of that, and inputs of the shapes that it is first called on.
func (r *reader) build(m *model, name string, on []*nn.Node) (*nn.Model, error) {
	m.numberCalls()
	var inputs []*nn.Node
	for i, in := range m.inputs {
		l := m.byName[in.layer]
		if l == nil || !l.isIn {
			return nil, fmt.Errorf("input %s is not an InputLayer of the model", brief.Quote(in.layer))
		}
		var shape []int
		if on == nil {
			var err error
			if shape, err = r.shape(l); err != nil {
				return nil, err
			}
		} else if i < len(on) {
			shape = on[i].Shape()
		}
		l.nodes[0] = []*nn.Node{nn.Input(cleanName(l.name), shape...)}
		inputs = append(inputs, l.nodes[0][0])
	}
	taken := map[string]bool{}
	for _, l := range m.layers {
		taken[cleanName(l.name)] = true
		for i := range l.calls {
			if _, err := r.node(m, ref{l.name, i + l.first, 0}, 0); err != nil {
				return nil, err
			}
		}
	}
	var outputs []*nn.Node
	seen := map[string]bool{}
	for i, out := range m.outputs {
		n, err := r.node(m, out, 0)
		if err != nil {
			return nil, err
		}
		name := cleanName(out.layer)
		want := name
		if m.outputKeys != nil {
			want = cleanName(m.outputKeys[i])
		}
		if want != name && !taken[want] || seen[name] { // the result needs a name that its layer does not have
			for base, k := want, 1; taken[want]; k++ {
				want = fmt.Sprintf("%s_%d", base, k)
			}
			taken[want] = true
			n = nn.Identity(nn.Name(want)).On(n)
			name = want
		}
		seen[name] = true
		outputs = append(outputs, n)
	}
	opts := []nn.ModelOption{nn.Name(name), nn.MaxBytes(r.maxBytes)}
	if r.weights {
		opts = append(opts, nn.ZeroWeights())
	}
	return nn.NewModel(inputs, outputs, opts...)
}

// within returns how many parameters the models within have.
func (m *model) within() int {
	n := 0
	for _, l := range m.layers {
		if l.inner != nil {
			n += l.inner.CountParams()
		}
	}
	return n
}

// freeze freezes the layers of models that are frozen as a whole.
func (m *model) freeze(frozen bool) {
	for _, l := range m.layers {
		l.trainable = l.trainable && !frozen
		if l.sub != nil {
			l.sub.freeze(!l.trainable || !l.sub.trainable)
		}
	}
}

// numberCalls finds out with what number the calls of each model begin: in Keras 2 the first one is that of the model itself.
func (m *model) numberCalls() {
	least := map[string]int{}
	count := func(in ref) {
		if n, ok := least[in.layer]; !ok || in.node < n {
			least[in.layer] = in.node
		}
	}
	for _, l := range m.layers {
		for _, c := range l.calls {
			for _, in := range c {
				count(in)
			}
		}
	}
	for _, out := range m.outputs {
		count(out)
	}
	for _, l := range m.layers {
		if l.sub != nil {
			l.first = least[l.name]
		}
	}
}

// cleanName returns a name that a layer of nn can have.
func cleanName(name string) string {
	return strings.NewReplacer("/", ".", "\x00", ".").Replace(name)
}

// shape returns the shape of an input.
func (r *reader) shape(l *layer) ([]int, error) {
	name := cleanName(l.name)
	if given, ok := r.options.shapes[name]; ok {
		r.options.used[name] = true
		if l.shape != nil && (len(given) != len(l.shape) || slices.ContainsFunc(given, func(n int) bool { return n < 1 })) {
			return nil, fmt.Errorf("input %s: InputShape %v does not fit %s", brief.Quote(name), nn.Shape(given), shapeText(l.shape))
		}
		for i, n := range l.shape {
			if n >= 0 && n != given[i] {
				return nil, fmt.Errorf("input %s: InputShape %v does not fit %s", brief.Quote(name), nn.Shape(given), shapeText(l.shape))
			}
		}
		return given, nil
	}
	if l.shape == nil {
		return nil, fmt.Errorf("input %s: its shape is not in the file: give it with keras.InputShape(%q, ...)", brief.Quote(name), name)
	}
	if slices.Contains(l.shape, -1) {
		return nil, fmt.Errorf("input %s: has shape %s, and an axis of any size needs one here: give it with keras.InputShape(%q, ...)", brief.Quote(name), shapeText(l.shape), name)
	}
	return l.shape, nil
}

// shapeText prints a shape as Keras does, without the batch.
func shapeText(shape []int) string {
	return strings.ReplaceAll(nn.Shape(shape).String(), "-1", "None")
}

// node returns a result of a call, which it makes with all that it depends on.
func (r *reader) node(m *model, at ref, depth int) (*nn.Node, error) {
	l := m.byName[at.layer]
	if l == nil {
		return nil, fmt.Errorf("unknown layer %s: valid are %s", brief.Quote(at.layer), brief.QuoteAll(slices.Sorted(maps.Keys(m.byName))))
	}
	if results, ok := l.nodes[at.node]; ok {
		if results == nil {
			return nil, fmt.Errorf("%s: is called on its own result", l.path)
		}
		if at.tensor < 0 || at.tensor >= len(results) {
			return nil, fmt.Errorf("%s: has %d results, result %d is asked for", l.path, len(results), at.tensor)
		}
		return results[at.tensor], nil
	}
	i := at.node - l.first
	if i < 0 || i >= len(l.calls) || l.isIn {
		return nil, fmt.Errorf("%s: has %d calls, call %d is asked for", l.path, len(l.calls), at.node)
	}
	if depth > maxCalls {
		return nil, errTooDeep
	}
	l.nodes[at.node] = nil // until the call is made
	var in []*nn.Node
	for _, a := range l.calls[i] {
		n, err := r.node(m, a, depth+1)
		if err != nil {
			return nil, err
		}
		in = append(in, n)
	}
	results, err := r.call(l, in)
	if err != nil {
		return nil, err
	}
	l.nodes[at.node] = results
	return r.node(m, at, depth)
}

// call calls a layer or a model.
func (r *reader) call(l *layer, in []*nn.Node) ([]*nn.Node, error) {
	if l.sub == nil {
		if l.built == nil {
			l.built = nn.New(l.kind, nn.Name(cleanName(l.name)))
			l.built.SetTrainable(l.trainable)
		}
		return []*nn.Node{l.built.On(in...)}, nil
	}
	if l.inner == nil {
		if len(in) != len(l.sub.inputs) {
			return nil, fmt.Errorf("%s: is called on %d nodes, takes %d", l.path, len(in), len(l.sub.inputs))
		}
		var err error
		if l.inner, err = r.build(l.sub, cleanName(l.name), in); err != nil {
			return nil, fmt.Errorf("%s: %w", l.path, err)
		}
		if r.bytes += 4 * int64(l.inner.CountParams()-l.sub.within()); r.bytes > r.maxBytes {
			return nil, fmt.Errorf("%s: the weights take more than %d bytes", l.path, r.maxBytes)
		}
	}
	if r.nodes += len(l.inner.Nodes()); r.nodes > maxCalls {
		return nil, fmt.Errorf("has more than %d calls of layers", maxCalls)
	}
	return l.inner.OutputsOn(in...), nil
}
