package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

// A head is one output of a model: what it is called and how its test result is told.
type head struct {
	name    string // the output's layer
	title   string
	loss    string            // in words
	metric  string            // Keras' name: logs hold <name>_<metric>, in a single-output model just <metric>
	classes []string          // nil for the body mass
	truth   func(penguin) int // the class, for heads with classes
	format  func(score float64) string
}

var (
	massHead = head{name: "body_mass", title: "Body mass", loss: "mean squared error, standardised", metric: "mae",
		format: func(g float64) string { return fmt.Sprintf("%.1f g", g) }}
	speciesHead = head{name: "species", title: "Species", loss: "cross-entropy", metric: "accuracy", classes: speciesNames,
		truth: func(b penguin) int { return b.species }, format: formatAccuracy}
	sexHead = head{name: "sex", title: "Sex", loss: "binary cross-entropy", metric: "accuracy", classes: sexNames,
		truth: func(b penguin) int { return b.sex }, format: formatAccuracy}
)

func formatAccuracy(a float64) string { return fmt.Sprintf("%.3f", a) }

// score is the head's result as the JSON file names it.
func (h head) score() string { return h.name + "_" + h.metric }

// key is the name under which a model with this many heads logs the head's loss or metric.
func (h head) key(what string, heads int) string {
	if heads == 1 {
		return what
	}
	return h.name + "_" + what
}

// measure is the metric in words.
func (h head) measure() string {
	if h.classes == nil {
		return "mean absolute error"
	}
	return h.metric
}

// unit turns a logged metric into the unit it is told in: a mean error in standard deviations into grams.
func (h head) unit(std standards) float64 {
	if h.classes == nil {
		return std.mass.sd
	}
	return 1
}

// A prediction is one head's answer about one bird.
type prediction struct {
	bird  penguin
	grams float64 // for the body mass
	class int     // for the others, with the probability given to it
	prob  float64
}

// read turns a model's output rows into answers about the birds.
func (h head) read(out kernels.Matrix, birds []penguin, std standards) []prediction {
	answers := make([]prediction, len(birds))
	for i, bird := range birds {
		p := prediction{bird: bird}
		switch row := out.Row(i); {
		case h.classes == nil:
			p.grams = std.mass.unscale(row[0])
		case len(row) == 1: // a sigmoid: the probability of class 1
			p.prob = float64(row[0])
			if p.class = 1; p.prob <= 0.5 {
				p.class, p.prob = 0, 1-p.prob
			}
		default: // a softmax
			top := slices.Max(row)
			p.class, p.prob = slices.Index(row, top), float64(top)
		}
		answers[i] = p
	}
	return answers
}

// A trial is one training of an experiment, on one split.
type trial struct {
	seed    uint64
	model   *nn.Model
	std     standards
	train   int // birds learned from
	test    []penguin
	history *nn.History
	scores  []float64      // on the test birds, by head
	answers [][]prediction // by head, one per test bird
}

// run trains a fresh model on the seed's split and tests it on the birds that training never saw. The test birds'
// losses are logged after each epoch for the learning curves; nothing is chosen by them.
func (e experiment) run(ctx context.Context, birds []penguin, seed uint64, more ...nn.FitOption) (*trial, error) {
	train, test := split(birds, seed)
	std := measure(train)
	model, err := e.build(seed)
	if err != nil {
		return nil, err
	}
	testData := e.data(test, std)
	history, err := model.Fit(ctx, e.data(train, std),
		append(more, nn.Epochs(e.epochs), nn.BatchSize(e.batch), nn.Seed(seed), nn.ValidationData(testData))...)
	if err != nil {
		return nil, err
	}

	t := &trial{seed: seed, model: model, std: std, train: len(train), test: test, history: history}
	logs, err := model.Evaluate(ctx, testData)
	if err != nil {
		return nil, err
	}
	outputs, err := model.Predict(testData.Inputs)
	if err != nil {
		return nil, err
	}
	for _, h := range e.heads {
		t.scores = append(t.scores, logs[h.key(h.metric, len(e.heads))]*h.unit(std))
		t.answers = append(t.answers, h.read(outputs[h.name], test, std))
	}
	return t, nil
}

// ask lets the trial's model look at one bird.
func (e experiment) ask(t *trial, model *nn.Model, bird penguin) ([]prediction, error) {
	birds := []penguin{bird}
	outputs, err := model.Predict(e.data(birds, t.std).Inputs)
	if err != nil {
		return nil, err
	}
	var answers []prediction
	for _, h := range e.heads {
		answers = append(answers, h.read(outputs[h.name], birds, t.std)...)
	}
	return answers, nil
}

// reload saves the trial's model, loads it again and returns it, once it has answered as the original does.
func (e experiment) reload(t *trial, path string) (*nn.Model, error) {
	if err := t.model.Save(path); err != nil {
		return nil, err
	}
	loaded, err := nn.Load(path)
	if err != nil {
		return nil, err
	}
	inputs := e.data(t.test, t.std).Inputs
	want, err := t.model.Predict(inputs)
	if err != nil {
		return nil, err
	}
	got, err := loaded.Predict(inputs)
	if err != nil {
		return nil, err
	}
	for name, w := range want {
		g := got[name]
		if g.Rows != w.Rows || g.Cols != w.Cols {
			return nil, fmt.Errorf("%s: output %q of the loaded model is %d x %d, was %d x %d", path, name, g.Rows, g.Cols, w.Rows, w.Cols)
		}
		for i := range w.Rows {
			if !slices.Equal(g.Row(i), w.Row(i)) {
				return nil, fmt.Errorf("%s: the loaded model predicts %v for test bird %d, the saved one %v", path, g.Row(i), i, w.Row(i))
			}
		}
	}
	return loaded, nil
}
