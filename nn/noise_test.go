package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// noiseCases are those of layerCases.
var noiseCases = []layerCase{
	noiseCase("GaussianNoise", func(o ...LayerOption) *Layer { return GaussianNoise(0.3, o...) }),
	noiseCase("GaussianDropout", func(o ...LayerOption) *Layer { return GaussianDropout(0.3, o...) }),
	noiseCase("AlphaDropout", func(o ...LayerOption) *Layer { return AlphaDropout(0.3, o...) }),
	noiseCase("SpatialDropout1D", func(o ...LayerOption) *Layer { return SpatialDropout1D(0.3, o...) }),
}

func noiseCase(name string, layer func(...LayerOption) *Layer) layerCase {
	return layerCase{
		name:  name,
		make:  layer,
		in:    []Shape{{2, 3}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] },
		wrong: [][]Shape{{{2, 3}, {2, 3}}},
	}
}

// noiseOf returns what a layer makes of values in training; the same seed gives the same.
func noiseOf(t *testing.T, l *Layer, seed uint64, x Floats, shape ...int) []float32 {
	in := Input("x", shape...)
	m, err := NewModel([]*Node{in}, []*Node{l.On(in)})
	require.NoError(t, err)
	r := newRunner(m, map[*Node]bool{})
	width := Shape(shape).Elements()
	r.run([]kernels.Matrix{kernels.MatrixOf(x, len(x)/width, width)}, true, seed)
	require.NoError(t, r.err)
	return append([]float32(nil), r.values[1].Data...)
}

func meanAndVariance(x []float32) (mean, variance float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
	}
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return mean, variance
}

// The noise has the mean and the variance that it should have, comes back for the same seed alone, and layers without any do
// nothing.
func TestNoise(t *testing.T) {
	const rows, width = 400, 100
	zeros, ones, normal := make(Floats, rows*width), make(Floats, rows*width), make(Floats, rows*width)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range ones {
		ones[i], normal[i] = 1, float32(r.NormFloat64())
	}
	for name, c := range map[string]struct {
		make           func() *Layer
		x              Floats
		mean, variance float64
	}{
		"GaussianNoise":       {func() *Layer { return GaussianNoise(0.5) }, zeros, 0, 0.25},
		"GaussianNoise/none":  {func() *Layer { return GaussianNoise(0) }, ones, 1, 0},
		"GaussianDropout":     {func() *Layer { return GaussianDropout(0.2) }, ones, 1, 0.25},
		"AlphaDropout":        {func() *Layer { return AlphaDropout(0.3) }, normal, 0, 1},
		"SpatialDropout1D":    {func() *Layer { return SpatialDropout1D(0.2) }, ones, 1, 0.25},
		"SpatialDropout1D/no": {func() *Layer { return SpatialDropout1D(0) }, ones, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			y := noiseOf(t, c.make(), 7, c.x, 4, width/4)
			mean, variance := meanAndVariance(y)
			require.InDelta(t, c.mean, mean, 0.02)
			require.InDelta(t, c.variance, variance, 0.03)
			require.Equal(t, y, noiseOf(t, c.make(), 7, c.x, 4, width/4))
			if c.variance > 0 {
				require.NotEqual(t, y, noiseOf(t, c.make(), 8, c.x, 4, width/4))
			}
		})
	}
	y := noiseOf(t, SpatialDropout1D(0.5), 7, ones, 4, width/4)
	for i, v := range y {
		require.Equal(t, y[i/width*width+i%(width/4)], v, "a feature is dropped in all steps")
	}
	low := -1.6732632423543772 * 1.0507009873554805
	a := 1 / math.Sqrt(0.7*(1+0.3*low*low))
	dropped := 0
	for _, v := range noiseOf(t, AlphaDropout(0.3), 7, ones, 4, width/4) {
		if math.Abs(float64(v)-(a*low-a*low*0.3)) < 1e-6 {
			dropped++
		} else {
			require.InDelta(t, a-a*low*0.3, v, 1e-6)
		}
	}
	require.InDelta(t, 0.3, float64(dropped)/rows/width, 0.02)
}

// The numbers are normal: their distribution function at some points, and pairs of them, which one point gives, independent.
func TestDrawNormal(t *testing.T) {
	const n = 200_001
	x := make([]float32, n)
	drawNoise(x, make([]float32, n), make([]float32, n), rand.NewPCG(3, 4))
	for _, at := range []float64{-3, -2, -1, -0.25, 0, 0.5, 1.5, 2.5} {
		below := 0
		for _, v := range x {
			if float64(v) < at {
				below++
			}
		}
		require.InDelta(t, math.Erfc(-at/math.Sqrt2)/2, float64(below)/n, 0.004, "below %v", at)
	}
	product := 0.0
	for i := 0; i+1 < n; i += 2 {
		product += float64(x[i]) * float64(x[i+1]) / (n / 2)
	}
	require.InDelta(t, 0, product, 0.012)
	require.Equal(t, -1, nonFinite(x))
	drawNoise(nil, nil, nil, rand.NewPCG(3, 4))
}

// rectifyCases are those of layerCases.
var rectifyCases = []layerCase{
	elementwiseCase("ReLU", func(o ...LayerOption) *Layer { return ReLULayer(1.5, 0.1, 0, o...) }, func(v float64) float64 {
		if v < 0 {
			return 0.1 * v
		}
		return min(v, 1.5)
	}),
	elementwiseCase("ReLU/plain", func(o ...LayerOption) *Layer { return ReLULayer(math.Inf(1), 0, 0, o...) }, func(v float64) float64 { return max(v, 0) }),
	elementwiseCase("LeakyReLU", func(o ...LayerOption) *Layer { return LeakyReLULayer(0.2, o...) }, func(v float64) float64 { return max(v, 0.2*v) }),
	elementwiseCase("ELU", func(o ...LayerOption) *Layer { return ELULayer(0.7, o...) }, func(v float64) float64 {
		if v < 0 {
			return 0.7 * math.Expm1(v)
		}
		return v
	}),
	{
		name:  "Softmax",
		make:  func(o ...LayerOption) *Layer { return SoftmaxLayer(o...) },
		in:    []Shape{{2, 3}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return softmaxOf(in[0], 3) },
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "Softmax/first axis",
		make: func(o ...LayerOption) *Layer { return SoftmaxLayer(append(o, Axis(1))...) },
		in:   []Shape{{2, 3}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return groupsOf(in[0], func(i int) int { return i % 3 }, func(v []float64) []float64 { return softmaxOf(v, max(1, len(v))) }, nil)
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "PReLU",
		make: func(o ...LayerOption) *Layer { return PReLU(o...) },
		in:   []Shape{{2, 3}},
		want: func(in [][]float64, p map[string][]float64) (y []float64) {
			for i, v := range in[0] {
				y = append(y, max(v, 0)+p["alpha"][i]*min(v, 0))
			}
			return y
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "PReLU/shared",
		make: func(o ...LayerOption) *Layer { return PReLU(append(o, SharedAxes(1, 3))...) },
		in:   []Shape{{2, 3, 2}},
		want: func(in [][]float64, p map[string][]float64) (y []float64) {
			for i, v := range in[0] {
				y = append(y, max(v, 0)+p["alpha"][i/2%3]*min(v, 0))
			}
			return y
		},
		wrong: [][]Shape{{{3}, {3}}, {{3}}},
	},
	{
		name: "RepeatVector",
		make: func(o ...LayerOption) *Layer { return RepeatVector(3, o...) },
		in:   []Shape{{4}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return append(append(in[0], in[0]...), in[0]...)
		},
		wrong: [][]Shape{{{3}, {3}}, {{2, 3}}},
	},
	{
		name:  "Reshape/open",
		make:  func(o ...LayerOption) *Layer { return Reshape([]int{3, -1}, o...) },
		in:    []Shape{{2, 6}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] },
		wrong: [][]Shape{{{3}, {3}}, {{4}}},
	},
}

func elementwiseCase(name string, layer func(...LayerOption) *Layer, f func(float64) float64) layerCase {
	return layerCase{
		name:  name,
		make:  layer,
		in:    []Shape{{2, 3}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return eachValue(in[0], f) },
		wrong: [][]Shape{{{3}, {3}}},
	}
}

// A loss includes the softmax of a layer as that of an activation.
func TestSoftmaxLayerFuses(t *testing.T) {
	x := Input("x", 4)
	m, err := NewModel([]*Node{x}, []*Node{SoftmaxLayer(Name("y")).On(Dense(3, Linear).On(x))})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.1), Losses{"y": SparseCategoricalCrossentropy()}))
	require.NotNil(t, m.trainer.heads[0].fused)
}

func ExamplePReLU() {
	x := Input("x", 3, 2)
	h := PReLU(SharedAxes(1)).On(x)
	h = ELULayer(1).On(LeakyReLULayer(0.3).On(ReLULayer(6, 0.1, 0).On(h)))
	h = SpatialDropout1D(0.1).On(AlphaDropout(0.1).On(GaussianDropout(0.1).On(GaussianNoise(0.1).On(h))))
	m, err := NewModel([]*Node{x}, []*Node{SoftmaxLayer(Axis(1), Name("y")).On(h)})
	if err != nil {
		panic(err)
	}
	y, err := m.Predict(Arrays{"x": Floats{1, -1, 1, -2, 1, -3}})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f\n", y["y"].Data)
	// Output: [0.33 0.33 0.33 0.33 0.33 0.33]
}
