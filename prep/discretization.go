package prep

import (
	"errors"
	"fmt"
	"slices"
)

// Discretization puts numbers into bins, as Keras' layer of that name: bin i has what is at least boundary i-1 and below
// boundary i, in float32. Without BinBoundaries it is fitted to NumBins bins that hold about as many values each: boundary i is
// the i/NumBins quantile, where, as in Keras, the k-th of n values is the k/n quantile.
type Discretization struct {
	BinBoundaries []float64  `json:"bin_boundaries,omitempty"` // ascending
	NumBins       int        `json:"num_bins,omitempty"`
	OutputMode    OutputMode `json:"output_mode,omitempty"` // Int, if "", OneHot, MultiHot or Count

	boundaries []float32
	sketch     quantiles
}

// Reads implements [Transform].
func (*Discretization) Reads() Kind { return Number }

// Build implements [Transform].
func (t *Discretization) Build(width int) (Kind, int, error) {
	bins := t.NumBins
	switch {
	case len(t.BinBoundaries) == 0 && (bins < 2 || bins > maxQuantiles):
		return 0, 0, fmt.Errorf("num_bins is %d, valid are 2 to %d, or bin_boundaries", bins, maxQuantiles)
	case len(t.BinBoundaries) > maxWidth:
		return 0, 0, fmt.Errorf("has %d bin_boundaries, at most %d are possible", len(t.BinBoundaries), maxWidth)
	case !slices.IsSorted(t.BinBoundaries):
		return 0, 0, errors.New("bin_boundaries are not in ascending order")
	}
	t.boundaries = t.boundaries[:0]
	for _, b := range t.BinBoundaries {
		t.boundaries = append(t.boundaries, float32(b))
	}
	if len(t.boundaries) > 0 {
		bins = len(t.boundaries) + 1
	}
	return modeOf(t.OutputMode).build(width, bins, Int, OneHot, MultiHot, Count)
}

// Fitted implements [Fitter].
func (t *Discretization) Fitted() bool { return len(t.BinBoundaries) > 0 }

// Fit implements [Fitter].
func (t *Discretization) Fit(values []Value) error { t.sketch.addAll(values); return nil }

// Finish implements [Fitter].
func (t *Discretization) Finish() error {
	n := t.sketch.n
	if n < 2 {
		return fmt.Errorf("there were %d values to fit, bins need at least 2", n)
	}
	bins := min(t.NumBins, n)
	p := make([]float64, bins-1)
	for i := range p {
		p[i] = float64(i+1) / float64(bins)
	}
	t.BinBoundaries = t.sketch.find(p, func(p float64) float64 { return float64(p*float64(n)) - 1 })
	t.sketch = quantiles{}
	return nil
}

// Apply implements [Transform].
func (t *Discretization) Apply(c *Cell) error {
	for i, v := range c.Values {
		x := float32(v.Float())
		low, high := 0, len(t.boundaries) // boundaries before low are at most x, those from high on are larger
		for low < high {
			if middle := (low + high) / 2; t.boundaries[middle] <= x {
				low = middle + 1
			} else {
				high = middle
			}
		}
		c.Values[i] = IntegerOf(int64(low))
	}
	modeOf(t.OutputMode).write(c, nil)
	return nil
}
