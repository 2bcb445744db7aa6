package nn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// A Constraint moves a weight to where it may be, after every step that changes it. See [KernelConstraint] and [Register].
//
// A constraint that does not fit all shapes has Check(Shape) error, too.
type Constraint interface {
	// Constrain changes w, the values of a weight of the given shape. Several goroutines may call it at a time.
	Constrain(w []float32, shape Shape)
}

func init() {
	Register("MaxNorm", maxNorm{2, normAxes{0}})
	Register("MinMaxNorm", minMaxNorm{0, 1, 1, normAxes{0}})
	Register("UnitNorm", unitNorm{normAxes{0}})
	Register("NonNeg", nonNeg{})
}

// normAxes are the axes along which a norm is taken: neighbours. Keras writes a number for a single one.
type normAxes []int

func (a normAxes) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return encodeJSON(a[0])
	}
	return encodeJSON([]int(a))
}

func (a *normAxes) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		return (*indices)(a).UnmarshalJSON(text)
	}
	*a = make(normAxes, 1)
	return json.Unmarshal(text, &(*a)[0])
}

// split returns the shape as three axes, of which the norm is taken along the second.
func (a normAxes) split(shape Shape) (outer, along, inner int, err error) {
	axes := make([]int, 0, 4)
	for _, axis := range a {
		if axis < -len(shape) || axis >= len(shape) {
			return 0, 0, 0, fmt.Errorf("axis %d, shape %s has %d to %d", axis, shape, -len(shape), len(shape)-1)
		}
		axes = append(axes, (axis+len(shape))%len(shape))
	}
	slices.Sort(axes)
	for i, axis := range axes {
		if axis != axes[0]+i {
			return 0, 0, 0, fmt.Errorf("axes %v must be neighbours", []int(a))
		}
	}
	if len(axes) == 0 {
		return 0, 0, 0, fmt.Errorf("there are no axes")
	}
	from, to := axes[0], axes[0]+len(axes)
	return shape[:from].Elements(), shape[from:to].Elements(), shape[to:].Elements(), nil
}

// scale multiplies the vectors along the axes by factor(norm)/norm.
func (a normAxes) scale(w []float32, shape Shape, factor func(norm float64) float64) {
	outer, along, inner, err := a.split(shape)
	if err != nil { // Check has reported it
		return
	}
	const block = 64 // vectors at a time, so that rows are read as they lie
	var sums [block]float64
	for o := range outer {
		for from := 0; from < inner; from += block {
			n := min(block, inner-from)
			row := func(k int) []float32 {
				at := (o*along+k)*inner + from
				return w[at : at+n]
			}
			clear(sums[:])
			for k := range along {
				for j, v := range row(k) {
					sums[j] += float64(v) * float64(v) // exact
				}
			}
			for j, s := range sums[:n] {
				norm := math.Sqrt(s)
				sums[j] = factor(norm) / (norm + kerasEpsilon)
			}
			for k := range along {
				for j, v := range row(k) {
					row(k)[j] = float32(float64(v) * sums[j])
				}
			}
		}
	}
}

type maxNorm struct {
	Max  float64  `json:"max_value"`
	Axis normAxes `json:"axis"`
}

// MaxNorm makes vectors of a weight that are longer than max as long as that (Srivastava and others 2014). They lie along the
// given axes, neighbours, by default the first one: those are the weights of one unit of a [Dense] layer.
func MaxNorm(max float64, axes ...int) Constraint { return &maxNorm{max, axesOr0(axes)} }

func axesOr0(axes []int) normAxes {
	if len(axes) == 0 {
		return normAxes{0}
	}
	return slices.Clone(axes)
}

func (c *maxNorm) Check(shape Shape) error { return checkNorm("MaxNorm", c.Axis, shape, c.Max) }

func checkNorm(class string, axes normAxes, shape Shape, values ...float64) error {
	for _, v := range values {
		if err := checkStrength(class+":", v); err != nil {
			return err
		}
	}
	if _, _, _, err := axes.split(shape); err != nil {
		return fmt.Errorf("%s: %w", class, err)
	}
	return nil
}

func (c *maxNorm) Constrain(w []float32, shape Shape) {
	c.Axis.scale(w, shape, func(norm float64) float64 { return min(norm, c.Max) })
}

type minMaxNorm struct {
	Min  float64  `json:"min_value"`
	Max  float64  `json:"max_value"`
	Rate float64  `json:"rate"` // how much of the way a step goes
	Axis normAxes `json:"axis"`
}

// MinMaxNorm moves the length of vectors of a weight into [least, most]: the share rate of the way in each step, 1 for all of
// it. For the axes see [MaxNorm].
func MinMaxNorm(least, most, rate float64, axes ...int) Constraint {
	return &minMaxNorm{least, most, rate, axesOr0(axes)}
}

func (c *minMaxNorm) Check(shape Shape) error {
	return checkNorm("MinMaxNorm", c.Axis, shape, c.Min, c.Max, c.Rate)
}

func (c *minMaxNorm) Constrain(w []float32, shape Shape) {
	c.Axis.scale(w, shape, func(norm float64) float64 {
		return float64(c.Rate*min(max(norm, c.Min), c.Max)) + float64((1-c.Rate)*norm)
	})
}

type unitNorm struct {
	Axis normAxes `json:"axis"`
}

// UnitNorm makes vectors of a weight 1 long. For the axes see [MaxNorm].
func UnitNorm(axes ...int) Constraint { return &unitNorm{axesOr0(axes)} }

func (c *unitNorm) Check(shape Shape) error { return checkNorm("UnitNorm", c.Axis, shape) }

func (c *unitNorm) Constrain(w []float32, shape Shape) {
	c.Axis.scale(w, shape, func(float64) float64 { return 1 })
}

type nonNeg struct{}

// NonNeg makes negative weights 0.
func NonNeg() Constraint { return nonNeg{} }

func (nonNeg) Constrain(w []float32, _ Shape) {
	for i, v := range w {
		w[i] = max(v, 0)
	}
}
