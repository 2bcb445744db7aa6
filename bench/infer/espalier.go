package infer

import (
	"fmt"

	"github.com/espalier-ml/espalier/bench"
	"github.com/espalier-ml/espalier/nn"
)

// Espalier is this library.
type Espalier struct{}

func (Espalier) Name() string { return "espalier" }

func (Espalier) Version() string { return "of this tree" }

// Prepare returns one call: Run of a session, with the inputs in its memory.
func (Espalier) Prepare(p *Problem) ([]Call, error) {
	plan, err := newPlan(p)
	if err != nil {
		return nil, err
	}
	s := plan.NewSession()
	for i, x := range p.X {
		copy(s.Input(i), x)
	}
	call := GoCall("Session.Run", func() error { return s.Run(p.Batch) })
	run := call.Run
	call.Run = func(ns []uint32) error {
		return bench.Unlocked(func() error { return run(ns) })
	}
	call.Fetch = func() error {
		for o, y := range p.Y {
			copy(y, s.Output(o))
		}
		return nil
	}
	return []Call{call}, nil
}

// Model builds the network of some operands.
func Model(p *Operands) (*nn.Model, error) {
	activations := map[Activation]nn.ActivationKind{Linear: nn.Linear, ReLU: nn.ReLU, Sigmoid: nn.Sigmoid, Softmax: nn.Softmax}
	weights := map[string][]float32{}
	var layers []*nn.Layer
	for i, l := range p.Layers {
		name := fmt.Sprintf("layer_%d", i)
		layers = append(layers, nn.Dense(l.Out, activations[l.Act], nn.Name(name)))
		weights[name+"/kernel"], weights[name+"/bias"] = p.Weights[i], p.Biases[i]
	}
	var values, outputs []*nn.Node
	for i, features := range p.Inputs {
		values = append(values, nn.Input(fmt.Sprintf("input_%d", i), features))
	}
	inputs := values[:len(values):len(values)]
	for _, s := range p.Steps {
		var on []*nn.Node
		for _, v := range s.On {
			on = append(on, values[v])
		}
		layer := nn.Concatenate()
		if s.Layer != Concat {
			layer = layers[s.Layer]
		}
		values = append(values, layer.On(on...))
	}
	for _, v := range p.Outputs {
		outputs = append(outputs, values[v])
	}
	m, err := nn.NewModel(inputs, outputs)
	if err != nil {
		return nil, err
	}
	return m, m.SetWeights(weights)
}
