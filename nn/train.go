package nn

import "fmt"

// TrainOnBatch takes one training step on all rows of d and returns the losses and metrics from before the update. It
// allocates nothing once it has seen batches of the size: the logs are overwritten by the next call. It does not write to d
// and keeps nothing of it. Its errors are those of a step of Fit, [ErrNonFinite] and [ErrBusy] among them; weights that
// this update drives out of the finite range are an error of the next step, if they reach its loss, and of Save.
func (m *Model) TrainOnBatch(d Data) (Logs, error) {
	logs, err := m.trainOnBatch(d)
	if err != nil {
		return nil, fmt.Errorf("nn: TrainOnBatch: %w", err)
	}
	return logs, nil
}

func (m *Model) trainOnBatch(d Data) (Logs, error) {
	if err := m.hold(); err != nil {
		return nil, err
	}
	defer m.release()
	t := m.trainer
	if t == nil {
		return nil, ErrNotCompiled
	}
	defer t.forget()
	if t.sum == nil {
		var err error
		if t.sum, err = newTally(t); err != nil {
			return nil, err
		}
	}
	t.sum.reset()
	if err := t.batch.fill(m, d); err != nil {
		return nil, err
	}
	if err := t.step(&t.batch, m.seed, nil, t.sum); err != nil {
		return nil, err
	}
	return t.sum.logs(t, t.logs), nil
}
