package kernels

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// ulps is the distance of got from want in units in the last place of want.
func ulps(want float64, got float32) float64 {
	w := float32(math.Abs(want))
	return math.Abs(float64(got)-want) / float64(math.Nextafter32(w, math.MaxFloat32)-w)
}

// The functions that are kernels of their own have TestSweep.
func TestLog1pUlps(t *testing.T) {
	step := uint64(997)
	if os.Getenv("ESPALIER_SWEEP") != "" {
		step = 1
	}
	worst, at := 0.0, float32(0)
	for b := uint64(0); b < 1<<32; b += step {
		if x := math.Float32frombits(uint32(b)); x > -1 && x <= math.MaxFloat32 {
			if u := ulps(math.Log1p(float64(x)), log1p(x)); !(u <= worst) {
				worst, at = u, x
			}
		}
	}
	t.Logf("worst %.3f ulp at %v", worst, at)
	require.LessOrEqual(t, worst, 1.44)
}

func TestMathSpecialValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	payload := math.Float32frombits(0x7f800155) // a NaN with low bits that look like an exponent
	cases := []struct {
		name    string
		f       func(float32) float32
		x, want float32
	}{
		{"exp", exp, 0, 1},
		{"exp", exp, -inf, 0},
		{"exp", exp, nan, nan},
		{"exp", exp, payload, nan},
		{"exp", exp, -87.7, 0},
		{"exp", exp, -1e38, 0},
		{"exp", exp, 1e-40, 1},
		{"log", log, 1, 0},
		{"log", log, 0, -inf},
		{"log", log, -1, nan},
		{"log", log, -inf, nan},
		{"log", log, inf, inf},
		{"log", log, nan, nan},
		{"log1p", log1p, 0, 0},
		{"log1p", log1p, 1e-40, 1e-40},
		{"log1p", log1p, nan, nan},
		{"sigmoid", sigmoid, 0, 0.5},
		{"sigmoid", sigmoid, inf, 1},
		{"sigmoid", sigmoid, -inf, 0},
		{"sigmoid", sigmoid, nan, nan},
		{"sigmoid", sigmoid, 1e-40, 0.5},
		{"exp", exp, 88.5, 2.723088e38},
		{"exp", exp, 89, inf},
		{"exp", exp, inf, inf},
		{"erf", erf, 0, 0},
		{"erf", erf, inf, 1},
		{"erf", erf, -inf, -1},
		{"erf", erf, nan, nan},
		{"erf", erf, math.MaxFloat32, 1},
		{"gelu", gelu, 0, 0},
		{"gelu", gelu, inf, inf},
		{"gelu", gelu, -inf, 0},
		{"gelu", gelu, -math.MaxFloat32, 0},
		{"gelu", gelu, math.MaxFloat32, math.MaxFloat32},
		{"gelu", gelu, nan, nan},
		{"geluSlope", geluSlope, 0, 0.5},
		{"geluSlope", geluSlope, inf, 1},
		{"geluSlope", geluSlope, -inf, 0},
		{"geluSlope", geluSlope, nan, nan},
		{"tanh", tanh, 0, 0},
		{"tanh", tanh, inf, 1},
		{"tanh", tanh, -inf, -1},
		{"tanh", tanh, 20, 1},
		{"tanh", tanh, -20, -1},
		{"tanh", tanh, nan, nan},
		{"tanh", tanh, 1e-40, 1e-40},
	}
	for _, c := range cases {
		got := c.f(c.x)
		if c.want != c.want {
			require.True(t, got != got, "%s(%v) = %v", c.name, c.x, got)
		} else {
			require.Equal(t, c.want, got, "%s(%v)", c.name, c.x)
		}
	}
	require.InDelta(t, math.Log(1e-40), float64(log(1e-40)), 1e-5)
}
