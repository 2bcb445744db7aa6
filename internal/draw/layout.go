package draw

import "slices"

// An item has a place in a row of the layout: it is a box, or the bend at which an arrow passes the row.
type item struct {
	box      *Box // nil at a bend
	row      int
	place    int // in its row
	x, width float64
	y        float64 // top
	up, down []*item // neighbours in the rows above and below
	bends    []*item // all of its stem, if it is a bend
}

// isAlone reports whether nothing connects the item, as an input that no output uses.
func (x *item) isAlone() bool { return len(x.up)+len(x.down) == 0 }

// A stem is what the arrows from a box with the same label have in common: they leave it at one point and pass further
// rows together. For an arrow back up it begins at the upper end, which is the arrow's head.
type stem struct {
	box   *Box
	label string
	back  bool
}

func (a *arrow) stem() stem {
	if a.back {
		return stem{a.to, a.head, true}
	}
	return stem{a.from, a.tail, false}
}

func (a *arrow) isLoop() bool { return a.from == a.to }

// ends returns the upper and the lower box.
func (a *arrow) ends() (upper, lower *Box) {
	if a.back {
		return a.to, a.from
	}
	return a.from, a.to
}

// maxItems is up to where pictures are beautiful: order and position take quadratic time.
const maxItems = 2000

// layout gives each item its row, its place in it and its position (Sugiyama, Tagawa and Toda 1981).
func (d *Diagram) layout() [][]*item {
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
func (d *Diagram) bends() int {
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
func (d *Diagram) rank() [][]*item {
	height := map[*Box]int{}
	onPath := map[*Box]bool{}
	top := -1
	var visit func(b *Box)
	visit = func(b *Box) {
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
	reached := map[*Box]bool{}
	for _, a := range d.arrows {
		reached[a.to] = true
	}
	rows := make([][]*item, top+1)
	for _, b := range d.boxes {
		b.item = item{box: b, row: top - height[b], width: b.width()}
		if b.Role == Input && len(b.arrows) == 0 && !reached[b] {
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
func (d *Diagram) route(rows [][]*item) {
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
