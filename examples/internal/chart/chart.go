// Package chart draws in the style of the examples' reports.
package chart

import (
	"bytes"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours of lines, and of what is said about training and validation.
var (
	Ink        = color.RGBA{0x33, 0x3d, 0x47, 0xff}
	Training   = color.RGBA{0x2f, 0x6f, 0x9f, 0xff}
	Validation = color.RGBA{0xd1, 0x6a, 0x1f, 0xff}

	faint = color.RGBA{0xe3, 0xe7, 0xeb, 0xff}
)

// New returns an empty plot in the report's style: sans serif, a light grid, no box.
func New(x, y string) *plot.Plot {
	p := plot.New()
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = font.From(sans, 9)
		axis.Label.TextStyle.Color = Ink
		axis.Label.Padding = vg.Points(4)
		axis.Tick.Label.Font = font.From(sans, 8.5)
		axis.Tick.Label.Color = Ink
		axis.Tick.Length = vg.Points(3)
		axis.Tick.LineStyle.Color = faint
		axis.Tick.Marker = steps{}
		axis.LineStyle.Color = Ink
		axis.Padding = vg.Points(3)
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Y.LineStyle.Width = 0
	p.Legend.TextStyle.Font = font.From(sans, 9)
	p.Legend.TextStyle.Color = Ink
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
			label = Thousands(i * step)
		}
		ticks = append(ticks, plot.Tick{Value: i * step, Label: label})
	}
	return ticks
}

// SVG renders the plot.
func SVG(p *plot.Plot, width, height vg.Length) ([]byte, error) {
	c := vgsvg.New(width, height)
	p.Draw(draw.New(c))
	var b bytes.Buffer
	_, err := c.WriteTo(&b)
	return b.Bytes(), err
}

// Thousands writes 4050.2 as 4,050.
func Thousands(v float64) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v < 0 && s != "0" {
		s = "-" + s
	}
	return s
}

var (
	svgNamespace = regexp.MustCompile(`\s+xmlns(:\w+)?="[^"]*"`)
	svgFont      = regexp.MustCompile(`font-family:\s*Liberation Sans`)
)

// Inline makes an SVG file part of a page, which needs no namespaces and has its own font. The label, if there is one,
// is for readers who cannot see the picture.
func Inline(svg []byte, label string) template.HTML {
	s := string(svg)
	if i := strings.Index(s, "<svg"); i > 0 {
		s = s[i:] // drop the XML declaration
	}
	s = svgNamespace.ReplaceAllString(s, "")
	s = svgFont.ReplaceAllString(s, "font-family:inherit")
	if label != "" {
		s = strings.Replace(s, "<svg", `<svg role="img" aria-label="`+template.HTMLEscapeString(label)+`"`, 1)
	}
	return template.HTML(s)
}
