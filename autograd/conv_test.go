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

// under calls do with each place of each image, element and channel, and with the value there, nil outside of the image.
func under(x mat, w *kernels.Window, do func(row, element, channel int, v *float64)) {
	for row := range x.rows * w.Places() {
		for e := range w.Size[0] * w.Size[1] {
			place := row % w.Places()
			i := place/w.Out[1]*w.Stride[0] + e/w.Size[1]*w.Dilation[0] - w.Before[0]
			j := place%w.Out[1]*w.Stride[1] + e%w.Size[1]*w.Dilation[1] - w.Before[1]
			for c := range w.Channels {
				var v *float64
				if i >= 0 && i < w.In[0] && j >= 0 && j < w.In[1] {
					v = &x.row(row / w.Places())[(i*w.In[1]+j)*w.Channels+c]
				}
				do(row, e, c, v)
			}
		}
	}
}

func (r *reference) Patches(x *ops.Tensor, w kernels.Window) *ops.Tensor {
	y := newMat(x.Rows*w.Places(), w.Elements())
	under(r.of(x), &w, func(row, e, c int, v *float64) {
		if v != nil {
			y.row(row)[e*w.Channels+c] = *v
		}
	})
	return r.tensor(y)
}

func (r *reference) Conv(x, weights, b *ops.Tensor, w kernels.Window, act kernels.Activation) *ops.Tensor {
	return r.Dense(r.Patches(x, w), weights, b, act)
}

func (r *reference) Depthwise(x, weights, b *ops.Tensor, w kernels.Window, act kernels.Activation) *ops.Tensor {
	y := newMat(x.Rows*w.Places(), w.Channels)
	for i := range y.v {
		if b != nil {
			y.v[i] = r.of(b).v[i%w.Channels]
		}
	}
	under(r.of(x), &w, func(row, e, c int, v *float64) {
		if v != nil {
			y.row(row)[c] += *v * r.of(weights).row(e)[c]
		}
	})
	return r.Activate(r.noted(y), act)
}

func (r *reference) MaxPool(x *ops.Tensor, w kernels.Window) *ops.Tensor {
	y := newMat(x.Rows*w.Places(), w.Channels)
	for i := range y.v {
		y.v[i] = math.Inf(-1)
	}
	under(r.of(x), &w, func(row, _, c int, v *float64) {
		if v != nil {
			if !math.IsInf(y.row(row)[c], -1) {
				r.kink(y.row(row)[c] - *v)
			}
			y.row(row)[c] = max(y.row(row)[c], *v)
		}
	})
	return r.noted(y)
}

func (r *reference) AveragePool(x *ops.Tensor, w kernels.Window) *ops.Tensor {
	y, n := newMat(x.Rows*w.Places(), w.Channels), newMat(x.Rows*w.Places(), w.Channels)
	under(r.of(x), &w, func(row, _, c int, v *float64) {
		if v != nil {
			y.row(row)[c] += *v
			n.row(row)[c]++
		}
	})
	for i := range y.v {
		y.v[i] /= max(n.v[i], 1)
	}
	return r.tensor(y)
}

var windows = []kernels.Window{
	{In: [2]int{4, 3}, Channels: 2, Size: [2]int{3, 2}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Before: [2]int{1, 0}, Out: [2]int{4, 3}},
	{In: [2]int{1, 7}, Channels: 1, Size: [2]int{1, 3}, Stride: [2]int{1, 2}, Dilation: [2]int{1, 2}, Before: [2]int{0, 2}, Out: [2]int{1, 4}},
}

func TestWindowGradients(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for i, w := range windows {
			r, image := newRand(4), w.In[0]*w.In[1]*w.Channels
			x, weights, bias := r.normal(2, image, i), r.normal(w.Elements(), 3, i), r.normal(1, 3, 0)
			each, shifts := r.normal(w.Size[0]*w.Size[1], w.Channels, 0), r.normal(1, w.Channels, 0)
			for name, test := range map[string]struct {
				run      graph
				operands []kernels.Matrix
			}{
				"Patches":     {func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Patches(p[0], w) }, []kernels.Matrix{x}},
				"MaxPool":     {func(c calc, p []*ops.Tensor) *ops.Tensor { return c.MaxPool(p[0], w) }, []kernels.Matrix{x}},
				"AveragePool": {func(c calc, p []*ops.Tensor) *ops.Tensor { return c.AveragePool(p[0], w) }, []kernels.Matrix{x}},
				"Conv": {func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Conv(p[0], p[1], p[2], w, kernels.Tanh) },
					[]kernels.Matrix{x, weights, bias}},
				"Conv/no bias": {func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Conv(p[0], p[1], nil, w, kernels.Linear) },
					[]kernels.Matrix{x, weights}},
				"Depthwise": {func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Depthwise(p[0], p[1], p[2], w, kernels.Sigmoid) },
					[]kernels.Matrix{x, each, shifts}},
				"Depthwise/no bias": {func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Depthwise(p[0], p[1], nil, w, kernels.Linear) },
					[]kernels.Matrix{x, each}},
			} {
				t.Run(fmt.Sprintf("op=%s/window=%d", name, i), func(t *testing.T) {
					checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, test.run(c, p)) }, test.operands)
				})
			}
		}
	})
}

// Sums over a large batch are made of parts, see TestLargeBatch.
func TestWindowsOfALargeBatch(t *testing.T) {
	const images = 2*autograd.RowsPerSum + 1
	w := kernels.Window{In: [2]int{1, 1}, Channels: 1, Size: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Out: [2]int{1, 1}}
	up, x := kernels.NewMatrix(images, 1), kernels.NewMatrix(images, 1)
	for i := range up.Data {
		up.Data[i], x.Data[i] = 1, 1
	}
	up.Data[0] = 1 << 24
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, conv := range []func(t *autograd.Tape, x, w, b *autograd.Tensor, v kernels.Window, act kernels.Activation) *autograd.Tensor{
			(*autograd.Tape).Conv, (*autograd.Tape).Depthwise,
		} {
			tape := autograd.NewTape(table)
			a, b, in := tape.Param(kernels.MatrixOf([]float32{1}, 1, 1)), tape.Param(kernels.NewMatrix(1, 1)), tape.Param(x)
			y := conv(tape, in, a, b, w, kernels.Linear)
			require.NoError(t, tape.Backward(tape.Sum(tape.Multiply(y, tape.Const(up)))))
			require.InDelta(t, 1<<24+autograd.RowsPerSum, tape.Grad(a).Data[0], 100)
			require.InDelta(t, 1<<24+autograd.RowsPerSum, tape.Grad(b).Data[0], 100)
			require.Equal(t, up.Data, tape.Grad(in).Data)
		}
	})
}

func TestWindowErrors(t *testing.T) {
	w := windows[0]
	x, weights, bias := kernels.NewMatrix(2, 24), kernels.NewMatrix(12, 3), kernels.NewMatrix(1, 3)
	wrong := w
	wrong.Stride[1] = 0
	many := w
	many.Out = [2]int{1 << 15, 1 << 15}
	for name, run := range map[string]func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor{
		"x": func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor {
			return t.Conv(w, w, b, windows[0], 0)
		},
		"w": func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor {
			return t.Conv(x, b, b, windows[0], 0)
		},
		"b": func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor {
			return t.Conv(x, w, x, windows[0], 0)
		},
		"depthwise": func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor {
			return t.Depthwise(x, w, b, windows[0], 0)
		},
		"window":    func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor { return t.MaxPool(x, wrong) },
		"too many":  func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor { return t.Conv(x, w, b, many, 0) },
		"too large": func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor { return t.Patches(x, many) },
		"other tape": func(t *autograd.Tape, x, w, b *autograd.Tensor) *autograd.Tensor {
			return t.AveragePool(new(autograd.Tensor), windows[0])
		},
	} {
		t.Run(name, func(t *testing.T) {
			tape := autograd.NewTape(nil)
			run(tape, tape.Const(x), tape.Const(weights), tape.Const(bias))
			require.Error(t, tape.Err())
		})
	}
}
