package kernels_test

import (
	"fmt"
	"testing"

	"github.com/espalier-ml/espalier/kernels"
)

// The three products of a dense layer with m rows, k inputs and n outputs.
func BenchmarkGEMM(b *testing.B) {
	shapes := []struct{ m, k, n int }{{1, 128, 64}, {32, 128, 64}, {32, 128, 1}, {256, 256, 256}}
	for _, op := range []string{"fwd", "dx", "dw"} {
		for _, t := range kernels.Tables() {
			for _, sh := range shapes {
				name := fmt.Sprintf("lib=espalier/op=%s/isa=%s/m=%d/k=%d/n=%d", op, t.ISA, sh.m, sh.k, sh.n)
				b.Run(name, func(b *testing.B) {
					r := newRand(1)
					x, w, y := r.matrix(sh.m, sh.k, 0), r.matrix(sh.k, sh.n, 0), r.matrix(sh.m, sh.n, 0)
					dx, dw := kernels.NewMatrix(sh.m, sh.k), kernels.NewMatrix(sh.k, sh.n)
					bias := r.floats(sh.n)
					var s kernels.Scratch
					b.ReportAllocs()
					for b.Loop() {
						var err error
						switch op {
						case "fwd":
							err = t.Gemm(&s, y, x, w, kernels.Epilogue{Bias: bias, Act: kernels.ReLU})
						case "dx":
							err = t.GemmNT(&s, dx, y, w, kernels.Epilogue{})
						case "dw":
							err = t.GemmTN(&s, dw, x, y, kernels.Epilogue{})
						}
						if err != nil {
							b.Fatal(err)
						}
					}
					flops := 2 * float64(sh.m) * float64(sh.k) * float64(sh.n)
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}

func BenchmarkRows(b *testing.B) {
	const rows, cols = 64, 100
	for _, t := range kernels.Tables() {
		r := newRand(1)
		x, y, dy := r.matrix(rows, cols, 0), r.matrix(rows, cols, 0), r.matrix(rows, cols, 0)
		labels, loss := make([]int32, rows), make([]float32, rows)
		ops := []struct {
			name string
			run  func() error
		}{
			{"relu", func() error { return t.Activate(y, x, nil, kernels.ReLU) }},
			{"sigmoid", func() error { return t.Activate(y, x, nil, kernels.Sigmoid) }},
			{"tanh", func() error { return t.Activate(y, x, nil, kernels.Tanh) }},
			{"softmax", func() error { return t.Softmax(y, x) }},
			{"crossentropy", func() error {
				return t.SoftmaxCrossEntropy(loss, kernels.Matrix{}, dy, x, labels, nil)
			}},
			{"colsum", func() error { return t.ColSum(y.Row(0), x, false) }},
			{"axpy", func() error { return t.Axpy(y, 0, x) }},
			{"adam", func() error {
				return t.Adam(y.Data, dy.Data, x.Data, x.Data, 0, 0.9, 0.999, 1e-7)
			}},
		}
		for _, op := range ops {
			b.Run(fmt.Sprintf("lib=espalier/op=%s/isa=%s/m=%d/n=%d", op.name, t.ISA, rows, cols), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := op.run(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/(rows*cols), "ns/elem")
			})
		}
	}
}
