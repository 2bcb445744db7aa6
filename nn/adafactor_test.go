package nn

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Numbers that Keras documents, to the digits that it has: steps larger than 1/sqrt(t), and of a matrix.
func TestAdafactorKeras(t *testing.T) {
	o := Adafactor(0.5)
	o.Decay, o.Epsilon1, o.Epsilon2, o.ClipThreshold = -0.65, 1e-15, 1e-4, 0.9
	m, step := newGiven(t, o, [][]float32{slices.Repeat([]float32{1}, 10)}, []Shape{{10}})
	g := slices.Repeat([]float32{0.01}, 10)
	for _, want := range [][2]float64{{0.55, 0.55}, {0.3031, 0.3024}, {0.1671, 0.1663}, {0.0923, 0.0914}, {0.0554, 0.0545}} { // the first and the last
		require.NoError(t, step([][]float32{g}))
		w := m.Weights()[0].Data
		require.InDelta(t, want[0], w[0], 5e-5)
		require.InDelta(t, want[1], w[9], 5e-5)
		g = []float32{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}
	}
	m, step = newGiven(t, Adafactor(0.5), [][]float32{{1, 2, 3, 4}}, []Shape{{2, 2}})
	require.NoError(t, step([][]float32{{1, 6, 7, 2}}))
	require.InDeltaSlice(t, []float64{0.7007, -0.0081, 1.2492, 3.4407}, float64s(m.Weights()[0].Data), 1e-4)
	require.Len(t, m.trainer.slots[0][0], 2)
	require.Nil(t, m.trainer.slots[0][2])
}

// A weight of more axes is a row of matrices, each on its own but for the norms.
func TestAdafactorMatrices(t *testing.T) {
	step := func(shape Shape, second float32) []float32 {
		g := []float32{1, 6, 7, 2, 3, 3, second, 6, 7, 2, 3, 3}
		m, step := newGiven(t, Adafactor(0.5), [][]float32{{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}}, []Shape{shape})
		require.NoError(t, step([][]float32{g}))
		return m.Weights()[0].Data
	}
	two := step(Shape{2, 2, 3}, 1)
	require.Equal(t, two[:6], two[6:])
	require.NotEqual(t, step(Shape{2, 2, 3}, 100), step(Shape{4, 3}, 100))
}
