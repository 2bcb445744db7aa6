package autograd

import "github.com/espalier-ml/espalier/kernels"

// lossOp serves every loss: their kernels compute the gradient along with the value, for a loss of weight one.
type lossOp struct {
	x, y *variable
	grad kernels.Matrix
}

// A lossKernel fills loss with the unweighted loss of each row and, unless they are zero matrices, probs with the
// probabilities and grad with each row's gradient times its weight.
type lossKernel func(loss []float32, probs, grad kernels.Matrix, weights []float32) error

// loss runs kernel on x and returns sum(weights[i] * loss[i]) and, if asked, the probabilities.
func (t *Tape) loss(x *Tensor, weights []float32, probabilities bool, kernel lossKernel) (loss, probs *Tensor) {
	if weights == nil { // the mean over the rows
		weights = t.arena.alloc(x.Rows)
		for i := range weights {
			weights[i] = float32(1 / float64(x.Rows))
		}
	}
	rows := t.arena.alloc(x.Rows)
	var p, g kernels.Matrix
	if probabilities {
		p = t.matrix(x.Rows, x.Cols)
	}
	if t.of(x).needs {
		g = t.matrix(x.Rows, x.Cols)
	}
	if err := kernel(rows, p, g, weights); err != nil {
		t.fail(err)
		return &t.dead, &t.dead
	}
	sum := 0.0
	for i, l := range rows {
		if weights[i] == 0 { // counts nothing, whatever the row's loss and gradient are
			if g.Data != nil {
				clear(g.Row(i))
			}
			continue
		}
		sum += float64(weights[i]) * float64(l)
	}
	y := t.result(1, 1, x)
	y.Data[0] = float32(sum)
	return record(t, y, lossOp{t.of(x), y, g}), &t.variable(p, false).Tensor
}

// counted returns labels with 0 in place of those that are no class, in rows of weight 0.
func (t *Tape) counted(labels []int32, weights []float32, classes int) []int32 {
	copied := false
	for i, l := range labels {
		if uint(l) < uint(classes) || i >= len(weights) || weights[i] != 0 {
			continue
		}
		if !copied {
			t.labels = append(t.labels[:0], labels...)
			labels, copied = t.labels, true
		}
		labels[i] = 0
	}
	return labels
}

// Smooth returns targets·keep + add, rounded once, in memory that is valid until Reset: the targets of label smoothing.
func (t *Tape) Smooth(targets kernels.Matrix, keep, add float64) kernels.Matrix {
	if t.err != nil || !targets.Valid() {
		return targets // what computes with them reports it
	}
	y := t.matrix(targets.Rows, targets.Cols)
	for i := range y.Rows {
		to := y.Row(i)
		for j, v := range targets.Row(i) {
			to[j] = float32(float64(float64(v)*keep) + add)
		}
	}
	return y
}

func (o *lossOp) backward(t *Tape) error {
	g := t.matrix(o.grad.Rows, o.grad.Cols) // what the kernel computed stays for another Backward
	if err := t.table.Scale(g, o.grad, o.y.grad.Data[0]); err != nil {
		return err
	}
	return t.give(o.x, g)
}

// SoftmaxCrossEntropy returns sum(weights[i] * loss[i]) with loss[i] = -log softmax(logits)[i, labels[i]], and the
// softmax itself, which carries no gradient. Nil weights stand for 1/rows each: the mean. The label of a row of weight 0 can
// be any number.
func (t *Tape) SoftmaxCrossEntropy(logits *Tensor, labels []int32, weights []float32) (loss, probs *Tensor) {
	if !t.accept("SoftmaxCrossEntropy", logits) {
		return &t.dead, &t.dead
	}
	return t.loss(logits, weights, true, func(loss []float32, probs, grad kernels.Matrix, weights []float32) error {
		return t.table.SoftmaxCrossEntropy(loss, probs, grad, logits.Matrix, t.counted(labels, weights, logits.Cols), weights)
	})
}

// SoftCrossEntropy is [Tape.SoftmaxCrossEntropy] with a target distribution per row: loss[i] = -sum_j targets[i,j] *
// log softmax(logits)[i,j].
func (t *Tape) SoftCrossEntropy(logits *Tensor, targets kernels.Matrix, weights []float32) (loss, probs *Tensor) {
	if !t.accept("SoftCrossEntropy", logits) {
		return &t.dead, &t.dead
	}
	return t.loss(logits, weights, true, func(loss []float32, probs, grad kernels.Matrix, weights []float32) error {
		return t.table.SoftCrossEntropy(loss, probs, grad, logits.Matrix, targets, weights)
	})
}

// BinaryCrossEntropy returns sum(weights[i] * loss[i]) with loss[i] the mean over the columns of -t log p - (1-t) log
// (1-p), p = sigmoid(logits), and p itself, which carries no gradient. Nil weights stand for 1/rows each.
func (t *Tape) BinaryCrossEntropy(logits *Tensor, targets kernels.Matrix, weights []float32) (loss, probs *Tensor) {
	if !t.accept("BinaryCrossEntropy", logits) {
		return &t.dead, &t.dead
	}
	return t.loss(logits, weights, true, func(loss []float32, probs, grad kernels.Matrix, weights []float32) error {
		return t.table.BinaryCrossEntropy(loss, probs, grad, logits.Matrix, targets, weights)
	})
}

// ClippedCrossEntropy is the cross-entropy of probabilities that do not come straight from a softmax, as Keras computes
// it: each row is divided by its sum and clipped to [1e-7, 1-1e-7]; no gradient passes a clipped value.
func (t *Tape) ClippedCrossEntropy(probs *Tensor, labels []int32, weights []float32) *Tensor {
	if !t.accept("ClippedCrossEntropy", probs) {
		return &t.dead
	}
	loss, _ := t.loss(probs, weights, false, func(loss []float32, _, grad kernels.Matrix, weights []float32) error {
		return t.table.ClippedCrossEntropy(loss, grad, probs.Matrix, t.counted(labels, weights, probs.Cols), weights)
	})
	return loss
}

// ClippedSoftCrossEntropy is [Tape.ClippedCrossEntropy] with a target distribution per row.
func (t *Tape) ClippedSoftCrossEntropy(probs *Tensor, targets kernels.Matrix, weights []float32) *Tensor {
	if !t.accept("ClippedSoftCrossEntropy", probs) {
		return &t.dead
	}
	loss, _ := t.loss(probs, weights, false, func(loss []float32, _, grad kernels.Matrix, weights []float32) error {
		return t.table.ClippedSoftCrossEntropy(loss, grad, probs.Matrix, targets, weights)
	})
	return loss
}

// ClippedBinaryCrossEntropy is the binary cross-entropy of probabilities that do not come straight from a sigmoid,
// clipped to [1e-7, 1-1e-7].
func (t *Tape) ClippedBinaryCrossEntropy(probs *Tensor, targets kernels.Matrix, weights []float32) *Tensor {
	if !t.accept("ClippedBinaryCrossEntropy", probs) {
		return &t.dead
	}
	loss, _ := t.loss(probs, weights, false, func(loss []float32, _, grad kernels.Matrix, weights []float32) error {
		return t.table.ClippedBinaryCrossEntropy(loss, grad, probs.Matrix, targets, weights)
	})
	return loss
}

// MeanSquaredError returns sum(weights[i] * loss[i]) with loss[i] the mean over the columns of (pred - targets)^2. Nil
// weights stand for 1/rows each.
func (t *Tape) MeanSquaredError(pred *Tensor, targets kernels.Matrix, weights []float32) *Tensor {
	if !t.accept("MeanSquaredError", pred) {
		return &t.dead
	}
	loss, _ := t.loss(pred, weights, false, func(loss []float32, _, grad kernels.Matrix, weights []float32) error {
		return t.table.MeanSquaredError(loss, grad, pred.Matrix, targets, weights)
	})
	return loss
}

// MeanAbsoluteError returns sum(weights[i] * loss[i]) with loss[i] the mean over the columns of |pred - targets|. Nil
// weights stand for 1/rows each.
func (t *Tape) MeanAbsoluteError(pred *Tensor, targets kernels.Matrix, weights []float32) *Tensor {
	if !t.accept("MeanAbsoluteError", pred) {
		return &t.dead
	}
	loss, _ := t.loss(pred, weights, false, func(loss []float32, _, grad kernels.Matrix, weights []float32) error {
		return t.table.MeanAbsoluteError(loss, grad, pred.Matrix, targets, weights)
	})
	return loss
}
