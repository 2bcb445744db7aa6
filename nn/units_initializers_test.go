package nn

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// testInitializerUnit makes an initializer of Keras' configuration, which it has by default, too. The mean of 200 draws, the
// deviation and, where the distribution has an end, the bounds are Keras'.
func testInitializerUnit(t *testing.T, u unit) {
	var c struct {
		Initializer         string
		Kwargs              json.RawMessage
		Shape               Shape
		Config              map[string]any
		Min, Max, Mean, Std float64
	}
	u.decode(t, &c)
	text, err := encodeJSON(c.Config)
	require.NoError(t, err)
	init, err := newObject[Initializer](c.Initializer, text)
	require.NoError(t, err)
	requireConfig(t, c.Config, init)
	usual, err := newObject[Initializer](c.Initializer, c.Kwargs)
	require.NoError(t, err)
	require.Equal(t, init, usual)

	draws := max(20, min(200, 100_000/c.Shape.Elements()))
	random, n := rand.New(rand.NewPCG(5, 6)), 0.0
	least, most, sum, squares := math.Inf(1), math.Inf(-1), 0.0, 0.0
	for range draws {
		values := make([]float32, c.Shape.Elements())
		init.Fill(values, c.Shape, random)
		for _, v := range float64s(values) {
			least, most = min(least, v), max(most, v)
			sum, squares, n = sum+v, squares+v*v, n+1
		}
	}
	mean := sum / n
	require.InDelta(t, c.Std, math.Sqrt(max(0, squares/n-mean*mean)), 0.03*c.Std+1e-7)
	require.InDelta(t, c.Mean, mean, 8*c.Std/math.Sqrt(n)+1e-7, "two means of so many numbers")
	// The extremes of a uniform distribution lie at its ends, those of a normal one vary. Keras' truncated ones go beyond
	// two deviations in a few of a million numbers: with PyTorch it draws four times and then takes what there is.
	width := c.Max - c.Min
	require.InDelta(t, c.Min, least, 0.25*width+1e-7)
	require.InDelta(t, c.Max, most, 0.25*width+1e-7)
}
