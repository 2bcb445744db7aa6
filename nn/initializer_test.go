package nn

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The values of an initializer have the bounds, the mean and the variance of its distribution.
func TestInitializers(t *testing.T) {
	shape := Shape{300, 200}
	glorot := math.Sqrt(6.0 / 500)
	for _, c := range []struct {
		name     string
		init     Initializer
		from, to float64
	}{
		{"GlorotUniform", GlorotUniform(), -glorot, glorot},
		{"HeUniform", HeUniform(), -math.Sqrt(6.0 / 300), math.Sqrt(6.0 / 300)},
		{"LecunUniform", LecunUniform(), -math.Sqrt(3.0 / 300), math.Sqrt(3.0 / 300)},
		{"VarianceScaling", VarianceScaling(2, "fan_out", "uniform"), -math.Sqrt(6.0 / 200), math.Sqrt(6.0 / 200)},
		{"RandomUniform", RandomUniform(1, 3), 1, 3},
		{"Constant", Constant(-0.5), -0.5, -0.5},
		{"Zeros", Zeros(), 0, 0},
		{"Ones", Ones(), 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := make([]float32, shape.Elements())
			c.init.Fill(values, shape, rand.New(rand.NewPCG(1, 2)))
			mean, squares, middle := 0.0, 0.0, (c.from+c.to)/2
			for _, v := range values {
				require.True(t, float64(v) >= c.from-1e-7 && float64(v) <= c.to+1e-7, "%v", v)
				mean += float64(v) / float64(len(values))
				squares += (float64(v) - middle) * (float64(v) - middle) / float64(len(values))
			}
			width := c.to - c.from
			require.InDelta(t, middle, mean, 0.01*width+1e-12)
			require.InDelta(t, width*width/12, squares, 0.01*width*width+1e-12)

			text, err := encodeJSON(Object[Initializer]{c.init})
			require.NoError(t, err)
			var again Object[Initializer]
			require.NoError(t, decodeJSON(string(text), &again))
			require.Equal(t, c.init, again.Value)
		})
	}
	vector := make([]float32, 1000)
	GlorotUniform().Fill(vector, Shape{1000}, rand.New(rand.NewPCG(1, 2)))
	for _, v := range vector {
		require.LessOrEqual(t, math.Abs(float64(v)), math.Sqrt(6.0/1001))
	}
}

// Normal numbers have the mean, the deviation and the shares within one and two deviations of their distribution.
func TestNormalInitializers(t *testing.T) {
	shape := Shape{300, 200}
	shares := func(limit float64) (one, two float64) {
		within := math.Erf(limit / math.Sqrt2)
		return math.Erf(1/math.Sqrt2) / within, math.Erf(min(2, limit)/math.Sqrt2) / within
	}
	const cut = 0.87962566103423978 // deviation of a normal distribution that ends at 2
	for _, c := range []struct {
		name            string
		init            Initializer
		mean, deviation float64
		limit           float64
	}{
		{"RandomNormal", RandomNormal(1, 2), 1, 2, math.Inf(1)},
		{"TruncatedNormal", TruncatedNormal(1, 2), 1, 2, 2},
		{"GlorotNormal", GlorotNormal(), 0, math.Sqrt(2.0/500) / cut, 2},
		{"HeNormal", HeNormal(), 0, math.Sqrt(2.0/300) / cut, 2},
		{"LecunNormal", LecunNormal(), 0, math.Sqrt(1.0/300) / cut, 2},
		{"VarianceScaling", VarianceScaling(3, "fan_avg", "untruncated_normal"), 0, math.Sqrt(3.0 / 250), math.Inf(1)},
	} {
		values := make([]float32, shape.Elements())
		c.init.Fill(values, shape, rand.New(rand.NewPCG(1, 2)))
		mean, one, two := 0.0, 0.0, 0.0
		for _, v := range values {
			d := math.Abs(float64(v)-c.mean) / c.deviation
			require.LessOrEqual(t, d, c.limit+1e-6, c.name)
			mean += float64(v) / float64(len(values))
			if d <= 1 {
				one += 1 / float64(len(values))
			}
			if d <= 2 {
				two += 1 / float64(len(values))
			}
		}
		wantOne, wantTwo := shares(c.limit)
		require.InDelta(t, c.mean, mean, 0.02*c.deviation, c.name)
		require.InDelta(t, wantOne, one, 0.01, c.name)
		require.InDelta(t, wantTwo, two, 0.005, c.name)
	}
}

// Fans of other shapes, and of axes that are given.
func TestFans(t *testing.T) {
	for _, c := range []struct {
		shape   Shape
		fans    fans
		in, out float64
	}{
		{Shape{7}, fans{}, 7, 7},
		{Shape{7, 5}, fans{}, 7, 5},
		{Shape{3, 2, 7, 5}, fans{}, 42, 30},
		{Shape{3, 2, 7, 5}, fans{InputAxes: []int{0, -2}, OutputAxes: []int{1, 3}}, 21, 10},
	} {
		in, out := c.fans.of(c.shape)
		require.Equal(t, []float64{c.in, c.out}, []float64{in, out}, "%v", c)
		require.NoError(t, c.fans.Check(c.shape))
	}
}

// The columns of an orthogonal matrix, or its rows, have length gain and right angles.
func TestOrthogonal(t *testing.T) {
	for _, shape := range []Shape{{9, 5}, {5, 9}, {6, 6}, {2, 3, 4}, {1, 1}, {4, 1}, {1, 4}} {
		values, cols := make([]float32, shape.Elements()), shape.Last()
		Orthogonal(3).Fill(values, shape, rand.New(rand.NewPCG(1, 2)))
		rows := len(values) / cols
		at := func(vector, k int) float64 { return float64(values[k*cols+vector]) }
		n, length := cols, rows
		if rows < cols {
			at = func(vector, k int) float64 { return float64(values[vector*cols+k]) }
			n, length = rows, cols
		}
		for a := range n {
			for b := range n {
				want, dot := 0.0, 0.0
				if a == b {
					want = 9
				}
				for k := range length {
					dot += at(a, k) * at(b, k)
				}
				require.InDelta(t, want, dot, 1e-5, "%s: %d and %d", shape, a, b)
			}
		}
	}
}

func TestIdentityMatrix(t *testing.T) {
	values := make([]float32, 6)
	IdentityMatrix(2).Fill(values, Shape{2, 3}, nil)
	require.Equal(t, []float32{2, 0, 0, 0, 2, 0}, values)
}

// With a seed of its own an initializer draws the same numbers whatever the model's are.
func TestInitializerSeed(t *testing.T) {
	draw := func(config string, seed uint64) []float32 {
		init, err := newObject[Initializer]("HeNormal", []byte(config))
		require.NoError(t, err)
		values := make([]float32, 6)
		init.Fill(values, Shape{2, 3}, rand.New(rand.NewPCG(seed, 2)))
		return values
	}
	require.Equal(t, draw(`{"seed":3}`, 1), draw(`{"seed":3}`, 2))
	require.NotEqual(t, draw(`{"seed":3}`, 1), draw(`{"seed":4}`, 1))
	require.NotEqual(t, draw(`{"seed":null}`, 1), draw(`{}`, 2))
}

// Every machine draws the same numbers.
func TestInitializerBits(t *testing.T) {
	h, random := fnv.New64a(), rand.New(rand.NewPCG(1, 2))
	for _, init := range []Initializer{
		GlorotUniform(), GlorotNormal(), HeUniform(), HeNormal(), LecunUniform(), LecunNormal(), RandomNormal(0, 1), Orthogonal(1),
	} {
		values := make([]float32, 30*20)
		init.Fill(values, Shape{30, 20}, random)
		require.NoError(t, binary.Write(h, binary.LittleEndian, values))
	}
	require.Equal(t, "e2a02740799eeb8c", fmt.Sprintf("%x", h.Sum64()))
}

// Keras' names of functions stand for classes, and what does not fit a weight is an error with the layer's name.
func TestInitializerNames(t *testing.T) {
	for name, want := range map[string]Initializer{"he_normal": HeNormal(), "zeros": Zeros(), "random_uniform": RandomUniform(-0.05, 0.05)} {
		var o Object[Initializer]
		require.NoError(t, o.UnmarshalJSON([]byte(strconv.Quote(name))))
		require.Equal(t, want, o.Value)
	}
	var o Object[Initializer]
	require.ErrorContains(t, o.UnmarshalJSON([]byte(`"he_uniforms"`)), `unknown initializer "he_uniforms": valid are ["Constant"`)
}
