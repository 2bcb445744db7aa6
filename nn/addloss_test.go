package nn

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var addLossCase = layerCase{
	name:  "AddLoss",
	make:  func(o ...LayerOption) *Layer { return AddLoss(0.5, o...) },
	in:    []Shape{{2, 3}, {4}, {1}},
	want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] },
	wrong: [][]Shape{{{3}}},
}

var activityRegularizationCase = layerCase{
	name:  "ActivityRegularization",
	make:  func(o ...LayerOption) *Layer { return ActivityRegularization(0.1, 0.2, o...) },
	in:    []Shape{{2, 3}},
	want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] },
	wrong: [][]Shape{{{3}, {3}}},
}

// termModel has a loss of its output and one of a term that only training needs, of which the loss has 0.25 times the mean.
func termModel(t *testing.T, weight float64) *Model {
	x := Input("x", 2)
	code := Dense(2, Tanh, Name("code")).On(x)
	term := Multiply().On(code, Dense(2, Linear, Name("other")).On(code))
	y := Dense(1, Sigmoid, Name("p")).On(code)
	m, err := NewModel([]*Node{x}, []*Node{AddLoss(weight, Name("y")).On(ActivityRegularization(0.1, 0.2).On(y), term)}, Seed(2))
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.1), Losses{"y": BinaryCrossentropy()}))
	return m
}

// The loss beside its formula in float64, and what a step of SGD changes beside differences of that formula.
func TestAddLoss(t *testing.T) {
	const weight = 0.25
	m := termModel(t, weight)
	x, y := Floats{1, -0.5, 0.25, 2, -1, 0.75}, Floats{1, 0, 1}
	data := Data{Inputs: Arrays{"x": x}, Targets: Arrays{"y": y}}
	p := map[string][]float64{}
	for _, w := range m.weights {
		p[w.Name] = float64s(w.Data)
	}
	formula := func() (sum float64) {
		for i := range 3 {
			code := eachValue(denseOf(float64s(x[2*i:2*i+2]), p["code/kernel"], p["code/bias"], 2, 2), math.Tanh)
			other := denseOf(code, p["other/kernel"], p["other/bias"], 2, 2)
			out := 1 / (1 + math.Exp(-denseOf(code, p["p/kernel"], p["p/bias"], 2, 1)[0]))
			t := float64(y[i])
			sum += -t*math.Log(out) - (1-t)*math.Log(1-out)
			sum += 0.1*out + 0.2*out*out
			sum += weight * (code[0]*other[0] + code[1]*other[1])
		}
		return sum / 3
	}
	want := formula()
	logs, err := m.Evaluate(context.Background(), data)
	require.NoError(t, err)
	require.InEpsilon(t, want, logs["loss"], 1e-6)
	require.Len(t, logs, 1)

	gradients := map[string][]float64{}
	for name, values := range p {
		for i, v := range values {
			values[i] = v + 1e-5
			up := formula()
			values[i] = v - 1e-5
			gradients[name] = append(gradients[name], (up-formula())/2e-5)
			values[i] = v
		}
	}
	logs, err = m.TrainOnBatch(data)
	require.NoError(t, err)
	require.InEpsilon(t, want, logs["loss"], 1e-6)
	for _, w := range m.weights {
		for i, v := range w.Data {
			require.InDelta(t, p[w.Name][i]-0.1*gradients[w.Name][i], v, 1e-6, "%s %d", w.Name, i)
		}
	}

	// A file has it, and a plan computes nothing for it.
	again, err := Read(bytes.NewReader(savedBytes(t, m)))
	require.NoError(t, err)
	for _, m := range []*Model{m, again} {
		_, err := m.TrainOnBatch(data)
		require.NoError(t, err)
	}
	require.Equal(t, savedBytes(t, m), savedBytes(t, again))
	plan, err := NewPlan(m, 3)
	require.NoError(t, err)
	var steps bytes.Buffer
	require.NoError(t, plan.Describe(&steps))
	require.NotContains(t, steps.String(), "other")
	have := [][]float32{make([]float32, 3)}
	require.NoError(t, plan.Predict([][]float32{x}, have, 3))
	predicted, err := m.Predict(Arrays{"x": x})
	require.NoError(t, err)
	requireBits(t, predicted["y"].Data, have[0], "plan")
}

func TestAddLossErrors(t *testing.T) {
	for _, weight := range []float64{math.NaN(), math.Inf(1), 1e-60} {
		x := Input("x", 2)
		_, err := NewModel([]*Node{x}, []*Node{AddLoss(weight, Name("y")).On(x, x)})
		require.ErrorContains(t, err, `layer "y" (AddLoss): weight `)
	}
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{AddLoss(1e38, Name("y")).On(Dense(1, Linear).On(x), x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.1), Losses{"y": MSE()}))
	_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1e3}}, Targets: Arrays{"y": Floats{1}}})
	require.ErrorIs(t, err, ErrNonFinite)
	require.ErrorContains(t, err, `the penalty of a term of layer "y"`)
}

// Several losses on one output, and metrics of a prediction with any target: each is an output with a name of its own. The
// values are computed once, and the losses add up as if they were one.
func TestSeveralLosses(t *testing.T) {
	build := func(losses Losses, weights LossWeights) *Model {
		x := Input("x", 2)
		h := Dense(1, Sigmoid, Name("p"), KernelInitializer(Constant(0.5))).On(x)
		outputs := []*Node{h}
		for _, name := range []string{"b", "c"} {
			if _, ok := losses[name]; ok {
				outputs = append(outputs, Identity(Name(name)).On(h))
			}
		}
		m, err := NewModel([]*Node{x}, outputs)
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(0.1), losses, weights, Metrics{outputs[len(outputs)-1].name(): {MAE()}}))
		return m
	}
	x, y, other := Floats{1, 2, 3, 4}, Floats{1, 0}, Floats{0.5, 0.25}
	alone := build(Losses{"p": MSE()}, nil)
	same := build(Losses{"p": MSE(), "b": MSE(), "c": MAE()}, LossWeights{"p": 0.25, "b": 0.75, "c": 0})
	a, err := alone.TrainOnBatch(Data{Inputs: Arrays{"x": x}, Targets: Arrays{"p": y}})
	require.NoError(t, err)
	b, err := same.TrainOnBatch(Data{Inputs: Arrays{"x": x}, Targets: Arrays{"p": y, "b": y, "c": other}})
	require.NoError(t, err)
	require.InDelta(t, a["loss"], b["loss"], 1e-7)
	require.InDelta(t, a["loss"], b["p_loss"], 1e-7)
	require.InDelta(t, a["loss"], b["b_loss"], 1e-7)
	require.InDelta(t, b["c_loss"], b["c_mae"], 1e-7)
	for i, w := range alone.weights {
		for j, v := range w.Data {
			require.InDelta(t, v, same.weights[i].Data[j], 1e-7)
		}
	}
	plan, err := NewPlan(same, 2)
	require.NoError(t, err)
	require.Equal(t, 3, len(plan.OutputNames()))
}
