package nn

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var layerNormCase = layerCase{
	name: "LayerNormalization",
	make: func(o ...LayerOption) *Layer { return LayerNormalization(append(o, Epsilon(0.01))...) },
	in:   []Shape{{2, 3}},
	want: func(in [][]float64, p map[string][]float64) (y []float64) {
		for v := range slices.Chunk(in[0], 3) {
			mean, variance := 0.0, 0.0
			for _, x := range v {
				mean += x / 3
			}
			for _, x := range v {
				variance += (x - mean) * (x - mean) / 3
			}
			for j, x := range v {
				y = append(y, (x-mean)/math.Sqrt(variance+0.01)*p["gamma"][j]+p["beta"][j])
			}
		}
		return y
	},
	wrong: [][]Shape{{{3}, {3}}},
}

// Keras 3.15.1 computed these numbers in float64 (LayerNormalization with its defaults, a row for each sample).
func TestLayerNormalizationOfKeras(t *testing.T) {
	x := Floats{1.09586954, 0.170377776, -0.0943205282, -0.34141472, -1.33756697, 0.309832633, 1.05150974, 0.137570381, 0.0467356443, -2.438555,
		-0.023910787, 0.478219569, -0.0615279749, 0.883880973, 0.304229379, -0.671459019, -0.299223095, 1.04727757, 0.760946929, -1.54539502}
	want := []float64{-0.250272369, 2.46382724, -1.97559258, -0.467333006, 1.67162994, -0.194020131, 2.73134498, -2.21664393, 0.523830776, 2.15046486,
		-0.123776808, 2.50931764, -0.958133289, 3.39134004, -0.507343159, -0.14478733, 2.26652226, -3.13723106, 2.04550252, 1.54090746}
	in := Input("x", 5)
	m, err := NewModel([]*Node{in}, []*Node{LayerNormalization(Name("norm")).On(in)})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 1, 1, 1, 1}, m.Weights()[0].Data)
	require.NoError(t, m.SetWeights(map[string][]float32{
		"norm/gamma": {-0.0507384539, 0.385897517, -0.934648514, 2.00184584, -1.41836965},
		"norm/beta":  {-0.173098266, 2.330585, -1.96717358, 0.143028423, -0.55578512},
	}))
	y, err := m.Predict(Arrays{"x": x})
	require.NoError(t, err)
	require.InDeltaSlice(t, want, float64s(y["norm"].Data), 1e-6)
}

func TestEpsilon(t *testing.T) {
	x := Input("x", 5)
	for _, epsilon := range []float64{0, -1, 1e-60, 1e39, math.NaN(), math.Inf(1)} {
		n := LayerNormalization(Epsilon(epsilon)).On(x)
		require.EqualError(t, n.err, fmt.Sprintf("epsilon %v must be positive and finite in float32", epsilon))
	}
	require.ErrorContains(t, Flatten(Epsilon(1)).On(x).err, "does not take Epsilon")
}

func ExampleLayerNormalization() {
	x := Input("x", 4)
	m, err := NewModel([]*Node{x}, []*Node{LayerNormalization(Name("y")).On(x)})
	if err != nil {
		panic(err)
	}
	y, err := m.Predict(Arrays{"x": Floats{1, 2, 3, 4}})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f\n", y["y"].Data)
	// Output: [-1.34 -0.45 0.45 1.34]
}
