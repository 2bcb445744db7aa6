package nn_test

import (
	"context"
	"log"
	"os"

	"github.com/espalier-ml/espalier/nn"
)

func ExampleVerbose() {
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	data := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{-1, 0, 1, 2}}, Targets: nn.Arrays{"y": nn.Floats{-1, 1, 3, 5}}} // y = 2x + 1
	if _, err := m.Fit(context.Background(), data, nn.Epochs(3), nn.Verbose(os.Stdout)); err != nil {
		log.Fatal(err)
	}
	// Where os.Stdout is no terminal it prints, for each epoch,
	//
	//	Epoch 1/3
	//	1/1 - 0s - 52us/step - loss: 7.3281
}
