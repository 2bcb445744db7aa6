package nn_test

import (
	"fmt"

	"github.com/espalier-ml/espalier/nn"
)

// Options are those of the weights that a layer has.
func ExampleWeightOption() {
	series := nn.Input("series", 6, 2)
	x := nn.SeparableConv1D(2, 3, nn.Linear, nn.Name("convolution"),
		nn.DepthwiseInitializer(nn.HeNormal()), nn.DepthwiseRegularizer(nn.L2(1e-4)), nn.DepthwiseConstraint(nn.MaxNorm(2)),
		nn.PointwiseInitializer(nn.HeNormal()), nn.PointwiseRegularizer(nn.L2(1e-4)), nn.PointwiseConstraint(nn.NonNeg())).On(series)
	x = nn.BatchNormalization(nn.Name("normalization"),
		nn.GammaInitializer(nn.Constant(0.5)), nn.GammaRegularizer(nn.L1(1e-4)), nn.GammaConstraint(nn.NonNeg()),
		nn.BetaInitializer(nn.Constant(0.25)), nn.BetaRegularizer(nn.L1(1e-4)), nn.BetaConstraint(nn.MaxNorm(1))).On(x)
	x = nn.PReLU(nn.SharedAxes(1), nn.Name("activation"),
		nn.AlphaInitializer(nn.Constant(0.2)), nn.AlphaRegularizer(nn.L2(1e-3)), nn.AlphaConstraint(nn.NonNeg())).On(x)
	y := nn.SimpleRNN(2, nn.Name("y"), nn.RecurrentInitializer(nn.IdentityMatrix(1)), nn.RecurrentRegularizer(nn.L2(1e-3)),
		nn.RecurrentConstraint(nn.UnitNorm())).On(x)
	m, err := nn.NewModel([]*nn.Node{series}, []*nn.Node{y})
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"normalization/gamma", "normalization/beta", "activation/alpha", "y/recurrent_kernel"} {
		for _, w := range m.Weights() {
			if w.Name == name {
				fmt.Println(name, w.Data)
			}
		}
	}
	// Output:
	// normalization/gamma [0.5 0.5]
	// normalization/beta [0.25 0.25]
	// activation/alpha [0.2 0.2]
	// y/recurrent_kernel [1 0 0 1]
}
