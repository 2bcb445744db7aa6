package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"image/color"
	"os"
	"runtime"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/espalier-ml/espalier/examples/internal/chart"
)

//go:embed report.html
var reportHTML string

var reportTemplate = template.Must(template.New("report").Parse(reportHTML))

// What the template shows.
type (
	page struct {
		Trained, Validated, Tested   string
		Epochs, Batch                int
		Seconds, Speed, Memory       string
		AUC, LateShare               string
		MAE, OfMean, OfMedian        string
		Source, Machine, Description string
		Drawing                      template.HTML
		Curves                       []figure
	}
	figure struct {
		Title, Note string
		SVG         template.HTML
	}
	series struct {
		label string
		color color.RGBA
		of    func(checkpoint) float64
	}
)

// write writes one HTML file that needs nothing but itself.
func (r *result) write(path string) error {
	count := func(rows int) string { return chart.Thousands(float64(rows)) }
	p := page{
		Trained: count(r.trained), Validated: count(r.validated), Tested: count(r.tested),
		Epochs: r.epochs, Batch: r.batch,
		Seconds: fmt.Sprintf("%.1f", r.seconds), Speed: chart.Thousands(r.speed()), Memory: fmt.Sprint(r.memory >> 20),
		AUC: fmt.Sprintf("%.3f", r.test.auc), LateShare: fmt.Sprintf("%.1f", 100*r.lateShare),
		MAE: fmt.Sprintf("%.2f", r.test.mae), OfMean: fmt.Sprintf("%.2f", r.ofMean), OfMedian: fmt.Sprintf("%.2f", r.ofMedian),
		Source:  "flights of the first half of 2001",
		Machine: fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version()),
	}
	if r.generated > 0 {
		p.Source = "made-up flights"
	}
	var drawing, summary bytes.Buffer
	if err := r.model.SVG(&drawing); err != nil {
		return err
	}
	if err := r.model.Summary(&summary); err != nil {
		return err
	}
	p.Drawing, p.Description = chart.Inline(drawing.Bytes(), ""), strings.TrimSpace(summary.String())

	for _, c := range []struct {
		title, note string
		lines       []series
	}{
		{"Late", "cross-entropy", []series{
			{"training", chart.Training, func(c checkpoint) float64 { return c.training.entropy }},
			{"validation", chart.Validation, func(c checkpoint) float64 { return c.validation.entropy }}}},
		{"Late", "AUC", []series{
			{"validation", chart.Validation, func(c checkpoint) float64 { return c.validation.auc }}}},
		{"Delay", "mean absolute error, minutes", []series{
			{"training", chart.Training, func(c checkpoint) float64 { return c.training.mae }},
			{"validation", chart.Validation, func(c checkpoint) float64 { return c.validation.mae }}}},
	} {
		svg, err := r.curves(c.lines)
		if err != nil {
			return err
		}
		p.Curves = append(p.Curves, figure{c.title, c.note, chart.Inline(svg, c.title+", "+c.note+" by epoch")})
	}
	var b bytes.Buffer
	if err := reportTemplate.Execute(&b, p); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// curves draws lines through the checkpoints.
func (r *result) curves(lines []series) ([]byte, error) {
	p := chart.New("epoch", "")
	for _, s := range lines {
		var points plotter.XYs
		for _, c := range r.checkpoints {
			points = append(points, plotter.XY{X: c.epoch, Y: s.of(c)})
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.LineStyle = draw.LineStyle{Color: s.color, Width: vg.Points(1.4)}
		p.Add(line)
		p.Legend.Add(s.label, line)
	}
	p.Legend.Top = len(lines) > 1 // what falls leaves room at the top
	p.X.Min = 0
	return chart.SVG(p, 380, 210)
}
