package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

// newModel has two inputs that meet in a product, as taste meets topic, and two outputs on one trunk.
//
//	user (8) ── user_encoder (16) ──┬── match ──┐
//	                                ├───────────┼── trunk_1 (32) ── trunk_2 (16) ──┬── click   (1)
//	item (6) ── item_encoder (16) ──┴───────────┘                                  └── minutes (1)
func newModel(seed uint64) (*nn.Model, error) {
	user, item := nn.Input("user", len(userFeatures)), nn.Input("item", len(itemFeatures))
	u := nn.Dense(16, nn.Linear, nn.Name("user_encoder")).On(user)
	i := nn.Dense(16, nn.Linear, nn.Name("item_encoder")).On(item)
	match := nn.Multiply(nn.Name("match")).On(u, i)
	trunk := nn.Dense(32, nn.ReLU, nn.Name("trunk_1")).On(nn.Concatenate().On(u, i, match))
	trunk = nn.Dense(16, nn.ReLU, nn.Name("trunk_2")).On(trunk)
	click := nn.Dense(1, nn.Sigmoid, nn.Name("click")).On(trunk)
	minutes := nn.Dense(1, nn.Linear, nn.Name("minutes")).On(trunk)

	m, err := nn.NewModel([]*nn.Node{user, item}, []*nn.Node{click, minutes}, nn.Name("ranker"), nn.Seed(seed))
	if err != nil {
		return nil, err
	}
	return m, m.Compile(nn.Adam(2e-3), nn.Losses{"click": nn.BinaryCrossentropy(), "minutes": nn.MSE()},
		nn.LossWeights{"minutes": 0.1}) // its errors are several squared minutes
}

// dataOf returns impressions as a model reads them. How long an item would have been watched that was not clicked nobody
// knows: such rows weigh nothing.
func dataOf(shown []impression) nn.Data {
	var users, items, clicks, minutes, watched []float32
	for _, s := range shown {
		users, items = append(users, s.user...), append(items, s.item...)
		click := float32(0)
		if s.clicked {
			click = 1
		}
		clicks, watched, minutes = append(clicks, click), append(watched, click), append(minutes, s.minutes)
	}
	return nn.Data{
		Inputs:        nn.Arrays{"user": nn.Floats(users), "item": nn.Floats(items)},
		Targets:       nn.Arrays{"click": nn.Floats(clicks), "minutes": nn.Floats(minutes)},
		SampleWeights: map[string][]float32{"minutes": watched},
	}
}

// train fits a model to rows impressions, tests it on others, and saves it.
func train(ctx context.Context, path string, rows, epochs int, w io.Writer) error {
	learned, test := impressions(rows, 1), impressions(rows/4, 2)
	m, err := newModel(1)
	if err != nil {
		return err
	}
	if err := m.Summary(w); err != nil {
		return err
	}
	start := time.Now()
	if _, err := m.Fit(ctx, dataOf(learned), nn.Epochs(epochs), nn.BatchSize(128), nn.Seed(1)); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d epochs over %d impressions in %.1f s\n", epochs, rows, time.Since(start).Seconds())

	q, err := judge(m, learned, test)
	if err != nil {
		return err
	}
	q.print(w, len(test))
	if err := m.Save(path); err != nil {
		return err
	}
	fmt.Fprintf(w, "saved %s\n", path)
	return nil
}

// A quality is how well a model does on impressions that it has not seen.
type quality struct {
	auc, bestAUC     float64 // of the model, and of the probabilities from which the clicks were drawn
	mae, baselineMAE float64 // in minutes, over the clicks; the baseline answers the median of the training clicks
}

func judge(m *nn.Model, learned, test []impression) (quality, error) {
	var q quality
	data := dataOf(test)
	outputs, err := m.Predict(data.Inputs)
	if err != nil {
		return q, err
	}
	var watched []float32
	for _, s := range learned {
		if s.clicked {
			watched = append(watched, s.minutes)
		}
	}
	slices.Sort(watched)
	median := float64(watched[len(watched)/2])

	known := make([]float32, len(test))
	clicks := 0.0
	for i, s := range test {
		known[i] = float32(s.probability)
		if s.clicked {
			clicks++
			q.mae += math.Abs(float64(s.minutes - outputs["minutes"].Row(i)[0]))
			q.baselineMAE += math.Abs(float64(s.minutes) - median)
		}
	}
	q.mae, q.baselineMAE = q.mae/clicks, q.baselineMAE/clicks
	column := func(v []float32) kernels.Matrix { return kernels.MatrixOf(v, len(test), 1) }
	clicked := nn.Target{Values: column(data.Targets["click"].(nn.Floats))}
	auc, err := nn.AUC(nn.Thresholds(10_000)).Start(nn.Output{Shape: nn.Shape{1}, Targets: nn.Probabilities})
	if err != nil {
		return q, err
	}
	auc.Add(outputs["click"], clicked, nil)
	q.auc = auc.Value()
	auc.Reset()
	auc.Add(column(known), clicked, nil)
	q.bestAUC = auc.Value()
	return q, nil
}

func (q quality) print(w io.Writer, rows int) {
	fmt.Fprintf(w, "on %d other impressions:\n", rows)
	fmt.Fprintf(w, "  click    AUC %.3f (a constant has 0.500, the probabilities behind the clicks have %.3f)\n", q.auc, q.bestAUC)
	fmt.Fprintf(w, "  minutes  MAE %.2f (the best constant, the median, has %.2f)\n", q.mae, q.baselineMAE)
}
