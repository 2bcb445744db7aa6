package nn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// A choice is one of some words in a configuration; null is the empty one.
type choice string

func (c choice) MarshalJSON() ([]byte, error) {
	if c == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(c))
}

func (c *choice) UnmarshalJSON(text []byte) error {
	if *c = ""; bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		return nil
	}
	return json.Unmarshal(text, (*string)(c))
}

// check reports a word that is none of the valid ones.
func (c choice) check(what string, valid ...choice) error {
	if slices.Contains(valid, c) {
		return nil
	}
	return fmt.Errorf("unknown %s %s: valid are %q", what, brief.Quote(string(c)), valid)
}

// An fScore is what F1Score and FBetaScore have.
type fScore struct {
	named
	rising
	Average   choice   `json:"average"`
	Threshold *float64 `json:"threshold"`
}

type (
	f1Score    struct{ fScore }
	fBetaScore struct {
		fScore
		Beta float64 `json:"beta"`
	}
)

const micro, macro, weightedAverage = "micro", "macro", "weighted"

func init() {
	Register("F1Score", f1Score{fScore{named: named{LogName: "f1_score"}}})
	Register("FBetaScore", fBetaScore{fScore{named: named{LogName: "fbeta_score"}}, 1})
}

// An AveragingOption is what Averaging returns.
type AveragingOption string

// Averaging makes one number of the scores of all classes that [F1Score] and [FBetaScore] have: "macro" is their mean, "weighted"
// their mean with each class as heavy as its targets, and "micro" the score of all classes counted together. The default is "",
// Keras' None: a log for each class, see [Vector].
func Averaging(name string) AveragingOption { return AveragingOption(name) }

func (o AveragingOption) applyMetric(m configurable) error {
	t, err := option[interface{ setAverage(string) }](m, "Averaging")
	if err == nil {
		t.setAverage(string(o))
	}
	return err
}

func (m *fScore) setAverage(name string) { m.Average = choice(name) }

func (m *fScore) setThresholds(t []float64) error {
	m.Threshold = new(float64)
	return setOne(m.Threshold, t)
}

// F1Score measures the harmonic mean of precision and recall, of each class unless there is the option [Averaging]. The class of
// a row is where it has its maximum; with a [Threshold] a row has all the classes above that. Targets are Labels, or 0 and 1 for
// each column. Where the loss takes logits, a threshold is of their sigmoids.
func F1Score(opts ...MetricOption) Metric {
	return configured(&f1Score{fScore{named: named{LogName: "f1_score"}}}, opts)
}

// FBetaScore measures (1 + beta²)·precision·recall / (beta²·precision + recall), in which recall is beta times as important as
// precision (van Rijsbergen, "Information Retrieval", 1979). Everything else is as with [F1Score], whose beta is 1.
func FBetaScore(beta float64, opts ...MetricOption) Metric {
	return configured(&fBetaScore{fScore{named: named{LogName: "fbeta_score"}}, beta}, opts)
}

func (m *f1Score) Start(out Output) (Meter, error)    { return m.start(out, 1) }
func (m *fBetaScore) Start(out Output) (Meter, error) { return m.start(out, m.Beta) }

func (m *fScore) start(out Output, beta float64) (Meter, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if err := m.Average.check("average", "", micro, macro, weightedAverage); err != nil {
		return nil, err
	}
	if !(beta > 0 && beta <= math.MaxFloat32) {
		return nil, fmt.Errorf("beta %v must be positive and finite in float32", beta)
	}
	meter := &fMeter{average: m.Average, beta: beta, argmax: m.Threshold == nil}
	if m.Threshold != nil {
		if !(*m.Threshold > 0 && *m.Threshold <= 1) {
			return nil, fmt.Errorf("threshold %v is not in (0, 1]", *m.Threshold)
		}
		meter.threshold = cutoff(*m.Threshold, out.Logits)
	}
	classes := max(1, out.Shape.Last())
	if m.Average == micro {
		classes = 1
	}
	meter.classes, meter.values = make([]confusion, classes), make([]float64, classes)
	if m.Average == "" {
		return fVector{meter}, nil
	}
	return meter, nil
}

// An fMeter has the confusion of each class, or of all together.
type fMeter struct {
	average   choice
	beta      float64
	argmax    bool
	threshold float32
	classes   []confusion
	values    []float64
}

// An fVector is an fMeter of which each class is of interest.
type fVector struct{ *fMeter }

func (m fVector) Values() []float64 { return m.scores() }

func (m *fMeter) Add(out kernels.Matrix, y Target, rows []float32) {
	for i := range out.Rows {
		weight, row, threshold := weightOf(rows, i), out.Row(i), m.threshold
		if m.argmax {
			threshold = slices.Max(row)
		}
		for j, p := range row {
			t := 0.0
			switch {
			case y.Labels == nil:
				t = float64(y.Values.Row(i)[j])
			case int(y.Labels[i]) == j:
				t = 1
			}
			c := &m.classes[j%len(m.classes)]
			told := p > threshold
			if m.argmax {
				told = p >= threshold && math.Abs(float64(p)) > 1e-9 // a row of zeros has no class
			}
			if told {
				c.truePositives += float64(t * weight)
				c.falsePositives += float64((1 - t) * weight)
			} else {
				c.falseNegatives += float64(t * weight)
			}
		}
	}
}

func (m *fMeter) scores() []float64 {
	square := float64(m.beta * m.beta)
	for i, c := range m.classes {
		precision := c.truePositives / (c.truePositives + c.falsePositives + kerasEpsilon)
		recall := c.truePositives / (c.truePositives + c.falseNegatives + kerasEpsilon)
		m.values[i] = float64(precision*recall) / (float64(square*precision) + recall + kerasEpsilon) * (1 + square)
	}
	return m.values
}

func (m *fMeter) Value() float64 {
	scores := m.scores()
	if m.average != weightedAverage {
		return mean(scores)
	}
	sum, all := 0.0, kerasEpsilon
	for i, c := range m.classes {
		targets := c.truePositives + c.falseNegatives
		sum += float64(scores[i] * targets)
		all += targets
	}
	return sum / all
}

func (m *fMeter) Reset() { clear(m.classes) }
