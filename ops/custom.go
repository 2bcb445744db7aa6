package ops

import "github.com/espalier-ml/espalier/kernels"

// A Function is an operation of one's own, for [Ops]' Custom. Several goroutines may call it at a time, so it keeps nothing
// from call to call, neither of its own nor of what it is given.
//
// A value of the batch has the rows of all samples below each other, and what belongs to a sample must depend on that
// sample and on parameters only. A parameter is whole. There may be gaps between the rows of a matrix: Row has none.
type Function interface {
	// Name is what plans and errors call the function.
	Name() string
	// Forward fills y, which may hold anything before, from the operands x, which it must not change.
	Forward(y kernels.Matrix, x []kernels.Matrix) error
	// Backward fills dx[i] with the gradient of the loss by x[i], given that by y. Each dx[i] has the shape of x[i] and is
	// zero before, so that a sum can grow in it; it has no data where no gradient is wanted. The gradients of a tensor that
	// is used more than once are summed up elsewhere. Backward must not change the others.
	Backward(dx []kernels.Matrix, dy, y kernels.Matrix, x []kernels.Matrix) error
}

// A Target is what a loss compares a batch with: the class of each row, or a row of values for each. The other one is empty.
// A loss that compares with nothing can have values without columns.
type Target struct {
	Labels []int32
	Values kernels.Matrix
}

// A LossFunction is a loss of one's own, for [Losses]' CustomLoss.
type LossFunction interface {
	// Rows fills loss with the unweighted loss of each row of pred and, unless it has no data, grad with the gradient of
	// that loss by the row, times the row's weight. Both are zero before. It must not change the others, nor keep any of
	// them; there may be gaps between the rows of a matrix.
	//
	// Labels or Values of y, and weights, have an element or a row for each of pred; whether labels are classes and values
	// have as many columns as pred is for Rows to check. An error fails the recorder.
	Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error
}
