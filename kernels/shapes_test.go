package kernels_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Every message about operands that do not fit, as the user reads it.
func TestShapeErrors(t *testing.T) {
	var (
		mat    = kernels.NewMatrix
		vec    = func(n int) []float32 { return make([]float32, n) }
		short  = kernels.MatrixOf(vec(5), 2, 3)
		lapped = kernels.Matrix{Data: vec(9), Rows: 2, Cols: 3, Stride: 2} // its rows overlap
		s      kernels.Scratch
		e      kernels.Epilogue
		x      = mat(2, 3)
		v2     = vec(2)
		v3     = vec(3)
		l2     = make([]int32, 2)
	)
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		cases := []struct {
			err  error
			want string
		}{
			{table.Gemm(&s, mat(2, 7), mat(2, 6), mat(5, 7), e), "Gemm: b is 5x7, a has 6 columns"},
			{table.Gemm(&s, mat(3, 7), mat(2, 6), mat(6, 7), e), "Gemm: c is 3x7, a·b is 2x7"},
			{table.Gemm(&s, mat(2, 7), mat(2, 6), mat(6, 7), kernels.Epilogue{Bias: v3}), "Gemm: bias has 3 elements, c has 7 columns"},
			{table.Gemm(&s, mat(2, 7), short, mat(3, 7), e), "Gemm: a is 2x3 with stride 3 but holds 5 elements"},
			{table.Gemm(&s, mat(7, 3), mat(7, 2), short, e), "Gemm: b is 2x3 with stride 3 but holds 5 elements"},
			{table.Gemm(&s, short, mat(2, 1), mat(1, 3), e), "Gemm: c is 2x3 with stride 3 but holds 5 elements"},
			{table.Gemm(&s, lapped, mat(2, 1), mat(1, 3), e), "Gemm: c is 2x3 with stride 2"},
			{table.Gemm(&s, mat(2, 7), lapped, mat(3, 7), e), "Gemm: a is 2x3 with stride 2"},
			{table.Gemm(&s, mat(7, 3), mat(7, 2), lapped, e), "Gemm: b is 2x3 with stride 2"},
			{table.GemmNT(&s, mat(2, 7), mat(2, 6), mat(7, 5), e), "GemmNT: b is 7x5, a has 6 columns"},
			{table.GemmNT(&s, mat(2, 8), mat(2, 6), mat(7, 6), e), "GemmNT: c is 2x8, a·bᵀ is 2x7"},
			{table.GemmNT(&s, mat(2, 7), mat(2, 6), mat(7, 6), kernels.Epilogue{Bias: v3}), "GemmNT: bias has 3 elements, c has 7 columns"},
			{table.GemmNT(&s, short, mat(2, 1), mat(3, 1), e), "GemmNT: c is 2x3 with stride 3 but holds 5 elements"},
			{table.GemmTN(&s, mat(2, 7), mat(6, 2), mat(5, 7), e), "GemmTN: b is 5x7, a has 6 rows"},
			{table.GemmTN(&s, mat(2, 8), mat(6, 2), mat(6, 7), e), "GemmTN: c is 2x8, aᵀ·b is 2x7"},
			{table.GemmTN(&s, mat(2, 7), mat(6, 2), mat(6, 7), kernels.Epilogue{Bias: v3}), "GemmTN: bias has 3 elements, c has 7 columns"},
			{table.GemmTN(&s, short, mat(1, 2), mat(1, 3), e), "GemmTN: c is 2x3 with stride 3 but holds 5 elements"},

			{table.Activate(mat(2, 4), x, nil, kernels.ReLU), "Activate: y is 2x4, x is 2x3"},
			{table.Activate(x, x, v2, kernels.ReLU), "Activate: bias has 2 elements, x has 3 columns"},
			{table.ActivateGrad(x, nil, x, mat(3, 3), kernels.ReLU, false), "ActivateGrad: y is 3x3, dy is 2x3"},
			{table.ActivateGrad(mat(2, 4), nil, x, x, kernels.ReLU, false), "ActivateGrad: dx is 2x4, dy is 2x3"},
			{table.ActivateGrad(x, v2, x, x, kernels.ReLU, false), "ActivateGrad: dbias has 2 elements, dy has 3 columns"},

			{table.Gather(mat(2, 6), short, x), "Gather: x is 2x3 with stride 3 but holds 5 elements"},
			{table.Gather(mat(2, 9), x, short), "Gather: w is 2x3 with stride 3 but holds 5 elements"},
			{table.Gather(short, mat(2, 1), x), "Gather: y is 2x3 with stride 3 but holds 5 elements"},
			{table.Gather(mat(2, 8), x, x), "Gather: y is 2x8, x 2x3 and w 2x3 ask for 2x9"},
			{table.Gather(mat(3, 9), x, x), "Gather: y is 3x9, x 2x3 and w 2x3 ask for 2x9"},
			{kernels.CheckIndices(short, 3), "CheckIndices: x is 2x3 with stride 3 but holds 5 elements"},

			{table.Softmax(short, x), "Softmax: y is 2x3 with stride 3 but holds 5 elements"},
			{table.Softmax(mat(2, 2), x), "Softmax: y is 2x2, x is 2x3"},
			{table.LogSoftmax(mat(2, 2), x), "LogSoftmax: y is 2x2, x is 2x3"},
			{table.SoftmaxGrad(x, x, mat(2, 2), false), "SoftmaxGrad: y is 2x2, dy is 2x3"},

			{table.SoftmaxCrossEntropy(v3, none, none, x, l2, nil), "SoftmaxCrossEntropy: loss has 3 elements, logits has 2 rows"},
			{table.SoftmaxCrossEntropy(v2, none, none, x, l2[:1], nil), "SoftmaxCrossEntropy: labels has 1 elements, logits has 2 rows"},
			{table.SoftmaxCrossEntropy(v2, none, none, x, l2, v3), "SoftmaxCrossEntropy: weights has 3 elements, logits has 2 rows"},
			{table.SoftmaxCrossEntropy(v2, mat(2, 4), none, x, l2, nil), "SoftmaxCrossEntropy: probs is 2x4, logits is 2x3"},
			{table.SoftmaxCrossEntropy(v2, none, mat(2, 4), x, l2, nil), "SoftmaxCrossEntropy: grad is 2x4, logits is 2x3"},
			{table.SoftmaxCrossEntropy(v2, none, none, short, l2, nil), "SoftmaxCrossEntropy: logits is 2x3 with stride 3 but holds 5 elements"},
			{table.SoftCrossEntropy(v3, none, none, x, x, nil), "SoftCrossEntropy: loss has 3 elements, logits has 2 rows"},
			{table.SoftCrossEntropy(v2, none, none, x, mat(2, 4), nil), "SoftCrossEntropy: targets is 2x4, logits is 2x3"},
			{table.BinaryCrossEntropy(v3, none, none, x, x, nil), "BinaryCrossEntropy: loss has 3 elements, logits has 2 rows"},
			{table.BinaryCrossEntropy(v2, none, none, x, mat(2, 4), nil), "BinaryCrossEntropy: targets is 2x4, logits is 2x3"},
			{table.ClippedCrossEntropy(v3, none, x, l2, nil), "ClippedCrossEntropy: loss has 3 elements, probs has 2 rows"},
			{table.ClippedCrossEntropy(v2, mat(1, 3), x, l2, nil), "ClippedCrossEntropy: grad is 1x3, probs is 2x3"},
			{table.ClippedSoftCrossEntropy(v2, none, x, mat(2, 4), nil), "ClippedSoftCrossEntropy: targets is 2x4, probs is 2x3"},
			{table.ClippedBinaryCrossEntropy(v2, none, x, mat(2, 4), nil), "ClippedBinaryCrossEntropy: targets is 2x4, probs is 2x3"},
			{table.MeanSquaredError(v2, none, x, mat(2, 4), nil), "MeanSquaredError: target is 2x4, pred is 2x3"},
			{table.MeanAbsoluteError(v2, mat(2, 1), x, x, nil), "MeanAbsoluteError: grad is 2x1, pred is 2x3"},

			{table.ColSum(v2, x, false), "ColSum: dst has 2 elements, x has 3 columns"},
			{table.ColSum(v3, short, false), "ColSum: x is 2x3 with stride 3 but holds 5 elements"},
			{table.RowSum(v3, x), "RowSum: dst has 3 elements, x has 2 rows"},
			{table.RowSum(v2, short), "RowSum: x is 2x3 with stride 3 but holds 5 elements"},

			{table.Fill(short, 1), "Fill: x is 2x3 with stride 3 but holds 5 elements"},
			{table.Copy(mat(2, 4), x), "Copy: y is 2x4, x is 2x3"},
			{table.Scale(mat(2, 4), x, 2), "Scale: y is 2x4, x is 2x3"},
			{table.Axpy(mat(2, 4), 2, x), "Axpy: y is 2x4, x is 2x3"},
			{table.Add(x, x, mat(2, 4)), "Add: b is 2x4, a is 2x3"},
			{table.Mul(mat(2, 4), x, x), "Mul: y is 2x4, a is 2x3"},
			{table.Maximum(mat(2, 4), x, x), "Maximum: y is 2x4, a is 2x3"},
			{table.Minimum(x, x, mat(3, 3)), "Minimum: b is 3x3, a is 2x3"},
			{table.MulAdd(x, x, mat(3, 3)), "MulAdd: b is 3x3, a is 2x3"},

			{table.Exp(mat(2, 4), x), "Exp: y is 2x4, x is 2x3"},
			{table.Log(mat(2, 4), x), "Log: y is 2x4, x is 2x3"},
			{table.Erf(mat(2, 4), x), "Erf: y is 2x4, x is 2x3"},
			{table.Unary(mat(2, 4), x, kernels.Unary{Kind: kernels.GELU}), "Unary: y is 2x4, x is 2x3"},
			{table.UnaryGrad(x, mat(2, 4), x, x, kernels.Unary{Kind: kernels.GELU}, false), "UnaryGrad: dy is 2x4, x is 2x3"},

			{table.SGD(v2, v3, 1), "SGD: g has 3 elements, w has 2"},
			{table.Momentum(v2, v3, v2, 1, 1, false), "Momentum: v has 3 elements, w has 2"},
			{table.Adam(v2, v3, v2, v2, 1, 1, 1, 1), "Adam: m has 3 elements, w has 2"},
			{table.RMSprop(v2, v2, v3, 1, 1, 1), "RMSprop: g has 3 elements, w has 2"},
			{table.Adagrad(v2, v2, v3, 1, 1), "Adagrad: g has 3 elements, w has 2"},
		}
		for _, c := range cases {
			require.ErrorIs(t, c.err, kernels.ErrShape)
			require.EqualError(t, c.err, "kernels: "+c.want+": shape mismatch")
		}
	})
}

func TestEpilogueErrors(t *testing.T) {
	a, c := kernels.NewMatrix(2, 2), kernels.NewMatrix(2, 2)
	for _, p := range products {
		for _, e := range []kernels.Epilogue{{Accumulate: true, Act: kernels.ReLU}, {Accumulate: true, Bias: []float32{1, 2}}} {
			require.EqualError(t, p.run(kernels.Default(), nil, c, a, a, e),
				"kernels: "+p.name+": Accumulate excludes Bias and Act")
		}
	}
	const want = "kernels: Activate: unknown activation 9: use 0 (linear), 1 (relu), 2 (sigmoid) or 3 (tanh)"
	require.EqualError(t, kernels.Default().Activate(c, a, nil, 9), want)
	require.ErrorContains(t, kernels.Default().ActivateGrad(c, nil, a, a, 9, false), "unknown activation 9")
	require.ErrorContains(t, kernels.Default().Gemm(nil, c, a, a, kernels.Epilogue{Act: 9}), "unknown activation 9")
}
