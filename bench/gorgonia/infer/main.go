// Command infer is the process of Gorgonia that ../../infer/peers/child.go asks: the network as a graph, compiled for a
// TapeMachine, with weights and inputs that exist before the call. Biases have a row for each of the batch: Gorgonia would
// make these in each call.
package main

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/espalier-ml/espalier/bench/gorgonia/ask"
	"github.com/espalier-ml/espalier/bench/gorgonia/blas"
)

func main() { ask.Serve("gorgonia.org/gorgonia", prepare) }

func prepare(p *ask.Problem) ([]ask.Call, error) {
	g := gorgonia.NewGraph()
	matrix := func(name string, values []float32, cols int) *gorgonia.Node {
		shape := tensor.Shape{len(values) / cols, cols}
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName(name), gorgonia.WithShape(shape...),
			gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
	}
	var weights, biases, values gorgonia.Nodes
	for i, l := range p.Layers {
		weights = append(weights, matrix(fmt.Sprint("w", i), p.Next(l.In*l.Out), l.Out))
		var rows []float32
		for bias := p.Next(l.Out); len(rows) < p.Batch*l.Out; {
			rows = append(rows, bias...)
		}
		biases = append(biases, matrix(fmt.Sprint("b", i), rows, l.Out))
	}
	for i, features := range p.Inputs {
		values = append(values, matrix(fmt.Sprint("x", i), p.Next(p.Batch*features), features))
	}
	for _, s := range p.Steps {
		var on gorgonia.Nodes
		for _, v := range s.On {
			on = append(on, values[v])
		}
		var y *gorgonia.Node
		var err error
		if s.Layer < 0 {
			y, err = gorgonia.Concat(1, on...)
		} else {
			y, err = dense(on[0], weights[s.Layer], biases[s.Layer], p.Layers[s.Layer].Act)
		}
		if err != nil {
			return nil, err
		}
		values = append(values, y)
	}
	outputs := make([]gorgonia.Value, len(p.Outputs))
	for o, v := range p.Outputs {
		gorgonia.Read(values[v], &outputs[o])
	}
	vm := gorgonia.NewTapeMachine(g)
	var calls []ask.Call
	for _, b := range blas.Libraries {
		calls = append(calls, ask.Call{
			Way: "TapeMachine " + b.Name,
			Run: func() error {
				b.Use()
				vm.Reset()
				return vm.RunAll()
			},
			Fetch: func(to *ask.Answer) error {
				for _, y := range outputs {
					to.Outputs = append(to.Outputs, y.Data().([]float32))
				}
				return nil
			},
		})
	}
	return calls, nil
}

func dense(x, w, b *gorgonia.Node, act string) (*gorgonia.Node, error) {
	y, err := gorgonia.Mul(x, w)
	if err != nil {
		return nil, err
	}
	if y, err = gorgonia.Add(y, b); err != nil {
		return nil, err
	}
	switch act {
	case "relu":
		return gorgonia.Rectify(y)
	case "sigmoid":
		return gorgonia.Sigmoid(y)
	case "softmax":
		return gorgonia.SoftMax(y, 1)
	}
	return y, nil
}
