package nn

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// kerasLayer is a layer in the JSON of a Keras model.
type kerasLayer struct {
	Class  string `json:"class_name"`
	Name   string
	Config struct {
		Trainable   *bool
		BatchShape  []int `json:"batch_shape"` // the batch axis is null, which reads as 0
		Units       int
		Activation  Object[ActivationFunction]
		UseBias     bool `json:"use_bias"`
		Rate        float64
		Axis        *int
		TargetShape []int `json:"target_shape"`
	}
	Inbound []struct{ Args, Kwargs any } `json:"inbound_nodes"`
}

// graphFromKeras builds the model that Keras' to_json describes. Layers come in any order and may be shared.
func graphFromKeras(t testing.TB, keras json.RawMessage) *Model {
	t.Helper()
	var root struct {
		Config struct {
			Name    string
			Layers  []kerasLayer
			Inputs  any `json:"input_layers"`
			Outputs any `json:"output_layers"`
		}
	}
	if err := json.Unmarshal(keras, &root); err != nil {
		t.Fatal(err)
	}
	described := map[string]*kerasLayer{}
	built := map[string]*Layer{}
	for i := range root.Config.Layers {
		k := &root.Config.Layers[i]
		if described[k.Name] != nil {
			t.Fatalf("two layers are named %q", k.Name)
		}
		described[k.Name] = k
		built[k.Name] = k.layer(t)
	}
	var nodes func(v any) []*Node
	nodes = func(v any) []*Node {
		var found []*Node
		for _, h := range histories(v) {
			l, k := built[h.layer], described[h.layer]
			if l == nil {
				t.Fatalf("there is no layer %q", h.layer)
			}
			// A call's index is its place in the order of calls, so earlier ones are made first.
			for len(l.nodes) <= h.call {
				if len(l.nodes) >= len(k.Inbound) {
					t.Fatalf("layer %q has %d calls, wanted is call %d", h.layer, len(k.Inbound), h.call)
				}
				i := k.Inbound[len(l.nodes)]
				l.On(nodes([]any{i.Args, i.Kwargs})...)
			}
			found = append(found, l.nodes[h.call])
		}
		return found
	}
	m, err := NewModel(nodes(root.Config.Inputs), nodes(root.Config.Outputs), Name(root.Config.Name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (k *kerasLayer) layer(t testing.TB) *Layer {
	t.Helper()
	var l *Layer
	c, name := k.Config, Name(k.Name)
	switch k.Class {
	case "InputLayer":
		if len(c.BatchShape) == 0 {
			t.Fatalf("layer %q has no batch_shape", k.Name)
		}
		l = Input(k.Name, c.BatchShape[1:]...).layer
	case "Dense":
		l = Dense(c.Units, c.Activation.Value, name)
		if !c.UseBias {
			l = Dense(c.Units, c.Activation.Value, name, NoBias())
		}
	case "Activation":
		l = Activation(c.Activation.Value, name)
	case "Concatenate":
		if c.Axis != nil && *c.Axis != -1 {
			t.Fatalf("layer %q concatenates along axis %d, only the last, -1, is known", k.Name, *c.Axis)
		}
		l = Concatenate(name)
	case "Add":
		l = Add(name)
	case "Multiply":
		l = Multiply(name)
	case "Dropout":
		l = Dropout(c.Rate, name)
	case "Flatten":
		l = Flatten(name)
	case "Reshape":
		l = Reshape(c.TargetShape, name)
	default:
		t.Fatalf("layer %q has the unknown class %q", k.Name, k.Class)
	}
	l.SetTrainable(c.Trainable == nil || *c.Trainable)
	return l
}

// A history tells which call of which layer a tensor comes from. Layers have one tensor per call.
type history struct {
	layer string
	call  int
}

// histories finds every [layer, call, 0] in v, in order: alone, in lists of any depth, or in objects such as tensors.
func histories(v any) []history {
	var found []history
	switch v := v.(type) {
	case []any:
		if len(v) == 3 {
			layer, isName := v[0].(string)
			call, isCall := v[1].(float64)
			if isName && isCall {
				return []history{{layer, int(call)}}
			}
		}
		for _, e := range v {
			found = append(found, histories(e)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			found = append(found, histories(v[key])...)
		}
	}
	return found
}
