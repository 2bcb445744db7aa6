package nn_test

import (
	"fmt"

	"github.com/espalier-ml/espalier/nn"
)

// Every optimizer on the same little problem: y = 1, of a layer that starts with zeros.
func ExampleOptimizer() {
	for _, o := range []nn.Optimizer{
		nn.SGD(0.1), nn.RMSprop(0.1), nn.Adam(0.1), nn.AdamW(0.1), nn.Nadam(0.1), nn.Adamax(0.1), nn.Adagrad(0.1), nn.Adadelta(1),
		nn.Ftrl(0.1), nn.Lion(0.1), nn.Lamb(0.1), nn.Adafactor(0.1), nn.Muon(0.1),
	} {
		x := nn.Input("x", 1)
		y := nn.Dense(1, nn.Linear, nn.Name("y"), nn.KernelInitializer(nn.Constant(0.5))).On(x)
		m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
		if err != nil {
			panic(err)
		}
		if err := m.Compile(o, nn.Losses{"y": nn.MSE()}); err != nil {
			panic(err)
		}
		d := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{1}}, Targets: nn.Arrays{"y": nn.Floats{1}}}
		for range 2 {
			if _, err := m.TrainOnBatch(d); err != nil {
				panic(err)
			}
		}
		fmt.Printf("%.3f %T\n", m.Weights()[0].Data[0], o)
	}
	// Output:
	// 0.660 *nn.SGDOptimizer
	// 0.731 *nn.RMSpropOptimizer
	// 0.696 *nn.AdamOptimizer
	// 0.695 *nn.AdamWOptimizer
	// 0.663 *nn.NadamOptimizer
	// 0.679 *nn.AdamaxOptimizer
	// 0.646 *nn.AdagradOptimizer
	// 0.503 *nn.AdadeltaOptimizer
	// 0.511 *nn.FtrlOptimizer
	// 0.700 *nn.LionOptimizer
	// 0.605 *nn.LambOptimizer
	// 0.602 *nn.AdafactorOptimizer
	// 0.527 *nn.MuonOptimizer
}

// Options belong to every optimizer: here weight decay of kernels alone, gradients of bounded size, and means of the
// weights in the end.
func ExampleOptimizerOptions() {
	o := nn.Adam(0.01)
	o.WeightDecay, o.ExcludeFromWeightDecay = 0.004, []string{"bias"}
	o.GlobalClipNorm = 1
	o.UseEMA, o.EMAMomentum = true, 0.9
	o.GradientAccumulationSteps = 2

	x := nn.Input("x", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Compile(o, nn.Losses{"y": nn.MSE()}))
	o.ClipValue = 1
	fmt.Println(m.Compile(o, nn.Losses{"y": nn.MSE()}))
	// Output:
	// <nil>
	// nn: Compile: optimizer adam: only one of clipnorm, global_clipnorm and clipvalue can be set
}

// Learning rates of the first steps.
func ExampleSchedule() {
	for _, s := range []nn.Schedule{
		nn.ExponentialDecay(1, 2, 0.5),
		nn.InverseTimeDecay(1, 2, 0.5),
		nn.PiecewiseConstantDecay([]float64{1, 3}, []float64{1, 0.5, 0.1}),
		nn.PolynomialDecay(1, 4),
		nn.CosineDecay(1, 4),
		nn.CosineDecay(0, 2).Warmup(1, 2),
		nn.CosineDecayRestarts(1, 2),
		nn.FlatCosineDecay(1, 2, 2),
		nn.LinearWarmup(2, nn.Rate{Schedule: nn.ExponentialDecay(1, 1, 0.5)}),
	} {
		for step := range int64(5) {
			fmt.Printf("%.2f ", s.Rate(step))
		}
		fmt.Printf("%T\n", s)
	}
	o := nn.SGD(0)
	o.Rate.Schedule = nn.CosineDecay(0.1, 1000)
	// Output:
	// 1.00 0.71 0.50 0.35 0.25 *nn.ExponentialDecaySchedule
	// 1.00 0.80 0.67 0.57 0.50 *nn.InverseTimeDecaySchedule
	// 1.00 1.00 0.50 0.50 0.10 *nn.PiecewiseConstantDecaySchedule
	// 1.00 0.75 0.50 0.25 0.00 *nn.PolynomialDecaySchedule
	// 1.00 0.85 0.50 0.15 0.00 *nn.CosineDecaySchedule
	// 0.00 0.50 1.00 0.50 0.00 *nn.CosineDecaySchedule
	// 1.00 0.50 1.00 0.85 0.50 *nn.CosineDecayRestartsSchedule
	// 1.00 1.00 1.00 0.50 0.00 *nn.FlatCosineDecaySchedule
	// 0.00 0.50 1.00 0.50 0.25 *nn.LinearWarmupSchedule
}

// What the weights of a layer start from.
func ExampleKernelInitializer() {
	for _, init := range []nn.Initializer{
		nn.Zeros(), nn.Ones(), nn.Constant(0.5), nn.IdentityMatrix(1), nn.Orthogonal(1), nn.GlorotUniform(), nn.GlorotNormal(), nn.HeUniform(),
		nn.HeNormal(), nn.LecunUniform(), nn.LecunNormal(), nn.RandomUniform(0, 1), nn.RandomNormal(0, 1), nn.TruncatedNormal(0, 1),
		nn.VarianceScaling(1, "fan_avg", "uniform"),
	} {
		x := nn.Input("x", 2)
		y := nn.Dense(2, nn.Linear, nn.Name("y"), nn.KernelInitializer(init), nn.BiasInitializer(nn.Zeros())).On(x)
		m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y}, nn.Seed(1))
		if err != nil {
			panic(err)
		}
		fmt.Printf("%5.2f\n", m.Weights()[0].Data)
	}
	// Output:
	// [ 0.00  0.00  0.00  0.00]
	// [ 1.00  1.00  1.00  1.00]
	// [ 0.50  0.50  0.50  0.50]
	// [ 1.00  0.00  0.00  1.00]
	// [-0.74 -0.68 -0.68  0.74]
	// [-0.17 -0.15 -0.57  0.95]
	// [-1.53 -1.41 -0.26  0.43]
	// [-0.24 -0.22 -0.81  1.35]
	// [-2.17 -1.99 -0.37  0.61]
	// [-0.17 -0.15 -0.57  0.95]
	// [-1.53 -1.41 -0.26  0.43]
	// [ 0.43  0.44  0.27  0.89]
	// [-1.91 -1.75 -0.32  0.54]
	// [-1.91 -1.75 -0.32  0.54]
	// [-0.17 -0.15 -0.57  0.95]
}

// Penalties join the loss.
func ExampleKernelRegularizer() {
	x := nn.Input("x", 2)
	y := nn.Dense(2, nn.Linear, nn.Name("y"), nn.KernelInitializer(nn.Constant(2)), nn.KernelRegularizer(nn.L1L2(0.01, 0.1)),
		nn.BiasInitializer(nn.Ones()), nn.BiasRegularizer(nn.L2(0.5)), nn.ActivityRegularizer(nn.L1(0))).On(x)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
	if err != nil {
		panic(err)
	}
	if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		panic(err)
	}
	logs, err := m.TrainOnBatch(nn.Data{Inputs: nn.Arrays{"x": nn.Floats{1, -1}}, Targets: nn.Arrays{"y": nn.Floats{1, 1}}})
	fmt.Printf("%.2f %v\n", logs["loss"], err) // 0.01·4·2 + 0.1·4·4 + 0.5·2
	// Output: 2.68 <nil>
}

// Constraints hold after every step.
func ExampleKernelConstraint() {
	for _, c := range []nn.Constraint{nn.MaxNorm(1), nn.MinMaxNorm(2, 3, 1), nn.UnitNorm(), nn.NonNeg()} {
		x := nn.Input("x", 2)
		y := nn.Dense(1, nn.Linear, nn.Name("y"), nn.KernelInitializer(nn.Constant(-1)), nn.KernelConstraint(c), nn.BiasConstraint(nn.NonNeg())).On(x)
		m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
		if err != nil {
			panic(err)
		}
		if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
			panic(err)
		}
		if _, err := m.TrainOnBatch(nn.Data{Inputs: nn.Arrays{"x": nn.Floats{0, 0}}, Targets: nn.Arrays{"y": nn.Floats{-1}}}); err != nil {
			panic(err)
		}
		fmt.Printf("%.3f %.3f\n", m.Weights()[0].Data, m.Weights()[1].Data)
	}
	// Output:
	// [-0.707 -0.707] [0.000]
	// [-1.414 -1.414] [0.000]
	// [-0.707 -0.707] [0.000]
	// [0.000 0.000] [0.000]
}

// Vectors of an embedding, too, have options.
func ExampleEmbeddingsInitializer() {
	words := nn.Input("words", 1)
	e := nn.Embedding(3, 2, nn.Name("e"), nn.EmbeddingsInitializer(nn.Constant(3)), nn.EmbeddingsRegularizer(nn.L2(0.01)),
		nn.EmbeddingsConstraint(nn.UnitNorm(1))).On(words)
	m, err := nn.NewModel([]*nn.Node{words}, []*nn.Node{nn.Flatten(nn.Name("y")).On(e)})
	if err != nil {
		panic(err)
	}
	if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		panic(err)
	}
	_, err = m.TrainOnBatch(nn.Data{Inputs: nn.Arrays{"words": nn.Labels{1}}, Targets: nn.Arrays{"y": nn.Floats{0, 0}}})
	fmt.Printf("%.3f %v\n", m.Weights()[0].Data, err)
	// Output: [0.707 0.707 0.707 0.707 0.707 0.707] <nil>
}
