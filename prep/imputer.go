package prep

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Strategy is what an [Imputer] puts into gaps, under scikit-learn's names.
type Strategy string

const (
	Mean         Strategy = "mean"
	Median       Strategy = "median"
	MostFrequent Strategy = "most_frequent" // of equally frequent ones the smallest
	Constant     Strategy = "constant"      // the Imputer's FillValue
)

// An Imputer fills gaps: missing values and, in a column that is Optional, missing columns. It is the first step of a column.
// Steps after it are fitted to the values that are there. With AddIndicator the column gets one more number at its end: 1 where
// there was a gap, else 0.
type Imputer struct {
	Strategy     Strategy `json:"strategy"`
	FillValue    any      `json:"fill_value,omitempty"` // a number, a text or a bool: given for Constant, fitted for others
	AddIndicator bool     `json:"add_indicator,omitempty"`

	fill    Value
	moments moments
	sketch  quantiles
	words   vocabulary[string]
	numbers vocabulary[float64]
}

// Reads implements [Transform]. The values are made what the step after the Imputer reads.
func (t *Imputer) Reads() Kind { return Any }

// Build implements [Transform].
func (t *Imputer) Build(width int) (Kind, int, error) {
	valid := []Strategy{Mean, Median, MostFrequent, Constant}
	if !slices.Contains(valid, t.Strategy) {
		return 0, 0, fmt.Errorf("strategy is %q, valid are %q", t.Strategy, valid)
	}
	if t.FillValue == nil && t.Strategy == Constant {
		return 0, 0, errors.New("strategy constant needs a fill_value")
	}
	var err error
	if t.fill, err = valueOf(t.FillValue); err != nil {
		return 0, 0, fmt.Errorf("fill_value %w", err)
	}
	if t.FillValue != nil && t.fill.kind == Missing {
		return 0, 0, errors.New("fill_value is missing itself")
	}
	return Any, width, nil
}

// Fitted implements [Fitter].
func (t *Imputer) Fitted() bool { return t.FillValue != nil }

// Fit implements [Fitter].
func (t *Imputer) Fit(values []Value) error {
	for _, v := range values {
		switch {
		case t.Strategy == Mean:
			t.moments.add(v.Float())
		case t.Strategy == Median:
			t.sketch.add(v.Float())
		case v.kind == Text:
			t.words.add(v.text, strings.Clone)
		default:
			t.numbers.add(v.Float(), func(x float64) float64 { return x })
		}
	}
	return nil
}

// Finish implements [Fitter].
func (t *Imputer) Finish() error {
	switch t.Strategy {
	case Mean:
		if t.moments.n > 0 {
			t.FillValue = t.moments.mean
		}
	case Median:
		if q := t.sketch.at(0.5); q != nil {
			t.FillValue = q[0]
		}
	default:
		most := int64(0)
		for word, seen := range t.words.counts {
			if text, isText := t.FillValue.(string); seen.n > most || seen.n == most && isText && word < text {
				t.FillValue, most = word, seen.n
			}
		}
		for x, seen := range t.numbers.counts {
			if number, isNumber := t.FillValue.(float64); seen.n > most || seen.n == most && isNumber && x < number {
				t.FillValue, most = x, seen.n
			}
		}
	}
	if t.FillValue == nil {
		return errNoValues
	}
	t.sketch, t.words, t.numbers = quantiles{}, vocabulary[string]{}, vocabulary[float64]{}
	return nil
}

// Apply implements [Transform].
func (t *Imputer) Apply(c *Cell) error {
	for i, v := range c.Values {
		if v.kind == Missing {
			c.Values[i] = t.fill
		}
	}
	return nil
}
