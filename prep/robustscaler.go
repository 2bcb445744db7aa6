package prep

import (
	"errors"
	"fmt"
	"math"
)

// RobustScaler subtracts the median and divides by the distance of the quartiles, as scikit-learn's class of that name, so that
// single huge values do not matter for the fit. A SmoothClip c above 0 squeezes what lies far out into (-c, c), without a
// corner: x / √(1 + (x/c)²); Holzmüller and others, "Better by default" (2024), take 3. A column whose quartiles are equal is
// divided by half of its range instead where SmoothClip is set, as there, and otherwise by 1, as by scikit-learn.
type RobustScaler struct {
	SmoothClip float64  `json:"smooth_clip,omitempty"`
	Center     *float64 `json:"center,omitempty"`
	Scale      *float64 `json:"scale,omitempty"`

	quantiles quantiles
}

// Reads implements [Transform].
func (*RobustScaler) Reads() Kind { return Number }

// Build implements [Transform].
func (t *RobustScaler) Build(width int) (Kind, int, error) {
	if !(t.SmoothClip >= 0 && t.SmoothClip < math.Inf(1)) {
		return 0, 0, fmt.Errorf("smooth_clip is %v, must be finite and not negative", t.SmoothClip)
	}
	if (t.Center == nil) != (t.Scale == nil) {
		return 0, 0, errors.New("must have both center and scale, or none")
	}
	if t.Fitted() && !(*t.Scale > 0 && *t.Scale < math.Inf(1) && *t.Center-*t.Center == 0) {
		return 0, 0, fmt.Errorf("center %v and scale %v must be finite, the scale above 0", *t.Center, *t.Scale)
	}
	return Number, width, nil
}

// Fitted implements [Fitter].
func (t *RobustScaler) Fitted() bool { return t.Center != nil && t.Scale != nil }

// Fit implements [Fitter].
func (t *RobustScaler) Fit(values []Value) error { t.quantiles.addAll(values); return nil }

// Finish implements [Fitter].
func (t *RobustScaler) Finish() error {
	q := t.quantiles.at(0, 0.25, 0.5, 0.75, 1)
	if q == nil {
		return errNoValues
	}
	scale := q[3] - q[1]
	if scale == 0 && t.SmoothClip > 0 {
		scale = (q[4] - q[0]) / 2
	}
	if scale == 0 {
		scale = 1
	}
	if math.IsInf(scale, 0) {
		return fmt.Errorf("the quartiles %v and %v are too far apart", q[1], q[3])
	}
	t.Center, t.Scale, t.quantiles = &q[2], &scale, quantiles{}
	return nil
}

// Apply implements [Transform].
func (t *RobustScaler) Apply(c *Cell) error {
	center, scale, clip := *t.Center, *t.Scale, t.SmoothClip
	return c.each(func(x float64) float64 {
		y := (x - center) / scale
		if clip > 0 {
			y /= math.Sqrt(1 + float64(y/clip*(y/clip)))
		}
		return y
	})
}

// Invert implements [Inverter].
func (t *RobustScaler) Invert(y float64) float64 {
	if c := t.SmoothClip; c > 0 {
		inside := math.Nextafter(c, 0)
		y = min(max(y, -inside), inside)
		y /= math.Sqrt(1 - float64(y/c*(y/c)))
	}
	return float64(y**t.Scale) + *t.Center
}
