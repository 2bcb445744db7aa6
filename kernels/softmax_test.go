package kernels_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

func softmax(x []float64) []float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		top = math.Max(top, v)
	}
	p := make([]float64, len(x))
	for j, v := range x {
		p[j] = math.Exp(v - top)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p
}

func TestSoftmax(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cols := range []int{1, 2, 7, 10, 15, 16, 17, 31, 32, 33, 100, 1000} {
			t.Run(shapeName(5, cols), func(t *testing.T) {
				r := newRand(uint64(cols))
				x, dy := r.matrix(5, cols, 3), r.matrix(5, cols, 0)
				require.NoError(t, table.Scale(x, x, 5))
				y, logs, dx := kernels.NewMatrix(5, cols), kernels.NewMatrix(5, cols), kernels.NewMatrix(5, cols)
				require.NoError(t, table.Softmax(y, x))
				require.NoError(t, table.LogSoftmax(logs, x))
				require.NoError(t, table.SoftmaxGrad(dx, dy, y, false))
				for i := range x.Rows {
					p := softmax(doubles(x.Row(i)))
					for j := range p {
						require.InEpsilon(t, p[j], float64(y.Row(i)[j]), 2e-6)
					}
					dot := 0.0
					for j, v := range p {
						dot += v * float64(dy.Row(i)[j])
					}
					grad := make([]float64, cols)
					for j, v := range p {
						grad[j] = v * (float64(dy.Row(i)[j]) - dot)
						p[j] = math.Log(v)
					}
					requireNear(t, p, logs.Row(i), 1e-6)
					requireNear(t, grad, dx.Row(i), 1e-6)
				}
				require.NoError(t, table.SoftmaxGrad(dx, dy, y, true))
				twice := kernels.NewMatrix(5, cols)
				require.NoError(t, table.SoftmaxGrad(twice, dy, y, false))
				require.NoError(t, table.Scale(twice, twice, 2))
				requireSameMatrix(t, twice, dx)
			})
		}
	})
}

func TestSoftmaxGradDifferences(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		r := newRand(9)
		x, dy := r.matrix(1, 23, 0), r.matrix(1, 23, 0)
		y, dx := kernels.NewMatrix(1, 23), kernels.NewMatrix(1, 23)
		require.NoError(t, table.Softmax(y, x))
		require.NoError(t, table.SoftmaxGrad(dx, dy, y, false))
		want := gradient(func(x []float64) float64 {
			sum := 0.0
			for j, p := range softmax(x) {
				sum += p * float64(dy.Data[j])
			}
			return sum
		}, doubles(x.Data))
		requireNear(t, want, dx.Data, 1e-6)
	})
}

func TestSoftmaxSpecialValues(t *testing.T) {
	cases := []struct {
		name         string
		x, probs, lg []float32
	}{
		{"masked", []float32{0, -inf, 0}, []float32{0.5, 0, 0.5}, []float32{-math.Ln2, -inf, -math.Ln2}},
		{"all masked", []float32{-inf, -inf}, []float32{nan, nan}, []float32{nan, nan}},
		{"nan", []float32{1, nan, -inf}, []float32{nan, nan, nan}, []float32{nan, nan, nan}},
		{"inf", []float32{1, inf}, []float32{nan, nan}, nil},
		{"far", []float32{0, -200}, []float32{1, 0}, []float32{0, -200}},
		{"large", []float32{3e38, 3e38}, []float32{0.5, 0.5}, []float32{-math.Ln2, -math.Ln2}},
		{"one", []float32{-7}, []float32{1}, []float32{0}},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				x := kernels.MatrixOf(c.x, 1, len(c.x))
				y := kernels.NewMatrix(1, len(c.x))
				require.NoError(t, table.Softmax(y, x))
				requireSameBits(t, c.probs, y.Data)
				require.NoError(t, table.LogSoftmax(y, x))
				if c.lg != nil {
					requireSameBits(t, c.lg, y.Data)
				}
			})
		}
	})
}
