package nn

import (
	"errors"
	"fmt"
	"math"
)

// EarlyStopping ends training when a log has stopped improving, as Keras' callback of that name does. A value is an
// improvement if it is better than the best so far by more than MinDelta; the first one always is. The zero value watches
// val_loss and stops at the first epoch, after epoch 0, that is no improvement. Epochs that do not have the log, because
// validation does not come in each, do not count.
//
// Without a Mode, losses are to fall, a [Rising] metric does as it says, accuracies rise and other metrics of this package
// fall. A log of which nobody knows, such as one that a callback adds, needs a Mode.
type EarlyStopping struct {
	Monitor     string   `json:"monitor"`              // name of the log; "" is "val_loss", which needs validation data
	Mode        string   `json:"mode"`                 // "min", "max" or "", as "auto": see below
	MinDelta    float64  `json:"min_delta"`            // its sign does not count
	Patience    int      `json:"patience"`             // stop at this many epochs in a row without improvement; 0 acts as 1
	Baseline    *float64 `json:"baseline"`             // if set, Patience starts anew only at improvements that also beat it
	RestoreBest bool     `json:"restore_best_weights"` // at the end, go back to the weights of the best epoch
	StartFrom   int      `json:"start_from_epoch"`     // ignore the epochs before this number
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
		Save:     func(p Progress) ([]byte, error) { return stateOf(p, s).save() },
		Load:     func(p Progress, b []byte) error { return stateOf(p, s).load(p, b) },
	}
}

// earlyStoppingState is what a Fit that goes on needs to know.
type earlyStoppingState struct {
	Best    float64
	Any     bool
	Wait    int
	Weights [][]float32
}

func (s *earlyStopping) save() ([]byte, error) {
	return encodeState(earlyStoppingState{s.best, s.any, s.wait, s.weights})
}

func (s *earlyStopping) load(p Progress, b []byte) error {
	var state earlyStoppingState
	if err := decodeState(b, &state); err != nil {
		return fmt.Errorf("EarlyStopping: %w", err)
	}
	for i, w := range state.Weights {
		if len(state.Weights) != len(p.Model.weights) || len(w) != len(p.Model.weights[i].Data) {
			return errors.New("EarlyStopping: the best weights are of another model")
		}
	}
	s.best, s.any, s.wait, s.weights = state.Best, state.Any, state.Wait, state.Weights
	return nil
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
	}
	if err != nil {
		return fmt.Errorf("EarlyStopping: %w", err)
	}
	return nil
}

func (s *earlyStopping) epochEnd(p Progress) error {
	value, ok, err := s.value(p)
	if err != nil {
		return fmt.Errorf("EarlyStopping: %w", err)
	}
	if !ok || p.Epoch < s.StartFrom {
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
