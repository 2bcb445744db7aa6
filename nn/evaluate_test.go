package nn

import (
	"context"
	"maps"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Evaluate in a callback sees the weights of that moment and changes nothing, whatever workers there are.
func TestEvaluateInCallback(t *testing.T) {
	ctx, d := context.Background(), tandemData(40)
	fit := func(workers int, callbacks ...Callback) ([]uint32, map[string][]uint64, int64) {
		m := noisy(t)
		h, err := m.Fit(ctx, d, Epochs(3), BatchSize(16), ValidationData(d), Workers(workers), Callbacks(callbacks...))
		require.NoError(t, err)
		require.Nil(t, m.trainer.pool)
		return weightBits(m), logBits(h), m.trainer.iterations
	}
	weights, history, iterations := fit(1)
	before := runtime.NumGoroutine()
	for _, workers := range []int{1, 2} {
		for _, inner := range []int{1, 3} {
			calls := 0
			evaluate := func(p Progress) error {
				calls++
				trainer, pool := p.Model.trainer, p.Model.trainer.pool
				logs, err := p.Model.Evaluate(ctx, d, Workers(inner), BatchSize(16))
				require.NoError(t, err)
				require.Same(t, trainer, p.Model.trainer)
				require.Same(t, pool, p.Model.trainer.pool)
				if want, ok := p.Logs["val_loss"]; ok {
					require.Equal(t, want, logs["loss"])
				}
				return nil
			}
			w, h, i := fit(workers, Callback{Begin: evaluate, BatchEnd: evaluate, EpochEnd: evaluate, End: evaluate})
			require.Equal(t, 1+9+3+1, calls)
			require.Equal(t, weights, w)
			require.Equal(t, history, h)
			require.Equal(t, iterations, i)
		}
	}
	for range 100 { // closed pools end by and by
		if runtime.NumGoroutine() <= before {
			break
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// Evaluate in many goroutines gives each the same.
func TestConcurrentEvaluate(t *testing.T) {
	m, d := noisy(t), tandemData(300)
	want, err := m.Evaluate(context.Background(), d)
	require.NoError(t, err)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for range 5 {
				if got, err := m.Evaluate(context.Background(), d, Workers(1+i%2)); err != nil || !maps.Equal(got, want) {
					t.Error("differs in another goroutine", got, err)
				}
			}
		})
	}
	wait.Wait()
}
