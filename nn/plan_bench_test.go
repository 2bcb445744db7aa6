package nn

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/espalier-ml/espalier/kernels"
)

func BenchmarkSession(b *testing.B) {
	for _, s := range servedModels[:4] {
		m, err := s.build()
		if err != nil {
			b.Fatal(err)
		}
		for _, batch := range []int{1, 8, 32, 256} {
			p, err := NewPlan(m, batch)
			if err != nil {
				b.Fatal(err)
			}
			session := p.NewSession()
			_, inputs := inputsOf(m, batch)
			for i, x := range inputs {
				copy(session.Input(i), x)
			}
			b.Run(fmt.Sprintf("lib=espalier/model=%s/isa=%s/batch=%d", s.name, kernels.Default().ISA, batch), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := session.Run(batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Predict copies in and out and borrows a session; with /goroutines it is called by many at once.
func BenchmarkPredict(b *testing.B) {
	m, err := servedModels[0].build()
	if err != nil {
		b.Fatal(err)
	}
	p, err := NewPlan(m, 64)
	if err != nil {
		b.Fatal(err)
	}
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprintf("lib=espalier/model=mt/isa=%s/batch=1/goroutines=%d", kernels.Default().ISA, goroutines), func(b *testing.B) {
			b.ReportAllocs()
			predict := func(more func() bool) {
				_, inputs := inputsOf(m, 1)
				outputs := [][]float32{make([]float32, 1), make([]float32, 10)}
				for more() {
					if err := p.Predict(inputs, outputs, 1); err != nil {
						b.Error(err)
						return
					}
				}
			}
			if goroutines == 1 {
				predict(b.Loop)
				return
			}
			b.SetParallelism(goroutines / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) { predict(pb.Next) })
		})
	}
}

// From the bytes of a model to its first prediction, as when a service starts. first-ns is the first time of all, with
// caches cold and memory not there yet, if nothing has run before: go test -run ^$ -bench Load ./nn
func BenchmarkLoad(b *testing.B) {
	m, err := servedModels[0].build()
	if err != nil {
		b.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		b.Fatal(err)
	}
	start := func(maxBatch int, test bool) {
		p, err := parsePlan(file.Bytes(), maxBatch, SelfTest(test))
		if err != nil {
			b.Fatal(err)
		}
		s := p.NewSession()
		for i := range s.Input(0)[:p.InputFeatures(0)] {
			s.Input(0)[i] = float32(i)
		}
		if err := s.Run(1); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		maxBatch int
		test     bool
	}{{1, true}, {1, false}, {256, true}} {
		b.Run(fmt.Sprintf("lib=espalier/model=mt/isa=%s/maxbatch=%d/selftest=%v", kernels.Default().ISA, c.maxBatch, c.test), func(b *testing.B) {
			b.ReportAllocs()
			before := time.Now()
			start(c.maxBatch, c.test)
			first := time.Since(before)
			b.SetBytes(int64(file.Len()))
			for b.Loop() {
				start(c.maxBatch, c.test)
			}
			b.ReportMetric(float64(first), "first-ns")
		})
	}
}
