package nn

import "fmt"

// A tally adds up losses and metrics over the batches of an epoch. Products are rounded before they are added, so that
// machines with fused multiply-add log the same numbers.
type tally struct {
	rows    float64
	losses  []float64
	penalty float64
	meters  [][]Meter // by head
}

func newTally(t *trainer) (*tally, error) {
	s := &tally{losses: make([]float64, len(t.heads)), meters: make([][]Meter, len(t.heads))}
	for i, h := range t.heads {
		for _, metric := range h.metrics {
			m, err := metric.Start(h.output())
			if err != nil {
				return nil, fmt.Errorf("output %q: metric %s: %w", h.name, metric.Name(), err)
			}
			s.meters[i] = append(s.meters[i], m)
		}
	}
	return s, nil
}

func (s *tally) add(t *trainer, b *batch) {
	s.rows += float64(b.rows)
	s.penalty += float64(t.penalty * float64(b.rows))
	for i, m := range s.meters {
		s.losses[i] += float64(float64(t.losses[i].Data[0]) * float64(b.rows))
		for _, m := range m {
			m.Add(t.preds[i].Matrix, b.targets[i], nil)
		}
	}
}

// logs fills logs with the means so far.
func (s *tally) logs(t *trainer, logs Logs) Logs {
	total := s.penalty / s.rows
	for i, h := range t.heads {
		loss := s.losses[i] / s.rows
		total += float64(h.weight * loss)
		if h.lossLog != "" {
			logs[h.lossLog] = loss
		}
		for j, name := range h.metricLogs {
			logs[name] = s.meters[i][j].Value()
		}
	}
	logs["loss"] = total
	return logs
}

// reset forgets all rows.
func (s *tally) reset() {
	s.rows, s.penalty = 0, 0
	for i, meters := range s.meters {
		s.losses[i] = 0
		for _, m := range meters {
			m.Reset()
		}
	}
}
