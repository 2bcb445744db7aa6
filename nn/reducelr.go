package nn

import (
	"fmt"
	"math"
)

// ReduceLROnPlateau multiplies the learning rate by Factor when a log has stopped improving, as Keras' callback of that
// name does. The learning rate stays reduced after Fit.
type ReduceLROnPlateau struct {
	Monitor  string  `json:"monitor"`   // name of the log; "" is "val_loss", which needs validation data
	Mode     string  `json:"mode"`      // "min", "max" or "", as that of [EarlyStopping]
	Factor   float64 `json:"factor"`    // between 0 and 1; 0 is 0.1
	MinDelta float64 `json:"min_delta"` // what an improvement must exceed; its sign does not count; 0 is 1e-4
	Patience int     `json:"patience"`  // reduce at this many epochs in a row without improvement; 0 is 10
	Cooldown int     `json:"cooldown"`  // epochs after a reduction that do not count against Patience
	MinLR    float64 `json:"min_lr"`    // never go below
}

// Callback returns the callback for Fit. Each Fit starts it afresh, with a state of its own.
func (r ReduceLROnPlateau) Callback() Callback {
	return (&reduceLR{ReduceLROnPlateau: r}).callback()
}

type reduceLR struct {
	ReduceLROnPlateau
	monitor
	wait     int
	cooldown int // epochs left
}

func (s *reduceLR) callback() Callback {
	return Callback{
		Begin:    func(p Progress) error { return stateOf(p, s).begin(p) },
		EpochEnd: func(p Progress) error { return stateOf(p, s).epochEnd(p) },
		Save:     func(p Progress) ([]byte, error) { return stateOf(p, s).save() },
		Load:     func(p Progress, b []byte) error { return stateOf(p, s).load(b) },
	}
}

// reduceLRState is what a Fit that goes on needs to know.
type reduceLRState struct {
	Best     float64
	Any      bool
	Wait     int
	Cooldown int
}

func (s *reduceLR) save() ([]byte, error) {
	return encodeState(reduceLRState{s.best, s.any, s.wait, s.cooldown})
}

func (s *reduceLR) load(b []byte) error {
	var state reduceLRState
	if err := decodeState(b, &state); err != nil {
		return fmt.Errorf("ReduceLROnPlateau: %w", err)
	}
	s.best, s.any, s.wait, s.cooldown = state.Best, state.Any, state.Wait, state.Cooldown
	return nil
}

func (s *reduceLR) begin(p Progress) (err error) {
	if s.Factor == 0 {
		s.Factor = 0.1
	}
	if s.MinDelta == 0 {
		s.MinDelta = 1e-4
	}
	if s.Patience == 0 {
		s.Patience = 10
	}
	s.wait, s.cooldown = 0, 0
	s.monitor, err = newMonitor(p, s.Monitor, s.Mode, s.MinDelta)
	switch {
	case err != nil:
	case s.Patience < 0 || s.Cooldown < 0:
		err = fmt.Errorf("patience %d and cooldown %d must not be negative", s.Patience, s.Cooldown)
	case !(s.Factor > 0 && s.Factor < 1):
		err = fmt.Errorf("factor %v is not between 0 and 1", s.Factor)
	case !(s.MinLR >= 0) || math.IsInf(s.MinLR, 0):
		err = fmt.Errorf("minimal learning rate %v must be finite and not negative", s.MinLR)
	}
	if err != nil {
		return fmt.Errorf("ReduceLROnPlateau: %w", err)
	}
	return nil
}

func (s *reduceLR) epochEnd(p Progress) error {
	value, ok, err := s.value(p)
	if err != nil {
		return fmt.Errorf("ReduceLROnPlateau: %w", err)
	}
	if !ok {
		return nil
	}
	if s.cooldown > 0 {
		s.cooldown--
	}
	if s.improves(value) {
		s.wait = 0
		return nil
	}
	if s.cooldown > 0 {
		return nil
	}
	s.wait++
	if rate := p.Model.LearningRate(); s.wait >= s.Patience && rate > s.MinLR {
		s.wait, s.cooldown = 0, s.Cooldown
		if rate = max(rate*s.Factor, s.MinLR); vanishes(rate) {
			return nil // it is as small as float32 has it
		}
		return p.Model.SetLearningRate(rate)
	}
	return nil
}
