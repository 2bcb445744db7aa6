package nn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

// measure prints what metrics say of outputs with the given number of columns.
func measure(columns int, p, y []float32, metrics ...nn.Metric) {
	rows := len(p) / columns
	for _, metric := range metrics {
		meter, err := metric.Start(nn.Output{Shape: nn.Shape{columns}})
		if err != nil {
			log.Fatal(err)
		}
		meter.Add(kernels.MatrixOf(p, rows, columns), nn.Target{Values: kernels.MatrixOf(y, rows, columns)}, nil)
		if v, ok := meter.(nn.Vector); ok {
			fmt.Printf("%s %.3f\n", metric.Name(), v.Values())
		} else {
			fmt.Printf("%s %.3f\n", metric.Name(), meter.Value())
		}
	}
}

// measureClasses is measure for class numbers as targets.
func measureClasses(columns int, p []float32, labels []int32, metrics ...nn.Metric) {
	for _, metric := range metrics {
		meter, err := metric.Start(nn.Output{Shape: nn.Shape{columns}, Targets: nn.Classes})
		if err != nil {
			log.Fatal(err)
		}
		meter.Add(kernels.MatrixOf(p, len(labels), columns), nn.Target{Labels: labels}, nil)
		fmt.Printf("%s %.3f\n", metric.Name(), meter.Value())
	}
}

// Metrics ignore sample weights, weighted metrics count them.
func ExampleWeightedMetrics() {
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("price")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	err = m.Compile(nn.SGD(0.1), nn.Losses{"price": nn.MSE()},
		nn.Metrics{"price": {nn.MAE()}}, nn.WeightedMetrics{"price": {nn.MAE(), nn.RootMeanSquaredError(nn.Name("rmse"))}})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.SetWeights(map[string][]float32{"price/kernel": {1}, "price/bias": {0}}); err != nil {
		log.Fatal(err)
	}
	logs, err := m.Evaluate(context.Background(), nn.Data{
		Inputs:        nn.Arrays{"x": nn.Floats{1, 2, 3}},
		Targets:       nn.Arrays{"price": nn.Floats{0, 0, 0}},
		SampleWeights: map[string][]float32{"price": {1, 1, 0}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f %.2f %.2f\n", logs["mae"], logs["weighted_mae"], logs["rmse"])
	// Output: 2.00 1.50 1.58
}

func ExampleBinaryAccuracy() {
	p, y := []float32{0.9, 0.2, 0.4, 0.8}, []float32{1, 0, 1, 0}
	measure(2, p, y, nn.BinaryAccuracy(), nn.BinaryAccuracy(nn.Threshold(0.3), nn.Name("at_0.3")), nn.CategoricalAccuracy(),
		nn.EqualAccuracy(nn.Name("equal")))
	// Output:
	// binary_accuracy 0.500
	// at_0.3 0.750
	// categorical_accuracy 0.500
	// equal 0.000
}

func ExampleTopKCategoricalAccuracy() {
	p := []float32{0.5, 0.3, 0.2, 0.1, 0.2, 0.7}
	measure(3, p, []float32{0, 1, 0, 0, 0, 1}, nn.TopKCategoricalAccuracy(2))
	measureClasses(3, p, []int32{1, 2}, nn.SparseTopKCategoricalAccuracy(2), nn.SparseCategoricalAccuracy())
	// Output:
	// top_k_categorical_accuracy 1.000
	// sparse_top_k_categorical_accuracy 1.000
	// sparse_categorical_accuracy 0.500
}

// A metric of several thresholds has a log for each: precision_0 and precision_1.
func ExamplePrecision() {
	p, y := []float32{0.9, 0.6, 0.4, 0.1}, []float32{1, 0, 1, 0}
	measure(1, p, y, nn.Precision(nn.Threshold(0.3, 0.7)), nn.Recall(), nn.TruePositives(), nn.FalsePositives(), nn.TrueNegatives(), nn.FalseNegatives())
	measure(2, p, y, nn.Precision(nn.TopK(1), nn.Name("first_choice")), nn.Recall(nn.ClassID(0), nn.Name("of_class_0")))
	// Output:
	// precision [0.667 1.000]
	// recall [0.500]
	// true_positives [1.000]
	// false_positives [1.000]
	// true_negatives [1.000]
	// false_negatives [1.000]
	// first_choice [1.000]
	// of_class_0 [0.500]
}

func ExampleSensitivityAtSpecificity() {
	p, y := []float32{0.9, 0.6, 0.4, 0.1}, []float32{1, 0, 1, 0}
	measure(1, p, y, nn.SensitivityAtSpecificity(0.9), nn.SpecificityAtSensitivity(0.9), nn.PrecisionAtRecall(0.9), nn.RecallAtPrecision(0.9, nn.Thresholds(1000)))
	// Output:
	// sensitivity_at_specificity 0.500
	// specificity_at_sensitivity 0.500
	// precision_at_recall 0.667
	// recall_at_precision 0.500
}

// Scores of any range are ranked without thresholds.
func ExampleExact() {
	scores, clicked := []float32{120, 7, 3, -5}, []float32{1, 0, 1, 0}
	measure(1, scores, clicked, nn.AUC(nn.Exact()))
	measure(2, scores, clicked, nn.AUC(nn.Exact(), nn.MultiLabel(), nn.LabelWeights(3, 1)))
	// Output:
	// auc 0.750
	// auc 0.000
}

func ExampleF1Score() {
	p, y := []float32{0.7, 0.3, 0.6, 0.4, 0.2, 0.8}, []float32{1, 0, 0, 1, 0, 1}
	measure(2, p, y, nn.F1Score(), nn.F1Score(nn.Averaging("macro")), nn.FBetaScore(2, nn.Averaging("micro"), nn.Threshold(0.35)))
	// Output:
	// f1_score [0.667 0.667]
	// f1_score 0.667
	// fbeta_score 0.937
}

func ExampleMeanIoU() {
	p := []float32{0.5, 0.3, 0.2, 0.1, 0.2, 0.7, 0.6, 0.2, 0.2}
	measureClasses(3, p, []int32{0, 2, 1}, nn.MeanIoU(3, nn.SparseYPred(false)), nn.IoU(3, []int{0, 2}, nn.SparseYPred(false)))
	oneHot := []float32{1, 0, 0, 0, 0, 1, 0, 1, 0}
	measure(3, p, oneHot, nn.OneHotMeanIoU(3), nn.OneHotIoU(3, []int{0, 2}), nn.BinaryIoU(nn.Threshold(0.4)))
	// Output:
	// mean_io_u 0.500
	// io_u 0.750
	// one_hot_mean_io_u 0.500
	// one_hot_io_u 0.750
	// binary_io_u 0.607
}

func ExampleR2Score() {
	p, y := []float32{1, 2, 3, 4, 5, 7}, []float32{1, 1, 3, 5, 5, 6}
	measure(2, p, y, nn.R2Score(), nn.R2Score(nn.ClassAggregation("")), nn.R2Score(nn.NumRegressors(1), nn.Name("adjusted")))
	// Output:
	// r2_score 0.893
	// r2_score [1.000 0.786]
	// adjusted 0.866
}

func ExampleRootMeanSquaredError() {
	p, y := []float32{1, 2, 3, 4}, []float32{1, 1, 4, 2}
	measure(2, p, y, nn.RootMeanSquaredError(), nn.LogCoshError(), nn.MeanSquaredErrorMetric(), nn.MeanAbsoluteErrorMetric(),
		nn.MeanAbsolutePercentageErrorMetric(), nn.MeanSquaredLogarithmicErrorMetric(), nn.PoissonMetric())
	// Output:
	// root_mean_squared_error 1.225
	// logcosh 0.548
	// mean_squared_error 1.500
	// mean_absolute_error 1.000
	// mean_absolute_percentage_error 56.250
	// mean_squared_logarithmic_error 0.119
	// poisson 0.535
}

func ExampleCosineSimilarityMetric() {
	p, y := []float32{1, 2, 3, 2, 4, 5}, []float32{1, 2, 4, 3, 2, 5}
	measure(3, p, y, nn.CosineSimilarityMetric(), nn.PearsonCorrelation(), nn.ConcordanceCorrelation())
	// Output:
	// cosine_similarity 0.967
	// pearson_correlation 0.741
	// concordance_correlation 0.670
}

func ExampleBinaryCrossentropyMetric() {
	p, y := []float32{0.9, 0.1, 0.4, 0.6}, []float32{1, 0, 0, 1}
	measure(2, p, y, nn.BinaryCrossentropyMetric(), nn.CategoricalCrossentropyMetric(), nn.KLDivergenceMetric(), nn.HingeMetric(),
		nn.SquaredHingeMetric(), nn.CategoricalHingeMetric())
	measureClasses(2, p, []int32{0, 1}, nn.SparseCategoricalCrossentropyMetric())
	// Output:
	// binary_crossentropy 0.308
	// categorical_crossentropy 0.308
	// kl_divergence 0.308
	// hinge 0.750
	// squared_hinge 0.835
	// categorical_hinge 0.500
	// sparse_categorical_crossentropy 0.308
}
