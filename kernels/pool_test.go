package kernels_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	. "github.com/espalier-ml/espalier/kernels"
)

// Every part is done once, whoever gets to it, and no call waits for a pool that is busy or closed.
func TestPoolDo(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 5} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			pool := NewPool(workers)
			defer pool.Close()
			require.Equal(t, max(1, workers), pool.Workers())
			var callers sync.WaitGroup
			for range 4 {
				callers.Go(func() {
					for round := range 300 {
						parts := round % 9
						counts := make([]atomic.Int32, parts)
						pool.Do(parts, func(part int) {
							counts[part].Add(1)
							if part == 0 {
								pool.Do(2, func(int) { runtime.Gosched() }) // inside another call
							}
						})
						for i := range counts {
							if n := counts[i].Load(); n != 1 {
								t.Errorf("part %d of %d was done %d times", i, parts, n)
							}
						}
						if round%100 == 0 {
							time.Sleep(3 * time.Millisecond) // the workers sleep
						}
					}
				})
			}
			callers.Wait()
			pool.Close()
			pool.Close()
			done := 0
			pool.Do(3, func(int) { done++ })
			require.Equal(t, 3, done)
		})
	}
}

func TestPoolClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		pool := NewPool(4)
		pool.Do(8, func(int) {})
		pool.Close()
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// Products have the same bits with any number of workers.
func TestPoolProducts(t *testing.T) {
	shapes := [][3]int{{130, 90, 170}, {7, 400, 500}, {1200, 33, 40}, {3, 700, 600}, {64, 400, 65}, {700, 700, 3}}
	for _, table := range Tables() {
		for _, shape := range shapes {
			m, k, n := shape[0], shape[1], shape[2]
			t.Run(fmt.Sprintf("isa=%s/m=%d/k=%d/n=%d", table.ISA, m, k, n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(m)))
				matrix := func(rows, cols int) Matrix {
					x := NewMatrix(rows, cols)
					for i := range x.Data {
						x.Data[i] = float32(r.NormFloat64())
					}
					return x
				}
				x, w, dy, bias := matrix(m, k), matrix(k, n), matrix(m, n), matrix(1, n).Data
				var packed PackedB
				require.NoError(t, table.Pack(&packed, w, bias))
				run := func(s *Scratch) [][]float32 {
					y, dx, dw, z := NewMatrix(m, n), NewMatrix(m, k), NewMatrix(k, n), NewMatrix(m, n)
					require.NoError(t, table.Gemm(s, y, x, w, Epilogue{Bias: bias, Act: Tanh}))
					require.NoError(t, table.GemmNT(s, dx, dy, w, Epilogue{}))
					require.NoError(t, table.GemmTN(s, dw, x, dy, Epilogue{Accumulate: true}))
					require.NoError(t, table.Dense(s, z, x, &packed, ReLU))
					return [][]float32{y.Data, dx.Data, dw.Data, z.Data}
				}
				want := run(new(Scratch))
				for _, workers := range []int{2, 3} {
					pool := NewPool(workers)
					defer pool.Close()
					s := &Scratch{Pool: pool}
					require.Equal(t, want, run(s), "workers=%d", workers)
					require.Equal(t, want, run(s), "workers=%d, again", workers)
				}
			})
		}
	}
}

func ExampleNewPool() {
	pool := NewPool(runtime.GOMAXPROCS(0))
	defer pool.Close()
	scratch := Scratch{Pool: pool}
	x, w, y := NewMatrix(256, 512), NewMatrix(512, 512), NewMatrix(256, 512)
	x.Data[0], w.Data[0] = 2, 3
	if err := Default().Gemm(&scratch, y, x, w, Epilogue{}); err != nil {
		panic(err)
	}
	fmt.Println(y.Data[0])
	// Output: 6
}
