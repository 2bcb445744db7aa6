package main

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/infer/peers"
	"github.com/espalier-ml/espalier/bench/layer"
	"github.com/espalier-ml/espalier/bench/train"
)

const (
	turn      = 20 * time.Millisecond // what one turn of a call lasts
	turns     = 5                     // of each call in a round
	turnLimit = 150 * time.Millisecond
	callRest  = 20 * time.Millisecond // what spinning threads of the last library need to fall asleep
	maxCalls  = 1 << 19               // in a turn
)

// A callRow is a row whose calls are timed one by one.
type callRow struct {
	Kind string `json:"kind"` // infer, train or layer
	infer.Row
}

func (r callRow) String() string {
	switch r.Kind {
	case training:
		return train.Row(r.Row).String()
	case layers:
		return layer.Row(r.Row).String()
	}
	return r.Row.String()
}

// A timing is one way of one library to compute one row.
type timing struct {
	callRow
	Lib    string   `json:"lib"`
	Way    string   `json:"way"`
	P50    float64  `json:"p50_us"` // medians over the rounds
	P99    float64  `json:"p99_us"`
	P999   float64  `json:"p999_us"`
	Allocs *float64 `json:"allocs"` // per call, of Go and of C; null if another process computes
}

// callEntrant is a call that takes part in a row.
type callEntrant struct {
	key
	infer.Call
	ns        []uint32 // memory for one turn
	spent     time.Duration
	round     []uint32 // all calls of the round
	quantiles [3][]float64
	allocs    *float64
}

// A problem is a row with its operands.
type problem interface {
	Verify(library string, c infer.Call) error
}

// A library prepares calls for problems of one kind.
type library[P problem] interface {
	Name() string
	Version() string
	Prepare(p P) ([]infer.Call, error)
}

// contest is what takes part in all rows of one kind.
type contest[P problem, L library[P]] struct {
	libraries  []L
	newProblem func(infer.Row) (P, error)
	loops      func(P) map[string]infer.Call // of this program, to set Espalier's times beside; they are not checked
}

// measure measures the rows in this process. Each round goes over all rows; on one row the libraries take turns.
func (c contest[P, L]) measure(rows []callRow, rounds int) (report, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	debug.SetGCPercent(-1)

	of := fmt.Sprintf("%s, threads %d", rows[0].Kind, rows[0].Threads)
	var r report
	for _, l := range c.libraries {
		r.Libraries = append(r.Libraries, fmt.Sprintf("%s: %s %s", of, l.Name(), l.Version()))
	}
	table := make([][]*callEntrant, len(rows))
	start := time.Now()
	for round := range rounds {
		for i, row := range rows {
			if err := c.round(row.Row, &table[i]); err != nil {
				return report{}, err
			}
			runtime.GC()
		}
		fmt.Fprintf(os.Stderr, "%s: round %d of %d after %v\n", of, round+1, rounds, time.Since(start).Round(time.Second))
	}
	for i, row := range rows {
		for _, e := range table[i] {
			r.Timings = append(r.Timings, timing{row, e.lib, e.way,
				median(e.quantiles[0]), median(e.quantiles[1]), median(e.quantiles[2]), e.allocs})
		}
	}
	return r, nil
}

// round measures one round of one row. The first one fills the list of entrants, the others add to it.
func (c contest[P, L]) round(row infer.Row, entrants *[]*callEntrant) error {
	p, err := c.newProblem(row)
	if err != nil {
		return err
	}
	var calls []*callEntrant
	enter := func(lib string, c infer.Call) {
		calls = append(calls, &callEntrant{key: key{lib, c.Way}, Call: c})
	}
	defer func() {
		for _, e := range calls {
			e.Close()
		}
	}()
	for _, l := range c.libraries {
		list, err := l.Prepare(p)
		if err != nil {
			return fmt.Errorf("%s, %v: %w", l.Name(), row, err)
		}
		for _, call := range list {
			enter(l.Name(), call)
			if err := p.Verify(l.Name(), call); err != nil {
				return err
			}
		}
	}
	loops := c.loops(p)
	for _, name := range slices.Sorted(maps.Keys(loops)) {
		enter(name, loops[name])
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
				time.Sleep(callRest)
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
func (e *callEntrant) calibrate() error {
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
	if !e.Apart {
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
func (e *callEntrant) turn() error {
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

// callResult is one row with all that was measured for it.
type callResult struct {
	callRow
	ours  timing
	loops map[string]timing // by name
	ways  []timing          // all of the peers
	peers map[string]timing // each in its fastest way
}

func callResultsOf(timings []timing) []*callResult {
	lookup := map[callRow]*callResult{}
	var results []*callResult
	for _, m := range timings {
		r := lookup[m.callRow]
		if r == nil {
			r = &callResult{callRow: m.callRow, loops: map[string]timing{}, peers: map[string]timing{}}
			lookup[m.callRow] = r
			results = append(results, r)
		}
		switch m.Lib {
		case ours:
			r.ours = m
		case reader, peak, adam, mover:
			r.loops[m.Lib] = m
		default:
			r.ways = append(r.ways, m)
			if best, ok := r.peers[m.Lib]; !ok || m.P50 < best.P50 {
				r.peers[m.Lib] = m
			}
		}
	}
	return results
}

// value returns how many times faster Espalier's p50 is than that of the peer of that name, or of the fastest one for best,
// and for peak what the row's products take at the machine's peak as a share of Espalier's p50.
func (r *callResult) value(measure string) (float64, bool) {
	m, ok := r.peers[measure]
	switch measure {
	case "peak":
		m, ok = r.loops[peak]
	case "best":
		for _, p := range r.peers {
			if !ok || p.P50 < m.P50 {
				m, ok = p, true
			}
		}
	}
	return m.P50 / r.ours.P50, ok
}

// printTimings prints each row with all libraries, and what its loops say about Espalier.
func printTimings(w io.Writer, results []*callResult) error {
	fmt.Fprintln(w)
	fmt.Fprintln(w, "Times are µs of single calls, one reading of the clock included; quantiles are medians over the rounds. A ratio")
	fmt.Fprintln(w, "is the peer's p50 divided by Espalier's: above 1, Espalier is faster. Outputs agree with float64 to within")
	fmt.Fprintf(w, "%g, relative above 1, losses of training to within %g of them, layers with Predict to within %g. Allocations are\n",
		infer.Tolerance, train.Tolerance, layer.Tolerance)
	fmt.Fprintln(w, "those of Go and C.")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range results {
		best, _ := r.value("best")
		fmt.Fprintf(w, "\n%v, best peer / espalier: %s\n", r.callRow, number(best, 2))
		fmt.Fprintln(t, "p50\tp99\tp99.9\tallocs\tratio\t  library")
		for _, m := range append([]timing{r.ours}, r.ways...) {
			allocs := "-"
			if m.Allocs != nil {
				allocs = fmt.Sprintf("%.1f", *m.Allocs)
			}
			fmt.Fprintf(t, "%.2f\t%.2f\t%.2f\t%s\t%.2f\t  %s %s\n", m.P50, m.P99, m.P999, allocs, m.P50/r.ours.P50, m.Lib, m.Way)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if r.Kind == layers {
			continue
		}
		network, err := infer.NetworkOf(r.Model)
		if err != nil {
			return err
		}
		if read, ok := r.loops[reader]; ok {
			bytes := float64(network.WeightBytes())
			fmt.Fprintf(w, "weights: %.2f MB, read at %.1f GB/s by Espalier and at %.1f GB/s by a plain loop\n",
				bytes/1e6, bytes/r.ours.P50/1e3, bytes/read.P50/1e3)
		}
		if share, ok := r.value("peak"); ok {
			flops := network.FLOPs(r.Batch)
			if r.Kind == training {
				flops = train.FLOPs(network, r.Batch)
			}
			fmt.Fprintf(w, "products: %.1f GFLOP/s, %.0f %% of the peak of %.1f\n",
				flops/r.ours.P50/1e3, 100*share, flops/r.loops[peak].P50/1e3)
		}
		if a, ok := r.loops[adam]; ok {
			bytes, move := float64(train.OptimizerBytes(network)), r.loops[mover]
			fmt.Fprintf(w, "Adam: %.1f MB in %.1f µs, %.1f GB/s, %.0f %% of the %.1f GB/s of a loop that only moves them\n",
				bytes/1e6, a.P50, bytes/a.P50/1e3, 100*move.P50/a.P50, bytes/move.P50/1e3)
			if top, ok := r.loops[peak]; ok {
				products := r.ours.P50 - a.P50
				flops := train.FLOPs(network, r.Batch)
				fmt.Fprintf(w, "the step without Adam: %.1f µs, %.1f GFLOP/s in products, %.0f %% of the peak of %.1f\n",
					products, flops/products/1e3, 100*top.P50/products, flops/top.P50/1e3)
			}
		}
	}
	return nil
}
