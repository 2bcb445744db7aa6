package nn

import "fmt"

// A tally adds up losses and metrics over the batches of an epoch. Products are rounded before they are added, so that
// machines with fused multiply-add log the same numbers.
type tally struct {
	rows    float64
	losses  []float64 // by head, times the rows that they are the mean of
	counts  []float64 // of these rows
	labels  []float64 // rows that have a label, by head
	penalty float64
	meters  [][]Meter // by head and measure
	present labelledRows
}

func newTally(t *trainer) (*tally, error) {
	n := len(t.heads)
	s := &tally{losses: make([]float64, n), counts: make([]float64, n), labels: make([]float64, n), meters: make([][]Meter, n)}
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
		n := labels(b.rows, b.weights[i])
		s.labels[i] += float64(n)
		pred, y := t.preds[i].Matrix, b.targets[i]
		var weights []float32
		if h.isWeighted() {
			weights = t.rowWeights(i, b, classes[h])
		}
		if n < b.rows && len(h.measures) > 0 {
			pred, y, weights = s.present.of(b.weights[i], pred, y, weights)
		}
		if h.reduction() != ReduceMeanWithSampleWeight {
			n = b.rows
		}
		s.losses[i] += float64(float64(t.losses[i].Data[0]) * float64(n))
		s.counts[i] += float64(n)
		for j, m := range s.meters[i] {
			switch {
			case pred.Rows == 0:
			case h.measures[j].weighted:
				m.Add(pred, y, weights)
			default:
				m.Add(pred, y, nil)
			}
		}
	}
}

// logs fills logs with the means so far.
func (s *tally) logs(t *trainer, logs Logs) Logs {
	total := s.penalty / s.rows
	for i, h := range t.heads {
		loss := share(s.losses[i], s.counts[i])
		total += float64(h.weight * loss)
		if s.labels[i] < s.rows {
			logs[h.countLog] = s.labels[i]
		} else {
			delete(logs, h.countLog)
		}
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
		s.losses[i], s.counts[i], s.labels[i] = 0, 0, 0
		for _, m := range meters {
			m.Reset()
		}
	}
}
