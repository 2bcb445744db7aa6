package main

import (
	"math"

	"github.com/espalier-ml/espalier/bench"
	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/train"
	"github.com/espalier-ml/espalier/bench/train/peers"
)

const (
	training = "train"
	adam     = "adam" // Espalier's update alone
	mover    = "move" // the loop that moves as much memory
)

// trainRows measures rows of training in this process.
func trainRows(rows []callRow, rounds int) (report, error) {
	others, missing, stop := peers.All()
	defer stop()
	c := contest[*train.Problem, train.Library]{
		libraries:  append([]train.Library{train.Espalier{}}, others...),
		newProblem: func(r infer.Row) (*train.Problem, error) { return train.NewProblem(train.Row(r)) },
		loops: func(p *train.Problem) map[string]infer.Call {
			if p.Threads > 1 { // which Espalier does not use
				return nil
			}
			loops := map[string]infer.Call{}
			if p.Model == "large" {
				loops[adam], loops[mover] = train.Optimizer(p)
			}
			addPeak(loops, 1, train.FLOPs(p.Network, p.Batch))
			return loops
		},
	}
	r, err := c.measure(rows, rounds)
	r.Libraries = append(r.Libraries, missing...)
	return r, err
}

// addPeak adds a call whose times are what flops floating-point operations would take at the machine's peak.
func addPeak(loops map[string]infer.Call, threads int, flops float64) {
	if bench.Peak(bench.Auto, threads) == 0 {
		return
	}
	loops[peak] = infer.Call{
		Way: "registers",
		Run: func(ns []uint32) error {
			for i := range ns {
				ns[i] = uint32(math.Round(flops / bench.Peak(bench.Auto, threads)))
			}
			return nil
		},
		Close: func() {},
	}
}
