package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// ulps is the distance of got from want in units in the last place of want.
func ulps(want float64, got float32) float64 {
	w := float32(math.Abs(want))
	return math.Abs(float64(got)-want) / float64(math.Nextafter32(w, math.MaxFloat32)-w)
}

// Every 997th float32 visits each exponent about 8400 times.
func TestMathUlps(t *testing.T) {
	all := func(float32) bool { return true }
	functions := []struct {
		name   string
		got    func(float32) float32
		want   func(float64) float64
		domain func(float32) bool
		bound  float64
	}{
		{"exp", exp, math.Exp, func(x float32) bool { return x <= 88 }, 0.99},
		{"log", log, math.Log, all, 0.83},
		{"log1p", log1p, math.Log1p, func(x float32) bool { return x > -1 && x <= 1 }, 1.44},
		{"sigmoid", sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, all, 1.43},
		{"tanh", tanh, math.Tanh, all, 1.34},
	}
	for _, f := range functions {
		t.Run("f="+f.name, func(t *testing.T) {
			worst, at := 0.0, float32(0)
			for b := uint64(0); b < 1<<32; b += 997 {
				x := math.Float32frombits(uint32(b))
				want := f.want(float64(x))
				if x != x || want != want || !f.domain(x) || math.IsInf(float64(float32(want)), 0) {
					continue
				}
				got := f.got(x)
				if got == 0 && math.Abs(want) < 0x1p-126 {
					continue // flushed
				}
				if u := ulps(want, got); !(u <= worst) {
					worst, at = u, x
				}
			}
			t.Logf("worst %.3f ulp at %v", worst, at)
			require.LessOrEqual(t, worst, f.bound)
		})
	}
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
