package nn

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Errors of several columns count their mean, however the batches lie.
func TestErrorsOfColumns(t *testing.T) {
	x := Input("x", 2)
	m, err := NewModel([]*Node{x}, []*Node{Dense(2, Linear, NoBias(), Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {1, 0, 0, 1}}))
	require.NoError(t, m.Compile(SGD(0), Losses{"y": MSE()}, Metrics{"y": {MSE(), MAE()}}))
	d := Data{Inputs: Arrays{"x": Floats{1, 2, 3, 4, 5, 6}}, Targets: Arrays{"y": Floats{0, 0, 3, 8, 5, -2}}}
	for _, size := range []int{1, 2, 3} {
		logs, err := m.Evaluate(context.Background(), d, BatchSize(size))
		require.NoError(t, err)
		want := (1.0 + 4 + 16 + 64) / 2 / 3
		require.InDelta(t, want, logs["loss"], 1e-6)
		require.Equal(t, Logs{"loss": logs["loss"], "mse": want, "mae": (1.0 + 2 + 4 + 8) / 2 / 3}, logs)
	}
}
