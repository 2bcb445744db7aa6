//go:build !race

package kernels_test

import (
	"math"
	"os"
	"runtime"
	"sort"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// The world stops in the middle of a kernel and not only at its end: once it has stopped, the last element is not computed.
func TestWorldStopsWithinKernels(t *testing.T) {
	if os.Getenv("ESPALIER_EMULATOR") != "" {
		t.Skip("signals of the runtime do not arrive as they do on a machine")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	const n = 1 << 22
	x, y := kernels.NewMatrix(1, n), kernels.NewMatrix(1, n)
	square := func(m kernels.Matrix, rows, cols int) kernels.Matrix { return kernels.MatrixOf(m.Data, rows, cols) }
	m, v := make([]float32, n), make([]float32, n)
	loss, labels := make([]float32, 64), make([]int32, 64)
	for i := range x.Data {
		x.Data[i] = float32(1+i%13) / 8
	}
	for name, run := range map[string]func(table *kernels.Table) error{
		"Gemm": func(table *kernels.Table) error {
			return table.Gemm(nil, square(y, 1024, 1024), square(x, 1024, 1024), square(kernels.MatrixOf(x.Data[n/2:], 1, n/2), 1024, 1024), kernels.Epilogue{})
		},
		"Gemm of few rows": func(table *kernels.Table) error {
			return table.Gemm(nil, square(y, 2, n/16), square(x, 2, 16), square(x, 16, n/16), kernels.Epilogue{})
		},
		"Adam": func(table *kernels.Table) error { return table.Adam(y.Data, m, v, x.Data, 1e-3, 0.9, 0.999, 1e-7) },
		"Gelu": func(table *kernels.Table) error { return table.Unary(y, x, kernels.Unary{Kind: kernels.GELU}) },
		"Softmax": func(table *kernels.Table) error {
			return table.Softmax(square(y, n/1024, 1024), square(x, n/1024, 1024))
		},
		"ActivateGrad": func(table *kernels.Table) error {
			return table.ActivateGrad(square(y, n/64, 64), m[:64], square(x, n/64, 64), square(x, n/64, 64), kernels.Tanh, false)
		},
		"CrossEntropy": func(table *kernels.Table) error {
			return table.SoftmaxCrossEntropy(loss, kernels.Matrix{}, square(y, 64, 32000), square(x, 64, 32000), labels, nil)
		},
		"MeanSquaredError": func(table *kernels.Table) error {
			return table.MeanSquaredError(loss[:32], square(y, 32, n/32), square(x, 32, n/32), square(x, 32, n/32), nil)
		},
		"Copy": func(table *kernels.Table) error { return table.Copy(y, x) },
	} {
		last := map[string]int{"Gemm": 1 << 20, "Gemm of few rows": n / 8, "CrossEntropy": 64 * 32000}[name]
		if last == 0 {
			last = n
		}
		for _, table := range kernels.Tables()[1:] { // loops of Go stop anywhere
			t.Run("isa="+table.ISA.String()+"/"+name, func(t *testing.T) {
				for range 1000 { // a machine with other work has not always time for both
					clear(m)
					clear(v)
					for i := range y.Data[:last] {
						y.Data[i] = canary
					}
					begun, done := first(y), make(chan error)
					go func() { done <- run(table) }()
					for atomic.LoadUint32(begun) == math.Float32bits(canary) {
						runtime.Gosched()
					}
					var stats runtime.MemStats
					runtime.ReadMemStats(&stats)
					stopped := y.Data[last-1] == canary
					require.NoError(t, <-done)
					require.NotEqual(t, canary, y.Data[last-1])
					if stopped {
						return
					}
				}
				t.Error("in 1000 calls the world stopped only at their ends")
			})
		}
	}
}

// first returns the bits of the first element.
func first(m kernels.Matrix) *uint32 { return (*uint32)(unsafe.Pointer(&m.Data[0])) }

// The world stops after a call or two of a product, as often as the machine has time for both. Without a place to stop
// between two calls it would have to ask again and again, until it finds one by chance.
func TestProductStopsAtOnce(t *testing.T) {
	if os.Getenv("ESPALIER_EMULATOR") != "" {
		t.Skip("signals of the runtime do not arrive as they do on a machine")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	const cols, depth, soon, often, tries = 1 << 20, 16, 1 << 14, 6, 100
	y, x, w := kernels.NewMatrix(2, cols), kernels.NewMatrix(2, depth), kernels.NewMatrix(depth, cols)
	row := y.Row(0)
	begun := func() int { // columns
		return sort.Search(cols, func(j int) bool {
			return atomic.LoadUint32((*uint32)(unsafe.Pointer(&row[j]))) == math.Float32bits(canary)
		})
	}
	for _, table := range kernels.Tables()[1:] {
		t.Run("isa="+table.ISA.String(), func(t *testing.T) {
			stopped := 0
			for range tries {
				fill(row, canary)
				done := make(chan error)
				go func() { done <- table.Gemm(nil, y, x, w, kernels.Epilogue{}) }()
				for begun() == 0 {
					runtime.Gosched()
				}
				before := begun()
				var stats runtime.MemStats
				runtime.ReadMemStats(&stats)
				if after := begun(); after < cols && after-before < soon {
					stopped++
				}
				require.NoError(t, <-done)
				if stopped == often {
					return
				}
			}
			t.Errorf("the world stopped soon %d times in %d products", stopped, tries)
		})
	}
}
