package nn

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// A Handle holds the plan that a service uses at present, and lets it change without a pause: calls that are under way
// end on the old plan, whose memory goes when the last of them is done. Any number of goroutines may use it.
type Handle struct{ plan atomic.Pointer[Plan] }

// NewHandle returns a handle that holds p.
func NewHandle(p *Plan) *Handle {
	h := new(Handle)
	h.plan.Store(p)
	return h
}

// Plan returns the present plan.
func (h *Handle) Plan() *Plan { return h.plan.Load() }

// Predict is [Plan.Predict] of the present plan.
func (h *Handle) Predict(inputs, outputs [][]float32, batch int) error {
	return h.plan.Load().Predict(inputs, outputs, batch)
}

// Swap makes p the present plan, after a first run that brings its memory into being. p must have the inputs and outputs
// of the plan before, in order and with as many features, or Swap returns an error and changes nothing.
func (h *Handle) Swap(p *Plan) error {
	if p == nil {
		return fmt.Errorf("nn: Handle.Swap: the plan is nil")
	}
	now := h.plan.Load()
	if err := samePorts("inputs", now.inputs, p.inputs); err != nil {
		return err
	}
	if err := samePorts("outputs", now.outputs, p.outputs); err != nil {
		return err
	}
	s := p.NewSession()
	for _, batch := range []int{1, p.maxBatch} {
		if err := s.Run(batch); err != nil {
			return fmt.Errorf("nn: Handle.Swap: %w", err)
		}
	}
	p.sessions.put(s)
	h.plan.Store(p)
	return nil
}

func samePorts(what string, have, got []port) error {
	same := func(a, b port) bool { return a.name == b.name && a.features == b.features }
	if !slices.EqualFunc(have, got, same) {
		return fmt.Errorf("nn: Handle.Swap: %s are %s, must be %s", what, formatPorts(got), formatPorts(have))
	}
	return nil
}

func formatPorts(ports []port) string {
	s := ""
	for i, p := range ports {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%q (%d)", p.name, p.features)
	}
	return s
}
