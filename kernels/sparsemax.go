package kernels

import "math"

// Sparsemax computes, for each row, the probabilities that are nearest to it: y = max(x-τ, 0), with the τ for which they sum
// to 1 (Martins and Astudillo, arXiv:1602.02068). y has the shape of x and may be x. A row with a NaN or +Inf, or with
// nothing but -Inf, gives NaN throughout. All levels have the same bits.
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
		top := float64(maxRow(row))
		if math.IsInf(top, 0) {
			top = math.NaN()
		}
		tau := top + sparsemaxThreshold(row, top)
		for j, v := range row {
			to[j] = float32(max(float64(v)-tau, 0))
		}
	}
	return nil
}

// sparsemaxThreshold returns τ - top for a row with that maximum. It is the mean of the elements above it, less a share of
// 1: starting from all that can be above, those that turn out not to be leave until none does (Michelot 1986).
func sparsemaxThreshold(x []float32, top float64) float64 {
	tau := -1.0
	for before := 0; ; {
		sum, n := -1.0, 0
		for _, v := range x {
			if z := float64(v) - top; z > tau {
				sum += z
				n++
			}
		}
		if n == before || n == 0 {
			return tau
		}
		tau, before = sum/float64(n), n
	}
}

// SparsemaxGrad computes the gradient of [Table.Sparsemax] from its output y: dx = dy less the mean of dy where y > 0, and 0
// elsewhere, or dx += that if accumulate is set. All matrices have one shape; dx may be dy if accumulate is not set.
func (t *Table) SparsemaxGrad(dx, dy, y Matrix, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	if !same(&dx, &y) || !same(&dy, &y) {
		return checkSame("SparsemaxGrad", operand{"dy", dy}, operand{"y", y}, operand{"dx", dx})
	}
	raceReads(dy, y)
	raceWrites(dx)
	for i := range filled(&y) {
		to, g, out := dx.Row(i), dy.Row(i), y.Row(i)
		sum, n := 0.0, 0
		for j, v := range out {
			if !(v <= 0) {
				sum += float64(g[j])
				n++
			}
		}
		mean := sum / float64(n)
		for j, v := range out {
			d := float32(0)
			if !(v <= 0) {
				d = float32(float64(g[j]) - mean)
			}
			if accumulate {
				d += to[j]
			}
			to[j] = d
		}
	}
	return nil
}
