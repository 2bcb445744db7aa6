package nn

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// A lossCase is a loss with what its tests need. The output has 3 columns unless it is told.
type lossCase struct {
	name    string
	loss    Loss
	act     ActivationKind
	columns int
	target  string // "numbers", "one", "signs", "chances", "labels"
	// want is the loss of a row in float64. It is not there for losses that Keras' numbers are there for.
	want func(p, t []float64) float64
}

var lossCases = []lossCase{
	{name: "MeanSquaredError", loss: MeanSquaredError(), act: Linear},
	{name: "MeanAbsoluteError", loss: MeanAbsoluteError(), act: Linear},
	{name: "MeanAbsolutePercentageError", loss: MeanAbsolutePercentageError(), act: Linear},
	{name: "MeanSquaredLogarithmicError", loss: MeanSquaredLogarithmicError(), act: Sigmoid, target: "chances"},
	{name: "Huber", loss: Huber(0.7), act: Linear},
	{name: "LogCosh", loss: LogCosh(), act: Linear},
	{name: "CosineSimilarity", loss: CosineSimilarity(), act: Linear},
	{name: "SparseCategoricalCrossentropy", loss: SparseCategoricalCrossentropy(), act: Softmax, target: "labels"},
	{name: "SparseCategoricalCrossentropy/ignore", loss: SparseCategoricalCrossentropy(IgnoreClass(1)), act: Softmax, target: "labels"},
	{name: "SparseCategoricalCrossentropy/ignore none", loss: SparseCategoricalCrossentropy(IgnoreClass(-1), FromLogits()), act: Linear, target: "labels with none"},
	{name: "CategoricalCrossentropy", loss: CategoricalCrossentropy(LabelSmoothing(0.2)), act: Softmax, target: "chances",
		want: func(p, t []float64) float64 {
			sum := 0.0
			for j := range p {
				sum -= (0.8*t[j] + 0.2/3) * math.Log(p[j])
			}
			return sum
		}},
	{name: "CategoricalCrossentropy/logits", loss: CategoricalCrossentropy(LabelSmoothing(0.2), FromLogits()), act: Linear, target: "chances"},
	{name: "CategoricalCrossentropy/sigmoid", loss: CategoricalCrossentropy(LabelSmoothing(0.2)), act: Sigmoid, target: "chances"},
	{name: "BinaryCrossentropy", loss: BinaryCrossentropy(LabelSmoothing(0.2)), act: Sigmoid, target: "chances",
		want: func(p, t []float64) float64 {
			sum := 0.0
			for j := range p {
				t := 0.8*t[j] + 0.1
				sum -= (t*math.Log(p[j]) + (1-t)*math.Log(1-p[j])) / 3
			}
			return sum
		}},
	{name: "BinaryCrossentropy/logits", loss: BinaryCrossentropy(LabelSmoothing(0.2), FromLogits()), act: Linear, target: "chances"},
	{name: "BinaryCrossentropy/softmax", loss: BinaryCrossentropy(LabelSmoothing(0.2)), act: Softmax, target: "chances"},
	{name: "BinaryFocalCrossentropy", loss: BinaryFocalCrossentropy(1.5, ClassBalancing(0.3), LabelSmoothing(0.1)), act: Sigmoid, target: "chances", want: focalBinaryOf},
	{name: "BinaryFocalCrossentropy/logits", loss: BinaryFocalCrossentropy(1.5, ClassBalancing(0.3), LabelSmoothing(0.1), FromLogits()), act: Linear, target: "chances",
		want: func(p, t []float64) float64 {
			return focalBinaryOf(eachValue(p, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }), t)
		}},
	{name: "BinaryFocalCrossentropy/softmax", loss: BinaryFocalCrossentropy(1.5, ClassBalancing(0.3), LabelSmoothing(0.1)), act: Softmax, target: "chances", want: focalBinaryOf},
	{name: "CategoricalFocalCrossentropy", loss: CategoricalFocalCrossentropy(0.3, 1.5, LabelSmoothing(0.1)), act: Softmax, target: "chances", want: focalOf},
	{name: "CategoricalFocalCrossentropy/logits", loss: CategoricalFocalCrossentropy(0.3, 1.5, LabelSmoothing(0.1), FromLogits()), act: Linear, target: "chances",
		want: func(p, t []float64) float64 { return focalOf(softmaxOf(p, 3), t) }},
	{name: "CategoricalFocalCrossentropy/sigmoid", loss: CategoricalFocalCrossentropy(0.3, 1.5, LabelSmoothing(0.1)), act: Sigmoid, target: "chances",
		want: func(p, t []float64) float64 {
			sum := p[0] + p[1] + p[2]
			return focalOf(eachValue(p, func(v float64) float64 { return v / sum }), t)
		}},
	{name: "KLDivergence", loss: KLDivergence(), act: Softmax, target: "chances"},
	{name: "Poisson", loss: Poisson(), act: Sigmoid, target: "chances"},
	{name: "Hinge", loss: Hinge(), act: Linear, target: "signs"},
	{name: "SquaredHinge", loss: SquaredHinge(), act: Linear, target: "signs"},
	{name: "CategoricalHinge", loss: CategoricalHinge(), act: Linear, target: "chances"},
	{name: "Dice", loss: Dice(), act: Sigmoid, target: "chances"},
	{name: "Dice/rows", loss: Dice(RowByRow()), act: Sigmoid, target: "chances",
		want: func(p, t []float64) float64 {
			both, all := 0.0, 0.0
			for j := range p {
				both += p[j] * t[j]
				all += p[j] + t[j]
			}
			return 1 - 2*both/(all+1e-7)
		}},
	{name: "Tversky", loss: Tversky(0.3, 0.6), act: Sigmoid, target: "chances"},
	{name: "Tversky/rows", loss: Tversky(0.3, 0.6, RowByRow()), act: Sigmoid, target: "chances",
		want: func(p, t []float64) float64 {
			both, missed, found := 0.0, 0.0, 0.0
			for j := range p {
				both += p[j] * t[j]
				missed += t[j] * (1 - p[j])
				found += p[j] * (1 - t[j])
			}
			return 1 - both/(both+0.3*missed+0.6*found+1e-7)
		}},
	{name: "Quantile", loss: Quantile([]float64{0.1, 0.5, 0.8}), act: Linear, columns: 6, target: "numbers/3",
		want: func(p, t []float64) float64 {
			sum := 0.0
			for j, q := range []float64{0.1, 0.5, 0.8, 0.1, 0.5, 0.8} {
				d := t[j/3] - p[j]
				sum += max(q*d, (q-1)*d) / 6
			}
			return sum
		}},
	{name: "GaussianNLL", loss: GaussianNLL(), act: Linear, columns: 4, target: "numbers/2",
		want: func(p, t []float64) float64 {
			sum := 0.0
			for j := range t {
				mean, deviation := p[2*j], math.Exp(p[2*j+1]/2)
				sum -= math.Log(math.Exp(-(t[j]-mean)*(t[j]-mean)/(2*deviation*deviation))/(deviation*math.Sqrt(2*math.Pi))) / 2
			}
			return sum
		}},
	{name: "ZeroInflatedLogNormal", loss: ZeroInflatedLogNormal(), act: Linear, columns: 6, target: "amounts/3",
		want: func(p, t []float64) float64 {
			sum := 0.0
			for j := range t {
				chance, mu, sigma := 1/(1+math.Exp(-p[3*j])), p[3*j+1], math.Log(1+math.Exp(p[3*j+2]))
				density := 1 - chance
				if t[j] > 0 {
					d := (math.Log(t[j]) - mu) / sigma
					density = chance * math.Exp(-d*d/2) / (t[j] * sigma * math.Sqrt(2*math.Pi))
				}
				sum -= math.Log(density) / 2
			}
			return sum
		}},
	{name: "BPR", loss: BPR(), act: Linear,
		want: func(p, t []float64) float64 {
			return pairsOf(p, t, func(lead float64) float64 { return -math.Log(1 / (1 + math.Exp(-lead))) })
		}},
	{name: "BPR/batch", loss: BPR(), act: Linear, columns: 1},
	{name: "PairwiseRanking", loss: PairwiseRanking(0.7), act: Linear,
		want: func(p, t []float64) float64 {
			return pairsOf(p, t, func(lead float64) float64 { return max(0, 0.7-lead) })
		}},
	{name: "PairwiseRanking/batch", loss: PairwiseRanking(0.7), act: Linear, columns: 1},
}

func focalBinaryOf(p, t []float64) float64 {
	sum := 0.0
	for j := range p {
		t := 0.9*t[j] + 0.05
		right := t*p[j] + (1-t)*(1-p[j])
		sum -= (0.3*t + 0.7*(1-t)) * math.Pow(1-right, 1.5) * (t*math.Log(p[j]) + (1-t)*math.Log(1-p[j]))
	}
	return sum / float64(len(p))
}

func focalOf(p, t []float64) float64 {
	sum := 0.0
	for j := range p {
		sum -= 0.3 * math.Pow(1-p[j], 1.5) * (0.9*t[j] + 0.1/3) * math.Log(p[j])
	}
	return sum
}

func pairsOf(p, t []float64, loss func(lead float64) float64) float64 {
	sum, n := 0.0, 0.0
	for j := range p {
		for k := range p {
			if t[j] > t[k] {
				sum += loss(p[j] - p[k])
				n++
			}
		}
	}
	return sum / n
}

const lossRows = 6

// model returns a compiled model, and data.
func (c lossCase) model(t testing.TB, loss Loss, optimizer Optimizer) (*Model, Data) {
	columns := c.columns
	if columns == 0 {
		columns = 3
	}
	x := Input("x", 4)
	m, err := NewModel([]*Node{x}, []*Node{Dense(columns, c.act, Name("y")).On(x)}, Seed(5))
	require.NoError(t, err)
	require.NoError(t, m.Compile(optimizer, Losses{"y": loss}))
	random := rand.New(rand.NewPCG(7, 8))
	var in, y Floats
	var labels Labels
	for i := range lossRows {
		for range 4 {
			in = append(in, float32(random.NormFloat64()))
		}
		labels = append(labels, int32((i+1)%3))
		for j := range columns {
			switch c.target {
			case "chances":
				y = append(y, float32(random.Float64()))
			case "signs":
				y = append(y, float32(1-2*random.IntN(2)))
			case "numbers/3", "numbers/2":
				if j%int(c.target[8]-'0') == 0 {
					y = append(y, float32(3*random.NormFloat64()))
				}
			case "amounts/3":
				if j%3 == 0 {
					y = append(y, float32(max(0, 2*random.NormFloat64())))
				}
			default:
				y = append(y, float32(random.NormFloat64()))
			}
		}
	}
	d := Data{Inputs: Arrays{"x": in}, Targets: Arrays{"y": y}}
	switch c.target {
	case "labels":
		d.Targets["y"] = labels
	case "labels with none":
		labels[2], labels[5] = -1, -1
		d.Targets["y"] = labels
	}
	return m, d
}

var lossWeights = map[string][]float32{"y": {0.5, 1, 0, 2, 1.5, 0.25}}

// The gradient of every loss beside differences of it, with and without weights.
func TestLossGradients(t *testing.T) {
	for _, c := range lossCases {
		t.Run(c.name, func(t *testing.T) {
			m, d := c.model(t, c.loss, SGD(1))
			for _, weights := range []map[string][]float32{nil, lossWeights} {
				d.SampleWeights = weights
				w := m.Weights()[0]
				before := slices.Clone(w.Data)
				bias := slices.Clone(m.Weights()[1].Data)
				_, err := m.TrainOnBatch(d) // w - gradient
				require.NoError(t, err)
				after := slices.Clone(w.Data)
				copy(m.Weights()[1].Data, bias)
				at := func(i int, v float32) float64 {
					copy(w.Data, before)
					w.Data[i] = v
					logs, err := m.Evaluate(context.Background(), d)
					require.NoError(t, err)
					return logs["loss"]
				}
				for i, v := range before {
					const step = 1.0 / 128
					difference := (at(i, v+step) - at(i, v-step)) / (2 * step)
					require.InDelta(t, difference, before[i]-after[i], 1e-3*(1+math.Abs(difference)), "weights %v, %d", weights != nil, i)
				}
				copy(w.Data, before)
			}
		})
	}
}

// What a loss logs is the mean of its formula, also where another loss or none has the activation.
func TestLossValues(t *testing.T) {
	for _, c := range lossCases {
		if c.want == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			m, d := c.model(t, c.loss, SGD(1))
			out, err := m.Predict(d.Inputs)
			require.NoError(t, err)
			y := d.Targets["y"].(Floats)
			width := len(y) / lossRows
			rows := make([]float64, lossRows)
			for i := range rows {
				rows[i] = c.want(inFloat64(out["y"].Row(i)), inFloat64(y[i*width:(i+1)*width]))
			}
			for reduction, want := range map[Reduction]func(w []float32) float64{
				ReduceSumOverBatchSize:     func(w []float32) float64 { return weightedSum(rows, w) / lossRows },
				ReduceMean:                 func(w []float32) float64 { return weightedSum(rows, w) / lossRows },
				ReduceSum:                  func(w []float32) float64 { return weightedSum(rows, w) },
				ReduceMeanWithSampleWeight: func(w []float32) float64 { return weightedSum(rows, w) / weightedSum([]float64{1, 1, 1, 1, 1, 1}, w) },
			} {
				setReduction(c.loss, reduction)
				for _, weights := range []map[string][]float32{nil, lossWeights} {
					d.SampleWeights = weights
					logs, err := m.Evaluate(context.Background(), d)
					require.NoError(t, err)
					w := want(weights["y"])
					require.InDelta(t, w, logs["loss"], 2e-6*(1+math.Abs(w)), "%s, weights %v", reduction, weights != nil)
				}
			}
			setReduction(c.loss, ReduceSumOverBatchSize)
		})
	}
}

func setReduction(l Loss, r Reduction) { *l.(interface{ reduced() *Reduction }).reduced() = r }

func (b *lossBase) reduced() *Reduction { return &b.Reduce }

func inFloat64(v []float32) (f []float64) {
	for _, x := range v {
		f = append(f, float64(x))
	}
	return f
}

func weightedSum(v []float64, weights []float32) (sum float64) {
	for i, x := range v {
		if weights != nil {
			x *= float64(weights[i])
		}
		sum += x
	}
	return sum
}

// Every loss is in a file with its configuration, goes on from it to the same bits, and allocates nothing in a step.
func TestLossesSaved(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range lossCases {
		t.Run(c.name, func(t *testing.T) {
			seen[className(c.loss)] = true
			m, d := c.model(t, c.loss, Adam(0.01))
			d.SampleWeights = lossWeights
			loaded, err := parse(savedBytes(t, m))
			require.NoError(t, err)
			require.Equal(t, c.loss, loaded.trainer.heads[0].loss)
			for _, m := range []*Model{m, loaded} {
				_, err := m.Fit(context.Background(), d, BatchSize(4), Epochs(2))
				require.NoError(t, err)
			}
			require.Equal(t, savedBytes(t, m), savedBytes(t, loaded))
			require.Zero(t, testing.AllocsPerRun(5, func() {
				if _, err := m.TrainOnBatch(d); err != nil {
					t.Fatal(err)
				}
			}))
		})
	}
	for name, class := range classes(reflect.TypeFor[Loss]()) {
		if class.kind.PkgPath() == "github.com/espalier-ml/espalier/nn" && !class.isFunction() {
			require.True(t, seen[class.name], "%s: no case", name)
		}
	}
}

// The losses of a batch in which rows are pairs: each row is compared with those below it.
func TestRankingInBatch(t *testing.T) {
	p, y := []float32{0.5, -1, 2, 0.25}, []float32{1, 0, 0, 2}
	for _, weights := range [][]float32{{1, 1, 1, 1}, {1, 0.5, 2, 1}, {0.5, 0, 1, 1}} {
		loss, grad := make([]float32, 4), make([]float32, 4)
		pred := kernels.MatrixOf(p, 4, 1)
		require.NoError(t, PairwiseRanking(1).(*pairwiseRanking).Rows(loss, kernels.MatrixOf(grad, 4, 1), pred, Target{Values: kernels.MatrixOf(y, 4, 1)}, weights))
		for i := range p {
			sum, all := 0.0, 0.0
			for j := range p {
				if y[j] < y[i] {
					sum += float64(weights[j]) * max(0, 1-float64(p[i]-p[j]))
					all += float64(weights[j])
				}
			}
			if all > 0 {
				sum /= all
			}
			require.InDelta(t, sum, loss[i], 1e-6, "%v, row %d", weights, i)
		}
		require.InDelta(t, 0, grad[0]+grad[1]+grad[2]+grad[3], 1e-6, "moving all predictions changes nothing")
	}
}

// A whole-batch loss counts once without weights, also where the rows are shuffled, and as often as they say with them.
func TestWholeLoss(t *testing.T) {
	c := lossCase{act: Sigmoid, target: "chances"}
	for _, r := range reductions {
		m, d := c.model(t, Dice(r), SGD(0))
		h, err := m.Fit(context.Background(), d, BatchSize(lossRows), Shuffle(true))
		require.NoError(t, err)
		plain := h.Logs["loss"][0]
		require.Less(t, plain, 1.0)
		h, err = m.Fit(context.Background(), d, BatchSize(lossRows), Shuffle(false))
		require.NoError(t, err)
		require.InDelta(t, plain, h.Logs["loss"][0], 1e-6)
		d.SampleWeights = lossWeights
		h, err = m.Fit(context.Background(), d, BatchSize(lossRows))
		require.NoError(t, err)
		times := map[Reduction]float64{ReduceSum: 5.25, ReduceMeanWithSampleWeight: 1}[r]
		if times == 0 {
			times = 5.25 / lossRows
		}
		require.InDelta(t, times*plain, h.Logs["loss"][0], 1e-6, r)
	}
}

// Weights of classes are weights of rows in every reduction, and rows that are ignored count nowhere.
func TestReductionOfClasses(t *testing.T) {
	fit := func(loss Loss, labels Labels, weights map[int]float64) float64 {
		c := lossCase{act: Softmax, target: "labels"}
		m, d := c.model(t, loss, SGD(0))
		d.Targets["y"] = labels
		h, err := m.Fit(context.Background(), d, BatchSize(lossRows), ClassWeight("y", weights))
		require.NoError(t, err)
		return h.Logs["loss"][0]
	}
	all := Labels{0, 1, 2, 0, 1, 2}
	part := func(class int, r Reduction) float64 { // the losses of one class
		w := map[int]float64{0: 0, 1: 0, 2: 0}
		w[class] = 1
		return fit(SparseCategoricalCrossentropy(r), all, w)
	}
	a, b, c := part(0, ReduceSum), part(1, ReduceSum), part(2, ReduceSum)
	weights := map[int]float64{1: 3, 2: 0.5}
	require.InDelta(t, a+3*b+0.5*c, fit(SparseCategoricalCrossentropy(ReduceSum), all, weights), 1e-5)
	require.InDelta(t, (a+3*b+0.5*c)/6, fit(SparseCategoricalCrossentropy(), all, weights), 1e-5)
	require.InDelta(t, (a+3*b+0.5*c)/9, fit(SparseCategoricalCrossentropy(ReduceMeanWithSampleWeight), all, weights), 1e-5)
	require.InDelta(t, a/2, part(0, ReduceMeanWithSampleWeight), 1e-5)

	none := Labels{0, -1, 2, 0, -1, 2}
	require.InDelta(t, (a+0.5*c)/4, fit(SparseCategoricalCrossentropy(IgnoreClass(-1)), none, weights), 1e-5)
	require.InDelta(t, (a+0.5*c)/3, fit(SparseCategoricalCrossentropy(IgnoreClass(-1), ReduceMeanWithSampleWeight), none, weights), 1e-5)
	require.InDelta(t, a+0.5*c, fit(SparseCategoricalCrossentropy(IgnoreClass(-1), ReduceSum), none, weights), 1e-5)
	require.InDelta(t, a/2, fit(SparseCategoricalCrossentropy(IgnoreClass(2)), Labels{0, 2, 2, 0, 2, 2}, nil), 1e-5)
	require.Zero(t, fit(SparseCategoricalCrossentropy(IgnoreClass(-1)), Labels{-1, -1, -1, -1, -1, -1}, nil))
	require.Zero(t, fit(SparseCategoricalCrossentropy(ReduceMeanWithSampleWeight), all, map[int]float64{0: 0, 1: 0, 2: 0}))
}

// Metrics see the label that a loss ignores, and count it as wrong.
func TestIgnoredLabels(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(2, Softmax, Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0), Losses{"y": SparseCategoricalCrossentropy(IgnoreClass(-1))}, Metrics{"y": {Accuracy()}}))
	d := Data{Inputs: Arrays{"x": Floats{0, 0}}, Targets: Arrays{"y": Labels{0, -1}}}
	logs, err := m.Evaluate(context.Background(), d)
	require.NoError(t, err)
	require.InDelta(t, math.Ln2, logs["loss"], 1e-6)
	require.Equal(t, 0.5, logs["accuracy"])
	d.Targets["y"] = Labels{0, -2}
	_, err = m.Evaluate(context.Background(), d)
	requireError(t, err, "row 1 has label -2, valid are 0 to 1")
}

// Losses have the names that Keras reads, also those of functions.
func TestLossNames(t *testing.T) {
	for want, names := range map[string][]string{
		"mse":                           {"mse", "MSE", "mean_squared_error"},
		"mae":                           {"mae", "MAE", "mean_absolute_error"},
		"MeanSquaredError":              {"MeanSquaredError"},
		"MeanAbsolutePercentageError":   {"mape", "MAPE", "mean_absolute_percentage_error"},
		"MeanSquaredLogarithmicError":   {"msle", "MSLE", "mean_squared_logarithmic_error"},
		"KLDivergence":                  {"kld", "KLD", "kl_divergence"},
		"BinaryCrossentropy":            {"bce", "BCE", "binary_crossentropy"},
		"CategoricalCrossentropy":       {"categorical_crossentropy"},
		"SparseCategoricalCrossentropy": {"sparse_categorical_crossentropy"},
		"BinaryFocalCrossentropy":       {"binary_focal_crossentropy"},
		"CategoricalFocalCrossentropy":  {"categorical_focal_crossentropy"},
		"Huber":                         {"huber"},
		"LogCosh":                       {"log_cosh"},
		"CosineSimilarity":              {"cosine_similarity"},
		"Poisson":                       {"poisson"},
		"Hinge":                         {"hinge"},
		"SquaredHinge":                  {"squared_hinge"},
		"CategoricalHinge":              {"categorical_hinge"},
		"Dice":                          {"dice"},
		"Tversky":                       {"tversky"},
	} {
		for _, name := range names {
			var o Object[Loss]
			require.NoError(t, decodeJSON(`"`+name+`"`, &o))
			require.Equal(t, want, className(o.Value), name)
			require.NoError(t, o.Value.Check(Output{Shape: Shape{2}, Targets: o.Value.Targets()}))
		}
	}
	for text, want := range map[string]Loss{
		`{"class_name":"MeanSquaredError","config":{"reduction":"sum"}}`:                         MeanSquaredError(ReduceSum),
		`{"class_name":"Huber","config":{"reduction":null,"delta":0.5}}`:                         Huber(0.5, ReduceNone),
		`{"class_name":"Dice","config":{"axis":-1}}`:                                             Dice(RowByRow()),
		`{"class_name":"Dice","config":{"axis":null}}`:                                           Dice(),
		`{"class_name":"SparseCategoricalCrossentropy","config":{"axis":-1,"ignore_class":255}}`: SparseCategoricalCrossentropy(IgnoreClass(255)),
	} {
		var o Object[Loss]
		require.NoError(t, decodeJSON(text, &o))
		require.Equal(t, want, o.Value)
	}
	var o Object[Loss]
	require.NoError(t, decodeJSON(`{"class_name":"Tversky","config":{"axis":[0,-1]}}`, &o))
	require.True(t, o.Value.(*tversky).isWhole())
	text, err := encodeJSON(o)
	require.NoError(t, err)
	require.Equal(t, `{"class_name":"Tversky","config":{"axis":[0,-1]}}`, string(text))
}

// Compile says what is wrong with a loss, and what would be right.
func TestLossErrors(t *testing.T) {
	compile := func(l Loss, columns int, act ActivationKind, metrics ...Metric) error {
		x := Input("x", 1)
		m, err := NewModel([]*Node{x}, []*Node{Dense(columns, act, Name("y")).On(x)})
		require.NoError(t, err)
		return m.Compile(SGD(1), Losses{"y": l}, Metrics{"y": metrics})
	}
	axis := CategoricalCrossentropy().(*categoricalCrossentropy)
	axis.Axis = 0
	whole := Dice().(*dice)
	whole.Axis = axes{0}
	for want, l := range map[string]Loss{
		`loss mean_squared_error: does not take FromLogits`:                 MeanSquaredError(FromLogits()),
		`loss hinge: does not take LabelSmoothing`:                          Hinge(LabelSmoothing(0.1)),
		`loss dice: does not take IgnoreClass`:                              Dice(IgnoreClass(0)),
		`loss categorical_focal_crossentropy: does not take ClassBalancing`: CategoricalFocalCrossentropy(1, 1, ClassBalancing(0.5)),
		`loss log_cosh: does not take RowByRow`:                             LogCosh(RowByRow()),
		`loss poisson: option 0 is nil`:                                     Poisson(nil),
		`loss poisson: reduction "none": valid in training are ["sum_over_batch_size" "mean" "mean_with_sample_weight" "sum"]`:       Poisson(ReduceNone),
		`loss huber_loss: reduction "median": valid in training are`:                                                                 Huber(1, Reduction("median")),
		`loss categorical_crossentropy: label smoothing 2 is not in [0, 1]`:                                                          CategoricalCrossentropy(LabelSmoothing(2)),
		`loss binary_crossentropy: label smoothing -1 is not in [0, 1]`:                                                              BinaryCrossentropy(LabelSmoothing(-1)),
		`loss categorical_crossentropy: axis 0: valid are -1 and 1, the columns of the output`:                                       axis,
		`loss dice: axis [0]: valid are null for the whole batch, -1 and 1 for each row`:                                             whole,
		`loss binary_focal_crossentropy: gamma -1 must be at least 0 and finite in float32`:                                          BinaryFocalCrossentropy(-1),
		`loss categorical_focal_crossentropy: alpha NaN must be at least 0 and finite in float32`:                                    CategoricalFocalCrossentropy(math.NaN(), 1),
		`loss tversky: beta +Inf must be at least 0 and finite in float32`:                                                           Tversky(1, math.Inf(1)),
		`loss pairwise_ranking: margin 1e+39 must be at least 0 and finite in float32`:                                               PairwiseRanking(1e39),
		`loss quantile has no quantiles`:                                                                                             Quantile(nil),
		`loss quantile: quantile 1 is not between 0 and 1`:                                                                           Quantile([]float64{0.5, 1}),
		`loss quantile needs 3 columns of the output for each of the targets, this one has 4 in all`:                                 Quantile([]float64{0.1, 0.5, 0.9}),
		`loss zero_inflated_lognormal needs 3 columns of the output for each of the targets, this one has 4 in all`:                  ZeroInflatedLogNormal(),
		`loss categorical_focal_crossentropy needs probabilities, the output ends in linear: end it in softmax, or give the loss Fr`: CategoricalFocalCrossentropy(1, 2),
	} {
		act := Softmax
		if _, ok := l.(*categoricalFocal); ok && l.(*categoricalFocal).err == nil && !math.IsNaN(l.(*categoricalFocal).Alpha) {
			act = Linear
		}
		require.ErrorContains(t, compile(l, 4, act), `nn: Compile: output "y": `+want)
	}
	requireError(t, compile(GaussianNLL(), 4, Linear, MAE()), "metric mae takes targets as wide as the output, 4 columns, those of loss gaussian_nll have 2")
	require.NoError(t, compile(GaussianNLL(), 4, Linear))

	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(4, Linear, Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0), Losses{"y": GaussianNLL()}))
	_, err = m.Evaluate(context.Background(), Data{Inputs: Arrays{"x": Floats{1, 2}}, Targets: Arrays{"y": make(Floats, 8)}})
	requireError(t, err, "has 4 rows, the inputs have 2")

	for name, l := range map[string]interface {
		Rows([]float32, kernels.Matrix, kernels.Matrix, Target, []float32) error
	}{
		"hinge": Hinge().(*formulaLoss), "dice": Dice().(*dice), "bpr": BPR().(*bpr), "quantile": Quantile([]float64{0.5}).(*quantile),
	} {
		err := l.Rows(make([]float32, 1), kernels.Matrix{}, kernels.NewMatrix(1, 2), Target{Values: kernels.NewMatrix(1, 1)}, nil)
		require.ErrorIs(t, err, kernels.ErrShape)
		require.ErrorContains(t, err, fmt.Sprintf("%s: targets of 1 columns for an output of 2", name))
	}
}

// A saturated prediction of a fused focal loss still learns, and none has a gradient that is not finite.
func TestFocalSaturated(t *testing.T) {
	for _, gamma := range []float64{0, 0.5, 1, 2} {
		x, y := kernels.MatrixOf([]float32{200, -200, 0, 30}, 2, 2), Target{Values: kernels.MatrixOf([]float32{0, 1, 1, 0}, 2, 2)}
		for _, l := range []interface {
			Rows([]float32, kernels.Matrix, kernels.Matrix, Target, []float32) error
		}{
			(*fusedBinaryFocal)(BinaryFocalCrossentropy(gamma).(*binaryFocal)),
			(*fusedCategoricalFocal)(CategoricalFocalCrossentropy(1, gamma).(*categoricalFocal)),
		} {
			loss, grad := make([]float32, 2), kernels.NewMatrix(2, 2)
			require.NoError(t, l.Rows(loss, grad, x, y, []float32{1, 1}))
			require.Greater(t, loss[0], float32(100))
			require.Greater(t, grad.Row(0)[0], float32(0.4))
			require.Negative(t, nonFinite(grad.Data))
		}
		p, loss, grad := kernels.MatrixOf([]float32{1, 0, 0, 1}, 2, 2), make([]float32, 2), kernels.NewMatrix(2, 2)
		require.NoError(t, BinaryFocalCrossentropy(gamma).(*binaryFocal).Rows(loss, grad, p, y, []float32{1, 1}))
		require.NoError(t, CategoricalFocalCrossentropy(1, gamma).(*categoricalFocal).Rows(loss, grad, p, y, []float32{1, 1}))
		require.Negative(t, nonFinite(grad.Data))
		require.InDelta(t, -math.Log(1e-7), loss[0], 1e-3)
		require.InDeltaSlice(t, []float32{0, 0}, grad.Row(0), 0, "no gradient passes the clip")
	}
}

// Losses without a kernel have the same bits on every machine.
func TestLossBits(t *testing.T) {
	sum := fnv.New64a()
	random := rand.New(rand.NewPCG(11, 12))
	for _, c := range lossCases {
		l, ok := c.loss.(interface {
			Rows([]float32, kernels.Matrix, kernels.Matrix, Target, []float32) error
		})
		if !ok {
			continue
		}
		columns := max(c.columns, 6)
		width := columns
		if f, ok := c.loss.(Columned); ok {
			width = f.TargetColumns(Output{Shape: Shape{columns}})
		}
		loss, grad := make([]float32, 7), kernels.NewMatrix(7, columns)
		pred, y := kernels.NewMatrix(7, columns), kernels.NewMatrix(7, width)
		for i := range pred.Data {
			pred.Data[i] = random.Float32()
		}
		for i := range y.Data {
			y.Data[i] = random.Float32()
		}
		require.NoError(t, l.Rows(loss, grad, pred, Target{Values: y}, []float32{1, 0.1, 0.2, 0.3, 0.7, 0.9, 1.1}))
		fmt.Fprintf(sum, "%s %x %x\n", c.name, loss, grad.Data)
	}
	require.Equal(t, "e41adbe74e27e5d3", fmt.Sprintf("%x", sum.Sum64()))
}
