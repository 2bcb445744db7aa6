package nn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// A value that rises is an improvement only where the maximum is wanted.
func TestMonitorDirection(t *testing.T) {
	for _, c := range []struct {
		monitor, mode string
		max           bool
	}{
		{"val_loss", "", false},
		{"val_label_accuracy", "", true},
		{"accuracy", "", true},
		{"accuracy", "min", false},
		{"label_accuracy_loss", "", false},
		{"value_mae", "", false},
		{"val_loss", "max", true},
		{"auc", "", true},
		{"val_auc", "", true},
		{"val_auc", "min", false},
		{"loss_auc", "", false},
	} {
		callback := nn.EarlyStopping{Monitor: c.monitor, Mode: c.mode}.Callback()
		m := watched(t)
		require.NoError(t, m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}, nn.Metrics{"y": {nn.MAE(), nn.AUC()}}))
		p := nn.Progress{Model: m, Epochs: 2, Logs: nn.Logs{c.monitor: 1}}
		require.NoError(t, callback.Begin(p))
		require.NoError(t, callback.EpochEnd(p))
		p.Epoch, p.Logs[c.monitor] = 1, 2
		err := callback.EpochEnd(p)
		if c.max {
			require.NoError(t, err, c)
		} else {
			require.ErrorIs(t, err, nn.ErrStop, c)
		}
	}
}
