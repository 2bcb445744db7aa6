package nn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
)

// An autoencoder whose code is to be small: a term that compares nothing with a target.
func ExampleAddLoss() {
	x := nn.Input("x", 2)
	code := nn.Dense(1, nn.Linear, nn.KernelInitializer(nn.Ones())).On(x)
	decoded := nn.Dense(2, nn.Linear, nn.KernelInitializer(nn.Ones())).On(code)
	y := nn.AddLoss(0.5, nn.Name("y")).On(decoded, nn.Multiply().On(code, code))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	logs, err := m.Evaluate(context.Background(), nn.Data{
		Inputs:  nn.Arrays{"x": nn.Floats{1, 2}},
		Targets: nn.Arrays{"y": nn.Floats{1, 2}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(logs["loss"]) // ((3-1)² + (3-2)²)/2 + 0.5·3²
	// Output:
	// 7
}

// The penalty of any node: here of the input, so that the loss is that of the output and Σx².
func ExampleActivityRegularization() {
	x := nn.Input("x", 2)
	y := nn.Dense(1, nn.Linear, nn.Name("y"), nn.KernelInitializer(nn.Ones())).On(nn.ActivityRegularization(0, 1).On(x))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	logs, err := m.TestOnBatch(nn.Data{Inputs: nn.Arrays{"x": nn.Floats{1, 2}}, Targets: nn.Arrays{"y": nn.Floats{1}}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(logs["loss"]) // (3-1)² + 1² + 2²
	// Output:
	// 9
}

// Several losses of one output, with a weight each, and what a loss of weight 0 only measures: Identity gives the output a name
// for each of them, and so a log and targets, which may be the same slice.
func ExampleIdentity_severalLosses() {
	x := nn.Input("x", 1)
	y := nn.Dense(1, nn.Linear, nn.Name("y"), nn.KernelInitializer(nn.Ones())).On(x)
	robust := nn.Identity(nn.Name("robust")).On(y)
	naive := nn.Identity(nn.Name("naive")).On(y)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y, robust, naive})
	if err != nil {
		log.Fatal(err)
	}
	err = m.Compile(nn.SGD(0.1),
		nn.Losses{"y": nn.MSE(), "robust": nn.MAE(), "naive": nn.MAE()},
		nn.LossWeights{"robust": 0.5, "naive": 0})
	if err != nil {
		log.Fatal(err)
	}
	target, yesterday := nn.Floats{1, 2}, nn.Floats{3, 4}
	logs, err := m.Evaluate(context.Background(), nn.Data{
		Inputs:  nn.Arrays{"x": nn.Floats{3, 2}},
		Targets: nn.Arrays{"y": target, "robust": target, "naive": yesterday},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(logs["loss"], logs["y_loss"], logs["robust_loss"], logs["naive_loss"])
	// Output:
	// 2.5 2 1 1
}
