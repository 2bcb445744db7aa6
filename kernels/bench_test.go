package kernels_test

import (
	"fmt"
	"testing"

	"github.com/espalier-ml/espalier/kernels"
)

// The three products of a dense layer with m rows, k inputs and n outputs. What the narrow ones cost is what the choice
// of tiles for few columns was made from.
func BenchmarkGEMM(b *testing.B) {
	shapes := []struct{ m, k, n int }{{1, 10, 5}, {1, 128, 64}, {4, 128, 64}, {32, 128, 64}, {256, 128, 64}, {32, 128, 1}, {256, 256, 256}}
	for _, n := range []int{1, 4, 8, 10, 16, 17, 32} {
		shapes = append(shapes, struct{ m, k, n int }{256, 32, n})
	}
	for _, op := range []string{"fwd", "dx", "dw"} {
		for isa, t := range tables() {
			for _, sh := range shapes {
				name := fmt.Sprintf("lib=espalier/op=%s/isa=%s/m=%d/k=%d/n=%d", op, isa, sh.m, sh.k, sh.n)
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
	for _, sh := range []struct{ rows, cols int }{{256, 10}, {64, 100}, {256, 1000}} {
		for _, t := range kernels.Tables() {
			benchmarkRows(b, t, sh.rows, sh.cols)
		}
	}
}

func benchmarkRows(b *testing.B, t *kernels.Table, rows, cols int) {
	r := newRand(1)
	x, y, dy, targets := r.matrix(rows, cols, 0), r.matrix(rows, cols, 0), r.matrix(rows, cols, 0), r.probabilities(rows, cols, 1)
	labels, loss, v, bias := make([]int32, rows), make([]float32, rows), make([]float32, rows*cols), r.floats(cols)
	ops := []struct {
		name string
		run  func() error
	}{
		{"relu", func() error { return t.Activate(y, x, bias, kernels.ReLU) }},
		{"sigmoid", func() error { return t.Activate(y, x, nil, kernels.Sigmoid) }},
		{"tanh", func() error { return t.Activate(y, x, nil, kernels.Tanh) }},
		{"exp", func() error { return t.Exp(y, x) }},
		{"log", func() error { return t.Log(y, x) }},
		{"erf", func() error { return t.Erf(y, x) }},
		{"gelu", func() error { return t.Unary(y, x, kernels.Unary{Kind: kernels.GELU}) }},
		{"gelugrad", func() error { return t.UnaryGrad(dy, y, x, x, kernels.Unary{Kind: kernels.GELU}, false) }},
		{"relugrad", func() error { return t.ActivateGrad(dy, bias, x, x, kernels.ReLU, false) }},
		{"softmax", func() error { return t.Softmax(y, x) }},
		{"softmaxgrad", func() error { return t.SoftmaxGrad(dy, x, targets, false) }},
		{"crossentropy", func() error {
			return t.SoftmaxCrossEntropy(loss, kernels.Matrix{}, dy, x, labels, nil)
		}},
		{"binarycrossentropy", func() error {
			return t.BinaryCrossEntropy(loss, kernels.Matrix{}, dy, x, targets, nil)
		}},
		{"squarederror", func() error { return t.MeanSquaredError(loss, dy, x, targets, nil) }},
		{"colsum", func() error { return t.ColSum(bias, x, false) }},
		{"rowsum", func() error { return t.RowSum(loss, x) }},
		{"axpy", func() error { return t.Axpy(y, 0, x) }},
		{"adam", func() error {
			return t.Adam(y.Data, dy.Data, v, targets.Data, 0, 0.9, 0.999, 1e-7)
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
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(rows*cols), "ns/elem")
		})
	}
}

// A small layer by each of its calls: next to the checks and the way to the tile there is little to compute.
func BenchmarkCall(b *testing.B) {
	for _, sh := range []struct{ m, k, n int }{{1, 10, 5}, {1, 5, 32}, {1, 32, 16}, {4, 64, 10}} {
		for isa, t := range tables() {
			r := newRand(1)
			x, w, y, bias := r.matrix(sh.m, sh.k, 0), r.matrix(sh.k, sh.n, 0), r.matrix(sh.m, sh.n, 0), r.floats(sh.n)
			var s kernels.Scratch
			var packed kernels.PackedB
			var bound kernels.BoundDense
			if err := t.Pack(&packed, w, bias); err != nil {
				b.Fatal(err)
			}
			if err := t.Bind(&bound, y, x, &packed, kernels.ReLU); err != nil {
				b.Fatal(err)
			}
			run := func(call string, f func() error) {
				b.Run(fmt.Sprintf("call=%s/isa=%s/m=%d/k=%d/n=%d", call, isa, sh.m, sh.k, sh.n), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := f(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			run("Gemm", func() error { return t.Gemm(&s, y, x, w, kernels.Epilogue{Bias: bias, Act: kernels.ReLU}) })
			run("Dense", func() error { return t.Dense(&s, y, x, &packed, kernels.ReLU) })
			run("Run", func() error { return bound.Run(&s, sh.m) })
		}
	}
}
