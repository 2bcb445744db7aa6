package prep

import (
	"math"
	"slices"
)

// A quantiles estimates quantiles of a stream in one pass: exactly while no more than 2·sketchSize values came, and then by
// Manku, Rajagopalan and Lindsay's collapses (1998): two full buffers of one weight become one of twice the weight, of every
// other value. With n values the rank of an estimate is wrong by at most n·log2(n/sketchSize)/(2·sketchSize): 0.04 % of a
// million values. The same values in the same order give the same estimates.
type quantiles struct {
	n        int
	min, max float64
	fresh    []float64   // of weight 1, not sorted
	levels   [][]float64 // sorted or nil; level i has weight 2^i
	odd      bool        // which values the next collapse keeps
	spare    []float64
}

const sketchSize = 1 << 13

func (q *quantiles) addAll(values []Value) {
	for _, v := range values {
		q.add(v.Float())
	}
}

func (q *quantiles) add(x float64) {
	if q.n == 0 {
		q.min, q.max = x, x
	}
	q.n++
	q.min, q.max = min(q.min, x), max(q.max, x)
	if q.fresh = append(q.fresh, x); len(q.fresh) < 2*sketchSize {
		return
	}
	slices.Sort(q.fresh) // both buffers of weight 1 at once
	full := q.collapse(q.fresh, nil)
	q.fresh = q.fresh[:0]
	level := 1
	for ; level < len(q.levels) && q.levels[level] != nil; level++ {
		full, q.levels[level] = q.collapse(full, q.levels[level]), nil
	}
	for level >= len(q.levels) {
		q.levels = append(q.levels, nil)
	}
	q.levels[level] = full
}

// collapse returns every other value of two sorted buffers.
func (q *quantiles) collapse(a, b []float64) []float64 {
	if b != nil {
		q.spare = q.spare[:0]
		for len(a) > 0 && len(b) > 0 {
			if a[0] <= b[0] {
				q.spare, a = append(q.spare, a[0]), a[1:]
			} else {
				q.spare, b = append(q.spare, b[0]), b[1:]
			}
		}
		a = append(append(q.spare, a...), b...)
		q.spare = a
	}
	kept := make([]float64, 0, len(a)/2)
	from := 0
	if q.odd {
		from = 1
	}
	q.odd = !q.odd
	for i := from; i < len(a); i += 2 {
		kept = append(kept, a[i])
	}
	return kept
}

type weighted struct {
	x      float64
	weight int
}

// sorted returns the values that are left with their weights, in order.
func (q *quantiles) sorted() []weighted {
	var all []weighted
	for _, x := range q.fresh {
		all = append(all, weighted{x, 1})
	}
	for i, level := range q.levels {
		for _, x := range level {
			all = append(all, weighted{x, 1 << i})
		}
	}
	slices.SortFunc(all, func(a, b weighted) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return 1
		}
		return 0
	})
	return all
}

// at returns the quantiles of ascending probabilities by linear interpolation between ranks, the default of NumPy's and pandas'
// quantile, or nil if there was no value.
func (q *quantiles) at(probabilities ...float64) []float64 {
	return q.find(probabilities, func(p float64) float64 { return float64(p * float64(q.n-1)) })
}

// find interpolates at ranks, from 0 to n-1, of the values.
func (q *quantiles) find(probabilities []float64, rank func(p float64) float64) []float64 {
	if q.n == 0 {
		return nil
	}
	all := q.sorted()
	found := make([]float64, len(probabilities))
	i, before := 0, 0 // values of lower rank than all[i]
	for k, p := range probabilities {
		switch p {
		case 0:
			found[k] = q.min
			continue
		case 1:
			found[k] = q.max
			continue
		}
		r := min(max(rank(p), 0), float64(q.n-1))
		low := int(r)
		for before+all[i].weight <= low {
			before += all[i].weight
			i++
		}
		found[k] = all[i].x
		if before+all[i].weight == low+1 && i+1 < len(all) {
			a, b, t := all[i].x, all[i+1].x, r-math.Floor(r)
			found[k] = a + float64((b-a)*t)
			if math.IsInf(b-a, 0) {
				found[k] = float64(a*(1-t)) + float64(b*t)
			}
		}
	}
	return found
}
