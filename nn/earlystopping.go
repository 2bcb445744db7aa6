package nn

import (
	"errors"
	"fmt"
	"math"
)

// EarlyStopping ends training when a log has stopped improving, as Keras' callback of that name does. A value is an
// improvement if it is better than the best so far by more than MinDelta; the first one always is. The zero value watches
// val_loss and stops at the first epoch, after epoch 0, that is no improvement.
type EarlyStopping struct {
	Monitor     string   // name of the log; "" is "val_loss", which needs validation data
	Mode        string   // "min", "max" or "": max for a [Rising] metric and names that end in accuracy, min for others
	MinDelta    float64  // its sign does not count
	Patience    int      // stop at this many epochs in a row without improvement; 0 acts as 1
	Baseline    *float64 // if set, Patience starts anew only at improvements that also beat it
	RestoreBest bool     // at the end, go back to the weights of the best epoch
	StartFrom   int      // ignore the epochs before this number
}

// Callback returns the callback for Fit. Each Fit starts it afresh, with a state of its own.
func (e EarlyStopping) Callback() Callback {
	if e.Baseline != nil { // the caller may write to its own
		baseline := *e.Baseline
		e.Baseline = &baseline
	}
	return (&earlyStopping{EarlyStopping: e}).callback()
}

type earlyStopping struct {
	EarlyStopping
	monitor
	wait    int
	weights [][]float32 // of the best epoch
}

func (s *earlyStopping) callback() Callback {
	return Callback{
		Begin:    func(p Progress) error { return stateOf(p, s).begin(p) },
		EpochEnd: func(p Progress) error { return stateOf(p, s).epochEnd(p) },
		End:      func(p Progress) error { return stateOf(p, s).end(p) },
	}
}

func (s *earlyStopping) begin(p Progress) (err error) {
	s.wait, s.weights = 0, nil
	s.monitor, err = newMonitor(p, s.Monitor, s.Mode, s.MinDelta)
	switch {
	case err != nil:
	case s.Patience < 0:
		err = fmt.Errorf("patience %d is negative", s.Patience)
	case s.Baseline != nil && math.IsNaN(*s.Baseline):
		err = errors.New("baseline is NaN")
	default:
		err = s.check(p)
	}
	if err != nil {
		return fmt.Errorf("EarlyStopping: %w", err)
	}
	return nil
}

func (s *earlyStopping) epochEnd(p Progress) error {
	value, err := s.value(p.Logs)
	if err != nil {
		return fmt.Errorf("EarlyStopping: %w", err)
	}
	if p.Epoch < s.StartFrom {
		return nil
	}
	s.wait++
	if s.improves(value) {
		if s.RestoreBest {
			s.keep(p.Model)
		}
		if s.Baseline == nil || s.better(value, *s.Baseline) {
			s.wait = 0
		}
	} else if s.wait >= s.Patience && p.Epoch > 0 {
		return ErrStop
	}
	return nil
}

func (s *earlyStopping) end(p Progress) error {
	for i, w := range s.weights {
		copy(p.Model.weights[i].Data, w)
	}
	s.weights = nil
	return nil
}

func (s *earlyStopping) keep(m *Model) {
	if s.weights == nil {
		s.weights = make([][]float32, len(m.weights))
	}
	for i, w := range m.weights {
		s.weights[i] = append(s.weights[i][:0], w.Data...)
	}
}
