package main

import (
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
			if p.Model != "large" || p.Threads > 1 {
				return nil
			}
			loops := map[string]infer.Call{}
			loops[adam], loops[mover] = train.Optimizer(p)
			if isa := bench.Levels()[0]; bench.Peak(isa, 1) > 0 {
				loops[peak] = peakCall(isa, train.FLOPs(p.Network, p.Batch))
			}
			return loops
		},
	}
	r, err := c.measure(rows, rounds)
	r.Libraries = append(r.Libraries, missing...)
	return r, err
}

// peakCall returns a call whose times are what flops floating-point operations would take at the machine's peak.
func peakCall(isa string, flops float64) infer.Call {
	return infer.Call{
		Way: "registers",
		Run: func(ns []uint32) error {
			for i := range ns {
				ns[i] = uint32(flops / bench.Peak(isa, 1))
			}
			return nil
		},
		Close: func() {},
	}
}
