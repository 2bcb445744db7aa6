package kernels

import (
	"io"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// All kernels from several goroutines, for a second or for the time in ESPALIER_SOAK, while the runtime traces, profiles,
// collects garbage and moves stacks: no result changes by a bit.
func TestSoak(t *testing.T) {
	duration := time.Second
	if s := os.Getenv("ESPALIER_SOAK"); s != "" {
		var err error
		duration, err = time.ParseDuration(s)
		require.NoError(t, err)
	}
	if err := trace.Start(io.Discard); err == nil { // go test may do both itself
		defer trace.Stop()
	}
	if err := pprof.StartCPUProfile(io.Discard); err == nil {
		defer pprof.StopCPUProfile()
	}
	end := time.Now().Add(duration)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() { soak(t, uint64(worker), end) })
	}
	collections := 0
	for ; time.Now().Before(end); collections++ {
		runtime.GC()
	}
	all.Wait()
	t.Logf("%d collections", collections)
}

func soak(t *testing.T, worker uint64, end time.Time) {
	type job struct {
		call
		table    *Table
		operands *operands
		want     [][]float32
	}
	var jobs []job
	for _, table := range Tables() {
		for i, c := range calls() {
			o := newOperands(worker, 1+i%9, 1+(i*37+int(worker)*11)%150)
			o.depth = 1 + i%40
			if err := o.run(table, c); err != nil {
				t.Error(err)
				return
			}
			j := job{c, table, o, nil}
			for _, m := range o.made {
				j.want = append(j.want, append([]float32(nil), m.Data...))
			}
			jobs = append(jobs, j)
		}
	}
	runs := 0
	for time.Now().Before(end) && !t.Failed() {
		for _, j := range jobs {
			j.operands.restore()
			done := make(chan error)
			go func() { // on a stack that begins small
				done <- deep(runs%200, func() error { return j.operands.run(j.table, j.call) })
			}()
			if err := <-done; err != nil {
				t.Error(err)
				return
			}
			runs++
			for i, m := range j.operands.made {
				for k, v := range m.Data {
					if w := j.want[i][k]; math.Float32bits(v) != math.Float32bits(w) {
						t.Errorf("%s on %s: operand %d, element %d: %v, at first %v", j.name, j.table.ISA, i, k, v, w)
						return
					}
				}
			}
		}
	}
	t.Logf("worker %d: %d calls", worker, runs)
}

// deep makes a call from so many frames below.
func deep(frames int, call func() error) error {
	var frame [128]byte
	if frames == 0 {
		return call()
	}
	err := deep(frames-1, call)
	runtime.KeepAlive(&frame)
	return err
}
