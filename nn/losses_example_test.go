package nn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
)

// evaluate prints the loss of a model that passes its input on, for two rows.
func evaluate(loss nn.Loss, act nn.ActivationFunction, x nn.Floats, y nn.Array) {
	width := len(x) / 2
	in := nn.Input("x", width)
	m, err := nn.NewModel([]*nn.Node{in}, []*nn.Node{nn.Activation(act, nn.Name("y")).On(in)})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(nn.SGD(0), nn.Losses{"y": loss}); err != nil {
		log.Fatal(err)
	}
	logs, err := m.Evaluate(context.Background(), nn.Data{Inputs: nn.Arrays{"x": x}, Targets: nn.Arrays{"y": y}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %.3f\n", loss.Name(), logs["loss"])
}

// Losses of numbers.
func ExampleMeanSquaredError() {
	x, y := nn.Floats{1, 2, 3, 4}, nn.Floats{1, 1, 3, 1}
	for _, loss := range []nn.Loss{
		nn.MeanSquaredError(), nn.MeanAbsoluteError(), nn.MeanAbsolutePercentageError(), nn.MeanSquaredLogarithmicError(),
		nn.LogCosh(), nn.CosineSimilarity(), nn.Poisson(),
	} {
		evaluate(loss, nn.Linear, x, y)
	}
	// Output:
	// mean_squared_error 2.500
	// mean_absolute_error 1.000
	// mean_absolute_percentage_error 100.000
	// mean_squared_logarithmic_error 0.251
	// log_cosh 0.686
	// cosine_similarity -0.885
	// poisson 1.156
}

// A reduction says how the losses of rows make that of a batch.
func ExampleReduction() {
	for _, r := range []nn.Reduction{nn.ReduceSumOverBatchSize, nn.ReduceSum} {
		evaluate(nn.MeanSquaredError(r), nn.Linear, nn.Floats{1, 2, 3, 4}, nn.Floats{1, 1, 3, 1})
	}
	// Output:
	// mean_squared_error 2.500
	// mean_squared_error 5.000
}

// Rows without a label keep the others company: they count nowhere.
func ExampleIgnoreClass() {
	x := nn.Floats{2, 0, 0, 5}
	evaluate(nn.SparseCategoricalCrossentropy(), nn.Softmax, x, nn.Labels{0, 0})
	evaluate(nn.SparseCategoricalCrossentropy(nn.IgnoreClass(-1)), nn.Softmax, x, nn.Labels{0, -1})
	// Output:
	// sparse_categorical_crossentropy 2.567
	// sparse_categorical_crossentropy 0.127
}

// Smoothed labels never ask for a probability of 1.
func ExampleLabelSmoothing() {
	evaluate(nn.CategoricalCrossentropy(nn.LabelSmoothing(0.1)), nn.Softmax, nn.Floats{9, 0, 0, 9}, nn.Floats{1, 0, 0, 1})
	evaluate(nn.BinaryCrossentropy(nn.LabelSmoothing(0.1)), nn.Sigmoid, nn.Floats{9, -9}, nn.Floats{1, 0})
	// Output:
	// categorical_crossentropy 0.450
	// binary_crossentropy 0.450
}

// Focal losses count easy rows less, here those of the second column.
func ExampleBinaryFocalCrossentropy() {
	x, y := nn.Floats{-1, 3, 0, -4}, nn.Floats{1, 1, 0, 0}
	evaluate(nn.BinaryCrossentropy(), nn.Sigmoid, x, y)
	evaluate(nn.BinaryFocalCrossentropy(2), nn.Sigmoid, x, y)
	evaluate(nn.BinaryFocalCrossentropy(2, nn.ClassBalancing(0.25)), nn.Sigmoid, x, y)
	evaluate(nn.CategoricalFocalCrossentropy(0.25, 2), nn.Softmax, nn.Floats{1, 0, 0, 2}, nn.Floats{0, 1, 0, 1})
	// Output:
	// binary_crossentropy 0.518
	// binary_focal_crossentropy 0.219
	// binary_focal_crossentropy 0.076
	// categorical_focal_crossentropy 0.088
}

// Hinges push the right side up to a margin of 1, and not beyond.
func ExampleHinge() {
	x, y := nn.Floats{0.5, -2, 3, -0.5}, nn.Floats{1, 0, 1, 0}
	for _, loss := range []nn.Loss{nn.Hinge(), nn.SquaredHinge(), nn.CategoricalHinge()} {
		evaluate(loss, nn.Linear, x, y)
	}
	// Output:
	// hinge 0.250
	// squared_hinge 0.125
	// categorical_hinge 0.250
}

// The output is a distribution, and so is the target.
func ExampleKLDivergence() {
	evaluate(nn.KLDivergence(), nn.Softmax, nn.Floats{0, 0, 1, 0}, nn.Floats{0.5, 0.5, 0.1, 0.9})
	// Output: kl_divergence 0.444
}

// Overlaps have one value for a batch, or one for each row.
func ExampleDice() {
	x, y := nn.Floats{3, -3, -3, -3}, nn.Floats{1, 1, 0, 1}
	evaluate(nn.Dice(), nn.Sigmoid, x, y)
	evaluate(nn.Dice(nn.RowByRow()), nn.Sigmoid, x, y)
	evaluate(nn.Tversky(0.3, 0.7), nn.Sigmoid, x, y)
	// Output:
	// dice 0.488
	// dice 0.623
	// tversky 0.371
}

// Three quantiles of one target: the output has three columns.
func ExampleQuantile() {
	evaluate(nn.Quantile([]float64{0.1, 0.5, 0.9}), nn.Linear, nn.Floats{1, 2, 3, 2, 4, 6}, nn.Floats{2, 3})
	// Output: quantile 0.183
}

// The output has a mean and the logarithm of a variance for each target.
func ExampleGaussianNLL() {
	evaluate(nn.GaussianNLL(), nn.Linear, nn.Floats{1, 0, 5, 2}, nn.Floats{1, 7})
	// Output: gaussian_nll 1.554
}

// The output has a logit, and the parameters of a log-normal distribution.
func ExampleZeroInflatedLogNormal() {
	evaluate(nn.ZeroInflatedLogNormal(), nn.Linear, nn.Floats{-2, 3, 1, 2, 3, 1}, nn.Floats{0, 25})
	// Output: zero_inflated_lognormal 2.339
}

// A score for what a user took and one for what not, and scores of a batch.
func ExampleBPR() {
	evaluate(nn.BPR(), nn.Linear, nn.Floats{2, 1, 0, 3}, nn.Floats{1, 0, 1, 0})
	evaluate(nn.BPR(), nn.Linear, nn.Floats{2, 1}, nn.Floats{1, 0})
	evaluate(nn.PairwiseRanking(1), nn.Linear, nn.Floats{2, 1.5}, nn.Floats{1, 0})
	// Output:
	// bpr 1.681
	// bpr 0.157
	// pairwise_ranking 0.250
}
