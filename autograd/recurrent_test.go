package autograd_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Recurrent writes the cells out, unit by unit.
func (r *reference) Recurrent(x, u, b, mask *ops.Tensor, o ops.Recurrence) *ops.Tensor {
	units, n := u.Rows, u.Cols
	y := newMat(x.Rows, o.Steps*units)
	for row := range x.Rows {
		h, c := make([]float64, units), make([]float64, units)
		for i := range o.Steps {
			time := i
			if o.Backwards {
				time = o.Steps - 1 - i
			}
			if mask == nil || r.of(mask).row(row)[time] != 0 {
				in, sums := r.of(x).row(row)[time*n:][:n], make([]float64, n)
				for j := range sums {
					if b != nil {
						sums[j] = r.of(b).v[j]
					}
					for k, v := range h {
						sums[j] += v * r.of(u).row(k)[j]
					}
				}
				gate := func(k, j int) float64 { return in[k*units+j] + sums[k*units+j] }
				h = append([]float64(nil), h...)
				for j := range h {
					switch o.Cell {
					case ops.SimpleRNN:
						h[j] = math.Tanh(gate(0, j))
						if o.Act == kernels.ReLU {
							r.kink(gate(0, j))
							h[j] = max(gate(0, j), 0)
						}
					case ops.GRU:
						z, reset := sigmoid(gate(0, j)), sigmoid(gate(1, j))
						h[j] = z*h[j] + (1-z)*math.Tanh(in[2*units+j]+reset*sums[2*units+j])
					case ops.LSTM:
						c[j] = sigmoid(gate(1, j))*c[j] + sigmoid(gate(0, j))*math.Tanh(gate(2, j))
						h[j] = sigmoid(gate(3, j)) * math.Tanh(c[j])
					}
				}
			}
			copy(y.row(row)[time*units:], h)
		}
	}
	return r.noted(y)
}

func TestRecurrentGradients(t *testing.T) {
	masks := map[string]*kernels.Matrix{
		"none": nil,
		"some": {Data: []float32{1, 0, 1, 0, 0, 1, 1, 1, 0}, Rows: 3, Cols: 3, Stride: 3},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cell := range []ops.Cell{ops.SimpleRNN, ops.GRU, ops.LSTM} {
			for name, mask := range masks {
				for _, o := range []ops.Recurrence{
					{Cell: cell, Act: kernels.Tanh, Steps: 3}, {Cell: cell, Act: kernels.ReLU, Steps: 3, Backwards: true},
				} {
					t.Run(fmt.Sprintf("cell=%v/mask=%s/backwards=%v", cell, name, o.Backwards), func(t *testing.T) {
						const rows, units = 3, 4
						r, n := newRand(71), cell.Gates()*units
						small := func(m kernels.Matrix) kernels.Matrix {
							for i := range m.Rows {
								for j := range m.Row(i) {
									m.Row(i)[j] /= 2
								}
							}
							return m
						}
						operands := []kernels.Matrix{r.normal(rows, 3*n, 1), small(r.normal(units, n, 2)), r.normal(1, n, 0)}
						checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
							var m *ops.Tensor
							if mask != nil {
								m = c.Const(*mask)
							}
							h := c.Recurrent(p[0], p[1], p[2], m, o)
							return weighted(c, c.Add(h, c.Recurrent(p[0], p[1], nil, nil, o)))
						}, operands)
					})
				}
			}
		}
	})
}

// Sums over many steps do not stand still, see TestLargeBatch, and have each row once.
func TestRecurrentLargeBatch(t *testing.T) {
	const rows = autograd.RowsPerSum + 3
	x := kernels.NewMatrix(rows, 2)
	tape := autograd.NewTape(nil)
	u, b := tape.Param(kernels.NewMatrix(1, 1)), tape.Param(kernels.MatrixOf([]float32{1}, 1, 1))
	y := tape.Recurrent(tape.Const(x), u, b, nil, ops.Recurrence{Cell: ops.SimpleRNN, Steps: 2})
	require.NoError(t, tape.Backward(tape.Sum(y)))
	require.Equal(t, float32(rows), tape.Grad(u).Data[0], "the state 1 before each second step")
	require.Equal(t, float32(2*rows), tape.Grad(b).Data[0])
}

// Steps of training use the memory of those before.
func TestRecurrentAllocations(t *testing.T) {
	r := newRand(72)
	x, u, b := r.normal(4, 5*8, 0), r.normal(2, 8, 0), r.normal(1, 8, 0)
	tape := autograd.NewTape(nil)
	step := func() {
		tape.Reset()
		y := tape.Recurrent(tape.Param(x), tape.Param(u), tape.Param(b), nil, ops.Recurrence{Cell: ops.LSTM, Steps: 5})
		require.NoError(t, tape.Backward(tape.Sum(y)))
	}
	for range 3 {
		step()
	}
	require.Zero(t, testing.AllocsPerRun(10, step))
}

func TestRecurrentErrors(t *testing.T) {
	tape := autograd.NewTape(nil)
	o := ops.Recurrence{Cell: ops.LSTM, Steps: 2}
	for want, call := range map[string]func(x *ops.Tensor){
		"Recurrent: operand 1 is not on this tape":                                   func(x *ops.Tensor) { tape.Recurrent(x, nil, nil, nil, o) },
		"Recurrent: lstm of 2 steps: x is 3x16, u 3x16, b nil, the mask nil":         func(x *ops.Tensor) { tape.Recurrent(x, x, nil, nil, o) },
		"x must be [rows, steps·4·units], b [1, 4·units] and the mask [rows, steps]": func(x *ops.Tensor) { tape.Recurrent(x, x, x, nil, o) },
		"Recurrent: 0 steps, needs at least 1":                                       func(x *ops.Tensor) { tape.Recurrent(x, x, nil, nil, ops.Recurrence{}) },
	} {
		tape.Reset()
		call(tape.Param(kernels.NewMatrix(3, 16)))
		require.ErrorContains(t, tape.Err(), want)
	}
}
