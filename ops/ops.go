// Package ops says what a layer may compute.
//
// A layer is written once, against [Ops], and runs on two recorders: the tape of package autograd, which computes at once
// and remembers how to differentiate, and the one of a plan, which only notes what a request will compute. Whoever adds an
// operation adds a line here, and a recorder that lacks it does not compile.
//
// Everything is a matrix, rows by columns. A batch has its samples one below the other; a sample with more than one axis
// has a row for each vector along the last one. The first error sticks to the recorder: operations after it do nothing.
package ops

import (
	"math/rand/v2"

	"github.com/espalier-ml/espalier/kernels"
)

// A Tensor is a matrix on a recorder, which made it and alone accepts it. Its Data is nil while a plan is recorded.
type Tensor struct {
	kernels.Matrix
	ID int32 // the recorder's number for it
}

// Ops are the operations of every recorder.
type Ops interface {
	// Dense returns act(x·w + b): x is [rows, in], w [in, out], b [1, out] or nil for none.
	Dense(x, w, b *Tensor, act kernels.Activation) *Tensor
	// Embedding looks up rows of w [n, dim]: x is [rows, k] of whole numbers below n, the result [rows, k·dim].
	Embedding(x, w *Tensor) *Tensor
	// Activate returns act(x) and Unary f(x), element by element. Softmax returns exp(x) / Σ exp(x) of each row,
	// LogSoftmax its logarithm, and Sparsemax max(x-τ, 0) with a τ for each row.
	Activate(x *Tensor, act kernels.Activation) *Tensor
	Unary(x *Tensor, f kernels.Unary) *Tensor
	Softmax(x *Tensor) *Tensor
	LogSoftmax(x *Tensor) *Tensor
	Sparsemax(x *Tensor) *Tensor
	LayerNorm(x, gamma, beta *Tensor, epsilon float64) *Tensor // (x-mean)/√(variance+epsilon)·gamma + beta of each row; gamma, beta [1, x.Cols]
	RMSNorm(x, gamma *Tensor, epsilon float64) *Tensor         // x/√(mean of x²+epsilon)·gamma of each row; gamma [1, x.Cols]
	// BatchNorm returns (x-mean)/√(variance+epsilon)·gamma + beta with the mean and the variance of each column, which it
	// returns, too, without a gradient. gamma and beta are [1, x.Cols] or nil for 1 and 0. It is for training alone.
	BatchNorm(x, gamma, beta *Tensor, epsilon float64) (y, mean, variance *Tensor)
	// Add, Multiply, Maximum and Minimum work element by element on operands of the same shape. Scale returns alpha·x.
	Add(a, b *Tensor) *Tensor
	Multiply(a, b *Tensor) *Tensor
	Maximum(a, b *Tensor) *Tensor
	Minimum(a, b *Tensor) *Tensor
	Scale(x *Tensor, alpha float32) *Tensor
	// Affine returns x[i,j]·scale[j] + shift[j]: scale and shift are [1, cols], nil for a scale of 1 or a shift of 0.
	Affine(x, scale, shift *Tensor) *Tensor
	// Const returns the tensor of m, which must stay as it is while the recorder is in use; Full one that has the value v
	// everywhere. Both are data without a gradient, and have as many rows whatever the batch.
	Const(m kernels.Matrix) *Tensor
	Full(rows, cols int, v float32) *Tensor
	// Reshape returns the elements of x, row by row, as a rows x cols tensor.
	Reshape(x *Tensor, rows, cols int) *Tensor
	// Concatenate joins the columns of tensors that have the same number of rows. Slice returns the columns from (included)
	// to (excluded).
	Concatenate(x ...*Tensor) *Tensor
	Slice(x *Tensor, from, to int) *Tensor
	Repeat(x *Tensor, n int) *Tensor // n times the columns of x beside each other
	// Permute returns samples of the given shape with their axes in the order perm and a row for each vector along the last one.
	Permute(x *Tensor, shape, perm []int) *Tensor
	// MatMul returns a·b, or a·bᵀ if transposed is set, of groups·heads pairs of matrices: groups lie below each other, as
	// many as a batch or a sample has, and the heads of a group side by side.
	MatMul(a, b *Tensor, groups, heads int, transposed bool) *Tensor
	// MaskScores returns x, [groups·queries, heads·keys], with 10⁹ subtracted where keys, [groups, keys] or nil, is 0, and
	// where a query does not see a key through w: softmax leaves them out.
	MaskScores(x, keys *Tensor, groups, heads int, w Window) *Tensor
	// Dropout zeroes elements with probability rate and scales the others by 1/(1-rate).
	Dropout(x *Tensor, rate float64, random rand.Source) *Tensor
	// Unequal returns [rows, 1]: 1 for each row of x that has an element other than value, 0 for the others. It carries no
	// gradient. MaskRows returns x with zeros in the rows for which mask, such a tensor, has 0.
	Unequal(x *Tensor, value float32) *Tensor
	MaskRows(x, mask *Tensor) *Tensor
	// Custom returns f(x...), a rows x cols tensor. As everywhere, rows are those of the batch on a tape and those of one
	// sample in a plan, so they follow from the rows of an operand.
	Custom(f Function, rows, cols int, x ...*Tensor) *Tensor
}

// Losses are the operations of a recorder that trains. Each returns a 1x1 tensor, the sum over the rows of a row's loss
// times its weight; nil weights stand for 1/rows each. The probabilities that some return, too, carry no gradient.
type Losses interface {
	Ops
	SoftmaxCrossEntropy(logits *Tensor, labels []int32, weights []float32) (loss, probs *Tensor)
	SoftCrossEntropy(logits *Tensor, targets kernels.Matrix, weights []float32) (loss, probs *Tensor)
	BinaryCrossEntropy(logits *Tensor, targets kernels.Matrix, weights []float32) (loss, probs *Tensor)
	ClippedCrossEntropy(probs *Tensor, labels []int32, weights []float32) *Tensor
	ClippedSoftCrossEntropy(probs *Tensor, targets kernels.Matrix, weights []float32) *Tensor
	ClippedBinaryCrossEntropy(probs *Tensor, targets kernels.Matrix, weights []float32) *Tensor
	MeanSquaredError(pred *Tensor, targets kernels.Matrix, weights []float32) *Tensor
	MeanAbsoluteError(pred *Tensor, targets kernels.Matrix, weights []float32) *Tensor
	CustomLoss(f LossFunction, pred *Tensor, y Target, weights []float32) *Tensor
}
