package bench

import (
	"runtime"
	"sync"
	"time"
)

// Peak runs multiply-adds on registers for about 0.3 ms on each thread and returns the GFLOP/s that they reach together:
// what no product can exceed. It returns 0 for an ISA that has no such loop here. That of [Auto] is the best level's.
func Peak(isa string, threads int) float64 {
	loop, flops := fmaLoop(Level(isa))
	if loop == nil {
		return 0
	}
	if threads == 1 {
		return rate(loop, flops)
	}
	rates := make([]float64, threads)
	var ready, done sync.WaitGroup
	ready.Add(threads)
	for i := range rates {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Done()
			ready.Wait()
			rates[i] = rate(loop, flops)
		})
	}
	done.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}

// rate returns the GFLOP/s of a loop on the calling thread.
func rate(loop func(loops int), flops float64) float64 {
	const sample = 300 * time.Microsecond
	loops := 1000
	for {
		start := time.Now()
		loop(loops)
		d := time.Since(start)
		if d >= sample/2 {
			return flops * float64(loops) / float64(d.Nanoseconds())
		}
		loops *= 2
	}
}
