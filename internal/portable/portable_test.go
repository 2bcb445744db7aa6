package portable

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Results are near those of package math, which are within an ulp of the truth.
func TestPortable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		x, y := random.Float64(), random.NormFloat64()
		require.InEpsilon(t, math.Exp(100*y), Exp(100*y), 1e-15, "exp %v", 100*y)
		wide := math.Exp(100 * y)
		require.InDelta(t, math.Log(wide), Log(wide), 4e-16*(1+math.Abs(math.Log(wide))), "log %v", wide)
		require.InDelta(t, math.Log(0.5+x), Log(0.5+x), 3e-16, "log %v", 0.5+x)
		require.InEpsilon(t, math.Pow(x, 3*y), Pow(x, 3*y), 1e-14, "%v to the %v", x, 3*y)
		require.InDelta(t, math.Cos(math.Pi*x), CosPi(x), 5e-16, "cos π%v", x)
	}
}

func TestPortableEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct{ want, have float64 }{
		{1, Exp(0)}, {0, Exp(-inf)}, {inf, Exp(inf)}, {0, Exp(-746)}, {inf, Exp(710)}, {nan, Exp(nan)},
		{0, Log(1)}, {-inf, Log(0)}, {inf, Log(inf)}, {nan, Log(-1)}, {nan, Log(nan)},
		{8, Pow(2, 3)}, {0.125, Pow(2, -3)}, {math.Sqrt(3), Pow(3, 0.5)}, {1, Pow(0, 0)}, {0, Pow(0, 0.3)}, {inf, Pow(0, -0.3)},
		{inf, Pow(inf, 0.3)}, {1, Pow(1, 0.3)}, {nan, Pow(-2, 3)}, {nan, Pow(2, nan)},
		{1, CosPi(0)}, {0, CosPi(0.5)}, {-1, CosPi(1)},
	} {
		if math.IsNaN(c.want) {
			require.True(t, math.IsNaN(c.have), "%v", c.have)
		} else {
			require.Equal(t, c.want, c.have)
		}
	}
	require.InEpsilon(t, math.SmallestNonzeroFloat64*100, Exp(Log(math.SmallestNonzeroFloat64*100)), 0.01, "denormal numbers")
	require.InEpsilon(t, -744.44, Log(math.SmallestNonzeroFloat64), 1e-5)
}

// These bits must be the same on every machine.
func TestPortableBits(t *testing.T) {
	h, random := fnv.New64a(), rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		x, y := random.Float64(), 8*random.Float64()-4
		fmt.Fprintln(h, Exp(50*y), Log(x), Pow(x, y), CosPi(x))
	}
	require.Equal(t, "1f437aefe29994c6", fmt.Sprintf("%x", h.Sum64()))
}
