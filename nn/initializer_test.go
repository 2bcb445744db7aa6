package nn

import (
	"math"
	"math/rand/v2"
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
		{"RandomUniform", RandomUniform(1, 3), 1, 3},
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
