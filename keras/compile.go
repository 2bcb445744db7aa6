package keras

import (
	"github.com/espalier-ml/espalier/nn"
)

// A stored is a variable of the optimizer.
type stored struct {
	shape  []int
	values any
}

func compileConfig(m *nn.Model) map[string]any { return nil }

func optimizerVariables(m *nn.Model) []stored { return nil }
