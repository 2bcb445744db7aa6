package nn_test

import (
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
)

// Two inputs, a shared trunk, two outputs.
func ExampleNewModel() {
	x, c := nn.Input("features", 3), nn.Input("context", 2)
	trunk := nn.Dense(8, nn.ReLU, nn.Name("trunk")).On(nn.Concatenate().On(x, c))
	label := nn.Dense(4, nn.Softmax, nn.Name("label")).On(trunk)
	value := nn.Dense(1, nn.Linear, nn.Name("value")).On(trunk)
	m, err := nn.NewModel([]*nn.Node{x, c}, []*nn.Node{label, value})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.InputNames(), m.OutputNames(), m.CountParams())

	y, err := m.Predict(nn.Arrays{
		"features": nn.Floats{1, 2, 3, 4, 5, 6}, // two rows
		"context":  nn.Floats{0, 1, 1, 0},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["label"].Rows, y["label"].Cols)
	fmt.Println(y["value"].Rows, y["value"].Cols)
	// Output:
	// [features context] [label value] 93
	// 2 4
	// 2 1
}

// Every mistake in a graph is reported at once, by layer.
func ExampleNewModel_errors() {
	x := nn.Input("x", 4)
	wide := nn.Dense(0, nn.ReLU, nn.Name("wide")).On(x)
	sum := nn.Add(nn.Name("sum")).On(x, nn.Dense(3, nn.ReLU).On(x))
	_, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{wide, sum})
	fmt.Println(err)
	// Output:
	// nn: model "functional": layer "wide" (Dense): has 0 units, needs at least 1
	// layer "sum" (Add): input 1 has shape (3), those before have (4): axes must be equal, or 1
}

// A layer that is called twice has one set of weights: a siamese network.
func ExampleLayer_On() {
	left, right := nn.Input("left", 2), nn.Input("right", 2)
	encoder := nn.Dense(3, nn.Tanh, nn.Name("encoder"))
	both := nn.Multiply().On(encoder.On(left), encoder.On(right))
	m, err := nn.NewModel([]*nn.Node{left, right}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("same")).On(both)})
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range m.Weights() {
		fmt.Println(w.Name, w.Shape)
	}
	// Output:
	// encoder/kernel (2, 3)
	// encoder/bias (3)
	// same/kernel (3, 1)
	// same/bias (1)
}

// Weights go by layer and parameter. Their matrices are the parameters themselves.
func ExampleModel_SetWeights() {
	x := nn.Input("x", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.SetWeights(map[string][]float32{"y/kernel": {2, 3}, "y/bias": {1}}); err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(nn.Arrays{"x": nn.Floats{10, 100}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["y"].Data)
	for _, w := range m.Weights() {
		fmt.Println(w.Name, w.Shape, w.Data)
	}
	fmt.Println(m.SetWeights(map[string][]float32{"z/kernel": {2, 3}}))
	// Output:
	// [321]
	// y/kernel (2, 1) [2 3]
	// y/bias (1) [1]
	// nn: model "functional": unknown weight "z/kernel": valid are ["y/bias" "y/kernel"]
}

// The weights of a model as copies, to put them back, and those of one layer as they are.
func ExampleModel_GetWeights() {
	x := nn.Input("x", 2)
	layer := nn.Dense(1, nn.Linear, nn.Name("y"), nn.KernelInitializer(nn.Ones()))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{layer.On(x)})
	if err != nil {
		log.Fatal(err)
	}
	best := m.GetWeights()
	for _, w := range layer.Weights() {
		w.Data[0] = 7
		fmt.Println(w.Name, w.Shape, w.Data)
	}
	if err := m.SetWeights(best); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.GetWeights())
	// Output:
	// y/kernel (2, 1) [7 1]
	// y/bias (1) [7]
	// map[y/bias:[0] y/kernel:[1 1]]
}

// One embedding for the two ends of a flight: indices come as Labels.
func ExampleEmbedding() {
	airports := nn.Input("airports", 2)
	vectors := nn.Embedding(300, 8, nn.Name("airport")).On(airports)
	late := nn.Dense(1, nn.Sigmoid, nn.Name("late")).On(nn.Flatten().On(vectors))
	m, err := nn.NewModel([]*nn.Node{airports}, []*nn.Node{late})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(vectors.Shape(), m.CountParams())
	y, err := m.Predict(nn.Arrays{"airports": nn.Labels{17, 250, 250, 17, 3, 4}}) // three flights
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["late"].Rows, y["late"].Cols)
	_, err = m.Predict(nn.Arrays{"airports": nn.Labels{17, 300}})
	fmt.Println(err)
	// Output:
	// (2, 8) 2417
	// 3 1
	// nn: Predict: input "airports": layer "airport" (Embedding): row 0, column 1 is 300, valid are whole numbers from 0 to 299
}

// The graph of a model: the calls of its layers and what each was called on.
func ExampleModel_Nodes() {
	x := nn.Input("x", 3)
	h := nn.Dense(3, nn.ReLU, nn.Name("hidden")).On(x)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Add(nn.Name("sum")).On(x, h)})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range m.Nodes() {
		fmt.Print(n.Layer().Class(), " ", n.Shape())
		for _, in := range n.Inputs() {
			fmt.Print(" ", in.Layer().Name())
		}
		fmt.Println()
	}
	// Output:
	// InputLayer (3)
	// Dense (3) x
	// Add (3) x hidden
}

// A program that has the weights draws none.
func ExampleZeroWeights() {
	x := nn.Input("x", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)}, nn.ZeroWeights())
	check(err)
	check(m.SetWeights(map[string][]float32{"y/kernel": {2, 3}, "y/bias": {1}}))
	y, err := m.Predict(nn.Arrays{"x": nn.Floats{10, 100}})
	check(err)
	fmt.Println(y["y"].Data)
	// Output: [321]
}
