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
	// Activate returns act(x) and Gelu x·Φ(x), element by element. Softmax returns exp(x) / Σ exp(x) of each row.
	Activate(x *Tensor, act kernels.Activation) *Tensor
	Gelu(x *Tensor) *Tensor
	Softmax(x *Tensor) *Tensor
	LayerNorm(x, gamma, beta *Tensor, epsilon float64) *Tensor // (x-mean)/√(variance+epsilon)·gamma + beta of each row; gamma, beta [1, x.Cols]
	// Add and Multiply work element by element on operands of the same shape. Scale returns alpha·x.
	Add(a, b *Tensor) *Tensor
	Multiply(a, b *Tensor) *Tensor
	Scale(x *Tensor, alpha float32) *Tensor
	// Affine returns x[i,j]·scale[j] + shift[j]: scale and shift are [1, cols], nil for a scale of 1 or a shift of 0.
	Affine(x, scale, shift *Tensor) *Tensor
	// Reshape returns the elements of x, row by row, as a rows x cols tensor.
	Reshape(x *Tensor, rows, cols int) *Tensor
	// Concatenate joins the columns of tensors that have the same number of rows. Slice returns the columns from (included)
	// to (excluded).
	Concatenate(x ...*Tensor) *Tensor
	Slice(x *Tensor, from, to int) *Tensor
	// Dropout zeroes elements with probability rate and scales the others by 1/(1-rate).
	Dropout(x *Tensor, rate float64, random rand.Source) *Tensor
	// Custom returns f(x...), a rows x cols tensor. As everywhere, rows are those of the batch on a tape and those of one
	// sample in a plan, so they follow from the rows of an operand.
	Custom(f Function, rows, cols int, x ...*Tensor) *Tensor
}

// Losses are the operations of a recorder that trains. Each returns a 1x1 tensor, the sum over the rows of a row's loss
// times its weight; nil weights stand for 1/rows each. A row of weight 0 counts nothing, so that its label may be any number.
// The probabilities that some return, too, carry no gradient. Smooth returns targets·keep + add, in memory that lasts as long
// as a tensor.
type Losses interface {
	Ops
	Smooth(targets kernels.Matrix, keep, add float64) kernels.Matrix
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
