package nn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
)

// One wrong target in ten draws the mean squared error far away, and this loss hardly.
func ExampleHuber() {
	x, y := make(nn.Floats, 10), nn.Floats{2, 2, 2, 2, 2, 2, 2, 2, 2, 100}
	data := nn.Data{Inputs: nn.Arrays{"x": x}, Targets: nn.Arrays{"y": y}}
	for _, loss := range []nn.Loss{nn.MSE(), nn.Huber(0.5)} {
		in := nn.Input("x", 1)
		m, err := nn.NewModel([]*nn.Node{in}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(in)})
		if err != nil {
			log.Fatal(err)
		}
		if err := m.Compile(nn.SGD(0.2), nn.Losses{"y": loss}); err != nil {
			log.Fatal(err)
		}
		if _, err := m.Fit(context.Background(), data, nn.Epochs(200)); err != nil {
			log.Fatal(err)
		}
		answer, err := m.Predict(nn.Arrays{"x": nn.Floats{0}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %.2f\n", loss.Name(), answer["y"].Data[0])
	}
	// Output:
	// mse 11.80
	// huber_loss 2.06
}
