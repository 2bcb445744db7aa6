package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// 64 goroutines predict, for a second or for the time in ESPALIER_SOAK, while plans are swapped, 1,000 times in 10 s or more,
// and the garbage collector runs: every answer has the bits of a model that was served, and nothing is left behind.
func TestSoak(t *testing.T) {
	duration := time.Second
	if s := os.Getenv("ESPALIER_SOAK"); s != "" {
		var err error
		duration, err = time.ParseDuration(s)
		require.NoError(t, err)
	}
	const rows, maxBatch = 40, 16 // so that Predict runs in parts
	var served [4]*Model
	known := make([][][]float32, len(served)) // what each answers, by output
	var inputs [][]float32
	for i := range served {
		m, err := servedModels[2].build() // two inputs, two outputs, a shared layer
		require.NoError(t, err)
		for _, w := range m.Weights() {
			for j := range w.Data {
				w.Data[j] += float32(i) / 16
			}
		}
		var arrays Arrays
		arrays, inputs = inputsOf(m, rows)
		want, err := m.Predict(arrays)
		require.NoError(t, err)
		for _, name := range m.OutputNames() {
			known[i] = append(known[i], want[name].Data)
		}
		served[i] = m
	}
	planOf := func(i int) *Plan {
		var opts []PlanOption
		if i%8 == 0 {
			opts = append(opts, Workers(2))
		}
		p, err := NewPlan(served[i%len(served)], maxBatch, opts...)
		require.NoError(t, err)
		return p
	}

	goroutines := runtime.NumGoroutine()
	h := NewHandle(planOf(0))
	var stop atomic.Bool
	var answers, seen atomic.Int64 // seen: a bit for each model
	var callers sync.WaitGroup
	for g := range 64 {
		callers.Go(func() {
			c := soakCaller{handle: h, inputs: inputs, known: known, random: rand.New(rand.NewPCG(7, uint64(g)))}
			for !stop.Load() {
				model, err := c.call(g%2 == 0)
				if err != nil {
					t.Error(err)
					return
				}
				answers.Add(1)
				seen.Or(1 << model)
				runtime.Gosched() // or the swaps would wait for 64 time slices
			}
		})
	}

	// A plan that was kept by each swap, or by each call, would be more than the margin.
	const margin = 32 << 20
	every := max(duration/1000, 10*time.Millisecond)
	start := time.Now()
	var warm int64
	swaps, collections := 0, 0
	for time.Since(start) < duration && !t.Failed() {
		if time.Since(start) > time.Duration(swaps)*every {
			swaps++
			require.NoError(t, h.Swap(planOf(swaps)))
		}
		if warm == 0 && time.Since(start) > duration/4 {
			warm = residentBytes(t)
		}
		runtime.GC()
		collections++
	}
	end := residentBytes(t)
	stop.Store(true)
	callers.Wait()
	h = nil
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(deadline); {
		runtime.GC() // ends the workers of plans
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "goroutines are left")
	if !t.Failed() && swaps >= len(served) {
		require.EqualValues(t, 1<<len(served)-1, seen.Load(), "models that answered")
	}
	t.Logf("%d answers, %d swaps, %d collections", answers.Load(), swaps, collections)
	if warm > 0 && os.Getenv("ESPALIER_EMULATOR") == "" { // an emulator's memory is its own
		t.Logf("resident: %.1f MB after a quarter of the time, %.1f MB at the end", float64(warm)/1e6, float64(end)/1e6)
		require.Less(t, end, warm+margin, "resident bytes")
	}
	// Assembly is not preempted, so no kernel call that the collector had to wait for was longer than its longest wait.
	half, longest := stopTimes()
	t.Logf("the collector waited up to %s for the goroutines to stop, half of the times up to %s", longest, half)
}

// A soakCaller is what one goroutine needs.
type soakCaller struct {
	handle  *Handle
	inputs  [][]float32
	known   [][][]float32
	random  *rand.Rand
	plan    *Plan // of the session
	session *Session
}

// call predicts some of the rows, through the handle or in a session of its own, and returns the model that has answered.
func (c *soakCaller) call(throughHandle bool) (int, error) {
	p := c.handle.Plan()
	rows := len(c.inputs[0]) / p.InputFeatures(0)
	batch := 1 + c.random.IntN(rows)
	if !throughHandle {
		batch = 1 + c.random.IntN(p.MaxBatch())
	}
	from := c.random.IntN(rows - batch + 1)
	var inputs, outputs [][]float32
	for i, x := range c.inputs {
		n := p.InputFeatures(i)
		inputs = append(inputs, x[from*n:(from+batch)*n])
	}
	for i := range p.OutputNames() {
		outputs = append(outputs, make([]float32, batch*p.OutputFeatures(i)))
	}
	if c.plan != p {
		c.plan, c.session = p, p.NewSession()
	}
	var err error
	switch {
	case throughHandle:
		err = c.handle.Predict(inputs, outputs, batch)
	case c.random.IntN(2) == 0:
		err = c.session.RunOn(inputs, outputs, batch)
	default:
		for i, x := range inputs {
			copy(c.session.Input(i), x)
		}
		err = c.session.Run(batch)
		for i, y := range outputs {
			copy(y, c.session.Output(i))
		}
	}
	if err != nil {
		return 0, err
	}
	for model, known := range c.known {
		same := true
		for i, y := range outputs {
			n := p.OutputFeatures(i)
			same = same && slices.EqualFunc(y, known[i][from*n:(from+batch)*n], func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
		}
		if same {
			return model, nil
		}
	}
	return 0, fmt.Errorf("rows %d to %d: %v, which no model answers", from, from+batch, outputs)
}

// residentBytes returns the memory of the process that the kernel keeps for it, 0 where the system does not tell.
func residentBytes(t *testing.T) int64 {
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(status), "VmRSS:")
	var kB int64
	if found {
		_, err = fmt.Sscan(rest, &kB)
	}
	require.NoError(t, err)
	return kB << 10
}

// stopTimes returns how long the collector waited for all goroutines to stop: in half of the cases, and at most.
func stopTimes() (half, longest time.Duration) {
	sample := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0, 0
	}
	h := sample[0].Value.Float64Histogram()
	total, below := uint64(0), uint64(0)
	for _, n := range h.Counts {
		total += n
	}
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		upper := time.Duration(min(h.Buckets[i+1], 1e6) * 1e9)
		if below+n >= (total+1)/2 && below < (total+1)/2 {
			half = upper
		}
		below += n
		longest = upper
	}
	return half, longest
}
