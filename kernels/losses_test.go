package kernels_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// lossKernel is a loss with targets of the shape of the scores; the kernels that
// take labels see one-hot targets. reference is the loss of one row.
type lossKernel struct {
	name      string
	onehot    bool // targets are one-hot
	probs     bool // scores are probabilities
	run       func(t *kernels.Table, loss []float32, probs, grad, scores, targets kernels.Matrix, labels []int32, weights []float32) error
	reference func(x, t []float64) float64
}

func mean(n int, f func(j int) float64) float64 { return total(n, f) / float64(n) }

func total(n int, f func(j int) float64) (sum float64) {
	for j := range n {
		sum += f(j)
	}
	return sum
}

func logitLoss(x, t []float64) float64 {
	p := softmax(x)
	return -total(len(x), func(j int) float64 { return t[j] * math.Log(p[j]) })
}

func clip(p float64) float64 { return min(max(p, 1e-7), 1-0x1p-23) }

func clippedLoss(x, t []float64) float64 {
	sum := total(len(x), func(j int) float64 { return x[j] })
	return -total(len(x), func(j int) float64 { return t[j] * math.Log(clip(x[j]/sum)) })
}

type matrix = kernels.Matrix

var lossKernels = []lossKernel{
	{"SoftmaxCrossEntropy", true, false,
		func(t *kernels.Table, loss []float32, probs, grad, x, _ matrix, labels []int32, w []float32) error {
			return t.SoftmaxCrossEntropy(loss, probs, grad, x, labels, w)
		}, logitLoss},
	{"SoftCrossEntropy", false, false,
		func(t *kernels.Table, loss []float32, probs, grad, x, y matrix, _ []int32, w []float32) error {
			return t.SoftCrossEntropy(loss, probs, grad, x, y, w)
		}, logitLoss},
	{"BinaryCrossEntropy", false, false,
		func(t *kernels.Table, loss []float32, probs, grad, x, y matrix, _ []int32, w []float32) error {
			return t.BinaryCrossEntropy(loss, probs, grad, x, y, w)
		}, func(z, t []float64) float64 {
			return mean(len(z), func(j int) float64 {
				return math.Max(z[j], 0) - z[j]*t[j] + math.Log1p(math.Exp(-math.Abs(z[j])))
			})
		}},
	{"ClippedCrossEntropy", true, true,
		func(t *kernels.Table, loss []float32, _, grad, x, _ matrix, labels []int32, w []float32) error {
			return t.ClippedCrossEntropy(loss, grad, x, labels, w)
		}, clippedLoss},
	{"ClippedSoftCrossEntropy", false, true,
		func(t *kernels.Table, loss []float32, _, grad, x, y matrix, _ []int32, w []float32) error {
			return t.ClippedSoftCrossEntropy(loss, grad, x, y, w)
		}, clippedLoss},
	{"ClippedBinaryCrossEntropy", false, true,
		func(t *kernels.Table, loss []float32, _, grad, x, y matrix, _ []int32, w []float32) error {
			return t.ClippedBinaryCrossEntropy(loss, grad, x, y, w)
		}, func(p, t []float64) float64 {
			return -mean(len(p), func(j int) float64 {
				q := clip(p[j])
				return t[j]*math.Log(q) + (1-t[j])*math.Log(1-q)
			})
		}},
	{"MeanSquaredError", false, false,
		func(t *kernels.Table, loss []float32, _, grad, x, y matrix, _ []int32, w []float32) error {
			return t.MeanSquaredError(loss, grad, x, y, w)
		}, func(p, t []float64) float64 {
			return mean(len(p), func(j int) float64 { return (p[j] - t[j]) * (p[j] - t[j]) })
		}},
	{"MeanAbsoluteError", false, false,
		func(t *kernels.Table, loss []float32, _, grad, x, y matrix, _ []int32, w []float32) error {
			return t.MeanAbsoluteError(loss, grad, x, y, w)
		}, func(p, t []float64) float64 {
			return mean(len(p), func(j int) float64 { return math.Abs(p[j] - t[j]) })
		}},
}

func TestLosses(t *testing.T) {
	const rows = 5
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, k := range lossKernels {
			for _, cols := range []int{1, 2, 7, 16, 17, 40} {
				t.Run(k.name+"/"+shapeName(rows, cols), func(t *testing.T) { testLoss(t, table, k, rows, cols) })
			}
		}
	})
}

func testLoss(t *testing.T, table *kernels.Table, k lossKernel, rows, cols int) {
	r := newRand(uint64(cols))
	x := r.matrix(rows, cols, 2)
	if k.probs && cols > 1 {
		x = r.probabilities(rows, cols, 0.9) // not normalised
	} else if k.probs {
		x = r.probabilities(rows, cols, 0.4)
	}
	targets := r.probabilities(rows, cols, 0.8)
	labels, weights := make([]int32, rows), make([]float32, rows)
	for i := range labels {
		labels[i], weights[i] = int32(r.IntN(cols)), float32(i)/2
		if k.onehot {
			clear(targets.Row(i))
			targets.Row(i)[labels[i]] = 1
		}
	}
	loss, grad := make([]float32, rows), guarded(rows, cols, 4)
	require.NoError(t, k.run(table, loss, none, grad, x, targets, labels, weights))
	requireCanaries(t, grad)
	for i := range rows {
		y := doubles(targets.Row(i))
		f := func(x []float64) float64 { return float64(weights[i]) * k.reference(x, y) }
		requireNear(t, []float64{k.reference(doubles(x.Row(i)), y)}, loss[i:i+1], 2e-6)
		if k.name == "ClippedCrossEntropy" && cols == 1 || k.name == "ClippedSoftCrossEntropy" && cols == 1 {
			continue // the quotient is 1, which is clipped: no gradient
		}
		requireNear(t, gradient(f, doubles(x.Row(i))), grad.Row(i), 2e-6)
	}

	// Nil weights are ones, and skipping a result changes nothing else.
	unit, again := guarded(rows, cols, 0), make([]float32, rows)
	require.NoError(t, k.run(table, again, none, grad, x, targets, labels, nil))
	require.NoError(t, k.run(table, again, none, unit, x, targets, labels, fill(weights, 1)))
	requireSameMatrix(t, unit, grad)
	requireSameBits(t, loss, again)
	probs := guarded(rows, cols, 1)
	require.NoError(t, k.run(table, again, probs, grad, x, targets, labels, nil))
	requireSameMatrix(t, unit, grad)
	requireSameBits(t, loss, again)
	require.NoError(t, k.run(table, again, none, none, x, targets, labels, nil))
	requireSameBits(t, loss, again)
	requireCanaries(t, probs)

	// The probabilities are those of the activation's own kernel.
	switch want := kernels.NewMatrix(rows, cols); k.name {
	case "SoftmaxCrossEntropy", "SoftCrossEntropy":
		require.NoError(t, table.Softmax(want, x))
		requireSameMatrix(t, want, probs)
	case "BinaryCrossEntropy":
		require.NoError(t, table.Activate(want, x, nil, kernels.Sigmoid))
		requireSameMatrix(t, want, probs)
	}
}

func TestCrossEntropyExtremes(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		loss, grad := make([]float32, 3), kernels.NewMatrix(3, 2)
		logits := kernels.MatrixOf([]float32{0, -200, 0, -200, -inf, -inf}, 3, 2)
		require.NoError(t, table.SoftmaxCrossEntropy(loss, none, grad, logits, []int32{0, 1, 0}, nil))
		requireSameBits(t, []float32{0, 200, nan}, loss)
		requireSameBits(t, []float32{0, 0, 1, -1, nan, nan}, grad.Data)

		loss, grad = make([]float32, 4), kernels.NewMatrix(4, 1)
		logits = kernels.MatrixOf([]float32{200, -200, 200, -30}, 4, 1)
		targets := kernels.MatrixOf([]float32{0, 1, 1, 0}, 4, 1)
		require.NoError(t, table.BinaryCrossEntropy(loss, none, grad, logits, targets, nil))
		require.Equal(t, []float32{200, 200, 0}, loss[:3])
		require.InEpsilon(t, math.Exp(-30), float64(loss[3]), 1e-6)
		require.Equal(t, []float32{1, -1, 0}, grad.Data[:3])
	})
}

// Outside of the clip Keras gives the loss of the bound and no gradient.
func TestClippedBounds(t *testing.T) {
	highest, lowest := float32(-math.Log(1-0x1p-23)), float32(-math.Log(1e-7))
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		probs := kernels.MatrixOf([]float32{1, 0, 0, 1, 0, 0}, 2, 3)
		loss, grad := make([]float32, 2), guarded(2, 3, 0)
		require.NoError(t, table.ClippedCrossEntropy(loss, grad, probs, []int32{0, 1}, nil))
		require.InDeltaSlice(t, []float32{highest, lowest}, loss, 1e-6)
		requireSameBits(t, make([]float32, 6), grad.Data)

		// Half of the target lies on a clipped zero, which moves nothing.
		probs = kernels.MatrixOf([]float32{0.25, 0, 0.25}, 1, 3)
		targets := kernels.MatrixOf([]float32{0.5, 0.5, 0}, 1, 3)
		require.NoError(t, table.ClippedSoftCrossEntropy(loss[:1], grad.RowRange(0, 1), probs, targets, nil))
		require.InDelta(t, 0.5*math.Ln2+0.5*float64(lowest), float64(loss[0]), 1e-5)
		requireSameBits(t, []float32{-1, 1, 1}, grad.Row(0))

		probs = kernels.MatrixOf([]float32{0, 1, 1, 0.5}, 1, 4)
		targets = kernels.MatrixOf([]float32{0, 1, 0, 0.5}, 1, 4)
		grad = guarded(1, 4, 0)
		require.NoError(t, table.ClippedBinaryCrossEntropy(loss[:1], grad, probs, targets, nil))
		require.InDelta(t, (1e-7+float64(highest)+23*math.Ln2+math.Ln2)/4, float64(loss[0]), 1e-5)
		requireSameBits(t, make([]float32, 4), grad.Data)
	})
}

func TestLabelOutOfRange(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, label := range []int32{-1, 3, math.MaxInt32, math.MinInt32} {
			x, loss, grad := kernels.NewMatrix(2, 3), fill(make([]float32, 2), canary), guarded(2, 3, 0)
			before := copyOf(grad, 0)
			labels := []int32{0, label}
			err := table.SoftmaxCrossEntropy(loss, none, grad, x, labels, nil)
			require.ErrorContains(t, err, "kernels: SoftmaxCrossEntropy: row 1 has label ")
			require.ErrorContains(t, err, ", outside of [0, 3)")
			err = table.ClippedCrossEntropy(loss, grad, x, labels, nil)
			require.ErrorContains(t, err, "kernels: ClippedCrossEntropy: row 1 has label ")
			require.Equal(t, []float32{canary, canary}, loss)
			requireSameMatrix(t, before, grad)
		}
	})
}

func TestMeanAbsoluteErrorSign(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		pred, target := kernels.MatrixOf([]float32{1, 2, 3, nan}, 1, 4), kernels.MatrixOf([]float32{2, 2, 2, 2}, 1, 4)
		loss, grad := make([]float32, 1), kernels.NewMatrix(1, 4)
		require.NoError(t, table.MeanAbsoluteError(loss, grad, pred, target, []float32{4}))
		requireSameBits(t, []float32{-1, 0, 1, nan}, grad.Data)
		requireSameBits(t, []float32{nan}, loss)
	})
}
