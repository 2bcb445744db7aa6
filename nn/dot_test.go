package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// dotOf adds up along the middle one of three axes of each operand: [before, size, behind] of x and of y.
func dotOf(x, y []float64, size int, beforeX, behindX, beforeY, behindY int) (z []float64) {
	for i := range beforeX {
		for j := range behindX {
			for k := range beforeY {
				for l := range behindY {
					sum := 0.0
					for s := range size {
						sum += x[(i*size+s)*behindX+j] * y[(k*size+s)*behindY+l]
					}
					z = append(z, sum)
				}
			}
		}
	}
	return z
}

var dotCase = layerCase{
	name: "Dot",
	make: func(o ...LayerOption) *Layer { return Dot(1, -2, o...) },
	in:   []Shape{{3, 2}, {2, 3, 2}},
	want: func(in [][]float64, _ map[string][]float64) []float64 {
		return dotOf(in[0], in[1], 3, 1, 2, 2, 2)
	},
	wrong: [][]Shape{{{3, 2}}, {{3, 2}, {2, 4, 2}}, {{3, 2}, {3}}, {{3}, {3}, {3}}},
}

var dotOfVectorsCase = layerCase{
	name: "Dot/vectors",
	make: func(o ...LayerOption) *Layer { return Dot(-1, -1, o...) },
	in:   []Shape{{4}, {4}},
	want: func(in [][]float64, _ map[string][]float64) []float64 {
		return dotOf(in[0], in[1], 4, 1, 1, 1, 1)
	},
	wrong: [][]Shape{{{4}}, {{4}, {3}}},
}

var dotCosineCase = layerCase{
	name: "Dot/cosine",
	make: func(o ...LayerOption) *Layer { return Dot(1, 1, append(o, Normalize())...) },
	in:   []Shape{{3, 2}, {3}},
	want: func(in [][]float64, _ map[string][]float64) (y []float64) {
		length := func(x []float64) float64 { return math.Sqrt(dotOf(x, x, len(x), 1, 1, 1, 1)[0]) }
		for j, v := range dotOf(in[0], in[1], 3, 1, 2, 1, 1) {
			y = append(y, v/length([]float64{in[0][j], in[0][2+j], in[0][4+j]})/length(in[1]))
		}
		return y
	},
	wrong: [][]Shape{{{4}}, {{4}, {3}}},
}

func TestDot(t *testing.T) {
	x, y := Input("x", 3, 4, 5), Input("y", 5, 3)
	for _, c := range []struct {
		a, b int
		want Shape
	}{{3, 1, Shape{3, 4, 3}}, {-1, 1, Shape{3, 4, 3}}, {1, 2, Shape{4, 5, 5}}, {-3, -1, Shape{4, 5, 5}}} {
		require.Equal(t, c.want, Dot(c.a, c.b).On(x, y).Shape())
	}
	require.ErrorContains(t, Dot(0, 1).On(x, y).err, "axis 0 of input 0, (3, 4, 5): valid are 1 to 3, and -1 to -3 from behind")
	require.ErrorContains(t, Dot(1, 3).On(x, y).err, "axis 3 of input 1, (5, 3): valid are 1 to 2")
	require.ErrorContains(t, Dot(2, 1).On(x, y).err, "axis 2 of input 0, (3, 4, 5), and axis 1 of input 1, (5, 3), must be of one size")
	require.ErrorContains(t, Flatten(Normalize()).On(y).err, "does not take Normalize")
	require.ErrorContains(t, New(&dot{Axes: axes{1, 1, 1}}).On(x, y).err, "must be one for both inputs or one for each")
}
