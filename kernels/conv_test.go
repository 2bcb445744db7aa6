package kernels_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// windows have edges, strides, dilations, cut edges, windows larger than images and one for many.
var windows = []kernels.Window{
	{In: [2]int{5, 6}, Channels: 3, Size: [2]int{3, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Before: [2]int{1, 1}, Out: [2]int{5, 6}},
	{In: [2]int{1, 7}, Channels: 2, Size: [2]int{1, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 2}, Before: [2]int{0, 4}, Out: [2]int{1, 7}},
	{In: [2]int{6, 5}, Channels: 1, Size: [2]int{2, 3}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}, Before: [2]int{0, 1}, Out: [2]int{3, 3}},
	{In: [2]int{4, 9}, Channels: 20, Size: [2]int{2, 2}, Stride: [2]int{3, 4}, Dilation: [2]int{2, 1}, Before: [2]int{0, 0}, Out: [2]int{1, 2}},
	{In: [2]int{2, 2}, Channels: 4, Size: [2]int{5, 7}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Before: [2]int{2, 3}, Out: [2]int{2, 2}},
	{In: [2]int{4, 5}, Channels: 3, Size: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Before: [2]int{-1, 2}, Out: [2]int{2, 8}},
	{In: [2]int{20, 21}, Channels: 33, Size: [2]int{3, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Before: [2]int{1, 1}, Out: [2]int{20, 21}},
}

// eachWindow runs a test for every table, window and number of images, with gaps between the images.
func eachWindow(t *testing.T, test func(t *testing.T, table *kernels.Table, w *kernels.Window, x kernels.Matrix)) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for i, w := range windows {
			for _, images := range []int{1, 3} {
				t.Run(fmt.Sprint(i, "/images=", images), func(t *testing.T) {
					test(t, table, &w, newRand(uint64(i)).matrix(images, w.In[0]*w.In[1]*w.Channels, i%3))
				})
			}
		}
	})
}

// eachUnder calls do with every value of the window at every place: its row and column among the patches, and where it is in
// the row of its image, -1 for outside.
func eachUnder(w *kernels.Window, images int, do func(image, row, col, at int)) {
	for row := range images * w.Places() {
		place := row % w.Places()
		for col := range w.Elements() {
			element, channel := col/w.Channels, col%w.Channels
			y := place/w.Out[1]*w.Stride[0] + element/w.Size[1]*w.Dilation[0] - w.Before[0]
			x := place%w.Out[1]*w.Stride[1] + element%w.Size[1]*w.Dilation[1] - w.Before[1]
			at := -1
			if y >= 0 && y < w.In[0] && x >= 0 && x < w.In[1] {
				at = (y*w.In[1]+x)*w.Channels + channel
			}
			do(row/w.Places(), row, col, at)
		}
	}
}

func patchesOf(w *kernels.Window, x kernels.Matrix) kernels.Matrix {
	y := kernels.NewMatrix(x.Rows*w.Places(), w.Elements())
	eachUnder(w, x.Rows, func(image, row, col, at int) {
		if at >= 0 {
			y.Row(row)[col] = x.Row(image)[at]
		}
	})
	return y
}

func TestPatches(t *testing.T) {
	eachWindow(t, func(t *testing.T, table *kernels.Table, w *kernels.Window, x kernels.Matrix) {
		y := guarded(x.Rows*w.Places(), w.Elements(), 2)
		require.NoError(t, table.Patches(y, x, w))
		requireSameMatrix(t, patchesOf(w, x), y)
		requireCanaries(t, y)
	})
}

// whole returns small whole numbers, with which sums are exact in any order.
func whole(m kernels.Matrix) kernels.Matrix {
	for i := range m.Rows {
		for j := range m.Row(i) {
			m.Row(i)[j] = float32(int(4 * m.Row(i)[j]))
		}
	}
	return m
}

func TestPatchesGrad(t *testing.T) {
	eachWindow(t, func(t *testing.T, table *kernels.Table, w *kernels.Window, dx kernels.Matrix) {
		dy := whole(newRand(3).matrix(dx.Rows*w.Places(), w.Elements(), 1))
		for _, accumulate := range []bool{false, true} {
			want := copyOf(whole(dx), 0)
			if !accumulate {
				clear(want.Data)
			}
			eachUnder(w, dx.Rows, func(image, row, col, at int) {
				if at >= 0 {
					want.Row(image)[at] += dy.Row(row)[col]
				}
			})
			require.NoError(t, table.PatchesGrad(dx, dy, w, accumulate))
			requireSameMatrix(t, want, dx)
		}
		requireCanaries(t, dx)
	})
}

func TestConv(t *testing.T) {
	pool := kernels.NewPool(3)
	defer pool.Close()
	eachWindow(t, func(t *testing.T, table *kernels.Table, w *kernels.Window, x kernels.Matrix) {
		const filters = 18
		r := newRand(5)
		patches, weights, bias := patchesOf(w, x), r.matrix(w.Elements(), filters, 0), r.floats(filters)
		var packed, transposed kernels.PackedB
		require.NoError(t, table.Pack(&packed, weights, bias))
		require.NoError(t, table.Pack(&transposed, transposeOf(weights), nil))
		dy := r.matrix(patches.Rows, filters, 1)
		for _, scratch := range []*kernels.Scratch{nil, {}, {Pool: pool}} {
			want, y := kernels.NewMatrix(patches.Rows, filters), guarded(patches.Rows, filters, 3)
			require.NoError(t, table.Dense(nil, want, patches, &packed, kernels.Tanh))
			require.NoError(t, table.Conv(scratch, y, x, w, &packed, kernels.Tanh))
			requireSameMatrix(t, want, y)
			requireCanaries(t, y)

			for _, accumulate := range []bool{false, true} {
				dw := copyOf(weights, 2)
				wantW := copyOf(weights, 0)
				require.NoError(t, table.GemmTN(nil, wantW, patches, dy, kernels.Epilogue{Accumulate: accumulate}))
				require.NoError(t, table.ConvWeightsGrad(scratch, dw, x, dy, w, accumulate))
				requireSameMatrix(t, wantW, dw)
				requireCanaries(t, dw)

				d, dx, wantX := kernels.NewMatrix(patches.Rows, patches.Cols), copyOf(x, 1), copyOf(x, 0)
				require.NoError(t, table.Dense(nil, d, dy, &transposed, kernels.Linear))
				require.NoError(t, table.PatchesGrad(wantX, d, w, accumulate))
				require.NoError(t, table.ConvInputGrad(scratch, dx, dy, w, &transposed, accumulate))
				requireNear(t, float64s(wantX), compact(dx), 1e-4)
				// an image alone
				one := kernels.NewMatrix(1, dx.Cols)
				copy(one.Data, x.Row(x.Rows-1))
				require.NoError(t, table.ConvInputGrad(scratch, one, dy.RowRange(dy.Rows-w.Places(), dy.Rows), w, &transposed, accumulate))
				requireSameBits(t, one.Data, dx.Row(dx.Rows-1))
				requireCanaries(t, dx)
			}
		}
	})
}

func transposeOf(m kernels.Matrix) kernels.Matrix {
	t := kernels.NewMatrix(m.Cols, m.Rows)
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			t.Row(j)[i] = v
		}
	}
	return t
}

func compact(m kernels.Matrix) []float32 { return copyOf(m, 0).Data }

func float64s(m kernels.Matrix) (x []float64) {
	for _, v := range compact(m) {
		x = append(x, float64(v))
	}
	return x
}

// BenchmarkConv is a convolution of 3x3 on images of 28x28x16 with 32 filters, beside the product of its patches.
func BenchmarkConv(b *testing.B) {
	w := kernels.Window{In: [2]int{28, 28}, Channels: 16, Size: [2]int{3, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Before: [2]int{1, 1}, Out: [2]int{28, 28}}
	const filters = 32
	for name, table := range tables() {
		for _, images := range []int{1, 32} {
			r := newRand(1)
			x, y := r.matrix(images, 28*28*16, 0), r.matrix(images*w.Places(), filters, 0)
			weights, patches := r.matrix(w.Elements(), filters, 0), patchesOf(&w, x)
			dw, dx := kernels.NewMatrix(weights.Rows, filters), kernels.NewMatrix(images, x.Cols)
			var packed, transposed kernels.PackedB
			require.NoError(b, table.Pack(&packed, weights, r.floats(filters)))
			require.NoError(b, table.Pack(&transposed, transposeOf(weights), nil))
			var s kernels.Scratch
			for _, op := range []struct {
				name string
				run  func() error
			}{
				{"fwd", func() error { return table.Conv(&s, y, x, &w, &packed, kernels.ReLU) }},
				{"dense", func() error { return table.Dense(&s, y, patches, &packed, kernels.ReLU) }},
				{"dw", func() error { return table.ConvWeightsGrad(&s, dw, x, y, &w, false) }},
				{"dx", func() error { return table.ConvInputGrad(&s, dx, y, &w, &transposed, false) }},
			} {
				b.Run(fmt.Sprintf("op=%s/isa=%s/batch=%d", op.name, name, images), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := op.run(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(2*float64(y.Rows*filters*w.Elements())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
