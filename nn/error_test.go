package nn

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// tandem is a model of two inputs, x (3) and c (2), and two outputs, label (4 classes) and value (2 columns), compiled
// but not trained.
func tandem(t testing.TB, optimizer Optimizer, opts ...ModelOption) *Model {
	x, c := Input("x", 3), Input("c", 2)
	h := Dense(5, Tanh, Name("trunk")).On(Concatenate(Name("join")).On(x, c))
	label := Dense(4, Softmax, Name("label")).On(h)
	value := Dense(2, Linear, Name("value")).On(h)
	m, err := NewModel([]*Node{x, c}, []*Node{label, value}, opts...)
	require.NoError(t, err)
	require.NoError(t, m.Compile(optimizer,
		Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()},
		Metrics{"label": {Accuracy()}, "value": {MAE()}}))
	return m
}

func tandemData(rows int) Data {
	random := rand.New(rand.NewPCG(3, uint64(rows)))
	var x, c, v Floats
	var l Labels
	for range rows {
		for j := range 3 {
			x = append(x, float32(random.NormFloat64()))
			if j < 2 {
				c = append(c, float32(random.NormFloat64()))
				v = append(v, float32(random.NormFloat64()))
			}
		}
		l = append(l, int32(random.IntN(4)))
	}
	return Data{Inputs: Arrays{"x": x, "c": c}, Targets: Arrays{"label": l, "value": v}}
}

// copied returns d with maps and values of its own.
func copied(d Data) Data {
	clone := func(a Arrays) Arrays {
		a = maps.Clone(a)
		for name, v := range a {
			switch v := v.(type) {
			case Floats:
				a[name] = slices.Clone(v)
			case Labels:
				a[name] = slices.Clone(v)
			}
		}
		return a
	}
	return Data{clone(d.Inputs), clone(d.Targets), maps.Clone(d.SampleWeights)}
}

// streamOf yields the chunks, one after the other.
func streamOf(chunks ...Data) Stream {
	return func() iter.Seq2[Data, error] {
		return func(yield func(Data, error) bool) {
			for _, d := range chunks {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// weightBits returns the bits of all weights.
func weightBits(m *Model) []uint32 {
	var bits []uint32
	for _, w := range m.Weights() {
		for _, v := range w.Data {
			bits = append(bits, math.Float32bits(v))
		}
	}
	return bits
}

// imprint returns the bits of all weights and of the predictions for d.
func imprint(t testing.TB, m *Model, d Data) []uint32 {
	bits := weightBits(m)
	y, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	for _, name := range m.OutputNames() {
		for _, v := range y[name].Data {
			bits = append(bits, math.Float32bits(v))
		}
	}
	return bits
}

// trained returns a tandem after two epochs, its data, and a check that nothing about the model has changed since.
func trained(t *testing.T) (m *Model, d Data, unchanged func(*testing.T)) {
	m, d = tandem(t, Adam(0.01)), tandemData(10)
	_, err := m.Fit(context.Background(), d, Epochs(2), BatchSize(4))
	require.NoError(t, err)
	before, iterations, trainer := imprint(t, m, d), m.trainer.iterations, m.trainer
	return m, d, func(t *testing.T) {
		t.Helper()
		require.Equal(t, before, imprint(t, m, d), "bits of weights and predictions")
		require.Same(t, trainer, m.trainer)
		require.Equal(t, iterations, m.trainer.iterations)
	}
}

func requireError(t *testing.T, err error, parts ...string) {
	t.Helper()
	require.Error(t, err)
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
}

// Data that is wrong is an error wherever it goes in, and changes nothing.
func TestDataErrors(t *testing.T) {
	floats := Floats{1}
	for _, c := range []struct {
		name  string
		spoil func(d *Data)
		want  []string
	}{
		{"zero data", func(d *Data) { *d = Data{} }, []string{`missing input "c"`, `missing input "x": needed are ["c" "x"]`}},
		{"nil inputs", func(d *Data) { d.Inputs = nil }, []string{`missing input "x"`}},
		{"input missing", func(d *Data) { delete(d.Inputs, "c") }, []string{`missing input "c": needed are ["c" "x"]`}},
		{"input unknown", func(d *Data) { d.Inputs["y"] = Floats{1} }, []string{`unknown input "y": valid are ["c" "x"]`}},
		{"input nil", func(d *Data) { d.Inputs["x"] = nil }, []string{`input "x": is <nil>, must be Floats or Labels`}},
		{"input nil Floats", func(d *Data) { d.Inputs["x"] = Floats(nil) }, []string{`input "x": has no rows`}},
		{"input Labels", func(d *Data) { d.Inputs["x"] = Labels{1} }, []string{`input "x": 1 values are not rows of 3`}},
		{"input pointer", func(d *Data) { d.Inputs["x"] = &floats }, []string{`input "x": is *nn.Floats, must be Floats or Labels`}},
		{"input nil pointer", func(d *Data) { d.Inputs["x"] = (*Floats)(nil) }, []string{`input "x": is *nn.Floats`}},
		{"input width", func(d *Data) { d.Inputs["x"] = make(Floats, 29) }, []string{`input "x": 29 values are not rows of 3`}},
		{"input rows", func(d *Data) { d.Inputs["c"] = make(Floats, 18) }, []string{`input "c": has 9 rows, input "x" has 10`}},
		{"more input rows", func(d *Data) { d.Inputs["c"] = make(Floats, 22) }, []string{`input "c": has 11 rows, input "x" has 10`}},
		{"input NaN", func(d *Data) { d.Inputs["x"].(Floats)[3*7+2] = nan }, []string{`input "x": row 7, column 2 is NaN`}},
		{"input Inf", func(d *Data) { d.Inputs["c"].(Floats)[2*9+1] = -inf }, []string{`input "c": row 9, column 1 is -Inf`}},
		{"target missing", func(d *Data) { delete(d.Targets, "value") }, []string{`missing target "value": needed are ["label" "value"]`}},
		{"nil targets", func(d *Data) { d.Targets = nil }, []string{`missing target "label"`, `missing target "value"`}},
		{"target unknown", func(d *Data) { d.Targets["trunk"] = Floats{1} }, []string{`unknown target "trunk": valid are ["label" "value"]`}},
		{"target nil", func(d *Data) { d.Targets["value"] = nil }, []string{`target "value": is <nil>, must be Floats or Labels`}},
		{"target nil Labels", func(d *Data) { d.Targets["label"] = Labels(nil) }, []string{`target "label": has 0 rows, the inputs have 10`}},
		{"target pointer", func(d *Data) { d.Targets["value"] = &floats }, []string{`target "value": is *nn.Floats`}},
		{"target nil pointer", func(d *Data) { d.Targets["value"] = (*Labels)(nil) }, []string{`target "value": is *nn.Labels`}},
		{"target embedded", func(d *Data) { d.Targets["value"] = struct{ Floats }{make(Floats, 20)} }, []string{`target "value": is struct`}},
		{"target width", func(d *Data) { d.Targets["value"] = make(Floats, 19) }, []string{`target "value": 19 values are not rows of 2`}},
		{"target rows", func(d *Data) { d.Targets["label"] = make(Labels, 11) }, []string{`target "label": has 11 rows, the inputs have 10`}},
		{"target Inf", func(d *Data) { d.Targets["value"].(Floats)[2*4+1] = inf }, []string{`target "value": row 4, column 1 is +Inf`}},
		{"label negative", func(d *Data) { d.Targets["label"].(Labels)[6] = -1 }, []string{`target "label": row 6 has label -1, valid are 0 to 3`}},
		{"label too large", func(d *Data) { d.Targets["label"].(Labels)[9] = 4 }, []string{`target "label": row 9 has label 4, valid are 0 to 3`}},
		{"label huge", func(d *Data) { d.Targets["label"].(Labels)[0] = math.MaxInt32 }, []string{`row 0 has label 2147483647`}},
		{"Floats for labels", func(d *Data) { d.Targets["label"] = make(Floats, 40) }, []string{`target "label": is nn.Floats, loss sparse_categorical_crossentropy needs Labels`}},
		{"Labels for columns", func(d *Data) { d.Targets["value"] = make(Labels, 10) }, []string{`target "value": is Labels, loss mse of 2 columns needs Floats`}},
		{"weights unknown", func(d *Data) { d.SampleWeights = map[string][]float32{"x": nil} }, []string{`unknown sample weights "x": valid are ["label" "value"]`}},
		{"weights length", func(d *Data) { d.SampleWeights = map[string][]float32{"label": {1}} }, []string{`sample weights "label": 1 values for 10 rows`}},
		{"more weights than rows", func(d *Data) { d.SampleWeights = map[string][]float32{"value": make([]float32, 11)} }, []string{`sample weights "value": 11 values for 10 rows`}},
		{"weights empty", func(d *Data) { d.SampleWeights = map[string][]float32{"value": {}} }, []string{`sample weights "value": 0 values for 10 rows`}},
		{"weights negative", func(d *Data) {
			d.SampleWeights = map[string][]float32{"value": {1, 1, -2, 1, 1, 1, 1, 1, 1, 1}}
		}, []string{`sample weights "value": row 2 is -2, must be finite and not negative`}},
		{"weights NaN", func(d *Data) {
			d.SampleWeights = map[string][]float32{"value": {nan, 1, 2, 1, 1, 1, 1, 1, 1, 1}}
		}, []string{`sample weights "value": row 0 is NaN`}},
		{"weights Inf", func(d *Data) {
			d.SampleWeights = map[string][]float32{"value": {0, inf, 2, 1, 1, 1, 1, 1, 1, 1}}
		}, []string{`sample weights "value": row 1 is +Inf`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, good, unchanged := trained(t)
			bad := copied(good)
			c.spoil(&bad)
			ctx := context.Background()
			for _, way := range []struct {
				name string
				run  func() error
				also string
			}{
				{"Fit", func() error { _, err := m.Fit(ctx, bad); return err }, "nn: Fit: "},
				{"Fit split", func() error { _, err := m.Fit(ctx, bad, ValidationSplit(0.2)); return err }, "nn: Fit: "},
				{"Fit stream", func() error { _, err := m.Fit(ctx, streamOf(good, bad)); return err }, "epoch 0, batch 0: chunk 1 of the stream: "},
				{"Fit validation", func() error { _, err := m.Fit(ctx, good, ValidationData(bad)); return err }, "nn: Fit: validation data: "},
				{"Evaluate", func() error { _, err := m.Evaluate(ctx, bad); return err }, "nn: Evaluate: "},
				{"Evaluate stream", func() error { _, err := m.Evaluate(ctx, streamOf(good, bad)); return err }, "nn: Evaluate: chunk 1 of the stream: "},
				{"TrainOnBatch", func() error { _, err := m.TrainOnBatch(bad); return err }, "nn: TrainOnBatch: "},
			} {
				t.Run(way.name, func(t *testing.T) {
					requireError(t, way.run(), append(c.want, way.also)...)
					unchanged(t)
				})
			}
			if _, err := m.Predict(bad.Inputs); err != nil {
				requireError(t, err, append(c.want[:1], "nn: Predict: ")...)
			} else {
				require.NotContains(t, c.name, "input")
			}
		})
	}
}

func TestFitErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		name string
		data func(d Data) Dataset // nil: d itself
		opts func(d Data) []FitOption
		want []string
	}{
		{"batch size 0", nil, func(Data) []FitOption { return []FitOption{BatchSize(0)} }, []string{"batch size 0 is below 1"}},
		{"batch size -1", nil, func(Data) []FitOption { return []FitOption{BatchSize(-1)} }, []string{"batch size -1"}},
		{"epochs -1", nil, func(Data) []FitOption { return []FitOption{Epochs(-1)} }, []string{"epochs -1"}},
		{"initial -1", nil, func(Data) []FitOption { return []FitOption{InitialEpoch(-1)} }, []string{"initial epoch -1"}},
		{"split -0.1", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(-0.1)} }, []string{"validation split -0.1 is not between 0 and 1"}},
		{"split 1", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(1)} }, []string{"validation split 1 is not"}},
		{"split NaN", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(math.NaN())} }, []string{"validation split NaN"}},
		{"split leaves nothing to train", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(0.95)} }, []string{"validation split 0.95 leaves 0 rows to train and 10 to validate"}},
		{"split leaves nothing to validate", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(1e-18)} }, []string{"leaves 10 rows to train and 0 to validate"}},
		{"split of a stream", func(d Data) Dataset { return streamOf(d) }, func(Data) []FitOption { return []FitOption{ValidationSplit(0.5)} }, []string{"needs Data, not a Stream"}},
		{"split and data", nil, func(d Data) []FitOption { return []FitOption{ValidationSplit(0.5), ValidationData(d)} }, []string{"exclude each other"}},
		{"class weight output", nil, func(Data) []FitOption { return []FitOption{ClassWeight("labels", nil)} }, []string{`unknown output in ClassWeight "labels": valid are ["label" "value"]`}},
		{"class weight class", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{4: 1})} }, []string{`output "label"`, "class 4", "classes are 0 to 3"}},
		{"class weight class -1", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{-1: 1})} }, []string{"class -1"}},
		{"class weight -1", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{1: -1})} }, []string{"class 1 has weight -1"}},
		{"class weight NaN", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{1: math.NaN()})} }, []string{"class 1 has weight NaN"}},
		{"class weight beyond float32", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{1: 1e39})} }, []string{"class 1 has weight 1e+39", "in float32"}},
		{"class weight 0 in float32", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{1: 1e-60})} }, []string{"class 1 has weight 1e-60", "in float32"}},
		{"class weights of one output", nil, func(Data) []FitOption {
			return []FitOption{ClassWeight("label", map[int]float64{1: 2}), ClassWeight("value", nil), ClassWeight("label", nil)}
		}, []string{`output "label" has two ClassWeights`}},
		{"nil option", nil, func(Data) []FitOption { return []FitOption{Epochs(1), nil} }, []string{"option 1 is nil"}},
		{"nil profile", nil, func(Data) []FitOption { return []FitOption{Profile(nil)} }, []string{"the writer of Profile is nil"}},
		{"log added twice", nil, func(Data) []FitOption {
			return []FitOption{Callbacks(Callback{Logs: []string{"lr"}}, Callback{Logs: []string{"lr"}})}
		}, []string{`callback 1 adds log "lr", which is there already: the logs are ["label_accuracy" "label_loss" "loss" "lr" "value_loss" "value_mae"]`}},
		{"log that is there", nil, func(d Data) []FitOption {
			return []FitOption{ValidationData(d), Callbacks(Callback{Logs: []string{"val_loss"}})}
		}, []string{`callback 0 adds log "val_loss", which is there already`}},
		{"nil data", func(Data) Dataset { return nil }, nil, []string{"the data is nil"}},
		{"nil stream", func(Data) Dataset { return Stream(nil) }, nil, []string{"the data is a nil Stream"}},
		{"pointer to data", func(d Data) Dataset { return &d }, nil, []string{"the data is *nn.Data, must be Data or a Stream"}},
		{"nil pointer to data", func(Data) Dataset { return (*Data)(nil) }, nil, []string{"the data is *nn.Data"}},
		{"stream of nothing", func(Data) Dataset { return Stream(func() iter.Seq2[Data, error] { return nil }) }, nil, []string{"the stream has no iterator"}},
		{"empty stream", func(Data) Dataset { return streamOf() }, nil, []string{"the data has no rows"}},
		{"failing stream", func(Data) Dataset {
			return Stream(func() iter.Seq2[Data, error] {
				return func(yield func(Data, error) bool) { yield(Data{}, broken) }
			})
		}, nil, []string{"epoch 0, batch 0: chunk 0 of the stream: disk on fire"}},
		{"nil validation stream", nil, func(Data) []FitOption { return []FitOption{ValidationData(Stream(nil))} }, []string{"the validation data is a nil Stream"}},
		{"pointer to validation", nil, func(d Data) []FitOption { return []FitOption{ValidationData(&d)} }, []string{"the validation data is *nn.Data"}},
		{"failing Begin", nil, func(Data) []FitOption {
			return []FitOption{Callbacks(Callback{Begin: func(Progress) error { return broken }})}
		}, []string{"nn: Fit: disk on fire"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, d, unchanged := trained(t)
			var data Dataset = d
			if c.data != nil {
				data = c.data(d)
			}
			var opts []FitOption
			if c.opts != nil {
				opts = c.opts(d)
			}
			history, err := m.Fit(context.Background(), data, opts...)
			requireError(t, err, append(c.want, "nn: Fit: ")...)
			require.NotNil(t, history)
			require.Empty(t, history.Epochs)
			unchanged(t)
			if c.data != nil && c.opts == nil {
				_, err := m.Evaluate(context.Background(), data)
				require.ErrorContains(t, err, "nn: Evaluate: ")
				unchanged(t)
			}
		})
	}
	t.Run("Evaluate nil option", func(t *testing.T) {
		m, d, unchanged := trained(t)
		_, err := m.Evaluate(context.Background(), d, nil)
		requireError(t, err, "nn: Evaluate: option 0 is nil")
		unchanged(t)
	})
	t.Run("nil context", func(t *testing.T) {
		m, d, unchanged := trained(t)
		var none context.Context
		_, err := m.Fit(none, d)
		requireError(t, err, "nn: Fit: the context is nil")
		_, err = m.Evaluate(none, d)
		requireError(t, err, "nn: Evaluate: the context is nil")
		unchanged(t)
	})
	t.Run("Evaluate batch size 0", func(t *testing.T) {
		m, d, unchanged := trained(t)
		_, err := m.Evaluate(context.Background(), d, BatchSize(0))
		requireError(t, err, "nn: Evaluate: batch size 0 is below 1")
		unchanged(t)
	})
	t.Run("validation stream", func(t *testing.T) {
		m, d, _ := trained(t)
		bad := copied(d)
		bad.Targets["label"].(Labels)[3] = 9
		history, err := m.Fit(context.Background(), d, ValidationData(streamOf(d, bad)))
		requireError(t, err, `epoch 0, validation: chunk 1 of the stream: target "label": row 3 has label 9`)
		require.Empty(t, history.Epochs)
	})
}

// A probability is from 0 to 1; one column takes Labels too.
func TestProbabilityErrors(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Sigmoid, Name("p")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.1), Losses{"p": BinaryCrossentropy()}))
	for _, c := range []struct {
		target Array
		want   string
	}{
		{Floats{0, 1.5}, `target "p": row 1, column 0 is 1.5, loss binary_crossentropy needs values from 0 to 1`},
		{Floats{0, math.Nextafter32(1, 2)}, `row 1, column 0 is 1.0000001`},
		{Floats{0, -math.SmallestNonzeroFloat32}, `row 1, column 0 is -1e-45`},
		{Floats{-0.5, 1}, `row 0, column 0 is -0.5`},
		{Labels{0, 2}, `row 1, column 0 is 2`},
		{Labels{-1, 0}, `row 0, column 0 is -1`},
		{Floats{0, 1}, ""},
		{Labels{0, 1}, ""},
	} {
		_, err := m.Evaluate(context.Background(), Data{Inputs: Arrays{"x": Floats{1, 2}}, Targets: Arrays{"p": c.target}})
		if c.want == "" {
			require.NoError(t, err)
		} else {
			requireError(t, err, c.want)
		}
	}
}

// set changes an optimizer.
func set[T any](o *T, change func(*T)) *T { change(o); return o }

func TestCompileErrors(t *testing.T) {
	losses := Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()}
	for _, c := range []struct {
		name      string
		optimizer Optimizer
		opts      []CompileOption
		want      []string
	}{
		{"nothing", Adam(1), nil, []string{`missing output in Losses "label"`, `missing output in Losses "value": needed are ["label" "value"]`}},
		{"nil maps", Adam(1), []CompileOption{Losses(nil), LossWeights(nil), Metrics(nil)}, []string{`missing output in Losses "label"`}},
		{"loss missing", Adam(1), []CompileOption{Losses{"value": MSE()}}, []string{`missing output in Losses "label"`}},
		{"loss unknown", Adam(1), []CompileOption{Losses{"label": SparseCategoricalCrossentropy(), "value": MSE(), "trunk": MSE()}}, []string{`unknown output in Losses "trunk": valid are ["label" "value"]`}},
		{"loss weight unknown", Adam(1), []CompileOption{losses, LossWeights{"Value": 1}}, []string{`unknown output in LossWeights "Value": valid are ["label" "value"]`}},
		{"metric unknown", Adam(1), []CompileOption{losses, Metrics{"x": {MAE()}}}, []string{`unknown output in Metrics "x": valid are ["label" "value"]`}},
		{"names together", Adam(1), []CompileOption{losses, Metrics{"x": nil}, LossWeights{"y": 1}}, []string{`Metrics "x"`, `LossWeights "y"`}},
		{"losses nil", Adam(1), []CompileOption{Losses{"label": nil, "value": (Loss)(nil)}}, []string{"every loss is nil"}},
		{"loss nil LossMetric", Adam(1), []CompileOption{Losses{"label": nil, "value": (LossMetric)(nil)}}, []string{"every loss is nil"}},
		{"metric without loss", Adam(1), []CompileOption{Losses{"label": nil, "value": MSE()}, Metrics{"label": {Accuracy()}}}, []string{`output "label": has metrics but no loss`}},
		{"metric nil", Adam(1), []CompileOption{losses, Metrics{"label": {Accuracy(), nil}}}, []string{`output "label": metric 1 is nil`}},
		{"metric twice", Adam(1), []CompileOption{losses, Metrics{"value": {MAE(), MAE()}}}, []string{`output "value": metric mae is given twice`}},
		{"MAE of labels", Adam(1), []CompileOption{losses, Metrics{"label": {MAE()}}}, []string{`output "label": metric mae: needs targets that are Floats, those of the output's loss are Labels`}},
		{"loss weight NaN", Adam(1), []CompileOption{losses, LossWeights{"value": math.NaN()}}, []string{`output "value": loss weight NaN is not finite`}},
		{"loss weight beyond float32", Adam(1), []CompileOption{losses, LossWeights{"value": 1e39}}, []string{`output "value": loss weight 1e+39`}},
		{"optimizer nil", nil, []CompileOption{losses}, []string{"optimizer is nil"}},
		{"optimizer zero", &AdamOptimizer{}, []CompileOption{losses}, []string{"optimizer adam: epsilon 0 must be positive"}},
		{"optimizer nil pointer", (*AdamOptimizer)(nil), []CompileOption{losses}, []string{"the optimizer is a nil *nn.AdamOptimizer"}},
		{"learning rate -1", SGD(-1), []CompileOption{losses}, []string{"optimizer sgd: learning rate -1"}},
		{"learning rate NaN", Adam(math.NaN()), []CompileOption{losses}, []string{"optimizer adam: learning rate NaN"}},
		{"learning rate Inf", RMSprop(math.Inf(1)), []CompileOption{losses}, []string{"optimizer rmsprop: learning rate +Inf"}},
		{"learning rate beyond float32", SGD(1e39), []CompileOption{losses}, []string{"learning rate 1e+39"}},
		{"momentum 1", set(SGD(1), func(o *SGDOptimizer) { o.Momentum = 1 }), []CompileOption{losses}, []string{"momentum 1 is not in [0, 1)"}},
		{"beta 1", set(Adam(1), func(o *AdamOptimizer) { o.Beta1 = -0.1 }), []CompileOption{losses}, []string{"beta 1 -0.1"}},
		{"beta 2", set(Adam(1), func(o *AdamOptimizer) { o.Beta2 = math.NaN() }), []CompileOption{losses}, []string{"beta 2 NaN"}},
		{"rho", set(RMSprop(1), func(o *RMSpropOptimizer) { o.Rho = 2 }), []CompileOption{losses}, []string{"rho 2"}},
		{"epsilon 0", set(Adam(1), func(o *AdamOptimizer) { o.Epsilon = 0 }), []CompileOption{losses}, []string{"epsilon 0 must be positive"}},
		{"epsilon 0 in float32", set(Adam(1), func(o *AdamOptimizer) { o.Epsilon = 1e-60 }), []CompileOption{losses}, []string{"epsilon 1e-60"}},
		{"learning rate 0 in float32", Adam(1e-60), []CompileOption{losses}, []string{"optimizer adam: learning rate 1e-60 is 0 in float32"}},
		{"first step beyond float32", set(Adam(1e38), func(o *AdamOptimizer) { o.Beta1 = 0.999 }), []CompileOption{losses}, []string{"optimizer adam: learning rate 1e+38 over 1 - beta 1 of 0.999", "beyond float32"}},
		{"momentum 1 in float32", set(SGD(1), func(o *SGDOptimizer) { o.Momentum = 1 - 1e-9 }), []CompileOption{losses}, []string{"optimizer sgd: momentum 0.999999999 is 1 in float32"}},
		{"momentum 0 in float32", set(SGD(1), func(o *SGDOptimizer) { o.Momentum = 1e-60 }), []CompileOption{losses}, []string{"optimizer sgd: momentum 1e-60 is 0 in float32"}},
		{"rho 1 in float32", set(RMSprop(1), func(o *RMSpropOptimizer) { o.Rho = 1 - 1e-9 }), []CompileOption{losses}, []string{"optimizer rmsprop: rho 0.999999999 is 1 in float32"}},
		{"beta 2 0 in float32", set(Adam(1), func(o *AdamOptimizer) { o.Beta2 = 1e-60 }), []CompileOption{losses}, []string{"beta 2 1e-60 is 0 in float32"}},
		{"epsilon beyond float32", set(Adam(1), func(o *AdamOptimizer) { o.Epsilon = 1e39 }), []CompileOption{losses}, []string{"epsilon 1e+39"}},
		{"nesterov without momentum", set(SGD(1), func(o *SGDOptimizer) { o.Nesterov = true }), []CompileOption{losses}, []string{"optimizer sgd: Nesterov needs Momentum"}},
		{"loss weight 0 in float32", Adam(1), []CompileOption{losses, LossWeights{"value": -1e-60}}, []string{`output "value": loss weight -1e-60 is 0 in float32`}},
		{"losses twice", Adam(1), []CompileOption{Losses{"label": nil}, losses}, []string{"Losses are given twice"}},
		{"loss weights twice", Adam(1), []CompileOption{losses, LossWeights{"label": 2}, LossWeights{"value": 2}}, []string{"LossWeights are given twice"}},
		{"metrics twice", Adam(1), []CompileOption{Metrics{"label": nil}, losses, Metrics{"value": nil}}, []string{"Metrics are given twice"}},
		{"nil option", Adam(1), []CompileOption{losses, nil}, []string{"option 1 is nil"}},
		{"nil option of a loss", Adam(1), []CompileOption{Losses{"label": SparseCategoricalCrossentropy(nil), "value": MSE()}}, []string{`output "label": loss sparse_categorical_crossentropy: option 0 is nil`}},
		{"both", SGD(-1), nil, []string{"learning rate -1", `missing output in Losses "label"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _, unchanged := trained(t)
			requireError(t, m.Compile(c.optimizer, c.opts...), append(c.want, "nn: Compile: ")...)
			unchanged(t)
		})
	}
}

// An output can be too narrow for its loss, or of a shape that no loss takes.
func TestLossShapeErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		loss Loss
		on   *Layer
		want string
	}{
		{"sparse on one column", SparseCategoricalCrossentropy(), Dense(1, Sigmoid, Name("y")), `output "y": loss sparse_categorical_crossentropy needs an output of at least 2 columns, this one has 1`},
		{"soft on one column", CategoricalCrossentropy(), Dense(1, Sigmoid, Name("y")), `loss categorical_crossentropy needs an output of at least 2 columns`},
		{"rank 2", MSE(), Reshape([]int{2, 2}, Name("y")), `output "y": has shape (2, 2), a loss needs one dimension: add Flatten`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := Input("x", 4)
			m, err := NewModel([]*Node{x}, []*Node{c.on.On(x)})
			require.NoError(t, err)
			requireError(t, m.Compile(SGD(1), Losses{"y": c.loss}), c.want)
			_, err = m.Evaluate(context.Background(), Data{})
			require.ErrorIs(t, err, ErrNotCompiled)
		})
	}
}

func TestGraphErrors(t *testing.T) {
	nodes := func(n ...*Node) []*Node { return n }
	for _, c := range []struct {
		name  string
		graph func(m *Model, x *Node) (inputs, outputs []*Node)
		want  []string
	}{
		{"no inputs", func(_ *Model, x *Node) (_, _ []*Node) { return nil, nodes(x) }, []string{"has no inputs"}},
		{"no outputs", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nil }, []string{"has no outputs"}},
		{"nil input", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x, nil), nodes(x) }, []string{"input 1 is nil"}},
		{"nil output", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(nil) }, []string{"output 0 is nil"}},
		{"zero output", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(new(Node)) }, []string{"output 0 is nil"}},
		{"called on nothing", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dense(1, Linear, Name("y")).On()) }, []string{`layer "y" (Dense): called on no node`}},
		{"called on nil", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Add(Name("y")).On(x, nil)) }, []string{`layer "y" (Add): input 1 is nil`}},
		{"called on zero node", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, ReLU, Name("y")).On(Dense(1, ReLU, Name("z")).On(new(Node))))
		}, []string{`layer "z" (Dense): input 0 is nil`}},
		{"called on two", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dropout(0.1, Name("y")).On(x, x)) }, []string{`layer "y" (Dropout): called on 2 nodes, takes 1`}},
		{"called on one", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Multiply(Name("y")).On(x)) }, []string{`layer "y" (Multiply): called on 1 node, takes at least 2`}},
		{"input of no shape", func(*Model, *Node) (_, _ []*Node) { x := Input("y"); return nodes(x), nodes(x) }, []string{`layer "y" (InputLayer): shape has no dimensions`}},
		{"input of width 0", func(*Model, *Node) (_, _ []*Node) { x := Input("y", 2, 0); return nodes(x), nodes(x) }, []string{`layer "y" (InputLayer): shape (2, 0) has a dimension below 1`}},
		{"input of absurd shape", func(*Model, *Node) (_, _ []*Node) { x := Input("y", 1<<30, 1<<30); return nodes(x), nodes(x) }, []string{`layer "y"`, "more than 2147483647 elements"}},
		{"input not given", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Add(Name("y")).On(x, Input("z", 4)))
		}, []string{`output "y" depends on input "z", which is not among the model's inputs ["x"]`}},
		{"input of another model", func(m *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Concatenate(Name("y")).On(x, m.outputs[0]))
		}, []string{`output "y" depends on input "c"`, `inputs ["x"]`}},
		{"input not by Input", func(_ *Model, x *Node) (_, _ []*Node) {
			y := Dense(1, Linear, Name("y")).On(x)
			return nodes(y), nodes(Dense(1, Linear, Name("z")).On(y))
		}, []string{`input 0 is a result of layer "y" (Dense), not of Input`}},
		{"input twice", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x, x), nodes(x) }, []string{`input "x" is given twice`}},
		{"output twice", func(_ *Model, x *Node) (_, _ []*Node) {
			y := Dense(1, Linear, Name("y")).On(x)
			return nodes(x), nodes(y, y)
		}, []string{`outputs 0 and 1 both come from layer "y" (Dense)`}},
		{"outputs of one layer", func(_ *Model, x *Node) (_, _ []*Node) {
			y, z := Dense(4, Linear, Name("y")), Dense(1, ReLU, Name("z")).On(x)
			return nodes(x), nodes(y.On(x), z, y.On(y.On(x)))
		}, []string{`outputs 0 and 2 both come from layer "y" (Dense)`}},
		{"name twice", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, Linear, Name("x")).On(x))
		}, []string{`layer "x" (InputLayer) and layer "x" (Dense) have the same name`}},
		{"slash in a name", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, Linear, Name("a/b")).On(x))
		}, []string{`layer "a/b" (Dense): a name cannot contain a slash`}},
		{"NUL in a name", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, Linear, Name("a\x00b")).On(x))
		}, []string{`layer "a\x00b" (Dense): a name cannot contain a NUL byte`}},
		{"nil options", func(_ *Model, x *Node) (_, _ []*Node) {
			all := []*Layer{
				Dense(1, ReLU, nil), Activation(ReLU, nil), Dropout(0.1, nil), Embedding(2, 1, nil), Flatten(nil), Reshape([]int{4}, nil),
				Concatenate(nil), Add(nil), Multiply(nil, Name("last")),
			}
			var out []*Node
			for _, l := range all {
				out = append(out, l.On(x))
			}
			return nodes(x), out
		}, []string{
			`layer "dense" (Dense): option 0 is nil`, `layer "activation" (Activation): option 0`, `layer "dropout" (Dropout): option 0`,
			`layer "embedding" (Embedding): option 0`, `layer "flatten" (Flatten): option 0`, `layer "reshape" (Reshape): option 0`,
			`layer "concatenate" (Concatenate): option 0`, `layer "add" (Add): option 0`, `layer "last" (Multiply): option 0`,
		}},
		{"options that a layer does not know", func(_ *Model, x *Node) (_, _ []*Node) {
			y := Activation(Tanh, NoBias(), Name("y"), nil).On(x)
			return nodes(x), nodes(y, Embedding(2, 1, Name("z"), NoBias()).On(y), Dense(1, Linear, NoBias(), Name("w")).On(x))
		}, []string{`layer "y" (Activation): does not take NoBias: only Dense has a bias` + "\noption 2 is nil", `layer "z" (Embedding): does not take NoBias`}},
		{"layers that nothing made", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Flatten(Name("y")).On((*Layer)(nil).On(x)), Flatten(Name("z")).On(new(Layer).On(x)))
		}, []string{`layer "y" (Flatten): input 0 is nil`, `layer "z" (Flatten): input 0 is nil`}},
		{"units 0", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dense(0, Linear, Name("y")).On(x)) }, []string{`layer "y" (Dense): has 0 units, needs at least 1`}},
		{"units -3", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dense(-3, Linear, Name("y")).On(x)) }, []string{`has -3 units`}},
		{"units absurd", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(math.MaxInt, Linear, Name("y")).On(x))
		}, []string{`layer "y" (Dense): kernel: shape (`, "more than 2147483647 elements"}},
		{"kernel absurd", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1<<30, Linear, Name("y")).On(x))
		}, []string{`layer "y" (Dense): kernel: shape (4, 1073741824) has more than`}},
		{"activation unknown", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, ActivationKind(77), Name("y")).On(x), Activation(ActivationKind(6), Name("z")).On(x))
		}, []string{`layer "y" (Dense): unknown activation ActivationKind(77): valid are ["linear" "relu" "sigmoid" "tanh" "softmax" "gelu"]`, `layer "z" (Activation): unknown activation ActivationKind(6)`}},
		{"dropout 1", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dropout(1, Name("y")).On(x)) }, []string{`layer "y" (Dropout): rate 1 is not in [0, 1)`}},
		{"dropout NaN", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dropout(math.NaN(), Name("y")).On(x))
		}, []string{`rate NaN is not in [0, 1)`}},
		{"embedding of nothing", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(0, 1, Name("y")).On(x), Embedding(1, -2, Name("z")).On(x))
		}, []string{`layer "y" (Embedding): has input dimension 0, valid are 1 to 16777216`, `layer "z" (Embedding): has output dimension -2, needs at least 1`}},
		{"embedding absurd", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(1<<24+1, 1, Name("y")).On(x), Embedding(1<<24, 128, Name("z")).On(x), Embedding(1, 1<<30, Name("w")).On(x))
		}, []string{`layer "y" (Embedding): has input dimension 16777217`, `layer "z" (Embedding): embeddings: shape (16777216, 128) has more than`, `layer "w" (Embedding): shape (4, 1073741824) has more than`}},
		{"embedding of two", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(2, 1, Name("y")).On(x, x))
		}, []string{`layer "y" (Embedding): called on 2 nodes, takes 1`}},
		{"embedding of a result", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(2, 1, Name("y")).On(Flatten().On(Dense(3, ReLU, Name("z")).On(x))))
		}, []string{`layer "y" (Embedding): called on the result of a layer of class Dense, must be called on an Input, or on a Reshape or Flatten of one`}},
		{"embedding of an embedding", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(2, 1, Name("y")).On(Embedding(2, 1).On(x)))
		}, []string{`layer "y" (Embedding): called on the result of a layer of class Embedding`}},
		{"reshape", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Reshape([]int{2, 3}, Name("y")).On(x))
		}, []string{`layer "y" (Reshape): cannot turn shape (4) (4 elements) into (2, 3) (6)`}},
		{"reshape to nothing", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Reshape(nil, Name("y")).On(x)) }, []string{`layer "y" (Reshape): shape has no dimensions`}},
		{"reshape negative", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Reshape([]int{-2, -2}, Name("y")).On(x))
		}, []string{`shape (-2, -2) has a dimension below 1`}},
		{"concatenate", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Concatenate(Name("y")).On(x, Reshape([]int{2, 2}).On(x)))
		}, []string{`layer "y" (Concatenate): input 1 has shape (2, 2), which differs from input 0, (4)`}},
		{"add", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Add(Name("y")).On(x, x, Dense(3, ReLU).On(x)))
		}, []string{`layer "y" (Add): input 2 has shape (3), input 0 has (4): they must be equal`}},
		{"multiply", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Multiply(Name("y")).On(Reshape([]int{2, 2}).On(x), x))
		}, []string{`layer "y" (Multiply): input 1 has shape (4), input 0 has (2, 2)`}},
		{"shared layer", func(m *Model, x *Node) (_, _ []*Node) {
			trunk, err := m.Layer("trunk")
			if err != nil {
				panic(err)
			}
			return nodes(x), nodes(trunk.On(x))
		}, []string{`layer "trunk" (Dense): kernel is (5, 5), this call asks for (4, 5)`}},
		{"two layers", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(0, Linear, Name("y")).On(x), Dropout(2, Name("z")).On(x))
		}, []string{`layer "y" (Dense): has 0 units`, `layer "z" (Dropout): rate 2`}},
		{"upstream", func(_ *Model, x *Node) (_, _ []*Node) {
			y := Dense(0, Linear, Name("y")).On(x)
			return nodes(x), nodes(Flatten(Name("z")).On(Concatenate().On(y, x)))
		}, []string{`layer "y" (Dense): has 0 units`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _, unchanged := trained(t)
			inputs, outputs := c.graph(m, Input("x", 4))
			broken, err := NewModel(inputs, outputs, Name("net"))
			requireError(t, err, append(c.want, `nn: model "net": `)...)
			require.Nil(t, broken)
			unchanged(t)
		})
	}
}

func TestSetWeightsErrors(t *testing.T) {
	m, _, unchanged := trained(t)
	valid := `valid are ["label/bias" "label/kernel" "trunk/bias" "trunk/kernel" "value/bias" "value/kernel"]`
	for _, c := range []struct {
		name   string
		values map[string][]float32
		want   []string
	}{
		{"unknown", map[string][]float32{"trunk/bias": {1, 2, 3, 4, 5}, "trunk": {1}}, []string{`unknown weight "trunk"`, valid}},
		{"length", map[string][]float32{"label/bias": {1, 2, 3, 4}, "trunk/kernel": make([]float32, 24)}, []string{`weight "trunk/kernel": 24 values given, shape (5, 5) has 25`}},
		{"nil", map[string][]float32{"label/bias": {1, 2, 3, 4}, "value/bias": nil}, []string{`weight "value/bias": 0 values given, shape (2) has 2`}},
		{"NaN", map[string][]float32{"label/bias": {1, 2, 3, 4}, "value/bias": {0, nan}}, []string{`weight "value/bias": value 1 is NaN`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireError(t, m.SetWeights(c.values), c.want...)
			unchanged(t)
		})
	}
	_, err := m.Layer("labels")
	requireError(t, err, `no layer "labels": it has ["x" "c" "join" "trunk" "label" "value"]`)
	require.NoError(t, m.SetWeights(nil))
	unchanged(t)
}

func TestNotCompiled(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear).On(x)})
	require.NoError(t, err)
	history, err := m.Fit(context.Background(), Data{})
	require.ErrorIs(t, err, ErrNotCompiled)
	require.NotNil(t, history)
	_, err = m.Evaluate(context.Background(), nil)
	require.ErrorIs(t, err, ErrNotCompiled)
	_, err = m.TrainOnBatch(Data{})
	requireError(t, err, "nn: TrainOnBatch: the model is not compiled: call Compile first")
	_, err = m.Predict(nil)
	requireError(t, err, `missing input "x"`)
}

// stopAt returns a callback that fails with err after the batch.
func stopAt(epoch, batch int, err error) FitOption {
	return Callbacks(Callback{BatchEnd: func(p Progress) error {
		if p.Epoch == epoch && p.Batch == batch {
			return err
		}
		return nil
	}})
}

func TestFailingCallback(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		name string
		fail error
		want error
	}{
		{"error", broken, broken},
		{"ErrStop", ErrStop, nil},
		{"wrapped ErrStop", fmt.Errorf("enough: %w", ErrStop), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, d := tandem(t, SGD(0.1)), tandemData(10)
			history, err := m.Fit(context.Background(), d, Epochs(5), BatchSize(4), stopAt(2, 1, c.fail))
			require.ErrorIs(t, err, c.want)
			require.Equal(t, []int{0, 1}, history.Epochs)
			require.Len(t, history.Logs["loss"], 2)
			require.Equal(t, int64(8), m.trainer.iterations)

			m = tandem(t, SGD(0.1))
			history, err = m.Fit(context.Background(), d, Epochs(5), Callbacks(Callback{EpochEnd: func(p Progress) error {
				if p.Epoch == 3 {
					return c.fail
				}
				return nil
			}}))
			require.ErrorIs(t, err, c.want)
			require.Equal(t, []int{0, 1, 2, 3}, history.Epochs)
		})
	}
}

// Whatever fails in the middle, Fit says what, and the model is what it was after the last complete step.
func TestFailuresInTheMiddle(t *testing.T) {
	d := tandemData(12)
	full := func(p Progress) error {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = p.Model.WriteTo(f)
		return err
	}
	spoilt := part(d, 4, 8)
	x := slices.Clone(spoilt.Inputs["x"].(Floats))
	x[4] = float32(math.NaN())
	spoilt.Inputs["x"] = x
	for _, c := range []struct {
		name     string
		data     Dataset
		callback Callback
		want     string
	}{
		{"panic", d, Callback{BatchEnd: func(p Progress) error {
			if p.Batch == 1 {
				panic("out of coffee")
			}
			return nil
		}}, "nn: Fit: epoch 0, batch 1: callback 0 panicked: out of coffee\ngoroutine "},
		{"full disk", d, Callback{BatchEnd: func(p Progress) error {
			if p.Batch == 1 {
				return full(p)
			}
			return nil
		}}, "nn: Fit: nn: WriteTo: write /dev/full: no space left on device"},
		{"NaN", streamOf(part(d, 0, 4), part(d, 4, 8), spoilt), Callback{}, `nn: Fit: epoch 0, batch 2: chunk 2 of the stream: input "x": row 1, column 1 is NaN`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "full disk" {
				if _, err := os.Stat("/dev/full"); err != nil {
					t.Skip(err)
				}
			}
			m, other := tandem(t, Adam(0.01)), tandem(t, Adam(0.01))
			history, err := m.Fit(context.Background(), c.data, Shuffle(false), BatchSize(4), Callbacks(c.callback))
			requireError(t, err, c.want)
			require.Empty(t, history.Epochs)
			_, err = other.Fit(context.Background(), part(d, 0, 8), Shuffle(false), BatchSize(4))
			require.NoError(t, err)
			require.Equal(t, weightBits(other), weightBits(m))
			require.Equal(t, other.trainer.slots, m.trainer.slots)

			// Training goes on from there.
			for _, m := range []*Model{m, other} {
				_, err = m.Fit(context.Background(), d, BatchSize(4))
				require.NoError(t, err)
			}
			require.Equal(t, weightBits(other), weightBits(m))
		})
	}
}

// A gradient can overflow although the loss does not.
func TestOverflowingGradient(t *testing.T) {
	for _, optimizer := range []Optimizer{SGD(0.1), Adam(0.1), RMSprop(0.1)} {
		t.Run(className(optimizer), func(t *testing.T) {
			x := Input("x", 1)
			m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias(), Name("y")).On(Dense(1, Linear, NoBias(), Name("h")).On(x))})
			require.NoError(t, err)
			require.NoError(t, m.SetWeights(map[string][]float32{"h/kernel": {1e-30}, "y/kernel": {1e30}}))
			require.NoError(t, m.Compile(optimizer, Losses{"y": MSE()}))
			before := weightBits(m)
			_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1e9}}, Targets: Arrays{"y": Floats{0}}})
			requireError(t, err, `nn: TrainOnBatch: the gradient of weight "h/kernel" is not finite`)
			require.Equal(t, before, weightBits(m))
			require.Zero(t, m.trainer.iterations)
		})
	}
}

// A loss that is not finite ends Fit with the weights of the last complete step.
func TestDivergence(t *testing.T) {
	for _, c := range []struct {
		name      string
		optimizer Optimizer
	}{{"sgd", SGD(1e25)}, {"adam", Adam(1e25)}, {"rmsprop", RMSprop(1e25)}} {
		t.Run(c.name, func(t *testing.T) {
			m, d := tandem(t, c.optimizer), tandemData(10)
			history, err := m.Fit(context.Background(), d, Epochs(3), BatchSize(4))
			requireError(t, err, "nn: Fit: epoch 0, batch 1: the loss of output \"value\" is +Inf")
			require.Empty(t, history.Epochs)

			other := tandem(t, c.optimizer)
			_, err = other.Fit(context.Background(), d, BatchSize(4), stopAt(0, 0, ErrStop))
			require.NoError(t, err)
			require.Equal(t, weightBits(other), weightBits(m))
			for _, w := range m.Weights() {
				require.Equal(t, -1, nonFinite(w.Data), w.Name)
			}
			before := weightBits(m)
			_, err = m.TrainOnBatch(d)
			requireError(t, err, `nn: TrainOnBatch: the loss of output "value" is +Inf`)
			_, err = m.Evaluate(context.Background(), d)
			requireError(t, err, `nn: Evaluate: the loss of output "value" is +Inf`)
			require.Equal(t, before, weightBits(m))
		})
	}
}

func TestCancel(t *testing.T) {
	d := tandemData(10)
	t.Run("before", func(t *testing.T) {
		m, d, unchanged := trained(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		history, err := m.Fit(ctx, d)
		require.ErrorIs(t, err, context.Canceled)
		requireError(t, err, "nn: Fit: epoch 0, batch 0: context canceled")
		require.Empty(t, history.Epochs)
		_, err = m.Evaluate(ctx, d)
		require.ErrorIs(t, err, context.Canceled)
		unchanged(t)
	})
	t.Run("in the middle", func(t *testing.T) {
		m := tandem(t, Adam(0.01))
		ctx, cancel := context.WithCancel(context.Background())
		history, err := m.Fit(ctx, d, Epochs(4), BatchSize(4), Callbacks(Callback{BatchEnd: func(p Progress) error {
			if p.Epoch == 2 && p.Batch == 0 {
				cancel()
			}
			return nil
		}}))
		require.ErrorIs(t, err, context.Canceled)
		requireError(t, err, "epoch 2, batch 1")
		require.Equal(t, []int{0, 1}, history.Epochs)
		require.Len(t, history.Logs["label_accuracy"], 2)
		require.Equal(t, int64(7), m.trainer.iterations)

		history, err = m.Fit(context.Background(), d, Epochs(4), InitialEpoch(2), BatchSize(4))
		require.NoError(t, err)
		require.Equal(t, []int{2, 3}, history.Epochs)
		require.Equal(t, int64(13), m.trainer.iterations)
	})
	t.Run("in validation", func(t *testing.T) {
		m := tandem(t, Adam(0.01))
		ctx, cancel := context.WithCancel(context.Background())
		_, err := m.Fit(ctx, d, ValidationData(Stream(func() iter.Seq2[Data, error] {
			cancel()
			return streamOf(d)()
		})))
		require.ErrorIs(t, err, context.Canceled)
		requireError(t, err, "epoch 0, validation")
	})
}
