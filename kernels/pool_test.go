package kernels_test

import (
	"errors"
	"fmt"
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

// A pool has as many workers as it says: so many parts are under way at the same time.
func TestPoolHasItsWorkers(t *testing.T) {
	for workers := 2; workers <= 4; workers++ {
		pool := NewPool(workers)
		defer pool.Close()
		var begun, late atomic.Int32
		all := make(chan struct{})
		pool.Do(workers, func(int) {
			if int(begun.Add(1)) == workers {
				close(all)
			}
			select {
			case <-all:
			case <-time.After(20 * time.Second):
				late.Add(1)
			}
		})
		require.Zero(t, late.Load(), "%d workers", workers)
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

// Products have the same bits with any number of workers and callers, wherever the operands lie, and write nothing beside
// them. With go test -race this also holds the parts of a product against each other.
func TestPoolProducts(t *testing.T) {
	shapes := [][3]int{{130, 90, 170}, {7, 400, 500}, {1200, 33, 40}, {3, 700, 600}, {64, 400, 65}, {700, 700, 3}}
	for _, table := range Tables()[1:] {
		for _, shape := range shapes {
			m, k, n := shape[0], shape[1], shape[2]
			t.Run(fmt.Sprintf("isa=%s/m=%d/k=%d/n=%d", table.ISA, m, k, n), func(t *testing.T) {
				r := newRand(uint64(m))
				x, w, dy, bias := r.placed(m, k), r.placed(k, n), r.placed(m, n), r.placed(1, n).Row(0)
				var packed PackedB
				require.NoError(t, table.Pack(&packed, w, bias))
				results := func() []Matrix { return []Matrix{r.placed(m, n), r.placed(m, k), r.placed(k, n), r.placed(m, n)} }
				run := func(s *Scratch, to []Matrix) error {
					return errors.Join(
						table.Gemm(s, to[0], x, w, Epilogue{Bias: bias, Act: Tanh}),
						table.GemmNT(s, to[1], dy, w, Epilogue{}),
						table.Fill(to[2], 0.5),
						table.GemmTN(s, to[2], x, dy, Epilogue{Accumulate: true}),
						table.Dense(s, to[3], x, &packed, ReLU))
				}
				want := results()
				require.NoError(t, run(new(Scratch), want))
				for _, workers := range []int{2, 3} {
					pool := NewPool(workers)
					defer pool.Close()
					got := [][]Matrix{results(), results()}
					var callers sync.WaitGroup
					for _, to := range got {
						callers.Go(func() {
							s := Scratch{Pool: pool}
							if err := errors.Join(run(&s, to), run(&s, to)); err != nil {
								t.Error(err)
							}
						})
					}
					callers.Wait()
					for _, to := range got {
						for i := range to {
							requireSameMatrix(t, want[i], to[i])
							requireCanaries(t, to[i])
						}
					}
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
