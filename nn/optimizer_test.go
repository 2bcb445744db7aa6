package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Three steps of a constant gradient, beside the formulas of the documentation in float64.
func TestOptimizerFormulas(t *testing.T) {
	const rate, g, start = 0.1, 3.0, 50.0
	nesterov := momentum(rate)
	nesterov.Nesterov = true
	for _, c := range []struct {
		name      string
		optimizer Optimizer
		step      func(n, w float64, m, v *float64) float64
	}{
		{"sgd", SGD(rate), func(_, w float64, _, _ *float64) float64 { return w - rate*g }},
		{"momentum", momentum(rate), func(_, w float64, m, _ *float64) float64 {
			*m = 0.9**m - rate*g
			return w + *m
		}},
		{"nesterov", nesterov, func(_, w float64, m, _ *float64) float64 {
			*m = 0.9**m - rate*g
			return w + 0.9**m - rate*g
		}},
		{"adam", Adam(rate), func(n, w float64, m, v *float64) float64 {
			*m, *v = 0.9**m+0.1*g, 0.999**v+0.001*g*g
			return w - rate*math.Sqrt(1-math.Pow(0.999, n))/(1-math.Pow(0.9, n))**m/(math.Sqrt(*v)+1e-7)
		}},
		{"rmsprop", RMSprop(rate), func(_, w float64, _, v *float64) float64 {
			*v = 0.9**v + 0.1*g*g
			return w - rate*g/math.Sqrt(*v+1e-7)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			model, w, m, v := plain(t, start, c.optimizer), start, 0.0, 0.0
			for n := range 3 {
				_, err := model.TrainOnBatch(point(g, 0))
				require.NoError(t, err)
				w = c.step(float64(n+1), w, &m, &v)
				require.InDelta(t, w, model.Weights()[0].Data[0], 2e-5, "step %d", n)
			}
		})
	}
}
