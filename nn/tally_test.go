package nn

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Five rows in batches of two: the last batch has one row and counts half as much. Errors are 1, 2, 3, 4, 5.
func TestEpochLogs(t *testing.T) {
	d := Data{Inputs: Arrays{"x": Floats{1, 2, 3, 4, 5}}, Targets: Arrays{"y": Floats{0, 0, 0, 0, 0}}}
	m := linear(t, 1, 0, MSE(), MAE())
	var rows []float64
	history, err := m.Fit(context.Background(), d, BatchSize(2), Shuffle(false), ValidationData(firstRows(d, 3)),
		Callbacks(Callback{BatchEnd: func(p Progress) error { rows = append(rows, p.Logs["loss"]); return nil }}))
	require.NoError(t, err)
	require.Equal(t, []string{"loss", "mae", "val_loss", "val_mae"}, history.Names())
	require.Equal(t, []float64{5.0 / 2, 30.0 / 4, 55.0 / 5}, rows)
	require.Equal(t, map[string][]float64{"loss": {11}, "mae": {3}, "val_loss": {14.0 / 3}, "val_mae": {2}}, history.Logs)

	weighted := d
	weighted.SampleWeights = map[string][]float32{"y": {1, 0, 2, 1, 0.5}}
	logs, err := m.Evaluate(context.Background(), weighted, BatchSize(2))
	require.NoError(t, err) // the mean divides by the rows, not by the weights; metrics do not see weights
	require.InDelta(t, (1+0+18+16+12.5)/5, logs["loss"], 1e-6)
	require.Equal(t, 3.0, logs["mae"])

	logs, err = m.TrainOnBatch(weighted)
	require.NoError(t, err)
	require.InDelta(t, (1+0+18+16+12.5)/5, logs["loss"], 1e-6)
}

func TestLogsOfTwoOutputs(t *testing.T) {
	d := tandemData(12)
	m := tandem(t, SGD(0))
	full, err := m.Evaluate(context.Background(), d, BatchSize(5))
	require.NoError(t, err)
	require.Len(t, full, 5)
	require.InDelta(t, full["label_loss"]+full["value_loss"], full["loss"], 1e-12)

	losses := Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()}
	require.NoError(t, m.Compile(SGD(0), losses, LossWeights{"label": 3, "value": 0.5}))
	weighted, err := m.Evaluate(context.Background(), d, BatchSize(5))
	require.NoError(t, err)
	require.Equal(t, Logs{
		"label_loss": full["label_loss"], "value_loss": full["value_loss"],
		"loss": float64(3*full["label_loss"]) + float64(0.5*full["value_loss"]), // some targets fuse products that are not converted
	}, weighted)

	require.NoError(t, m.Compile(SGD(0.1), Losses{"label": nil, "value": MSE()}))
	one := d
	one.Targets = Arrays{"value": d.Targets["value"]}
	logs, err := m.Evaluate(context.Background(), one, BatchSize(5))
	require.NoError(t, err)
	require.Equal(t, Logs{"value_loss": full["value_loss"], "loss": full["value_loss"]}, logs)
	label, err := m.Layer("label")
	require.NoError(t, err)
	before := slices.Clone(label.params[0].value.Data)
	_, err = m.Fit(context.Background(), one)
	require.NoError(t, err)
	require.Equal(t, before, label.params[0].value.Data, "an output without a loss does not learn")
	all, err := m.Evaluate(context.Background(), d, BatchSize(5))
	require.NoError(t, err)
	logs, err = m.Evaluate(context.Background(), one, BatchSize(5))
	require.NoError(t, err)
	require.Equal(t, logs, all, "a target that no loss needs is not used")
}
