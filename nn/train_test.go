package nn

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// A training step on a batch of a size that has been seen allocates nothing.
func TestStepAllocations(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	momentum := SGD(0.001)
	momentum.Momentum = 0.9
	optimizers := map[string]Optimizer{"sgd": SGD(0.001), "momentum": momentum, "adam": Adam(0.001), "rmsprop": RMSprop(0.001)}
	zero := func(t *testing.T, m *Model, d Data) {
		step := func() {
			_, err := m.TrainOnBatch(d)
			require.NoError(t, err)
		}
		step()
		step() // the first one has told the tape how much memory it needs
		require.Zero(t, testing.AllocsPerRun(20, step))
	}
	for _, served := range servedModels[:4] {
		for name, optimizer := range optimizers {
			if served.name == "large" && name != "adam" {
				continue // they differ in nothing but time
			}
			t.Run(served.name+"/"+name, func(t *testing.T) {
				m, err := served.build()
				require.NoError(t, err)
				d := trainingData(t, m, optimizer, 9)
				zero(t, m, d)
			})
		}
	}
	x, c := Input("x", 3), Input("c", 2)
	wide := Concatenate().On(Reshape([]int{1, 3}).On(x), Reshape([]int{1, 2}).On(c))
	rank2, err := NewModel([]*Node{x, c}, []*Node{
		Dense(4, Softmax, Name("label")).On(Flatten().On(wide)),
		Dense(2, Tanh, Name("value")).On(Multiply().On(x, x)),
	})
	require.NoError(t, err)
	require.NoError(t, rank2.Compile(RMSprop(0.01), Losses{"label": SparseCategoricalCrossentropy(), "value": MAE()}))
	t.Run("rank 2", func(t *testing.T) { zero(t, rank2, tandemData(16)) })
	t.Run("dropout", func(t *testing.T) { zero(t, noisy(t), tandemData(16)) })
	t.Run("embedding", func(t *testing.T) {
		id := Input("id", 2)
		m, err := NewModel([]*Node{id}, []*Node{Dense(1, Sigmoid, Name("y")).On(Flatten().On(Embedding(5, 3).On(id)))})
		require.NoError(t, err)
		require.NoError(t, m.Compile(Adam(0.01), Losses{"y": BinaryCrossentropy()}, Metrics{"y": {Accuracy()}}))
		zero(t, m, Data{Inputs: Arrays{"id": Labels{0, 1, 4, 3}}, Targets: Arrays{"y": Labels{0, 1}}})
	})
}
