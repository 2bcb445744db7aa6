package nn

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"
)

// However many goroutines call Predict, there are soon as many sessions as they need at the same time.
func TestPredictFromManyGoroutines(t *testing.T) {
	if raceDetector {
		t.Skip("a sync.Pool forgets at random")
	}
	const callers = 1000
	m, err := servedModels[0].build()
	require.NoError(t, err)
	p, err := NewPlan(m, 256)
	require.NoError(t, err)
	session := uint64(4 * p.arena * p.maxBatch)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var done sync.WaitGroup
	start := make(chan bool, callers)
	for range callers {
		go func() {
			_, inputs := inputsOf(m, 3)
			outputs := [][]float32{make([]float32, 3), make([]float32, 30)}
			for range start {
				for range 5 {
					if err := p.Predict(inputs, outputs, 3); err != nil {
						t.Error(err)
					}
				}
				done.Done()
			}
		}()
	}
	defer close(start)
	quiet := 0
	for round := 0; quiet < 10; round++ {
		require.Less(t, round, 1000, "sessions are still made")
		held := allocated(func() {
			done.Add(callers)
			for range callers {
				start <- true
			}
			done.Wait()
		})
		if quiet++; held >= session {
			quiet = 0
		}
	}
}

// Sessions that nobody needs are given back, and a plan that is in use has none too many.
func TestIdleSessionsGo(t *testing.T) {
	p := servedPlan(t, 1)
	var idle []weak.Pointer[Session]
	for range 100 {
		s := p.NewSession()
		idle = append(idle, weak.Make(s))
		p.sessions.Put(s)
	}
	runtime.GC()
	runtime.GC()
	for i, s := range idle {
		require.Nil(t, s.Value(), "session %d", i)
	}
	in, out := [][]float32{make([]float32, 3)}, [][]float32{make([]float32, 2)}
	require.NoError(t, p.Predict(in, out, 1))
}
