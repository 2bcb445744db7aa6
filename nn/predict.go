package nn

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// Predict returns each output, [rows, features], by name. A row's result does not depend on the other rows. It may be
// called by callbacks of Fit, and from several goroutines while nothing trains the model.
func (m *Model) Predict(inputs Arrays) (map[string]kernels.Matrix, error) {
	c, batch := &chunk{}, &chunk{}
	if err := c.fillInputs(m, inputs); err != nil {
		return nil, fmt.Errorf("nn: Predict: %w", err)
	}
	r := newRunner(m, nil)
	results := map[string]kernels.Matrix{}
	for _, n := range m.outputs {
		results[n.layer.name] = kernels.NewMatrix(c.rows, n.features())
	}
	const size = 256 // rows at a time: bounds the tape's memory
	for from := 0; from < c.rows; from += size {
		to := min(from+size, c.rows)
		batch.view(c, from, to)
		r.run(batch.inputs, false, 0)
		if r.err != nil {
			return nil, fmt.Errorf("nn: Predict: %w", r.err)
		}
		for i, n := range m.nodes {
			if m.outputNodes[n.layer.name] == n {
				result := results[n.layer.name]
				cols := result.Cols
				copy(result.Data[from*cols:to*cols], r.values[i].Data)
			}
		}
	}
	return results, nil
}
