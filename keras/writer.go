package keras

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// newObject returns an object of Keras, or of the user if module is empty.
func newObject(module, class string, config any) map[string]any {
	if module == "" {
		return map[string]any{"module": nil, "class_name": class, "config": config, "registered_name": class}
	}
	return map[string]any{"module": module, "class_name": class, "config": config, "registered_name": nil}
}

// modelConfig returns the configuration of a model.
func modelConfig(m *nn.Model) (map[string]any, error) {
	calls := map[*nn.Layer][]*nn.Node{}
	index := map[*nn.Node]int{}
	for _, n := range m.Calls() {
		index[n] = len(calls[n.Layer()])
		calls[n.Layer()] = append(calls[n.Layer()], n)
	}
	var layers []any
	for _, l := range m.Layers() {
		o, err := layerConfig(m, l, calls[l], index)
		if err != nil {
			return nil, fmt.Errorf("layer %s (%s): %w", brief.Quote(l.Name()), l.Class(), err)
		}
		layers = append(layers, o)
	}
	ends := func(nodes []*nn.Node) []any {
		var all []any
		for _, n := range nodes {
			all = append(all, history(n, index))
		}
		return all
	}
	o := newObject("keras.src.models.functional", "Functional", map[string]any{
		"name": m.Name(), "trainable": true, "layers": layers, "input_layers": ends(m.Inputs()), "output_layers": ends(m.Outputs()),
	})
	o["registered_name"] = "Functional"
	return o, nil
}

// history says which result of which call of a layer a node is.
func history(n *nn.Node, index map[*nn.Node]int) []any {
	call, result := n.Call()
	return []any{call.Layer().Name(), index[call], result}
}

// batched returns a shape with the batch.
func batched(s nn.Shape) []any {
	all := []any{nil}
	for _, n := range s {
		all = append(all, n)
	}
	return all
}

// tensor returns a node as an argument of a call.
func tensor(n *nn.Node, index map[*nn.Node]int) any {
	return map[string]any{"class_name": "__keras_tensor__", "config": map[string]any{
		"shape": batched(n.Shape()), "dtype": "float32", "keras_history": history(n, index),
	}}
}

// layerConfig returns the configuration of a layer with its calls.
func layerConfig(m *nn.Model, l *nn.Layer, calls []*nn.Node, index map[*nn.Node]int) (map[string]any, error) {
	var o map[string]any
	var err error
	arguments := map[string]any{}
	if s, missing := m.Submodel(l.Name()); missing == nil {
		if o, err = modelConfig(s); err != nil {
			return nil, err
		}
	} else if l.Class() == "InputLayer" && isOurs(l.Kind()) {
		o = newObject("keras.layers", "InputLayer", map[string]any{
			"batch_shape": batched(calls[0].Shape()), "dtype": "float32", "sparse": false, "ragged": false, "name": l.Name(),
		})
	} else {
		if o, err = kindConfig(l.Kind(), arguments); err != nil {
			return nil, err
		}
		config := o["config"].(fields)
		config["name"], _ = json.Marshal(l.Name())
		if !l.Trainable() && l.Class() != "SpatialDropout1D" { // which does not take it
			config["trainable"] = json.RawMessage("false")
		}
		config["dtype"] = json.RawMessage(`"float32"`)
	}
	o["name"] = l.Name()
	nodes := []any{}
	for _, n := range calls {
		if in := n.Inputs(); len(in) > 0 {
			nodes = append(nodes, callConfig(l.Class(), in, arguments, index))
		}
	}
	o["inbound_nodes"] = nodes
	return o, nil
}

// callConfig returns a call of a layer.
func callConfig(class string, in []*nn.Node, arguments map[string]any, index map[*nn.Node]int) any {
	var args []any
	for _, n := range in {
		args = append(args, tensor(n, index))
	}
	kwargs := map[string]any{}
	for name, v := range arguments {
		kwargs[name] = v
	}
	switch {
	case class == "MultiHeadAttention" || class == "GroupedQueryAttention":
		if len(args) == 3 {
			kwargs["key"], args = args[2], args[:2]
		}
	case len(args) > 1 || slices.Contains(merging, class):
		args = []any{args}
	}
	return map[string]any{"args": args, "kwargs": kwargs}
}

// merging are the layers that take a list, also of one.
var merging = []string{"Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract", "Dot", "Attention", "AdditiveAttention"}

// kindConfig returns the configuration of a kind. Some of it are arguments of the layer's calls in Keras.
func kindConfig(k nn.Kind, arguments map[string]any) (map[string]any, error) {
	class, _ := classOf(k)
	text, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	var config fields
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	module := ""
	if isOurs(k) {
		module = "keras.layers"
		if class == groupedQuery {
			class = groupQuery
		}
		if causal, ok := config["use_causal_mask"]; ok {
			if delete(config, "use_causal_mask"); string(causal) == "true" {
				arguments["use_causal_mask"] = true
			}
		}
		for name, unset := range map[string]string{"data_format": `""`, "value_dim": "0", "sliding_window": "0", "zero_output_for_mask": "false"} {
			if string(config[name]) == unset { // the default, which Keras writes in another way or not at all
				delete(config, name)
			}
		}
		for name, v := range config {
			if config[name], err = fieldConfig(name, v); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return newObject(module, class, config), nil
}

// modules are where Keras has the classes of fields, by the end of the field's name.
var modules = []struct{ end, module string }{
	{"_initializer", "keras.initializers"}, {"_regularizer", "keras.regularizers"}, {"_constraint", "keras.constraints"}, {"activation", "keras.layers"},
}

// fieldConfig returns a field's value as Keras has it.
func fieldConfig(name string, text json.RawMessage) (json.RawMessage, error) {
	var o object
	if json.Unmarshal(text, &o) != nil || o.Class == "" {
		if strings.Contains(string(text), hardSigmoid2) {
			return nil, fmt.Errorf("the activation is what Keras 1 and 2 call hard_sigmoid, which Keras 3 does not have")
		}
		return text, nil
	}
	if strings.HasSuffix(name, "layer") {
		k, err := decodeKind(o)
		if err != nil {
			return nil, err
		}
		within, err := kindConfig(k, map[string]any{})
		if err != nil {
			return nil, err
		}
		return json.Marshal(within)
	}
	for _, m := range modules {
		if !strings.HasSuffix(name, m.end) {
			continue
		}
		if m.end == "activation" {
			function := o.Class
			for layer, of := range activationLayers {
				if of == function {
					o.Class = layer
				}
			}
			if o.Class == function {
				return nil, fmt.Errorf("the activation %s has parameters, for which Keras has no form", brief.Quote(function))
			}
		}
		return json.Marshal(newObject(m.module, o.Class, o.Config))
	}
	return text, nil
}
