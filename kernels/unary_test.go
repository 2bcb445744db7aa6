package kernels_test

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/internal/formula"
	"github.com/espalier-ml/espalier/kernels"
)

// contracted are functions of every kernel in assembly.
var contracted = []kernels.Unary{
	{Kind: kernels.GELU}, {Kind: kernels.GELUTanh}, {Kind: kernels.Mish}, {Kind: kernels.LogSigmoid}, {Kind: kernels.Exponential},
	{Kind: kernels.ELU, A: 2, B: 0.5, C: 1.5}, {Kind: kernels.Softsign}, {Kind: kernels.Rectify, A: 0.1, B: 2},
	{Kind: kernels.HardSiLU},
}

func funary(f kernels.Unary, x float32) float32 {
	switch f.Kind {
	case kernels.GELU:
		return fgelu(x)
	case kernels.GELUTanh:
		return fgate(x, geluLinear, geluCubic)
	case kernels.Mish:
		x = max(x, -88)
		s, u := fsigmoids(x)
		return x * (float32(s*(1+u)) / fma(u, u, 1))
	case kernels.LogSigmoid:
		return -fsoftplus(-x)
	case kernels.Exponential:
		return fexp(x)
	case kernels.ELU:
		if x > 0 {
			return f.C * x
		}
		return f.A * fexpm1(f.B*x)
	case kernels.Softsign:
		x = min(max(x, -math.MaxFloat32), math.MaxFloat32)
		return x / (1 + fabs(x))
	case kernels.Rectify:
		switch {
		case x <= f.C && f.A == 0:
			return 0
		case x <= f.C:
			return fma(f.A, x, -float32(f.A*f.C))
		case x >= f.B:
			return f.B
		}
		return x
	case kernels.HardSiLU:
		return fhard(x, 0, 0.5, 1./6, x)
	}
	panic(f)
}

// fhard returns the polynomial within 3 around 0, 0 below and high above.
func fhard(x, c0, c1, c2, high float32) float32 {
	switch {
	case x < -3:
		return 0
	case x >= 3:
		return high
	}
	return fma(fma(c2, x, c1), x, c0)
}

func funarySlope(f kernels.Unary, x, y float32) float32 {
	switch f.Kind {
	case kernels.GELU:
		return fgeluSlope(x)
	case kernels.GELUTanh:
		return fgateSlope(x, geluLinear, geluCubic, geluLinear, 3*geluCubic)
	case kernels.Mish:
		x = min(max(x, -88), 88)
		s, u := fsigmoids(x)
		i := 1 / fma(u, u, 1)
		r := 2 * u * i
		return fma(float32(float32(x*s)*r), r, float32(float32(s*(1+u))*i))
	case kernels.LogSigmoid:
		return fsigmoid(-min(max(x, -88), 88))
	case kernels.Exponential:
		return y
	case kernels.ELU:
		if x > 0 {
			return f.C
		}
		return fma(f.B, y, float32(f.A*f.B))
	case kernels.Softsign:
		r := 1 / (1 + fabs(x))
		return float32(r * r)
	case kernels.Rectify:
		switch {
		case x <= f.C:
			return f.A
		case x >= f.B:
			return 0
		}
		return x*0 + 1
	case kernels.HardSiLU:
		return fhard(x, 0.5, 2*float32(1./6), 0, 1)
	}
	panic(f)
}

const geluLinear, geluCubic = 1.5957691216057308, 0.071354816272600013

func fgate(x, a, b float32) float32 {
	x = max(x, -88)
	w := min(x, 88)
	return x * fsigmoid(float32(w*fma(b, float32(w*w), a)))
}

func fgateSlope(x, a, b, da, db float32) float32 {
	x = min(max(x, -88), 88)
	s, u := fsigmoids(float32(x * fma(b, float32(x*x), a)))
	return fma(float32(float32(s*u)*x), fma(db, float32(x*x), da), s)
}

func fsigmoids(x float32) (s, u float32) {
	t := fsigmoidTail(x)
	if x < 0 {
		return t, 1 - t
	}
	return 1 - t, t
}

func fsoftplus(x float32) float32 {
	t := fsigmoidTail(x)
	u := 1 - t
	lost := (1 - u) - t
	return max(x, 0) - (flog(u) + fma(lost, t, lost))
}

func fexpm1(x float32) float32 {
	x = min(max(x, -88), 0)
	shifted := fma(x, math.Log2E, roundMagic)
	n := shifted - roundMagic
	r := fma(n, -ln2Lo, fma(n, -ln2Hi, x))
	scale := math.Float32frombits(bits(shifted) << 23)
	return fma(fexpMinus1(r), scale, scale-1)
}

func init() {
	for _, f := range contracted {
		each := func(name string, of func(x, y float32) float32) {
			contracts[name+"/"+f.String()] = func(out, x, y []float32) float32 {
				for j := range x {
					if y == nil {
						out[j] = of(x[j], 0)
					} else {
						out[j] = of(x[j], y[j])
					}
				}
				return 0
			}
		}
		each("Unary", func(x, _ float32) float32 { return funary(f, x) })
		each("UnaryGrad", func(g, x float32) float32 { return float32(g * funarySlope(f, x, x)) })
		each("UnaryGrad+", func(g, x float32) float32 {
			if f.Kind == kernels.Exponential {
				return fma(g, x, g)
			}
			return float32(g*funarySlope(f, x, x)) + g
		})
	}
}

func unaryRowKernels() (list []rowKernel) {
	for _, f := range contracted {
		grad := func(accumulate bool) func(t *kernels.Table, _ []float32, y kernels.Matrix, in []kernels.Matrix) error {
			return func(t *kernels.Table, _ []float32, y kernels.Matrix, in []kernels.Matrix) error {
				return t.UnaryGrad(y, in[0], in[1], in[1], f, accumulate)
			}
		}
		list = append(list,
			rowKernel{"Unary/" + f.String(), 1, false, func(t *kernels.Table, _ []float32, y kernels.Matrix, in []kernels.Matrix) error {
				return t.Unary(y, in[0], f)
			}},
			rowKernel{"UnaryGrad/" + f.String(), 2, false, grad(false)},
			rowKernel{"UnaryGrad+/" + f.String(), 2, true, grad(true)})
	}
	return list
}

// What has no assembly has the same bits everywhere.
func TestUnaryPortable(t *testing.T) {
	r := newRand(3)
	x, dy := r.matrix(5, 33, 1), r.matrix(5, 33, 0)
	for _, f := range []kernels.Unary{{Kind: kernels.TanhShrink}, {Kind: kernels.Squareplus, A: 4}} {
		var want [2]kernels.Matrix
		for _, table := range kernels.Tables() {
			y, dx := copyOf(x, 0), copyOf(x, 0)
			require.NoError(t, table.Unary(y, x, f))
			require.NoError(t, table.UnaryGrad(dx, dy, x, y, f, true))
			if table.ISA == kernels.Generic {
				want = [2]kernels.Matrix{y, dx}
			}
			requireSameBits(t, want[0].Data, y.Data)
			requireSameBits(t, want[1].Data, dx.Data)
		}
	}
}

// The error of a function is within a bound in units of 2⁻²⁴·max(1, |x|, |f(x)|), and that of its slope in those of
// 2⁻²⁴·max(1, |f'(x)|).
func TestUnaryError(t *testing.T) {
	step := uint64(99991)
	if os.Getenv("ESPALIER_SWEEP") != "" {
		step = 31
	}
	var xs []float32
	for b := uint64(0); b < 1<<32; b += step {
		xs = append(xs, math.Float32frombits(uint32(b)))
	}
	for x := -20.; x < 20; x += 1. / 512 {
		xs = append(xs, float32(x), float32(x*math.Pi/3))
	}
	xs = append(xs, nan, inf, -inf, 0, math.MaxFloat32, -math.MaxFloat32)
	x := kernels.MatrixOf(xs, 1, len(xs))
	for _, f := range formula.Unaries {
		value, slope := make([]float64, len(xs)), make([]float64, len(xs))
		for j, v := range xs {
			value[j], slope[j] = formula.Unary(f, float64(v)), formula.UnarySlope(f, float64(v))
		}
		for _, table := range kernels.Tables() {
			t.Run("isa="+table.ISA.String()+"/f="+f.String(), func(t *testing.T) {
				y, dx, one := kernels.NewMatrix(1, len(xs)), kernels.NewMatrix(1, len(xs)), kernels.NewMatrix(1, len(xs))
				fill(one.Data, 1)
				require.NoError(t, table.Unary(y, x, f))
				require.NoError(t, table.UnaryGrad(dx, one, x, y, f, false))
				worst, at := [2]float64{}, [2]float32{}
				for j, v := range xs {
					for i, c := range []struct {
						want, size float64
						got        float32
					}{{value[j], math.Abs(float64(v)), y.Data[j]}, {slope[j], 1, dx.Data[j]}} {
						if c.want != c.want && c.got != c.got {
							continue
						}
						size := min(max(1, c.size, math.Abs(c.want)), math.MaxFloat32)
						if e := distance(c.want, c.got) / (0x1p-24 * size); !(e <= worst[i]) {
							worst[i], at[i] = e, v
						}
					}
				}
				t.Logf("worst %.2f at %v, slope %.2f at %v", worst[0], at[0], worst[1], at[1])
				bound := 4.
				if f.Kind == kernels.GELU {
					bound = 2
				}
				require.LessOrEqual(t, worst[0], bound, "at %v", at[0])
				require.LessOrEqual(t, worst[1], bound, "at %v", at[1])
			})
		}
	}
}

func TestUnaryUnknown(t *testing.T) {
	x, unknown := kernels.NewMatrix(1, 1), kernels.Unary{Kind: 99}
	for _, err := range []error{new(kernels.Table).Unary(x, x, unknown), new(kernels.Table).UnaryGrad(x, x, x, x, unknown, false)} {
		require.ErrorContains(t, err, "unknown function 99: use [0 (gelu) 1 (gelu_tanh)")
	}
	require.Equal(t, "UnaryKind(99)", unknown.String())
	require.Equal(t, "clip(-1, 1)", kernels.Unary{Kind: kernels.Clip, A: -1, B: 1}.String())
}
