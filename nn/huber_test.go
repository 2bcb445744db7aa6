package nn

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// What Keras 3.15.1 has in float64: the losses of five rows, and the gradients of their mean without and with sample weights.
func TestHuberKeras(t *testing.T) {
	y := []float32{-0.23036964, 0.66183394, 2.0710146, -0.18140577, -0.5145848, -1.9454834, 0.43354085, 1.0529555, 0.22501899, -0.20224164, -0.4744972, 1.4217129, -0.98905927, 0.82037795, 0.25722486}
	p := []float32{0.3638458, -0.5982352, 1.4231102, -1.4690362, 2.4473975, 0.8992764, -1.4211076, -0.16792658, 1.3895968, 0.58988374, 0.3351134, 1.2618548, -0.2476863, 0.3499527, 0.365611}
	weights := []float32{0.56355536, 0, 1.606049, 1.8151037, 1.6908605}
	for _, c := range []struct {
		delta                 float64
		loss, equal, weighted []float64
	}{
		{1,
			[]float64{0.38216839276943454, 1.8647908419370651, 0.9133694718281428, 0.2180810964230486, 0.13044689196220371},
			[]float64{0.039614362517992656, -0.06666666666666667, -0.043193626403808597, -0.06666666666666667, 0.06666666666666667, 0.06666666666666667, -0.06666666666666667, -0.06666666666666667, 0.06666666666666667, 0.052808359265327454, 0.05397404034932454, -0.010657207171122233, 0.04942486484845479, -0.03136168320973714, 0.007225741942723592},
			[]float64{0.02232488632367513, -0.03757035732269287, -0.024341999670809855, 0, 0, 0, -0.10706992944081624, -0.10706992944081624, 0.10706992944081624, 0.09585264565792251, 0.09796847764833008, -0.019343935636102098, 0.08357055217803454, -0.05302823166247398, 0.012217721705480264}},
		{0.3,
			[]float64{0.20521889656782152, 0.6644372525811195, 0.37901084154844283, 0.13443270184778622, 0.0931377475856442},
			[]float64{0.02, -0.02, -0.02, -0.02, 0.02, 0.02, -0.02, -0.02, 0.02, 0.02, 0.02, -0.010657207171122233, 0.02, -0.02, 0.007225741942723592},
			[]float64{0.01127110719680786, -0.01127110719680786, -0.01127110719680786, 0, 0, 0, -0.03212097883224487, -0.03212097883224487, 0.03212097883224487, 0.03630207300186157, 0.03630207300186157, -0.019343935636102098, 0.03381721019744873, -0.03381721019744873, 0.012217721705480264}},
	} {
		mean := func(weights ...float32) []float32 {
			for i := range weights {
				weights[i] /= 5
			}
			return weights
		}
		for _, r := range []struct {
			weights []float32
			grad    []float64
		}{{mean(1, 1, 1, 1, 1), c.equal}, {mean(slices.Clone(weights)...), c.weighted}} {
			loss, grad := make([]float32, 5), make([]float32, 15)
			target := Target{Values: kernels.MatrixOf(y, 5, 3)}
			h := Huber(c.delta).(*huber)
			require.NoError(t, h.Rows(loss, kernels.MatrixOf(grad, 5, 3), kernels.MatrixOf(p, 5, 3), target, r.weights))
			require.InDeltaSlice(t, c.loss, loss, 1.5e-7)
			require.InDeltaSlice(t, r.grad, grad, 1e-8)
			again := make([]float32, 5)
			require.NoError(t, h.Rows(again, kernels.Matrix{}, kernels.MatrixOf(p, 5, 3), target, r.weights))
			require.Equal(t, loss, again, "without a gradient")
		}
	}
}

// huberModel is a model of two columns with a Huber loss.
func huberModel(t testing.TB, delta float64, optimizer Optimizer) (*Model, Data) {
	x := Input("x", 3)
	m, err := NewModel([]*Node{x}, []*Node{Dense(2, Linear, Name("y")).On(Dense(5, Tanh, Name("h")).On(x))}, Seed(1))
	require.NoError(t, err)
	require.NoError(t, m.Compile(optimizer, Losses{"y": Huber(delta)}))
	y := savedRows(12, 2)
	for i := range y {
		y[i] *= 3
	}
	return m, Data{Inputs: Arrays{"x": savedRows(12, 3)}, Targets: Arrays{"y": y}}
}

// Gradients beside differences of the loss; errors lie on both sides of delta.
func TestHuberGradients(t *testing.T) {
	for _, delta := range []float64{0.5, 1.5, 100} {
		m, d := huberModel(t, delta, SGD(1))
		before := map[string][]float32{}
		for _, w := range m.Weights() {
			before[w.Name] = slices.Clone(w.Data)
		}
		_, err := m.TrainOnBatch(d) // w - gradient
		require.NoError(t, err)
		gradients := map[string][]float32{}
		for _, w := range m.Weights() {
			for i, v := range w.Data {
				gradients[w.Name] = append(gradients[w.Name], before[w.Name][i]-v)
			}
		}
		require.NoError(t, m.SetWeights(before))
		lossAt := func(w *Weight, i int, v float32) float64 {
			defer func(old float32) { w.Data[i] = old }(w.Data[i])
			w.Data[i] = v
			logs, err := m.Evaluate(context.Background(), d)
			require.NoError(t, err)
			return logs["loss"]
		}
		for _, w := range m.Weights() {
			for i, v := range w.Data {
				const step = 1.0 / 128
				difference := (lossAt(w, i, v+step) - lossAt(w, i, v-step)) / (2 * step)
				require.InDelta(t, difference, gradients[w.Name][i], 3e-4, "delta %v, %s %d", delta, w.Name, i)
			}
		}
	}
}

// A large delta makes it half of MSE, and a small one delta times MAE.
func TestHuberLimits(t *testing.T) {
	p, y := kernels.MatrixOf([]float32{0.5, -2, 3, 0}, 2, 2), Target{Values: kernels.MatrixOf([]float32{1, 1, 1, 1}, 2, 2)}
	loss, weights := make([]float32, 2), []float32{1, 1}
	require.NoError(t, Huber(3).(*huber).Rows(loss, kernels.Matrix{}, p, y, weights)) // 3 is the largest error
	require.Equal(t, []float32{(0.25 + 9) / 4, (4 + 1) / 4.0}, loss)
	require.NoError(t, Huber(0x1p-20).(*huber).Rows(loss, kernels.Matrix{}, p, y, weights))
	require.InDeltaSlice(t, []float32{(0.5 + 3) / 2 * 0x1p-20, (2 + 1) / 2.0 * 0x1p-20}, loss, 1e-11)
}

// A file has delta, and a loaded model goes on to the same bits.
func TestHuberSaved(t *testing.T) {
	for config, delta := range map[string]float64{`{}`: 1, `{"delta":0.3}`: 0.3} {
		m, d := huberModel(t, delta, Adam(0.01))
		b := savedBytes(t, m)
		want, err := encodeJSON(`"loss":{"class_name":"Huber","config":` + config + `}`)
		require.NoError(t, err)
		require.Contains(t, string(b), string(want[1:len(want)-1]))
		loaded, err := parse(b)
		require.NoError(t, err)
		require.Equal(t, Huber(delta), loaded.trainer.heads[0].loss)
		for _, m := range []*Model{m, loaded} {
			_, err := m.Fit(context.Background(), d, BatchSize(5), Epochs(3))
			require.NoError(t, err)
		}
		require.Equal(t, savedBytes(t, m), savedBytes(t, loaded))
	}
}

func TestHuberAllocations(t *testing.T) {
	m, d := huberModel(t, 1, SGD(0.01))
	require.Zero(t, testing.AllocsPerRun(20, func() {
		if _, err := m.TrainOnBatch(d); err != nil {
			t.Fatal(err)
		}
	}))
}

func TestHuberErrors(t *testing.T) {
	for _, delta := range []float64{0, -1, 1e-60, 1e39, math.Inf(1), math.NaN()} {
		x := Input("x", 1)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(x)})
		require.NoError(t, err)
		err = m.Compile(SGD(1), Losses{"y": Huber(delta)})
		requireError(t, err, `nn: Compile: output "y": loss huber_loss: delta `, " must be positive and finite in float32")
	}
	tape := autograd.NewTape(kernels.Default())
	Huber(1).Loss(tape, tape.Param(kernels.MatrixOf([]float32{1, 2}, 1, 2)), Target{Values: kernels.MatrixOf([]float32{1}, 1, 1)}, nil)
	require.ErrorIs(t, tape.Err(), kernels.ErrShape)
	require.ErrorContains(t, tape.Err(), "huber_loss: targets of 1 columns for an output of 2")
}
