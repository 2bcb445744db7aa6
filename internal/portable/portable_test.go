package portable

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// within compares with a reference, in units of the last place of it.
func within(t *testing.T, want, have, ulps float64, at ...float64) {
	t.Helper()
	if math.IsNaN(want) || math.IsInf(want, 0) || want == 0 {
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(have), "%v", at)
		return
	}
	unit := math.Nextafter(math.Abs(want), math.Inf(1)) - math.Abs(want)
	require.LessOrEqual(t, math.Abs(want-have)/unit, ulps, "%v", at)
}

func TestFunctions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		x := (random.Float64() - 0.5) * math.Exp2(float64(random.IntN(16)-5))
		if x > -700 {
			within(t, math.Exp(x), Exp(x), 2, x)
		}
		within(t, math.Log(math.Abs(x)), Log(math.Abs(x)), 2, x)
		within(t, math.Log1p(math.Abs(x)), Log1p(math.Abs(x)), 4, x)
		small := random.Float64() * math.Exp2(-float64(random.IntN(60)))
		within(t, math.Log1p(-small), Log1p(-small), 4, small)
		y := random.Float64() * 5
		within(t, math.Pow(small, y), Pow(small, y), 3+3*math.Abs(y*math.Log(small)), small, y)
	}
	for _, x := range []float64{0, 1, -1, 0.5, math.Sqrt2, 709, 710, -745, -746, 1e300, -1e300, math.Inf(1), math.Inf(-1), math.NaN()} {
		if x > -700 || x < -750 {
			within(t, math.Exp(x), Exp(x), 2, x)
			within(t, 1/(1+math.Exp(-x)), Sigmoid(x), 3, x)
		}
		within(t, math.Log(x), Log(x), 2, x)
		within(t, math.Log1p(x), Log1p(x), 2, x)
	}
	within(t, -310*math.Ln10, Log(1e-310), 2) // package math is wrong there on amd64
	within(t, 50, Softplus(50), 1)
	within(t, math.Exp(-50), Softplus(-50), 3)
	within(t, math.Ln2, Softplus(0), 1)
	for _, y := range []float64{0, 0.5, 2} {
		for _, x := range []float64{0, 1, 4} {
			within(t, math.Pow(x, y), Pow(x, y), 4, x, y)
		}
	}
}

// The bits are those of every machine.
func TestBits(t *testing.T) {
	sum := fnv.New64a()
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		x := (random.Float64() - 0.5) * 40
		fmt.Fprintf(sum, "%x %x %x %x %x %x\n", Exp(x), Log(math.Abs(x)), Log1p(math.Abs(x)), Pow(math.Abs(x), 1.7), Softplus(x), Sigmoid(x))
	}
	require.Equal(t, "8e2d6a0bf2d7f59c", fmt.Sprintf("%x", sum.Sum64()))
}

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
	require.Equal(t, "6ff5362090a39af", fmt.Sprintf("%x", h.Sum64()))
}
