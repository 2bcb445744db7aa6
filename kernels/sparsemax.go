package kernels

import "math"

// Sparsemax computes y = max(x-τ, 0) for each row, as Keras does. Of the k largest elements that have a share in the
// sparsemax of Martins and Astudillo (arXiv:1602.02068), these take the sum, less 1, over k as τ, and Keras the sum of the
// sums of the first 1, 2, ... and k. So the two agree where one element has all; elsewhere a row of y need not sum to 1, and
// is often 0. y has the shape of x and may be x. A row with a NaN or +Inf, or with nothing but -Inf, gives NaN throughout.
// All levels have the same bits.
func (t *Table) Sparsemax(y, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if !same(&y, &x) {
		return checkSame("Sparsemax", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	for i := range filled(&x) {
		to, row := y.Row(i), x.Row(i)
		s := supportOf(row)
		tau := -1 / s.size
		for j, v := range row {
			if s.has(v) {
				tau += float64(s.share(row, j) * float64(v))
			}
		}
		for j, v := range row {
			to[j] = float32(max(float64(v)-tau, 0))
		}
	}
	return nil
}

// SparsemaxGrad computes the gradient of [Table.Sparsemax] from its input x and its output y: dx = dy where y > 0, else 0,
// less the sum of these times dτ/dx, or dx += that if accumulate is set. All matrices have one shape; dx may be dy if
// accumulate is not set.
func (t *Table) SparsemaxGrad(dx, dy, x, y Matrix, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	if !same(&dx, &x) || !same(&dy, &x) || !same(&y, &x) {
		return checkSame("SparsemaxGrad", operand{"x", x}, operand{"y", y}, operand{"dy", dy}, operand{"dx", dx})
	}
	raceReads(dy, x, y)
	raceWrites(dx)
	for i := range filled(&x) {
		to, g, in, out := dx.Row(i), dy.Row(i), x.Row(i), y.Row(i)
		s := supportOf(in)
		sum := 0.0
		for j, v := range out {
			if v > 0 {
				sum += float64(g[j])
			}
		}
		for j, v := range out {
			d := 0.0
			if v > 0 {
				d = float64(g[j])
			}
			d -= float64(s.share(in, j) * sum)
			if accumulate {
				to[j] += float32(d)
			} else {
				to[j] = float32(d)
			}
		}
	}
	return nil
}

// A support are the elements of a row that have a share in its sparsemax: those further above top than limit, which is
// below 0. Their number size is NaN where there are none.
type support struct{ top, limit, size float64 }

// supportOf finds the limit, the mean of the elements above it, less a share of 1. Starting from all that can be above,
// those that turn out not to be leave until none does (Michelot 1986).
func supportOf(x []float32) support {
	s := support{float64(maxRow(x)), -1, math.NaN()}
	for {
		sum, n := -1.0, 0.0
		for _, v := range x {
			if s.has(v) {
				sum += float64(v) - s.top
				n++
			}
		}
		if n == 0 || n == s.size {
			return s
		}
		s.limit, s.size = sum/n, n
	}
}

func (s *support) has(v float32) bool { return float64(v)-s.top > s.limit }

// share returns dτ/dx[j]: how many of the sums have the element, over size.
func (s *support) share(x []float32, j int) float64 {
	if s.size != s.size {
		return s.size
	}
	if !s.has(x[j]) {
		return 0
	}
	n := s.size
	for i, v := range x {
		if v > x[j] || v == x[j] && i < j {
			n--
		}
	}
	return n / s.size
}
