package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/espalier-ml/espalier/examples/internal/chart"
)

//go:embed report.html
var reportHTML string

var reportTemplate = template.Must(template.New("report").Parse(reportHTML))

// What the template shows.
type (
	page struct {
		Sections              []section
		Train, Test           int // birds per split
		Splits, Fits          int
		Epochs                string // of all fits
		Seconds, Machine      string
		Bird, BirdDescription string
		BirdModels            []string
		BirdRows              [][]string
	}
	section struct {
		Number             int
		Name, Title, Story string
		Scores             []score
		Drawing            template.HTML
		Summary            string
		Epochs, Batch      int
		Curves, Plots      []figure
		Confusions         []confusion
		Trials             []trialView
	}
	// A score is a head's mean over the splits, in pieces.
	score struct {
		Title, Metric, Value, Spread, Unit string
	}
	trialView struct {
		Number int
		Seed   uint64
		Scores []string // without their unit
	}
	figure struct {
		Title, Note string
		SVG         template.HTML
	}
	confusion struct {
		Title, Note string
		Classes     []string
		Rows        []confusionRow
	}
	confusionRow struct {
		Class string
		Cells []confusionCell
	}
	confusionCell struct {
		Count, Percent int // percent of the row
		Style          template.CSS
	}
)

// writeReport writes one HTML file that needs nothing but itself.
func writeReport(path string, results []result, visit meeting, took time.Duration) error {
	first := results[0].trials[0]
	p := page{
		Train:           first.train,
		Test:            len(first.test),
		Splits:          len(results[0].trials),
		Seconds:         fmt.Sprintf("%.1f", took.Seconds()),
		Machine:         fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version()),
		Bird:            claraName,
		BirdDescription: visit.bird.describe(),
		BirdModels:      visit.models,
		BirdRows:        visit.rows(),
	}
	epochs := 0
	for i, r := range results {
		s, err := newSection(i+1, r)
		if err != nil {
			return err
		}
		p.Sections = append(p.Sections, s)
		p.Fits += len(r.trials)
		epochs += len(r.trials) * r.epochs
	}
	p.Epochs = chart.Thousands(float64(epochs))
	var b bytes.Buffer
	if err := reportTemplate.Execute(&b, p); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// newSection is what the report tells about one experiment.
func newSection(number int, r result) (section, error) {
	s := section{
		Number: number, Name: r.name, Title: r.title, Story: r.story,
		Epochs: r.epochs, Batch: r.batch,
	}
	var drawing, summary bytes.Buffer
	if err := r.trials[0].model.SVG(&drawing); err != nil {
		return s, err
	}
	if err := r.trials[0].model.Summary(&summary); err != nil {
		return s, err
	}
	s.Drawing = chart.Inline(drawing.Bytes(), "") // brings its label
	s.Summary = strings.TrimSpace(summary.String())

	for i, h := range r.heads {
		s.Scores = append(s.Scores, r.score(i))

		loss, err := learningCurve(r, h.key("loss", len(r.heads)), false, func(*trial) float64 { return 1 })
		if err != nil {
			return s, err
		}
		metric, err := learningCurve(r, h.key(h.metric, len(r.heads)), h.classes != nil,
			func(t *trial) float64 { return h.unit(t.std) })
		if err != nil {
			return s, err
		}
		unit := ""
		if h.classes == nil {
			unit = ", g"
		}
		s.Curves = append(s.Curves,
			figure{h.title, h.loss, chart.Inline(loss, h.title+", loss by epoch")},
			figure{h.title, h.measure() + unit, chart.Inline(metric, h.title+", "+h.measure()+" by epoch")})

		switch {
		case h.classes == nil:
			scatter, err := massScatter(r.answers(i))
			if err != nil {
				return s, err
			}
			s.Plots = append(s.Plots, figure{h.title, "predicted against weighed, all splits",
				chart.Inline(scatter, "Predicted against weighed body mass")})
		case len(h.classes) == 2:
			histogram, err := probabilities(h, r.answers(i))
			if err != nil {
				return s, err
			}
			s.Plots = append(s.Plots, figure{h.title, "birds by the probability given to " + h.classes[1] + ", all splits",
				chart.Inline(histogram, "Birds by the probability given to "+h.classes[1])})
		}
		if h.classes != nil {
			s.Confusions = append(s.Confusions, newConfusion(r, i))
		}
	}

	for i, t := range r.trials {
		v := trialView{Number: i + 1, Seed: t.seed}
		for j, h := range r.heads {
			number, _, _ := strings.Cut(h.format(t.scores[j]), " ")
			v.Scores = append(v.Scores, number)
		}
		s.Trials = append(s.Trials, v)
	}
	return s, nil
}

// score is the head's mean over the splits, in pieces.
func (r result) score(head int) score {
	h := r.heads[head]
	mean, sd := r.mean(head)
	value, unit, _ := strings.Cut(h.format(mean), " ")
	spread, _, _ := strings.Cut(h.format(sd), " ")
	if len(r.trials) < 2 {
		spread = ""
	}
	return score{Title: h.title, Metric: h.measure(), Value: value, Spread: spread, Unit: unit}
}

func newConfusion(r result, head int) confusion {
	h := r.heads[head]
	c := confusion{Title: h.title, Note: "true by row, predicted by column, all splits", Classes: h.classes}
	for i, counts := range r.confusion(head) {
		total := 0
		for _, n := range counts {
			total += n
		}
		row := confusionRow{Class: h.classes[i]}
		for j, n := range counts {
			row.Cells = append(row.Cells, confusionCell{n, (200*n + total) / max(1, 2*total), shade(n, total, i == j)})
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

// shade colours a cell of a confusion matrix by its share of the row: green where it is right, red where it is wrong.
func shade(n, total int, right bool) template.CSS {
	share := float64(n) / float64(max(1, total))
	switch {
	case n == 0:
		return "background:#f3f5f6;color:#9aa5ad"
	case right && share > 0.5:
		return template.CSS(fmt.Sprintf("background:rgb(44 110 73 / %.2f);color:#fff", 0.35+0.65*share))
	case right:
		return template.CSS(fmt.Sprintf("background:rgb(44 110 73 / %.2f)", 0.1+share))
	default:
		return template.CSS(fmt.Sprintf("background:rgb(190 60 40 / %.2f)", 0.12+share))
	}
}
