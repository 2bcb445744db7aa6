package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A Handle holds the plan that a service uses at present, and lets it change without a pause: calls that are under way
// end on the old plan, whose memory is freed after the last of them. Any number of goroutines may use it. The zero
// Handle holds no plan until Swap gives it one.
type Handle struct{ plan atomic.Pointer[Plan] }

// NewHandle returns a handle that holds p, or no plan if p is nil.
func NewHandle(p *Plan) *Handle {
	h := new(Handle)
	h.plan.Store(p)
	return h
}

// Plan returns the present plan, nil if there is none.
func (h *Handle) Plan() *Plan { return h.plan.Load() }

// Predict is [Plan.Predict] of the present plan, and an error if there is none.
func (h *Handle) Predict(inputs, outputs [][]float32, batch int) error {
	p := h.plan.Load()
	if p == nil {
		return errors.New("plan: Handle.Predict: the handle holds no plan: give it one with NewHandle or Swap")
	}
	return p.Predict(inputs, outputs, batch)
}

// Swap makes p the present plan, after a first run that brings its memory into being. p must have the inputs and outputs
// of the plan before, in order and with as many features, or Swap returns an error and changes nothing. A handle without
// a plan takes any.
func (h *Handle) Swap(p *Plan) error {
	if p == nil {
		return fmt.Errorf("plan: Handle.Swap: the plan is nil")
	}
	if p.isEmpty() {
		return fmt.Errorf("plan: Handle.Swap: %w", errEmptyPlan)
	}
	if now := h.plan.Load(); now != nil {
		if err := samePorts("inputs", now.inputs, p.inputs); err != nil {
			return brief.Error(err)
		}
		if err := samePorts("outputs", now.outputs, p.outputs); err != nil {
			return brief.Error(err)
		}
	}
	s := p.NewSession()
	for _, batch := range []int{1, p.maxBatch} {
		if err := s.Run(batch); err != nil {
			return fmt.Errorf("plan: Handle.Swap: %w", err)
		}
	}
	p.sessions.Put(s)
	h.plan.Store(p)
	return nil
}

func samePorts(what string, have, got []port) error {
	same := func(a, b port) bool { return a.name == b.name && a.features == b.features }
	if !slices.EqualFunc(have, got, same) {
		return fmt.Errorf("plan: Handle.Swap: %s are %s, must be %s", what, formatPorts(got), formatPorts(have))
	}
	return nil
}

func formatPorts(ports []port) string {
	var b strings.Builder
	for i, p := range ports {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == brief.MaxListed {
			fmt.Fprintf(&b, "and %d more", len(ports)-i)
			break
		}
		fmt.Fprintf(&b, "%s (%d)", brief.Quote(p.name), p.features)
	}
	return b.String()
}
