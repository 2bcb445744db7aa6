package nn_test

import (
	"context"
	"fmt"
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
		{"label_accuracy", "auto", true},
		{"mae", "", false},
		{"value_mae", "min", false},
		{"val_loss", "max", true},
		{"auc", "", true},
		{"val_auc", "", true},
		{"val_auc", "min", false},
		{"loss_auc", "max", true},
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

// Nobody knows what is better of a log that a callback adds, or of a metric that does not say.
func TestMonitorOfUnknownDirection(t *testing.T) {
	add := nn.Callback{Logs: []string{"gap", "my_loss"}, EpochEnd: func(p nn.Progress) error { p.Logs["gap"], p.Logs["my_loss"] = 1, 1; return nil }}
	for _, log := range add.Logs {
		want := fmt.Sprintf("EarlyStopping: whether log %q is to rise or to fall is not known: give a Mode, \"min\" or \"max\"", log)
		_, err := watched(t).Fit(context.Background(), onePoint, nn.Callbacks(add, nn.EarlyStopping{Monitor: log}.Callback()))
		require.EqualError(t, err, "nn: Fit: "+want)
		_, err = watched(t).Fit(context.Background(), onePoint, nn.Callbacks(add, nn.EarlyStopping{Monitor: log, Mode: "min"}.Callback()))
		require.NoError(t, err)
	}
}
