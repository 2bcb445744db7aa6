package nn

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// normalizationCases are those of layerCases.
var normalizationCases = []layerCase{
	{
		name: "Normalization",
		make: func(o ...LayerOption) *Layer {
			return Normalization(append(o, Moments([]float32{0.1, 0.2, 0.3}, []float32{4, 2.25, 1}))...)
		},
		in: []Shape{{2, 3}},
		want: func(in [][]float64, _ map[string][]float64) (y []float64) {
			for i, v := range in[0] {
				y = append(y, (v-float64(i%3+1)/10)/[]float64{2, 1.5, 1}[i%3])
			}
			return y
		},
		wrong: [][]Shape{{{3}, {3}}, {{2}}},
	},
	{
		name: "Normalization/weights of two axes, inverted",
		make: func(o ...LayerOption) *Layer { return Normalization(append(o, Axis(1, 3), Invert())...) },
		in:   []Shape{{2, 2, 3}},
		want: func(in [][]float64, p map[string][]float64) (y []float64) {
			for i, v := range in[0] {
				f := i/6*3 + i%3
				y = append(y, v*math.Sqrt(p["variance"][f])+p["mean"][f])
			}
			return y
		},
		wrong: [][]Shape{{{3}, {3}}, {{3}}},
	},
	{
		name: "Normalization/one for all",
		make: func(o ...LayerOption) *Layer { return Normalization(append(o, Axis())...) },
		in:   []Shape{{2, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return eachValue(in[0], func(v float64) float64 { return (v - p["mean"][0]) / math.Sqrt(p["variance"][0]) })
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "Rescaling",
		make: func(o ...LayerOption) *Layer { return Rescaling(0.1, -1, o...) },
		in:   []Shape{{2, 3}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return eachValue(in[0], func(v float64) float64 { return v*0.1 - 1 })
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
}

// Mean and variance of data, for features along any axes, beside their definition; a constant feature does not divide by zero.
func TestAdapt(t *testing.T) {
	shape := Shape{2, 3, 2}
	c := layerCase{in: []Shape{shape}}
	data := c.data(4, 7)[0]
	for i := range data {
		if data[i] += 100; i%6 == 1 {
			data[i] = 5
		}
	}
	for name, o := range map[string]struct {
		axes    AxisOption
		feature func(i int) int
		n       int
	}{
		"last":   {Axis(-1), func(i int) int { return i % 2 }, 2},
		"middle": {Axis(2), func(i int) int { return i / 2 % 3 }, 3},
		"two":    {Axis(3, 2), func(i int) int { return i % 6 }, 6},
		"outer":  {Axis(1, 3), func(i int) int { return i/6%2*2 + i%2 }, 4},
		"none":   {Axis(), func(int) int { return 0 }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			x := Input("x", shape...)
			m, err := NewModel([]*Node{x}, []*Node{Normalization(o.axes, Adapt(data), Name("y")).On(x)})
			require.NoError(t, err)
			mean, variance := weightNamed(t, m, "y/mean").Data, weightNamed(t, m, "y/variance").Data
			require.Len(t, mean, o.n)
			for f := range o.n {
				var v []float32
				for i, x := range data {
					if o.feature(i) == f {
						v = append(v, x)
					}
				}
				a, b := meanAndVariance(v)
				require.InDelta(t, a, mean[f], 1e-4)
				require.InDelta(t, b, variance[f], 1e-4*(1+b))
			}
			y, err := m.Predict(Arrays{"x": data})
			require.NoError(t, err)
			for i, v := range y["y"].Data {
				f := o.feature(i)
				want := (float64(data[i]) - float64(mean[f])) / max(math.Sqrt(float64(variance[f])), 1e-7)
				require.InDelta(t, want, v, 1e-5*(1+math.Abs(want)))
			}
			again, err := parse(savedBytes(t, m))
			require.NoError(t, err)
			require.Equal(t, weightBits(m), weightBits(again))
		})
	}
}

// Training does not change the moments, and a plan folds them into the product behind.
func TestNormalizationTrainsAndServes(t *testing.T) {
	d := normedData(20)
	x := Input("x", 4)
	m, err := NewModel([]*Node{x}, []*Node{Dense(2, Linear, Name("y")).On(Rescaling(2, 1).On(Normalization(Adapt(d.Inputs["x"].(Floats)), Name("norm")).On(x)))})
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.1), Losses{"y": MSE()}))
	before := append([]float32(nil), weightNamed(t, m, "norm/variance").Data...)
	_, err = m.Fit(context.Background(), d, Epochs(2))
	require.NoError(t, err)
	require.Equal(t, before, weightNamed(t, m, "norm/variance").Data)
	p, err := NewPlan(m, 20)
	require.NoError(t, err)
	var steps bytes.Buffer
	require.NoError(t, p.Describe(&steps))
	require.NotContains(t, steps.String(), "affine")
	got := make([]float32, 40)
	require.NoError(t, p.Predict([][]float32{d.Inputs["x"].(Floats)}, [][]float32{got}, 20))
	y, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	require.InDeltaSlice(t, y["y"].Data, got, 1e-5)
}

// Numbers of a configuration are one, a list or lists of lists, and are written as they must be read.
func TestFloats(t *testing.T) {
	for text, want := range map[string]string{
		"0.1": "0.1", "[1, 2]": "[1,2]", "[[1, 2], [3, 4]]": "[1,2,3,4]", "[3]": "3", "null": "null", "[]": "null",
	} {
		var f floats
		require.NoError(t, json.Unmarshal([]byte(text), &f))
		again, err := json.Marshal(f)
		require.NoError(t, err)
		require.Equal(t, want, string(again))
	}
	for _, text := range []string{`"x"`, `[1, true]`, `{"a": 1}`} {
		var f floats
		require.Error(t, json.Unmarshal([]byte(text), &f))
	}
	for text, want := range map[string]axes{"-1": {-1}, "[1, 2]": {1, 2}, "null": nil, " [ ] ": {}} {
		var a axes
		require.NoError(t, json.Unmarshal([]byte(text), &a))
		require.Equal(t, want, a)
	}
	for _, text := range []string{`"x"`, `[1.5]`, `1.5`, `{}`} {
		var a axes
		require.Error(t, json.Unmarshal([]byte(text), &a))
	}
}

func ExampleNormalization() {
	ages := Floats{20, 30, 40} // what the model will see
	x := Input("age", 1)
	h := Normalization(Adapt(ages), Name("standard")).On(x)
	back := Normalization(Moments([]float32{30}, []float32{200. / 3}), Invert(), Name("again")).On(h)
	m, err := NewModel([]*Node{x}, []*Node{h, back, Rescaling(0.1, 1, Name("scaled")).On(x)})
	if err != nil {
		panic(err)
	}
	y, err := m.Predict(Arrays{"age": Floats{30, 40}})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f %.1f %.1f\n", y["standard"].Data, y["again"].Data, y["scaled"].Data)
	// Output: [0.00 1.22] [30.0 40.0] [4.0 5.0]
}
