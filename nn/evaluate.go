package nn

import (
	"context"
	"fmt"
)

// An EvaluateOption configures Evaluate. If an option is given twice the last one counts.
type EvaluateOption interface{ applyEvaluate(*fitConfig) }

// Evaluate returns the losses and metrics of the model over the data. It changes nothing and works in memory of its own: it
// may be called by callbacks of Fit, and from several goroutines while nothing trains the model. A loss that is not finite
// is [ErrNonFinite].
func (m *Model) Evaluate(ctx context.Context, data Dataset, opts ...EvaluateOption) (Logs, error) {
	logs, err := m.evaluate(ctx, data, opts)
	if err != nil {
		return nil, fmt.Errorf("nn: Evaluate: %w", err)
	}
	return logs, nil
}

func (m *Model) evaluate(ctx context.Context, data Dataset, opts []EvaluateOption) (Logs, error) {
	c := fitConfig{size: 32}
	for i, o := range opts {
		if o == nil {
			return nil, errNilOption(i)
		}
		o.applyEvaluate(&c)
	}
	if m.trainer == nil {
		return nil, ErrNotCompiled
	}
	if c.size < 1 {
		return nil, fmt.Errorf("batch size %d is below 1", c.size)
	}
	if ctx == nil {
		return nil, errNilContext
	}
	if err := checkDataset(data); err != nil {
		return nil, fmt.Errorf("the data %w", err)
	}
	own := newTrainer(m, m.trainer.optimizer, m.trainer.heads) // that of the model may be in a Fit
	defer own.share(c.workers)()
	return own.evaluate(ctx, data.chunks(m), c.size, 0)
}

// TestOnBatch returns the losses and metrics of the model over all rows of d, as one batch. It changes nothing, as Evaluate.
func (m *Model) TestOnBatch(d Data) (Logs, error) {
	logs, err := m.testOnBatch(d)
	if err != nil {
		return nil, fmt.Errorf("nn: TestOnBatch: %w", err)
	}
	return logs, nil
}

func (m *Model) testOnBatch(d Data) (Logs, error) {
	if m.trainer == nil {
		return nil, ErrNotCompiled
	}
	c, err := m.check(d)
	if err != nil {
		return nil, err
	}
	own := newTrainer(m, m.trainer.optimizer, m.trainer.heads)
	return own.evaluate(context.Background(), c.chunks(m), c.rows, 0)
}
