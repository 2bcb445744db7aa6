package keras

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// compiled returns a model of two outputs that has been trained for some steps.
func compiled(t *testing.T, optimizer nn.Optimizer) *nn.Model {
	t.Helper()
	x := nn.Input("x", 4)
	h := nn.BatchNormalization().On(nn.Dense(6, nn.ReLU).On(x))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("churn")).On(h), nn.Dense(3, nn.Softmax, nn.Name("plan")).On(h)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(optimizer,
		nn.Losses{"churn": nn.BinaryCrossentropy(nn.LabelSmoothing(0.1)), "plan": nn.SparseCategoricalCrossentropy()},
		nn.LossWeights{"churn": 2}, nn.Metrics{"churn": {nn.AUC(), nn.BinaryAccuracy()}, "plan": {nn.Accuracy()}}))
	for range 3 {
		step(t, m)
	}
	return m
}

func step(t *testing.T, m *nn.Model) nn.Logs {
	t.Helper()
	logs, err := m.TrainOnBatch(nn.Data{
		Inputs:  nn.Arrays{"x": nn.Floats{0.1, 0.2, -0.3, 0.4, 1, -1, 0.5, 0.2, 0.7, 0.1, 0, -2}},
		Targets: nn.Arrays{"churn": nn.Floats{0, 1, 1}, "plan": nn.Labels{2, 0, 1}},
	})
	require.NoError(t, err)
	return logs
}

// optimizers are those whose state goes through files.
func optimizers() map[string]nn.Optimizer {
	amsgrad, momentum, centered := nn.Adam(0.01), nn.SGD(0.01), nn.RMSprop(0.01)
	amsgrad.AMSGrad = true
	momentum.Momentum, momentum.Nesterov = 0.9, true
	centered.Momentum, centered.Centered = 0.5, true
	scheduled := nn.AdamW(0.01)
	scheduled.Rate = nn.Rate{Schedule: nn.ExponentialDecay(0.01, 10, 0.5)}
	return map[string]nn.Optimizer{
		"Adam": nn.Adam(0.001), "AMSGrad": amsgrad, "SGD": nn.SGD(0.1), "momentum": momentum, "RMSprop": nn.RMSprop(0.01), "centered": centered,
		"Adagrad": nn.Adagrad(0.01), "Adadelta": nn.Adadelta(0.01), "Adamax": nn.Adamax(0.01), "Ftrl": nn.Ftrl(0.01), "Lion": nn.Lion(0.01),
		"Lamb": nn.Lamb(0.01), "AdamW with a schedule": scheduled,
	}
}

// Training goes on behind a file as if there had been none.
func TestTrainingGoesOn(t *testing.T) {
	for name, optimizer := range optimizers() {
		for _, format := range []string{".keras", ".h5"} {
			t.Run(name+format, func(t *testing.T) {
				m := compiled(t, optimizer)
				path := filepath.Join(t.TempDir(), "model"+format)
				require.NoError(t, Save(m, path))
				again, err := Load(path)
				require.NoError(t, err)
				want, ok := m.Compiled()
				require.True(t, ok)
				have, ok := again.Compiled()
				require.True(t, ok)
				require.Equal(t, want, have)
				state, err := m.OptimizerState()
				require.NoError(t, err)
				same, err := again.OptimizerState()
				require.NoError(t, err)
				require.Equal(t, state, same)
				require.Equal(t, step(t, m), step(t, again))
				requireSame(t, m, again)
			})
		}
	}
}
