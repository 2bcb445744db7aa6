package prep

import (
	"github.com/espalier-ml/espalier/internal/portable"
)

// Log is log(1+x), for amounts and counts. With Symmetric true a negative x becomes -log(1-x); otherwise -1 and less are errors.
type Log struct {
	Symmetric bool `json:"symmetric,omitempty"`
}

// Reads implements [Transform].
func (*Log) Reads() Kind { return Number }

// Build implements [Transform].
func (*Log) Build(width int) (Kind, int, error) { return Number, width, nil }

// Apply implements [Transform].
func (t *Log) Apply(c *Cell) error {
	return c.each(func(x float64) float64 {
		if t.Symmetric && x < 0 {
			return -portable.Log1p(-x)
		}
		return portable.Log1p(x)
	})
}

// Invert implements [Inverter].
func (t *Log) Invert(y float64) float64 {
	if t.Symmetric && y < 0 {
		return 1 - portable.Exp(-y)
	}
	return portable.Exp(y) - 1
}
