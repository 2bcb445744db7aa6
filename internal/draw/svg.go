package draw

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Sizes of the picture, in pixels.
const (
	margin     = 16.0
	boxHeight  = 66.0
	boxSpace   = 28.0 // between neighbours in a row
	rowSpace   = 44.0 // between rows, more where arrows run far sideways
	bendWidth  = 4.0
	portSpace  = 28.0 // between the arrows at one side of a box
	labelSpace = 52.0 // the same where they carry labels
	shadow     = 5.0  // of a shared box
	loopWidth  = 34.0 // of an arrow from a box to itself
	nameSize   = 13.0
	detailSize = 11.0
	noteSize   = 10.0
	nameLimit  = 40 // characters
)

// SVG returns the diagram as a picture. It needs no style sheet and no ids, so it can stand in a page as it is. In a
// picture of thousands of boxes and bends, arrows are straight and boxes stand in the order in which they were added, so
// that drawing takes no longer than the picture is large.
func (d *Diagram) SVG() string {
	w := &strings.Builder{}
	rows := d.layout()
	width, height := 0.0, 0.0
	for _, row := range rows {
		last := row[len(row)-1]
		width = max(width, last.x+last.width/2+margin)
		height = last.y + boxHeight + margin
	}
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" role="img" aria-label="%[3]s" font-family="%[4]s">`+"\n",
		px(width), px(height), html.EscapeString(d.name), "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace")
	d.svgArrows(w)
	for _, b := range d.boxes {
		b.svg(w)
	}
	w.WriteString("</svg>\n")
	return w.String()
}

// width is the space that the box takes in its row.
func (b *Box) width() float64 {
	if slices.ContainsFunc(b.arrows, (*arrow).isLoop) {
		return b.drawnWidth() + 2*loopWidth
	}
	return b.drawnWidth()
}

func (b *Box) drawnWidth() float64 {
	second := textWidth(b.Kind, detailSize)
	for _, note := range []string{b.Shared, b.Frozen} {
		if note != "" {
			second += 8 + noteWidth(note)
		}
	}
	text := max(textWidth(shorten(b.Name), nameSize), second, textWidth(b.Size, detailSize))
	return math.Ceil(max(text+34, 120)/2) * 2
}

// textWidth is the width in a monospaced font; wide characters take two places at most.
func textWidth(s string, size float64) float64 {
	width := 0.0
	for _, r := range s {
		if r >= 0x1100 {
			width += 0.6
		}
		width += 0.605
	}
	return width * size
}

func noteWidth(s string) float64 { return textWidth(s, noteSize) + 12 }

// shorten cuts a name that no box should be as wide as.
func shorten(name string) string {
	if r := []rune(name); len(r) > nameLimit {
		return string(r[:nameLimit-1]) + "…"
	}
	return name
}

func (d *Diagram) svgArrows(w *strings.Builder) {
	var heads, labels strings.Builder
	// A label stands beside the end of its arrow, away from where the arrow turns.
	label := func(text string, x, y, towards float64) {
		anchor, side := "start", 6.0
		if towards > x {
			anchor, side = "end", -6
		}
		if text != "" {
			fmt.Fprintf(&labels, `<text x="%s" y="%s" text-anchor="%s">%s</text>`+"\n", px(x+side), px(y), anchor, html.EscapeString(text))
		}
	}
	labelled := map[stem]bool{}
	starts, ends := d.ports()
	fmt.Fprintf(w, `<g fill="none" stroke="%s" stroke-width="1.5">`+"\n", arrowColor)
	for _, a := range d.arrows {
		if a.isLoop() {
			x, y := a.from.item.x+a.from.drawnWidth()/2+shadow, a.from.item.y+boxHeight/2
			fmt.Fprintf(w, `<path d="M%s %sc%s 14 %[3]s -38 6 -24"/>`+"\n", px(x), px(y+12), px(loopWidth))
			fmt.Fprintf(&heads, `<path d="M%s %sl7 -4v8z"/>`+"\n", px(x), px(y-12))
			continue
		}
		upper, _ := a.ends()
		x, y := starts[upper][a.stem()], a.route[0].y+boxHeight
		if upper.Shared != "" {
			y += shadow
		}
		top, bottom := a.tail, a.head
		if a.back {
			top, bottom = bottom, top
			fmt.Fprintf(&heads, `<path d="M%s %sl-4 7h8z"/>`+"\n", px(x), px(y))
		}
		if s := a.stem(); !labelled[s] {
			labelled[s] = true
			label(top, x, y+13, a.route[1].x)
		}
		fmt.Fprintf(w, `<path d="M%s %s`, px(x), px(y))
		for i, next := range a.route[1:] {
			endX := next.x
			if i == len(a.route)-2 {
				endX = ends[a]
			}
			middle := (y + next.y) / 2
			fmt.Fprintf(w, "C%s %s %s %[2]s %[3]s %[4]s", px(x), px(middle), px(endX), px(next.y))
			x, y = endX, next.y
			if next.box == nil {
				y += boxHeight
				fmt.Fprintf(w, "V%s", px(y))
			}
		}
		w.WriteString("\"/>\n")
		if !a.back {
			fmt.Fprintf(&heads, `<path d="M%s %sl-4 -7h8z"/>`+"\n", px(x), px(y))
		}
		label(bottom, x, y-9, a.route[len(a.route)-2].x)
	}
	fmt.Fprintf(w, "</g>\n<g fill=\"%s\">\n%s</g>\n", arrowColor, heads.String())
	if labels.Len() > 0 {
		fmt.Fprintf(w, "<g fill=\"%s\" font-size=\"%s\">\n%s</g>\n", sharedColor, px(noteSize), labels.String())
	}
}

// ports returns where stems leave the lower side of each box and where arrows reach the upper side, ordered by where
// they come from or go to.
func (d *Diagram) ports() (starts map[*Box]map[stem]float64, ends map[*arrow]float64) {
	starts, ends = map[*Box]map[stem]float64{}, map[*arrow]float64{}
	type port struct {
		towards, n float64
		stem       stem
		arrow      *arrow
	}
	above, below := map[*Box][]*port{}, map[*Box][]*port{}
	leaving := map[stem]*port{}
	for _, a := range d.arrows {
		if a.isLoop() {
			continue
		}
		upper, lower := a.ends()
		above[lower] = append(above[lower], &port{towards: a.route[len(a.route)-2].x, n: 1, arrow: a})
		p := leaving[a.stem()]
		if p == nil {
			p = &port{stem: a.stem()}
			leaving[p.stem] = p
			below[upper] = append(below[upper], p)
		}
		p.towards += a.route[1].x
		p.n++
	}
	each := func(b *Box, ports []*port, set func(p *port, x float64)) {
		slices.SortStableFunc(ports, func(a, b *port) int { return cmp.Compare(a.towards/a.n, b.towards/b.n) })
		space := portSpace
		if b.Shared != "" {
			space = labelSpace
		}
		space = min(space, (b.drawnWidth()-24)/float64(len(ports)))
		for i, p := range ports {
			set(p, b.item.x+(float64(i)-float64(len(ports)-1)/2)*space)
		}
	}
	for _, b := range d.boxes {
		starts[b] = map[stem]float64{}
		each(b, below[b], func(p *port, x float64) { starts[b][p.stem] = x })
		each(b, above[b], func(p *port, x float64) { ends[p.arrow] = x })
	}
	return starts, ends
}

func (b *Box) svg(w *strings.Builder) {
	fill, stroke := roleFills[b.Role], roleStrokes[b.Role]
	width := b.drawnWidth()
	x, y := b.item.x-width/2, b.item.y
	dash := ""
	if b.Frozen != "" {
		dash = ` stroke-dasharray="5 4"`
	}
	rect := func(x, y float64) {
		fmt.Fprintf(w, `<rect x="%s" y="%s" width="%s" height="%s" rx="8" fill="%s" stroke="%s" stroke-width="1.5"%s/>`+"\n",
			px(x), px(y), px(width), px(boxHeight), fill, stroke, dash)
	}
	if b.Shared != "" {
		rect(x+shadow, y+shadow)
	}
	rect(x, y)
	fmt.Fprintf(w, `<rect x="%s" y="%s" width="4" height="%s" rx="2" fill="%s"/>`+"\n", px(x+8), px(y+12), px(boxHeight-24), stroke)
	text := func(y, size float64, look, s string) {
		fmt.Fprintf(w, `<text x="%s" y="%s" font-size="%s" %s>%s</text>`+"\n", px(x+20), px(y), px(size), look, html.EscapeString(s))
	}
	text(y+23, nameSize, `font-weight="bold" fill="`+textColor+`"`, shorten(b.Name))
	text(y+40, detailSize, `fill="`+detailColor+`"`, b.Kind)
	text(y+55, detailSize, `fill="`+detailColor+`"`, b.Size)
	right := x + width - 10
	for _, note := range []struct{ text, color string }{{b.Shared, sharedColor}, {b.Frozen, frozenColor}} {
		if note.text == "" {
			continue
		}
		pill := noteWidth(note.text)
		fmt.Fprintf(w, `<rect x="%s" y="%s" width="%s" height="15" rx="7.5" fill="%s"/>`+"\n", px(right-pill), px(y+29), px(pill), note.color)
		fmt.Fprintf(w, `<text x="%s" y="%s" font-size="%s" text-anchor="middle" fill="#ffffff">%s</text>`+"\n", px(right-pill/2), px(y+40), px(noteSize), html.EscapeString(note.text))
		right -= pill + 6
	}
}

// px prints a coordinate, to a tenth of a pixel.
func px(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }
