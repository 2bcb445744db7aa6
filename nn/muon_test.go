package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// muonReference is one step of Muon with the first gradient, in float64.
func muonReference(g [][]float64, steps int) [][]float64 {
	product := func(a, b [][]float64) [][]float64 {
		c := make([][]float64, len(a))
		for i := range a {
			c[i] = make([]float64, len(b[0]))
			for k, v := range a[i] {
				for j := range c[i] {
					c[i][j] += v * b[k][j]
				}
			}
		}
		return c
	}
	transposed := func(a [][]float64) [][]float64 {
		c := make([][]float64, len(a[0]))
		for j := range c {
			for i := range a {
				c[j] = append(c[j], a[i][j])
			}
		}
		return c
	}
	norm, x := 0.0, make([][]float64, len(g))
	for i := range g {
		for _, v := range g[i] {
			norm += v * v
		}
	}
	for i := range g {
		for _, v := range g[i] {
			x[i] = append(x[i], v/math.Sqrt(norm))
		}
	}
	for range steps {
		a := product(x, transposed(x))
		aa := product(a, a)
		for i := range a {
			for j := range a {
				a[i][j] = -4.7750*a[i][j] + 2.0315*aa[i][j]
			}
		}
		y := product(a, x)
		for i := range x {
			for j := range x[i] {
				x[i][j] = 3.4445*x[i][j] + y[i][j]
			}
		}
	}
	return x
}

// Wide and tall matrices, beside float64: the first step of a gradient, without decay.
func TestMuon(t *testing.T) {
	for _, shape := range []Shape{{2, 2}, {3, 7}, {7, 3}, {40, 50}} {
		g, gradient := make([][]float64, shape[0]), make([]float32, shape.Elements())
		for i := range gradient {
			gradient[i] = float32(math.Sin(float64(i*i) + 1))
			g[i/shape[1]] = append(g[i/shape[1]], float64(gradient[i]))
		}
		o := Muon(0.1)
		o.WeightDecay = 0
		m, step := newGiven(t, o, [][]float32{make([]float32, shape.Elements())}, []Shape{shape})
		require.NoError(t, step([][]float32{gradient}))
		size := 0.1 * 0.2 * math.Sqrt(float64(max(shape[0], shape[1])))
		for i, row := range muonReference(g, 5) {
			for j, v := range row {
				require.InDelta(t, -size*v, m.Weights()[0].Row(i)[j], 1e-4*size, "%s", shape)
			}
		}
		require.Len(t, m.trainer.slots[0][0], shape.Elements())
		require.Nil(t, m.trainer.slots[0][1])
	}
}

// What Keras documents of one matrix, to the digits that it has.
func TestMuonKeras(t *testing.T) {
	o := Muon(1)
	o.work = &muonWork{}
	x, err := o.orthogonal(kernels.Default(), kernels.MatrixOf([]float32{0.2499, 0.9105, 0.2655, 0.8824}, 2, 2), kernels.NewMatrix(2, 2))
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{-0.4422, 0.6457, 0.7285, 0.2968}, float64s(x.Data), 1e-3)
}

// Which weights take the steps of Adam, and decay as those do.
func TestMuonExcludes(t *testing.T) {
	o := Muon(0.1)
	o.AdamWeightDecay, o.WeightDecay, o.ExcludeLayers = 0.5, 0.25, []string{"^last/"}
	for name, c := range map[string]struct {
		shape Shape
		adam  bool
	}{"h/kernel": {Shape{2, 3}, false}, "last/kernel": {Shape{2, 3}, true}, "h/bias": {Shape{3}, true}, "Embedding/x": {Shape{2, 3}, true}, "c/kernel": {Shape{1, 2, 3}, true}} {
		w := &Weight{Name: name, Shape: c.shape}
		require.Equal(t, c.adam, o.adam(w), name)
		require.Equal(t, map[bool]float64{true: 0.5, false: 0.25}[c.adam], o.decayOf(w), name)
		require.Equal(t, c.adam, o.SlotShape(1, w) != nil, name)
	}
	w := []float32{1, 2, 3, 4}
	m, step := newGiven(t, Muon(0.5), [][]float32{w}, []Shape{{4}})
	require.NoError(t, step([][]float32{{1, 6, 7, 2}}))
	for i, v := range m.Weights()[0].Data {
		require.InDelta(t, float64(w[i])*(1-0.5*0.004)-0.5, v, 1e-5)
	}
}
