package nn

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Dropout acts in training alone: not in Evaluate, nor in the validation of Fit, nor in Predict.
func TestDropoutActsInTraining(t *testing.T) {
	const n = 64
	x := Input("x", n)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(Dropout(0.5).On(x))})
	require.NoError(t, err)
	ones, kernel := make(Floats, 4*n), make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	for i := range kernel {
		kernel[i] = 1.0 / n
	}
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": kernel}))
	require.NoError(t, m.Compile(SGD(0), Losses{"y": MSE()}, Metrics{"y": {MAE()}}))
	d := Data{Inputs: Arrays{"x": ones}, Targets: Arrays{"y": make(Floats, 4)}}

	y, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 1, 1, 1}, y["y"].Data)
	logs, err := m.Evaluate(context.Background(), d, BatchSize(3))
	require.NoError(t, err)
	require.Equal(t, Logs{"loss": 1, "mae": 1}, logs)
	history, err := m.Fit(context.Background(), d, ValidationData(d))
	require.NoError(t, err)
	require.Equal(t, []float64{1}, history.Logs["val_loss"])
	require.NotEqual(t, []float64{1}, history.Logs["loss"])
	require.InDelta(t, 1, history.Logs["loss"][0], 0.5)
}

// Each call of a layer, each layer, each row and each step has a mask of its own.
func TestDropoutMasks(t *testing.T) {
	const n = 64
	x := Input("x", n)
	drop, other := Dropout(0.5), Dropout(0.5)
	a, b, c := drop.On(x), drop.On(x), other.On(x)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias(), Name("y")).On(Concatenate().On(a, b, c))})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(1), Losses{"y": MAE()}))
	ones := make(Floats, n)
	for i := range ones {
		ones[i] = 1
	}
	// The target is far above, so a step adds to each weight of the kernel what its column of x has behind the mask.
	seen := map[[n]float32]bool{}
	for range 3 {
		require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": make([]float32, 3*n)}))
		_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": ones}, Targets: Arrays{"y": Floats{1e6}}})
		require.NoError(t, err)
		k := m.Weights()[0].Data
		for call := range 3 {
			mask := [n]float32(k[call*n:])
			require.False(t, seen[mask], "a mask comes back")
			seen[mask] = true
			kept := 0
			for _, v := range mask {
				require.True(t, v == 0 || v == 2)
				kept += int(v) / 2
			}
			require.InDelta(t, n/2, kept, 20)
		}
	}
	two := append(append(Floats{}, ones...), ones...)
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": make([]float32, 3*n)}))
	_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": two}, Targets: Arrays{"y": Floats{1e6, 1e6}}})
	require.NoError(t, err)
	require.Contains(t, m.Weights()[0].Data, float32(1), "kept in one row and not in the other")
}
