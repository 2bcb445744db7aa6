package nn

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
)

// Files of version 1 have a vocabulary of their own, and say "no_bias" where Keras says "use_bias". They are read for good.
const version1 = "1"

type architecture1 struct {
	Name    string           `json:"name"`
	Seed    uint64           `json:"seed"`
	Layers  list[layer1]     `json:"layers"`
	Nodes   list[nodeConfig] `json:"nodes"`
	Inputs  indices          `json:"inputs"`
	Outputs indices          `json:"outputs"`
}

type layer1 struct {
	Class     string          `json:"class"`
	Name      string          `json:"name"`
	Config    json.RawMessage `json:"config"`
	Trainable bool            `json:"trainable"`
}

type dense1 struct {
	Units      int                        `json:"units"`
	Activation Object[ActivationFunction] `json:"activation"`
	NoBias     bool                       `json:"no_bias,omitempty"`
}

type embedding1 struct {
	InputDim  int `json:"input_dim"`
	OutputDim int `json:"output_dim"`
}

// fields1 are the fields that version 1 had of classes which have got others since.
var fields1 = map[string][]string{"Concatenate": nil}

type training1 struct {
	Optimizer  optimizer1  `json:"optimizer"`
	Iterations int64       `json:"iterations"`
	Heads      list[head1] `json:"heads"`
}

type head1 struct {
	Output  string               `json:"output"`
	Loss    loss1                `json:"loss"`
	Weight  float64              `json:"loss_weight"`
	Metrics list[Object[Metric]] `json:"metrics,omitempty"`
}

type loss1 struct {
	Name       string `json:"name"`
	FromLogits bool   `json:"from_logits,omitempty"`
}

type optimizer1 struct {
	Algorithm    string  `json:"algorithm"`
	LearningRate float64 `json:"learning_rate"`
	Momentum     float64 `json:"momentum,omitempty"`
	Nesterov     bool    `json:"nesterov,omitempty"`
	Beta1        float64 `json:"beta_1,omitempty"`
	Beta2        float64 `json:"beta_2,omitempty"`
	Rho          float64 `json:"rho,omitempty"`
	Epsilon      float64 `json:"epsilon,omitempty"`
}

// parseVersion1 is parseHeader for a file of version 1: the one header for a model is what this version would print.
func (meta *metadata) parseVersion1() (*Model, []byte, error) {
	m, architecture, err := parseArchitecture1(meta.Architecture)
	if err != nil {
		return nil, nil, fmt.Errorf("architecture: %w", err)
	}
	same := metadata{Version: version1, Architecture: architecture}
	if meta.Training != "" {
		if same.Training, err = parseTraining1(meta.Training, m); err != nil {
			return nil, nil, fmt.Errorf("training: %w", err)
		}
	}
	want, err := encodeHeader(same, m.tensors())
	return m, want, err
}

// parseArchitecture1 returns the model, and the one text for it.
func parseArchitecture1(text string) (*Model, string, error) {
	var a architecture1
	if err := decodeJSON(text, &a); err != nil {
		return nil, "", err
	}
	now, err := a.upgrade()
	if err != nil {
		return nil, "", err
	}
	m, err := now.model(1)
	if err != nil {
		return nil, "", err
	}
	same, err := encodeJSON(a)
	return m, string(same), err
}

// parseTraining1 compiles the model, and returns the one text for that.
func parseTraining1(text string, m *Model) (string, error) {
	var t training1
	if err := decodeJSON(text, &t); err != nil {
		return "", err
	}
	now, err := t.upgrade()
	if err != nil {
		return "", err
	}
	if err := now.compile(m); err != nil {
		return "", err
	}
	same, err := encodeJSON(t)
	return string(same), err
}

func (a *architecture1) upgrade() (*architecture, error) {
	now := &architecture{Name: a.Name, Seed: a.Seed, Nodes: a.Nodes, Inputs: a.Inputs, Outputs: a.Outputs}
	for i := range a.Layers {
		l := &a.Layers[i]
		kind, text, err := l.upgrade()
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", brief.Quote(l.Name), err)
		}
		config, err := encodeConfig(kind)
		if err != nil {
			return nil, err
		}
		l.Config = text
		now.Layers = append(now.Layers, layerConfig{l.Class, l.Name, config, l.Trainable})
	}
	return now, nil
}

// upgrade returns the kind and the one way in which version 1 wrote it.
func (l *layer1) upgrade() (Kind, []byte, error) {
	switch l.Class {
	case "Dense":
		var d dense1
		if err := decodeJSON(string(l.Config), &d); err != nil {
			return nil, nil, fmt.Errorf("config: %w", err)
		}
		text, err := encodeJSON(d)
		return &dense{d.Units, d.Activation, !d.NoBias, usualKernel()}, text, err
	case "Embedding":
		var e embedding1
		if err := decodeJSON(string(l.Config), &e); err != nil {
			return nil, nil, fmt.Errorf("config: %w", err)
		}
		text, err := encodeJSON(e)
		return usualEmbedding(e.InputDim, e.OutputDim), text, err
	default:
		kind, err := newObject[Kind](l.Class, l.Config)
		if err != nil {
			return nil, nil, err
		}
		fields, err := encodeFields(kind)
		if err != nil {
			return nil, nil, err
		}
		if had, ok := fields1[l.Class]; ok {
			fields = slices.DeleteFunc(fields, func(f field) bool { return !slices.Contains(had, f.name) })
		}
		text, err := encodeObject(fields)
		return kind, text, err
	}
}

func (t *training1) upgrade() (*training, error) {
	o, err := t.Optimizer.upgrade()
	if err != nil {
		return nil, err
	}
	now := &training{Optimizer: Object[Optimizer]{o}, Iterations: t.Iterations}
	for _, h := range t.Heads {
		loss, err := h.Loss.upgrade()
		if err != nil {
			return nil, err
		}
		now.Heads = append(now.Heads, headConfig{Output: h.Output, Loss: Object[Loss]{loss}, Weight: h.Weight, Metrics: h.Metrics})
	}
	return now, nil
}

func (l loss1) upgrade() (Loss, error) {
	c := usualCrossentropy
	c.FromLogits = l.FromLogits
	switch l.Name {
	case "mse":
		return MSE(), nil
	case "mae":
		return MAE(), nil
	case "sparse_categorical_crossentropy":
		return &sparseCrossentropy{c, nil}, nil
	case "categorical_crossentropy":
		return &categoricalCrossentropy{c, smoothing{}}, nil
	case "binary_crossentropy":
		return &binaryCrossentropy{c, smoothing{}}, nil
	}
	return nil, fmt.Errorf("unknown loss %q of version 1", l.Name)
}

// upgrade returns an optimizer that does the same. Version 1 had fields that an algorithm does not use, momentum without
// which nesterov means nothing, and rates that are 0 in float32.
func (o optimizer1) upgrade() (Optimizer, error) {
	for _, v := range []*float64{&o.LearningRate, &o.Momentum, &o.Beta1, &o.Beta2, &o.Rho} {
		if vanishes(*v) {
			*v = 0
		}
	}
	switch o.Algorithm {
	case "sgd":
		now := SGD(o.LearningRate)
		now.Momentum, now.Nesterov = o.Momentum, o.Nesterov && o.Momentum != 0
		return now, nil
	case "adam":
		now := Adam(o.LearningRate)
		now.Beta1, now.Beta2, now.Epsilon = o.Beta1, o.Beta2, o.Epsilon
		return now, nil
	case "rmsprop":
		now := RMSprop(o.LearningRate)
		now.Rho, now.Epsilon = o.Rho, o.Epsilon
		return now, nil
	}
	return nil, fmt.Errorf("unknown optimizer %q: valid in version 1 are %q", o.Algorithm, []string{"sgd", "adam", "rmsprop"})
}
