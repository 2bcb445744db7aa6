package kernels

import "fmt"

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
	const kernel = "SoftmaxCrossEntropy"
	if !fitsLoss(loss, &probs, &grad, &logits, weights) {
		return checkLoss(kernel, loss, probs, grad, operand{"logits", logits}, weights)
	}
	if err := checkLabels(kernel, labels, "logits", &logits); err != nil {
		return err
	}
	raceReads(logits, vector(weights))
	raceWrites(vector(loss), probs, grad)
	t.softmaxCrossEntropy(loss, there(&probs), there(&grad), there(&logits), labels, weights)
	return nil
}

// SoftCrossEntropy is the cross-entropy of logits with a distribution per row.
// For each row x of logits and t of targets it computes
//
//	loss  = -Σ t·log p, with p = softmax(x)
//	probs = p
//	grad  = (p·Σt - t) · weight
//
// grad or probs may be the zero Matrix to skip it, and one of them may be logits.
// Nil weights are all one; the loss is not weighted.
func (t *Table) SoftCrossEntropy(loss []float32, probs, grad, logits, targets Matrix, weights []float32) error {
	const kernel = "SoftCrossEntropy"
	if !fitsLoss(loss, &probs, &grad, &logits, weights) {
		return checkLoss(kernel, loss, probs, grad, operand{"logits", logits}, weights)
	}
	if !same(&targets, &logits) {
		return checkSame(kernel, operand{"logits", logits}, operand{"targets", targets})
	}
	raceReads(logits, targets, vector(weights))
	raceWrites(vector(loss), probs, grad)
	t.softCrossEntropy(loss, there(&probs), there(&grad), there(&logits), there(&targets), weights)
	return nil
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
	const kernel = "BinaryCrossEntropy"
	if !fitsLoss(loss, &probs, &grad, &logits, weights) {
		return checkLoss(kernel, loss, probs, grad, operand{"logits", logits}, weights)
	}
	if !same(&targets, &logits) {
		return checkSame(kernel, operand{"logits", logits}, operand{"targets", targets})
	}
	raceReads(logits, targets, vector(weights))
	raceWrites(vector(loss), probs, grad)
	t.binaryCrossEntropy(loss, there(&probs), there(&grad), there(&logits), there(&targets), weights)
	return nil
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
	const kernel = "ClippedCrossEntropy"
	if err := checkLoss(kernel, loss, Matrix{}, grad, operand{"probs", probs}, weights); err != nil {
		return err
	}
	if err := checkLabels(kernel, labels, "probs", &probs); err != nil {
		return err
	}
	raceReads(probs, vector(weights))
	raceWrites(vector(loss), grad)
	t.clippedCrossEntropy(loss, there(&grad), there(&probs), labels, weights)
	return nil
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
	const kernel = "ClippedSoftCrossEntropy"
	if err := checkTargetLoss(kernel, loss, grad, operand{"probs", probs}, operand{"targets", targets}, weights); err != nil {
		return err
	}
	raceReads(probs, targets, vector(weights))
	raceWrites(vector(loss), grad)
	t.clippedSoftCrossEntropy(loss, there(&grad), there(&probs), there(&targets), weights)
	return nil
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
	const kernel = "ClippedBinaryCrossEntropy"
	if err := checkTargetLoss(kernel, loss, grad, operand{"probs", probs}, operand{"targets", targets}, weights); err != nil {
		return err
	}
	raceReads(probs, targets, vector(weights))
	raceWrites(vector(loss), grad)
	t.clippedBinaryCrossEntropy(loss, there(&grad), there(&probs), there(&targets), weights)
	return nil
}

// fitsLoss reports whether the operands of a loss hold together, except for its targets: the quick way through checkLoss.
func fitsLoss(loss []float32, probs, grad, scores *Matrix, weights []float32) bool {
	return scores.Valid() && len(loss) == scores.Rows && (weights == nil || len(weights) == scores.Rows) &&
		(probs.absent() || same(probs, scores)) && (grad.absent() || same(grad, scores))
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
