package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var permuteCase = layerCase{
	name: "Permute",
	make: func(o ...LayerOption) *Layer { return Permute([]int{2, 3, 1}, o...) },
	in:   []Shape{{2, 3, 2}},
	want: func(in [][]float64, _ map[string][]float64) (y []float64) {
		for b := range 3 {
			for c := range 2 {
				for a := range 2 {
					y = append(y, in[0][(a*3+b)*2+c])
				}
			}
		}
		return y
	},
	wrong: [][]Shape{{{2, 3}}, {{2, 3, 2}, {2, 3, 2}}},
}

func TestPermute(t *testing.T) {
	x := Input("x", 2, 3)
	require.Equal(t, Shape{3, 2}, Permute([]int{2, 1}).On(x).Shape())
	for _, dims := range [][]int{nil, {1}, {1, 1}, {0, 1}, {1, 3}, {1, 2, 3}} {
		require.ErrorContains(t, Permute(dims).On(x).err, "must have each of the axes 1 to 2 of the input (2, 3) once")
	}
}
