package kernels_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Ten steps of each optimizer against Keras' formulas in float64.
func TestOptimizers(t *testing.T) {
	const lr, beta1, beta2, epsilon, rho, momentum = 0.01, 0.9, 0.999, 1e-7, 0.9, 0.8
	cases := []struct {
		name string
		// step updates the weights w and the states m and v in float32, keras in
		// float64; n counts from 1.
		step  func(t *kernels.Table, w, m, v, g []float32, n int) error
		keras func(w, m, v *float64, g float64, n int)
	}{
		{"SGD",
			func(t *kernels.Table, w, _, _, g []float32, _ int) error { return t.SGD(w, g, lr) },
			func(w, _, _ *float64, g float64, _ int) { *w -= g * lr }},
		{"Momentum",
			func(t *kernels.Table, w, m, _, g []float32, _ int) error {
				return t.Momentum(w, m, g, lr, momentum, false)
			},
			func(w, m, _ *float64, g float64, _ int) {
				*m = *m*momentum - g*lr
				*w += *m
			}},
		{"Nesterov",
			func(t *kernels.Table, w, m, _, g []float32, _ int) error {
				return t.Momentum(w, m, g, lr, momentum, true)
			},
			func(w, m, _ *float64, g float64, _ int) {
				*m = *m*momentum - g*lr
				*w += *m*momentum - g*lr
			}},
		{"Adam",
			func(t *kernels.Table, w, m, v, g []float32, n int) error {
				alpha := lr * math.Sqrt(1-math.Pow(beta2, float64(n))) / (1 - math.Pow(beta1, float64(n)))
				return t.Adam(w, m, v, g, float32(alpha), beta1, beta2, epsilon)
			},
			func(w, m, v *float64, g float64, n int) {
				alpha := lr * math.Sqrt(1-math.Pow(beta2, float64(n))) / (1 - math.Pow(beta1, float64(n)))
				*m += (g - *m) * (1 - beta1)
				*v += (g*g - *v) * (1 - beta2)
				*w -= *m * alpha / (math.Sqrt(*v) + epsilon)
			}},
		{"RMSprop",
			func(t *kernels.Table, w, _, v, g []float32, _ int) error { return t.RMSprop(w, v, g, lr, rho, epsilon) },
			func(w, _, v *float64, g float64, _ int) {
				*v = rho**v + (1-rho)*g*g
				*w -= lr * g / math.Sqrt(*v+epsilon)
			}},
		{"Adagrad",
			func(t *kernels.Table, w, _, v, g []float32, _ int) error { return t.Adagrad(w, v, g, lr, epsilon) },
			func(w, _, v *float64, g float64, _ int) {
				*v += g * g
				*w -= lr * g / math.Sqrt(*v+epsilon)
			}},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, c := range cases {
			for _, n := range []int{0, 1, 15, 16, 33, 100} {
				t.Run(c.name+"/"+shapeName(1, n), func(t *testing.T) {
					r := newRand(uint64(n))
					w, m, v := r.floats(n), make([]float32, n), make([]float32, n)
					w64, m64, v64 := doubles(w), doubles(m), doubles(v)
					for step := 1; step <= 10; step++ {
						g := r.floats(n)
						require.NoError(t, c.step(table, w, m, v, g, step))
						for j := range g {
							c.keras(&w64[j], &m64[j], &v64[j], float64(g[j]), step)
						}
					}
					requireNear(t, w64, w, 2e-6)
					requireNear(t, m64, m, 1e-6)
					requireNear(t, v64, v, 1e-6)
				})
			}
		}
	})
}

func TestOptimizerPropagatesNaN(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		w, m, v, g := []float32{1, 1}, make([]float32, 2), make([]float32, 2), []float32{0, nan}
		require.NoError(t, table.Adam(w, m, v, g, 0.1, 0.9, 0.999, 1e-7))
		requireSameBits(t, []float32{1, nan}, w)
	})
}
