package kernels_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

const layerNormEpsilon = 1e-3

// standardized returns x̂ of a row, its mean and 1/√(variance+epsilon), in float64.
func standardized(x []float64, epsilon float64) (standard []float64, mean, inv float64) {
	n, variance := float64(len(x)), 0.0
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / n
	}
	inv = 1 / math.Sqrt(variance+epsilon)
	for _, v := range x {
		standard = append(standard, (v-mean)*inv)
	}
	return standard, mean, inv
}

// Against float64, within the bound of the comment; in rows of one piece and of several, around 0 and far away from it.
func TestLayerNorm(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cols := range []int{1, 2, 7, 15, 16, 17, 33, 100, 1000, 4096, 4097, 10_007} {
			for name, at := range map[string]float32{"centred": 0, "far": -1000} {
				t.Run(shapeName(5, cols)+"/"+name, func(t *testing.T) {
					r := newRand(uint64(cols))
					x, y, stats := r.matrix(5, cols, 3), guarded(5, cols, 1), guarded(5, 2, 2)
					gamma, beta := r.floats(cols), r.floats(cols)
					for i := range x.Rows {
						for j := range x.Row(i) {
							x.Row(i)[j] += at
						}
					}
					require.NoError(t, table.LayerNorm(y, x, gamma, beta, layerNormEpsilon, stats))
					requireCanaries(t, y)
					requireCanaries(t, stats)
					for i := range x.Rows {
						standard, mean, inv := standardized(doubles(x.Row(i)), float64(float32(layerNormEpsilon)))
						require.InDelta(t, mean, stats.Row(i)[0], 0x1p-23*(math.Abs(mean)+1), "mean")
						require.InEpsilon(t, inv, stats.Row(i)[1], 1e-5, "1/deviation")
						for j, s := range standard {
							bound := ((float64(cols)/16+8)*(1+math.Abs(s)) + math.Abs(mean)*inv) * 0x1p-23
							want := s*float64(gamma[j]) + float64(beta[j])
							bound = bound*math.Abs(float64(gamma[j])) + math.Abs(want)*0x1p-23
							require.InDelta(t, want, y.Row(i)[j], bound, "element %d,%d", i, j)
						}
					}
				})
			}
		}
	})
}

func TestLayerNormGrad(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cols := range []int{1, 2, 7, 15, 16, 17, 33, 100, 1000, 4096, 4097, 10_007} {
			t.Run(shapeName(5, cols), func(t *testing.T) {
				r := newRand(uint64(cols))
				x, dy, dx, stats := r.matrix(5, cols, 3), r.matrix(5, cols, 1), guarded(5, cols, 2), kernels.NewMatrix(5, 2)
				gamma, beta := r.floats(cols), r.floats(cols)
				dgamma, dbeta := r.floats(cols), r.floats(cols)
				wantGamma, wantBeta := doubles(dgamma), doubles(dbeta)
				require.NoError(t, table.LayerNorm(dx, x, gamma, beta, layerNormEpsilon, stats))
				require.NoError(t, table.LayerNormGrad(dx, dgamma, dbeta, dy, x, gamma, stats, false))
				requireCanaries(t, dx)
				for i := range x.Rows {
					standard, _, inv := standardized(doubles(x.Row(i)), layerNormEpsilon)
					want, a, b := make([]float64, cols), 0.0, 0.0
					for j, s := range standard {
						up := float64(dy.Row(i)[j])
						want[j] = up * float64(gamma[j])
						a += want[j] / float64(cols)
						b += want[j] * s / float64(cols)
						wantGamma[j] += up * s
						wantBeta[j] += up
					}
					for j, s := range standard {
						want[j] = inv * (want[j] - a - s*b)
					}
					requireNear(t, want, dx.Row(i), 5e-6*max(1, inv))
				}
				requireNear(t, wantGamma, dgamma, 5e-6)
				requireNear(t, wantBeta, dbeta, 1e-6)

				t.Run("accumulate", func(t *testing.T) {
					twice := copyOf(dx, 0)
					require.NoError(t, table.LayerNormGrad(twice, nil, nil, dy, x, gamma, stats, true))
					require.NoError(t, table.Scale(twice, twice, 0.5))
					requireSameMatrix(t, dx, twice)
				})
				t.Run("over dy", func(t *testing.T) {
					over := copyOf(dy, 3)
					require.NoError(t, table.LayerNormGrad(over, nil, nil, over, x, gamma, stats, false))
					requireSameMatrix(t, dx, over)
				})
				t.Run("one result", func(t *testing.T) {
					again := guarded(5, cols, 0)
					require.NoError(t, table.LayerNormGrad(again, nil, nil, dy, x, gamma, stats, false))
					requireSameMatrix(t, dx, again)
					r := newRand(uint64(cols))
					r.matrix(5, cols, 3)
					r.matrix(5, cols, 1)
					r.floats(cols)
					r.floats(cols)
					onlyGamma, onlyBeta := r.floats(cols), r.floats(cols)
					require.NoError(t, table.LayerNormGrad(kernels.Matrix{}, onlyGamma, nil, dy, x, gamma, stats, false))
					require.NoError(t, table.LayerNormGrad(kernels.Matrix{Stride: 99}, nil, onlyBeta, dy, x, gamma, stats, true))
					requireSameBits(t, dgamma, onlyGamma)
					requireSameBits(t, dbeta, onlyBeta)
				})
			})
		}
	})
}

// The gradient is that of the definition, by central differences.
func TestLayerNormGradDifferences(t *testing.T) {
	const cols = 23
	r := newRand(3)
	x, dy, gamma, beta := r.matrix(1, cols, 0), r.matrix(1, cols, 0), r.floats(cols), r.floats(cols)
	loss := func(x, gamma, beta []float64) float64 {
		standard, _, _ := standardized(x, layerNormEpsilon)
		sum := 0.0
		for j, s := range standard {
			sum += (s*gamma[j] + beta[j]) * float64(dy.Data[j])
		}
		return sum
	}
	row, g, b := doubles(x.Data), doubles(gamma), doubles(beta)
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		dx, dgamma, dbeta, stats := kernels.NewMatrix(1, cols), make([]float32, cols), make([]float32, cols), kernels.NewMatrix(1, 2)
		require.NoError(t, table.LayerNorm(dx, x, gamma, beta, layerNormEpsilon, stats))
		require.NoError(t, table.LayerNormGrad(dx, dgamma, dbeta, dy, x, gamma, stats, false))
		requireNear(t, gradient(func(x []float64) float64 { return loss(x, g, b) }, row), dx.Data, 1e-5)
		requireNear(t, gradient(func(g []float64) float64 { return loss(row, g, b) }, g), dgamma, 1e-5)
		requireNear(t, gradient(func(b []float64) float64 { return loss(row, g, b) }, b), dbeta, 1e-5)
	})
}

// The operations and their order, as TestContract has them for other kernels: a row in pieces gives the bits of one that is not.
func TestLayerNormContract(t *testing.T) {
	special := []float32{nan, inf, -inf, 1e-40, math.MaxFloat32, -math.MaxFloat32, 1e30, -0.5}
	for _, table := range kernels.Tables()[1:] {
		t.Run("isa="+table.ISA.String(), func(t *testing.T) {
			check := func(t *testing.T, x, dy kernels.Matrix, gamma, beta []float32, epsilon float32) {
				rows, cols := x.Rows, x.Cols
				y, stats, dx := guarded(rows, cols, 1), guarded(rows, 2, 1), copyOf(dy, 1)
				dgamma, dbeta := slices.Clone(beta), slices.Clone(gamma)
				wantGamma, wantBeta := slices.Clone(beta), slices.Clone(gamma)
				require.NoError(t, table.LayerNorm(y, x, gamma, beta, epsilon, stats))
				require.NoError(t, table.LayerNormGrad(dx, dgamma, dbeta, dy, x, gamma, stats, true))
				in := copyOf(x, 2)
				require.NoError(t, table.LayerNorm(in, in, gamma, beta, epsilon, kernels.Matrix{}))
				requireSameMatrix(t, y, in)
				n := float32(cols)
				for i := range rows {
					row, up := x.Row(i), dy.Row(i)
					m := inLanes(cols, func(lane float32, j int) float32 { return lane + row[j] }) / n
					d := inLanes(cols, func(lane float32, j int) float32 { return lane + (row[j] - m) }) / n
					variance := inLanes(cols, func(lane float32, j int) float32 { return fma(row[j]-m, row[j]-m, lane) }) / n
					mean, inv := m+d, 1/float32(math.Sqrt(float64(max(fma(-d, d, variance), 0)+epsilon)))
					requireSameBits(t, []float32{mean, inv}, stats.Row(i))
					standard := func(j int) float32 { return float32((row[j] - mean) * inv) }
					g := func(j int) float32 { return float32(up[j] * gamma[j]) }
					a := inLanes(cols, func(lane float32, j int) float32 { return lane + g(j) }) / n
					b := inLanes(cols, func(lane float32, j int) float32 { return fma(g(j), standard(j), lane) }) / n
					wantY, wantX := make([]float32, cols), make([]float32, cols)
					for j := range row {
						wantY[j] = fma(standard(j), gamma[j], beta[j])
						wantX[j] = float32(fma(-standard(j), b, g(j)-a)*inv) + up[j]
						wantGamma[j] = fma(up[j], standard(j), wantGamma[j])
						wantBeta[j] += up[j]
					}
					requireSameBits(t, wantY, y.Row(i))
					requireSameBits(t, wantX, dx.Row(i))
				}
				requireSameBits(t, wantGamma, dgamma)
				requireSameBits(t, wantBeta, dbeta)
			}
			for _, cols := range []int{1, 2, 3, 7, 8, 9, 12, 13, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 130, 2048, 4095, 4096, 4097, 4111, 4112, 20_011} {
				t.Run(shapeName(3, cols), func(t *testing.T) {
					r := newRand(uint64(cols))
					check(t, r.matrix(3, cols, 2), r.matrix(3, cols, 0), r.floats(cols), r.floats(cols), layerNormEpsilon)
				})
			}
			for _, shape := range [][2]int{{1001, 5}, {300, 40}, {0, 3}} {
				t.Run(shapeName(shape[0], shape[1]), func(t *testing.T) {
					r := newRand(uint64(shape[0]))
					check(t, r.matrix(shape[0], shape[1], 0), r.matrix(shape[0], shape[1], 1), r.floats(shape[1]), r.floats(shape[1]), layerNormEpsilon)
				})
			}
			t.Run("special", func(t *testing.T) {
				for place := range 37 {
					for i, v := range special {
						r := newRand(uint64(place))
						x, dy, gamma, beta := r.matrix(3, 37, 0), r.matrix(3, 37, 0), r.floats(37), r.floats(37)
						[][]float32{x.Row(1), dy.Row(1), gamma, beta}[(place+i)%4][place] = v
						check(t, x, dy, gamma, beta, layerNormEpsilon)
					}
				}
			})
			t.Run("constant", func(t *testing.T) { // of the longest rows rounding leaves less than no variance
				r := newRand(5)
				for _, cols := range []int{5, 100, 1000, 50_021} {
					x := kernels.NewMatrix(20, cols)
					for i := range x.Rows {
						fill(x.Row(i), float32(1e6*r.NormFloat64()))
					}
					check(t, x, r.matrix(20, cols, 0), r.floats(cols), r.floats(cols), 1e-30)
				}
			})
			t.Run("far lanes beyond the tail", func(t *testing.T) { // x̂ of a zero that is not there would be infinite
				x := kernels.NewMatrix(2, 5)
				fill(x.Data, 1e30)
				check(t, x, newRand(1).matrix(2, 5, 0), newRand(2).floats(5), newRand(3).floats(5), 1e-30)
			})
		})
	}
}

func TestLayerNormSpecialValues(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cols := range []int{1, 5, 16, 100, 4099, 9000} {
			r := newRand(uint64(cols))
			gamma, beta := r.floats(cols), r.floats(cols)
			norm := func(x kernels.Matrix) (y, stats kernels.Matrix) {
				y, stats = kernels.NewMatrix(x.Rows, cols), kernels.NewMatrix(x.Rows, 2)
				require.NoError(t, table.LayerNorm(y, x, gamma, beta, layerNormEpsilon, stats))
				return y, stats
			}
			t.Run("constant/"+shapeName(1, cols), func(t *testing.T) {
				for _, v := range []float32{0, 0.1, -3, 1234567.8, 1e-40, 1e30} {
					x := kernels.NewMatrix(1, cols)
					fill(x.Data, v)
					y, stats := norm(x)
					requireSameBits(t, beta, y.Data)
					require.Equal(t, v, stats.Data[0])
					if fabs(v) < 1e18 { // else the squares overflow
						require.InEpsilon(t, 1/math.Sqrt(layerNormEpsilon), stats.Data[1], 1e-4)
					}
				}
			})
			for _, v := range []float32{nan, inf, -inf} {
				t.Run(shapeName(3, cols), func(t *testing.T) {
					x, dy := r.matrix(3, cols, 0), r.matrix(3, cols, 0)
					x.Row(1)[cols/2] = v
					y, stats := norm(x)
					dx := kernels.NewMatrix(3, cols)
					require.NoError(t, table.LayerNormGrad(dx, nil, nil, dy, x, gamma, stats, false))
					for i := range 3 {
						for j := range cols {
							require.Equal(t, i == 1, isNaN(y.Row(i)[j]), "y of row %d", i)
							require.Equal(t, i == 1, isNaN(dx.Row(i)[j]), "dx of row %d", i)
						}
					}
				})
			}
			if cols > 1 {
				t.Run("squares overflow/"+shapeName(1, cols), func(t *testing.T) {
					x := kernels.NewMatrix(1, cols)
					x.Data[0] = 1e25
					y, stats := norm(x)
					requireSameBits(t, beta, y.Data)
					require.Zero(t, stats.Data[1])
				})
			}
		}
	})
}

func TestLayerNormShapes(t *testing.T) {
	x, v, stats, none := kernels.NewMatrix(2, 3), make([]float32, 3), kernels.NewMatrix(2, 2), kernels.Matrix{}
	short := kernels.Matrix{Data: x.Data[:3], Rows: 2, Cols: 2, Stride: 2}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, c := range []struct {
			err  error
			want string
		}{
			{table.LayerNorm(kernels.NewMatrix(2, 4), x, v, v, 1, none), "LayerNorm: y is 2x4, x is 2x3"},
			{table.LayerNorm(x, x, v[:2], v, 1, none), "LayerNorm: gamma has 2 elements, x has 3 columns"},
			{table.LayerNorm(x, x, v, nil, 1, none), "LayerNorm: beta has 0 elements, x has 3 columns"},
			{table.LayerNorm(x, x, v, v, 1, kernels.NewMatrix(3, 2)), "LayerNorm: stats is 3x2, x has 2 rows"},
			{table.LayerNorm(x, x, v, v, 1, x), "LayerNorm: stats is 2x3, x has 2 rows"},
			{table.LayerNorm(x, x, v, v, 1, short), "LayerNorm: stats is 2x2 with stride 2 but holds 3 elements"},
			{table.LayerNormGrad(x, v, v, kernels.NewMatrix(1, 3), x, v, stats, false), "LayerNormGrad: dy is 1x3, x is 2x3"},
			{table.LayerNormGrad(kernels.NewMatrix(1, 3), v, v, x, x, v, stats, false), "LayerNormGrad: dx is 1x3, x is 2x3"},
			{table.LayerNormGrad(x, v[:2], v, x, x, v, stats, false), "LayerNormGrad: dgamma has 2 elements, x has 3 columns"},
			{table.LayerNormGrad(x, v, v[:0], x, x, v, stats, false), "LayerNormGrad: dbeta has 0 elements, x has 3 columns"},
			{table.LayerNormGrad(x, v, v, x, x, v[:1], stats, false), "LayerNormGrad: gamma has 1 elements, x has 3 columns"},
			{table.LayerNormGrad(x, v, v, x, x, v, none, false), "LayerNormGrad: stats is 0x0, x has 2 rows"},
			{table.LayerNormGrad(x, v, v, x, x, v, short, false), "LayerNormGrad: stats is 2x2 with stride 2 but holds 3 elements"},
		} {
			require.ErrorIs(t, c.err, kernels.ErrShape)
			require.EqualError(t, c.err, "kernels: "+c.want+": shape mismatch")
		}
		for _, shape := range [][2]int{{0, 0}, {0, 3}, {3, 0}} { // nothing to do
			m, v, stats := kernels.NewMatrix(shape[0], shape[1]), make([]float32, shape[1]), kernels.NewMatrix(shape[0], 2)
			fill(v, 7)
			require.NoError(t, table.LayerNorm(m, m, v, v, 1, stats))
			require.NoError(t, table.LayerNorm(m, m, v, v, 1, none))
			require.NoError(t, table.LayerNormGrad(m, v, v, m, m, v, stats, false))
			for _, v := range v {
				require.Equal(t, float32(7), v)
			}
		}
	})
}

func TestLayerNormAllocations(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, cols := range []int{20, 5000} {
			r := newRand(1)
			x, y, stats, gamma, beta := r.matrix(4, cols, 1), r.matrix(4, cols, 0), kernels.NewMatrix(4, 2), r.floats(cols), r.floats(cols)
			requireNoAllocations(t, func() error { return table.LayerNorm(y, x, gamma, beta, layerNormEpsilon, stats) })
			requireNoAllocations(t, func() error { return table.LayerNormGrad(y, beta, beta, x, x, gamma, stats, true) })
		}
	})
}
