package nn_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
)

// A loaded model gets a head more, on what is inside of it. Both models share the weights of the trunk.
func ExampleModel_Node() {
	x := nn.Input("x", 4)
	y := nn.Sequential(x, nn.Dense(8, nn.ReLU, nn.Name("trunk")), nn.Dense(1, nn.Sigmoid, nn.Name("click")))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		log.Fatal(err)
	}

	loaded, err := nn.Read(&file, nn.Prefix("old_"))
	if err != nil {
		log.Fatal(err)
	}
	trunk, err := loaded.Node("old_trunk")
	if err != nil {
		log.Fatal(err)
	}
	watch := nn.Dense(1, nn.Linear, nn.Name("watch")).On(trunk)
	grown, err := nn.NewModel(loaded.Inputs(), append(loaded.Outputs(), watch))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(grown.InputNames(), grown.OutputNames())
	// Output: [old_x] [old_click watch]
}

// Outputs have names of their own, whatever the layers are called.
func ExampleIdentity() {
	x := nn.Input("x", 4)
	h := nn.Dense(3, nn.Softmax).On(x)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Identity(nn.Name("label")).On(h), nn.Identity(nn.Name("shares")).On(h)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.OutputNames())
	// Output: [label shares]
}

func ExampleSequential() {
	x := nn.Input("x", 4)
	y := nn.Sequential(x, nn.Dense(8, nn.ReLU), nn.Dropout(0.2), nn.Dense(2, nn.Softmax))
	fmt.Println(y.Shape())
	// Output: (2)
}
