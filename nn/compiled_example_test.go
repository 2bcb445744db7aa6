package nn_test

import (
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
)

// Training of a copy goes on where that of a model is: what Compile was given and the state of the optimizer are all it takes,
// besides the weights.
func ExampleModel_OptimizerState() {
	build := func() *nn.Model {
		x := nn.Input("x", 2)
		m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
		if err != nil {
			log.Fatal(err)
		}
		return m
	}
	batch := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{1, 2}}, Targets: nn.Arrays{"y": nn.Floats{3}}}
	m := build()
	if err := m.Compile(nn.Adam(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	if _, err := m.TrainOnBatch(batch); err != nil {
		log.Fatal(err)
	}

	again := build()
	for i, w := range m.Weights() {
		copy(again.Weights()[i].Data, w.Data)
	}
	c, _ := m.Compiled()
	if err := again.Compile(c.Optimizer, c.Losses, c.LossWeights, c.Metrics, c.WeightedMetrics); err != nil {
		log.Fatal(err)
	}
	state, err := m.OptimizerState()
	if err != nil {
		log.Fatal(err)
	}
	if err := again.SetOptimizerState(state); err != nil {
		log.Fatal(err)
	}
	fmt.Println(state.Steps, "step,", len(state.Slots["y/kernel"]), "slots of", m.Weights()[0].Name)
	one, err := m.TrainOnBatch(batch)
	if err != nil {
		log.Fatal(err)
	}
	other, err := again.TrainOnBatch(batch)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(one["loss"] == other["loss"], m.Weights()[0].Trainable())
	// Output:
	// 1 step, 2 slots of y/kernel
	// true true
}

// What a model calls, with its configuration: Calls has a model within as one call, which its results come from.
func ExampleModel_Calls() {
	in := nn.Input("in", 3)
	encoder, err := nn.NewModel([]*nn.Node{in}, []*nn.Node{nn.Dense(2, nn.ReLU).On(in)}, nn.Name("encoder"))
	if err != nil {
		log.Fatal(err)
	}
	x := nn.Input("x", 3)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dropout(0.5, nn.Name("y")).On(encoder.On(x))})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range m.Calls() {
		for _, on := range n.Inputs() {
			call, result := on.Call()
			fmt.Printf("%s on result %d of %s: %T\n", n.Layer().Name(), result, call.Layer().Name(), n.Layer().Kind())
		}
	}
	// Output:
	// encoder on result 0 of x: *nn.functional
	// y on result 0 of encoder: *nn.dropout
}
