package main

import "github.com/espalier-ml/espalier/bench"

// result is one row with all that was measured for it.
type result struct {
	bench.Row
	ours   measurement
	forced measurement            // the fastest level that Espalier is held to, if the ISA is auto
	peers  map[string]measurement // each in its fastest way
	peak   float64                // GFLOP/s, or 0
	lookup map[bench.Row]*result  // all results
}

// resultsOf collects measurements by row, in the order of the rows.
func resultsOf(measurements []measurement) []*result {
	lookup := map[bench.Row]*result{}
	var results []*result
	for _, m := range measurements {
		r := lookup[m.Row]
		if r == nil {
			r = &result{Row: m.Row, peers: map[string]measurement{}, lookup: lookup}
			lookup[m.Row] = r
			results = append(results, r)
		}
		switch m.Lib {
		case ours:
			// The first is by what Espalier chooses.
			if r.ours.NS == 0 {
				r.ours = m
			} else if r.forced.NS == 0 || m.NS < r.forced.NS {
				r.forced = m
			}
		case peak:
			r.peak = m.GFLOPS
		default:
			if best, ok := r.peers[m.Lib]; !ok || m.NS < best.NS {
				r.peers[m.Lib] = m
			}
		}
	}
	return results
}

// best returns the fastest peer.
func (r *result) best() (best measurement, ok bool) {
	for _, m := range r.peers {
		if !ok || m.NS < best.NS {
			best, ok = m, true
		}
	}
	return best, ok
}

// value returns a measure of Espalier in this row, or false if it was not measured:
//
//	peak       its share of the machine's peak
//	best       how many times faster it is than the fastest peer
//	forced     what the fastest level takes that it is held to, divided by what it takes if it chooses
//	softmax    what its softmax of the same rows takes, divided by what this takes
//	otherwise  how many times faster it is than the peer of that name
func (r *result) value(measure string) (float64, bool) {
	switch measure {
	case "peak":
		return r.ours.ShareOfPeak, r.ours.ShareOfPeak > 0
	case "best":
		m, ok := r.best()
		return m.NS / r.ours.NS, ok
	case "forced":
		return r.forced.NS / r.ours.NS, r.forced.NS > 0
	case "softmax":
		row := r.Row
		row.Op = bench.Softmax
		if s := r.lookup[row]; s != nil {
			return s.ours.NS / r.ours.NS, true
		}
		return 0, false
	default:
		m, ok := r.peers[measure]
		return m.NS / r.ours.NS, ok
	}
}
