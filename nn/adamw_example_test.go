package nn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
)

// What the data does not need fades: x is always 0, so nothing else moves its weight.
func ExampleAdamW() {
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.SetWeights(map[string][]float32{"y/kernel": {1}}); err != nil {
		log.Fatal(err)
	}
	optimizer := nn.AdamW(0.01)
	optimizer.WeightDecay = 0.1
	if err := m.Compile(optimizer, nn.Losses{"y": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	data := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{0}}, Targets: nn.Arrays{"y": nn.Floats{0}}}
	if _, err := m.Fit(context.Background(), data, nn.Epochs(1000)); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", m.Weights()[0].Data[0]) // 0.999 to the power of 1000
	// Output: 0.368
}
