package nn

import (
	"runtime/debug"
	"sync"
	"testing"

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
	session := allocated(func() { p.NewSession() })
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
