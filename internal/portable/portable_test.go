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
