package autograd_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type random struct{ *rand.Rand }

func newRand(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 7))} }

const canary = float32(12345)

// fill returns a matrix of values drawn from next, its rows separated by gap canaries.
func fill(rows, cols, gap int, next func() float64) kernels.Matrix {
	m := kernels.NewMatrix(rows, cols+gap)
	m.Cols = cols
	for i := range m.Data {
		m.Data[i] = canary
	}
	for i := range rows {
		for j := range cols {
			m.Row(i)[j] = float32(next())
		}
	}
	return m
}

func (r random) normal(rows, cols, gap int) kernels.Matrix {
	return fill(rows, cols, gap, r.NormFloat64)
}

// positive returns values in [0.1, 0.9), as probabilities are.
func (r random) positive(rows, cols, gap int) kernels.Matrix {
	return fill(rows, cols, gap, func() float64 { return 0.1 + 0.8*r.Float64() })
}

func (r random) labels(rows, classes int) []int32 {
	labels := make([]int32, rows)
	for i := range labels {
		labels[i] = int32(r.IntN(classes))
	}
	return labels
}

// indices returns an m x n matrix of row numbers, the last row first; where there are no rows, m is 0.
func (r random) indices(m, n, rows, gap int) kernels.Matrix {
	if rows == 0 {
		m = 0
	}
	x := fill(m, n, gap, func() float64 { return float64(r.IntN(rows)) })
	if m > 0 {
		x.Data[0] = float32(rows - 1)
	}
	return x
}

// weights returns weights of which the second is zero.
func (r random) weights(rows int) []float32 {
	w := make([]float32, rows)
	for i := range w {
		if i != 1 {
			w[i] = float32(0.2 + r.Float64())
		}
	}
	return w
}

// eachTable runs a sub-test for every table of this machine.
func eachTable(t *testing.T, run func(t *testing.T, table *kernels.Table)) {
	for _, table := range kernels.Tables() {
		t.Run("isa="+table.ISA.String(), func(t *testing.T) { run(t, table) })
	}
}

func shapeName(rows, cols int) string { return fmt.Sprintf("m=%d/n=%d", rows, cols) }

// values returns the elements of m in row order.
func values(m kernels.Matrix) []float32 {
	x := []float32{}
	for i := range m.Rows {
		x = append(x, m.Row(i)...)
	}
	return x
}

func bitsOf(x []float32) []uint32 {
	bits := make([]uint32, len(x))
	for i, v := range x {
		bits[i] = math.Float32bits(v)
	}
	return bits
}

// A graph is a computation written once for both calculators: operands in, a 1x1 value out.
type graph func(c calc, p []*ops.Tensor) *ops.Tensor

// A calc is what a graph computes with: a tape, or the independent float64 reference.
type calc interface {
	ops.Ops
	ops.Losses
	Sum(x *ops.Tensor) *ops.Tensor
	Mean(x *ops.Tensor) *ops.Tensor
	RowSum(x *ops.Tensor) *ops.Tensor
}

func shapeOf(x *ops.Tensor) (rows, cols int) { return x.Rows, x.Cols }

// source returns the source of a dropout's draws.
func source(seed uint64) *rand.PCG { return rand.NewPCG(seed, seed) }

// A target is what a loss compares with. Each loss takes the fields it knows.
type target struct {
	labels  []int32
	values  kernels.Matrix
	weights []float32
}

var losses = []string{
	"SoftmaxCrossEntropy", "SoftCrossEntropy", "BinaryCrossEntropy",
	"ClippedCrossEntropy", "ClippedSoftCrossEntropy", "ClippedBinaryCrossEntropy",
	"MeanSquaredError", "MeanAbsoluteError", "logCosh", "negative",
}

var gelu = kernels.Unary{Kind: kernels.GELU}

var activations = []kernels.Activation{kernels.Linear, kernels.ReLU, kernels.Sigmoid, kernels.Tanh}

// weighted reduces x to one number whose gradient differs from element to element.
func weighted(c calc, x *ops.Tensor) *ops.Tensor {
	return c.Sum(c.Multiply(x, c.Const(newRand(99).normal(x.Rows, x.Cols, 0))))
}

func lossOf(c ops.Losses, name string, x *ops.Tensor, y target) *ops.Tensor {
	var loss *ops.Tensor
	switch name {
	case "SoftmaxCrossEntropy":
		loss, _ = c.SoftmaxCrossEntropy(x, y.labels, y.weights)
	case "SoftCrossEntropy":
		loss, _ = c.SoftCrossEntropy(x, y.values, y.weights)
	case "BinaryCrossEntropy":
		loss, _ = c.BinaryCrossEntropy(x, y.values, y.weights)
	case "ClippedCrossEntropy":
		loss = c.ClippedCrossEntropy(x, y.labels, y.weights)
	case "ClippedSoftCrossEntropy":
		loss = c.ClippedSoftCrossEntropy(x, y.values, y.weights)
	case "ClippedBinaryCrossEntropy":
		loss = c.ClippedBinaryCrossEntropy(x, y.values, y.weights)
	case "MeanSquaredError":
		loss = c.MeanSquaredError(x, y.values, y.weights)
	case "MeanAbsoluteError":
		loss = c.MeanAbsoluteError(x, y.values, y.weights)
	case "logCosh":
		loss = c.CustomLoss(logCosh{}, x, ops.Target{Values: y.values}, y.weights)
	case "negative":
		loss = c.CustomLoss(negative{}, x, ops.Target{Labels: y.labels}, y.weights)
	}
	return loss
}

// gradients returns the value of g and its gradients by the operands, from central differences of the reference.
func gradients(g graph, operands []kernels.Matrix) (float64, [][]float64) {
	const h = 1e-6
	p := make([]mat, len(operands))
	for i, m := range operands {
		p[i] = matOf(m)
	}
	f := func() float64 { return (&reference{}).value(g, p) }
	grads := make([][]float64, len(p))
	for i := range p {
		x := p[i].v
		grads[i] = make([]float64, len(x))
		for j, v := range x {
			x[j] = v + h
			up := f()
			x[j] = v - h
			grads[i][j] = (up - f()) / (2 * h)
			x[j] = v
		}
	}
	return f(), grads
}

// requireNear demands |got-want| <= tolerance times the largest of want.
func requireNear(t *testing.T, want []float64, got []float32, tolerance float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	bound := tolerance*largest + 1e-8
	for j := range want {
		if !(math.Abs(float64(got[j])-want[j]) <= bound) {
			require.Failf(t, "too far", "%s, element %d: want %v, got %v, bound %v", what, j, want[j], got[j], bound)
		}
	}
}

const tolerance = 2e-5

// onFresh runs g on a new tape with those operands as parameters that mask marks, and backward.
func onFresh(t *testing.T, table *kernels.Table, g graph, operands []kernels.Matrix, mask int) (tape *autograd.Tape, loss *autograd.Tensor, leaves []*autograd.Tensor) {
	t.Helper()
	tape = autograd.NewTape(table)
	leaves = make([]*autograd.Tensor, len(operands))
	for i, m := range operands {
		if mask>>i&1 == 1 {
			leaves[i] = tape.Param(m)
		} else {
			leaves[i] = tape.Const(m)
		}
	}
	loss = g(tape, leaves)
	require.NoError(t, tape.Err())
	require.NoError(t, tape.Backward(loss))
	var first [][]float32
	for _, x := range leaves {
		first = append(first, values(tape.Grad(x)))
	}
	require.NoError(t, tape.Backward(loss), "again")
	for i, x := range leaves {
		require.Equal(t, bitsOf(first[i]), bitsOf(values(tape.Grad(x))), "operand %d, walked again", i)
	}
	return tape, loss, leaves
}

// checkGradients holds g on a tape to the reference, with every set of operands as parameters and the others constants.
func checkGradients(t *testing.T, table *kernels.Table, g graph, operands []kernels.Matrix) {
	t.Helper()
	before := make([][]float32, len(operands))
	for i, m := range operands {
		before[i] = append(before[i], m.Data...)
	}
	value, want := gradients(g, operands)
	all := 1<<len(operands) - 1
	tape, loss, params := onFresh(t, table, g, operands, all)
	require.InDelta(t, value, loss.Data[0], tolerance*max(1, math.Abs(value)), "value")
	for i, p := range params {
		requireNear(t, want[i], values(tape.Grad(p)), tolerance, fmt.Sprintf("operand %d", i))
	}
	for mask := range all {
		tape2, loss2, leaves := onFresh(t, table, g, operands, mask)
		require.Equal(t, bitsOf(loss.Data), bitsOf(loss2.Data), "value, parameters %b", mask)
		for i, x := range leaves {
			if mask>>i&1 == 0 {
				require.Nil(t, tape2.Grad(x).Data, "operand %d is a constant", i)
				continue
			}
			require.Equal(t, bitsOf(values(tape.Grad(params[i]))), bitsOf(values(tape2.Grad(x))), "operand %d, parameters %b", i, mask)
		}
	}
	for i, m := range operands {
		require.Equal(t, before[i], m.Data, "operand %d was written", i)
	}
}
