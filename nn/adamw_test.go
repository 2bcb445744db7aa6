package nn

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// decaying returns AdamW with a weight decay.
func decaying(rate, decay float64) *AdamWOptimizer {
	o := AdamW(rate)
	o.WeightDecay = decay
	return o
}

// Steps of a constant gradient, beside the formula in float64. The decay follows the learning rate, not Adam's corrected one.
func TestAdamWFormula(t *testing.T) {
	const g, start, decay = 3.0, 50.0, 0.5
	model := plain(t, start, decaying(0.1, decay))
	w, m, v := start, 0.0, 0.0
	for n, rate := range []float64{0.1, 0.1, 0.4, 0.4} {
		require.NoError(t, model.SetLearningRate(rate))
		_, err := model.TrainOnBatch(point(g, 0))
		require.NoError(t, err)
		step := float64(n + 1)
		w -= rate * decay * w
		m, v = 0.9*m+0.1*g, 0.999*v+0.001*g*g
		w -= rate * math.Sqrt(1-math.Pow(0.999, step)) / (1 - math.Pow(0.9, step)) * m / (math.Sqrt(v) + 1e-7)
		require.InDelta(t, w, model.Weights()[0].Data[0], 2e-5, "step %d", n)
	}
	require.Equal(t, 0.004, AdamW(1).WeightDecay)
}

// Gradients of many sizes, beside Keras.
func TestAdamWKeras(t *testing.T) {
	var golden struct {
		Weights   []float32
		Gradients [][]float32
		After     []struct {
			WeightDecay float64 `json:"weight_decay"`
			Step        int
			Weights     []float64
		}
	}
	text, err := os.ReadFile("testdata/adamw.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &golden))
	require.Len(t, golden.After, 6)
	for _, after := range golden.After {
		for _, table := range kernels.Tables() {
			m, step := newGiven(t, decaying(0.001, after.WeightDecay), [][]float32{golden.Weights}, []Shape{{len(golden.Weights)}})
			m.trainer.table = table
			for _, g := range golden.Gradients[:after.Step] {
				require.NoError(t, step([][]float32{g}))
			}
			for i, v := range m.Weights()[0].Data {
				want := after.Weights[i]
				require.InDelta(t, want, v, 1e-6*(1+math.Abs(want)), "%s, weight decay %v, step %d, weight %d", table.ISA, after.WeightDecay, after.Step, i)
			}
		}
	}
}

// A decay so small that 1 minus it is not a float32 is right in the mean of many weights.
func TestAdamWSmallDecay(t *testing.T) {
	const n, rate = 1000, 1e-5
	w, start, end := make([]float32, n), 0.0, 0.0
	for i := range w {
		w[i] = 1 + float32(i)/n
		start += float64(w[i])
	}
	m, step := newGiven(t, AdamW(1), [][]float32{w}, []Shape{{n}})
	require.NoError(t, m.SetLearningRate(rate)) // the step's rate counts
	require.NoError(t, step([][]float32{make([]float32, n)}))
	for _, v := range m.Weights()[0].Data {
		end += float64(v)
	}
	require.InEpsilon(t, 0.004*rate, (start-end)/start, 0.05)
}

// Without weight decay it is Adam, to the bit; a zero gradient leaves the decay alone, also in rows of an embedding that are
// not looked up.
func TestAdamWDecay(t *testing.T) {
	d := tandemData(20)
	fit := func(o Optimizer) []uint32 {
		m := tandem(t, o)
		_, err := m.Fit(context.Background(), d, BatchSize(6), Epochs(3))
		require.NoError(t, err)
		return imprint(t, m, d)
	}
	require.Equal(t, fit(Adam(0.05)), fit(decaying(0.05, 0)))
	require.NotEqual(t, fit(Adam(0.05)), fit(AdamW(0.05)))

	m, _ := worded(t)
	require.NoError(t, m.Compile(decaying(0.5, 0.5), Losses{"y": MSE()}))
	vectors := m.Weights()[0]
	require.Equal(t, "vectors/embeddings", vectors.Name)
	before := slices.Clone(vectors.Data)
	_, err := m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1}, "words": Floats{0, 1}}, Targets: Arrays{"y": Floats{1}}})
	require.NoError(t, err)
	for i, v := range vectors.Data {
		if want := 0.75 * before[i]; i < 6 { // words 0 and 1
			require.NotEqual(t, want, v)
		} else {
			require.Equal(t, want, v)
		}
	}
}

// A file has the decay, and a loaded model goes on to the same bits.
func TestAdamWSaved(t *testing.T) {
	ctx, d := context.Background(), tandemData(20)
	for config, o := range map[string]*AdamWOptimizer{
		`{}`: AdamW(0.001),
		`{"learning_rate":0.05,"weight_decay":0.2}`: decaying(0.05, 0.2),
	} {
		m := tandem(t, o)
		_, err := m.Fit(ctx, d, BatchSize(6), Epochs(2))
		require.NoError(t, err)
		b := savedBytes(t, m)
		want, err := encodeJSON(`"optimizer":{"class_name":"AdamW","config":` + config + `}`)
		require.NoError(t, err)
		require.Contains(t, string(b), string(want[1:len(want)-1]))
		loaded, err := parse(b)
		require.NoError(t, err)
		require.Equal(t, o, loaded.trainer.optimizer)
		for _, m := range []*Model{m, loaded} {
			_, err := m.Fit(ctx, d, BatchSize(6), InitialEpoch(2), Epochs(4))
			require.NoError(t, err)
		}
		require.Equal(t, savedBytes(t, m), savedBytes(t, loaded))
	}
}

func TestAdamWErrors(t *testing.T) {
	for want, o := range map[string]*AdamWOptimizer{
		"weight decay -1 must be finite and not negative, in float32":    decaying(1, -1),
		"weight decay NaN must be finite":                                decaying(1, math.NaN()),
		"weight decay 1e+39 must be finite":                              decaying(1, 1e39),
		"weight decay 1e-60 is 0 in float32":                             decaying(1, 1e-60),
		"learning rate 1e+20 times weight decay 1e+20 is beyond float32": decaying(1e20, 1e20),
		"beta 1 2 is not in [0, 1)":                                      set(AdamW(1), func(o *AdamWOptimizer) { o.Beta1 = 2 }),
		"learning rate -1 must be finite and not negative":               AdamW(-1),
	} {
		x := Input("x", 1)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(x)})
		require.NoError(t, err)
		requireError(t, m.Compile(o, Losses{"y": MSE()}), "nn: Compile: optimizer adamw: "+want)
	}
}
