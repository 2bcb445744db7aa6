package nn_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// A rate that is as small as float32 has it is not reduced further: training goes on.
func TestSmallestLearningRate(t *testing.T) {
	m := watched(t)
	require.NoError(t, m.SetLearningRate(1e-40))
	_, err := m.Fit(context.Background(), onePoint, nn.Epochs(40), nn.Callbacks(nn.ReduceLROnPlateau{Monitor: "loss", MinDelta: 1e6, Patience: 1}.Callback()))
	require.NoError(t, err)
	require.NotZero(t, float32(m.LearningRate()))
	require.Less(t, m.LearningRate(), 1e-43)
}

// A rate that is below MinLR already stays there.
func TestReduceLRNeverRaises(t *testing.T) {
	for _, floor := range []float64{0.01, 0.02} {
		m := watched(t)
		reduce := nn.ReduceLROnPlateau{Monitor: "loss", MinDelta: 1e6, Patience: 1, MinLR: floor}.Callback()
		_, err := m.Fit(context.Background(), onePoint, nn.Epochs(4), nn.Callbacks(reduce))
		require.NoError(t, err)
		require.Equal(t, 0.01, m.LearningRate())
	}
}
