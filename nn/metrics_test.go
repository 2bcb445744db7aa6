package nn

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// A metricCase is a metric with data that it can measure. There is one for each class, which TestMetricClasses holds.
type metricCase struct {
	metric  Metric
	columns int
	targets targetSort
}

type targetSort int

const (
	anyTargets  targetSort = iota
	oneHot                 // one 1 in each row
	zeroOrOne              // in each column
	classLabels            // Labels
	classIDs               // class numbers in each column, also of the output
)

var metricCases = []metricCase{
	{MSE(), 3, anyTargets}, {MAE(), 3, anyTargets}, {Accuracy(), 4, classLabels},
	{MeanSquaredErrorMetric(Name("m")), 3, anyTargets}, {MeanAbsoluteErrorMetric(Name("m")), 3, anyTargets},
	{MeanAbsolutePercentageErrorMetric(Name("m")), 3, anyTargets}, {MeanSquaredLogarithmicErrorMetric(Name("m")), 3, anyTargets},
	{RootMeanSquaredError(Name("m")), 3, anyTargets}, {LogCoshError(Name("m")), 3, anyTargets}, {PoissonMetric(Name("m")), 3, anyTargets},
	{KLDivergenceMetric(Name("m")), 3, oneHot}, {CategoricalHingeMetric(Name("m")), 3, oneHot}, {HingeMetric(Name("m")), 3, zeroOrOne},
	{SquaredHingeMetric(Name("m")), 3, zeroOrOne}, {CosineSimilarityMetric(Name("m")), 3, anyTargets},
	{PearsonCorrelation(Name("m")), 3, anyTargets}, {ConcordanceCorrelation(Name("m")), 3, anyTargets},
	{R2Score(Name("m")), 3, anyTargets}, {R2Score(ClassAggregation(""), NumRegressors(2)), 3, anyTargets},
	{R2Score(ClassAggregation("variance_weighted_average")), 3, anyTargets},
	{EqualAccuracy(Name("m")), 2, classIDs}, {BinaryAccuracy(Threshold(0.3)), 3, zeroOrOne}, {CategoricalAccuracy(Name("m")), 4, oneHot},
	{SparseCategoricalAccuracy(Name("m")), 4, classLabels}, {TopKCategoricalAccuracy(2), 4, oneHot}, {SparseTopKCategoricalAccuracy(2), 4, classLabels},
	{BinaryCrossentropyMetric(FromLogits(), LabelSmoothing(0.1)), 3, zeroOrOne}, {CategoricalCrossentropyMetric(FromLogits(), LabelSmoothing(0.1)), 4, oneHot},
	{SparseCategoricalCrossentropyMetric(FromLogits()), 4, classLabels},
	{TruePositives(Threshold(0.4)), 3, zeroOrOne}, {FalsePositives(Threshold(0.4)), 3, zeroOrOne}, {TrueNegatives(Threshold(0.6, 0.4)), 3, zeroOrOne},
	{FalseNegatives(Threshold(0.4)), 4, classLabels}, {Precision(Threshold(0.4), ClassID(1)), 3, zeroOrOne}, {Recall(TopK(2)), 4, classLabels},
	{Precision(Threshold(0.9, 0.1)), 4, oneHot}, {SensitivityAtSpecificity(0.5, Thresholds(20)), 3, zeroOrOne},
	{SpecificityAtSensitivity(0.5, ClassID(2)), 3, zeroOrOne}, {PrecisionAtRecall(0.5), 3, zeroOrOne}, {RecallAtPrecision(0.5, Name("m")), 4, classLabels},
	{AUC(Exact()), 3, zeroOrOne}, {AUC(Curve("PRGAIN"), LabelWeights(1, 2, 3), MultiLabel(), Exact()), 3, zeroOrOne},
	{AUC(Threshold(0.2, 0.8), LabelWeights(1, 2, 3)), 3, zeroOrOne}, {AUC(SummationMethod("majoring"), Curve("PR"), FromLogits()), 3, zeroOrOne},
	{F1Score(), 4, classLabels}, {F1Score(Averaging("micro"), Threshold(0.3)), 4, oneHot}, {FBetaScore(2, Averaging("weighted")), 4, oneHot},
	{IoU(3, []int{0, 2}), 2, classIDs}, {MeanIoU(4, SparseYPred(false), IgnoreClass(1)), 4, classLabels}, {SparseCategoricalCrossentropyMetric(IgnoreClass(7)), 4, classLabels}, {OneHotIoU(4, []int{1}), 4, oneHot},
	{OneHotMeanIoU(4), 4, oneHot}, {BinaryIoU(Threshold(0.3)), 3, zeroOrOne},
}

func (c metricCase) output() Output {
	out := Output{Shape: Shape{c.columns}}
	if c.targets == classLabels {
		out.Targets = Classes
	}
	return out
}

func (c metricCase) start(t testing.TB) Meter {
	m, err := c.metric.Start(c.output())
	require.NoError(t, err, c.metric.Name())
	return m
}

// draw returns some rows: outputs, targets and weights, of which some are 0.
func (c metricCase) draw(r *rand.Rand, rows int) (out kernels.Matrix, y Target, weights []float32) {
	out = kernels.NewMatrix(rows, c.columns)
	if c.targets == classLabels {
		y.Labels = make([]int32, rows)
	} else {
		y.Values = kernels.NewMatrix(rows, c.columns)
	}
	for i := range rows {
		label := r.IntN(c.columns)
		for j := range out.Row(i) {
			out.Row(i)[j] = r.Float32()
			switch c.targets {
			case anyTargets:
				y.Values.Row(i)[j] = r.Float32()
			case zeroOrOne:
				y.Values.Row(i)[j] = float32(r.IntN(2))
			case classIDs:
				y.Values.Row(i)[j], out.Row(i)[j] = float32(r.IntN(4)), float32(r.IntN(4))
			}
		}
		switch c.targets {
		case oneHot:
			y.Values.Row(i)[label] = 1
		case classLabels:
			y.Labels[i] = int32(label)
		}
		weights = append(weights, float32(r.IntN(4))/2)
	}
	return out, y, weights
}

// partOf returns some rows of a target.
func partOf(y Target, from, to int) Target {
	if y.Labels != nil {
		return Target{Labels: y.Labels[from:to]}
	}
	return Target{Values: y.Values.RowRange(from, to)}
}

// results returns all that a meter says.
func results(m Meter) []float64 {
	if v, ok := m.(Vector); ok {
		return append([]float64{m.Value()}, v.Values()...)
	}
	return []float64{m.Value()}
}

// Every class that is registered has a case.
func TestMetricClasses(t *testing.T) {
	var seen []string
	for _, c := range metricCases {
		seen = append(seen, className(c.metric))
	}
	for name, c := range classes(reflect.TypeFor[Metric]()) {
		if c.kind.PkgPath() == reflect.TypeFor[head]().PkgPath() {
			require.Contains(t, seen, name)
		}
	}
}

// A metric is one of all rows of an epoch, however they come; weights of 1 are none, a row of weight 2 is two rows, and one of
// weight 0 is none, whatever it has.
func TestMetricRows(t *testing.T) {
	for i, c := range metricCases {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		const rows = 60
		out, y, weights := c.draw(r, rows)
		near := func(want, got []float64, what string) {
			require.Len(t, got, len(want))
			for k := range want {
				require.InDelta(t, want[k], got[k], 1e-9, "%T %s: %s", c.metric, c.metric.Name(), what)
			}
		}
		whole := c.start(t)
		whole.Add(out, y, nil)
		want := results(whole)
		for _, v := range want {
			require.False(t, math.IsNaN(v), c.metric.Name())
		}
		ones := slices.Repeat([]float32{1}, rows)
		pieces := c.start(t)
		for from := 0; from < rows; from += 7 {
			to := min(from+7, rows)
			pieces.Add(out.RowRange(from, to), partOf(y, from, to), ones[from:to])
		}
		near(want, results(pieces), "in pieces")
		pieces.Reset()
		pieces.Add(out, y, nil)
		near(want, results(pieces), "again")

		// Whole weights are rows that come as often.
		twice, often := c.start(t), c.start(t)
		bad := kernels.NewMatrix(rows, c.columns)
		for i := range rows {
			n := int(weights[i] * 2)
			copy(bad.Row(i), out.Row(i))
			weights[i] = float32(n)
			for range n {
				often.Add(out.RowRange(i, i+1), partOf(y, i, i+1), nil)
			}
			if n == 0 {
				bad.Row(i)[0] = float32(math.NaN())
			}
		}
		if r, ok := c.metric.(*r2Score); ok && r.Regressors > 0 {
			continue // counts all rows
		}
		twice.Add(bad, y, weights)
		near(results(often), results(twice), "weights")
	}
}

// A meter allocates nothing once it has seen a batch.
func TestMetricAllocations(t *testing.T) {
	for i, c := range metricCases {
		out, y, weights := c.draw(rand.New(rand.NewPCG(2, uint64(i))), 20)
		m := c.start(t)
		v, _ := m.(Vector)
		sum := 0.0
		require.Zero(t, testing.AllocsPerRun(10, func() {
			m.Add(out, y, weights)
			m.Add(out, y, nil)
			sum += m.Value()
			if v != nil {
				sum += v.Values()[0]
			}
			m.Reset()
		}), "%T", c.metric)
	}
}

// A configuration comes back from a file as it was, and so do the defaults from none.
func TestMetricConfig(t *testing.T) {
	for _, c := range metricCases {
		text, err := json.Marshal(Object[Metric]{c.metric})
		require.NoError(t, err)
		var again Object[Metric]
		require.NoError(t, json.Unmarshal(text, &again), string(text))
		require.Equal(t, c.metric, again.Value, string(text))
	}
	for config, want := range map[string]Metric{
		`{"thresholds":[0.5,0.25],"top_k":null,"class_id":1}`: Precision(Threshold(0.5, 0.25), ClassID(1)),
		`{"thresholds":0.5}`:                   Precision(Threshold(0.5)),
		`{"thresholds":null,"name":"a"}`:       Precision(Name("a")),
		`{"thresholds":null,"top_k":3}`:        Precision(TopK(3)),
		`{ "thresholds" : [ 0.5 ] }`:           Precision(Threshold(0.5)),
		`{"thresholds":[],"name":"precision"}`: Precision(Threshold()),
	} {
		got, err := newObject[Metric]("Precision", []byte(config))
		require.NoError(t, err)
		got.(*precision).Thresholds = append(levels{}, got.(*precision).Thresholds...)
		want.(*precision).Thresholds = append(levels{}, want.(*precision).Thresholds...)
		require.Equal(t, want, got, config)
	}
	_, err := newObject[Metric]("Precision", []byte(`{"thresholds":"high"}`))
	require.Error(t, err)
	got, err := newObject[Metric]("R2Score", []byte(`{"class_aggregation":null}`))
	require.NoError(t, err)
	require.Equal(t, R2Score(ClassAggregation("")), got)
}

// Labels are targets with a 1 where they point.
func TestMetricLabels(t *testing.T) {
	for _, metric := range []Metric{
		Precision(Threshold(0.4)), Recall(Threshold(0.4), ClassID(2)), Precision(TopK(2)), TruePositives(), FalseNegatives(Threshold(0.2)),
		PrecisionAtRecall(0.5), F1Score(), FBetaScore(2, Threshold(0.6), Averaging("weighted")), CategoricalAccuracy(), TopKCategoricalAccuracy(2), OneHotMeanIoU(4),
	} {
		c := metricCase{metric, 4, classLabels}
		out, y, weights := c.draw(rand.New(rand.NewPCG(3, 4)), 40)
		of := c.start(t)
		of.Add(out, y, weights)
		hot := metricCase{metric, 4, oneHot}.start(t)
		values := kernels.NewMatrix(40, 4)
		for i, label := range y.Labels {
			values.Row(i)[label] = 1
		}
		hot.Add(out, Target{Values: values}, weights)
		require.Equal(t, results(hot), results(of), metric.Name())
	}
}

// A label that the output has no column for, as a loss may ignore one, is never right.
func TestMetricStrangeLabels(t *testing.T) {
	for _, c := range metricCases {
		if c.targets != classLabels {
			continue
		}
		for _, label := range []int32{-1, 4, math.MaxInt32, math.MinInt32} {
			m := c.start(t)
			m.Add(kernels.MatrixOf([]float32{0.1, 0.2, 0.3, 0.4}, 1, 4), Target{Labels: []int32{label}}, nil)
			m.Add(kernels.MatrixOf([]float32{0.1, 0.2, 0.3, 0.4}, 1, 4), Target{Labels: []int32{label}}, []float32{2})
			if name := c.metric.Name(); name != "false_negatives" {
				require.Zero(t, m.Value(), "%s of label %d", name, label)
			}
		}
	}
}

// Where the loss takes logits, metrics see probabilities.
func TestMetricLogits(t *testing.T) {
	for _, metric := range []Metric{
		BinaryAccuracy(), BinaryAccuracy(Threshold(0.3)), Precision(), Recall(Threshold(0.2, 0.7)), TrueNegatives(), SensitivityAtSpecificity(0.4), F1Score(Threshold(0.6)),
		BinaryIoU(), BinaryIoU(Threshold(0.2)), AUC(), AUC(Threshold(0.4)), AUC(Exact()), BinaryCrossentropyMetric(),
	} {
		c := metricCase{metric, 3, zeroOrOne}
		p, y, weights := c.draw(rand.New(rand.NewPCG(5, 6)), 40)
		logits := kernels.NewMatrix(40, 3)
		for i, v := range p.Data {
			logits.Data[i] = float32(math.Log(float64(v) / (1 - float64(v))))
		}
		m := c.start(t)
		m.Add(p, y, weights)
		out := c.output()
		out.Logits = true
		of, err := metric.Start(out)
		require.NoError(t, err)
		of.Add(logits, y, weights)
		want, got := results(m), results(of)
		for k := range want {
			require.InDelta(t, want[k], got[k], 1e-6, metric.Name())
		}
	}
	for _, metric := range []Metric{CategoricalCrossentropyMetric(), SparseCategoricalCrossentropyMetric()} {
		sort := oneHot
		if metric.Name() == "sparse_categorical_crossentropy" {
			sort = classLabels
		}
		c := metricCase{metric, 4, sort}
		logits, y, weights := c.draw(rand.New(rand.NewPCG(5, 6)), 40)
		p := kernels.NewMatrix(40, 4)
		for i := range 40 {
			for j, v := range logits.Row(i) {
				p.Row(i)[j] = 3 * float32(math.Exp(float64(v))) // not yet divided by their sum
			}
		}
		m := c.start(t)
		m.Add(p, y, weights)
		out := c.output()
		out.Logits = true
		of, err := metric.Start(out)
		require.NoError(t, err)
		of.Add(logits, y, weights)
		require.InDelta(t, m.Value(), of.Value(), 1e-6, metric.Name())
	}
}

// What no row that counts has shown is no number of a log that ends training.
func TestMetricsOfNothing(t *testing.T) {
	for _, metric := range []Metric{MSE(), Accuracy(), BinaryCrossentropyMetric(), Precision(), RecallAtPrecision(0.1), AUC(), AUC(Exact()), F1Score(Averaging("macro")), BinaryIoU()} {
		c := metricCase{metric, 1, zeroOrOne}
		out, y, _ := c.draw(rand.New(rand.NewPCG(7, 8)), 5)
		m := c.start(t)
		m.Add(out, y, make([]float32, 5))
		require.Zero(t, m.Value(), metric.Name())
	}
}

// The exact area is that of all pairs, whatever range outputs have.
func TestExactAUC(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, kinds := range []int{2, 7, 1000} {
		c := metricCase{AUC(Exact()), 2, zeroOrOne}
		out, y, weights := c.draw(r, 80)
		for i := range out.Data {
			out.Data[i] = float32(r.IntN(kinds))*1e6 - 5
		}
		pairs := func(columns ...int) float64 {
			right, all := 0.0, 0.0
			for i := range 80 {
				for k := range 80 {
					for _, j := range columns {
						for _, l := range columns {
							if y.Values.Row(i)[j] == 0 || y.Values.Row(k)[l] != 0 {
								continue
							}
							pair := float64(weights[i] * weights[k])
							all += pair
							switch p, q := out.Row(i)[j], out.Row(k)[l]; {
							case p > q:
								right += pair
							case p == q:
								right += pair / 2
							}
						}
					}
				}
			}
			return right / all
		}
		m := c.start(t)
		for range 2 {
			m.Add(out, y, weights)
			require.InDelta(t, pairs(0, 1), m.Value(), 1e-12)
			require.InDelta(t, pairs(0, 1), m.Value(), 1e-12, "asked again")
			m.Reset()
		}
		c.metric = AUC(Exact(), MultiLabel(), LabelWeights(1, 3))
		m = c.start(t)
		m.Add(out, y, weights)
		require.InDelta(t, (pairs(0)+3*pairs(1))/4, m.Value(), 1e-12)
	}
}

// Where outputs lie among them only, Keras' thresholds are exact.
func TestExactAUCCurves(t *testing.T) {
	for _, curve := range []string{"ROC", "PR", "PRGAIN"} {
		c := metricCase{AUC(Exact(), Curve(curve)), 1, zeroOrOne}
		out, y, weights := c.draw(rand.New(rand.NewPCG(11, 12)), 60)
		for i, v := range out.Data {
			out.Data[i] = (float32(int(10*v)) + 0.5) / 10
		}
		exact := c.start(t)
		exact.Add(out, y, weights)
		c.metric = AUC(Thresholds(11), Curve(curve))
		usual := c.start(t)
		usual.Add(out, y, weights)
		require.InDelta(t, usual.Value(), exact.Value(), 1e-12, curve)
	}
}

func TestMetricErrors(t *testing.T) {
	values, labels := Output{Shape: Shape{3}}, Output{Shape: Shape{3}, Targets: Classes}
	for _, c := range []struct {
		metric Metric
		out    Output
		want   string
	}{
		{MeanSquaredErrorMetric(), labels, "needs targets that are Floats"},
		{HingeMetric(), labels, "needs targets that are Floats"},
		{SparseCategoricalCrossentropyMetric(), values, "needs targets that are Labels"},
		{SparseCategoricalAccuracy(), values, "needs targets that are Labels"},
		{Precision(nil), values, "option 0 is nil"},
		{Precision(Averaging("macro")), values, "has no option Averaging"},
		{Precision(Curve("ROC"), Exact()), values, "has no option Curve"},
		{MeanSquaredErrorMetric(Threshold(0.5)), values, "has no option Threshold"},
		{TruePositives(TopK(1)), values, "has no option TopK"},
		{F1Score(ClassID(1)), values, "has no option ClassID"},
		{F1Score(FromLogits()), values, "has no option FromLogits"},
		{F1Score(Thresholds(3)), values, "has no option Thresholds"},
		{F1Score(SparseYPred(true)), values, "has no option SparseYPred"},
		{F1Score(LabelSmoothing(0.1)), values, "has no option LabelSmoothing"},
		{F1Score(IgnoreClass(1)), values, "has no option IgnoreClass"},
		{F1Score(ClassAggregation("")), values, "has no option ClassAggregation"},
		{F1Score(NumRegressors(1)), values, "has no option NumRegressors"},
		{F1Score(MultiLabel()), values, "has no option MultiLabel"},
		{F1Score(LabelWeights(1)), values, "has no option LabelWeights"},
		{F1Score(SummationMethod("minoring")), values, "has no option SummationMethod"},
		{F1Score(Threshold(0.1, 0.2)), values, "takes one threshold, has 2"},
		{F1Score(Threshold(0)), values, "threshold 0 is not in (0, 1]"},
		{F1Score(Averaging("mean")), values, `unknown average "mean": valid are ["" "micro" "macro" "weighted"]`},
		{FBetaScore(0), values, "beta 0 must be positive"},
		{FBetaScore(math.NaN()), values, "beta NaN must be positive"},
		{BinaryAccuracy(Threshold()), values, "takes one threshold, has 0"},
		{Precision(Threshold(0.5, 1.5)), values, "threshold 1.5 is not in [0, 1]"},
		{Precision(Threshold(math.NaN())), values, "threshold NaN is not in [0, 1]"},
		{Precision(Threshold(make([]float64, 1001)...)), values, "1001 thresholds: valid are at most 1000"},
		{Precision(ClassID(3)), values, "class 3: valid for 3 columns are 0 to 2"},
		{Recall(TopK(4)), values, "top k is 4, valid for 3 columns are 1 to 3"},
		{TopKCategoricalAccuracy(0), values, "k is 0, must be at least 1"},
		{SensitivityAtSpecificity(1.5), values, "specificity 1.5 is not in [0, 1]"},
		{RecallAtPrecision(0.5, Thresholds(0)), values, "0 thresholds: valid are 1 to"},
		{R2Score(ClassAggregation("mean")), values, `unknown class aggregation "mean"`},
		{R2Score(NumRegressors(-1)), values, "-1 regressors are below 0"},
		{AUC(LabelWeights(1, 2)), values, "has 2 label weights for 3 columns"},
		{AUC(LabelWeights(1, 2, math.NaN())), values, "must be finite and not negative"},
		{AUC(Threshold(2)), values, "threshold 2 is not in [0, 1]"},
		{MeanIoU(3), labels, "each row has one label: use SparseYPred(false)"},
		{MeanIoU(3, SparseYPred(false)), values, "use OneHotIoU or OneHotMeanIoU"},
		{IoU(3, []int{3}), values, "target class 3: valid for 3 classes are 0 to 2"},
		{MeanIoU(0), values, "0 classes: valid are 1 to"},
		{CosineSimilarityMetric(Name("")), values, "the name \"\": valid are 1 to 4096 bytes of UTF-8"},
	} {
		_, err := c.metric.Start(c.out)
		require.ErrorContains(t, err, c.want, "%T", c.metric)
	}
	for class, configs := range map[string]map[string]string{
		"AUC":                     {`{"num_labels":3}`: "has 3 labels", `{"num_labels":2,"multi_label":true}`: "has 2 labels"},
		"BinaryCrossentropy":      {`{"label_smoothing":2}`: "label smoothing 2 is not in [0, 1]"},
		"CategoricalCrossentropy": {`{"axis":0}`: "axis 0", `{"label_smoothing":-1}`: "label smoothing -1"},
		"MeanIoU":                 {`{"num_classes":3,"dtype":"bool"}`: `unknown dtype "bool"`, `{"num_classes":3,"axis":2}`: "axis 2"},
		"PearsonCorrelation":      {`{"axis":0}`: "axis 0"},
	} {
		for config, want := range configs {
			m, err := newObject[Metric](class, []byte(config))
			require.NoError(t, err)
			_, err = m.Start(values)
			require.ErrorContains(t, err, want)
		}
	}
}

// Weighted metrics count rows as the loss does, others all the same; each entry of a vector has a log, which callbacks follow.
func TestWeightedMetrics(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("a")).On(x), Dense(2, Softmax, Name("b")).On(x)}, Seed(1))
	require.NoError(t, err)
	losses := Losses{"a": MSE(), "b": SparseCategoricalCrossentropy()}
	require.NoError(t, m.Compile(SGD(0), losses, Metrics{"a": {MAE()}, "b": {F1Score()}},
		WeightedMetrics{"a": {MAE(), RootMeanSquaredError()}, "b": {Accuracy(), Precision(Threshold(0.2, 0.9)), F1Score()}}))
	require.NoError(t, m.SetWeights(map[string][]float32{"a/kernel": {1}, "a/bias": {0}, "b/kernel": {0, 1}, "b/bias": {0, 0}}))
	d := Data{
		Inputs:        Arrays{"x": Floats{1, 2, -3, 4}},
		Targets:       Arrays{"a": Floats{0, 0, 0, 0}, "b": Labels{1, 0, 0, 1}},
		SampleWeights: map[string][]float32{"a": {1, 0, 2, 0.5}},
	}
	want := Logs{
		"a_mae": 10.0 / 4, "a_weighted_mae": (1 + 6 + 2) / 3.5, "a_root_mean_squared_error": math.Sqrt((1 + 18 + 8) / 3.5), "b_accuracy": 3.0 / 4,
	}
	check := func(logs Logs) {
		for name, v := range want {
			require.InDelta(t, v, logs[name], 1e-6, name)
		}
		for _, name := range []string{"b_f1_score_0", "b_f1_score_1", "b_weighted_f1_score_1", "b_precision_0", "b_precision_1"} {
			require.Contains(t, logs, name)
		}
		require.Len(t, logs, 13)
	}
	again, err := parse(savedBytes(t, m))
	require.NoError(t, err)
	for _, m := range []*Model{m, again} {
		logs, err := m.Evaluate(context.Background(), d, BatchSize(3))
		require.NoError(t, err)
		check(logs)
		logs, err = m.TrainOnBatch(d)
		require.NoError(t, err)
		check(logs)
	}
	weighted := 0
	for _, h := range again.trainer.heads {
		for _, m := range h.measures {
			if m.weighted {
				weighted++
			}
		}
	}
	require.Equal(t, 5, weighted)

	// Class weights count, too, but not in validation.
	h, err := m.Fit(context.Background(), d, Epochs(2), BatchSize(3), Shuffle(false), ValidationData(d),
		ClassWeight("b", map[int]float64{0: 1, 1: 5}),
		Callbacks(EarlyStopping{Monitor: "val_b_weighted_f1_score_1"}.Callback()))
	require.NoError(t, err)
	require.InDelta(t, 11.0/12, h.Logs["b_accuracy"][0], 1e-6)
	require.InDelta(t, 3.0/4, h.Logs["val_b_accuracy"][0], 1e-6)
	for log, want := range map[string]bool{"val_b_weighted_f1_score_1": true, "b_precision_0": true, "a_mae": false} {
		rises, known := m.rises(log)
		require.True(t, known, log)
		require.Equal(t, want, rises, log)
	}
	allocations := testing.AllocsPerRun(20, func() {
		if _, err := m.TrainOnBatch(d); err != nil {
			t.Fatal(err)
		}
	})
	require.Zero(t, allocations)

	require.ErrorContains(t, m.Compile(SGD(0), losses, WeightedMetrics{"c": {MAE()}}), `unknown output in WeightedMetrics "c"`)
	require.ErrorContains(t, m.Compile(SGD(0), losses, WeightedMetrics{"a": nil}, WeightedMetrics{"b": nil}), "WeightedMetrics are given twice")
	for _, c := range []struct {
		metrics  []Metric
		weighted []Metric
		want     string
	}{
		{nil, []Metric{MAE(), MAE()}, ""},
		{[]Metric{MAE()}, []Metric{MAE(), MAE()}, `output "a": metric mae is given twice: log "a_weighted_mae" would be both`},
		{[]Metric{MeanSquaredErrorMetric(Name("loss"))}, nil, `metric loss is given twice: log "a_loss" would be both`},
		{[]Metric{nil}, nil, "metric 0 is nil"},
		{nil, []Metric{F1Score()}, ""},
	} {
		err := m.Compile(SGD(0), losses, Metrics{"a": c.metrics}, WeightedMetrics{"a": c.weighted})
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
	}
	wide, err := NewModel([]*Node{x}, []*Node{Dense(1001, Softmax, Name("y")).On(x)})
	require.NoError(t, err)
	require.ErrorContains(t, wide.Compile(SGD(0), Losses{"y": SparseCategoricalCrossentropy()}, Metrics{"y": {F1Score()}}),
		"metric f1_score: has 1001 numbers, at most 1000 can be logged")
	require.NoError(t, wide.Compile(SGD(0), Losses{"y": SparseCategoricalCrossentropy()}, Metrics{"y": {F1Score(Averaging("macro"))}}))
}
