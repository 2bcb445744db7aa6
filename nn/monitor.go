package nn

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// A monitor follows one log.
type monitor struct {
	name  string
	max   bool
	delta float64
	best  float64
	any   bool // best is set
}

func newMonitor(p Progress, name, mode string, delta float64) (monitor, error) {
	if name == "" {
		name = "val_loss"
	}
	m := monitor{name: name, delta: math.Abs(delta)}
	if math.IsNaN(delta) || math.IsInf(delta, 0) {
		return m, fmt.Errorf("minimal delta is %v", delta)
	}
	if p.LogNames != nil && !slices.Contains(p.LogNames, name) { // Fit knows all of them from the beginning
		return m, m.unknown(p.LogNames)
	}
	switch mode {
	case "min":
	case "max":
		m.max = true
	case "", "auto":
		rises, known := p.Model.rises(name)
		if !known {
			return m, fmt.Errorf("whether log %q is to rise or to fall is not known: give a Mode, \"min\" or \"max\"", name)
		}
		m.max = rises
	default:
		return m, fmt.Errorf("unknown mode %q: valid are %q", mode, []string{"min", "max", "auto", ""})
	}
	return m, nil
}

func (m *monitor) unknown(logs []string) error {
	return fmt.Errorf("unknown monitor %q: the logs are %q", m.name, logs)
}

// value returns the log, unless it is one that this epoch does not have, as of validation that comes every other epoch.
func (m *monitor) value(p Progress) (v float64, ok bool, err error) {
	v, ok = p.Logs[m.name]
	if !ok && !slices.Contains(p.LogNames, m.name) {
		err = m.unknown(slices.Sorted(maps.Keys(p.Logs)))
	}
	return v, ok, err
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

// rises reports whether a log is better the larger it is, and whether that is known: losses fall, as metrics
// too, a [Rising] metric says it, the other metrics of this package fall, and accuracies rise whoever adds them.
func (m *Model) rises(log string) (rises, known bool) {
	name := strings.TrimPrefix(log, "val_")
	if name == "loss" {
		return false, true
	}
	if m != nil && m.trainer != nil {
		for _, h := range m.trainer.heads {
			if name == h.lossLog {
				return false, true
			}
			for _, measure := range h.measures {
				if !slices.Contains(measure.logs, name) {
					continue
				}
				if r, ok := measure.metric.(Rising); ok {
					return r.Rises(), true
				}
				_, loss := measure.metric.(Loss)
				_, ours := measure.metric.(configurable)
				if loss || ours {
					return false, true
				}
			}
		}
	}
	rises = strings.HasSuffix(log, "accuracy")
	return rises, rises
}
