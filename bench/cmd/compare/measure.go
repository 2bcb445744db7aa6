package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/espalier-ml/espalier/bench"
	"github.com/espalier-ml/espalier/bench/peers"
)

const (
	ours = "espalier"
	peak = "peak" // the register-only loop of multiply-adds

	sample     = 300 * time.Microsecond // what one sample lasts
	warmUp     = 6 * time.Millisecond   // what the same call runs before it
	perRound   = 5                      // samples of each call, and of the peak, in a round
	roundLimit = 20 * time.Millisecond  // no further samples of a call that took as long in a round
	settle     = 2 * time.Millisecond   // what the last library's idle threads need to fall asleep
)

// A measurement is one way of one library to compute one row.
type measurement struct {
	Lib string `json:"lib"`
	Way string `json:"way"`
	bench.Row
	NS          float64 `json:"ns"`     // median over the rounds
	GFLOPS      float64 `json:"gflops"` // 0 if the row is no product
	ShareOfPeak float64 `json:"share_of_peak"`
}

// report is what one process found.
type report struct {
	Libraries    []string // with versions
	Measurements []measurement
	Timings      []timing
}

// key is a way of a library.
type key struct{ lib, way string }

// rowTimes has, for each round, the median of a round's samples.
type rowTimes struct {
	order []key
	ns    map[key][]float64
}

// measure times the rows in this process. Each round goes over all rows; on one row the libraries take turns.
func measure(rows []bench.Row, rounds int) (report, error) {
	// The threads of OpenMP belong to the thread that starts them, and collections would fall into some samples.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	debug.SetGCPercent(-1)

	libraries := append([]bench.Library{bench.Espalier{}}, peers.All()...)
	times := make([]rowTimes, len(rows))
	var peaks []float64 // GFLOP/s
	start := time.Now()
	for round := range rounds {
		for i, row := range rows {
			rates, err := times[i].add(row, libraries)
			if err != nil {
				return report{}, err
			}
			peaks = append(peaks, rates...)
			runtime.GC()
		}
		fmt.Fprintf(os.Stderr, "%s, threads %d: round %d of %d after %v\n",
			rows[0].ISA, rows[0].Threads, round+1, rounds, time.Since(start).Round(time.Second))
	}

	var r report
	for _, l := range libraries {
		r.Libraries = append(r.Libraries,
			fmt.Sprintf("%s, threads %d: %s %s", rows[0].ISA, rows[0].Threads, l.Name(), l.Version()))
	}
	for i, row := range rows {
		r.Measurements = append(r.Measurements, times[i].measurements(row, median(peaks))...)
	}
	return r, nil
}

// entrant is a call that takes part in a round.
type entrant struct {
	key
	bench.Call
	iterations int
	spent      time.Duration
	ns         []float64
}

// add measures one round of one row, and the peak in between.
func (t *rowTimes) add(row bench.Row, libraries []bench.Library) (peaks []float64, err error) {
	p := bench.NewProblem(row)
	var entrants []*entrant
	defer func() {
		for _, e := range entrants {
			e.Close()
		}
	}()
	for _, l := range libraries {
		calls, err := l.Prepare(p)
		if err != nil {
			return nil, err
		}
		for _, c := range calls {
			entrants = append(entrants, &entrant{key: key{l.Name(), c.Way}, Call: c})
		}
	}
	for _, e := range entrants {
		if _, err := p.Verify(e.lib, e.Call); err != nil {
			return nil, err
		}
		if err := e.calibrate(); err != nil {
			return nil, err
		}
	}
	turns := slices.Clone(entrants)
	for range perRound {
		rest(row.Threads)
		peaks = append(peaks, bench.Peak(row.ISA, row.Threads))
		rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
		for _, e := range turns {
			if e.spent > roundLimit {
				continue
			}
			rest(row.Threads)
			if err := e.sample(); err != nil {
				return nil, err
			}
		}
	}
	if t.ns == nil {
		t.ns = map[key][]float64{}
		for _, e := range entrants {
			t.order = append(t.order, e.key)
		}
	}
	for _, e := range entrants {
		t.ns[e.key] = append(t.ns[e.key], median(e.ns))
	}
	return peaks, nil
}

// rest lets the idle threads of the last library fall asleep.
func rest(threads int) {
	if threads > 1 {
		time.Sleep(settle)
	}
}

// calibrate chooses the iterations of a sample. The time of the call that was checked says nothing: it is the first, and
// that of the first library finds nothing in the caches, so that it would be given shorter samples than the others.
func (e *entrant) calibrate() error {
	for n := 1; ; n *= 2 {
		d, err := e.Run(n)
		if err != nil {
			return err
		}
		if d >= sample/4 {
			e.iterations = max(1, int(int64(n)*int64(sample)/int64(d)))
			return nil
		}
	}
}

// sample warms up and times the call once. A few milliseconds do not only bring the operands into the caches: after a call
// into C the monitor thread of Go's runtime wakes every 20 µs until it has found nothing to do for long enough, and takes up
// to a third of the time from a loop in Go beside it, on a machine that has two threads. A loop in C lets it sleep.
func (e *entrant) sample() error {
	for warm := time.Duration(0); warm < warmUp; {
		d, err := e.Run(e.iterations)
		if err != nil {
			return err
		}
		warm += d
	}
	d, err := e.Run(e.iterations)
	e.spent += d
	e.ns = append(e.ns, float64(d)/float64(e.iterations))
	return err
}

// measurements returns the medians over the rounds, given the peak in GFLOP/s.
func (t *rowTimes) measurements(row bench.Row, highest float64) []measurement {
	flops := row.FLOPs()
	var ms []measurement
	for _, k := range t.order {
		m := measurement{Lib: k.lib, Way: k.way, Row: row, NS: median(t.ns[k])}
		m.GFLOPS = flops / m.NS
		if highest > 0 {
			m.ShareOfPeak = m.GFLOPS / highest
		}
		ms = append(ms, m)
	}
	if highest > 0 {
		// The time that the row's product would take at the peak.
		ms = append(ms, measurement{Lib: peak, Way: "registers", Row: row, NS: flops / highest, GFLOPS: highest, ShareOfPeak: 1})
	}
	return ms
}

// median returns the middle of the values, or the mean of the middle two.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}
