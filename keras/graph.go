package keras

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// A model is what a file says of a graph of layers.
type model struct {
	name       string
	path       string // of names, in errors
	trainable  bool
	layers     []*layer
	byName     map[string]*layer
	inputs     []ref
	outputs    []ref
	outputKeys []string // of outputs that are a dictionary
}

// A layer is one of a model: a layer of nn, an input, or a model.
type layer struct {
	name      string
	path      string
	class     string
	kind      nn.Kind
	sub       *model
	isIn      bool
	shape     []int // of an input, -1: any size; nil: not known
	calls     []call
	first     int // the index of the first of calls
	trainable bool

	built *nn.Layer
	inner *nn.Model
	nodes map[int][]*nn.Node // by index of a call
}

// A call is what a layer is called on.
type call []ref

// A ref is one result of one call of a layer.
type ref struct {
	layer        string
	node, tensor int
}

// maxCalls is how many nodes a model of nn can have.
const maxCalls = 16384

// isModel reports a class of models whose graph is in the file.
func (o *object) isModel() bool {
	return o.isKeras() && slices.Contains([]string{"Functional", "Model", "Sequential"}, o.Class) ||
		o.Registered == o.Class && slices.Contains([]string{"Functional", "Sequential"}, o.Class)
}

// model reads the configuration of a model and of all its layers.
func (r *reader) model(path string, e entry, depth int) *model {
	if depth > maxDepth {
		r.errorf(path, "%w", errTooDeep)
		return nil
	}
	var c struct {
		Name       string          `json:"name"`
		Trainable  *bool           `json:"trainable"`
		Layers     []entry         `json:"layers"`
		Inputs     json.RawMessage `json:"input_layers"`
		Outputs    json.RawMessage `json:"output_layers"`
		InputShape json.RawMessage `json:"build_input_shape"`
	}
	config := bytes.TrimSpace(e.Config)
	var err error
	if bytes.HasPrefix(config, []byte("[")) { // of a Sequential before Keras 2.2.3
		err = json.Unmarshal(config, &c.Layers)
	} else {
		err = json.Unmarshal(config, &c)
	}
	if err != nil {
		r.errorf(path, "config: %w", err)
		return nil
	}
	if c.Name == "" {
		c.Name = strings.ToLower(e.Class)
	}
	m := &model{name: c.Name, path: path, trainable: c.Trainable == nil || *c.Trainable, byName: map[string]*layer{}}
	if r.calls += len(c.Layers); r.calls > maxCalls {
		r.errorf(path, "has more than %d layers", maxCalls)
		return nil
	}
	sequential := e.Class == "Sequential"
	for _, e := range c.Layers {
		if l := r.layer(m, e, sequential, depth); l != nil {
			if m.byName[l.name] != nil {
				r.errorf(path, "two layers have the name %s", brief.Quote(l.name))
				return nil
			}
			m.layers, m.byName[l.name] = append(m.layers, l), l
		}
	}
	if len(r.errs) > 0 {
		return m
	}
	if sequential {
		r.chain(m, c.Layers, []json.RawMessage{c.InputShape, e.Build.InputShape})
	} else {
		m.inputs, _ = r.ends(path, "input_layers", c.Inputs)
		m.outputs, m.outputKeys = r.ends(path, "output_layers", c.Outputs)
	}
	return m
}

// layer reads the configuration of a layer, and of its calls in a Functional.
func (r *reader) layer(m *model, e entry, sequential bool, depth int) *layer {
	var c struct {
		Name       string          `json:"name"`
		Trainable  *bool           `json:"trainable"`
		BatchShape json.RawMessage `json:"batch_shape"`
		InputShape json.RawMessage `json:"batch_input_shape"`
	}
	if !isNull(e.Config) && !bytes.HasPrefix(bytes.TrimSpace(e.Config), []byte("[")) {
		if err := json.Unmarshal(e.Config, &c); err != nil {
			r.errorf(m.path, "layer %s (%s): config: %w", brief.Quote(e.Name), e.Class, err)
			return nil
		}
	}
	name := e.Name
	if name == "" {
		name = c.Name
	}
	if name == "" {
		name = fmt.Sprintf("%s_%d", strings.ToLower(e.Class), len(m.layers))
	}
	l := &layer{name: name, class: e.Class, nodes: map[int][]*nn.Node{}, trainable: c.Trainable == nil || *c.Trainable}
	l.path = fmt.Sprintf("layer %s", brief.Quote(strings.TrimPrefix(m.path+"/"+name, "/")))
	arguments := fields{}
	if !sequential && !isNull(e.Inbound) {
		l.calls, arguments = r.inbound(l, e)
	}
	switch {
	case e.Class == "InputLayer" && e.isKeras():
		shape := c.BatchShape
		if isNull(shape) {
			shape = c.InputShape
		}
		l.isIn, l.shape = true, sizes(shape)
		var config fields
		if json.Unmarshal(e.Config, &config) == nil {
			for _, f := range []string{"sparse", "ragged"} {
				if string(config[f]) == "true" {
					r.errorf(l.path, "its data is %s: only dense arrays are possible", f)
				}
			}
			if string(config["dtype"]) == `"string"` {
				r.errorf(l.path, "%w", errStrings)
			}
		}
	case e.isModel():
		l.sub = r.model(strings.TrimPrefix(m.path+"/"+name, "/"), e, depth+1)
	default:
		l.kind = r.kind(l.path, e.object, arguments, 0)
	}
	return l
}

// sizes returns the shape of a sample, -1 for an axis of any size, of a shape with the batch; nil if there is none.
func sizes(text json.RawMessage) []int {
	text, err := simplify(text, 0)
	if err != nil {
		return nil
	}
	var all []*int
	if isNull(text) || json.Unmarshal(text, &all) != nil || len(all) == 0 {
		return nil
	}
	shape := []int{}
	for _, n := range all[1:] {
		if n == nil {
			shape = append(shape, -1)
		} else {
			shape = append(shape, *n)
		}
	}
	return shape
}

// chain makes the graph of a Sequential: each layer is called on the one before. The first one may be no input.
func (r *reader) chain(m *model, entries []entry, shapes []json.RawMessage) {
	if len(m.layers) == 0 {
		r.errorf(m.path, "has no layers")
		return
	}
	if first := m.layers[0]; !first.isIn {
		in := &layer{name: first.name + "_input", path: first.path + "_input", class: "InputLayer", isIn: true, nodes: map[int][]*nn.Node{}}
		var c struct {
			InputDim   *int            `json:"input_dim"`
			InputShape json.RawMessage `json:"batch_input_shape"`
			BatchShape json.RawMessage `json:"batch_shape"`
		}
		if first.sub != nil {
			if inner := first.sub.byName[first.sub.inputs[0].layer]; inner != nil {
				in.shape = inner.shape
			}
		} else if json.Unmarshal(entries[0].Config, &c) == nil {
			shapes = append([]json.RawMessage{c.BatchShape, c.InputShape}, append(shapes, entries[0].Build.InputShape)...)
		}
		for _, s := range shapes {
			if in.shape == nil {
				in.shape = sizes(s)
			}
		}
		if in.shape == nil && c.InputDim != nil && first.class != "Embedding" {
			in.shape = []int{*c.InputDim}
		}
		if in.shape == nil && r.hint != nil {
			if n := r.hint(first.name); n > 0 && first.class == "Dense" {
				in.shape = []int{n}
			}
		}
		m.layers = slices.Insert(m.layers, 0, in)
		m.byName[in.name] = in
	}
	for i, l := range m.layers[1:] {
		l.calls = []call{{ref{layer: m.layers[i].name}}}
	}
	m.inputs = []ref{{layer: m.layers[0].name}}
	m.outputs = []ref{{layer: m.layers[len(m.layers)-1].name}}
}

// ends reads the inputs or outputs of a model: [name, 0, 0], a list of those, or a dictionary of them, in which case it returns
// the keys as well, sorted as Keras does.
func (r *reader) ends(path, field string, text json.RawMessage) (all []ref, keys []string) {
	var one ref
	var list []json.RawMessage
	var dictionary map[string]json.RawMessage
	switch {
	case one.read(text):
		return []ref{one}, nil
	case json.Unmarshal(text, &list) == nil:
	case json.Unmarshal(text, &dictionary) == nil:
		for key := range dictionary {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			list = append(list, dictionary[key])
		}
	}
	for _, text := range list {
		if !one.read(text) {
			r.errorf(path, "%s: %s is not [layer, call, result]", field, brief.Quote(string(text)))
			return nil, nil
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		r.errorf(path, "has no %s", field)
	}
	return all, keys
}

// read reads [name, 0, 0] with or without arguments, and reports whether text is that.
func (ref *ref) read(text json.RawMessage) bool {
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil || len(list) < 3 || len(list) > 4 {
		return false
	}
	return json.Unmarshal(list[0], &ref.layer) == nil && json.Unmarshal(list[1], &ref.node) == nil && json.Unmarshal(list[2], &ref.tensor) == nil
}

// inbound reads what a layer is called on, and the arguments that change what it computes.
func (r *reader) inbound(l *layer, e entry) (calls []call, arguments fields) {
	var nodes []json.RawMessage
	if err := json.Unmarshal(e.Inbound, &nodes); err != nil {
		r.errorf(l.path, "inbound_nodes: %w", err)
		return nil, nil
	}
	arguments = fields{}
	for i, text := range nodes {
		var c call
		var err error
		given := fields{}
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
			c, err = readNode3(text, given)
		} else {
			c, err = readNode2(text, given)
		}
		if err != nil {
			r.errorf(l.path, "call %d: %w", i, err)
			return nil, nil
		}
		calls = append(calls, c)
		for name, v := range given {
			if old, ok := arguments[name]; (i > 0 && !ok) || ok && string(old) != string(v) {
				r.errorf(l.path, "is called with different values of %s", brief.Quote(name))
			}
			arguments[name] = v
		}
	}
	return calls, arguments
}

// argumentPlaces says which input of a layer a named argument is.
var argumentPlaces = map[string]int{"inputs": 0, "x": 0, "sequences": 0, "sequence": 0, "data": 0, "query": 0, "value": 1, "key": 2}

// place puts the inputs of a named argument where they belong.
func (c *call) place(name string, in []ref) error {
	at, ok := argumentPlaces[name]
	switch {
	case !ok:
		return fmt.Errorf("the argument %s is the result of a layer, which is not supported", brief.Quote(name))
	case at == 0 && len(*c) == 0:
	case at != len(*c) || len(in) != 1:
		return fmt.Errorf("the argument %s is out of place", brief.Quote(name))
	}
	*c = append(*c, in...)
	return nil
}

// argument keeps an argument that is not what every layer has.
func argument(given fields, name string, v json.RawMessage) error {
	switch {
	case isNull(v), string(v) == "false":
		return nil
	case name == "training":
		return errors.New("training is on in this call, also where it serves: not supported")
	}
	given[name] = v
	return nil
}

// readNode3 reads a call as Keras 3 writes it: arguments in which tensors are objects.
func readNode3(text json.RawMessage, given fields) (call, error) {
	var n struct {
		Args   []json.RawMessage          `json:"args"`
		Kwargs map[string]json.RawMessage `json:"kwargs"`
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return nil, err
	}
	var c call
	for i, text := range n.Args {
		in, err := tensors(text, 0)
		if err != nil {
			return nil, err
		}
		if len(in) == 0 && !isNull(text) {
			return nil, fmt.Errorf("argument %d is %s, must be the result of a layer", i, brief.Cut(string(text), brief.MaxQuoted))
		}
		c = append(c, in...)
	}
	for _, name := range sortedArguments(n.Kwargs) {
		text := n.Kwargs[name]
		in, err := tensors(text, 0)
		if err == nil && len(in) > 0 {
			err = c.place(name, in)
		} else if err == nil {
			err = argument(given, name, text)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// sortedArguments returns the names with those first that are inputs, in their order.
func sortedArguments(all map[string]json.RawMessage) []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		i, oka := argumentPlaces[a]
		j, okb := argumentPlaces[b]
		switch {
		case oka && okb && i != j:
			return i - j
		case oka != okb && oka:
			return -1
		case oka != okb:
			return 1
		}
		return strings.Compare(a, b)
	})
	return names
}

// tensors returns the results of layers that an argument has.
func tensors(text json.RawMessage, depth int) ([]ref, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	text = bytes.TrimSpace(text)
	var list []json.RawMessage
	switch {
	case bytes.HasPrefix(text, []byte("[")):
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
	case bytes.HasPrefix(text, []byte("{")):
		var o struct {
			Class  string `json:"class_name"`
			Config struct {
				History json.RawMessage `json:"keras_history"`
			} `json:"config"`
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		if o.Class == "__keras_tensor__" {
			var one ref
			if !one.read(o.Config.History) {
				return nil, fmt.Errorf("keras_history %s is not [layer, call, result]", brief.Quote(string(o.Config.History)))
			}
			return []ref{one}, nil
		}
		if list = o.Items; o.Class != "__tuple__" {
			return nil, fmt.Errorf("an argument is %s, must be the result of a layer", brief.Cut(string(text), brief.MaxQuoted))
		}
	}
	var all []ref
	for _, text := range list {
		in, err := tensors(text, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, in...)
	}
	return all, nil
}

// readNode2 reads a call as Keras 1 and 2 write it: [[layer, call, result, arguments], ...].
func readNode2(text json.RawMessage, given fields) (call, error) {
	var list []json.RawMessage
	var one ref
	if one.read(text) {
		list = []json.RawMessage{text}
	} else if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	var c call
	for _, text := range list {
		if !one.read(text) {
			return nil, fmt.Errorf("%s is not [layer, call, result]", brief.Quote(string(text)))
		}
		c = append(c, one)
		var parts []json.RawMessage
		if err := json.Unmarshal(text, &parts); err != nil {
			return nil, err
		}
		if len(parts) < 4 || isNull(parts[3]) {
			continue
		}
		var kwargs map[string]json.RawMessage
		if err := json.Unmarshal(parts[3], &kwargs); err != nil {
			return nil, err
		}
		for _, name := range sortedArguments(kwargs) {
			var err error
			if one.read(kwargs[name]) {
				err = c.place(name, []ref{one})
			} else {
				err = argument(given, name, kwargs[name])
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}
