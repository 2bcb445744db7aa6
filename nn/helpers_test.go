package nn

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
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
	return Data{clone(d.Inputs), clone(d.Targets), maps.Clone(d.SampleWeights), maps.Clone(d.Labelled)}
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

// noisy is a model with dropout, of the inputs and outputs of a tandem.
func noisy(t testing.TB, opts ...ModelOption) *Model {
	x, c := Input("x", 3), Input("c", 2)
	drop := Dropout(0.4, Name("drop"))
	h := Dense(8, ReLU, Name("trunk")).On(drop.On(Concatenate(Name("join")).On(x, c)))
	h = Dropout(0.3, Name("drop_h")).On(h)
	label := Dense(4, Softmax, Name("label")).On(h)
	value := Dense(2, Linear, Name("value")).On(h)
	m, err := NewModel([]*Node{x, c}, []*Node{label, value}, opts...)
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.01),
		Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()},
		LossWeights{"value": 0.25},
		Metrics{"label": {Accuracy()}, "value": {MAE()}}))
	return m
}

func logBits(h *History) map[string][]uint64 {
	bits := map[string][]uint64{}
	for name, values := range h.Logs {
		for _, v := range values {
			bits[name] = append(bits[name], math.Float64bits(v))
		}
	}
	return bits
}

// part returns the rows from (included) to (excluded).
func part(d Data, from, to int) Data {
	p := Data{Inputs: Arrays{}, Targets: Arrays{}, SampleWeights: map[string][]float32{}}
	for name, width := range map[string]int{"x": 3, "c": 2} {
		p.Inputs[name] = d.Inputs[name].(Floats)[from*width : to*width]
	}
	p.Targets["label"] = d.Targets["label"].(Labels)[from:to]
	p.Targets["value"] = d.Targets["value"].(Floats)[from*2 : to*2]
	for name, w := range d.SampleWeights {
		p.SampleWeights[name] = w[from:to]
	}
	return p
}

// linear is y = a·x + b with one output of the given loss.
func linear(t testing.TB, a, b float32, loss Loss, metrics ...Metric) *Model {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {a}, "y/bias": {b}}))
	require.NoError(t, m.Compile(SGD(0), Losses{"y": loss}, Metrics{"y": metrics}))
	return m
}

// firstRows returns the first rows of data with one column each.
func firstRows(d Data, rows int) Data {
	return Data{Inputs: Arrays{"x": d.Inputs["x"].(Floats)[:rows]}, Targets: Arrays{"y": d.Targets["y"].(Floats)[:rows]}}
}

// parse is Read from memory.
func parse(b []byte, opts ...LoadOption) (*Model, error) { return Read(bytes.NewReader(b), opts...) }

// parsePlan is the plan of a model in memory.
func parsePlan(b []byte, maxBatch int, opts ...LoadOption) (*Plan, error) {
	m, err := parse(b, append(opts, ForServing())...)
	if err != nil {
		return nil, err
	}
	return NewPlan(m, maxBatch)
}

// mustTally returns a tally of the trainer's heads.
func mustTally(t *trainer) *tally {
	s, err := newTally(t)
	if err != nil {
		panic(err)
	}
	return s
}
