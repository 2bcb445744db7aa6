package nn

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// Predict returns each output, [rows, features], by name. A row's result does not depend on the other rows. It may be
// called by callbacks of Fit, and from several goroutines while nothing trains the model.
func (m *Model) Predict(inputs Arrays) (map[string]kernels.Matrix, error) {
	const size = 256 // bounds the tape's memory
	results, err := m.predict(inputs, size)
	if err != nil {
		return nil, fmt.Errorf("nn: Predict: %w", err)
	}
	return results, nil
}

// PredictOnBatch is Predict with all rows at once, in as much memory as they need. The results are the same, to the last bit.
func (m *Model) PredictOnBatch(inputs Arrays) (map[string]kernels.Matrix, error) {
	results, err := m.predict(inputs, math.MaxInt)
	if err != nil {
		return nil, fmt.Errorf("nn: PredictOnBatch: %w", err)
	}
	return results, nil
}

// predict computes so many rows at a time.
func (m *Model) predict(inputs Arrays, size int) (map[string]kernels.Matrix, error) {
	c, batch := &chunk{}, &chunk{}
	if err := c.fillInputs(m, inputs); err != nil {
		return nil, err
	}
	size = min(size, c.rows)
	r := newRunner(m, nil)
	results := map[string]kernels.Matrix{}
	for _, n := range m.outputs {
		results[n.name()] = kernels.NewMatrix(c.rows, n.features())
	}
	for from := 0; from < c.rows; from += size {
		to := min(from+size, c.rows)
		batch.view(c, from, to)
		r.run(batch.inputs, false, 0)
		if r.err != nil {
			return nil, r.err
		}
		for i, n := range m.nodes {
			if m.outputNodes[n.name()] == n {
				result := results[n.name()]
				cols := result.Cols
				copy(result.Data[from*cols:to*cols], r.values[i].Data)
			}
		}
	}
	return results, nil
}
