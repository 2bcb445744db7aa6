package kernels_test

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// swept are the functions of one variable. Their errors are in units in the last place of the result; with a scale, in
// units of 2⁻²⁴·scale(x).
var swept = []struct {
	name  string
	run   func(t *kernels.Table, y, x kernels.Matrix) error
	want  func(x float64) float64
	scale func(x float64) float64
	bound float64
}{
	{"exp", (*kernels.Table).Exp, math.Exp, nil, 1.03},
	{"log", (*kernels.Table).Log, math.Log, nil, 0.83},
	{"sigmoid", activation(kernels.Sigmoid), func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, nil, 1.45},
	{"tanh", activation(kernels.Tanh), math.Tanh, nil, 1.34},
	{"erf", (*kernels.Table).Erf, math.Erf, nil, 1.08},
}

func activation(act kernels.Activation) func(t *kernels.Table, y, x kernels.Matrix) error {
	return func(t *kernels.Table, y, x kernels.Matrix) error { return t.Activate(y, x, nil, act) }
}

// The bounds that the documentation states, over a part of all float32 or, with ESPALIER_SWEEP set, over all of them.
func TestSweep(t *testing.T) {
	step := uint64(2999)
	switch {
	case os.Getenv("ESPALIER_SWEEP") != "":
		step = 1
	case testing.Short():
		step = 29989
	}
	x, y := kernels.NewMatrix(1, 1<<14), kernels.NewMatrix(1, 1<<14)
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, f := range swept {
			t.Run("f="+f.name, func(t *testing.T) {
				worst, at := 0.0, float32(0)
				for b := uint64(0); b < 1<<32; {
					n := 0
					for ; n < len(x.Data) && b < 1<<32; b += step {
						x.Data[n] = math.Float32frombits(uint32(b))
						n++
					}
					require.NoError(t, f.run(table, y.Columns(0, n), x.Columns(0, n)))
					for i, got := range y.Data[:n] {
						v := float64(x.Data[i])
						want := f.want(v)
						unit := ulp(want)
						if f.scale != nil {
							unit = 0x1p-24 * f.scale(v)
						}
						if math.Abs(float64(got)-want) <= worst*unit {
							continue // this comes first because it is nearly always so
						}
						if want != want && got != got || got == 0 && math.Abs(want) < 0x1p-126 && math.Abs(v) > 1 {
							continue // NaN, or an exponential that is flushed
						}
						if e := distance(want, got) / unit; !(e <= worst) {
							worst, at = e, x.Data[i]
						}
					}
				}
				t.Logf("worst %.3f at %v", worst, at)
				require.LessOrEqual(t, worst, f.bound, "at %v", at)
			})
		}
	})
}

// ulp is the distance of float32 numbers around x.
func ulp(x float64) float64 {
	exponent := int(math.Float64bits(x)>>52&0x7ff) - 1023
	return math.Float64frombits(uint64(max(exponent, -126)-23+1023) << 52)
}

// distance of two results, where infinity is the power of two that float32 would have next. What is NaN is infinitely far off.
func distance(want float64, got float32) float64 {
	limit := func(x float64) float64 { return max(-0x1p128, min(x, 0x1p128)) }
	d := math.Abs(limit(float64(got)) - limit(want))
	if d != d {
		return math.Inf(1)
	}
	return d
}
