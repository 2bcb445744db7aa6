// Package kernels computes: matrices in, matrices out. It knows nothing of
// layers or gradients of graphs; it offers the products, look-ups, activations,
// losses, reductions and optimizer steps that those are made of.
//
// A [Table] is one full set of kernels for one instruction set. [Default] is the
// best one this machine runs, [Tables] lists all of them. A kernel is a method
// of a Table; it checks the shapes of its operands, and labels and indices one by
// one, returns an error that wraps [ErrShape] when they do not fit, and otherwise
// allocates nothing and starts nothing: a [Pool] has the goroutines that share
// large products. Operands are [Matrix] views, which never own their data.
// Operands with no rows or no columns are legal. Where a comment does not allow
// two operands to share memory they must not.
//
// Assembly cannot be interrupted, so no call of it is long: some microseconds.
// Between two calls the garbage collector, or whoever else wants to stop the
// world, finds the goroutine ready. BenchmarkLongestCall and
// BenchmarkStopTheWorld measure both.
//
// # Numeric contract
//
// The result of an element depends on its own row and its own column only, never
// on how many other rows were in the call, so that a row gives the same bits
// alone and inside any batch.
//
//   - Products: the accumulator starts from the bias, from zero, or from C; then
//     acc = a·b + acc for k ascending; then the activation. Only GemmNT splits the
//     sum over k.
//   - From k = 64 on, and of at most 8 columns from k = 32 on, GemmNT of the SIMD
//     levels adds dot products to the accumulator: of whole rows, or of as few pieces of them as have at most 512
//     elements, in ascending order. Piece i of n begins at the vector of 16 elements
//     whose number is i·⌈k/16⌉/n, rounded down. Element p belongs to lane p mod 16,
//     where lane = a·b + lane for p ascending, from zero. The lanes are folded as
//     those of a row reduction.
//   - Row reductions: element j belongs to lane j mod 16. The 16 lanes are summed
//     in place and then folded: lane i takes lane i+8, then i+4, i+2 and i+1.
//   - Column reductions add the rows in ascending order.
//   - A softmax multiplies by the reciprocal of its sum, a mean divides.
//   - exp, log, log1p, sigmoid and tanh have one range reduction and one
//     polynomial each, erf has two ranges. Their operations and the order of
//     these are fixed.
//   - NaN propagates: through ReLU, through the maximum of a row, through every
//     loss. The softmax of a row that holds a NaN, or only -Inf, is all NaN.
//   - The loss of a row that is not finite by these rules is computed once more in
//     float64, from the first column to the last: a sum may leave float32 where
//     its mean does not, and 0·Inf stand where the limit is 0. So a loss is Inf or
//     NaN only where that is the answer.
//   - Results of exp below 2^-126.5 are flushed to zero.
//   - The sign of a zero and the payload of a NaN are not specified.
//
// AVX2, AVX512 and NEON evaluate each a·b + c of the above with one rounding
// (fused multiply-add) and therefore agree with each other bit for bit. Generic
// rounds the product first, on every architecture (but for erf, whose bound that
// would break), and so agrees with itself bit for bit everywhere. Generic and the others differ by rounding only: before the
// activation an element of a product is within k·2⁻²³·Σ|a||b| of the exact value
// on every level, with |bias| or |c| counted in the sum, and where it is made of
// dot products within k·2⁻²⁶ of these. The worst error on AVX2, and so on every
// SIMD level, over all float32 (TestSweep with ESPALIER_SWEEP set)
// is 1.03 units in the last place for exp, 0.83 for log, 1.34 for tanh, 1.45 for
// sigmoid and 1.08 for erf. That of log1p, which every level takes from portable
// Go, is 1.44.
package kernels
