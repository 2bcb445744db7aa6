package nn

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/espalier-ml/espalier/kernels"
)

// BenchmarkStopTheWorld is how long the collector waits for training of the large model by two workers: the time of
// runtime.ReadMemStats beside it, 400 times. To compare with, loops of Go are shared by a pool of two workers: with both
// processors at work the scheduler's own share of the time has a tail of milliseconds, which no kernel shortens.
func BenchmarkStopTheWorld(b *testing.B) {
	b.Run("lib=go/workers=2", func(b *testing.B) {
		pool, x, sums := kernels.NewPool(2), make([]float32, 1<<16), make([]float32, 64)
		defer pool.Close()
		stopTheWorld(b, func() error {
			pool.Do(4, func(part int) {
				for _, v := range x {
					sums[16*part] += v
				}
			})
			return nil
		})
	})
	b.Run("lib=espalier/model=large/batch=256/workers=2", func(b *testing.B) {
		m, err := servedModels[3].build()
		if err != nil {
			b.Fatal(err)
		}
		data := trainingData(b, m, Adam(1e-3), 256)
		defer m.trainer.share(2)()
		stopTheWorld(b, func() error {
			_, err := m.TrainOnBatch(data)
			return err
		})
	})
}

// stopTheWorld reports how long the world takes to stop while run goes on again and again.
func stopTheWorld(b *testing.B, run func() error) {
	if err := run(); err != nil { // memory that is touched for the first time keeps the operating system busy
		b.Fatal(err)
	}
	var done atomic.Bool
	finished := make(chan error)
	go func() {
		var err error
		for err == nil && !done.Load() {
			err = run()
		}
		finished <- err
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
	done.Store(true)
	if err := <-finished; err != nil {
		b.Fatal(err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e3, "stw-p50-us")
	b.ReportMetric(float64(took[len(took)*99/100])/1e3, "stw-p99-us")
	b.ReportMetric(0, "ns/op")
}
