package kernels_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

var fma = kernels.ExactFMA

func TestFMAOracle(t *testing.T) {
	r := newRand(3)
	for range 20000 {
		a, b := float32(r.NormFloat64()), float32(r.NormFloat64())
		c := float32(math.Ldexp(r.NormFloat64(), r.IntN(60)-30))
		if r.IntN(2) == 0 { // close to a tie
			c = float32(math.Ldexp(1+math.Ldexp(1, -23), r.IntN(60)-30))
			a = 1 + float32(math.Ldexp(1, -12))
			b = float32(math.Ldexp(1-math.Ldexp(1, -12), r.IntN(60)-30))
		}
		exact := new(big.Float).SetPrec(300)
		exact.Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		exact.Add(exact, big.NewFloat(float64(c)))
		want, _ := exact.Float32()
		require.Equal(t, want, fma(a, b, c), "%v*%v+%v", a, b, c)
	}
}

// mulAdd is a·b + c as the numeric contract demands it of a level.
func mulAdd(isa kernels.ISA, a, b, c float32) float32 {
	if isa == kernels.Generic {
		return float32(a*b) + c
	}
	return fma(a, b, c)
}

// oracle computes an element of a product of n columns in the order of the numeric contract.
func (p product) oracle(isa kernels.ISA, acc float32, n, k int, a, b func(p int) float32) float32 {
	if isa != kernels.Generic {
		return kernels.ExactSum(p.transB, acc, n, k, a, b)
	}
	for q := range k {
		acc = mulAdd(isa, a(q), b(q), acc)
	}
	return acc
}

type product struct {
	name           string
	transA, transB bool
	run            func(t *kernels.Table, s *kernels.Scratch, c, a, b kernels.Matrix, e kernels.Epilogue) error
}

var products = []product{
	{"Gemm", false, false, (*kernels.Table).Gemm},
	{"GemmNT", false, true, (*kernels.Table).GemmNT},
	{"GemmTN", true, false, (*kernels.Table).GemmTN},
}

// operands returns A and B for C[m,n] in the layout the product reads.
func (p product) operands(r random, m, k, n, gap int) (a, b kernels.Matrix) {
	if p.transA {
		a = r.matrix(k, m, gap)
	} else {
		a = r.matrix(m, k, gap)
	}
	if p.transB {
		return a, r.matrix(n, k, gap)
	}
	return a, r.matrix(k, n, gap)
}

func at(m kernels.Matrix, transposed bool, i, j int) float32 {
	if transposed {
		i, j = j, i
	}
	return m.Row(i)[j]
}

func TestGemm(t *testing.T) {
	rows := []int{0, 1, 2, 3, 7, 13, 14, 15, 29}
	depths := []int{0, 1, 2, 3, 4, 5, 7, 8, 31}
	cols := []int{0, 1, 2, 3, 5, 15, 16, 17, 31, 33, 67}
	if testing.Short() {
		depths, cols = []int{0, 1, 5, 31}, []int{0, 1, 5, 16, 17, 33, 67}
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, p := range products {
			for _, m := range rows {
				for _, k := range depths {
					for _, n := range cols {
						t.Run(fmt.Sprintf("%s/m=%d/k=%d/n=%d", p.name, m, k, n), func(t *testing.T) {
							for _, gap := range []int{0, 3} {
								testProduct(t, table, p, m, k, n, gap)
							}
						})
					}
				}
			}
			// Beyond the sizes up to which k, columns and calls are in one piece and operands are read in place.
			large := [][3]int{{61, 307, 131}, {33, 521, 67}, {183, 181, 65}}
			if testing.Short() {
				large = nil // TestGemmRandom has some
			}
			for _, size := range large {
				m, k, n := size[0], size[1], size[2]
				t.Run(fmt.Sprintf("%s/m=%d/k=%d/n=%d", p.name, m, k, n), func(t *testing.T) { testProduct(t, table, p, m, k, n, 5) })
			}
		}
	})
}

func testProduct(t *testing.T, table *kernels.Table, p product, m, k, n, gap int) {
	r := newRand(uint64(m*10000 + k*100 + n))
	a, b := p.operands(r, m, k, n, gap)
	before := r.matrix(m, n, gap)
	bias := r.floats(n)
	var s kernels.Scratch
	for _, e := range []kernels.Epilogue{{}, {Bias: bias}, {Accumulate: true}} {
		c := copyOf(before, gap)
		require.NoError(t, p.run(table, &s, c, a, b, e))
		requireCanaries(t, c)
		for i := range m {
			for j := range n {
				start := float32(0)
				if e.Bias != nil {
					start = bias[j]
				} else if e.Accumulate {
					start = before.Row(i)[j]
				}
				ai := func(q int) float32 { return at(a, p.transA, i, q) }
				bj := func(q int) float32 { return at(b, p.transB, q, j) }
				want := p.oracle(table.ISA, start, n, k, ai, bj)
				if c.Row(i)[j] != want {
					require.Failf(t, "not the contract's bits", "c[%d,%d]: want %v, got %v", i, j, want, c.Row(i)[j])
				}
				exact, size := float64(start), math.Abs(float64(start))
				for q := range k {
					v := float64(ai(q)) * float64(bj(q))
					exact += v
					size += math.Abs(v)
				}
				bound := float64(k) * 0x1p-23 * size
				if table.ISA != kernels.Generic && p.transB && kernels.Dots(n, k) {
					bound /= 8
				}
				if math.Abs(float64(want)-exact) > bound {
					require.Failf(t, "outside of the bound", "c[%d,%d]: want %v, got %v", i, j, exact, want)
				}
			}
		}
	}
}

func TestGemmActivation(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, p := range products {
			for act := kernels.Linear; act <= kernels.Tanh; act++ {
				t.Run(fmt.Sprintf("%s/act=%s", p.name, act), func(t *testing.T) {
					r := newRand(5)
					a, b := p.operands(r, 9, 11, 35, 2)
					bias := r.floats(35)
					want, got := kernels.NewMatrix(9, 35), guarded(9, 35, 2)
					require.NoError(t, p.run(table, nil, want, a, b, kernels.Epilogue{Bias: bias}))
					require.NoError(t, table.Activate(want, want, nil, act))
					require.NoError(t, p.run(table, nil, got, a, b, kernels.Epilogue{Bias: bias, Act: act}))
					requireSameMatrix(t, want, got)
					requireCanaries(t, got)
				})
			}
		}
	})
}

// A row has the same bits alone and in any batch.
func TestGemmRowAlone(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, n := range []int{1, 10, 16, 64, 100} {
			r := newRand(uint64(n))
			const m, k = 43, 37
			a, b, c := r.matrix(m, k, 0), r.matrix(k, n, 0), kernels.NewMatrix(m, n)
			e := kernels.Epilogue{Bias: r.floats(n), Act: kernels.Tanh}
			var s kernels.Scratch
			require.NoError(t, table.Gemm(&s, c, a, b, e))
			for i := range m {
				alone := kernels.NewMatrix(1, n)
				require.NoError(t, table.Gemm(&s, alone, a.RowRange(i, i+1), b, e))
				requireSameBits(t, c.Row(i), alone.Row(0))
			}
		}
	})
}

func TestGemmPropagatesNaN(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, p := range products {
			r := newRand(1)
			a, b := p.operands(r, 5, 6, 20, 0)
			c := kernels.NewMatrix(5, 20)
			a.Data[0] = nan // element (0, 0) in either layout
			require.NoError(t, p.run(table, nil, c, a, b, kernels.Epilogue{Act: kernels.ReLU}))
			for i := range c.Rows {
				for _, v := range c.Row(i) {
					require.Equal(t, i == 0, isNaN(v), p.name)
				}
			}
		}
	})
}
