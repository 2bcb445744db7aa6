package kernels

// Softmax computes y = exp(x-max) / Σ exp(x-max) for each row. y has the shape of
// x and may be x. Entries of -Inf give 0; a row with a NaN or +Inf, or with
// nothing but -Inf, gives NaN throughout.
func (t *Table) Softmax(y, x Matrix) error {
	if !same(&y, &x) {
		return checkSame("Softmax", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	t.softmax(there(&y), there(&x))
	return nil
}

// SoftmaxGrad computes the gradient of [Table.Softmax] from its output y:
// dx = y·(dy - Σ dy·y) for each row, or dx += that if accumulate is set. All
// matrices have one shape; dx may be dy if accumulate is not set.
func (t *Table) SoftmaxGrad(dx, dy, y Matrix, accumulate bool) error {
	if !same(&dx, &y) || !same(&dy, &y) {
		return checkSame("SoftmaxGrad", operand{"dy", dy}, operand{"y", y}, operand{"dx", dx})
	}
	raceReads(dy, y)
	raceWrites(dx)
	t.softmaxGrad(there(&dx), there(&dy), there(&y), accumulate)
	return nil
}

// LogSoftmax computes y = (x-max) - log Σ exp(x-max) for each row. y has the
// shape of x and may be x.
func (t *Table) LogSoftmax(y, x Matrix) error {
	if !same(&y, &x) {
		return checkSame("LogSoftmax", operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	t.logSoftmax(there(&y), there(&x))
	return nil
}
