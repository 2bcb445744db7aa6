package kernels_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

func rowOf(x ...float32) kernels.Matrix { return kernels.MatrixOf(x, 1, len(x)) }

// A loss is finite where its limit is, although a term on the way is not.
func TestLossLimits(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		none := kernels.Matrix{}
		soft := func(x, target kernels.Matrix) float64 {
			loss := make([]float32, 1)
			require.NoError(t, table.SoftCrossEntropy(loss, none, none, x, target, nil))
			return float64(loss[0])
		}
		binary := func(x, target kernels.Matrix) float64 {
			loss := make([]float32, 1)
			require.NoError(t, table.BinaryCrossEntropy(loss, none, none, x, target, nil))
			return float64(loss[0])
		}
		e := math.E
		require.InDelta(t, -(0.25*math.Log(1/(1+e)) + 0.75*math.Log(e/(1+e))), soft(rowOf(0, -inf, 1), rowOf(0.25, 0, 0.75)), 1e-6, "a masked class")
		require.Zero(t, soft(rowOf(3e38, -3e38), rowOf(1, 0)), "logits whose difference overflows")
		require.InEpsilon(t, 3e38, soft(rowOf(3e38, -3e38), rowOf(0.5, 0.5)), 1e-6, "half of a difference that overflows")
		require.Equal(t, math.Inf(1), soft(rowOf(0, -inf), rowOf(0, 1)), "an impossible class")
		over := rowOf(0.25, 0, 0.75) // the targets, then the gradient
		loss := make([]float32, 1)
		require.NoError(t, table.SoftCrossEntropy(loss, none, over, rowOf(0, -inf, 1), over, nil))
		require.InDelta(t, soft(rowOf(0, -inf, 1), rowOf(0.25, 0, 0.75)), loss[0], 1e-6, "a masked class, grad over targets")
		require.True(t, math.IsNaN(soft(rowOf(nan, 1), rowOf(0, 1))), "NaN")
		for _, c := range []struct{ z, t, want float32 }{{inf, 1, 0}, {-inf, 0, 0}, {inf, 0, inf}, {-inf, 1, inf}, {inf, 0.5, inf}, {-inf, 0.5, inf}} {
			require.Equal(t, float64(c.want), binary(rowOf(c.z), rowOf(c.t)), "logit %v, target %v", c.z, c.t)
		}
		require.InDelta(t, (math.Log(2)+0)/2, binary(rowOf(0, inf), rowOf(0.5, 1)), 1e-6, "the mean of two")
	})
}

// The mean of a row may be finite where the sum is not: in short rows and in long ones, also where the gradient overwrites
// what the loss comes from.
func TestMeanBeyondTheSum(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cols := range []int{100, 10_001} {
			for _, over := range []string{"nothing", "pred", "target"} {
				check := func(what string, value float32, want float64, run func(loss []float32, grad, pred, target kernels.Matrix, weights []float32) error) {
					pred, target, loss := kernels.NewMatrix(2, cols), kernels.NewMatrix(2, cols), make([]float32, 2)
					fill(pred.Row(1), value)
					grad := map[string]kernels.Matrix{"nothing": kernels.NewMatrix(2, cols), "pred": pred, "target": target}[over]
					require.NoError(t, run(loss, grad, pred, target, nil))
					require.Less(t, loss[0], float32(0.7), "the other row")
					require.InEpsilon(t, want, loss[1], 1e-4, "%s of %d columns, grad over %s", what, cols, over)
					require.NotZero(t, grad.Row(1)[cols-1])
				}
				check("mean absolute error", 1e37, 1e37, table.MeanAbsoluteError)
				check("mean squared error", float32(math.Sqrt(1e37)), 1e37, table.MeanSquaredError)
				check("binary cross-entropy", 1e37, 1e37, func(loss []float32, grad, pred, target kernels.Matrix, weights []float32) error {
					return table.BinaryCrossEntropy(loss, kernels.Matrix{}, grad, pred, target, weights)
				})
			}
		}
	})
}

// erf stays within its bound where it changes from one polynomial to the other, float by float.
func TestErfNearItsEnd(t *testing.T) {
	lo, n := math.Float32bits(0.85), int(math.Float32bits(1)-math.Float32bits(0.85))
	x, y := kernels.NewMatrix(1, n/3), kernels.NewMatrix(1, n/3)
	for i := range x.Data {
		x.Data[i] = math.Float32frombits(lo + uint32(3*i))
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		require.NoError(t, table.Erf(y, x))
		for i, v := range x.Data {
			if e := math.Abs(float64(y.Data[i])-math.Erf(float64(v))) / 0x1p-24; e > 1.08 {
				require.Failf(t, "too far", "%v: %v ulp", v, e)
			}
		}
	})
}

// A result that is skipped may be any empty view: where it would lie is not looked at.
func TestSkippedResultsHaveNoPlace(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		x, y, loss := kernels.NewMatrix(3, 4), kernels.NewMatrix(3, 4), make([]float32, 3)
		for _, skip := range []kernels.Matrix{kernels.NewMatrix(9, 7).RowRange(0, 0).Columns(0, 0), {Stride: math.MaxInt / 8}, {Stride: 12345}} {
			require.NoError(t, table.MeanSquaredError(loss, skip, x, y, nil))
			require.NoError(t, table.MeanAbsoluteError(loss, skip, x, y, nil))
			require.NoError(t, table.SoftmaxCrossEntropy(loss, skip, skip, x, make([]int32, 3), nil))
			require.NoError(t, table.SoftCrossEntropy(loss, skip, skip, x, y, nil))
			require.NoError(t, table.BinaryCrossEntropy(loss, skip, skip, x, y, nil))
			require.NoError(t, table.ClippedCrossEntropy(loss, skip, x, make([]int32, 3), nil))
			require.NoError(t, table.ClippedSoftCrossEntropy(loss, skip, x, y, nil))
			require.NoError(t, table.ClippedBinaryCrossEntropy(loss, skip, x, y, nil))
		}
		require.ErrorIs(t, table.MeanSquaredError(loss, kernels.Matrix{Data: x.Data, Stride: 4}, x, y, nil), kernels.ErrShape)
		require.ErrorIs(t, table.MeanSquaredError(loss, kernels.Matrix{Rows: 3, Stride: 4}, x, y, nil), kernels.ErrShape)
	})
}

// The name of a table decides nothing: weights packed by one level are refused by another, whatever they call themselves.
func TestTableNames(t *testing.T) {
	for _, a := range kernels.Tables() {
		for _, b := range kernels.Tables() {
			renamed, w := *a, new(kernels.PackedB)
			renamed.ISA = b.ISA
			require.NoError(t, b.Pack(w, kernels.NewMatrix(40, 40), nil))
			err := renamed.Dense(nil, kernels.NewMatrix(2, 40), kernels.NewMatrix(2, 40), w, kernels.Linear)
			if a == b || a.ISA == b.ISA {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, "kernels: Dense: w is packed for "+b.ISA.String()+", the table is "+a.ISA.String())
			}
		}
	}
}

// Zero values are of use, or say that they are none.
func TestZeroValues(t *testing.T) {
	var table kernels.Table
	x, y := kernels.NewMatrix(2, 3), kernels.NewMatrix(2, 3)
	require.NoError(t, table.Softmax(y, x))
	require.Equal(t, float32(1)/3, y.Data[0])
	require.NoError(t, table.Gemm(nil, kernels.NewMatrix(2, 2), x, kernels.NewMatrix(3, 2), kernels.Epilogue{}))
	require.ErrorIs(t, table.Dense(nil, y, x, new(kernels.PackedB), kernels.Linear), kernels.ErrShape)
	require.Error(t, table.Dense(nil, y, x, nil, kernels.Linear))

	var bound kernels.BoundDense
	require.EqualError(t, bound.Run(nil, 1), "kernels: BoundDense.Run: nothing is bound: use Table.Bind")
	require.Error(t, table.Bind(&bound, y, x, nil, kernels.Linear))

	var pool kernels.Pool
	parts := 0
	pool.Do(3, func(int) { parts++ })
	require.Equal(t, 3, parts)
	require.Equal(t, 1, pool.Workers())
	pool.Close()
	pool.Close()
}

// RowSumSquares adds as RowSum does, in 16 lanes, each square with one rounding on SIMD levels.
func TestRowSumSquares(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cols := range []int{0, 1, 15, 16, 17, 100, 4096, 20_011} {
			x, got := newRand(uint64(cols)).matrix(3, cols, 2), make([]float32, 3)
			require.NoError(t, table.RowSumSquares(got, x))
			for i, g := range got {
				want := 0.0
				for _, v := range x.Row(i) {
					want += float64(v) * float64(v)
				}
				require.InDelta(t, want, g, 1e-5*want, "%d columns", cols)
			}
		}
		x, got := kernels.NewMatrix(1, 100), []float32{0}
		x.Data[50] = 1.9e19 // finite, its square is not
		require.NoError(t, table.RowSumSquares(got, x))
		require.Equal(t, inf, got[0])
		require.ErrorIs(t, table.RowSumSquares(nil, x), kernels.ErrShape)
	})
}

// What does not begin at the maximum of a row is lost: all of it lies far below zero here, in short rows and in long ones,
// with and without a part of a vector at the end.
func TestRowsFarBelowZero(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cols := range []int{1, 5, 16, 21, 300, 4096 + 5, 2*4096 + 16} {
			x, y, loss := kernels.NewMatrix(2, cols), kernels.NewMatrix(2, cols), make([]float32, 2)
			fill(x.Row(0), -1000)
			fill(x.Row(1), -2000)
			want := 1 / float64(cols)
			require.NoError(t, table.Softmax(y, x))
			for i := range 2 {
				require.InEpsilon(t, want, y.Row(i)[cols-1], 1e-3, "%d columns", cols)
			}
			require.NoError(t, table.LogSoftmax(y, x))
			require.InDelta(t, math.Log(want), y.Row(1)[cols-1], 1e-3, "%d columns", cols)
			require.NoError(t, table.SoftmaxCrossEntropy(loss, y, kernels.Matrix{}, x, []int32{0, int32(cols - 1)}, nil))
			require.InDelta(t, -math.Log(want), loss[1], 1e-3, "%d columns", cols)
			require.InEpsilon(t, want, y.Row(0)[0], 1e-3, "%d columns", cols)
		}
	})
}

// The mean over no columns is 0, whatever loss held before.
func TestLossOfNoColumns(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		x := kernels.NewMatrix(3, 0)
		for name, run := range map[string]func(loss []float32) error{
			"MeanSquaredError":          func(loss []float32) error { return table.MeanSquaredError(loss, none, x, x, nil) },
			"MeanAbsoluteError":         func(loss []float32) error { return table.MeanAbsoluteError(loss, none, x, x, nil) },
			"BinaryCrossEntropy":        func(loss []float32) error { return table.BinaryCrossEntropy(loss, none, none, x, x, nil) },
			"ClippedBinaryCrossEntropy": func(loss []float32) error { return table.ClippedBinaryCrossEntropy(loss, none, x, x, nil) },
			"RowSum":                    func(loss []float32) error { return table.RowSum(loss, x) },
		} {
			loss := fill(make([]float32, 3), canary)
			require.NoError(t, run(loss))
			require.Equal(t, make([]float32, 3), loss, name)
		}
	})
}

// The losses of one column have kernels of their own, which are not for results with gaps between their rows.
func TestColumnWithAGap(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		r := newRand(1)
		x, y, loss := r.matrix(21, 1, 0), r.matrix(21, 1, 0), make([]float32, 21)
		for name, run := range map[string]func(out kernels.Matrix) error{
			"MeanSquaredError":         func(out kernels.Matrix) error { return table.MeanSquaredError(loss, out, x, y, nil) },
			"MeanAbsoluteError":        func(out kernels.Matrix) error { return table.MeanAbsoluteError(loss, out, x, y, nil) },
			"BinaryCrossEntropy/probs": func(out kernels.Matrix) error { return table.BinaryCrossEntropy(loss, out, none, x, y, nil) },
			"BinaryCrossEntropy/grad":  func(out kernels.Matrix) error { return table.BinaryCrossEntropy(loss, none, out, x, y, nil) },
		} {
			t.Run(name, func(t *testing.T) {
				solid, gapped := guarded(21, 1, 0), guarded(21, 1, 2)
				require.NoError(t, run(solid))
				require.NoError(t, run(gapped))
				requireCanaries(t, gapped)
				requireSameMatrix(t, solid, gapped)
			})
		}
	})
}

// One mean in a large batch whose sum leaves float32 is found among the others.
func TestOneMeanOfManyBeyondTheSum(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		x, y, loss := kernels.NewMatrix(400, 2), kernels.NewMatrix(400, 2), make([]float32, 400)
		fill(x.Row(399), 1.5e19)
		require.NoError(t, table.MeanSquaredError(loss, none, x, y, nil))
		require.InEpsilon(t, 2.25e38, loss[399], 1e-5)
		require.Zero(t, loss[0])
	})
}

// The bounds of a clipped probability belong to the inside, where the gradient passes.
func TestGradientAtTheClippedBounds(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		const lowest, highest = float32(1e-7), float32(1 - 1e-7)
		loss, grad := make([]float32, 1), kernels.NewMatrix(1, 2)
		require.NoError(t, table.ClippedBinaryCrossEntropy(loss, grad, rowOf(lowest, highest), rowOf(1, 0), nil))
		require.InEpsilon(t, -0.5e7, grad.Data[0], 1e-3)
		require.InEpsilon(t, 0.5/0x1p-23, grad.Data[1], 1e-3)
	})
}

// The activation behind the last one is none.
func TestFirstUnknownActivation(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		const unknown = kernels.Tanh + 1
		x := kernels.NewMatrix(2, 2)
		w := new(kernels.PackedB)
		require.NoError(t, table.Pack(w, x, nil))
		for _, err := range []error{
			table.Activate(kernels.NewMatrix(2, 2), x, nil, unknown),
			table.ActivateGrad(kernels.NewMatrix(2, 2), nil, x, x, unknown, false),
			table.Gemm(nil, kernels.NewMatrix(2, 2), x, x, kernels.Epilogue{Act: unknown}),
			table.Dense(nil, kernels.NewMatrix(2, 2), x, w, unknown),
			table.Bind(new(kernels.BoundDense), kernels.NewMatrix(2, 2), x, w, unknown),
		} {
			require.ErrorContains(t, err, "unknown activation 4")
		}
	})
}

// The mean of a long row is a quotient, as that of a short one.
func TestLongMeans(t *testing.T) {
	eachSIMD(t, func(t *testing.T, table *kernels.Table, k rowKernel) {
		if !strings.HasPrefix(k.name, "Mean") && !strings.HasPrefix(k.name, "Binary") {
			t.Skip("is no mean")
		}
		for cols := 4097; cols < 5000; cols += 71 {
			k.requireContract(t, table, []kernels.Matrix{newRand(1).matrix(2, cols, 0), newRand(2).matrix(2, cols, 0)})
		}
	})
}

// A view whose last row would begin where the address is a number no more is none, also where the rest of it looks small.
func TestViewBeyondAllAddresses(t *testing.T) {
	const half = strconv.IntSize / 2
	m := kernels.Matrix{Data: make([]float32, 10), Rows: 1<<(half+1) + 1, Cols: 1, Stride: 1 << (half - 1)}
	require.False(t, m.Valid())
	require.ErrorIs(t, kernels.Default().Fill(m, 1), kernels.ErrShape)
}
