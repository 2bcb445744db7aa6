package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/infer/peers"
)

const (
	reader = "read" // the loop that only reads the weights

	turn      = 20 * time.Millisecond // what one turn of a call lasts
	turns     = 5                     // of each call in a round
	turnLimit = 150 * time.Millisecond
	inferRest = 20 * time.Millisecond // what spinning threads of the last library need to fall asleep
	maxCalls  = 1 << 19               // in a turn
)

// An inference is one way of one library to compute one row.
type inference struct {
	Kind string `json:"kind"` // infer
	Lib  string `json:"lib"`
	Way  string `json:"way"`
	infer.Row
	P50    float64  `json:"p50_us"` // medians over the rounds
	P99    float64  `json:"p99_us"`
	P999   float64  `json:"p999_us"`
	Allocs *float64 `json:"allocs"` // per call, of Go and of C; null if another process computes
}

// inferEntrant is a call that takes part in a row.
type inferEntrant struct {
	key
	infer.Call
	ns        []uint32 // memory for one turn
	spent     time.Duration
	round     []uint32 // all calls of the round
	quantiles [3][]float64
	allocs    *float64
}

// inferRows measures the rows in this process. Each round goes over all rows; on one row the libraries take turns.
func inferRows(rows []infer.Row, rounds int) (report, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	debug.SetGCPercent(-1)

	others, missing, stop := peers.All()
	defer stop()
	libraries := append([]infer.Library{infer.Espalier{}}, others...)
	threads := rows[0].Threads
	var r report
	for _, l := range libraries {
		r.Libraries = append(r.Libraries, fmt.Sprintf("inference, threads %d: %s %s", threads, l.Name(), l.Version()))
	}
	r.Libraries = append(r.Libraries, missing...)

	table := make([][]*inferEntrant, len(rows))
	start := time.Now()
	for round := range rounds {
		for i, row := range rows {
			if err := inferRound(row, libraries, &table[i]); err != nil {
				return report{}, err
			}
			runtime.GC()
		}
		fmt.Fprintf(os.Stderr, "inference, threads %d: round %d of %d after %v\n",
			threads, round+1, rounds, time.Since(start).Round(time.Second))
	}
	for i, row := range rows {
		for _, e := range table[i] {
			r.Inferences = append(r.Inferences, inference{"infer", e.lib, e.way, row,
				median(e.quantiles[0]), median(e.quantiles[1]), median(e.quantiles[2]), e.allocs})
		}
	}
	return r, nil
}

// inferRound measures one round of one row. The first one fills the list of entrants, the others add to it.
func inferRound(row infer.Row, libraries []infer.Library, entrants *[]*inferEntrant) error {
	p, err := infer.NewProblem(row)
	if err != nil {
		return err
	}
	var calls []*inferEntrant
	enter := func(lib string, c infer.Call) {
		calls = append(calls, &inferEntrant{key: key{lib, c.Way}, Call: c})
	}
	defer func() {
		for _, e := range calls {
			e.Close()
		}
	}()
	for _, l := range libraries {
		list, err := l.Prepare(p)
		if err != nil {
			return fmt.Errorf("%s, %v: %w", l.Name(), row, err)
		}
		for _, c := range list {
			if err := p.Verify(l.Name(), c); err != nil {
				c.Close()
				return err
			}
			enter(l.Name(), c)
		}
	}
	if row == (infer.Row{Model: "large", Threads: 1, Batch: 1}) {
		enter(reader, infer.Reader(p))
	}
	for _, e := range calls {
		if err := e.calibrate(); err != nil {
			return err
		}
	}
	order := slices.Clone(calls)
	for range turns {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, e := range order {
			if e.spent > turnLimit {
				continue
			}
			if row.Threads > 1 {
				time.Sleep(inferRest)
			}
			if err := e.turn(); err != nil {
				return err
			}
		}
	}
	if *entrants == nil {
		*entrants = calls
	}
	for i, e := range calls {
		slices.Sort(e.round)
		first := (*entrants)[i]
		for q, share := range []float64{0.5, 0.99, 0.999} {
			first.quantiles[q] = append(first.quantiles[q], quantile(e.round, share)/1000)
		}
		first.allocs = e.allocs
		e.round, e.ns = nil, nil
	}
	return nil
}

// quantile returns the smallest of sorted times that the share does not exceed; of a few times that may be the last one.
func quantile(sorted []uint32, share float64) float64 {
	return float64(sorted[min(len(sorted)-1, int(share*float64(len(sorted))))])
}

// calibrate warms the call up, chooses the calls of a turn, and counts allocations.
func (e *inferEntrant) calibrate() error {
	n, took := 1, time.Duration(0)
	for ; n <= maxCalls; n *= 2 {
		e.ns = make([]uint32, n)
		start := time.Now()
		if err := e.Run(e.ns); err != nil {
			return err
		}
		if took = time.Since(start); took > turn/4 {
			break
		}
	}
	n = max(1, min(maxCalls, int(float64(n)*float64(turn)/float64(took))))
	if !e.Apart && e.lib != reader {
		// Twice, to leave out what Run itself allocates.
		once, err := allocations(e.Call, e.ns[:1])
		if err != nil {
			return err
		}
		many := e.ns[:min(len(e.ns), 101)]
		if len(many) < 2 {
			many = make([]uint32, 2)
		}
		all, err := allocations(e.Call, many)
		if err != nil {
			return err
		}
		perCall := max(0, float64(all-once)/float64(len(many)-1))
		e.allocs = &perCall
	}
	e.ns = make([]uint32, n)
	return nil
}

// allocations counts what the program and this thread's C code allocate in some calls.
func allocations(c infer.Call, ns []uint32) (int64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	inC := peers.Mallocs()
	err := c.Run(ns)
	inC = peers.Mallocs() - inC
	runtime.ReadMemStats(&after)
	return int64(after.Mallocs-before.Mallocs) + inC, err
}

// turn warms the operands up and times the calls of a turn.
func (e *inferEntrant) turn() error {
	if len(e.ns) > 1 {
		if err := e.Run(e.ns[:1+len(e.ns)/10]); err != nil {
			return err
		}
	}
	start := time.Now()
	err := e.Run(e.ns)
	e.spent += time.Since(start)
	e.round = append(e.round, e.ns...)
	return err
}

// inferResult is one row of inference with all that was measured for it.
type inferResult struct {
	infer.Row
	ours  inference
	read  inference
	ways  []inference          // all of the peers
	peers map[string]inference // each in its fastest way
}

func inferResultsOf(inferences []inference) []*inferResult {
	lookup := map[infer.Row]*inferResult{}
	var results []*inferResult
	for _, m := range inferences {
		r := lookup[m.Row]
		if r == nil {
			r = &inferResult{Row: m.Row, peers: map[string]inference{}}
			lookup[m.Row] = r
			results = append(results, r)
		}
		switch m.Lib {
		case ours:
			r.ours = m
		case reader:
			r.read = m
		default:
			r.ways = append(r.ways, m)
			if best, ok := r.peers[m.Lib]; !ok || m.P50 < best.P50 {
				r.peers[m.Lib] = m
			}
		}
	}
	return results
}

// value returns how many times faster Espalier's p50 is than that of the peer of that name, or of the fastest one for best.
func (r *inferResult) value(measure string) (float64, bool) {
	m, ok := r.peers[measure]
	if measure == "best" {
		for _, p := range r.peers {
			if !ok || p.P50 < m.P50 {
				m, ok = p, true
			}
		}
	}
	return m.P50 / r.ours.P50, ok
}

// printInferences prints each row with all libraries, and the bandwidth that the large network reaches.
func printInferences(w io.Writer, results []*inferResult) error {
	fmt.Fprintln(w)
	fmt.Fprintln(w, "Times are µs of single calls, one reading of the clock included; quantiles are medians over the rounds. A ratio")
	fmt.Fprintln(w, "is the peer's p50 divided by Espalier's: above 1, Espalier is faster. Outputs agree with float64 to within")
	fmt.Fprintf(w, "%g, relative above 1. Allocations are those of Go and C.\n", infer.Tolerance)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range results {
		best, _ := r.value("best")
		fmt.Fprintf(w, "\n%v, best peer / espalier: %s\n", r.Row, number(best, 2))
		fmt.Fprintln(t, "p50\tp99\tp99.9\tallocs\tratio\t  library")
		for _, m := range append([]inference{r.ours}, r.ways...) {
			allocs := "-"
			if m.Allocs != nil {
				allocs = fmt.Sprintf("%.1f", *m.Allocs)
			}
			fmt.Fprintf(t, "%.2f\t%.2f\t%.2f\t%s\t%.2f\t  %s %s\n", m.P50, m.P99, m.P999, allocs, m.P50/r.ours.P50, m.Lib, m.Way)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if r.read.P50 > 0 {
			network, err := infer.NetworkOf(r.Model)
			if err != nil {
				return err
			}
			bytes := float64(network.WeightBytes())
			fmt.Fprintf(w, "weights: %.2f MB, read at %.1f GB/s by Espalier and at %.1f GB/s by a plain loop\n",
				bytes/1e6, bytes/r.ours.P50/1e3, bytes/r.read.P50/1e3)
		}
	}
	return nil
}
