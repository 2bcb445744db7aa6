package draw

import (
	"cmp"
	"math"
	"slices"
)

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
