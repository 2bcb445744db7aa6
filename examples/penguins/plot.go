package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	ink   = color.RGBA{0x33, 0x3d, 0x47, 0xff}
	faint = color.RGBA{0xe3, 0xe7, 0xeb, 0xff}

	trainColor      = color.RGBA{0x2f, 0x6f, 0x9f, 0xff}
	validationColor = color.RGBA{0xd1, 0x6a, 0x1f, 0xff}

	// The species' colours in the publications about these birds.
	speciesColors = []color.RGBA{{0xff, 0x8c, 0x00, 0xff}, {0xa0, 0x34, 0xf0, 0xff}, {0x15, 0x9a, 0x90, 0xff}}
)

// newPlot is an empty plot in the report's style: sans serif, a light grid, no box.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = font.From(sans, 9)
		axis.Label.TextStyle.Color = ink
		axis.Label.Padding = vg.Points(4)
		axis.Tick.Label.Font = font.From(sans, 8.5)
		axis.Tick.Label.Color = ink
		axis.Tick.Length = vg.Points(3)
		axis.Tick.LineStyle.Color = faint
		axis.Tick.Marker = steps{}
		axis.LineStyle.Color = ink
		axis.Padding = vg.Points(3)
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Y.LineStyle.Width = 0
	p.Legend.TextStyle.Font = font.From(sans, 9)
	p.Legend.TextStyle.Color = ink
	p.Legend.ThumbnailWidth = vg.Points(14)
	p.Legend.Padding = vg.Points(3)
	p.Legend.YPosition = draw.PosCenter

	line := draw.LineStyle{Color: faint, Width: vg.Points(0.6)}
	p.Add(&plotter.Grid{Horizontal: line, Vertical: line})
	return p
}

// steps marks up to six multiples of a round number and writes thousands as 4,000.
type steps struct{}

func (steps) Ticks(low, high float64) []plot.Tick {
	if !(high > low) {
		return nil
	}
	least := (high - low) / 5
	power := math.Pow(10, math.Floor(math.Log10(least)))
	step := 10 * power
	for _, factor := range []float64{5, 2.5, 2} {
		if factor*power >= least {
			step = factor * power
		}
	}
	decimals := 0
	for s := step; decimals < 6 && s != math.Trunc(s); s *= 10 {
		decimals++
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		label := strconv.FormatFloat(i*step, 'f', decimals, 64)
		if step >= 1 {
			label = grams(i * step)
		}
		ticks = append(ticks, plot.Tick{Value: i * step, Label: label})
	}
	return ticks
}

// svg renders the plot.
func svg(p *plot.Plot, width, height vg.Length) ([]byte, error) {
	c := vgsvg.New(width, height)
	p.Draw(draw.New(c))
	var b bytes.Buffer
	_, err := c.WriteTo(&b)
	return b.Bytes(), err
}

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
	p := newPlot("epoch", "")
	for _, c := range []struct {
		label, key string
		color      color.RGBA
	}{
		{"training", key, trainColor},
		{"validation", "val_" + key, validationColor},
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
	return svg(p, 380, 210)
}

// massScatter plots the predicted against the weighed body mass of every test bird of every trial.
func massScatter(answers []prediction) ([]byte, error) {
	p := newPlot("weighed (g)", "predicted (g)")
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
	diagonal.LineStyle = draw.LineStyle{Color: ink, Width: vg.Points(0.8), Dashes: []vg.Length{3, 3}}
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
	return svg(p, 380, 330)
}

// probabilities counts the test birds by the probability that a head with two classes gave to the second.
func probabilities(h head, answers []prediction) ([]byte, error) {
	p := newPlot("probability of "+h.classes[1], "birds")
	given := make([]plotter.Values, 2)
	for _, a := range answers {
		prob := a.prob
		if a.class == 0 {
			prob = 1 - prob
		}
		truth := h.truth(a.bird)
		given[truth] = append(given[truth], prob)
	}
	for i, c := range []color.RGBA{validationColor, trainColor} {
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
	return svg(p, 380, 240)
}
