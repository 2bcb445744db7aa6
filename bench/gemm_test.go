package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/espalier-ml/espalier/kernels"
)

// BenchmarkGEMM is Y = X·W of a dense layer, without bias and activation: m rows, k features, n units.
func BenchmarkGEMM(b *testing.B) {
	for _, size := range [][2]int{{10, 5}, {20, 128}, {128, 64}, {512, 512}} {
		for _, m := range []int{1, 32, 256} {
			k, n := size[0], size[1]
			x, w, y := random(m, k), random(k, n), kernels.NewMatrix(m, n)
			name := func(lib, isa string) string {
				return fmt.Sprintf("lib=%s/op=fwd/isa=%s/m=%d/k=%d/n=%d", lib, isa, m, k, n)
			}
			run := func(name string, gemm func()) {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						gemm()
					}
					b.ReportMetric(2*float64(m)*float64(k)*float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
			for _, table := range kernels.Tables() {
				var s kernels.Scratch
				run(name("espalier", table.ISA.String()), func() {
					if err := table.Gemm(&s, y, x, w, kernels.Epilogue{}); err != nil {
						b.Fatal(err)
					}
				})
			}
			var peer gonum.Implementation
			run(name("gonum", "default"), func() {
				peer.Sgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, x.Data, k, w.Data, n, 0, y.Data, n)
			})
		}
	}
}

// TestPeersAgree keeps the comparison honest: all libraries compute the same product.
func TestPeersAgree(t *testing.T) {
	const m, k, n = 33, 20, 17
	x, w := random(m, k), random(k, n)
	ours, theirs := kernels.NewMatrix(m, n), kernels.NewMatrix(m, n)
	var s kernels.Scratch
	if err := kernels.Default().Gemm(&s, ours, x, w, kernels.Epilogue{}); err != nil {
		t.Fatal(err)
	}
	var peer gonum.Implementation
	peer.Sgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, x.Data, k, w.Data, n, 0, theirs.Data, n)
	for i, v := range ours.Data {
		if d := v - theirs.Data[i]; d > 1e-5 || d < -1e-5 {
			t.Fatalf("element %d: espalier %v, gonum %v", i, v, theirs.Data[i])
		}
	}
}

func random(rows, cols int) kernels.Matrix {
	m := kernels.NewMatrix(rows, cols)
	r := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	for i := range m.Data {
		m.Data[i] = float32(r.NormFloat64())
	}
	return m
}
