package kernels

// MeanSquaredError computes loss = mean((p-t)²) and grad = 2·(p-t)·weight/columns
// for each row p of pred and t of target. grad may be the zero Matrix to skip it,
// and may be pred or target. Nil weights are all one; the loss is not weighted.
func (t *Table) MeanSquaredError(loss []float32, grad, pred, target Matrix, weights []float32) error {
	if !fitsLoss(loss, &grad, &grad, &pred, weights) || !same(&target, &pred) {
		return checkTargetLoss("MeanSquaredError", loss, grad, operand{"pred", pred}, operand{"target", target}, weights)
	}
	raceReads(pred, target, vector(weights))
	raceWrites(vector(loss), grad)
	t.meanSquaredError(loss, there(&grad), there(&pred), there(&target), weights)
	return nil
}

// MeanAbsoluteError computes loss = mean(|p-t|) and
// grad = sign(p-t)·weight/columns for each row p of pred and t of target, where
// sign(0) is 0 and sign(NaN) is NaN. grad may be the zero Matrix to skip it, and
// may be pred or target. Nil weights are all one; the loss is not weighted.
func (t *Table) MeanAbsoluteError(loss []float32, grad, pred, target Matrix, weights []float32) error {
	if !fitsLoss(loss, &grad, &grad, &pred, weights) || !same(&target, &pred) {
		return checkTargetLoss("MeanAbsoluteError", loss, grad, operand{"pred", pred}, operand{"target", target}, weights)
	}
	raceReads(pred, target, vector(weights))
	raceWrites(vector(loss), grad)
	t.meanAbsoluteError(loss, there(&grad), there(&pred), there(&target), weights)
	return nil
}
