package nn

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A Compilation is what [Model.Compile] was given.
type Compilation struct {
	Optimizer       Optimizer
	Losses          Losses
	LossWeights     LossWeights
	Metrics         Metrics
	WeightedMetrics WeightedMetrics
}

// Compiled returns what Compile was given, and false before Compile. The optimizer is a copy.
func (m *Model) Compiled() (Compilation, bool) {
	if m.trainer == nil {
		return Compilation{}, false
	}
	c := Compilation{copyOf(m.trainer.optimizer), Losses{}, LossWeights{}, Metrics{}, WeightedMetrics{}}
	for _, name := range m.OutputNames() {
		c.Losses[name] = nil // unless there is a head
	}
	for _, h := range m.trainer.heads {
		c.Losses[h.name], c.LossWeights[h.name] = h.loss, h.weight
		for _, of := range h.measures {
			if of.weighted {
				c.WeightedMetrics[h.name] = append(c.WeightedMetrics[h.name], of.metric)
			} else {
				c.Metrics[h.name] = append(c.Metrics[h.name], of.metric)
			}
		}
	}
	return c, true
}

// An OptimizerState is how far training has come.
type OptimizerState struct {
	Steps int64
	// Slots are what the optimizer keeps for each weight, by the weight's name and in the order of [Optimizer.Slots]. The last one
	// is the mean of the weight, if [OptimizerOptions] keep one. A weight that is no parameter has none.
	Slots map[string][][]float32
}

// OptimizerState returns a copy of the state of the optimizer of a compiled model.
func (m *Model) OptimizerState() (OptimizerState, error) {
	if m.trainer == nil {
		return OptimizerState{}, fmt.Errorf("nn: OptimizerState: %w", ErrNotCompiled)
	}
	s := OptimizerState{m.trainer.iterations, map[string][][]float32{}}
	for i, w := range m.weights {
		for _, values := range m.trainer.slots[i] {
			s.Slots[w.Name] = append(s.Slots[w.Name], slices.Clone(values))
		}
	}
	return s, nil
}

// SetOptimizerState lets training go on from a state. All weights must have all of their slots, of finite values; nothing is
// changed after an error.
func (m *Model) SetOptimizerState(s OptimizerState) error {
	if err := m.setOptimizerState(s); err != nil {
		return brief.Error(fmt.Errorf("nn: SetOptimizerState: %w", err))
	}
	return nil
}

func (m *Model) setOptimizerState(s OptimizerState) error {
	if err := m.hold(); err != nil {
		return err
	}
	defer m.release()
	switch {
	case m.trainer == nil:
		return ErrNotCompiled
	case s.Steps < 0 || s.Steps > maxIterations:
		return fmt.Errorf("%d steps, valid are 0 to %d", s.Steps, int64(maxIterations))
	}
	for i, w := range m.weights {
		given, want := s.Slots[w.Name], m.trainer.slots[i]
		if len(given) != len(want) {
			return fmt.Errorf("weight %s: %d slots are given, the optimizer has %d", brief.Quote(w.Name), len(given), len(want))
		}
		for j, values := range given {
			if len(values) != len(want[j]) {
				return fmt.Errorf("weight %s: %s has %d values, must have %d", brief.Quote(w.Name), m.trainer.slotNames[j], len(values), len(want[j]))
			}
			if k := nonFinite(values); k >= 0 {
				return fmt.Errorf("weight %s: %s: value %d is %v: %w", brief.Quote(w.Name), m.trainer.slotNames[j], k, values[k], ErrNonFinite)
			}
		}
	}
	for i, w := range m.weights {
		for j, values := range s.Slots[w.Name] {
			copy(m.trainer.slots[i][j], values)
		}
	}
	m.trainer.iterations = s.Steps
	return nil
}
