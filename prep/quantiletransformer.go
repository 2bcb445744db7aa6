package prep

import (
	"fmt"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// QuantileTransformer maps a column to the share of values below, between 0 and 1, or, with Normal true, to the normal
// distribution that has as much below, as scikit-learn's class of that name. The shares come from NumQuantiles landmarks.
type QuantileTransformer struct {
	NumQuantiles int       `json:"n_quantiles,omitempty"` // 0 is 1000; at most as many as there are values
	Normal       bool      `json:"normal,omitempty"`
	Quantiles    []float64 `json:"quantiles,omitempty"`

	sketch quantiles
}

const maxQuantiles = 1 << 16

// Reads implements [Transform].
func (*QuantileTransformer) Reads() Kind { return Number }

// Build implements [Transform].
func (t *QuantileTransformer) Build(width int) (Kind, int, error) {
	if t.NumQuantiles < 0 || t.NumQuantiles > maxQuantiles {
		return 0, 0, fmt.Errorf("n_quantiles is %d, valid are 1 to %d", t.NumQuantiles, maxQuantiles)
	}
	if !slices.IsSorted(t.Quantiles) {
		return 0, 0, fmt.Errorf("quantiles are not in ascending order")
	}
	return Number, width, nil
}

// Fitted implements [Fitter].
func (t *QuantileTransformer) Fitted() bool { return len(t.Quantiles) > 0 }

// Fit implements [Fitter].
func (t *QuantileTransformer) Fit(values []Value) error { t.sketch.addAll(values); return nil }

// Finish implements [Fitter].
func (t *QuantileTransformer) Finish() error {
	n := t.NumQuantiles
	if n == 0 {
		n = 1000
	}
	n = min(n, t.sketch.n)
	if n == 0 {
		return errNoValues
	}
	p := make([]float64, n)
	for i := 1; i < n; i++ {
		p[i] = float64(i) / float64(n-1)
	}
	t.Quantiles = t.sketch.at(p...)
	for i := 1; i < n; i++ { // interpolation rounds
		t.Quantiles[i] = max(t.Quantiles[i], t.Quantiles[i-1])
	}
	t.sketch = quantiles{}
	return nil
}

// share is the mean of interpolations from below and from above, which differ where landmarks are equal.
func (t *QuantileTransformer) share(x float64) float64 {
	q := t.Quantiles
	last := len(q) - 1
	switch {
	case last == 0:
		if x > q[0] {
			return 1
		}
		return 0
	case x <= q[0]:
		return 0
	case x >= q[last]:
		return 1
	}
	low, _ := slices.BinarySearch(q, x) // the first that is not less
	high := low
	for high <= last && q[high] == x {
		high++
	}
	if high > low { // landmarks low to high-1 equal x
		return float64(low+high-1) / 2 / float64(last)
	}
	a, b := q[low-1], q[low]
	return (float64(low-1) + (x-a)/(b-a)) / float64(last)
}

// Apply implements [Transform].
func (t *QuantileTransformer) Apply(c *Cell) error {
	return c.each(func(x float64) float64 {
		p := t.share(x)
		if t.Normal {
			const edge = 1e-7 // scikit-learn's
			p = normalQuantile(min(max(p, edge), 1-edge))
		}
		return p
	})
}

// Invert implements [Inverter].
func (t *QuantileTransformer) Invert(y float64) float64 {
	if t.Normal {
		y = normalShare(y)
	}
	last := float64(len(t.Quantiles) - 1)
	r := min(max(float64(y*last), 0), last)
	low := int(r)
	if r == float64(low) {
		return t.Quantiles[low]
	}
	a, b := t.Quantiles[low], t.Quantiles[low+1]
	return a + float64((b-a)*(r-float64(low)))
}

// normalQuantile returns the x below which the share p of a standard normal distribution lies: Wichura's algorithm AS 241
// (1988), within 1e-15 relative.
func normalQuantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return q * ratio(r, []float64{3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
			[]float64{1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3})
	}
	r := math.Sqrt(-portable.Log(min(p, 1-p)))
	var x float64
	if r <= 5 {
		x = ratio(r-1.6, []float64{1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
			[]float64{1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9})
	} else {
		x = ratio(r-5, []float64{6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
			[]float64{1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15})
	}
	if q < 0 {
		return -x
	}
	return x
}

// ratio returns the quotient of two polynomials.
func ratio(x float64, numerator, denominator []float64) float64 {
	a, b := 0.0, 0.0
	for i := len(numerator) - 1; i >= 0; i-- {
		a = float64(a*x) + numerator[i]
		b = float64(b*x) + denominator[i]
	}
	return a / b
}

// normalShare inverts normalQuantile by bisection, for answers.
func normalShare(x float64) float64 {
	low, high := 0.0, 1.0
	for range 60 {
		if p := (low + high) / 2; normalQuantile(p) < x {
			low = p
		} else {
			high = p
		}
	}
	return (low + high) / 2
}
