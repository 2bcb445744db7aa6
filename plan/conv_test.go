package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

var image = kernels.Window{In: [2]int{4, 5}, Channels: 3, Size: [2]int{3, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Before: [2]int{1, 1}, Out: [2]int{4, 5}}

// A convolution takes in the scales and shifts behind it and then the activation, as a batch normalization has them.
func TestConvAbsorbs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := normal(r, 3, 60, 1)
	scale, shift := normal(r, 1, 8, 1), normal(r, 1, 8, 1)
	few, none := normal(r, 1, 3, 1), normal(r, 1, 3, 1)
	weights, each := normal(r, 27, 8, 0.3), normal(r, 9, 3, 0.3)
	steps, served, taped := both(t, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
		y := o.Depthwise(x, c(each), nil, image, kernels.Linear)
		y = o.Activate(o.Affine(y, c(few), c(none)), kernels.ReLU)
		y = o.Conv(o.Reshape(y, y.Rows/20, 60), c(weights), nil, image, kernels.Linear)
		return o.Reshape(o.Activate(o.Affine(y, c(scale), c(shift)), kernels.Tanh), y.Rows/20, 160)
	}, x)
	require.Len(t, steps, 2, "%v", steps)
	require.Contains(t, steps[0], "depthwise")
	require.Contains(t, steps[1], "conv")
	require.InDeltaSlice(t, taped, served, 1e-5)

	// With another use of what is scaled, or an activation before that, the steps stay.
	steps, served, taped = both(t, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
		y := o.Conv(x, c(weights), c(shift), image, kernels.ReLU)
		return o.Reshape(o.Affine(y, c(scale), nil), y.Rows/20, 160)
	}, x)
	require.Len(t, steps, 2)
	require.Equal(t, taped, served)
}

// Convolutions of constants are constants, too.
func TestConvOfConstants(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, constant := normal(r, 2, 160, 1), normal(r, 1, 60, 1)
	weights, bias := normal(r, 27, 8, 0.3), normal(r, 1, 8, 1)
	rec := NewRecorder()
	in := rec.Input("x", 160)
	y := rec.Reshape(rec.Conv(rec.Const(constant), rec.Const(weights), rec.Const(bias), image, kernels.Tanh), 1, 160)
	rec.Output("y", rec.Affine(in, y, nil))
	p, err := rec.Plan(Config{MaxBatch: 2})
	require.NoError(t, err)
	got, want, packed := make([]float32, 320), kernels.NewMatrix(20, 8), new(kernels.PackedB)
	require.NoError(t, p.Predict([][]float32{x.Data}, [][]float32{got}, 2))
	table := kernels.Default()
	require.NoError(t, table.Pack(packed, weights, bias.Data))
	require.NoError(t, table.Conv(nil, want, constant, &image, packed, kernels.Tanh))
	for i, v := range got {
		require.Equal(t, x.Data[i]*want.Data[i%160], v)
	}
}

func TestConvErrors(t *testing.T) {
	wrong := image
	wrong.Channels = 0
	for name, do := range map[string]func(r *Recorder, x, w, b *ops.Tensor){
		"w and b must be constants": func(r *Recorder, x, w, b *ops.Tensor) { r.Conv(x, x, b, image, 0) },
		"must have 27 rows":         func(r *Recorder, x, w, b *ops.Tensor) { r.Conv(x, b, b, image, 0) },
		"must have 9 rows":          func(r *Recorder, x, w, b *ops.Tensor) { r.Depthwise(x, w, b, image, 0) },
		"unknown activation":        func(r *Recorder, x, w, b *ops.Tensor) { r.Conv(x, w, b, image, 99) },
		"has 60 columns":            func(r *Recorder, x, w, b *ops.Tensor) { r.MaxPool(w, image) },
		"is not from 1 to":          func(r *Recorder, x, w, b *ops.Tensor) { r.AveragePool(x, wrong) },
		"is not of this recorder":   func(r *Recorder, x, w, b *ops.Tensor) { r.Patches(new(ops.Tensor), image) },
	} {
		r := NewRecorder()
		do(r, r.Input("x", 60), r.Const(kernels.NewMatrix(27, 8)), r.Const(kernels.NewMatrix(1, 8)))
		require.ErrorContains(t, r.Err(), name)
	}
}

// BenchmarkConv is a plan of one convolution of 3x3 on images of 28x28x16 with 32 filters.
func BenchmarkConv(b *testing.B) {
	w := kernels.Window{In: [2]int{28, 28}, Channels: 16, Size: [2]int{3, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Before: [2]int{1, 1}, Out: [2]int{28, 28}}
	r := rand.New(rand.NewPCG(1, 2))
	for _, batch := range []int{1, 32} {
		b.Run(fmt.Sprintf("lib=espalier/op=fwd/batch=%d", batch), func(b *testing.B) {
			rec := NewRecorder()
			rec.Output("y", rec.Conv(rec.Input("x", 28*28*16), rec.Const(normal(r, w.Elements(), 32, 0.1)), rec.Const(normal(r, 1, 32, 1)), w, kernels.ReLU))
			p, err := rec.Plan(Config{MaxBatch: batch})
			require.NoError(b, err)
			s := p.NewSession()
			copy(s.Input(0), normal(r, batch, 28*28*16, 1).Data)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Run(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(batch*2*w.Places()*w.Elements()*32)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
