package layer

import (
	"github.com/espalier-ml/espalier/bench"
	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/nn"
)

// Espalier is this library.
type Espalier struct{}

func (Espalier) Name() string { return "espalier" }

func (Espalier) Version() string { return "of this tree" }

// Prepare returns one call: Run of a session, with the input in its memory.
func (Espalier) Prepare(p *Problem) ([]infer.Call, error) {
	plan, err := nn.NewPlan(p.Model, p.Batch)
	if err != nil {
		return nil, err
	}
	s := plan.NewSession()
	copy(s.Input(0), p.X)
	call := infer.GoCall("Session.Run", func() error { return s.Run(p.Batch) })
	run := call.Run
	call.Run = func(ns []uint32) error {
		return bench.Unlocked(func() error { return run(ns) })
	}
	call.Fetch = func() error {
		copy(p.Y, s.Output(0))
		return nil
	}
	return []infer.Call{call}, nil
}
