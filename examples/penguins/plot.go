package main

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/espalier-ml/espalier/examples/internal/chart"
)

// The species' colours in the publications about these birds.
var speciesColors = []color.RGBA{{0xff, 0x8c, 0x00, 0xff}, {0xa0, 0x34, 0xf0, 0xff}, {0x15, 0x9a, 0x90, 0xff}}

// curve draws what a log did over the epochs: the mean over the trials, in a band from the lowest to the highest.
func curve(p *plot.Plot, label string, c color.RGBA, logs [][]float64) error {
	if len(logs) == 0 || len(logs[0]) == 0 {
		return fmt.Errorf("no %s curve was logged", label)
	}
	epochs := len(logs[0])
	line := make(plotter.XYs, epochs)
	band := make(plotter.XYs, 2*epochs) // there along the lower edge, back along the upper
	for i := range line {
		low, high, sum := math.Inf(1), math.Inf(-1), 0.0
		for _, log := range logs {
			low, high, sum = min(low, log[i]), max(high, log[i]), sum+log[i]
		}
		x := float64(i + 1)
		line[i] = plotter.XY{X: x, Y: sum / float64(len(logs))}
		band[i] = plotter.XY{X: x, Y: low}
		band[2*epochs-1-i] = plotter.XY{X: x, Y: high}
	}
	polygon, err := plotter.NewPolygon(band)
	if err != nil {
		return err
	}
	polygon.LineStyle.Width = 0
	polygon.Color = color.NRGBA{c.R, c.G, c.B, 0x2e}
	mean, err := plotter.NewLine(line)
	if err != nil {
		return err
	}
	mean.LineStyle = draw.LineStyle{Color: c, Width: vg.Points(1.4)}
	p.Add(polygon, mean)
	p.Legend.Add(label, mean)
	return nil
}

// learningCurve plots one log of training beside the same log of the test birds, over all trials. scale brings each
// trial's log into the unit it is told in.
func learningCurve(r result, key string, rising bool, scale func(*trial) float64) ([]byte, error) {
	p := chart.New("epoch", "")
	for _, c := range []struct {
		label, key string
		color      color.RGBA
	}{
		{"training", key, chart.Training},
		{"validation", "val_" + key, chart.Validation},
	} {
		var logs [][]float64
		for _, t := range r.trials {
			var log []float64
			for _, v := range t.history.Logs[c.key] {
				log = append(log, v*scale(t))
			}
			logs = append(logs, log)
		}
		if err := curve(p, c.label, c.color, logs); err != nil {
			return nil, fmt.Errorf("%s, log %q: %w", r.name, c.key, err)
		}
	}
	p.Legend.Top = !rising
	p.X.Min = 0
	p.Y.Max += 0.02 * (p.Y.Max - p.Y.Min)
	if !rising {
		p.Y.Min = 0
	}
	return chart.SVG(p, 380, 210)
}

// massScatter plots the predicted against the weighed body mass of every test bird of every trial.
func massScatter(answers []prediction) ([]byte, error) {
	p := chart.New("weighed (g)", "predicted (g)")
	points := make([]plotter.XYs, len(speciesNames))
	low, high := math.Inf(1), math.Inf(-1)
	for _, a := range answers {
		s := a.bird.species
		points[s] = append(points[s], plotter.XY{X: a.bird.mass, Y: a.grams})
		low, high = min(low, a.bird.mass, a.grams), max(high, a.bird.mass, a.grams)
	}
	low, high = 500*math.Floor(low/500), 500*math.Ceil(high/500)
	diagonal, err := plotter.NewLine(plotter.XYs{{X: low, Y: low}, {X: high, Y: high}})
	if err != nil {
		return nil, err
	}
	diagonal.LineStyle = draw.LineStyle{Color: chart.Ink, Width: vg.Points(0.8), Dashes: []vg.Length{3, 3}}
	p.Add(diagonal)
	for s, xys := range points {
		if len(xys) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(xys)
		if err != nil {
			return nil, err
		}
		c := speciesColors[s]
		scatter.GlyphStyle = draw.GlyphStyle{Color: color.NRGBA{c.R, c.G, c.B, 0xa0}, Radius: vg.Points(2.2), Shape: draw.CircleGlyph{}}
		p.Add(scatter)
		p.Legend.Add(speciesNames[s], scatter)
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low, high, low, high
	return chart.SVG(p, 380, 330)
}

// probabilities counts the test birds by the probability that a head with two classes gave to the second.
func probabilities(h head, answers []prediction) ([]byte, error) {
	p := chart.New("probability of "+h.classes[1], "birds")
	given := make([]plotter.Values, 2)
	for _, a := range answers {
		prob := a.prob
		if a.class == 0 {
			prob = 1 - prob
		}
		truth := h.truth(a.bird)
		given[truth] = append(given[truth], prob)
	}
	for i, c := range []color.RGBA{chart.Validation, chart.Training} {
		const bins = 20
		bars := &plotter.Histogram{Width: 1.0 / bins, FillColor: color.NRGBA{c.R, c.G, c.B, 0x90}}
		for b := range bins {
			bars.Bins = append(bars.Bins, plotter.HistogramBin{Min: float64(b) / bins, Max: float64(b+1) / bins})
		}
		for _, prob := range given[i] {
			bars.Bins[min(bins-1, int(prob*bins))].Weight++
		}
		p.Add(bars)
		p.Legend.Add(h.classes[i], bars)
	}
	p.Legend.Top, p.Legend.XOffs = true, vg.Points(-120)
	p.X.Min, p.X.Max, p.Y.Min = 0, 1, 0
	p.Y.Max *= 1.05
	return chart.SVG(p, 380, 240)
}
