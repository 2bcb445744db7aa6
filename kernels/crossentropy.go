package kernels

import (
	"fmt"
	"math"
)

// The losses share their operands. loss[i] becomes the loss of row i, without its
// weight. weights[i] scales the gradient of row i; nil weights are all one. grad
// and probs, of the shape of the scores, are overwritten; each may be the zero
// Matrix, which skips it.

// SoftmaxCrossEntropy computes, for each row x of logits with label l,
//
//	loss  = log Σ exp(x-max) - (x[l]-max)
//	probs = softmax(x)
//	grad  = (probs - onehot(l)) · weight
//
// grad or probs may be the zero Matrix to skip it, and one of them may be logits.
// Nil weights are all one; the loss is not weighted. A label outside of
// [0, logits.Cols) is an error that names its row, and then nothing is written.
func (t *Table) SoftmaxCrossEntropy(loss []float32, probs, grad, logits Matrix, labels []int32, weights []float32) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "SoftmaxCrossEntropy"
	if !fitsLoss(loss, &probs, &grad, &logits, weights) {
		return checkLoss(kernel, loss, probs, grad, operand{"logits", logits}, weights)
	}
	if err := checkLabels(kernel, labels, "logits", &logits); err != nil {
		return err
	}
	raceReads(logits, vector(weights))
	raceWrites(vector(loss), probs, grad)
	switch v := t.level; {
	case v == nil:
		softmaxCrossEntropyGeneric(loss, &probs, &grad, &logits, labels, weights)
	case logits.Cols > rowCall:
		for i, label := range labels {
			loss[i] = v.softmaxCrossEntropyLong(probs.Row(i), grad.Row(i), logits.Row(i), label, weightOf(weights, i))
		}
	default:
		for i, rows := range logits.blocks(rowCall) {
			w, step := weightsFrom(weights, i)
			v.softmaxCrossEntropy(rows, logits.Cols, &loss[i], probs.row(i), 4*probs.Stride, grad.row(i), 4*grad.Stride,
				logits.row(i), 4*logits.Stride, &labels[i], w, step)
		}
	}
	return nil
}

// softmaxCrossEntropyLong is a row in pieces. It returns the loss.
func (v *level) softmaxCrossEntropyLong(p, g, x []float32, label int32, weight float32) float32 {
	m := v.max(x)
	z := x[label] - m
	terms := p
	if terms == nil {
		terms = g
	}
	sum := v.sumOfExps(terms, x, m)
	loss := v.logOf(sum) - z
	if terms == nil {
		return loss
	}
	r, hot := 1/sum, terms[label]
	v.scaled(terms, terms, r)
	if g != nil {
		v.scaled(g, terms, weight)
		g[label] = (float32(hot*r) - 1) * weight
	}
	return loss
}

func softmaxCrossEntropyGeneric(loss []float32, probs, grad, logits *Matrix, labels []int32, weights []float32) {
	for i, label := range labels {
		x, p, g := logits.Row(i), probs.Row(i), grad.Row(i)
		m := maxRow(x)
		z := x[label] - m
		terms := p
		if terms == nil {
			terms = g
		}
		sum := expRow(terms, x, m)
		loss[i] = log(sum) - z
		r, w := 1/sum, weightOf(weights, i)
		for j, v := range terms {
			v = float32(v * r)
			if p != nil {
				p[j] = v
			}
			if g == nil {
				continue
			}
			if j == int(label) {
				v--
			}
			g[j] = v * w
		}
	}
}

func weightOf(weights []float32, i int) float32 {
	if weights == nil {
		return 1
	}
	return weights[i]
}

// SoftCrossEntropy is the cross-entropy of logits with a distribution per row.
// For each row x of logits and t of targets it computes
//
//	loss  = -Σ t·log p, with p = softmax(x)
//	probs = p
//	grad  = (p·Σt - t) · weight
//
// grad or probs may be the zero Matrix to skip it, and one of them may be logits.
// Nil weights are all one; the loss is not weighted. A class of target 0 counts nothing, also where its logit is -Inf.
func (t *Table) SoftCrossEntropy(loss []float32, probs, grad, logits, targets Matrix, weights []float32) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "SoftCrossEntropy"
	if !fitsLoss(loss, &probs, &grad, &logits, weights) {
		return checkLoss(kernel, loss, probs, grad, operand{"logits", logits}, weights)
	}
	if !same(&targets, &logits) {
		return checkSame(kernel, operand{"logits", logits}, operand{"targets", targets})
	}
	raceReads(logits, targets, vector(weights))
	raceWrites(vector(loss), probs, grad)
	if probs.over(&logits) || grad.over(&logits) || probs.over(&targets) || grad.over(&targets) {
		inTurn(loss, func(i int, results bool) {
			p, g, x, y := probs.part(i, results), grad.part(i, results), logits.RowRange(i, i+1), targets.RowRange(i, i+1)
			t.softCrossEntropy(loss[i:i+1], &p, &g, &x, &y, weightsOf(weights, i))
		}, func(i int) float32 { return exactSoftCrossEntropy(logits.Row(i), targets.Row(i)) })
		return nil
	}
	t.softCrossEntropy(loss, &probs, &grad, &logits, &targets, weights)
	if !t.finite(loss) {
		for i, l := range loss {
			if l-l != 0 {
				loss[i] = exactSoftCrossEntropy(logits.Row(i), targets.Row(i))
			}
		}
	}
	return nil
}

func (t *Table) softCrossEntropy(loss []float32, probs, grad, logits, targets *Matrix, weights []float32) {
	switch v := t.level; {
	case v == nil || logits.Cols == 0:
		softCrossEntropyGeneric(loss, probs, grad, logits, targets, weights)
	case logits.Cols > rowCall:
		for i := range loss {
			loss[i] = v.softCrossEntropyLong(probs.Row(i), grad.Row(i), logits.Row(i), targets.Row(i), weightOf(weights, i))
		}
	default:
		for i, rows := range logits.blocks(rowCall) {
			w, step := weightsFrom(weights, i)
			v.functions.softCrossEntropy(rows, logits.Cols, &loss[i], probs.row(i), 4*probs.Stride, grad.row(i), 4*grad.Stride,
				logits.row(i), 4*logits.Stride, targets.row(i), 4*targets.Stride, w, step)
		}
	}
}

// softCrossEntropyLong is a row in pieces. It returns the loss.
func (v *level) softCrossEntropyLong(p, g, x, t []float32, weight float32) float32 {
	m, mass := v.max(x), v.sum(t)
	terms := p
	if terms == nil {
		terms = g
	}
	var sum, dot lanes
	for from, n := range parts(len(x), mathCall) {
		v.softCrossEntropyPiece(n, noescape(&sum[0]), noescape(&dot[0]), pointer(terms, from), &x[from], &t[from], m)
	}
	total := sum.fold()
	for from, n := range parts(len(terms), rowCall) {
		v.softCrossEntropyGradPiece(n, pointer(p, from), pointer(g, from), &terms[from], &t[from], 1/total, mass, weight)
	}
	return v.fma(v.logOf(total), mass, -dot.fold())
}

func softCrossEntropyGeneric(loss []float32, probs, grad, logits, targets *Matrix, weights []float32) {
	for i := range logits.Rows {
		x, t, p, g := logits.Row(i), targets.Row(i), probs.Row(i), grad.Row(i)
		m := maxRow(x)
		var dot lanes
		for j, v := range x {
			dot[j&15] = mulAdd(t[j], v-m, dot[j&15])
		}
		terms := p
		if terms == nil {
			terms = g
		}
		sum, mass := expRow(terms, x, m), sumRow(t)
		loss[i] = mulAdd(mass, log(sum), -dot.fold())
		r, w := 1/sum, weightOf(weights, i)
		for j, v := range terms {
			v = float32(v * r)
			if p != nil {
				p[j] = v
			}
			if g != nil {
				g[j] = mulAdd(v, mass, -t[j]) * w
			}
		}
	}
}

// exactSoftCrossEntropy computes the loss in float64, where no difference of two logits overflows, and leaves out classes
// of target 0. Its exponentials are portable Go, which has the same bits everywhere.
func exactSoftCrossEntropy(x, t []float32) float32 {
	m := float64(maxRow(x))
	sum, mass, dot := 0.0, 0.0, 0.0
	for j, v := range x {
		d := float64(v) - m
		sum += float64(exp(float32(d)))
		if y := float64(t[j]); y != 0 {
			mass += y
			dot += float64(y * d)
		}
	}
	return float32(float64(mass*float64(log(float32(sum)))) - dot)
}

// BinaryCrossEntropy treats every column as a decision of its own. For each row
// z of logits and t of targets it computes
//
//	loss  = mean(max(z, 0) - z·t + log1p(exp(-|z|)))
//	probs = sigmoid(z)
//	grad  = (probs - t) · weight / columns
//
// grad or probs may be the zero Matrix to skip it, and one of them may be logits.
// Nil weights are all one; the loss is not weighted.
func (t *Table) BinaryCrossEntropy(loss []float32, probs, grad, logits, targets Matrix, weights []float32) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "BinaryCrossEntropy"
	if !fitsLoss(loss, &probs, &grad, &logits, weights) {
		return checkLoss(kernel, loss, probs, grad, operand{"logits", logits}, weights)
	}
	if !same(&targets, &logits) {
		return checkSame(kernel, operand{"logits", logits}, operand{"targets", targets})
	}
	raceReads(logits, targets, vector(weights))
	raceWrites(vector(loss), probs, grad)
	if probs.over(&logits) || grad.over(&logits) || probs.over(&targets) || grad.over(&targets) {
		inTurn(loss, func(i int, results bool) {
			p, g, x, y := probs.part(i, results), grad.part(i, results), logits.RowRange(i, i+1), targets.RowRange(i, i+1)
			t.binaryCrossEntropy(loss[i:i+1], &p, &g, &x, &y, weightsOf(weights, i))
		}, func(i int) float32 { return exactMean(logits.Row(i), targets.Row(i), exactBinaryLoss) })
		return nil
	}
	t.binaryCrossEntropy(loss, &probs, &grad, &logits, &targets, weights)
	if !t.finite(loss) {
		for i, l := range loss {
			if l-l != 0 {
				loss[i] = exactMean(logits.Row(i), targets.Row(i), exactBinaryLoss)
			}
		}
	}
	return nil
}

func (t *Table) binaryCrossEntropy(loss []float32, probs, grad, logits, targets *Matrix, weights []float32) {
	switch v := t.level; {
	case v == nil || logits.Cols == 0:
		binaryCrossEntropyGeneric(loss, probs, grad, logits, targets, weights)
	case isColumn(logits) && isColumn(targets) && (probs.Data == nil || isColumn(probs)) && (grad.Data == nil || isColumn(grad)):
		for i, n := range parts(logits.Rows, mathCall) {
			v.binaryCrossEntropyColumn(n, &loss[i], probs.row(i), grad.row(i), logits.row(i), targets.row(i), pointer(weights, i))
		}
	case logits.Cols > mathCall:
		n := float32(logits.Cols)
		for i := range loss {
			loss[i] = v.binaryCrossEntropyLong(probs.Row(i), grad.Row(i), logits.Row(i), targets.Row(i), weightOf(weights, i)/n) / n
		}
	default:
		for i, rows := range logits.blocks(mathCall) {
			w, step := weightsFrom(weights, i)
			v.functions.binaryCrossEntropy(rows, logits.Cols, &loss[i], probs.row(i), 4*probs.Stride, grad.row(i), 4*grad.Stride,
				logits.row(i), 4*logits.Stride, targets.row(i), 4*targets.Stride, w, step, float32(logits.Cols))
		}
	}
}

// binaryCrossEntropyLong is a row in pieces. It returns the sum of the losses.
func (v *level) binaryCrossEntropyLong(p, g, x, t []float32, weight float32) float32 {
	var sum lanes
	for from, n := range parts(len(x), mathCall) {
		v.binaryCrossEntropyPiece(n, noescape(&sum[0]), pointer(p, from), pointer(g, from), &x[from], &t[from], weight)
	}
	return sum.fold()
}

func binaryCrossEntropyGeneric(loss []float32, probs, grad, logits, targets *Matrix, weights []float32) {
	cols := float32(logits.Cols)
	for i := range logits.Rows {
		t, p, g := targets.Row(i), probs.Row(i), grad.Row(i)
		w := weightOf(weights, i) / cols
		var sum lanes
		for j, z := range logits.Row(i) {
			tail := sigmoidTail(z)
			s := tail
			if z >= 0 {
				s = 1 - tail
			}
			sum[j&15] += mulAdd(-z, t[j], max(z, 0)) + softplusTail(tail)
			if p != nil {
				p[j] = s
			}
			if g != nil {
				g[j] = (s - t[j]) * w
			}
		}
		loss[i] = mean(&sum, cols)
	}
}

// exactBinaryLoss is the loss of one logit in float64, and its limit where the logit is infinite.
func exactBinaryLoss(z, t float64) float64 {
	switch {
	case math.IsInf(z, 1):
		z, t = -z, 1-t
	case !math.IsInf(z, -1):
		return max(z, 0) - float64(z*t) + float64(log1p(exp(float32(-math.Abs(z)))))
	}
	if t == 0 {
		return 0
	}
	return float64(-z * t)
}

// ClippedCrossEntropy is the cross-entropy of probabilities with labels as Keras
// computes it: each row is divided by its sum S, clipped to [1e-7, 1-1e-7], and
//
//	loss = -log clip(q[l]), with q = p/S
//	grad = (1 - onehot(l)/q) / S · weight, or zero if q[l] was clipped
//
// It is for probabilities of unknown origin; after a softmax layer
// [Table.SoftmaxCrossEntropy] is faster and has no dead zone. grad may be the
// zero Matrix to skip it, and may be probs. Nil weights are all one. A label
// outside of [0, probs.Cols) is an error, and then nothing is written.
func (t *Table) ClippedCrossEntropy(loss []float32, grad, probs Matrix, labels []int32, weights []float32) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "ClippedCrossEntropy"
	if err := checkLoss(kernel, loss, Matrix{}, grad, operand{"probs", probs}, weights); err != nil {
		return err
	}
	if err := checkLabels(kernel, labels, "probs", &probs); err != nil {
		return err
	}
	raceReads(probs, vector(weights))
	raceWrites(vector(loss), grad)
	clippedCrossEntropyGeneric(loss, &grad, &probs, labels, weights)
	return nil
}

const (
	clipMin float32 = 1e-7
	clipMax float32 = 1 - 1e-7 // Keras computes the bound in float64 too, then rounds
)

// clip also reports whether q was inside of the bounds, which belong to the
// inside. A NaN stays, and is inside.
func clip(q float32) (float32, bool) {
	switch {
	case q < clipMin:
		return clipMin, false
	case q > clipMax:
		return clipMax, false
	}
	return q, true
}

func clippedCrossEntropyGeneric(loss []float32, grad, probs *Matrix, labels []int32, weights []float32) {
	for i, label := range labels {
		p, g := probs.Row(i), grad.Row(i)
		sum := sumRow(p)
		q, inside := clip(p[label] / sum)
		loss[i] = -log(q)
		if g == nil {
			continue
		}
		w := weightOf(weights, i) / sum
		if !inside {
			w = 0
		}
		fillGeneric(g, w)
		g[label] = w * ((q - 1) / q)
	}
}

// ClippedSoftCrossEntropy is [Table.ClippedCrossEntropy] with a distribution per
// row in place of a label:
//
//	loss = -Σ t·log clip(q), with q = p/S
//	grad = (T - t/q) / S · weight, where t counts as zero if q was clipped
//	       and T is the sum of the t that count
//
// grad may be the zero Matrix to skip it, and may be probs. Nil weights are all
// one.
func (t *Table) ClippedSoftCrossEntropy(loss []float32, grad, probs, targets Matrix, weights []float32) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "ClippedSoftCrossEntropy"
	if err := checkTargetLoss(kernel, loss, grad, operand{"probs", probs}, operand{"targets", targets}, weights); err != nil {
		return err
	}
	raceReads(probs, targets, vector(weights))
	raceWrites(vector(loss), grad)
	clippedSoftCrossEntropyGeneric(loss, &grad, &probs, &targets, weights)
	return nil
}

func clippedSoftCrossEntropyGeneric(loss []float32, grad, probs, targets *Matrix, weights []float32) {
	for i := range probs.Rows {
		p, t, g := probs.Row(i), targets.Row(i), grad.Row(i)
		sum := sumRow(p)
		var dot, mass lanes
		for j, v := range p {
			q, inside := clip(v / sum)
			dot[j&15] = mulAdd(t[j], log(q), dot[j&15])
			if inside {
				mass[j&15] += t[j]
			}
		}
		loss[i] = -dot.fold()
		if g == nil {
			continue
		}
		total, w := mass.fold(), weightOf(weights, i)/sum
		for j, v := range p {
			d := total
			if q, inside := clip(v / sum); inside {
				d -= t[j] / q
			}
			g[j] = d * w
		}
	}
}

// ClippedBinaryCrossEntropy is the binary cross-entropy of probabilities as Keras
// computes it: with p clipped to [1e-7, 1-1e-7],
//
//	loss = -mean(t·log p + (1-t)·log(1-p))
//	grad = (p-t) / (p·(1-p)) · weight / columns, or zero if p was clipped
//
// grad may be the zero Matrix to skip it, and may be probs. Nil weights are all
// one.
func (t *Table) ClippedBinaryCrossEntropy(loss []float32, grad, probs, targets Matrix, weights []float32) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "ClippedBinaryCrossEntropy"
	if err := checkTargetLoss(kernel, loss, grad, operand{"probs", probs}, operand{"targets", targets}, weights); err != nil {
		return err
	}
	raceReads(probs, targets, vector(weights))
	raceWrites(vector(loss), grad)
	clippedBinaryCrossEntropyGeneric(loss, &grad, &probs, &targets, weights)
	return nil
}

func clippedBinaryCrossEntropyGeneric(loss []float32, grad, probs, targets *Matrix, weights []float32) {
	cols := float32(probs.Cols)
	for i := range probs.Rows {
		t, g := targets.Row(i), grad.Row(i)
		w := weightOf(weights, i) / cols
		var sum lanes
		for j, v := range probs.Row(i) {
			q, inside := clip(v)
			s := mulAdd(-t[j], log(q), sum[j&15])
			sum[j&15] = mulAdd(t[j]-1, log1p(-q), s)
			if g == nil {
				continue
			}
			g[j] = 0
			if inside {
				g[j] = (q - t[j]) / float32(q*(1-q)) * w
			}
		}
		loss[i] = mean(&sum, cols)
	}
}

// fitsLoss reports whether the operands of a loss hold together, except for its targets: the quick way through checkLoss.
func fitsLoss(loss []float32, probs, grad, scores *Matrix, weights []float32) bool {
	return scores.Valid() && len(loss) == scores.Rows && (weights == nil || len(weights) == scores.Rows) &&
		(probs.skipped() || same(probs, scores)) && (grad.skipped() || same(grad, scores))
}

// weightsOf returns the weights of row i, if there are weights.
func weightsOf(weights []float32, i int) []float32 {
	if weights == nil {
		return nil
	}
	return weights[i : i+1]
}

func checkLoss(kernel string, loss []float32, probs, grad Matrix, scores operand, weights []float32) error {
	if err := scores.check(kernel); err != nil {
		return err
	}
	if err := checkRows(kernel, "loss", len(loss), scores); err != nil {
		return err
	}
	if weights != nil {
		if err := checkRows(kernel, "weights", len(weights), scores); err != nil {
			return err
		}
	}
	if err := checkOptional(kernel, scores, operand{"probs", probs}); err != nil {
		return err
	}
	return checkOptional(kernel, scores, operand{"grad", grad})
}

func checkTargetLoss(kernel string, loss []float32, grad Matrix, scores, targets operand, weights []float32) error {
	if err := checkLoss(kernel, loss, Matrix{}, grad, scores, weights); err != nil {
		return err
	}
	return checkSame(kernel, scores, targets)
}

func checkLabels(kernel string, labels []int32, name string, scores *Matrix) error {
	if len(labels) != scores.Rows {
		return checkRows(kernel, "labels", len(labels), operand{name, *scores})
	}
	for i, label := range labels {
		if label < 0 || int(label) >= scores.Cols {
			return fmt.Errorf("kernels: %s: row %d has label %d, outside of [0, %d)",
				kernel, i, label, scores.Cols)
		}
	}
	return nil
}
