package prep

import (
	"errors"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
)

// Transforms of numbers compute in float64; the result is rounded to float32 at the end. In a cell of several values each is
// transformed in the same way, and all of them count for the fit.

var errNoValues = errors.New("there were no values to fit")

// each replaces the numbers of a cell.
func (c *Cell) each(f func(x float64) float64) error {
	for i, v := range c.Values {
		y := f(v.Float())
		if y-y != 0 {
			return fmt.Errorf("%v: the result is %v", v, y)
		}
		c.Values[i] = Value{kind: Number, bits: math.Float64bits(y)}
	}
	return nil
}

// A moments has the mean and the sum of squared differences from it, by Welford's update.
type moments struct {
	n        float64
	mean, m2 float64
}

func (m *moments) add(x float64) {
	m.n++
	d := x - m.mean
	m.mean += d / m.n
	m.m2 += float64(d * (x - m.mean))
}

// Normalization gives a column mean 0 and variance 1: (x - mean) / max(√variance, 1e-7), as Keras' layer of that name. The
// variance is that of the population. With Mean and Variance given it is not fitted.
type Normalization struct {
	Mean     *float64 `json:"mean,omitempty"`
	Variance *float64 `json:"variance,omitempty"`

	moments moments
}

// Reads implements [Transform].
func (*Normalization) Reads() Kind { return Number }

// Build implements [Transform].
func (t *Normalization) Build(width int) (Kind, int, error) {
	if (t.Mean == nil) != (t.Variance == nil) {
		return 0, 0, errors.New("must have both mean and variance, or none")
	}
	if t.Fitted() && !(*t.Variance >= 0 && *t.Variance < math.Inf(1) && *t.Mean-*t.Mean == 0) {
		return 0, 0, fmt.Errorf("mean %v and variance %v must be finite, the variance not negative", *t.Mean, *t.Variance)
	}
	return Number, width, nil
}

// Fitted implements [Fitter].
func (t *Normalization) Fitted() bool { return t.Mean != nil && t.Variance != nil }

// Fit implements [Fitter].
func (t *Normalization) Fit(values []Value) error {
	for _, v := range values {
		t.moments.add(v.Float())
	}
	return nil
}

// Finish implements [Fitter].
func (t *Normalization) Finish() error {
	if t.moments.n == 0 {
		return errNoValues
	}
	mean, variance := t.moments.mean, t.moments.m2/t.moments.n
	t.Mean, t.Variance = &mean, &variance
	return nil
}

func (t *Normalization) deviation() float64 { return max(math.Sqrt(*t.Variance), 1e-7) }

// Apply implements [Transform].
func (t *Normalization) Apply(c *Cell) error {
	mean, deviation := *t.Mean, t.deviation()
	return c.each(func(x float64) float64 { return (x - mean) / deviation })
}

// Invert implements [Inverter].
func (t *Normalization) Invert(y float64) float64 { return float64(y*t.deviation()) + *t.Mean }

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
