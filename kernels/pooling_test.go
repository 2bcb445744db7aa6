package kernels_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// columnsUnder returns, for each place and channel, where the values under the window are in the row of their image.
func columnsUnder(w *kernels.Window, images int) [][]int {
	all := make([][]int, images*w.Places()*w.Channels)
	eachUnder(w, images, func(_, row, col, at int) {
		if i := row*w.Channels + col%w.Channels; at >= 0 {
			all[i] = append(all[i], at)
		}
	})
	return all
}

func TestMaxPool(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachWindow(t, func(t *testing.T, table *kernels.Table, w *kernels.Window, x kernels.Matrix) {
		under := columnsUnder(w, x.Rows)
		x = whole(x) // has values that are equal
		y := guarded(x.Rows*w.Places(), w.Channels, 2)
		dy, dx := whole(newRand(2).matrix(y.Rows, y.Cols, 1)), whole(newRand(9).matrix(x.Rows, x.Cols, 1))
		for _, accumulate := range []bool{true, false} {
			wantY, wantX := kernels.NewMatrix(y.Rows, y.Cols), copyOf(dx, 0)
			if !accumulate {
				clear(wantX.Data)
			}
			for i, all := range under {
				row, top := i/w.Channels, -inf
				image, first := row/w.Places(), -1
				for _, at := range all {
					if v := x.Row(image)[at]; v > top {
						top, first = v, at
					}
				}
				wantY.Data[i] = top
				if first >= 0 {
					wantX.Row(image)[first] += dy.Row(row)[i%w.Channels]
				}
			}
			require.NoError(t, table.MaxPool(nil, y, x, w))
			requireSameMatrix(t, wantY, y)
			require.NoError(t, table.MaxPoolGrad(nil, dx, dy, x, y, w, accumulate))
			requireSameMatrix(t, wantX, dx)
		}
		requireCanaries(t, y)
		requireCanaries(t, dx)
		// A NaN is in all places under which it lies, and nowhere else.
		at := x.Cols / 2
		x.Row(0)[at] = nan
		require.NoError(t, table.MaxPool(new(kernels.Scratch), y, x, w))
		for i, all := range under {
			row := i / w.Channels
			require.Equal(t, row < w.Places() && slices.Contains(all, at), isNaN(y.Row(row)[i%w.Channels]))
		}
	})
}

func TestAveragePool(t *testing.T) {
	eachWindow(t, func(t *testing.T, table *kernels.Table, w *kernels.Window, x kernels.Matrix) {
		y := guarded(x.Rows*w.Places(), w.Channels, 2)
		dy, dx := newRand(2).matrix(y.Rows, y.Cols, 1), newRand(9).matrix(x.Rows, x.Cols, 1)
		for _, accumulate := range []bool{true, false} {
			wantY, wantX := make([]float64, y.Rows*y.Cols), float64s(dx)
			if !accumulate {
				clear(wantX)
			}
			for i, all := range columnsUnder(w, x.Rows) {
				row := i / w.Channels
				image := row / w.Places()
				for _, at := range all {
					wantY[i] += float64(x.Row(image)[at]) / float64(len(all))
					wantX[image*x.Cols+at] += float64(dy.Row(row)[i%w.Channels]) / float64(len(all))
				}
			}
			require.NoError(t, table.AveragePool(y, x, w))
			requireNear(t, wantY, compact(y), 1e-6)
			require.NoError(t, table.AveragePoolGrad(nil, dx, dy, w, accumulate))
			requireNear(t, wantX, compact(dx), 2e-6)
		}
		requireCanaries(t, y)
		requireCanaries(t, dx)
	})
}

func TestDepthwise(t *testing.T) {
	eachWindow(t, func(t *testing.T, table *kernels.Table, w *kernels.Window, x kernels.Matrix) {
		r := newRand(8)
		weights, bias := r.matrix(w.Size[0]*w.Size[1], w.Channels, 1), r.floats(w.Channels)
		y := guarded(x.Rows*w.Places(), w.Channels, 2)
		dy, dx, dw := r.matrix(y.Rows, y.Cols, 1), r.matrix(x.Rows, x.Cols, 1), r.matrix(weights.Rows, weights.Cols, 1)
		for _, accumulate := range []bool{true, false} {
			wantY, wantX, wantW := make([]float64, y.Rows*y.Cols), float64s(dx), float64s(dw)
			if !accumulate {
				clear(wantX)
			}
			for i := range wantY {
				wantY[i] = float64(bias[i%w.Channels])
			}
			eachUnder(w, x.Rows, func(image, row, col, at int) {
				if at < 0 {
					return
				}
				e, j := col/w.Channels, col%w.Channels
				wantY[row*w.Channels+j] += float64(x.Row(image)[at]) * float64(weights.Row(e)[j])
				wantX[image*x.Cols+at] += float64(dy.Row(row)[j]) * float64(weights.Row(e)[j])
				wantW[e*w.Channels+j] += float64(dy.Row(row)[j]) * float64(x.Row(image)[at])
			})
			for i := range wantY {
				wantY[i] = max(wantY[i], 0)
			}
			require.NoError(t, table.Depthwise(nil, y, x, w, weights, bias, kernels.ReLU))
			requireNear(t, wantY, compact(y), 4e-6)
			require.NoError(t, table.DepthwiseGrad(nil, dx, dw, dy, x, w, weights, accumulate))
			requireNear(t, wantX, compact(dx), 4e-6)
			requireNear(t, wantW, compact(dw), 2e-4)
		}
		requireCanaries(t, y)
		requireCanaries(t, dx)
		requireCanaries(t, dw)
	})
}
