package autograd_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// exact is a Function that says, too, what it computes in float64.
type exact interface {
	ops.Function
	exactly(y mat, x []mat)
}

func (r *reference) Custom(f ops.Function, rows, cols int, x ...*ops.Tensor) *ops.Tensor {
	var in []mat
	for _, x := range x {
		in = append(in, r.of(x))
	}
	y := newMat(rows, cols)
	f.(exact).exactly(y, in)
	return r.noted(y)
}

// swish is x·sigmoid(β·x) with a parameter β for each column.
type swish struct{}

func (swish) Name() string { return "swish" }

func (swish) exactly(y mat, x []mat) {
	for i, v := range x[0].v {
		y.v[i] = v * sigmoid(x[1].v[i%y.cols]*v)
	}
}

func (swish) Forward(y kernels.Matrix, x []kernels.Matrix) error {
	beta := x[1].Row(0)
	for i := range y.Rows {
		for j, v := range x[0].Row(i) {
			y.Row(i)[j] = float32(float64(v) * sigmoid(float64(beta[j])*float64(v)))
		}
	}
	return nil
}

func (swish) Backward(dx []kernels.Matrix, dy, y kernels.Matrix, x []kernels.Matrix) error {
	beta := x[1].Row(0)
	for i := range y.Rows {
		for j, v := range x[0].Row(i) {
			b, x, g := float64(beta[j]), float64(v), float64(dy.Row(i)[j])
			s := sigmoid(b * x)
			if dx[0].Data != nil {
				dx[0].Row(i)[j] = float32(g * (s + b*x*s*(1-s)))
			}
			if dx[1].Data != nil {
				dx[1].Row(0)[j] += float32(g * x * x * s * (1 - s))
			}
		}
	}
	return nil
}

// products is, for each row, the sum over the columns of a·b, and one row of the result takes two of the operands.
type products struct{}

func (products) Name() string { return "products" }

func (products) exactly(y mat, x []mat) {
	for i := range x[0].rows {
		for j, v := range x[0].row(i) {
			y.row(i / 2)[i%2] += v * x[1].row(i)[j]
		}
	}
}

func (products) Forward(y kernels.Matrix, x []kernels.Matrix) error {
	for i := range y.Rows {
		clear(y.Row(i))
	}
	for i := range x[0].Rows {
		for j, v := range x[0].Row(i) {
			y.Row(i / 2)[i%2] += v * x[1].Row(i)[j]
		}
	}
	return nil
}

func (products) Backward(dx []kernels.Matrix, dy, y kernels.Matrix, x []kernels.Matrix) error {
	for k, d := range dx {
		if d.Data == nil {
			continue
		}
		for i := range d.Rows {
			for j, v := range x[1-k].Row(i) {
				d.Row(i)[j] = dy.Row(i / 2)[i%2] * v
			}
		}
	}
	return nil
}

// exactLoss is a LossFunction that says, too, what the loss of a row is in float64.
type exactLoss interface {
	ops.LossFunction
	exactly(row []float64, label int32, value []float64) float64
}

func (r *reference) CustomLoss(f ops.LossFunction, x *ops.Tensor, y ops.Target, weights []float32) *ops.Tensor {
	return r.loss(x, weights, func(row []float64, i, j int) float64 {
		if j > 0 {
			return 0
		}
		if y.Labels != nil {
			return f.(exactLoss).exactly(row, y.Labels[i], nil)
		}
		return f.(exactLoss).exactly(row, 0, matOf(y.Values).row(i))
	})
}

// logCosh is, for each row, the sum of log cosh(pred - value). It is like half the square near zero, and like the distance
// far off.
type logCosh struct{}

func (logCosh) exactly(row []float64, _ int32, value []float64) float64 {
	sum := 0.0
	for j, v := range row {
		sum += math.Log(math.Cosh(v - value[j]))
	}
	return sum
}

func (logCosh) Rows(loss []float32, grad, pred kernels.Matrix, y ops.Target, weights []float32) error {
	if y.Values.Cols != pred.Cols {
		return fmt.Errorf("values have %d columns, pred has %d", y.Values.Cols, pred.Cols)
	}
	for i := range pred.Rows {
		for j, v := range pred.Row(i) {
			d := float64(v) - float64(y.Values.Row(i)[j])
			loss[i] += float32(math.Log(math.Cosh(d)))
			if grad.Data != nil {
				grad.Row(i)[j] = weights[i] * float32(math.Tanh(d))
			}
		}
	}
	return nil
}

// negative is minus the value at the label: its gradient is zero but there.
type negative struct{}

func (negative) exactly(row []float64, label int32, _ []float64) float64 { return -row[label] }

func (negative) Rows(loss []float32, grad, pred kernels.Matrix, y ops.Target, weights []float32) error {
	for i, label := range y.Labels {
		if label < 0 || int(label) >= pred.Cols {
			return fmt.Errorf("row %d has label %d", i, label)
		}
		loss[i] = -pred.Row(i)[label]
		if grad.Data != nil {
			grad.Row(i)[label] = -weights[i]
		}
	}
	return nil
}

// customCases are those of gradientCases.
func customCases(rows, cols int) []gradientCase {
	beta := newRand(40).normal(1, cols, 1)
	return []gradientCase{
		{"Custom", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Custom(swish{}, rows, cols, p[0], c.Const(beta)))
		}},
		{"Custom/other rows", 2, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Custom(products{}, (rows+1)/2, 2, p[0], p[1]))
		}},
		{"Custom/same", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Custom(products{}, (rows+1)/2, 2, p[0], p[0]))
		}},
	}
}

// A parameter gets the sum of all rows.
func TestCustomParameter(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range shapes {
			t.Run("op=Custom/"+shapeName(s[0], s[1]), func(t *testing.T) {
				r := newRand(41)
				checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
					h := c.Custom(swish{}, s[0], s[1], c.Scale(p[0], 0.5), p[1])
					return weighted(c, c.Add(h, c.Custom(swish{}, s[0], s[1], h, p[1])))
				}, []kernels.Matrix{r.normal(s[0], s[1], 2), r.normal(1, s[1], 0)})
			})
		}
	})
}

func TestCustomLossErrors(t *testing.T) {
	tape := autograd.NewTape(nil)
	matrix := kernels.NewMatrix
	for want, c := range map[string]struct {
		f       ops.LossFunction
		y       ops.Target
		weights []float32
	}{
		"CustomLoss: the function is nil":             {nil, ops.Target{}, nil},
		"CustomLoss: 0 labels and 0 rows of values":   {logCosh{}, ops.Target{}, nil},
		"CustomLoss: 1 labels and 0 rows of values":   {negative{}, ops.Target{Labels: []int32{1}}, nil},
		"CustomLoss: 0 labels and 3 rows of values":   {logCosh{}, ops.Target{Values: matrix(3, 3)}, nil},
		"CustomLoss: 2 labels and 2 rows of values":   {logCosh{}, ops.Target{Labels: []int32{1, 1}, Values: matrix(2, 3)}, nil},
		"CustomLoss: 1 labels and 1 rows of values":   {logCosh{}, ops.Target{Labels: []int32{1}, Values: matrix(1, 3)}, nil},
		"a 2x3 matrix (stride 3) of 1 elements":       {logCosh{}, ops.Target{Values: kernels.MatrixOf([]float32{1}, 2, 3)}, nil},
		"CustomLoss: 1 weights for 2 rows":            {logCosh{}, ops.Target{Values: matrix(2, 3)}, []float32{1}},
		"CustomLoss: values have 2 columns, pred has": {logCosh{}, ops.Target{Values: matrix(2, 2)}, nil},
		"CustomLoss: row 1 has label 3":               {negative{}, ops.Target{Labels: []int32{0, 3}}, nil},
	} {
		tape.Reset()
		loss := tape.CustomLoss(c.f, tape.Param(matrix(2, 3)), c.y, c.weights)
		require.ErrorContains(t, tape.Backward(loss), want)
	}
	tape.Reset()
	tape.CustomLoss(logCosh{}, nil, ops.Target{}, nil)
	require.ErrorContains(t, tape.Err(), "CustomLoss: operand 0 is not on this tape")
}

// failing is a Function with errors.
type failing struct{ forward, backward error }

func (failing) Name() string                                     { return "failing" }
func (f failing) Forward(kernels.Matrix, []kernels.Matrix) error { return f.forward }
func (f failing) Backward(_ []kernels.Matrix, _, _ kernels.Matrix, _ []kernels.Matrix) error {
	return f.backward
}

func TestCustomErrors(t *testing.T) {
	tape := autograd.NewTape(nil)
	wrong := errors.New("wrong")
	for want, call := range map[string]func(x *ops.Tensor) *ops.Tensor{
		"Custom: failing: wrong":                   func(x *ops.Tensor) *ops.Tensor { return tape.Custom(failing{forward: wrong}, 2, 3, x) },
		"Custom: backward of failing: wrong":       func(x *ops.Tensor) *ops.Tensor { return tape.Custom(failing{backward: wrong}, 2, 3, x) },
		"operand 1 is not on this tape":            func(x *ops.Tensor) *ops.Tensor { return tape.Custom(failing{}, 2, 3, x, nil) },
		"needs a function":                         func(x *ops.Tensor) *ops.Tensor { return tape.Custom(nil, 2, 3, x) },
		"at least one operand":                     func(x *ops.Tensor) *ops.Tensor { return tape.Custom(failing{}, 2, 3) },
		"failing: a result of -1x3":                func(x *ops.Tensor) *ops.Tensor { return tape.Custom(failing{}, -1, 3, x) },
		"failing: a result of 2x-3":                func(x *ops.Tensor) *ops.Tensor { return tape.Custom(failing{}, 2, -3, x) },
		fmt.Sprintf("result of %dx2", math.MaxInt): func(x *ops.Tensor) *ops.Tensor { return tape.Custom(failing{}, math.MaxInt, 2, x) },
	} {
		tape.Reset()
		y := call(tape.Param(kernels.NewMatrix(2, 3)))
		require.ErrorContains(t, tape.Backward(tape.Sum(y)), want)
		require.ErrorContains(t, tape.Err(), want, "sticks")
	}
	tape.Reset()
	tape.Custom(failing{forward: wrong}, 2, 3, tape.Const(kernels.NewMatrix(2, 3)))
	require.ErrorIs(t, tape.Err(), wrong)
}

// Neither a recorded call nor one that needs no gradient allocates in a steady loop.
func TestCustomAllocatesNothing(t *testing.T) {
	r, tape := newRand(42), autograd.NewTape(nil)
	x, beta := r.normal(4, 6, 0), r.normal(1, 6, 0)
	var f ops.Function = swish{}
	in := make([]*ops.Tensor, 2)
	step := func() {
		tape.Reset()
		in[0], in[1] = tape.Const(x), tape.Const(beta)
		in[0], in[1] = tape.Custom(f, 4, 6, in...), tape.Param(beta)
		if err := tape.Backward(tape.Sum(tape.Custom(f, 4, 6, in...))); err != nil {
			panic(err)
		}
	}
	step()
	step()
	require.Zero(t, testing.AllocsPerRun(20, step))
}

// A loss adds to zeros, also in memory that an earlier step has used.
func TestCustomLossInUsedMemory(t *testing.T) {
	r, tape := newRand(43), autograd.NewTape(nil)
	x, y := r.normal(4, 6, 1), ops.Target{Values: r.normal(4, 6, 1)}
	first := tape.CustomLoss(logCosh{}, tape.Param(x), y, nil).Data[0]
	for range 2 {
		tape.Reset()
		tape.Poison()
		require.Equal(t, first, tape.CustomLoss(logCosh{}, tape.Param(x), y, nil).Data[0])
	}
}
