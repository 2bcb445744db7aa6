package nn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// An Embedding is a Dense layer without a bias on one-hot rows: with the same weights it is trained to the same bits, by
// every optimizer, although most steps touch few of its rows.
func TestEmbeddingIsOneHotDense(t *testing.T) {
	const words, dim, rows = 50, 3, 40
	momentum, nesterov := SGD(0.1), SGD(0.1)
	momentum.Momentum, nesterov.Momentum, nesterov.Nesterov = 0.9, 0.9, true
	random := rand.New(rand.NewPCG(1, 2))
	indices, oneHot, y := make(Labels, rows), make(Floats, rows*words), make(Floats, rows)
	for i := range rows {
		indices[i] = int32(random.IntN(words))
		oneHot[i*words+int(indices[i])] = 1
		y[i] = float32(random.NormFloat64())
	}
	for name, optimizer := range map[string]Optimizer{"sgd": SGD(0.1), "momentum": momentum, "nesterov": nesterov, "adam": Adam(0.01), "rmsprop": RMSprop(0.01)} {
		t.Run(name, func(t *testing.T) {
			train := func(x *Node, h *Node, data Array) (*Model, [][]float32) {
				m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(Dense(4, Tanh, Name("h")).On(h))})
				require.NoError(t, err)
				weights := rand.New(rand.NewPCG(3, 4))
				for _, w := range m.Weights() {
					for i := range w.Data {
						w.Data[i] = float32(weights.NormFloat64())
					}
				}
				require.NoError(t, m.Compile(optimizer, Losses{"y": MSE()}))
				_, err = m.Fit(context.Background(), Data{Inputs: Arrays{"x": data}, Targets: Arrays{"y": y}}, Epochs(5), BatchSize(4))
				require.NoError(t, err)
				predicted, err := m.Predict(Arrays{"x": data})
				require.NoError(t, err)
				all := [][]float32{predicted["y"].Data}
				for i, w := range m.Weights() {
					all = append(all, w.Data)
					all = append(all, m.trainer.slots[i]...)
				}
				return m, all
			}
			x := Input("x", words)
			dense, want := train(x, Dense(dim, Linear, NoBias(), Name("vectors")).On(x), oneHot)
			x = Input("x", 1)
			embedded, got := train(x, Flatten().On(Embedding(words, dim, Name("vectors")).On(x)), indices)
			require.Len(t, got, len(want))
			require.Equal(t, dense.CountParams(), embedded.CountParams())
			for i := range want {
				requireBits(t, want[i], got[i], "number %d", i)
			}
		})
	}
}

// The shape (n) gives (n, outputDim), in the order of the indices, and the weights are Keras' uniform ones.
func TestEmbeddingShapesAndWeights(t *testing.T) {
	build := func(opts ...ModelOption) *Model {
		x := Input("x", 3)
		e := Embedding(1000, 8, Name("e")).On(x)
		require.Equal(t, Shape{3, 8}, e.Shape())
		require.Equal(t, Shape{1, 3, 8}, Embedding(1000, 8).On(Reshape([]int{1, 3}).On(x)).Shape())
		m, err := NewModel([]*Node{x}, []*Node{e}, opts...)
		require.NoError(t, err)
		return m
	}
	m := build()
	require.Len(t, m.Weights(), 1)
	w := m.Weights()[0]
	require.Equal(t, "e/embeddings", w.Name)
	require.Equal(t, Shape{1000, 8}, w.Shape)
	require.Equal(t, w.Data, build(Seed(0)).Weights()[0].Data)
	require.NotEqual(t, w.Data, build(Seed(1)).Weights()[0].Data)
	sum, squares := 0.0, 0.0
	for _, v := range w.Data {
		require.LessOrEqual(t, math.Abs(float64(v)), 0.05)
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(w.Data))
	require.InDelta(t, 0, sum/n, 0.001)
	require.InDelta(t, 0.05*0.05/3, squares/n, 0.00003)

	y, err := m.Predict(Arrays{"x": Labels{5, 0, 999, 7, 7, 6}})
	require.NoError(t, err)
	require.Equal(t, slices.Concat(w.Row(5), w.Row(0), w.Row(999)), y["e"].Row(0))
	require.Equal(t, slices.Concat(w.Row(7), w.Row(7), w.Row(6)), y["e"].Row(1))
	same, err := m.Predict(Arrays{"x": Floats{5, 0, 999, 7, 7, 6}})
	require.NoError(t, err)
	require.Equal(t, y, same)
}

// worded is a model of an input of indices, "words" (2), of which there are 4, and one of numbers, "x".
func worded(t *testing.T) (*Model, Data) {
	words, x := Input("words", 2), Input("x", 1)
	h := Concatenate().On(x, Flatten().On(Embedding(4, 3, Name("vectors")).On(words)))
	m, err := NewModel([]*Node{x, words}, []*Node{Dense(1, Linear, Name("y")).On(h)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.1), Losses{"y": MSE()}))
	return m, Data{Inputs: Arrays{"x": Floats{1, 2, 3}, "words": Floats{0, 1, 2, 3, 3, 0}}, Targets: Arrays{"y": Floats{1, 0, 1}}}
}

// An index that is none is an error wherever it comes in, and changes nothing.
func TestEmbeddingIndexErrors(t *testing.T) {
	ctx := context.Background()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, bad := range []float32{-1, 4, 1e9, 1e30, 0.5, nan, inf, -inf} {
		t.Run(fmt.Sprint(bad), func(t *testing.T) {
			m, d := worded(t)
			_, err := m.TrainOnBatch(d)
			require.NoError(t, err)
			before := imprint(t, m, d)
			spoilt := copied(d)
			words := spoilt.Inputs["words"].(Floats)
			words[5] = bad
			spoiltStream := streamOf(d, spoilt)
			_, fit := m.Fit(ctx, spoilt, BatchSize(1))
			_, validation := m.Fit(ctx, d, ValidationData(spoilt))
			_, train := m.TrainOnBatch(spoilt)
			_, evaluate := m.Evaluate(ctx, spoilt)
			_, stream := m.Evaluate(ctx, spoiltStream)
			_, predict := m.Predict(spoilt.Inputs)

			where := fmt.Sprintf("row 2, column 1 is %v, valid are whole numbers from 0 to 3", bad)
			for _, err := range []error{fit, validation, train, evaluate, stream, predict} {
				requireError(t, err, `input "words": layer "vectors" (Embedding): `+where)
			}

			p, err := NewPlan(m, 2)
			require.NoError(t, err)
			x, y := spoilt.Inputs["x"].(Floats), make([]float32, 3)
			require.EqualError(t, p.Predict([][]float32{x, words}, [][]float32{y}, 3), `plan: input "words": layer "vectors" (Embedding): `+where)
			s := p.NewSession()
			copy(s.Input(1), words[2:])
			session := `plan: input "words": layer "vectors" (Embedding): row 1, column 1 is ` + fmt.Sprint(bad)
			requireError(t, s.Run(2), session)
			require.NoError(t, s.Run(1))
			requireError(t, s.RunOn([][]float32{x[1:], words[2:]}, [][]float32{y}, 2), session)
			var index *kernels.IndexError
			require.True(t, errors.As(s.Run(2), &index))
			require.Equal(t, 4, index.Rows)

			require.Equal(t, before, imprint(t, m, d))
			require.NoError(t, p.Predict([][]float32{x, d.Inputs["words"].(Floats)}, [][]float32{y}, 3), "the plan goes on")
		})
	}
}

// Chunks of a stream that come before the spoilt one are trained on, it is not.
func TestEmbeddingIndexErrorInStream(t *testing.T) {
	m, d := worded(t)
	spoilt := copied(d)
	spoilt.Inputs["words"] = Labels{0, 1, 2, 3, 3, 4}
	_, err := m.Fit(context.Background(), streamOf(d, spoilt), BatchSize(3))
	requireError(t, err, `chunk 1 of the stream: input "words": layer "vectors" (Embedding): row 2, column 1 is 4, valid`)
	require.EqualValues(t, 1, m.trainer.iterations)
}

// A frozen embedding stays as it is, and what lies behind it learns.
func TestEmbeddingFrozen(t *testing.T) {
	m, d := worded(t)
	l, err := m.Layer("vectors")
	require.NoError(t, err)
	l.SetTrainable(false)
	before := map[string][]float32{}
	for _, w := range m.Weights() {
		before[w.Name] = slices.Clone(w.Data)
	}
	_, err = m.TrainOnBatch(d)
	require.NoError(t, err)
	for _, w := range m.Weights() {
		require.Equal(t, w.Name == "vectors/embeddings", slices.Equal(before[w.Name], w.Data), w.Name)
	}
	var b bytes.Buffer
	require.NoError(t, m.Summary(&b))
	require.Contains(t, b.String(), "Non-trainable params: 12 (48.00 B)")
	require.Contains(t, b.String(), "(None, 2, 3)")
}

// Every embedding on an input bounds its values, whichever comes first.
func TestSeveralEmbeddingsOfAnInput(t *testing.T) {
	for _, dims := range [][]int{{5, 3}, {3, 5}} {
		x := Input("x", 1)
		var outputs []*Node
		for i, dim := range dims {
			outputs = append(outputs, Embedding(dim, 1, Name(fmt.Sprint("e", i, "_", dim))).On(x))
		}
		m, err := NewModel([]*Node{x}, outputs)
		require.NoError(t, err)
		_, err = m.Predict(Arrays{"x": Labels{2}})
		require.NoError(t, err)
		_, err = m.Predict(Arrays{"x": Labels{3}})
		require.ErrorContains(t, err, `input "x": layer "e`)
		require.ErrorContains(t, err, "_3")
	}
}
