package nn

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"
)

// A chunk of no rows, as a filter leaves it, is passed over wherever it stands.
func TestEmptyChunks(t *testing.T) {
	ctx, d := context.Background(), tandemData(13)
	none := part(d, 0, 0)
	none.SampleWeights = map[string][]float32{"value": {}}
	fit := func(s Stream) ([]uint32, map[string][]uint64, Logs) {
		m := noisy(t)
		history, err := m.Fit(ctx, s, BatchSize(4), Epochs(2), ValidationData(s))
		require.NoError(t, err)
		logs, err := m.Evaluate(ctx, s, BatchSize(4))
		require.NoError(t, err)
		return weightBits(m), logBits(history), logs
	}
	a, b := part(d, 0, 6), part(d, 6, 13)
	weights, history, logs := fit(streamOf(a, b))
	for _, chunks := range [][]Data{{none, a, b}, {a, none, b}, {a, none, none, b}, {a, b, none}} {
		for _, s := range []Stream{streamOf(chunks...), streamOf(chunks...).Prefetch()} {
			w, h, l := fit(s)
			require.Equal(t, weights, w)
			require.Equal(t, history, h)
			require.Equal(t, logs, l)
		}
	}

	m, _, unchanged := trained(t)
	weighted := Data{Inputs: none.Inputs, Targets: none.Targets, SampleWeights: map[string][]float32{"value": {1}}}
	_, err := m.Fit(ctx, streamOf(weighted, a))
	requireError(t, err, `chunk 0 of the stream: input "x": has no rows`)
	for name, chunk := range map[string]Data{
		`missing input "c"`:      {Inputs: Arrays{"x": Floats{}}, Targets: none.Targets},
		`unknown target "trunk"`: {Inputs: none.Inputs, Targets: Arrays{"label": Labels{}, "value": Floats{}, "trunk": Floats{}}},
		`missing target "value"`: {Inputs: none.Inputs, Targets: Arrays{"label": Labels{}}},
		`input "x": has no rows`: {Inputs: none.Inputs, Targets: Arrays{"label": Labels{1}, "value": Floats{1, 2}}},
		`unknown sample weights`: {Inputs: none.Inputs, Targets: none.Targets, SampleWeights: map[string][]float32{"x": {}}},
		`input "c": is <nil>`:    {Inputs: Arrays{"x": a.Inputs["x"], "c": nil}, Targets: none.Targets},
	} {
		_, err := m.Fit(ctx, streamOf(chunk, a))
		requireError(t, err, "nn: Fit: epoch 0, batch 0: chunk 0 of the stream: ", name)
	}
	_, err = m.Fit(ctx, streamOf(none, none))
	requireError(t, err, "nn: Fit: the data has no rows")
	_, err = m.Evaluate(ctx, streamOf(none))
	requireError(t, err, "nn: Evaluate: the data has no rows")
	for _, run := range []func() error{
		func() error { _, err := m.Fit(ctx, none); return err },
		func() error { _, err := m.Evaluate(ctx, none); return err },
		func() error { _, err := m.TrainOnBatch(none); return err },
		func() error { _, err := m.Predict(none.Inputs); return err },
	} {
		requireError(t, run(), `input "x": has no rows`)
	}
	unchanged(t)
}

// Labels that stand for numbers must be numbers of float32.
func TestLabelsBeyondFloat32(t *testing.T) {
	for _, c := range []struct {
		label int32
		ok    bool
	}{
		{1 << 24, true}, {-1 << 24, true}, {1<<24 + 1, false}, {-1<<24 - 1, false}, {1<<24 + 2, true},
		{math.MaxInt32, false}, {math.MinInt32, true}, {math.MaxInt32 - 127, true}, {1_700_000_001, false},
	} {
		m := plain(t, 1, SGD(0))
		d := Data{Inputs: Arrays{"x": Labels{0, c.label}}, Targets: Arrays{"y": Labels{0, 0}}}
		logs, err := m.TrainOnBatch(d)
		if c.ok {
			require.NoError(t, err)
			require.Equal(t, math.Abs(float64(c.label))/2, logs["loss"])
			continue
		}
		requireError(t, err, fmt.Sprintf(`input "x": row 1, column 0 is %d, which float32 does not have`, c.label))
		_, err = m.Predict(d.Inputs)
		requireError(t, err, `nn: Predict: input "x": row 1, column 0 is`)
		_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Labels{0, 0}}, Targets: Arrays{"y": d.Inputs["x"]}})
		requireError(t, err, fmt.Sprintf(`target "y": row 1, column 0 is %d, which float32 does not have`, c.label))
	}
	x := Input("x", 3)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear).On(x)})
	require.NoError(t, err)
	_, err = m.Predict(Arrays{"x": Labels{0, 0, 0, 0, 1<<24 + 1, 0}})
	requireError(t, err, `input "x": row 1, column 1 is 16777217`)
}

// Every value is checked, however many there are.
func TestNonFiniteFarBehind(t *testing.T) {
	const rows = pieceSize + 5000
	for _, at := range []int{0, pieceSize - 1, pieceSize, 2*pieceSize + 1, 2*rows - 1} {
		for _, bad := range []float32{nan, inf, -inf} {
			x, y := Input("x", 2), make(Floats, 2*rows)
			m, err := NewModel([]*Node{x}, []*Node{Dense(2, Linear, Name("y")).On(x)})
			require.NoError(t, err)
			require.NoError(t, m.Compile(SGD(0), Losses{"y": MSE()}))
			good := make(Floats, 2*rows)
			y[at] = bad
			want := fmt.Sprintf(": row %d, column %d is %v", at/2, at%2, bad)
			_, err = m.Evaluate(context.Background(), Data{Inputs: Arrays{"x": y}, Targets: Arrays{"y": good}}, BatchSize(rows))
			requireError(t, err, `input "x"`+want)
			logs, err := m.Evaluate(context.Background(), Data{Inputs: Arrays{"x": good}, Targets: Arrays{"y": y}}, BatchSize(rows))
			if bad != bad { // a label that is missing
				require.NoError(t, err)
				require.EqualValues(t, rows-1, logs["y_labels"])
			} else {
				requireError(t, err, `target "y"`+want)
			}
			_, err = m.Predict(Arrays{"x": y})
			requireError(t, err, `input "x"`+want)
		}
	}
	big := slices.Repeat(Floats{3e38}, 2*pieceSize)
	require.NoError(t, (&chunk{}).fillInputs(plain(t, 0, SGD(0)), Arrays{"x": big}), "only the sum overflows")
}

// Nothing of the caller's data is reachable once a call has returned, whether it failed or not.
func TestDataIsLetGo(t *testing.T) {
	ctx := context.Background()
	x, c := Input("x", 3), Input("c", 2)
	join := Concatenate().On(x, c)
	m, err := NewModel([]*Node{x, c}, []*Node{ // layers that work on the data in place, and one that passes it on
		Dense(4, Softmax, Name("label")).On(join), Dense(2, Linear, Name("value")).On(Dropout(0.1).On(c)), Flatten(Name("x_again")).On(x),
	})
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(1e-3), Losses{"label": SparseCategoricalCrossentropy(), "value": MSE(), "x_again": nil},
		Metrics{"label": {Accuracy()}, "value": {MAE()}}))
	for name, run := range map[string]func(d Data) error{
		"Fit": func(d Data) error {
			_, err := m.Fit(ctx, d, Shuffle(false), BatchSize(16), ValidationData(d))
			return err
		},
		"Fit workers": func(d Data) error {
			_, err := m.Fit(ctx, d, Workers(2), ClassWeight("label", map[int]float64{1: 2}))
			return err
		},
		"Fit stream": func(d Data) error {
			_, err := m.Fit(ctx, streamOf(d, d).Prefetch(), Shuffle(false), BatchSize(32))
			return err
		},
		"failing Fit": func(d Data) error {
			if _, err := m.Fit(ctx, d, Shuffle(false), stopAt(0, 0, context.Canceled)); err == nil {
				return fmt.Errorf("no error")
			}
			return nil
		},
		"TrainOnBatch": func(d Data) error { _, err := m.TrainOnBatch(d); return err },
		"failing TrainOnBatch": func(d Data) error {
			d.Targets["value"].(Floats)[5] = inf
			if _, err := m.TrainOnBatch(d); err == nil {
				return fmt.Errorf("no error")
			}
			return nil
		},
		"Evaluate": func(d Data) error { _, err := m.Evaluate(ctx, d, BatchSize(16)); return err },
		"Predict":  func(d Data) error { _, err := m.Predict(d.Inputs); return err },
	} {
		t.Run(name, func(t *testing.T) {
			var left []weak.Pointer[float32]
			var labels weak.Pointer[int32]
			func() {
				d := tandemData(32)
				d.SampleWeights = map[string][]float32{"label": make([]float32, 32), "value": make([]float32, 32)}
				for _, v := range []Array{d.Inputs["x"], d.Inputs["c"], d.Targets["value"]} {
					left = append(left, weak.Make(&v.(Floats)[0]))
				}
				for _, w := range d.SampleWeights {
					left = append(left, weak.Make(&w[0]))
				}
				labels = weak.Make(&d.Targets["label"].(Labels)[0])
				require.NoError(t, run(d))
			}()
			runtime.GC()
			for i, p := range left {
				require.Nil(t, p.Value(), i)
			}
			require.Nil(t, labels.Value())
			runtime.KeepAlive(m)
		})
	}
}

// Nor is it written to.
func TestDataIsNotWritten(t *testing.T) {
	ctx, d := context.Background(), tandemData(37)
	d.SampleWeights = map[string][]float32{"label": slices.Repeat([]float32{0.5}, 37)}
	before := copied(d)
	before.SampleWeights = map[string][]float32{"label": slices.Clone(d.SampleWeights["label"])}
	classes := map[int]float64{1: 2}
	m := noisy(t)
	for _, shuffle := range []bool{true, false} {
		_, err := m.Fit(ctx, d, Shuffle(shuffle), BatchSize(8), Epochs(2), ClassWeight("label", classes), ValidationSplit(0.2), Workers(2))
		require.NoError(t, err)
		_, err = m.Fit(ctx, streamOf(part(d, 0, 5), part(d, 5, 37)), Shuffle(shuffle), BatchSize(8))
		require.NoError(t, err)
	}
	_, err := m.TrainOnBatch(d)
	require.NoError(t, err)
	_, err = m.Evaluate(ctx, d)
	require.NoError(t, err)
	_, err = m.Predict(d.Inputs)
	require.NoError(t, err)
	require.Equal(t, before, d)
	require.Equal(t, map[int]float64{1: 2}, classes)
}

// Memory for the numbers of labels is used again.
func TestLabelsDoNotPileUp(t *testing.T) {
	m, d := plain(t, 1, SGD(0)), Data{Inputs: Arrays{"x": Labels{1, 2, 3}}, Targets: Arrays{"y": Labels{4, 5, 6}}}
	for range 3 {
		_, err := m.TrainOnBatch(d)
		require.NoError(t, err)
		require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, m.trainer.batch.numbers)
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
		{"label negative", func(d *Data) { d.Targets["label"].(Labels)[6] = -2 }, []string{`target "label": row 6 has label -2, valid are 0 to 3, and -1 for a row without a label`}},
		{"target NaN and Inf", func(d *Data) { copy(d.Targets["value"].(Floats)[2:], []float32{nan, 1, -inf}) }, []string{`target "value": row 2, column 0 is -Inf`}},
		{"marks unknown", func(d *Data) { d.Labelled = map[string][]bool{"x": nil} }, []string{`unknown marks of labels "x": valid are ["label" "value"]`}},
		{"marks length", func(d *Data) { d.Labelled = map[string][]bool{"label": {true}} }, []string{`marks of labels "label": 1 values for 10 rows`}},
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
		{Labels{-2, 0}, `row 0, column 0 is -2`},
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
