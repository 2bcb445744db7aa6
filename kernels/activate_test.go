package kernels_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

var activations = map[kernels.Activation]func(float64) float64{
	kernels.Linear:  func(x float64) float64 { return x },
	kernels.ReLU:    func(x float64) float64 { return math.Max(x, 0) },
	kernels.Sigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	kernels.Tanh:    math.Tanh,
}

func TestActivationString(t *testing.T) {
	require.Equal(t, "linear relu sigmoid tanh Activation(4)",
		kernels.Linear.String()+" "+kernels.ReLU.String()+" "+kernels.Sigmoid.String()+" "+
			kernels.Tanh.String()+" "+kernels.Activation(4).String())
}

func TestActivate(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for act, f := range activations {
			t.Run("act="+act.String(), func(t *testing.T) {
				r := newRand(2)
				x, bias := r.matrix(6, 37, 1), r.floats(37)
				y := kernels.NewMatrix(6, 37)
				require.NoError(t, table.Activate(y, x, bias, act))
				for i := range x.Rows {
					want := make([]float64, x.Cols)
					for j, v := range x.Row(i) {
						want[j] = f(float64(v + bias[j]))
					}
					requireNear(t, want, y.Row(i), 2e-7)
				}
			})
		}
	})
}

func TestActivateGrad(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for act, f := range activations {
			t.Run("act="+act.String(), func(t *testing.T) {
				r := newRand(4)
				x, dy, before := r.matrix(6, 37, 1), r.matrix(6, 37, 2), r.matrix(6, 37, 0)
				for i := range x.Rows { // away from the kink of ReLU
					for j, v := range x.Row(i) {
						x.Row(i)[j] = v + float32(math.Copysign(1e-3, float64(v)))
					}
				}
				y, dx, start := kernels.NewMatrix(6, 37), kernels.NewMatrix(6, 37), r.floats(37)
				dbias := append([]float32(nil), start...)
				require.NoError(t, table.Activate(y, x, nil, act))
				require.NoError(t, table.ActivateGrad(dx, dbias, dy, y, act, false))
				for i := range x.Rows {
					g := dy.Row(i)
					want := gradient(func(x []float64) float64 {
						sum := 0.0
						for j, v := range x {
							sum += float64(g[j]) * f(v)
						}
						return sum
					}, doubles(x.Row(i)))
					requireNear(t, want, dx.Row(i), 1e-6)
					for j, v := range dx.Row(i) {
						start[j] += v
					}
				}
				requireSameBits(t, start, dbias)

				sum := copyOf(before, 3)
				require.NoError(t, table.ActivateGrad(sum, nil, dy, y, act, true))
				requireCanaries(t, sum)
				require.NoError(t, table.Add(before, before, dx))
				requireSameMatrix(t, before, sum)
			})
		}
	})
}

func TestActivateSpecialValues(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		x := kernels.MatrixOf([]float32{nan, inf, -inf, 0, float32(math.Copysign(0, -1)), 1e-40, -1e-40}, 1, 7)
		want := map[kernels.Activation][]float32{
			kernels.ReLU:    {nan, inf, 0, 0, 0, 1e-40, 0},
			kernels.Sigmoid: {nan, 1, 0, 0.5, 0.5, 0.5, 0.5},
			kernels.Tanh:    {nan, 1, -1, 0, 0, 1e-40, -1e-40},
		}
		for act, w := range want {
			y := kernels.NewMatrix(1, 7)
			require.NoError(t, table.Activate(y, x, nil, act))
			for j := range w {
				require.True(t, w[j] == y.Data[j] || isNaN(w[j]) && isNaN(y.Data[j]),
					"%s(%v): want %v, got %v", act, x.Data[j], w[j], y.Data[j])
			}
		}

		// ReLU passes the gradient where the output is positive or NaN.
		y := kernels.MatrixOf([]float32{nan, 0, 2, inf}, 1, 4)
		dx, dy := kernels.NewMatrix(1, 4), kernels.MatrixOf([]float32{3, 3, 3, nan}, 1, 4)
		require.NoError(t, table.ActivateGrad(dx, nil, dy, y, kernels.ReLU, false))
		requireSameBits(t, []float32{3, 0, 3, nan}, dx.Data)
	})
}
