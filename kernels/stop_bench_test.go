package kernels_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/espalier-ml/espalier/kernels"
)

// BenchmarkStopTheWorld is how long the collector, or whatever else stops the world, waits for a goroutine that is in a kernel:
// the time of runtime.ReadMemStats beside it, 400 times. The first case is a loop of Go, which is what to compare with.
func BenchmarkStopTheWorld(b *testing.B) {
	table, r := kernels.Default(), newRand(1)
	var s kernels.Scratch
	gemm := func(m, k, n int) func() func() error {
		return func() func() error {
			c, x, y := kernels.NewMatrix(m, n), kernels.NewMatrix(m, k), kernels.NewMatrix(k, n)
			return func() error { return table.Gemm(&s, c, x, y, kernels.Epilogue{}) }
		}
	}
	softmax := func(rows, cols int) func() func() error {
		return func() func() error {
			x, y := r.matrix(rows, cols, 0), kernels.NewMatrix(rows, cols)
			return func() error { return table.Softmax(y, x) }
		}
	}
	const million = 1 << 20
	for _, c := range []struct {
		name  string
		start func() func() error
	}{
		{"go", func() func() error {
			x, sum := r.floats(million), float32(0)
			return func() error {
				for _, v := range x {
					sum += v
				}
				return nil
			}
		}},
		{"gemm/m=1024/k=1024/n=1024", gemm(1024, 1024, 1024)},
		{"gemm/m=4096/k=4096/n=4096", gemm(4096, 4096, 4096)},
		{"gemm/m=14/k=32/n=1000000", gemm(14, 32, 1000000)},
		{"adam/n=4M", func() func() error {
			w, m, v, g := r.floats(4*million), make([]float32, 4*million), make([]float32, 4*million), r.floats(4*million)
			return func() error { return table.Adam(w, m, v, g, 1e-6, 0.9, 0.999, 1e-7) }
		}},
		{"softmax/m=4096/n=1024", softmax(4096, 1024)},
		{"softmax/m=1/n=1000000", softmax(1, 1000000)},
		{"gelu/n=4M", func() func() error {
			x, y := r.matrix(1, 4*million, 0), kernels.NewMatrix(1, 4*million)
			return func() error { return table.Unary(y, x, kernels.Unary{Kind: kernels.GELU}) }
		}},
		{"crossentropy/m=64/n=32000", func() func() error {
			x, grad, loss, labels := r.matrix(64, 32000, 0), kernels.NewMatrix(64, 32000), make([]float32, 64), make([]int32, 64)
			return func() error { return table.SoftmaxCrossEntropy(loss, kernels.Matrix{}, grad, x, labels, nil) }
		}},
	} {
		b.Run("lib=espalier/op="+c.name+"/isa="+table.ISA.String(), func(b *testing.B) {
			run := c.start()
			stopTheWorld(b, run)
		})
	}
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
	for name, i := range map[string]int{"stw-p50-us": len(took) / 2, "stw-p99-us": len(took) * 99 / 100} {
		b.ReportMetric(float64(took[i])/1e3, name)
	}
	b.ReportMetric(0, "ns/op")
}
