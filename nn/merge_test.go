package nn

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// mergeCases are those of layerCases.
var mergeCases = []layerCase{
	{
		name: "Concatenate/first axis",
		make: func(o ...LayerOption) *Layer { return Concatenate(append(o, Axis(1))...) },
		in:   []Shape{{2, 3}, {1, 3}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return slices.Concat(in[0], in[1])
		},
		wrong: [][]Shape{{{2, 3}, {3, 2}}, {{3}, {2, 3}}},
	},
	{
		name: "Concatenate/middle axis",
		make: func(o ...LayerOption) *Layer { return Concatenate(append(o, Axis(-2))...) },
		in:   []Shape{{2, 1, 2}, {2, 2, 2}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return slices.Concat(in[0][:2], in[1][:4], in[0][2:], in[1][4:])
		},
		wrong: [][]Shape{{{2, 1, 2}, {2, 1, 3}}, {{3}, {3}}},
	},
	mergeCase("Subtract", Subtract, 2, func(a, b float64) float64 { return a - b }),
	mergeCase("Maximum", Maximum, 3, func(a, b float64) float64 { return max(a, b) }),
	mergeCase("Minimum", Minimum, 3, func(a, b float64) float64 { return min(a, b) }),
	{
		name: "Average",
		make: Average,
		in:   []Shape{{2, 3}, {2, 3}, {2, 3}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return eachValue(combined(in, func(a, b float64) float64 { return a + b }), func(v float64) float64 { return v / 3 })
		},
		wrong: [][]Shape{{{3}}, {{3}, {4}}},
	},
	{
		name: "Multiply/repeated axes",
		make: Multiply,
		in:   []Shape{{2, 1, 3}, {3, 1}, {1}},
		want: func(in [][]float64, _ map[string][]float64) (y []float64) {
			for i := range 2 * 3 * 3 {
				y = append(y, in[0][i/9*3+i%3]*in[1][i/3%3]*in[2][0])
			}
			return y
		},
		wrong: [][]Shape{{{3}}, {{3}, {4}}, {{2, 3}, {3, 3}}},
	},
}

func mergeCase(name string, layer func(...LayerOption) *Layer, n int, f func(a, b float64) float64) layerCase {
	return layerCase{
		name:  name,
		make:  layer,
		in:    []Shape{{2, 3}, {2, 3}, {2, 3}}[:n],
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return combined(in, f) },
		wrong: [][]Shape{{{3}}, {{3}, {4}}},
	}
}

// Along the axis of the steps masks are joined, too; an input without one counts as a whole.
func TestConcatenateMask(t *testing.T) {
	a, b := Input("a", 2, 1), Input("b", 1, 1)
	data := Arrays{"a": Floats{5, -1, -1, 6}, "b": Floats{-1, 7}}
	masked := func(x *Node) *Node { return Masking(-1).On(x) }
	for _, c := range []struct {
		a, b *Node
		want []float32
	}{
		{masked(a), masked(b), []float32{1, 0, 0 /**/, 0, 1, 1}},
		{masked(a), b, []float32{1, 0, 1 /**/, 0, 1, 1}},
		{a, masked(b), []float32{1, 1, 0 /**/, 1, 1, 1}},
		{a, b, []float32{2, 2, 2 /**/, 2, 2, 2}}, // none
	} {
		mask, _ := maskOf(t, Concatenate(Axis(1)).On(c.a, c.b), []*Node{a, b}, data, 2)
		require.Equal(t, c.want, mask)
	}
}

func ExampleAverage() {
	a, b := Input("a", 2, 2), Input("b", 2) // b is repeated along the first axis
	m, err := NewModel([]*Node{a, b}, []*Node{
		Average(Name("average")).On(a, b), Subtract(Name("difference")).On(a, b),
		Maximum(Name("maximum")).On(a, b), Minimum(Name("minimum")).On(a, b),
		Concatenate(Axis(1), Name("joined")).On(a, RepeatVector(1).On(b)),
	})
	if err != nil {
		panic(err)
	}
	y, err := m.Predict(Arrays{"a": Floats{1, 2, 3, 4}, "b": Floats{3, 0}})
	if err != nil {
		panic(err)
	}
	for _, name := range m.OutputNames() {
		fmt.Println(name, y[name].Data)
	}
	// Output:
	// average [2 1 3 2]
	// difference [-2 2 0 4]
	// maximum [3 2 3 4]
	// minimum [1 0 3 0]
	// joined [1 2 3 4 3 0]
}
