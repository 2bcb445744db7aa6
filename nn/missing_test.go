package nn

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A lackCase is a task with a loss over present labels: rows of 3 inputs, and targets of some columns or labels below 3.
type lackCase struct {
	name    string
	act     ActivationFunction
	outputs int
	loss    Loss
	metrics []Metric
	target  func(r *rand.Rand) Array // of one row
	lack    func(y Array) Array      // the same without its label
}

func lackCases() []lackCase {
	numbers := func(n int, most float32) func(r *rand.Rand) Array {
		return func(r *rand.Rand) Array {
			y := make(Floats, n)
			for i := range y {
				y[i] = r.Float32() * most
			}
			return y
		}
	}
	nanAt := func(i int) func(Array) Array {
		return func(y Array) Array {
			f := slices.Clone(y.(Floats))
			f[i] = nan
			return f
		}
	}
	label := func(n int32) func(r *rand.Rand) Array {
		return func(r *rand.Rand) Array { return Labels{r.Int32N(n)} }
	}
	none := func(Array) Array { return Labels{-1} }
	present := ReduceMeanWithSampleWeight
	return []lackCase{
		{"mse", Linear, 2, MeanSquaredError(present), []Metric{MAE(), RootMeanSquaredError()}, numbers(2, 4), nanAt(1)},
		{"huber", Linear, 1, Huber(1, present), []Metric{MAE()}, numbers(1, 4), nanAt(0)},
		{"sparse", Softmax, 3, SparseCategoricalCrossentropy(present), []Metric{Accuracy()}, label(3), none},
		{"binary", Sigmoid, 1, BinaryCrossentropy(present), []Metric{Accuracy(), AUC()}, label(2), none},
		{"probabilities", Sigmoid, 3, BinaryCrossentropy(present), []Metric{AUC()}, numbers(3, 1), nanAt(2)},
		{"focal", Softmax, 3, CategoricalFocalCrossentropy(0.25, 2, present), nil, numbers(3, 1), nanAt(0)},
		{"poisson", Exponential, 2, Poisson(present), nil, numbers(2, 4), nanAt(0)},
		{"ranking", Linear, 1, BPR(present), nil, numbers(1, 4), nanAt(0)},
	}
}

func (c lackCase) model(t *testing.T, optimizer Optimizer) *Model {
	x := Input("x", 3)
	h := Dense(9, Tanh, Name("trunk")).On(x)
	m, err := NewModel([]*Node{x}, []*Node{Dense(c.outputs, c.act, Name("y")).On(h)}, Seed(3))
	require.NoError(t, err)
	require.NoError(t, m.Compile(optimizer, Losses{"y": c.loss}, Metrics{"y": c.metrics}))
	return m
}

// rowsOf joins rows of one input and one target.
func rowsOf(x []Floats, y []Array) Data {
	var in, values Floats
	var labels Labels
	for i := range x {
		in = append(in, x[i]...)
		switch y := y[i].(type) {
		case Floats:
			values = append(values, y...)
		case Labels:
			labels = append(labels, y...)
		}
	}
	d := Data{Inputs: Arrays{"x": in}, Targets: Arrays{"y": labels}}
	if labels == nil {
		d.Targets["y"] = values
	}
	return d
}

// Training on rows of which some lack their label gives the bits of training without these rows, whether the target or a mark
// says so, and so do metrics; the loss is the same number.
func TestLabelsLeftOut(t *testing.T) {
	for _, c := range lackCases() {
		for _, rows := range []int{1, 7, 40} {
			t.Run(fmt.Sprintf("%s/rows=%d", c.name, rows), func(t *testing.T) {
				r := rand.New(rand.NewPCG(7, uint64(rows)))
				without, lacking, marked := c.model(t, SGD(0.1)), c.model(t, SGD(0.1)), c.model(t, SGD(0.1))
				for range 5 {
					var x, few []Floats
					var y, all, fewY []Array
					var marks []bool
					for i := range rows {
						row, label := Floats{r.Float32(), r.Float32() - 0.5, r.Float32()}, c.target(r)
						present := i == 0 || r.IntN(3) > 0
						x, all, marks = append(x, row), append(all, label), append(marks, present)
						if present {
							few, fewY, y = append(few, row), append(fewY, label), append(y, label)
						} else {
							y = append(y, c.lack(label))
						}
					}
					want, err := without.TrainOnBatch(rowsOf(few, fewY))
					require.NoError(t, err)
					byMark := rowsOf(x, all)
					byMark.Labelled = map[string][]bool{"y": marks}
					for m, d := range map[*Model]Data{lacking: rowsOf(x, y), marked: byMark} {
						got, err := m.TrainOnBatch(d)
						require.NoError(t, err)
						requireLogsBut(t, want, got, "y_labels")
						if len(few) < rows {
							require.Equal(t, float64(len(few)), got["y_labels"])
						} else {
							require.NotContains(t, got, "y_labels")
						}
					}
				}
				for i, w := range without.Weights() {
					requireBits(t, w.Data, lacking.Weights()[i].Data, "%s", w.Name)
					requireBits(t, w.Data, marked.Weights()[i].Data, "%s", w.Name)
				}
			})
		}
	}
}

func requireLogsBut(t *testing.T, want, got Logs, extra string) {
	t.Helper()
	for name, v := range want {
		require.InDelta(t, v, got[name], 1e-6, name)
	}
	for name := range got {
		if name != extra {
			require.Contains(t, want, name)
		}
	}
}

// A batch without any label of a task has a loss and metrics of 0, and trains nothing but the other task.
func TestNoLabels(t *testing.T) {
	for _, reduction := range []Reduction{ReduceSumOverBatchSize, ReduceMeanWithSampleWeight, ReduceSum} {
		x := Input("x", 1)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("a")).On(x), Dense(2, Softmax, Name("b")).On(x)})
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(0.1), Losses{"a": MeanSquaredError(reduction), "b": SparseCategoricalCrossentropy(reduction)}, Metrics{"a": {MAE()}, "b": {Accuracy()}}))
		before := slices.Clone(m.GetWeights()["a/kernel"])
		other := slices.Clone(m.GetWeights()["b/kernel"])
		logs, err := m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1, 2}}, Targets: Arrays{"a": Floats{nan, nan}, "b": Labels{1, 0}}})
		require.NoError(t, err)
		require.Zero(t, logs["a_loss"])
		require.Zero(t, logs["a_mae"])
		require.Zero(t, logs["a_labels"])
		require.Equal(t, logs["b_loss"], logs["loss"])
		requireBits(t, before, m.GetWeights()["a/kernel"], "a/kernel")
		require.NotEqual(t, other, m.GetWeights()["b/kernel"])
	}
}

// Over the batch, a row without a label counts as one whose loss is 0.
func TestLabelsOverBatch(t *testing.T) {
	m := plain(t, 2, SGD(0))
	logs, err := m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1, 1, 1, 1}}, Targets: Arrays{"y": Floats{nan, 5, nan, 3}}})
	require.NoError(t, err)
	require.Equal(t, Logs{"loss": 1, "y_labels": 2}, logs)
}

// Over present labels, the loss of an epoch is the mean over them, however they fall into batches.
func TestLabelsOverPresent(t *testing.T) {
	for reduction, want := range map[Reduction]float64{ReduceMeanWithSampleWeight: 2, ReduceSumOverBatchSize: 1.5} {
		m := plain(t, 2, SGD(0))
		require.NoError(t, m.Compile(SGD(0), Losses{"y": MeanAbsoluteError(reduction)}))
		logs, err := m.Evaluate(context.Background(), Data{Inputs: Arrays{"x": Floats{1, 1, 1, 1}}, Targets: Arrays{"y": Floats{nan, 5, 3, 4}}}, BatchSize(2))
		require.NoError(t, err)
		require.Equal(t, Logs{"loss": want, "y_labels": 3}, logs)
	}
}

// A class that a loss ignores is a label, which metrics see; weighted metrics weigh the rows that have one.
func TestLabelsIgnoredAndWeighted(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(3, Softmax, Name("y")).On(x)}, Seed(1))
	require.NoError(t, err)
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {0, 1, 0}, "y/bias": {0, 0, 0}}))
	require.NoError(t, m.Compile(SGD(0), Losses{"y": SparseCategoricalCrossentropy(IgnoreClass(2))}, WeightedMetrics{"y": {Accuracy()}}))
	logs, err := m.TestOnBatch(Data{Inputs: Arrays{"x": Floats{1, 1, 1, 1}}, Targets: Arrays{"y": Labels{2, -1, 1, 0}},
		SampleWeights: map[string][]float32{"y": {1, 5, 3, 4}}})
	require.NoError(t, err)
	require.EqualValues(t, 3, logs["y_labels"])
	require.InDelta(t, 3.0/8, logs["accuracy"], 1e-12)
}

// Fit and Evaluate have the same bits whether labels are missing in Data or a Stream, with any workers; the count is that of an epoch.
func TestMissingLabelsAnywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 5, 16, 64} {
		d := tandemData(37)
		d.Targets["value"] = slices.Clone(d.Targets["value"].(Floats))
		d.Targets["label"] = slices.Clone(d.Targets["label"].(Labels))
		values, labels := 0, 0
		for i := range 37 {
			if r.IntN(3) == 0 {
				d.Targets["value"].(Floats)[2*i+r.IntN(2)] = nan
			} else {
				values++
			}
			if r.IntN(4) == 0 {
				d.Targets["label"].(Labels)[i] = -1
			} else {
				labels++
			}
		}
		train := func(data Dataset, opts ...FitOption) (map[string][]float32, Logs) {
			m := tandem(t, Adam(0.01))
			h, err := m.Fit(context.Background(), data, append(opts, Epochs(2), BatchSize(size), Shuffle(false))...)
			require.NoError(t, err)
			require.EqualValues(t, []float64{float64(values), float64(values)}, h.Logs["value_labels"])
			require.EqualValues(t, []float64{float64(labels), float64(labels)}, h.Logs["label_labels"])
			logs, err := m.Evaluate(context.Background(), data)
			require.NoError(t, err)
			require.EqualValues(t, values, logs["value_labels"])
			return m.GetWeights(), logs
		}
		want, logs := train(d)
		for _, data := range []Dataset{streamOf(part(d, 0, 4), part(d, 4, 30), part(d, 30, 37)), d} {
			got, gotLogs := train(data, Workers(2))
			for name := range want {
				requireBits(t, want[name], got[name], "%s", name)
			}
			require.Equal(t, logs, gotLogs)
			require.False(t, math.IsNaN(logs["loss"]))
		}
	}
}

// A loss of a whole batch cannot leave rows out.
func TestMissingLabelsOfWholeLoss(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(2, Sigmoid, Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.1), Losses{"y": Dice()}))
	_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1, 2}}, Targets: Arrays{"y": Floats{1, 0, nan, 1}}})
	requireError(t, err, `target "y": lacks labels, which loss dice takes only row by row: give it the axis -1`)
}

// Steps on labels that are missing allocate nothing.
func TestMissingLabelsAllocations(t *testing.T) {
	m, d := tandem(t, Adam(0.01)), tandemData(16)
	d.Targets["value"].(Floats)[3], d.Targets["label"].(Labels)[5] = nan, -1
	step := func() {
		_, err := m.TrainOnBatch(d)
		require.NoError(t, err)
	}
	step()
	step()
	require.Zero(t, testing.AllocsPerRun(10, step))
}
