package nn

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var identityCase = layerCase{
	name:  "Identity",
	make:  Identity,
	in:    []Shape{{2, 3}},
	want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] },
	wrong: [][]Shape{{{3}, {3}}},
}

// trunkModel has a trunk of two layers and a head; it is trained a little, saved and read again.
func trunkModel(t *testing.T, opts ...LoadOption) *Model {
	x := Input("x", 3)
	y := Sequential(x, Dense(4, ReLU, Name("trunk")), Dense(3, Tanh), Dense(1, Sigmoid, Name("y")))
	m, err := NewModel([]*Node{x}, []*Node{y}, Seed(3))
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.1), Losses{"y": BinaryCrossentropy()}))
	_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1, 2, 3}}, Targets: Arrays{"y": Floats{1}}})
	require.NoError(t, err)
	again, err := Read(bytes.NewReader(savedBytes(t, m)), opts...)
	require.NoError(t, err)
	return again
}

// From a loaded model: what is inside of it, a model that ends before, and one with a head more, which trains the same weights.
func TestNodeOfLoadedModel(t *testing.T) {
	m := trunkModel(t)
	in := Arrays{"x": Floats{0.5, -1, 2}}
	before, err := m.Predict(in)
	require.NoError(t, err)
	hidden, err := m.Node("dense")
	require.NoError(t, err)
	require.Equal(t, Shape{3}, hidden.Shape())
	cut, err := NewModel(m.Inputs(), []*Node{hidden})
	require.NoError(t, err)
	inside, err := cut.Predict(in)
	require.NoError(t, err)
	require.Len(t, inside["dense"].Data, 3)

	z := Dense(2, Softmax, Name("z")).On(hidden)
	grown, err := NewModel(m.Inputs(), append(m.Outputs(), z))
	require.NoError(t, err)
	after, err := grown.Predict(in)
	require.NoError(t, err)
	requireBits(t, before["y"].Data, after["y"].Data, "y")
	require.NoError(t, grown.Compile(SGD(0.5), Losses{"y": nil, "z": SparseCategoricalCrossentropy()}))
	_, err = grown.TrainOnBatch(Data{Inputs: in, Targets: Arrays{"z": Labels{1}}})
	require.NoError(t, err)
	moved, err := cut.Predict(in)
	require.NoError(t, err)
	require.NotEqual(t, inside["dense"].Data, moved["dense"].Data)
	again, err := Read(bytes.NewReader(savedBytes(t, grown)))
	require.NoError(t, err)
	require.Equal(t, []string{"y", "z"}, again.OutputNames())

	_, err = m.Node("nothing")
	require.ErrorContains(t, err, `has no layer "nothing": it has ["x" "trunk" "dense" "y"]`)
	l := Dense(2, ReLU, Name("twice"))
	a, b := Input("a", 3), Input("b", 3)
	shared, err := NewModel([]*Node{a, b}, []*Node{Add().On(l.On(a), l.On(b))})
	require.NoError(t, err)
	_, err = shared.Node("twice")
	require.ErrorContains(t, err, `calls layer "twice" (Dense) several times`)
}

// Two models of one file are joined under prefixes.
func TestPrefix(t *testing.T) {
	left, right := trunkModel(t, Prefix("left_")), trunkModel(t, Prefix("right_"), ForServing())
	require.Equal(t, []string{"left_x"}, left.InputNames())
	require.Equal(t, "left_trunk/kernel", left.Weights()[0].Name)
	m, err := NewModel(append(left.Inputs(), right.Inputs()...), []*Node{Add(Name("both")).On(left.Outputs()[0], right.Outputs()[0])})
	require.NoError(t, err)
	x := Floats{0.5, -1, 2}
	y, err := m.Predict(Arrays{"left_x": x, "right_x": x})
	require.NoError(t, err)
	one, err := trunkModel(t).Predict(Arrays{"x": x})
	require.NoError(t, err)
	require.Equal(t, 2*one["y"].Data[0], y["both"].Data[0])
	_, err = left.Fit(context.Background(), Data{})
	require.ErrorIs(t, err, ErrNotCompiled)

	file := savedBytes(t, trunkModel(t))
	for _, prefix := range []string{"a/b", "\xff", strings.Repeat("x", maxName)} {
		_, err := Read(bytes.NewReader(file), Prefix(prefix))
		require.ErrorContains(t, err, "prefix ")
	}
}

// Names of outputs: two of one layer, each with the loss that it would have without the name.
func TestNamedOutputs(t *testing.T) {
	build := func(named bool) *Model {
		x := Input("x", 3)
		y := Dense(3, Softmax, Name("y")).On(x)
		outputs := []*Node{y}
		if named {
			outputs = []*Node{Identity(Name("label")).On(y), Identity(Name("shares")).On(y)}
		}
		m, err := NewModel([]*Node{x}, outputs, Seed(4))
		require.NoError(t, err)
		losses := Losses{"y": SparseCategoricalCrossentropy()}
		if named {
			losses = Losses{"label": SparseCategoricalCrossentropy(), "shares": nil}
		}
		require.NoError(t, m.Compile(Adam(0.01), losses))
		require.NotNil(t, m.trainer.heads[0].fused)
		return m
	}
	plain, named := build(false), build(true)
	data := Data{Inputs: Arrays{"x": Floats{1, 2, 3, -1, 0, 200}}, Targets: Arrays{"y": Labels{0, 2}}}
	for range 3 {
		want, err := plain.TrainOnBatch(data)
		require.NoError(t, err)
		got, err := named.TrainOnBatch(Data{Inputs: data.Inputs, Targets: Arrays{"label": Labels{0, 2}}})
		require.NoError(t, err)
		require.Equal(t, want["loss"], got["loss"])
	}
	require.Equal(t, weightBits(plain), weightBits(named))
	p, err := NewPlan(named, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"label", "shares"}, p.OutputNames())
	y, err := named.Predict(data.Inputs)
	require.NoError(t, err)
	requireBits(t, y["label"].Data, y["shares"].Data, "one layer")
}

func TestSequential(t *testing.T) {
	x := Input("x", 3)
	require.Same(t, x, Sequential(x))
	_, err := NewModel([]*Node{x}, []*Node{Sequential(x, Dense(2, ReLU), nil, Dense(0, ReLU))})
	require.ErrorContains(t, err, "is nil")
}
