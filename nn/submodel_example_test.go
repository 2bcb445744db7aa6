package nn_test

import (
	"bytes"
	"fmt"
	"log"
	"os"

	"github.com/espalier-ml/espalier/nn"
)

// A model called as a layer: an encoder for the two sides of a comparison, with one set of weights.
func ExampleModel_On() {
	x := nn.Input("x", 8)
	code := nn.Sequential(x, nn.Dense(6, nn.ReLU), nn.Dense(3, nn.Tanh))
	encoder, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{code}, nn.Name("encoder"))
	if err != nil {
		log.Fatal(err)
	}

	left, right := nn.Input("left", 8), nn.Input("right", 8)
	both := nn.Multiply().On(encoder.On(left), encoder.On(right))
	same := nn.Dense(1, nn.Sigmoid, nn.Name("same")).On(both)
	m, err := nn.NewModel([]*nn.Node{left, right}, []*nn.Node{same}, nn.Name("siamese"))
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Summary(os.Stdout, nn.SummaryNested(), nn.SummaryWidth(92)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Weights()[0].Name)
	for _, n := range m.Nodes() {
		fmt.Print(m.Path(n.Layer()), " ")
	}
	// Output:
	// Model: "siamese"
	// ┏━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━┓
	// ┃ Layer (type)             ┃ Output Shape          ┃       Param # ┃ Connected to          ┃
	// ┡━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━┩
	// │ left (InputLayer)        │ (None, 8)             │             0 │ -                     │
	// ├──────────────────────────┼───────────────────────┼───────────────┼───────────────────────┤
	// │ right (InputLayer)       │ (None, 8)             │             0 │ -                     │
	// ├──────────────────────────┼───────────────────────┼───────────────┼───────────────────────┤
	// │ encoder (Functional)     │ (None, 3)             │            75 │ left[0][0],           │
	// │                          │                       │               │ right[0][0]           │
	// ├──────────────────────────┼───────────────────────┼───────────────┼───────────────────────┤
	// │    └ x (InputLayer)      │ (None, 8)             │             0 │ -                     │
	// ├──────────────────────────┼───────────────────────┼───────────────┼───────────────────────┤
	// │    └ dense (Dense)       │ (None, 6)             │            54 │ -                     │
	// ├──────────────────────────┼───────────────────────┼───────────────┼───────────────────────┤
	// │    └ dense_1 (Dense)     │ (None, 3)             │            21 │ -                     │
	// ├──────────────────────────┼───────────────────────┼───────────────┼───────────────────────┤
	// │ multiply (Multiply)      │ (None, 3)             │             0 │ encoder[0][0],        │
	// │                          │                       │               │ encoder[1][0]         │
	// ├──────────────────────────┼───────────────────────┼───────────────┼───────────────────────┤
	// │ same (Dense)             │ (None, 1)             │             4 │ multiply[0][0]        │
	// └──────────────────────────┴───────────────────────┴───────────────┴───────────────────────┘
	//  Total params: 79 (316.00 B)
	//  Trainable params: 79 (316.00 B)
	//  Non-trainable params: 0 (0.00 B)
	// encoder/dense/kernel
	// left encoder/dense encoder/dense_1 right encoder/dense encoder/dense_1 multiply same
}

// A model of several outputs has a node for each. A file has the models within a model, and gives them back.
func ExampleModel_OutputsOn() {
	x := nn.Input("x", 8)
	trunk := nn.Dense(6, nn.ReLU).On(x)
	mean, spread := nn.Dense(2, nn.Linear, nn.Name("mean")).On(trunk), nn.Dense(2, nn.Softplus, nn.Name("spread")).On(trunk)
	encoder, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{mean, spread}, nn.Name("encoder"))
	if err != nil {
		log.Fatal(err)
	}
	y := nn.Input("y", 8)
	ends := encoder.OutputsOn(y)
	decoded := nn.Dense(8, nn.Linear, nn.Name("decoded")).On(ends[0])
	m, err := nn.NewModel([]*nn.Node{y}, []*nn.Node{decoded, nn.Identity(nn.Name("spread")).On(ends[1])})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.OutputNames())

	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		log.Fatal(err)
	}
	if m, err = nn.Read(&file); err != nil {
		log.Fatal(err)
	}
	if encoder, err = m.Submodel("encoder"); err != nil {
		log.Fatal(err)
	}
	encoder.SetTrainable(false)
	fmt.Println(encoder.InputNames(), encoder.OutputNames())
	for _, w := range m.Weights() {
		fmt.Println(w.Name, w.Shape)
	}
	// Output:
	// [decoded spread]
	// [x] [mean spread]
	// encoder/dense/kernel (8, 6)
	// encoder/dense/bias (6)
	// encoder/mean/kernel (6, 2)
	// encoder/mean/bias (2)
	// encoder/spread/kernel (6, 2)
	// encoder/spread/bias (2)
	// decoded/kernel (2, 8)
	// decoded/bias (8)
}
