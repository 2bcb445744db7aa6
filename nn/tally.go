package nn

import "fmt"

// A tally adds up losses and metrics over the batches of an epoch. Products are rounded before they are added, so that
// machines with fused multiply-add log the same numbers.
type tally struct {
	rows    float64
	losses  []float64
	penalty float64
	meters  [][]Meter // by head and measure
}

func newTally(t *trainer) (*tally, error) {
	s := &tally{losses: make([]float64, len(t.heads)), meters: make([][]Meter, len(t.heads))}
	for i, h := range t.heads {
		for _, measure := range h.measures {
			m, err := measure.metric.Start(h.output())
			if err != nil {
				return nil, fmt.Errorf("output %q: metric %s: %w", h.name, measure.metric.Name(), err)
			}
			s.meters[i] = append(s.meters[i], m)
		}
	}
	return s, nil
}

func (s *tally) add(t *trainer, b *batch, classes classWeights) {
	s.rows += float64(b.rows)
	s.penalty += float64(t.penalty * float64(b.rows))
	for i, h := range t.heads {
		s.losses[i] += float64(float64(t.losses[i].Data[0]) * float64(b.rows))
		var weights []float32
		if h.isWeighted() {
			weights = t.rowWeights(i, b, classes[h])
		}
		for j, m := range s.meters[i] {
			if h.measures[j].weighted {
				m.Add(t.preds[i].Matrix, b.targets[i], weights)
			} else {
				m.Add(t.preds[i].Matrix, b.targets[i], nil)
			}
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
		for j, m := range h.measures {
			if len(m.logs) == 1 {
				logs[m.logs[0]] = s.meters[i][j].Value()
				continue
			}
			for k, v := range s.meters[i][j].(Vector).Values() {
				logs[m.logs[k]] = v
			}
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
