package autograd_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A look-up is the product of one-hot rows and the same weights: values and gradients have the same bits.
func TestEmbeddingIsOneHotDense(t *testing.T) {
	const rows, dim, batch = 11, 5, 64
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		r := newRand(1)
		w, dy := r.normal(rows, dim, 0), r.normal(batch, dim, 0)
		x, oneHot := r.indices(batch, 1, rows-2, 0), kernels.NewMatrix(batch, rows)
		for i := range batch {
			oneHot.Row(i)[int(x.Row(i)[0])] = 1
		}
		results := func(look func(t *autograd.Tape, p *autograd.Tensor) *autograd.Tensor) (kernels.Matrix, kernels.Matrix) {
			tape := autograd.NewTape(table)
			p := tape.Param(w)
			y := look(tape, p)
			require.NoError(t, tape.Backward(tape.Sum(tape.Multiply(y, tape.Const(dy)))))
			return y.Matrix, tape.Grad(p)
		}
		y, g := results(func(t *autograd.Tape, p *autograd.Tensor) *autograd.Tensor { return t.Embedding(t.Const(x), p) })
		wantY, wantG := results(func(t *autograd.Tape, p *autograd.Tensor) *autograd.Tensor {
			return t.Dense(t.Const(oneHot), p, nil, kernels.Linear)
		})
		require.Equal(t, wantY.Data, y.Data)
		require.Equal(t, wantG.Data, g.Data)
	})
}

// Each step's gradient is that of a fresh tape, whichever rows the steps before touched.
func TestEmbeddingGradRows(t *testing.T) {
	w := newRand(2).normal(6, 3, 0)
	steps := []struct {
		x    []float32
		use  func(t *autograd.Tape, x, w *autograd.Tensor) *autograd.Tensor
		want []int // nil: all
	}{
		{[]float32{4, 1, 4}, twoSums, []int{4, 1}},
		{[]float32{2}, twoSums, []int{2}},
		{[]float32{5, 0}, func(t *autograd.Tape, x, w *autograd.Tensor) *autograd.Tensor { // dense after sparse
			return t.Add(t.Sum(w), t.Sum(t.Embedding(x, w)))
		}, []int{5, 0, 1, 2, 3, 4}},
		{[]float32{3, 3}, twoSums, []int{3}},
		{[]float32{1}, func(t *autograd.Tape, x, w *autograd.Tensor) *autograd.Tensor { // and before it
			return t.Add(t.Sum(t.Embedding(x, w)), t.Sum(w))
		}, nil},
		{[]float32{0}, func(t *autograd.Tape, x, w *autograd.Tensor) *autograd.Tensor { // through another operation
			return t.Sum(t.Embedding(x, t.Softmax(w)))
		}, nil},
		{[]float32{0, 5}, twoSums, []int{0, 5}},
		{[]float32{1}, scaled, nil},
		{[]float32{2}, scaled, nil},
		{[]float32{3}, twoSums, []int{3}},
	}
	tape := autograd.NewTape(nil)
	for i, s := range steps {
		gradient := func(tape *autograd.Tape) *autograd.Tensor {
			p := tape.Param(w)
			loss := s.use(tape, tape.Const(kernels.MatrixOf(s.x, len(s.x), 1)), p)
			require.NoError(t, tape.Backward(loss))
			return p
		}
		tape.Reset()
		tape.Poison()
		fresh := autograd.NewTape(nil)
		p, want := gradient(tape), gradient(fresh)
		require.Equal(t, fresh.Grad(want).Data, tape.Grad(p).Data, "step %d", i)
		require.Equal(t, s.want, tape.GradRows(p), "step %d", i)
		for j, v := range tape.Grad(p).Data {
			require.False(t, math.IsNaN(float64(v)), "step %d, element %d", i, j)
		}
	}
}

// scaled looks x up in the result of an operation that hands the memory of its gradient on.
func scaled(t *autograd.Tape, x, w *autograd.Tensor) *autograd.Tensor {
	sum := t.Sum(w)
	return t.Add(sum, t.Sum(t.Embedding(x, t.Scale(w, 2))))
}

// twoSums looks x up twice: a shared layer.
func twoSums(t *autograd.Tape, x, w *autograd.Tensor) *autograd.Tensor {
	return t.Add(t.Sum(t.Embedding(x, w)), t.Scale(t.Sum(t.Embedding(x, w)), 0.5))
}
