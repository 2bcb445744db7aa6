package draw

import "math"

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
