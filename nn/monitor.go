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
	switch mode {
	case "min":
	case "max":
		m.max = true
	case "":
		m.max = p.Model.rises(name)
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

// rises reports whether a log is better the larger it is: because its metric says so, or by its name.
func (m *Model) rises(log string) bool {
	if strings.HasSuffix(log, "accuracy") {
		return true
	}
	if m == nil || m.trainer == nil {
		return false
	}
	for _, h := range m.trainer.heads {
		for _, m := range h.measures {
			if r, ok := m.metric.(Rising); ok && slices.Contains(m.logs, strings.TrimPrefix(log, "val_")) {
				return r.Rises()
			}
		}
	}
	return false
}
