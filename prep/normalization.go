package prep

import (
	"errors"
	"fmt"
	"math"
)

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
