package nn

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// EarlyStopping ends training when a log has stopped improving, as Keras' callback of that name does. A value is an
// improvement if it is better than the best so far by more than MinDelta; the first one always is. The zero value watches
// val_loss and stops at the first epoch, after epoch 0, that is no improvement.
type EarlyStopping struct {
	Monitor     string   // name of the log; "" is "val_loss", which needs validation data
	Mode        string   // "min", "max" or "": max for names that end in accuracy, min for others
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

// stateOf returns the state of a callback in the Fit of p, which starts as a copy of own. A Progress that no Fit has made
// has no place for it: that works on own.
func stateOf[T any](p Progress, own *T) *T {
	if p.states == nil {
		return own
	}
	s, ok := p.states[own].(*T)
	if !ok {
		s = new(T)
		*s = *own
		p.states[own] = s
	}
	return s
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
	s.monitor, err = newMonitor(s.Monitor, s.Mode, s.MinDelta)
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

// ReduceLROnPlateau multiplies the learning rate by Factor when a log has stopped improving, as Keras' callback of that
// name does. The learning rate stays reduced after Fit.
type ReduceLROnPlateau struct {
	Monitor  string  // name of the log; "" is "val_loss", which needs validation data
	Mode     string  // "min", "max" or "": max for names that end in accuracy, min for others
	Factor   float64 // between 0 and 1; 0 is 0.1
	MinDelta float64 // what an improvement must exceed; its sign does not count; 0 is 1e-4
	Patience int     // reduce at this many epochs in a row without improvement; 0 is 10
	Cooldown int     // epochs after a reduction that do not count against Patience
	MinLR    float64 // never go below
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
	}
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
	s.monitor, err = newMonitor(s.Monitor, s.Mode, s.MinDelta)
	switch {
	case err != nil:
	case s.Patience < 0 || s.Cooldown < 0:
		err = fmt.Errorf("patience %d and cooldown %d must not be negative", s.Patience, s.Cooldown)
	case !(s.Factor > 0 && s.Factor < 1):
		err = fmt.Errorf("factor %v is not between 0 and 1", s.Factor)
	case !(s.MinLR >= 0) || math.IsInf(s.MinLR, 0):
		err = fmt.Errorf("minimal learning rate %v must be finite and not negative", s.MinLR)
	default:
		err = s.check(p)
	}
	if err != nil {
		return fmt.Errorf("ReduceLROnPlateau: %w", err)
	}
	return nil
}

func (s *reduceLR) epochEnd(p Progress) error {
	value, err := s.value(p.Logs)
	if err != nil {
		return fmt.Errorf("ReduceLROnPlateau: %w", err)
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

// A monitor follows one log.
type monitor struct {
	name  string
	max   bool
	delta float64
	best  float64
	any   bool // best is set
}

func newMonitor(name, mode string, delta float64) (monitor, error) {
	if name == "" {
		name = "val_loss"
	}
	m := monitor{name: name, delta: math.Abs(delta)}
	switch mode {
	case "min":
	case "max":
		m.max = true
	case "":
		m.max = strings.HasSuffix(name, "accuracy")
	default:
		return m, fmt.Errorf("unknown mode %q: valid are %q", mode, []string{"min", "max", ""})
	}
	if math.IsNaN(delta) || math.IsInf(delta, 0) {
		return m, fmt.Errorf("minimal delta is %v", delta)
	}
	return m, nil
}

// check reports a name that no log will have. Fit knows all of them from the beginning.
func (m *monitor) check(p Progress) error {
	if p.LogNames != nil && !slices.Contains(p.LogNames, m.name) {
		return m.unknown(p.LogNames)
	}
	return nil
}

func (m *monitor) unknown(logs []string) error {
	return fmt.Errorf("unknown monitor %q: the logs are %q", m.name, logs)
}

func (m *monitor) value(logs Logs) (float64, error) {
	v, ok := logs[m.name]
	if !ok {
		return 0, m.unknown(slices.Sorted(maps.Keys(logs)))
	}
	return v, nil
}

// better reports whether v is better than reference by more than delta. NaN never is.
func (m *monitor) better(v, reference float64) bool {
	if m.max {
		return v-m.delta > reference
	}
	return v+m.delta < reference
}

// improves reports whether v is the best so far, and if so keeps it.
func (m *monitor) improves(v float64) bool {
	if m.any && !m.better(v, m.best) {
		return false
	}
	m.best, m.any = v, true
	return true
}

// LearningRate returns the learning rate that training uses now, 0 before Compile.
func (m *Model) LearningRate() float64 {
	if m.trainer == nil {
		return 0
	}
	return m.trainer.optimizer.LearningRate
}

// SetLearningRate changes the learning rate from the next training step on. The optimizer keeps its state. Callbacks of Fit
// may call it; another goroutine must not while the model trains.
func (m *Model) SetLearningRate(lr float64) error {
	if m.trainer == nil {
		return fmt.Errorf("nn: SetLearningRate: %w", ErrNotCompiled)
	}
	o := m.trainer.optimizer
	o.LearningRate = lr
	if err := o.checkNew(); err != nil {
		return fmt.Errorf("nn: SetLearningRate: %w", err)
	}
	m.trainer.optimizer = o
	return nil
}
