package prep

import (
	"errors"
	"fmt"
	"math"
)

// MinMaxScaler maps the least value to 0 and the largest to 1, or to the two numbers of Range, as scikit-learn's class of that
// name; a column of one value becomes the first. Values outside of what was seen go beyond, unless Clip is true.
type MinMaxScaler struct {
	Range []float64 `json:"feature_range,omitempty"` // two numbers; none are 0 and 1
	Clip  bool      `json:"clip,omitempty"`
	Min   *float64  `json:"data_min,omitempty"`
	Max   *float64  `json:"data_max,omitempty"`

	seen     bool
	min, max float64
}

// Reads implements [Transform].
func (*MinMaxScaler) Reads() Kind { return Number }

// Build implements [Transform].
func (t *MinMaxScaler) Build(width int) (Kind, int, error) {
	if len(t.Range) != 0 && !(len(t.Range) == 2 && t.Range[0] < t.Range[1] && t.Range[1]-t.Range[0] < math.Inf(1)) {
		return 0, 0, fmt.Errorf("feature_range is %v, must be two numbers, the second larger", t.Range)
	}
	if (t.Min == nil) != (t.Max == nil) {
		return 0, 0, errors.New("must have both data_min and data_max, or none")
	}
	if t.Fitted() && !(*t.Min <= *t.Max && *t.Max-*t.Min < math.Inf(1)) {
		return 0, 0, fmt.Errorf("data_min %v and data_max %v are no range", *t.Min, *t.Max)
	}
	return Number, width, nil
}

// Fitted implements [Fitter].
func (t *MinMaxScaler) Fitted() bool { return t.Min != nil && t.Max != nil }

// Fit implements [Fitter].
func (t *MinMaxScaler) Fit(values []Value) error {
	for _, v := range values {
		x := v.Float()
		if !t.seen {
			t.seen, t.min, t.max = true, x, x
		}
		t.min, t.max = min(t.min, x), max(t.max, x)
	}
	return nil
}

// Finish implements [Fitter].
func (t *MinMaxScaler) Finish() error {
	if !t.seen {
		return errNoValues
	}
	lo, hi := t.min, t.max
	t.Min, t.Max = &lo, &hi
	return nil
}

func (t *MinMaxScaler) scale() (lo, hi, scale float64) {
	lo, hi = 0, 1
	if len(t.Range) == 2 {
		lo, hi = t.Range[0], t.Range[1]
	}
	scale = *t.Max - *t.Min
	if scale == 0 {
		scale = 1
	}
	return lo, hi, (hi - lo) / scale
}

// Apply implements [Transform].
func (t *MinMaxScaler) Apply(c *Cell) error {
	lo, hi, scale := t.scale()
	return c.each(func(x float64) float64 {
		y := float64((x-*t.Min)*scale) + lo
		if t.Clip {
			y = min(max(y, lo), hi)
		}
		return y
	})
}

// Invert implements [Inverter].
func (t *MinMaxScaler) Invert(y float64) float64 {
	lo, _, scale := t.scale()
	return (y-lo)/scale + *t.Min
}
