package main

import (
	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/infer/peers"
)

const (
	inference = "infer"
	reader    = "read" // the loop that only reads the weights
)

// inferRows measures rows of inference in this process.
func inferRows(rows []callRow, rounds int) (report, error) {
	others, missing, stop := peers.All()
	defer stop()
	c := contest[*infer.Problem, infer.Library]{
		libraries:  append([]infer.Library{infer.Espalier{}}, others...),
		newProblem: infer.NewProblem,
		loops: func(p *infer.Problem) map[string]infer.Call {
			loops := map[string]infer.Call{}
			if p.Row == (infer.Row{Model: "large", Threads: 1, Batch: 1}) {
				loops[reader] = infer.Reader(p)
			}
			addPeak(loops, p.Threads, p.FLOPs(p.Batch))
			return loops
		},
	}
	r, err := c.measure(rows, rounds)
	r.Libraries = append(r.Libraries, missing...)
	return r, err
}
