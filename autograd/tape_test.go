package autograd_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// everyOp applies each operation to a 2x3 tensor x and returns the results.
func everyOp(tape *autograd.Tape, x *autograd.Tensor) []*autograd.Tensor {
	y := kernels.NewMatrix(2, 3)
	zeros := tape.Const(y)
	labels := []int32{0, 1}
	a, probsA := tape.SoftmaxCrossEntropy(x, labels, nil)
	b, probsB := tape.SoftCrossEntropy(x, y, nil)
	c, probsC := tape.BinaryCrossEntropy(x, y, nil)
	normal, mean, variance := tape.BatchNorm(x, tape.Const(y.RowRange(0, 1)), nil, 1)
	return []*autograd.Tensor{
		tape.Dense(x, x, x, kernels.ReLU), tape.Dense(x, x, nil, kernels.ReLU), tape.Embedding(zeros, x), tape.Activate(x, kernels.Tanh),
		tape.Unary(x, gelu), tape.Softmax(x), tape.Reshape(x, 3, 2), tape.Reshape(x, 2, 3), tape.Concatenate(x, x), tape.Slice(x, 0, 2),
		tape.Add(x, x), tape.Multiply(x, x), tape.Maximum(x, x), tape.Minimum(x, x), tape.Repeat(x, 2), tape.Full(2, 3, 1), tape.Scale(x, 2), tape.Sum(x), tape.Mean(x), tape.RowSum(x),
		tape.Dropout(x, 0.5, rand.NewPCG(1, 1)), tape.Custom(swish{}, 2, 3, x, x), tape.Affine(x, tape.Const(y.RowRange(0, 1)), nil), a, probsA, b, probsB, c, probsC,
		tape.ClippedCrossEntropy(x, labels, nil), tape.ClippedSoftCrossEntropy(x, y, nil),
		tape.ClippedBinaryCrossEntropy(x, y, nil), tape.MeanSquaredError(x, y, nil), tape.MeanAbsoluteError(x, y, nil),
		tape.CustomLoss(logCosh{}, x, ops.Target{Values: y}, nil), normal, mean, variance, tape.RMSNorm(x, tape.Const(y.RowRange(0, 1)), 1),
	}
}

func TestErrors(t *testing.T) {
	matrix := kernels.NewMatrix
	table := kernels.Default()
	foreign := autograd.NewTape(table).Const(matrix(2, 3))
	rng := rand.NewPCG(1, 1)
	nan := math.NaN()
	type tape = autograd.Tape
	cases := []struct {
		name  string
		shape bool // the error wraps ErrShape
		want  string
		run   func(t *tape, x *autograd.Tensor) // x is 2x3
	}{
		{"Const/negative", true, "-1x3", func(t *tape, x *autograd.Tensor) { t.Const(matrix(-1, 3)) }},
		{"Const/short", true, "2x3", func(t *tape, x *autograd.Tensor) { t.Const(kernels.MatrixOf(make([]float32, 5), 2, 3)) }},
		{"Param/stride", true, "stride 2", func(t *tape, x *autograd.Tensor) {
			t.Param(kernels.Matrix{Data: make([]float32, 9), Rows: 2, Cols: 3, Stride: 2})
		}},
		{"Param/overflow", true, "elements", func(t *tape, x *autograd.Tensor) {
			t.Param(kernels.MatrixOf(make([]float32, 9), math.MaxInt/2+1, 2))
		}},
		{"Const/used", true, "0 elements", func(t *tape, x *autograd.Tensor) { t.Slice(t.Const(kernels.MatrixOf(nil, 2, 3)), 1, 2) }},

		{"Dense/inner", true, "Gemm", func(t *tape, x *autograd.Tensor) { t.Dense(x, x, nil, kernels.ReLU) }},
		{"Dense/long bias", true, "bias", func(t *tape, x *autograd.Tensor) {
			t.Dense(x, t.Param(matrix(3, 2)), t.Param(matrix(1, 3)), kernels.ReLU)
		}},
		{"Dense/empty bias", true, "bias", func(t *tape, x *autograd.Tensor) {
			t.Dense(x, t.Param(matrix(3, 2)), t.Param(matrix(1, 0)), kernels.ReLU)
		}},
		{"Dense/bias of two rows", true, "bias", func(t *tape, x *autograd.Tensor) {
			t.Dense(x, t.Param(matrix(3, 2)), t.Param(matrix(2, 2)), kernels.ReLU)
		}},
		{"Dense/activation", false, "activation", func(t *tape, x *autograd.Tensor) { t.Dense(x, t.Param(matrix(3, 2)), nil, 99) }},
		{"Dense/nil x", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Dense(nil, x, nil, kernels.ReLU) }},
		{"Dense/nil w", false, "operand 1", func(t *tape, x *autograd.Tensor) { t.Dense(x, nil, nil, kernels.ReLU) }},
		{"Dense/foreign w", false, "operand 1", func(t *tape, x *autograd.Tensor) { t.Dense(x, foreign, nil, kernels.ReLU) }},
		{"Dense/foreign b", false, "operand", func(t *tape, x *autograd.Tensor) {
			t.Dense(x, t.Param(matrix(3, 2)), foreign, kernels.ReLU)
		}},
		{"Embedding/too large", false, "row 1, column 0 is 2, valid are whole numbers from 0 to 1", func(t *tape, x *autograd.Tensor) {
			t.Embedding(t.Const(kernels.MatrixOf([]float32{1, 2}, 2, 1)), x)
		}},
		{"Embedding/not whole", false, "row 0, column 1 is 0.5", func(t *tape, x *autograd.Tensor) {
			t.Embedding(t.Const(kernels.MatrixOf([]float32{1, 0.5}, 1, 2)), x)
		}},
		{"Embedding/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Embedding(nil, x) }},
		{"Embedding/foreign w", false, "operand 1", func(t *tape, x *autograd.Tensor) { t.Embedding(x, foreign) }},
		{"Activate/activation", false, "activation", func(t *tape, x *autograd.Tensor) { t.Activate(x, 99) }},
		{"Activate/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Activate(nil, kernels.ReLU) }},
		{"Softmax/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Softmax(nil) }},
		{"Reshape/count", true, "4x2", func(t *tape, x *autograd.Tensor) { t.Reshape(x, 4, 2) }},
		{"Reshape/fewer", true, "1x2", func(t *tape, x *autograd.Tensor) { t.Reshape(x, 1, 2) }},
		{"Reshape/negative", true, "-2x-3", func(t *tape, x *autograd.Tensor) { t.Reshape(x, -2, -3) }},
		{"Reshape/negative columns", true, "0x-3", func(t *tape, x *autograd.Tensor) { t.Reshape(t.Slice(x, 0, 0), 0, -3) }},
		{"Reshape/overflow", true, "cannot become", func(t *tape, x *autograd.Tensor) {
			t.Reshape(t.Slice(x, 0, 0), math.MaxInt/2+1, 4)
		}},
		{"Reshape/strided", true, "stride 3", func(t *tape, x *autograd.Tensor) { t.Reshape(t.Param(matrix(2, 3).Columns(0, 2)), 4, 1) }},
		{"Reshape/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Reshape(nil, 1, 1) }},
		{"Concatenate/nothing", false, "at least one", func(t *tape, x *autograd.Tensor) { t.Concatenate() }},
		{"Concatenate/rows", true, "3x1", func(t *tape, x *autograd.Tensor) { t.Concatenate(x, t.Param(matrix(3, 1))) }},
		{"Concatenate/nil", false, "operand 2", func(t *tape, x *autograd.Tensor) { t.Concatenate(x, x, nil) }},
		{"Slice/before", true, "-1 to 2", func(t *tape, x *autograd.Tensor) { t.Slice(x, -1, 2) }},
		{"Slice/behind", true, "0 to 4", func(t *tape, x *autograd.Tensor) { t.Slice(x, 0, 4) }},
		{"Slice/reversed", true, "2 to 1", func(t *tape, x *autograd.Tensor) { t.Slice(x, 2, 1) }},
		{"Slice/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Slice(nil, 0, 1) }},
		{"Add/shape", true, "Add", func(t *tape, x *autograd.Tensor) { t.Add(x, t.Param(matrix(3, 2))) }},
		{"Add/broadcast", true, "Add", func(t *tape, x *autograd.Tensor) { t.Add(x, t.Param(matrix(1, 3))) }},
		{"Add/nil", false, "operand 1", func(t *tape, x *autograd.Tensor) { t.Add(x, nil) }},
		{"Add/foreign", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Add(foreign, x) }},
		{"Multiply/shape", true, "Mul", func(t *tape, x *autograd.Tensor) { t.Multiply(x, t.Param(matrix(2, 4))) }},
		{"Multiply/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Multiply(nil, x) }},
		{"Scale/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Scale(nil, 1) }},
		{"Sum/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Sum(nil) }},
		{"Mean/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Mean(nil) }},
		{"RowSum/foreign", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.RowSum(foreign) }},
		{"Dropout/negative rate", false, "rate -0.1", func(t *tape, x *autograd.Tensor) { t.Dropout(x, -0.1, rng) }},
		{"Dropout/rate one", false, "rate 1", func(t *tape, x *autograd.Tensor) { t.Dropout(x, 1, rng) }},
		{"Dropout/rate NaN", false, "rate NaN", func(t *tape, x *autograd.Tensor) { t.Dropout(x, nan, rng) }},
		{"Dropout/no source", false, "source", func(t *tape, x *autograd.Tensor) { t.Dropout(x, 0.5, nil) }},
		{"Dropout/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Dropout(nil, 0.5, rng) }},
		{"SoftmaxCrossEntropy/label too large", false, "row 1 has label 3", func(t *tape, x *autograd.Tensor) {
			t.SoftmaxCrossEntropy(x, []int32{0, 3}, nil)
		}},
		{"SoftmaxCrossEntropy/negative label", false, "row 0 has label -1", func(t *tape, x *autograd.Tensor) {
			t.SoftmaxCrossEntropy(x, []int32{-1, 3}, nil)
		}},
		{"SoftmaxCrossEntropy/few labels", true, "labels", func(t *tape, x *autograd.Tensor) {
			t.SoftmaxCrossEntropy(x, []int32{0}, nil)
		}},
		{"ClippedCrossEntropy/label", false, "row 1 has label 3", func(t *tape, x *autograd.Tensor) {
			t.ClippedCrossEntropy(x, []int32{0, 3}, nil)
		}},
		{"Backward/nil", false, "Backward: operand 0", func(t *tape, x *autograd.Tensor) { _ = t.Backward(nil) }},
		{"Backward/foreign", false, "Backward: operand 0", func(t *tape, x *autograd.Tensor) { _ = t.Backward(foreign) }},
		{"Backward/matrix", false, "the loss is 2x3", func(t *tape, x *autograd.Tensor) { _ = t.Backward(x) }},
		{"Backward/row", false, "the loss is 1x3", func(t *tape, x *autograd.Tensor) { _ = t.Backward(t.Const(matrix(1, 3))) }},
		{"Backward/empty", false, "the loss is 0x1", func(t *tape, x *autograd.Tensor) {
			_ = t.Backward(t.RowSum(t.Const(matrix(0, 3))))
		}},
		{"foreign zero tensor", false, "operand 0", func(t *tape, x *autograd.Tensor) { t.Scale(&autograd.Tensor{}, 1) }},
	}
	for _, name := range losses {
		labels := []int32{0, 1}
		cases = append(cases, []struct {
			name  string
			shape bool
			want  string
			run   func(t *tape, x *autograd.Tensor)
		}{
			{name + "/nil", false, "operand 0", func(t *tape, x *autograd.Tensor) {
				lossOf(t, name, nil, target{labels: labels, values: matrix(2, 3)})
			}},
			{name + "/weights", true, "weights", func(t *tape, x *autograd.Tensor) {
				lossOf(t, name, x, target{labels: labels, values: matrix(2, 3), weights: make([]float32, 3)})
			}},
		}...)
		if name != "SoftmaxCrossEntropy" && name != "ClippedCrossEntropy" && name != "logCosh" && name != "negative" {
			cases = append(cases, cases[0])
			last := &cases[len(cases)-1]
			last.name, last.want = name+"/targets", "3x2"
			last.run = func(t *tape, x *autograd.Tensor) { lossOf(t, name, x, target{values: matrix(3, 2)}) }
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tape := autograd.NewTape(table)
			x := tape.Param(newRand(1).positive(2, 3, 0))
			c.run(tape, x)
			err := tape.Err()
			require.ErrorContains(t, err, c.want)
			if c.shape {
				require.ErrorIs(t, err, kernels.ErrShape)
			}

			// The error sticks, and nothing happens any more.
			for i, y := range everyOp(tape, x) {
				require.Equal(t, kernels.Matrix{}, y.Matrix, "operation %d", i)
				require.Equal(t, kernels.Matrix{}, tape.Grad(y), "operation %d", i)
				for _, z := range everyOp(tape, y) {
					require.Same(t, y, z)
				}
				require.Equal(t, err, tape.Backward(y))
			}
			tape.Softmax(nil)
			tape.Const(matrix(-1, -1))
			require.Equal(t, err, tape.Err())

			tape.Reset()
			require.NoError(t, tape.Err())
			p := tape.Param(newRand(1).positive(2, 3, 0))
			require.NoError(t, tape.Backward(tape.Sum(p)))
			require.Equal(t, []float32{1, 1, 1, 1, 1, 1}, tape.Grad(p).Data)
		})
	}
}

// A tensor from before a Reset is an error, not a view of recycled memory.
func TestStaleTensors(t *testing.T) {
	tape := autograd.NewTape(nil)
	p := tape.Param(kernels.NewMatrix(2, 3))
	y := tape.Softmax(p)
	tape.Reset()
	require.Equal(t, autograd.Tensor{}, *p)
	tape.Scale(y, 2)
	require.ErrorContains(t, tape.Err(), "not on this tape")

	tape.Reset() // the first tensor would be the first one again
	require.Equal(t, kernels.Matrix{}, tape.Grad(p))
	tape.Scale(p, 2)
	require.ErrorContains(t, tape.Err(), "not on this tape")
}

// Labels are those of one step: after Reset operations have none.
func TestLabelEndsWithReset(t *testing.T) {
	tape := autograd.NewTape(nil)
	tape.Label(7)
	tape.Reset()
	times := make([]time.Duration, 1)
	tape.TimeBackward(times)
	require.NoError(t, tape.Backward(tape.Sum(tape.Softmax(tape.Param(newRand(1).normal(99, 99, 0))))))
	require.Positive(t, times[0])
}

// The rows of a sum are added in float64.
func TestSumOfManyRows(t *testing.T) {
	tape := autograd.NewTape(nil)
	x := kernels.MatrixOf([]float32{1 << 24, 1, 1}, 3, 1)
	require.Equal(t, float32(1<<24+2), tape.Sum(tape.Const(x)).Data[0])
}

// No rows and no columns are legal: the gradients are zero, and the mean is NaN.
func TestEmpty(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range [][2]int{{0, 0}, {0, 3}, {2, 0}} {
			y := target{values: kernels.NewMatrix(s[0], s[1]), labels: make([]int32, s[0])}
			graphs := gradientCases(s[0], max(s[1], 1))
			for _, name := range losses {
				graphs = append(graphs, gradientCase{name, 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return lossOf(c, name, p[0], y) }})
			}
			for _, g := range graphs {
				t.Run(g.op+"/"+shapeName(s[0], s[1]), func(t *testing.T) {
					tape := autograd.NewTape(table)
					p := make([]*ops.Tensor, g.operands)
					for i := range p {
						p[i] = tape.Param(kernels.NewMatrix(s[0], s[1]))
					}
					loss := g.graph(tape, p)
					if tape.Err() != nil { // there is no first column, or no label
						require.Zero(t, s[1])
						return
					}
					require.NoError(t, tape.Backward(loss))
					for _, x := range p {
						require.Equal(t, s, [2]int{tape.Grad(x).Rows, tape.Grad(x).Cols})
					}
				})
			}
			t.Run("Mean of nothing/"+shapeName(s[0], s[1]), func(t *testing.T) {
				tape := autograd.NewTape(table)
				p := tape.Param(kernels.NewMatrix(s[0], s[1]))
				mean := tape.Mean(p)
				require.True(t, math.IsNaN(float64(mean.Data[0])))
				require.NoError(t, tape.Backward(mean))
			})
		}
		for _, s := range []struct{ m, k, n int }{{0, 3, 2}, {4, 0, 2}, {4, 3, 0}, {0, 0, 0}} {
			for _, act := range activations {
				t.Run("Dense/"+act.String()+"/"+shapeName(s.m, s.n), func(t *testing.T) {
					r := newRand(1)
					tape := autograd.NewTape(table)
					x, w, b := tape.Param(r.normal(s.m, s.k, 0)), tape.Param(r.normal(s.k, s.n, 0)), tape.Param(r.normal(1, s.n, 0))
					require.NoError(t, tape.Backward(tape.Sum(tape.Dense(x, w, b, act))))
					require.Equal(t, make([]float32, s.m*s.k), values(tape.Grad(x)))
					require.Equal(t, make([]float32, s.k*s.n), values(tape.Grad(w)))
					require.Equal(t, [2]int{1, s.n}, [2]int{tape.Grad(b).Rows, tape.Grad(b).Cols})
					if s.m == 0 {
						require.Equal(t, make([]float32, s.n), values(tape.Grad(b)))
					}
				})
			}
		}
	})
}

func TestNewTapeTakesTheDefault(t *testing.T) {
	a, b := autograd.NewTape(nil), autograd.NewTape(kernels.Default())
	x := newRand(1).normal(3, 5, 0)
	require.Equal(t, bitsOf(b.Softmax(b.Const(x)).Data), bitsOf(a.Softmax(a.Const(x)).Data))
}

// Backward can run again: for the same loss it gives the same bits, and for another one what it gives on a tape of its own.
func TestBackwardOfEachTask(t *testing.T) {
	r := newRand(77)
	x, w, table, labels, numbers := r.normal(5, 3, 0), r.normal(3, 4, 0), r.normal(6, 3, 0), r.labels(5, 4), r.normal(5, 4, 0)
	eachTable(t, func(t *testing.T, level *kernels.Table) {
		type result struct{ w, table []float32 }
		tape := autograd.NewTape(level)
		var weights, embeddings *autograd.Tensor
		tasks := func() (label, number *autograd.Tensor) {
			weights, embeddings = tape.Param(w), tape.Param(table)
			rows := tape.Embedding(tape.Const(r.indices(5, 1, 6, 0)), embeddings)
			trunk := tape.Dense(tape.Dropout(tape.Add(tape.Const(x), rows), 0.3, rand.NewPCG(1, 2)), weights, nil, kernels.Sigmoid)
			label, _ = tape.SoftmaxCrossEntropy(trunk, labels, nil)
			number = tape.MeanSquaredError(tape.Scale(trunk, 2), numbers, nil)
			return tape.Scale(label, 3), number
		}
		walk := func(loss *autograd.Tensor) result {
			require.NoError(t, tape.Backward(loss))
			return result{slices.Clone(values(tape.Grad(weights))), slices.Clone(values(tape.Grad(embeddings)))}
		}
		r = newRand(78)
		label, number := tasks()
		first, second := walk(label), walk(number)
		require.NotEqual(t, first, second)
		require.Equal(t, first, walk(label), "a third walk")
		require.Equal(t, second, walk(number), "a fourth walk")
		tape.Reset()
		r = newRand(78)
		_, number = tasks()
		require.Equal(t, second, walk(number), "alone")
		unused := tape.Sum(tape.Const(x))
		require.NoError(t, tape.Backward(unused))
		require.Equal(t, kernels.Matrix{}, tape.Grad(weights), "no path")
	})
}

// A gradient arrives in the memory that ParamInto is given, with the bits that it has elsewhere, in every walk.
func TestParamInto(t *testing.T) {
	x, memory := kernels.MatrixOf([]float32{0.1, 0.9, 0.3, 0.6, 0.2, 0.4}, 2, 3), make([]float32, 6)
	for name, op := range map[string]func(tape *autograd.Tape, p *autograd.Tensor) *autograd.Tensor{
		"given":    func(tape *autograd.Tape, p *autograd.Tensor) *autograd.Tensor { return tape.Scale(p, 3) },
		"lent":     func(tape *autograd.Tape, p *autograd.Tensor) *autograd.Tensor { return tape.Add(p, p) },
		"computed": func(tape *autograd.Tape, p *autograd.Tensor) *autograd.Tensor { return tape.Softmax(p) },
		"several": func(tape *autograd.Tape, p *autograd.Tensor) *autograd.Tensor {
			return tape.Multiply(p, tape.Unary(p, gelu))
		},
		"a part":  func(tape *autograd.Tape, p *autograd.Tensor) *autograd.Tensor { return tape.Slice(p, 1, 2) },
		"no part": func(tape *autograd.Tape, p *autograd.Tensor) *autograd.Tensor { return tape.Param(x) },
		"weights": func(tape *autograd.Tape, p *autograd.Tensor) *autograd.Tensor {
			return tape.Dense(tape.Const(x), tape.Reshape(p, 3, 2), nil, kernels.Tanh)
		},
	} {
		t.Run(name, func(t *testing.T) {
			gradient := func(param func(tape *autograd.Tape) *autograd.Tensor, walks int) kernels.Matrix {
				tape := autograd.NewTape(nil)
				p := param(tape)
				loss := tape.Sum(op(tape, p))
				for range walks {
					require.NoError(t, tape.Backward(loss))
				}
				return tape.Grad(p)
			}
			want := gradient(func(tape *autograd.Tape) *autograd.Tensor { return tape.Param(x) }, 1)
			for walks := 1; walks <= 2; walks++ {
				got := gradient(func(tape *autograd.Tape) *autograd.Tensor { return tape.ParamInto(x, memory) }, walks)
				require.Equal(t, want.Data, got.Data, "%d walks", walks)
				if len(got.Data) > 0 {
					require.Same(t, &memory[0], &got.Data[0])
				}
			}
		})
	}
	tape := autograd.NewTape(nil)
	tape.ParamInto(x, memory[:5])
	require.EqualError(t, tape.Err(), "autograd: ParamInto: 5 elements for the gradient of a 2x3 parameter: shape mismatch")
}
