package autograd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A sum over the rows of a batch does not stand still once it is large: each row counts. The first row brings the sum to
// 2²⁴, where a chain of float32 additions ignores every further 1.
func TestLargeBatch(t *testing.T) {
	const rows = 2*autograd.RowsPerSum + 1
	first, want := float32(1<<24), float64(1<<24+autograd.RowsPerSum)
	up := kernels.NewMatrix(rows, 1)
	for i := range up.Data {
		up.Data[i] = 1
	}
	up.Data[0] = first
	weighted := func(tape *autograd.Tape, y *autograd.Tensor) *autograd.Tensor {
		return tape.Sum(tape.Multiply(y, tape.Const(up)))
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		x := kernels.NewMatrix(rows, 1)
		require.NoError(t, table.Fill(x, 1))
		tape := autograd.NewTape(table)
		w, b := tape.Param(kernels.NewMatrix(1, 1)), tape.Param(kernels.NewMatrix(1, 1))
		require.NoError(t, tape.Backward(weighted(tape, tape.Dense(tape.Const(x), w, b, kernels.Linear))))
		require.InDelta(t, want, tape.Grad(w).Data[0], 100)
		require.InDelta(t, want, tape.Grad(b).Data[0], 100)

		tape = autograd.NewTape(table)
		rowsOf := tape.Param(kernels.NewMatrix(2, 1)) // row 1 by all samples
		require.NoError(t, tape.Backward(weighted(tape, tape.Embedding(tape.Const(x), rowsOf))))
		require.InDelta(t, want+autograd.RowsPerSum, tape.Grad(rowsOf).Data[1], 100)
		require.Zero(t, tape.Grad(rowsOf).Data[0])

		tape.Reset()
		rowsOf = tape.Param(kernels.NewMatrix(2, 1))
		looked := weighted(tape, tape.Embedding(tape.Const(x), rowsOf))
		require.NoError(t, tape.Backward(tape.Add(looked, tape.Scale(tape.Sum(rowsOf), 1000)))) // which is first there on the way back
		require.InDelta(t, want+autograd.RowsPerSum+1000, tape.Grad(rowsOf).Data[1], 100)
		require.Equal(t, float32(1000), tape.Grad(rowsOf).Data[0])
	})
}

// The row behind the last whole part has its own values, and its sums begin at zero.
func TestLastRowOfALargeBatch(t *testing.T) {
	const rows = autograd.RowsPerSum + 1
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		x := kernels.NewMatrix(rows, 1)
		require.NoError(t, table.Fill(x, -1)) // without effect behind ReLU
		x.Data[rows-1] = 3
		tape := autograd.NewTape(table)
		for range 2 {
			tape.Reset()
			tape.Poison()
			w, b := tape.Param(kernels.MatrixOf([]float32{2}, 1, 1)), tape.Param(kernels.NewMatrix(1, 1))
			y := tape.Dense(tape.Const(x), w, b, kernels.ReLU)
			require.NoError(t, tape.Backward(tape.Scale(tape.Sum(y), 5)))
			require.Equal(t, []float32{15}, tape.Grad(w).Data)
			require.Equal(t, []float32{5}, tape.Grad(b).Data)
		}
	})
}

// A row of weight 0 counts nothing, whatever its loss: 0·Inf is not NaN here.
func TestWeightZero(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		tape := autograd.NewTape(table)
		p := kernels.MatrixOf([]float32{1, 1e38, 2, 1e38}, 2, 2)
		target := kernels.MatrixOf([]float32{0, -3e38, 0, 1e38}, 2, 2)
		pred := tape.Param(p)
		loss := tape.MeanSquaredError(pred, target, []float32{0, 1})
		require.NoError(t, tape.Backward(loss))
		require.Equal(t, float32(2), loss.Data[0])
		require.Equal(t, []float32{0, 0, 2, 0}, tape.Grad(pred).Data)
	})
}

// The mean may be finite where the sum is not.
func TestMeanBeyondTheSum(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		tape := autograd.NewTape(table)
		x := kernels.NewMatrix(10, 10)
		require.NoError(t, table.Fill(x, 3e37))
		require.InEpsilon(t, 3e37, tape.Mean(tape.Const(x)).Data[0], 1e-5)
		require.NoError(t, tape.Err())
	})
}
