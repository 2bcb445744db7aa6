package nn_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// The baseline is the number that it was when the callback was made.
func TestBaselineIsCopied(t *testing.T) {
	baseline := 0.0 // no loss beats it
	stop := nn.EarlyStopping{Monitor: "loss", Patience: 2, Baseline: &baseline, MinDelta: 1e6}.Callback()
	baseline = math.Inf(1)
	history, err := watched(t).Fit(context.Background(), onePoint, nn.Epochs(9), nn.Callbacks(stop))
	require.NoError(t, err)
	require.Len(t, history.Epochs, 2)
}

// Weights are copied at every improvement, into memory allocated at the first.
func TestRestoreBestAllocatesOnce(t *testing.T) {
	callback := nn.EarlyStopping{RestoreBest: true}.Callback()
	p := nn.Progress{Model: watched(t), Epochs: 1000, Logs: nn.Logs{"val_loss": 1}}
	require.NoError(t, callback.Begin(p))
	require.NoError(t, callback.EpochEnd(p))
	require.Zero(t, testing.AllocsPerRun(10, func() {
		p.Logs["val_loss"]--
		require.NoError(t, callback.EpochEnd(p))
	}))
}
