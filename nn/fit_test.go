package nn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSeeds(t *testing.T) {
	d := tandemData(50)
	type run struct {
		weights []uint32
		logs    map[string][]uint64
	}
	fit := func(model uint64, opts ...FitOption) run {
		m := noisy(t, Seed(model))
		h, err := m.Fit(context.Background(), d, append([]FitOption{Epochs(3), BatchSize(16), ValidationSplit(0.2)}, opts...)...)
		require.NoError(t, err)
		return run{weightBits(m), logBits(h)}
	}
	first := fit(1, Seed(2))
	require.Equal(t, first, fit(1, Seed(2)))
	require.Equal(t, fit(1), fit(1, Seed(1)), "Fit's seed is the model's unless it is given")
	require.NotEqual(t, fit(1, Seed(2), Shuffle(false)), first)
	require.Equal(t, fit(1, Seed(2), Shuffle(false)), fit(1, Seed(2), Shuffle(false)))
	for _, other := range []run{fit(1, Seed(3)), fit(2, Seed(2)), fit(1, Seed(3), Shuffle(false)), fit(1, Seed(2), Shuffle(false))} {
		require.NotEqual(t, first.weights, other.weights)
		require.NotEqual(t, first.logs["loss"], other.logs["loss"])
	}
	require.NotEqual(t, fit(1, Seed(2), Shuffle(false)).weights, fit(1, Seed(3), Shuffle(false)).weights, "dropout")
}

// Epochs differ in their order and their masks, and a second Fit goes on where one longer Fit would.
func TestFitContinues(t *testing.T) {
	d := tandemData(20)
	whole, parts := noisy(t), noisy(t)
	_, err := whole.Fit(context.Background(), d, Epochs(4), BatchSize(8))
	require.NoError(t, err)
	for epoch := range 4 {
		_, err := parts.Fit(context.Background(), d, Epochs(epoch+1), InitialEpoch(epoch), BatchSize(8))
		require.NoError(t, err)
	}
	require.Equal(t, weightBits(whole), weightBits(parts))
}

// What would train the model while it is trained is ErrBusy, and the one that came first goes on as if alone.
func TestBusy(t *testing.T) {
	ctx, d := context.Background(), tandemData(20)
	var errs []error
	intrude := func(m *Model) {
		history, err := m.Fit(ctx, d)
		errs = append(errs, err)
		require.Empty(t, history.Epochs)
		_, err = m.TrainOnBatch(d)
		errs = append(errs, err)
		errs = append(errs, m.Compile(SGD(0), Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()}))
	}
	requireBusy := func(t *testing.T, calls int) {
		t.Helper()
		require.Len(t, errs, 3*calls)
		for i, err := range errs {
			require.ErrorIs(t, err, ErrBusy)
			requireError(t, err, []string{"nn: Fit: ", "nn: TrainOnBatch: ", "nn: Compile: "}[i%3])
		}
		errs = nil
	}
	stream := func(m *Model, intrude func(*Model)) Stream {
		return func() iter.Seq2[Data, error] {
			return func(yield func(Data, error) bool) {
				intrude(m)
				yield(d, nil)
			}
		}
	}
	alone := noisy(t)
	_, err := alone.Fit(ctx, d, Epochs(2), BatchSize(16))
	require.NoError(t, err)
	t.Run("callbacks", func(t *testing.T) {
		m := noisy(t)
		call := func(p Progress) error { intrude(p.Model); return nil }
		_, err := m.Fit(ctx, d, Epochs(2), BatchSize(16), Callbacks(Callback{Begin: call, BatchEnd: call, EpochEnd: call, End: call}))
		require.NoError(t, err)
		requireBusy(t, 1+4+2+1)
		require.Equal(t, weightBits(alone), weightBits(m))
	})
	t.Run("stream", func(t *testing.T) {
		m := noisy(t)
		_, err := m.Fit(ctx, stream(m, intrude), Epochs(2), BatchSize(16), ValidationData(stream(m, intrude)))
		require.NoError(t, err)
		requireBusy(t, 4)
		require.Equal(t, weightBits(alone), weightBits(m))
	})
	t.Run("callback that passes it on", func(t *testing.T) {
		_, err := noisy(t).Fit(ctx, d, Callbacks(Callback{EpochEnd: func(p Progress) error { _, err := p.Model.Fit(ctx, d); return err }}))
		require.ErrorIs(t, err, ErrBusy)
	})
	t.Run("another model", func(t *testing.T) {
		m, other := noisy(t), noisy(t)
		_, err := m.Fit(ctx, d, Epochs(2), BatchSize(16), Callbacks(Callback{EpochEnd: func(p Progress) error {
			_, err := other.Fit(ctx, d, Epochs(p.Epoch+1), InitialEpoch(p.Epoch), BatchSize(16))
			return err
		}}))
		require.NoError(t, err)
		require.Equal(t, weightBits(alone), weightBits(m))
		require.Equal(t, weightBits(alone), weightBits(other))
	})
	// However a call ends, the next one works.
	for name, end := range map[string]func(m *Model) error{
		"error": func(m *Model) error { _, err := m.Fit(ctx, d, BatchSize(0)); return err },
		"callback": func(m *Model) error {
			_, err := m.Fit(ctx, d, Epochs(0), Callbacks(Callback{Begin: func(Progress) error { panic(1) }}))
			return err
		},
		"stream": func(m *Model) (err error) {
			defer func() { err = recover().(error) }()
			_, err = m.Fit(ctx, stream(m, func(*Model) { panic(errors.New("no more")) }), Workers(2), Profile(io.Discard))
			return err
		},
		"TrainOnBatch": func(m *Model) error { _, err := m.TrainOnBatch(Data{}); return err },
		"Compile":      func(m *Model) error { return m.Compile(nil) },
	} {
		t.Run("after "+name, func(t *testing.T) {
			m := noisy(t)
			require.Error(t, end(m))
			require.Nil(t, m.trainer.pool)
			require.Nil(t, m.trainer.profile)
			_, err := m.Fit(ctx, d, Epochs(2), BatchSize(16))
			require.NoError(t, err)
			require.Equal(t, weightBits(alone), weightBits(m))
		})
	}
	t.Run("goroutines", func(t *testing.T) {
		m := noisy(t)
		started, resume := make(chan bool), make(chan bool)
		var wait sync.WaitGroup
		wait.Go(func() {
			_, err := m.Fit(ctx, stream(m, func(*Model) { started <- true; <-resume }), BatchSize(16))
			if err != nil {
				t.Error(err)
			}
		})
		<-started
		intrude(m)
		resume <- true
		wait.Wait()
		requireBusy(t, 1)
	})
}

// What callbacks do to a model between two steps counts from the next one on.
func TestCallbackActs(t *testing.T) {
	ctx, d := context.Background(), tandemData(24)
	atEpoch := func(epoch int, act func(m *Model) error) FitOption {
		return Callbacks(Callback{EpochEnd: func(p Progress) error {
			if p.Epoch != epoch {
				return nil
			}
			return act(p.Model)
		}})
	}
	whole := noisy(t)
	_, err := whole.Fit(ctx, d, Epochs(4), BatchSize(8))
	require.NoError(t, err)
	t.Run("Save", func(t *testing.T) { // training goes on from the file as it does in the model
		m, path := noisy(t), filepath.Join(t.TempDir(), "m")
		_, err := m.Fit(ctx, d, Epochs(4), BatchSize(8), atEpoch(1, func(m *Model) error { return m.Save(path) }))
		require.NoError(t, err)
		require.Equal(t, weightBits(whole), weightBits(m))
		loaded, err := Load(path)
		require.NoError(t, err)
		_, err = loaded.Fit(ctx, d, Epochs(4), InitialEpoch(2), BatchSize(8))
		require.NoError(t, err)
		require.Equal(t, weightBits(whole), weightBits(loaded))
	})
	t.Run("weights of classes", func(t *testing.T) { // are those that Fit was given
		a, b, classes := noisy(t), noisy(t), map[int]float64{1: 3}
		_, err := a.Fit(ctx, d, Epochs(2), ClassWeight("label", map[int]float64{1: 3}))
		require.NoError(t, err)
		_, err = b.Fit(ctx, d, Epochs(2), ClassWeight("label", classes), atEpoch(0, func(*Model) error { classes[1] = 0; return nil }))
		require.NoError(t, err)
		require.Equal(t, weightBits(a), weightBits(b))
	})
	for name, act := range map[string]func(m *Model) error{
		"SetLearningRate": func(m *Model) error { return m.SetLearningRate(0) },
		"SetTrainable": func(m *Model) error {
			for _, l := range m.Layers() {
				l.SetTrainable(false)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := noisy(t)
			var then []uint32
			_, err := m.Fit(ctx, d, Epochs(4), BatchSize(8), atEpoch(1, func(m *Model) error {
				then = weightBits(m)
				_, err := m.Predict(d.Inputs)
				return errors.Join(err, act(m))
			}))
			require.NoError(t, err)
			require.Equal(t, then, weightBits(m))
		})
	}
}

func TestProgress(t *testing.T) {
	d := tandemData(10)
	record := func(data Dataset, opts ...FitOption) (calls []string) {
		m := tandem(t, SGD(0.1))
		note := func(what string) func(Progress) error {
			return func(p Progress) error {
				require.Same(t, m, p.Model)
				calls = append(calls, fmt.Sprintf("%s %d/%d %d/%d %d", what, p.Epoch, p.Epochs, p.Batch, p.Batches, len(p.Logs)))
				return nil
			}
		}
		opts = append([]FitOption{BatchSize(4), Callbacks(Callback{}, Callback{Begin: note("begin"), BatchEnd: note("batch"), EpochEnd: note("epoch"), End: note("end")})}, opts...)
		_, err := m.Fit(context.Background(), data, opts...)
		require.NoError(t, err)
		return calls
	}
	require.Equal(t, []string{
		"begin 0/2 0/3 0",
		"batch 0/2 0/3 5", "batch 0/2 1/3 5", "batch 0/2 2/3 5", "epoch 0/2 2/3 10",
		"batch 1/2 0/3 5", "batch 1/2 1/3 5", "batch 1/2 2/3 5", "epoch 1/2 2/3 10",
		"end 1/2 2/3 10",
	}, record(d, Epochs(2), ValidationData(d)))
	require.Equal(t, []string{
		"begin 1/3 0/0 0",
		"batch 1/3 0/0 5", "batch 1/3 1/0 5", "batch 1/3 2/0 5", "epoch 1/3 2/3 5",
		"batch 2/3 0/3 5", "batch 2/3 1/3 5", "batch 2/3 2/3 5", "epoch 2/3 2/3 5",
		"end 2/3 2/3 5",
	}, record(streamOf(part(d, 0, 7), part(d, 7, 10)), Epochs(3), InitialEpoch(1)))
	require.Equal(t, []string{
		"begin 0/1 0/2 0", "batch 0/1 0/2 5", "batch 0/1 1/2 5", "epoch 0/1 1/2 10", "end 0/1 1/2 10",
	}, record(d, ValidationSplit(0.3)))
	require.Equal(t, []string{"begin 0/0 0/3 0", "end 0/0 0/3 0"}, record(d, Epochs(0)))
	require.Equal(t, "begin 0/1 0/1 0", record(d, BatchSize(math.MaxInt))[0])
}

// Neither weights nor logs depend on the number of workers, nor on how many of them run at a time.
func TestFitWorkers(t *testing.T) {
	momentum := SGD(0.001)
	momentum.Momentum = 0.9
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, optimizer := range map[string]Optimizer{"sgd": SGD(0.001), "momentum": momentum, "adam": Adam(0.001), "rmsprop": RMSprop(0.001)} {
		t.Run(name, func(t *testing.T) {
			fit := func(procs, workers int) ([]uint32, map[string][]uint64, Logs) {
				runtime.GOMAXPROCS(procs)
				x := Input("x", 128)
				h := Dense(64, ReLU).On(Dense(256, ReLU).On(x)) // 40 x 128 x 256 is large enough to be shared
				m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("value")).On(h), Dense(10, Softmax, Name("label")).On(h)})
				require.NoError(t, err)
				d := trainingData(t, m, optimizer, 96)
				history, err := m.Fit(context.Background(), d, Epochs(2), BatchSize(40), Workers(workers))
				require.NoError(t, err)
				logs, err := m.Evaluate(context.Background(), d, BatchSize(96), Workers(workers))
				require.NoError(t, err)
				require.Nil(t, m.trainer.pool)
				return weightBits(m), logBits(history), logs
			}
			weights, history, logs := fit(1, 1)
			for _, procs := range []int{1, 2, 4, 8} {
				for _, workers := range []int{1, 2, 4} {
					w, h, l := fit(procs, workers)
					require.True(t, slices.Equal(weights, w), "%d workers, GOMAXPROCS %d", workers, procs)
					require.Equal(t, history, h)
					require.Equal(t, logs, l)
				}
			}
		})
	}
}
