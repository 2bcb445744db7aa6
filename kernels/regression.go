package kernels

import "math"

// MeanSquaredError computes loss = mean((p-t)²) and grad = 2·(p-t)·weight/columns
// for each row p of pred and t of target. grad may be the zero Matrix to skip it,
// and may be pred or target. Nil weights are all one; the loss is not weighted.
func (t *Table) MeanSquaredError(loss []float32, grad, pred, target Matrix, weights []float32) error {
	if t.err != nil {
		return t.err
	}
	if !fitsLoss(loss, &grad, &grad, &pred, weights) || !same(&target, &pred) {
		return checkTargetLoss("MeanSquaredError", loss, grad, operand{"pred", pred}, operand{"target", target}, weights)
	}
	raceReads(pred, target, vector(weights))
	raceWrites(vector(loss), grad)
	if grad.over(&pred) || grad.over(&target) {
		inTurn(loss, func(i int, results bool) {
			g, p, y := grad.part(i, results), pred.RowRange(i, i+1), target.RowRange(i, i+1)
			t.meanSquaredError(loss[i:i+1], &g, &p, &y, weightsOf(weights, i))
		}, func(i int) float32 { return exactMean(pred.Row(i), target.Row(i), squaredError) })
		return nil
	}
	t.meanSquaredError(loss, &grad, &pred, &target, weights)
	if pred.Cols > 1 && !t.finite(loss) {
		for i, l := range loss {
			if l-l != 0 {
				loss[i] = exactMean(pred.Row(i), target.Row(i), squaredError)
			}
		}
	}
	return nil
}

func (t *Table) meanSquaredError(loss []float32, grad, pred, target *Matrix, weights []float32) {
	if v := t.level; v == nil {
		meanSquaredErrorGeneric(loss, grad, pred, target, weights)
	} else {
		regression{v.meanSquaredError, v.meanSquaredErrorColumn, v.meanSquaredErrorPiece, 2}.run(loss, grad, pred, target, weights)
	}
}

func meanSquaredErrorGeneric(loss []float32, grad, pred, target *Matrix, weights []float32) {
	cols := float32(pred.Cols)
	for i := range pred.Rows {
		t, g := target.Row(i), grad.Row(i)
		w := 2 * weightOf(weights, i) / cols
		var sum lanes
		for j, v := range pred.Row(i) {
			d := v - t[j]
			sum[j&15] = mulAdd(d, d, sum[j&15])
			if g != nil {
				g[j] = d * w
			}
		}
		loss[i] = mean(&sum, cols)
	}
}

// MeanAbsoluteError computes loss = mean(|p-t|) and
// grad = sign(p-t)·weight/columns for each row p of pred and t of target, where
// sign(0) is 0 and sign(NaN) is NaN. grad may be the zero Matrix to skip it, and
// may be pred or target. Nil weights are all one; the loss is not weighted.
func (t *Table) MeanAbsoluteError(loss []float32, grad, pred, target Matrix, weights []float32) error {
	if t.err != nil {
		return t.err
	}
	if !fitsLoss(loss, &grad, &grad, &pred, weights) || !same(&target, &pred) {
		return checkTargetLoss("MeanAbsoluteError", loss, grad, operand{"pred", pred}, operand{"target", target}, weights)
	}
	raceReads(pred, target, vector(weights))
	raceWrites(vector(loss), grad)
	if grad.over(&pred) || grad.over(&target) {
		inTurn(loss, func(i int, results bool) {
			g, p, y := grad.part(i, results), pred.RowRange(i, i+1), target.RowRange(i, i+1)
			t.meanAbsoluteError(loss[i:i+1], &g, &p, &y, weightsOf(weights, i))
		}, func(i int) float32 { return exactMean(pred.Row(i), target.Row(i), absoluteError) })
		return nil
	}
	t.meanAbsoluteError(loss, &grad, &pred, &target, weights)
	if pred.Cols > 1 && !t.finite(loss) {
		for i, l := range loss {
			if l-l != 0 {
				loss[i] = exactMean(pred.Row(i), target.Row(i), absoluteError)
			}
		}
	}
	return nil
}

func (t *Table) meanAbsoluteError(loss []float32, grad, pred, target *Matrix, weights []float32) {
	if v := t.level; v == nil {
		meanAbsoluteErrorGeneric(loss, grad, pred, target, weights)
	} else {
		regression{v.meanAbsoluteError, v.meanAbsoluteErrorColumn, v.meanAbsoluteErrorPiece, 1}.run(loss, grad, pred, target, weights)
	}
}

func meanAbsoluteErrorGeneric(loss []float32, grad, pred, target *Matrix, weights []float32) {
	cols := float32(pred.Cols)
	for i := range pred.Rows {
		t, g := target.Row(i), grad.Row(i)
		w := weightOf(weights, i) / cols
		var sum lanes
		for j, v := range pred.Row(i) {
			d := v - t[j]
			sum[j&15] += abs(d)
			if g == nil {
				continue
			}
			switch {
			case d > 0:
				d = w
			case d < 0:
				d = -w
			}
			g[j] = d
		}
		loss[i] = mean(&sum, cols)
	}
}

// regression is what a level has of a loss that is the mean over the columns of a function of the difference. The gradient
// is the slope of that times the weight, and times twice.
type regression struct {
	rows func(rows, cols int, loss *float32, grad *float32, gradRow int, pred *float32, predRow int, targets *float32, targetsRow int,
		weights *float32, weightStep int, n float32)
	column func(n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32)
	piece  func(n int, lanes *float32, grad *float32, pred *float32, targets *float32, weight float32)
	twice  float32
}

func (r regression) run(loss []float32, grad, pred, target *Matrix, weights []float32) {
	n := float32(pred.Cols)
	switch {
	case pred.Cols == 0:
		clear(loss)
	case isColumn(pred) && isColumn(target) && (grad.Data == nil || isColumn(grad)):
		for i, n := range parts(pred.Rows, flatCall) {
			r.column(n, &loss[i], grad.row(i), pred.row(i), target.row(i), pointer(weights, i))
		}
	case pred.Cols > rowCall:
		for i := range loss {
			var sum lanes
			g, p, t, w := grad.Row(i), pred.Row(i), target.Row(i), r.twice*weightOf(weights, i)/n
			for from, n := range parts(len(p), rowCall) {
				r.piece(n, noescape(&sum[0]), pointer(g, from), &p[from], &t[from], w)
			}
			loss[i] = sum.fold() / n
		}
	default:
		for i, rows := range pred.blocks(rowCall) {
			w, step := weightsFrom(weights, i)
			r.rows(rows, pred.Cols, &loss[i], grad.row(i), 4*grad.Stride, pred.row(i), 4*pred.Stride, target.row(i), 4*target.Stride, w, step, n)
		}
	}
}

// mean is the folded sum over n columns, and 0 for none.
func mean(sum *lanes, n float32) float32 {
	if n == 0 {
		return 0
	}
	return sum.fold() / n
}

// A sum can leave float32 where the mean does not, and a term where its limit does not. So a row whose loss is not finite
// is computed once more, exactly: from its operands, which the results may overwrite.

// finite reports whether all losses are; of many, whose sum is quicker, it may say no although they are.
func (t *Table) finite(loss []float32) bool {
	if v := t.level; v != nil && len(loss) >= 256 {
		sum := v.sum(loss)
		return sum-sum == 0
	}
	for _, l := range loss {
		if l-l != 0 {
			return false
		}
	}
	return true
}

// inTurn runs a loss row by row, first for its value alone. It is for results that overwrite what exact reads.
func inTurn(loss []float32, run func(i int, results bool), exact func(i int) float32) {
	for i := range loss {
		run(i, false)
		l := loss[i]
		if l-l != 0 {
			l = exact(i)
		}
		run(i, true)
		loss[i] = l
	}
}

func squaredError(p, t float64) float64 { return float64((p - t) * (p - t)) }

func absoluteError(p, t float64) float64 { return math.Abs(p - t) }

// exactMean is the mean over the columns of a function, in float64.
func exactMean(x, y []float32, of func(x, y float64) float64) float32 {
	sum := 0.0
	for j, v := range x {
		sum += of(float64(v), float64(y[j]))
	}
	return float32(sum / float64(len(x)))
}
