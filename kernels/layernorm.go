package kernels

import (
	"cmp"
	"math"
)

// LayerNorm computes y = x̂·gamma + beta for each row, where x̂ = (x-mean)/√(variance+epsilon): the mean of x̂ is 0 and its
// variance nearly 1. gamma and beta have one element per column. stats gets the mean and 1/√(variance+epsilon) of each row,
// two columns, for [Table.LayerNormGrad]; it may be the zero Matrix to skip that. y has the shape of x and may be x.
//
// x̂ is within ((columns/16+8)·(1+|x̂|) + |mean|/√(variance+epsilon))·2⁻²³ of the exact value on every level: the mean is
// first the sum by the columns and then corrected by the mean of what remains, so that equal elements give beta whatever
// they are. A row with a NaN or an infinity is NaN throughout, and where the squares overflow x̂ is 0.
func (t *Table) LayerNorm(y, x Matrix, gamma, beta []float32, epsilon float32, stats Matrix) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "LayerNorm"
	o := operand{"x", x}
	if !same(&y, &x) {
		return checkSame(kernel, o, operand{"y", y})
	}
	if err := cmp.Or(checkCols(kernel, "gamma", len(gamma), o), checkCols(kernel, "beta", len(beta), o)); err != nil {
		return err
	}
	if !stats.skipped() {
		if err := checkStats(kernel, stats, o); err != nil {
			return err
		}
	}
	raceReads(x, vector(gamma), vector(beta))
	raceWrites(y, stats)
	n := float32(x.Cols)
	switch v := t.level; {
	case v == nil:
		layerNormGeneric(&y, &x, gamma, beta, epsilon, &stats)
	case x.Cols > rowCall:
		for i := range x.Rows {
			v.layerNormLong(y.Row(i), x.Row(i), gamma, beta, epsilon, stats.Row(i))
		}
	default:
		for i, rows := range x.blocks(mathCall) {
			v.layerNorm(rows, x.Cols, y.row(i), 4*y.Stride, x.row(i), 4*x.Stride, &gamma[0], &beta[0], stats.row(i), 4*stats.Stride, n, epsilon)
		}
	}
	return nil
}

// checkStats reports stats that have not two columns and a row for each row of o.
func checkStats(kernel string, stats Matrix, o operand) error {
	if stats.Rows != o.Rows || stats.Cols != 2 {
		return shapeError(kernel, "stats is %dx%d, %s has %d rows", stats.Rows, stats.Cols, o.name, o.Rows)
	}
	return operand{"stats", stats}.check(kernel)
}

// layerNormLong is a row in pieces.
func (v *level) layerNormLong(y, x, gamma, beta []float32, epsilon float32, stats []float32) {
	var sums, squares lanes
	n := float32(len(x))
	m := v.sum(x) / n
	for from, n := range parts(len(x), rowCall) {
		v.layerNormDeviations(n, noescape(&sums[0]), noescape(&squares[0]), &x[from], m)
	}
	d := sums.fold() / n
	mean, inv := m+d, inverseDeviation(v.fma(-d, d, squares.fold()/n), epsilon)
	if stats != nil {
		stats[0], stats[1] = mean, inv
	}
	for from, n := range parts(len(x), rowCall) {
		v.layerNormPiece(n, &y[from], &x[from], &gamma[from], &beta[from], mean, inv)
	}
}

// inverseDeviation is 1/√(variance+epsilon), of a variance that rounding may have made negative.
func inverseDeviation(variance, epsilon float32) float32 {
	return 1 / float32(math.Sqrt(float64(max(variance, 0)+epsilon)))
}

func layerNormGeneric(y, x *Matrix, gamma, beta []float32, epsilon float32, stats *Matrix) {
	n := float32(x.Cols)
	for i := range filled(x) {
		dst, row := y.Row(i), x.Row(i)
		var sums, squares lanes
		m := sumRow(row) / n
		for j, v := range row {
			d := v - m
			sums[j&15] += d
			squares[j&15] = mulAdd(d, d, squares[j&15])
		}
		d := sums.fold() / n
		mean, inv := m+d, inverseDeviation(fused(-d, d, squares.fold()/n), epsilon) // d² alone may overflow
		if s := stats.Row(i); s != nil {
			s[0], s[1] = mean, inv
		}
		for j, v := range row {
			dst[j] = mulAdd((v-mean)*inv, gamma[j], beta[j])
		}
	}
}

// LayerNormGrad computes the gradients of [Table.LayerNorm] from its input x and its stats, whose second column is inv:
// with g = dy·gamma and x̂ = (x-mean)·inv it adds dy·x̂ to dgamma and dy to dbeta, rows ascending, and writes
//
//	dx = (g - Σ g/columns - x̂·Σ g·x̂/columns)·inv
//
// for each row, or dx += that if accumulate is set. dx may be the zero Matrix, and dgamma and dbeta nil, to skip them. dx may
// be dy if accumulate is not set.
func (t *Table) LayerNormGrad(dx Matrix, dgamma, dbeta []float32, dy, x Matrix, gamma []float32, stats Matrix, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "LayerNormGrad"
	o := operand{"x", x}
	if !same(&dy, &x) {
		return checkSame(kernel, o, operand{"dy", dy})
	}
	if !dx.skipped() && !same(&dx, &x) {
		return checkSame(kernel, o, operand{"dx", dx})
	}
	if err := cmp.Or(checkCols(kernel, "gamma", len(gamma), o), checkStats(kernel, stats, o)); err != nil {
		return err
	}
	if dgamma != nil && len(dgamma) != x.Cols {
		return checkCols(kernel, "dgamma", len(dgamma), o)
	}
	if dbeta != nil && len(dbeta) != x.Cols {
		return checkCols(kernel, "dbeta", len(dbeta), o)
	}
	raceReads(dy, x, vector(gamma), stats)
	raceWrites(dx, vector(dgamma), vector(dbeta))
	n := float32(x.Cols)
	switch v := t.level; {
	case v == nil:
		layerNormGradGeneric(&dx, dgamma, dbeta, &dy, &x, gamma, &stats, accumulate)
	case x.Cols > rowCall:
		for i := range x.Rows {
			v.layerNormGradLong(dx.Row(i), dgamma, dbeta, dy.Row(i), x.Row(i), gamma, stats.Row(i), accumulate)
		}
	default:
		for i, rows := range x.blocks(mathCall) {
			v.layerNormGrad(rows, x.Cols, dx.row(i), 4*dx.Stride, pointer(dgamma, 0), pointer(dbeta, 0), dy.row(i), 4*dy.Stride,
				x.row(i), 4*x.Stride, &gamma[0], stats.row(i), 4*stats.Stride, n, flag(accumulate))
		}
	}
	return nil
}

// layerNormGradLong is a row in pieces.
func (v *level) layerNormGradLong(dx, dgamma, dbeta, dy, x, gamma, stats []float32, accumulate bool) {
	var sums, dots lanes
	n, mean, inv := float32(len(x)), stats[0], stats[1]
	for from, n := range parts(len(x), rowCall) {
		v.layerNormSums(n, noescape(&sums[0]), noescape(&dots[0]), pointer(dgamma, from), pointer(dbeta, from), &dy[from], &x[from], &gamma[from], mean, inv)
	}
	a, b := sums.fold()/n, dots.fold()/n
	for from, n := range parts(len(dx), rowCall) {
		v.layerNormGradPiece(n, &dx[from], &dy[from], &x[from], &gamma[from], mean, inv, a, b, flag(accumulate))
	}
}

func layerNormGradGeneric(dx *Matrix, dgamma, dbeta []float32, dy, x *Matrix, gamma []float32, stats *Matrix, accumulate bool) {
	n := float32(x.Cols)
	for i := range filled(x) {
		dst, up, row, s := dx.Row(i), dy.Row(i), x.Row(i), stats.Row(i)
		mean, inv := s[0], s[1]
		var sums, dots lanes
		for j, v := range row {
			standard, g := (v-mean)*inv, float32(up[j]*gamma[j])
			sums[j&15] += g
			dots[j&15] = mulAdd(g, standard, dots[j&15])
			if dgamma != nil {
				dgamma[j] = mulAdd(up[j], standard, dgamma[j])
			}
			if dbeta != nil {
				dbeta[j] += up[j]
			}
		}
		a, b := sums.fold()/n, dots.fold()/n
		for j := range dst {
			standard, g := (row[j]-mean)*inv, float32(up[j]*gamma[j])
			d := float32(mulAdd(-standard, b, g-a) * inv)
			if accumulate {
				d += dst[j]
			}
			dst[j] = d
		}
	}
}
