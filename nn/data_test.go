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
			_, err = m.Evaluate(context.Background(), Data{Inputs: Arrays{"x": good}, Targets: Arrays{"y": y}}, BatchSize(rows))
			requireError(t, err, `target "y"`+want)
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
