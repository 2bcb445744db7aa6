package nn

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// BenchmarkStopTheWorld is how long the collector waits for training of the large model by two workers: the time of
// runtime.ReadMemStats beside it, 400 times. Compare kernels' benchmark of this name, which has a loop of Go.
func BenchmarkStopTheWorld(b *testing.B) {
	large := servedModels[3]
	m, err := large.build()
	if err != nil {
		b.Fatal(err)
	}
	const batch, workers = 256, 2
	data := trainingData(b, m, Adam(1e-3), batch)
	b.Run(fmt.Sprintf("lib=espalier/model=%s/batch=%d/workers=%d", large.name, batch, workers), func(b *testing.B) {
		stop, finished := make(chan struct{}), make(chan error)
		go func() {
			defer m.trainer.share(workers)()
			for {
				select {
				case <-stop:
					finished <- nil
					return
				default:
				}
				if _, err := m.TrainOnBatch(data); err != nil {
					finished <- err
					return
				}
			}
		}()
		time.Sleep(10 * time.Millisecond)
		var took []time.Duration
		for b.Loop() {
			for range 400 {
				time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond) // anywhere in a call
				var stats runtime.MemStats
				start := time.Now()
				runtime.ReadMemStats(&stats)
				took = append(took, time.Since(start))
			}
		}
		close(stop)
		if err := <-finished; err != nil {
			b.Fatal(err)
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2])/1e3, "stw-p50-us")
		b.ReportMetric(float64(took[len(took)*99/100])/1e3, "stw-p99-us")
		b.ReportMetric(0, "ns/op")
	})
}
