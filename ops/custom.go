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
