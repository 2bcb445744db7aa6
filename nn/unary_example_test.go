package nn_test

import (
	"fmt"
	"log"
	"math"

	"github.com/espalier-ml/espalier/nn"
)

// show prints what an activation makes of three numbers.
func show(name string, act nn.ActivationFunction) {
	x := nn.Input("x", 3)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Activation(act, nn.Name("y")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(nn.Arrays{"x": nn.Floats{-2, 0.25, 3}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%-12s %.3f\n", name, y["y"].Data)
}

func ExampleReLUOf() {
	show("relu", nn.ReLU)
	show("slope", nn.ReLUOf(0.5, math.Inf(1), 0))
	show("limit", nn.ReLUOf(0, 2, 0))
	show("threshold", nn.ReLUOf(0, math.Inf(1), 1))
	show("leaky_relu", nn.LeakyReLUOf(0.2))
	// Output:
	// relu         [0.000 0.250 3.000]
	// slope        [-1.000 0.250 3.000]
	// limit        [0.000 0.250 2.000]
	// threshold    [0.000 0.000 3.000]
	// leaky_relu   [-0.400 0.250 3.000]
}

func ExampleELUOf() {
	show("elu", nn.ELUOf(1))
	show("celu", nn.CELUOf(2))
	show("selu", nn.SELU)
	show("squareplus", nn.SquareplusOf(4))
	show("softplus", nn.Softplus)
	// Output:
	// elu          [-0.865 0.250 3.000]
	// celu         [-1.264 0.250 3.000]
	// selu         [-1.520 0.263 3.152]
	// squareplus   [0.414 1.133 3.303]
	// softplus     [0.127 0.826 3.049]
}

func ExampleThresholdOf() {
	show("threshold", nn.ThresholdOf(1, -1))
	show("soft_shrink", nn.SoftShrinkOf(0.5))
	show("hard_shrink", nn.HardShrinkOf(0.5))
	// Output:
	// threshold    [-1.000 -1.000 3.000]
	// soft_shrink  [-1.500 0.000 2.500]
	// hard_shrink  [-2.000 0.000 3.000]
}

func ExampleApproximateGELU() {
	show("gelu", nn.GELU)
	show("by tanh", nn.ApproximateGELU())
	show("silu", nn.SiLU)
	// Output:
	// gelu         [-0.046 0.150 2.996]
	// by tanh      [-0.045 0.150 2.996]
	// silu         [-0.238 0.141 2.858]
}
