package nn

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/espalier-ml/espalier/internal/brief"
)

// DOT writes the model's graph in the language of Graphviz: one node per layer, one edge per argument of a call. Edges
// at a shared layer carry the number of the call, as in Summary.
func (m *Model) DOT(w io.Writer) error { return m.draw(w, "DOT", (*diagram).dot) }

// Mermaid writes the model's graph as a Mermaid flowchart, which Markdown pages show as a picture: one node per layer,
// one edge per argument of a call. Edges at a shared layer carry the number of the call, as in Summary.
func (m *Model) Mermaid(w io.Writer) error { return m.draw(w, "Mermaid", (*diagram).mermaid) }

// SVG draws the model's graph: a box per layer, coloured by whether it is an input, an output or between, and an arrow
// per argument of a call. Arrows at a shared layer carry the number of the call, as in Summary. The picture needs no
// style sheet and no ids, so it can stand in a page as it is. In a picture of thousands of boxes and bends, arrows are
// straight and boxes stand in the order of Summary, so that drawing takes no longer than the picture is large.
func (m *Model) SVG(w io.Writer) error { return m.draw(w, "SVG", (*diagram).svg) }

func (m *Model) draw(w io.Writer, format string, draw func(*diagram, *strings.Builder)) error {
	err := errEmptyModel
	if len(m.nodes) > 0 {
		var b strings.Builder
		draw(newDiagram(m), &b)
		_, err = io.WriteString(w, b.String())
	}
	if err != nil {
		return fmt.Errorf("nn: %s of model %s: %w", format, brief.Quote(m.name), err)
	}
	return nil
}

// A diagram is what the formats have in common.
type diagram struct {
	name   string
	boxes  []*box
	arrows []*arrow
}

type role int

const (
	isHidden role = iota
	isInput
	isOutput
)

var (
	roleNames   = [...]string{isInput: "input", isHidden: "hidden", isOutput: "output"}
	roleFills   = [...]string{isInput: "#e8f1fc", isHidden: "#f5f6f8", isOutput: "#fdf0e1"}
	roleStrokes = [...]string{isInput: "#4585cb", isHidden: "#98a2b0", isOutput: "#d98634"}
)

const (
	textColor   = "#1f2732"
	detailColor = "#5b6675"
	arrowColor  = "#7f8a99"
	sharedColor = "#8465cf"
	frozenColor = "#4a8a9c"
)

// A box is a layer.
type box struct {
	layer  *Layer
	id     string
	role   role
	calls  []*Node
	arrows []*arrow // that leave it
	item   item     // of the layout
}

// An arrow leads from the call that makes a node to a call that uses it.
type arrow struct {
	from, to         *box
	fromCall, toCall *Node
	back             bool // closes a cycle of shared layers
	route            []*item
}

func newDiagram(m *Model) *diagram {
	d := &diagram{name: visible(m.name)}
	byLayer := map[*Layer]*box{}
	roles := map[*Layer]role{}
	for _, n := range m.outputs {
		roles[n.layer] = isOutput
	}
	for _, n := range m.inputs {
		roles[n.layer] = isInput
	}
	calls := m.calls()
	for i, l := range m.layers {
		b := &box{layer: l, id: fmt.Sprintf("n%d", i), role: roles[l], calls: calls[l]}
		byLayer[l] = b
		d.boxes = append(d.boxes, b)
	}
	for _, to := range d.boxes {
		for _, n := range to.calls {
			for _, in := range n.in {
				a := &arrow{from: byLayer[in.layer], to: to, fromCall: in, toCall: n}
				a.from.arrows = append(a.from.arrows, a)
				d.arrows = append(d.arrows, a)
			}
		}
	}
	return d
}

// text returns the lines that describe a layer: its name, its class and activation, its shape and size.
func (b *box) text() (name, class, size string) {
	class = b.layer.kind.class()
	if a, ok := b.layer.kind.(activated); ok && a.activation() != Linear {
		class += " · " + a.activation().String()
	}
	size = batchShape(b.calls)
	switch n := b.layer.paramCount(); n {
	case 0:
	case 1:
		size += " · 1 param"
	default:
		size += " · " + thousands(n) + " params"
	}
	return visible(b.layer.name), class, size
}

// notes returns what is special about a layer.
func (b *box) notes() (shared, frozen string) {
	if len(b.calls) > 1 {
		shared = fmt.Sprintf("called %d×", len(b.calls))
	}
	if b.layer.frozen && len(b.layer.params) > 0 {
		frozen = "frozen"
	}
	return shared, frozen
}

// labels returns the numbers of the calls at the arrow's ends, empty where the layer has one call.
func (a *arrow) labels() (tail, head string) {
	if len(a.from.calls) > 1 {
		tail = fmt.Sprintf("[%d]", a.fromCall.index)
	}
	if len(a.to.calls) > 1 {
		head = fmt.Sprintf("[%d]", a.toCall.index)
	}
	return tail, head
}

// maxShown is up to where tables and pictures show a name, in characters.
const maxShown = 250

// visible replaces what would not print, or would turn the text around it, by a visible sign and cuts what is long, so
// that no name can break a table or a picture.
func visible(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return '␀' + r
		case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point), r == '\uFEFF':
			return unicode.ReplacementChar
		}
		return r
	}, brief.Cut(name, maxShown))
}

func (d *diagram) dot(w *strings.Builder) {
	fmt.Fprintf(w, "digraph \"%s\" {\n", strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(d.name))
	fmt.Fprintf(w, "\tnode [shape=box style=\"rounded,filled\" fontname=\"Helvetica\" fontsize=11 fontcolor=\"%s\"]\n", textColor)
	fmt.Fprintf(w, "\tedge [color=\"%s\" fontname=\"Helvetica\" fontsize=9 arrowsize=0.7]\n", arrowColor)
	for _, b := range d.boxes {
		name, class, size := b.text()
		shared, frozen := b.notes()
		look := ""
		if shared != "" {
			class += " · " + shared
			look += " peripheries=2"
		}
		if frozen != "" {
			class += " · " + frozen
			look += ` style="rounded,filled,dashed"`
		}
		fmt.Fprintf(w, "\t%s [label=<<b>%s</b><br/>%s<br/>%s> fillcolor=\"%s\" color=\"%s\"%s]\n",
			b.id, html.EscapeString(name), class, size, roleFills[b.role], roleStrokes[b.role], look)
	}
	for _, a := range d.arrows {
		var labels []string
		tail, head := a.labels()
		if tail != "" {
			labels = append(labels, fmt.Sprintf("taillabel=\"%s\"", tail))
		}
		if head != "" {
			labels = append(labels, fmt.Sprintf("headlabel=\"%s\"", head))
		}
		fmt.Fprintf(w, "\t%s -> %s", a.from.id, a.to.id)
		if labels != nil {
			fmt.Fprintf(w, " [%s]", strings.Join(labels, " "))
		}
		w.WriteString("\n")
	}
	w.WriteString("}\n")
}

func (d *diagram) mermaid(w *strings.Builder) {
	w.WriteString("flowchart TD\n")
	shapes := [][2]string{isInput: {"([", "])"}, isHidden: {"[", "]"}, isOutput: {"([", "])"}}
	for _, b := range d.boxes {
		name, class, size := b.text()
		shared, frozen := b.notes()
		shape := shapes[b.role]
		if shared != "" {
			class += " · " + shared
			shape = [2]string{"[[", "]]"}
		}
		if frozen != "" {
			class += " · " + frozen
		}
		fmt.Fprintf(w, "\t%s%s\"<b>%s</b><br>%s<br>%s\"%s\n", b.id, shape[0], mermaidEscape(name), class, size, shape[1])
	}
	for _, a := range d.arrows {
		label, head := a.labels()
		if label != "" && head != "" {
			label += " to "
		}
		if label += head; label != "" {
			label = fmt.Sprintf("|\"%s\"|", label)
		}
		fmt.Fprintf(w, "\t%s -->%s %s\n", a.from.id, label, a.to.id)
	}
	class := func(name, look string, has func(*box) bool) {
		var ids []string
		for _, b := range d.boxes {
			if has(b) {
				ids = append(ids, b.id)
			}
		}
		if ids != nil {
			fmt.Fprintf(w, "\tclassDef %s %s\n\tclass %s %s\n", name, look, strings.Join(ids, ","), name)
		}
	}
	for _, r := range []role{isInput, isHidden, isOutput} {
		name := roleNames[r]
		look := fmt.Sprintf("fill:%s,stroke:%s,color:%s", roleFills[r], roleStrokes[r], textColor)
		class(name, look, func(b *box) bool { return b.role == r })
	}
	class("frozen", "stroke-dasharray:5 4", func(b *box) bool { _, frozen := b.notes(); return frozen != "" })
}

// mermaidEscape writes everything that could mean something to Mermaid, Markdown or HTML as a character code.
func mermaidEscape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == ' ' || r == '_' || r >= 0x80 || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}

// Sizes of the picture, in pixels.
const (
	margin     = 16.0
	boxHeight  = 66.0
	boxSpace   = 28.0 // between neighbours in a row
	rowSpace   = 44.0 // between rows, more where arrows run far sideways
	bendWidth  = 4.0
	portSpace  = 28.0 // between the arrows at one side of a box
	labelSpace = 52.0 // the same where they carry labels
	shadow     = 5.0  // of a shared layer's box
	loopWidth  = 34.0 // of an arrow from a box to itself
	nameSize   = 13.0
	detailSize = 11.0
	noteSize   = 10.0
	nameLimit  = 40 // characters
)

// An item has a place in a row of the layout: it is a box, or the bend at which an arrow passes the row.
type item struct {
	box      *box // nil at a bend
	row      int
	place    int // in its row
	x, width float64
	y        float64 // top
	up, down []*item // neighbours in the rows above and below
	bends    []*item // all of its stem, if it is a bend
}

// isAlone reports whether nothing connects the item, as an input that no output uses.
func (x *item) isAlone() bool { return len(x.up)+len(x.down) == 0 }

// A stem is what the arrows from one call have in common: they leave their box at one point and pass further rows
// together. For an arrow back up it begins at the upper end, which is the arrow's head.
type stem struct {
	call *Node
	back bool
}

func (a *arrow) stem() stem {
	if a.back {
		return stem{a.toCall, true}
	}
	return stem{a.fromCall, false}
}

func (a *arrow) isLoop() bool { return a.from == a.to }

// ends returns the upper and the lower box.
func (a *arrow) ends() (upper, lower *box) {
	if a.back {
		return a.to, a.from
	}
	return a.from, a.to
}

// maxItems is up to where pictures are beautiful: order and position take quadratic time.
const maxItems = 2000

// layout gives each item its row, its place in it and its position (Sugiyama, Tagawa and Toda 1981).
func (d *diagram) layout() [][]*item {
	rows := d.rank()
	if len(d.boxes)+d.bends()+len(d.arrows) > maxItems {
		for _, a := range d.arrows {
			if upper, lower := a.ends(); upper != lower {
				a.route = []*item{&upper.item, &lower.item}
			}
		}
		for _, row := range rows {
			spread(row, func(*item) float64 { return 0 })
		}
		stack(rows)
		return rows
	}
	d.route(rows)
	order(rows)
	position(rows)
	return rows
}

// bends returns how many bends the arrows need.
func (d *diagram) bends() int {
	last := map[stem]int{}
	count := 0
	for _, a := range d.arrows {
		if a.isLoop() {
			continue
		}
		upper, lower := a.ends()
		if n := lower.item.row - upper.item.row - 1; n > last[a.stem()] {
			count += n - last[a.stem()]
			last[a.stem()] = n
		}
	}
	return count
}

// rank puts each box one row above the highest of those that use it.
func (d *diagram) rank() [][]*item {
	height := map[*box]int{}
	onPath := map[*box]bool{}
	top := 0
	var visit func(b *box)
	visit = func(b *box) {
		height[b] = 0
		onPath[b] = true
		h := 0
		for _, a := range b.arrows {
			if a.back = onPath[a.to]; a.back {
				continue
			}
			if _, seen := height[a.to]; !seen {
				visit(a.to)
			}
			h = max(h, height[a.to]+1)
		}
		height[b] = h
		top = max(top, h)
		onPath[b] = false
	}
	for _, b := range d.boxes {
		if _, seen := height[b]; !seen {
			visit(b)
		}
	}
	rows := make([][]*item, top+1)
	for _, b := range d.boxes {
		b.item = item{box: b, row: top - height[b], width: b.width()}
		if b.role == isInput && len(b.arrows) == 0 {
			b.item.row = 0
		}
		add(rows, &b.item)
	}
	return rows
}

// add puts an item at the end of its row.
func add(rows [][]*item, i *item) {
	i.place = len(rows[i.row])
	rows[i.row] = append(rows[i.row], i)
}

// route leads the arrows through the rows between their boxes.
func (d *diagram) route(rows [][]*item) {
	bends := map[stem][]*item{}
	join := func(upper, lower *item) {
		if !slices.Contains(upper.down, lower) {
			upper.down = append(upper.down, lower)
			lower.up = append(lower.up, upper)
		}
	}
	for _, a := range d.arrows {
		if a.isLoop() {
			continue
		}
		upper, lower := a.ends()
		a.route = []*item{&upper.item}
		for row := upper.item.row + 1; row < lower.item.row; row++ {
			s, n := a.stem(), len(a.route)
			if n > len(bends[s]) {
				bend := &item{row: row, width: bendWidth}
				bends[s] = append(bends[s], bend)
				add(rows, bend)
			}
			join(a.route[n-1], bends[s][n-1])
			a.route = append(a.route, bends[s][n-1])
		}
		join(a.route[len(a.route)-1], &lower.item)
		a.route = append(a.route, &lower.item)
	}
	for _, stem := range bends {
		for _, bend := range stem {
			bend.bends = stem
		}
	}
}

// width is the space that the box takes in its row.
func (b *box) width() float64 {
	if slices.ContainsFunc(b.arrows, (*arrow).isLoop) {
		return b.drawnWidth() + 2*loopWidth
	}
	return b.drawnWidth()
}

func (b *box) drawnWidth() float64 {
	name, class, size := b.text()
	shared, frozen := b.notes()
	second := textWidth(class, detailSize)
	for _, note := range []string{shared, frozen} {
		if note != "" {
			second += 8 + noteWidth(note)
		}
	}
	text := max(textWidth(shorten(name), nameSize), second, textWidth(size, detailSize))
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

// order sorts each row by the barycentres of its items' neighbours, again and again, and keeps what has the fewest
// crossings.
func order(rows [][]*item) {
	best := math.MaxInt
	var kept [][]*item
	for sweep := range 24 {
		if n := crossings(rows); n < best {
			best, kept = n, nil
			for _, row := range rows {
				kept = append(kept, slices.Clone(row))
			}
		}
		for i := range rows {
			row, towards := rows[i], func(x *item) []*item { return x.up }
			if sweep%2 == 1 {
				row, towards = rows[len(rows)-1-i], func(x *item) []*item { return x.down }
			}
			centre := map[*item]float64{}
			for _, x := range row {
				if x.isAlone() {
					centre[x] = math.Inf(1)
					continue
				}
				centre[x] = mean(towards(x), float64(x.place), func(n *item) float64 { return float64(n.place) })
			}
			slices.SortStableFunc(row, func(a, b *item) int { return cmp.Compare(centre[a], centre[b]) })
			for place, x := range row {
				x.place = place
			}
		}
	}
	for i, row := range kept {
		copy(rows[i], row)
		for place, x := range row {
			x.place = place
		}
	}
}

func mean(items []*item, otherwise float64, f func(*item) float64) float64 {
	if len(items) == 0 {
		return otherwise
	}
	sum := 0.0
	for _, x := range items {
		sum += f(x)
	}
	return sum / float64(len(items))
}

// crossings counts the pairs of lines between neighbouring rows that cross.
func crossings(rows [][]*item) int {
	count := 0
	for _, row := range rows {
		var ends []int // of the lines so far, sorted
		for _, x := range row {
			var own []int
			for _, n := range x.down {
				i, _ := slices.BinarySearch(ends, n.place+1)
				count += len(ends) - i
				own = append(own, n.place)
			}
			for _, end := range own {
				i, _ := slices.BinarySearch(ends, end)
				ends = slices.Insert(ends, i, end)
			}
		}
	}
	return count
}

// position moves items towards their neighbours above and below as far as their order allows.
func position(rows [][]*item) {
	at := func(x *item) float64 { return x.x }
	up := func(x *item) float64 { return mean(x.up, x.x, at) }
	down := func(x *item) float64 { return mean(x.down, x.x, at) }
	both := func(x *item) float64 {
		switch {
		case len(x.up) == 0:
			return down(x)
		case len(x.down) == 0:
			return up(x)
		}
		return (up(x) + down(x)) / 2
	}
	straight := func(x *item) float64 {
		if x.box == nil {
			return mean(x.bends, x.x, at)
		}
		return both(x)
	}
	for _, row := range rows {
		spread(row, func(*item) float64 { return 0 })
	}
	for sweep := range 80 {
		for i := range rows {
			switch {
			case sweep >= 40:
				spread(rows[i], straight)
			case sweep >= 16:
				spread(rows[i], both)
			case sweep%2 == 0:
				spread(rows[i], up)
			default:
				spread(rows[len(rows)-1-i], down)
			}
		}
	}
	stack(rows)
}

// stack moves everything to the margin and sets rows apart, more where arrows run far sideways.
func stack(rows [][]*item) {
	left := math.Inf(1)
	for _, row := range rows {
		left = min(left, row[0].x-row[0].width/2)
	}
	for _, row := range rows {
		for _, x := range row {
			x.x = math.Round(x.x - left + margin)
		}
	}
	y := margin
	for _, row := range rows {
		run := 0.0
		for _, x := range row {
			x.y = y
			for _, n := range x.down {
				run = max(run, math.Abs(x.x-n.x))
			}
		}
		y += boxHeight + math.Round(min(rowSpace+run/8, 3*rowSpace))
	}
}

// spread moves the items of a row as close to where they want to be as their order and widths allow: an isotonic
// regression, which merges neighbours that would overlap into blocks. Bends insist more than boxes, so that long arrows
// become straight.
func spread(row []*item, want func(*item) float64) {
	type block struct {
		sum, weight float64
		n           int
	}
	var blocks []block
	offset := make([]float64, len(row)) // from the first item when all are packed
	wanted := 0.0
	for i, x := range row {
		if i > 0 {
			offset[i] = offset[i-1] + (row[i-1].width+x.width)/2 + boxSpace
		}
		b := block{weight: 1, n: 1}
		if !x.isAlone() {
			wanted = want(x)
		}
		switch {
		case x.box == nil:
			b.weight = 1000
		case x.isAlone() && i > 0: // beside its neighbour
			b.weight, wanted = 1e-6, wanted+offset[i]-offset[i-1]
		}
		b.sum = b.weight * (wanted - offset[i])
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum/last.weight <= b.sum/b.weight {
				break
			}
			b = block{last.sum + b.sum, last.weight + b.weight, last.n + b.n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	i := 0
	for _, b := range blocks {
		for range b.n {
			row[i].x = b.sum/b.weight + offset[i]
			i++
		}
	}
}

func (d *diagram) svg(w *strings.Builder) {
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
}

func (d *diagram) svgArrows(w *strings.Builder) {
	var heads, labels strings.Builder
	// A label stands beside the end of its arrow, away from where the arrow turns.
	label := func(text string, x, y, towards float64) {
		anchor, side := "start", 6.0
		if towards > x {
			anchor, side = "end", -6
		}
		if text != "" {
			fmt.Fprintf(&labels, `<text x="%s" y="%s" text-anchor="%s">%s</text>`+"\n", px(x+side), px(y), anchor, text)
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
		if len(upper.calls) > 1 {
			y += shadow
		}
		top, bottom := a.labels()
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
func (d *diagram) ports() (starts map[*box]map[stem]float64, ends map[*arrow]float64) {
	starts, ends = map[*box]map[stem]float64{}, map[*arrow]float64{}
	type port struct {
		towards, n float64
		stem       stem
		arrow      *arrow
	}
	above, below := map[*box][]*port{}, map[*box][]*port{}
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
	each := func(b *box, ports []*port, set func(p *port, x float64)) {
		slices.SortStableFunc(ports, func(a, b *port) int { return cmp.Compare(a.towards/a.n, b.towards/b.n) })
		space := portSpace
		if len(b.calls) > 1 {
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

func (b *box) svg(w *strings.Builder) {
	name, class, size := b.text()
	shared, frozen := b.notes()
	fill, stroke := roleFills[b.role], roleStrokes[b.role]
	width := b.drawnWidth()
	x, y := b.item.x-width/2, b.item.y
	dash := ""
	if frozen != "" {
		dash = ` stroke-dasharray="5 4"`
	}
	rect := func(x, y float64) {
		fmt.Fprintf(w, `<rect x="%s" y="%s" width="%s" height="%s" rx="8" fill="%s" stroke="%s" stroke-width="1.5"%s/>`+"\n",
			px(x), px(y), px(width), px(boxHeight), fill, stroke, dash)
	}
	if shared != "" {
		rect(x+shadow, y+shadow)
	}
	rect(x, y)
	fmt.Fprintf(w, `<rect x="%s" y="%s" width="4" height="%s" rx="2" fill="%s"/>`+"\n", px(x+8), px(y+12), px(boxHeight-24), stroke)
	text := func(y, size float64, look, s string) {
		fmt.Fprintf(w, `<text x="%s" y="%s" font-size="%s" %s>%s</text>`+"\n", px(x+20), px(y), px(size), look, html.EscapeString(s))
	}
	text(y+23, nameSize, `font-weight="bold" fill="`+textColor+`"`, shorten(name))
	text(y+40, detailSize, `fill="`+detailColor+`"`, class)
	text(y+55, detailSize, `fill="`+detailColor+`"`, size)
	right := x + width - 10
	for _, note := range []struct{ text, color string }{{shared, sharedColor}, {frozen, frozenColor}} {
		if note.text == "" {
			continue
		}
		pill := noteWidth(note.text)
		fmt.Fprintf(w, `<rect x="%s" y="%s" width="%s" height="15" rx="7.5" fill="%s"/>`+"\n", px(right-pill), px(y+29), px(pill), note.color)
		fmt.Fprintf(w, `<text x="%s" y="%s" font-size="%s" text-anchor="middle" fill="#ffffff">%s</text>`+"\n", px(right-pill/2), px(y+40), px(noteSize), note.text)
		right -= pill + 6
	}
}

// px prints a coordinate, to a tenth of a pixel.
func px(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }
