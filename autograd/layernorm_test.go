package autograd_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

func (r *reference) LayerNorm(x, gamma, beta *ops.Tensor, epsilon float64) *ops.Tensor {
	y := newMat(x.Rows, x.Cols)
	n := float64(x.Cols)
	for i := range y.rows {
		row, mean, variance := r.of(x).row(i), 0.0, 0.0
		for _, v := range row {
			mean += v / n
		}
		for _, v := range row {
			variance += (v - mean) * (v - mean) / n
		}
		for j, v := range row {
			y.row(i)[j] = (v-mean)/math.Sqrt(variance+epsilon)*r.of(gamma).v[j] + r.of(beta).v[j]
		}
	}
	return r.noted(y)
}

func TestLayerNormGradients(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range shapes {
			for _, gap := range []int{0, 3} {
				for _, epsilon := range []float64{1e-3, 0.5} {
					t.Run(fmt.Sprintf("op=LayerNorm/%s/gap=%d/epsilon=%v", shapeName(s[0], s[1]), gap, epsilon), func(t *testing.T) {
						r := newRand(1)
						checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
							return weighted(c, c.LayerNorm(p[0], p[1], p[2], epsilon))
						}, []kernels.Matrix{r.normal(s[0], s[1], gap), r.normal(1, s[1], gap), r.normal(1, s[1], gap)})
					})
				}
			}
		}
	})
}

// What is normalized twice, shares its gamma, is its own gamma, or is used besides gets the sum of the gradients.
func TestLayerNormGraphs(t *testing.T) {
	norm := func(c calc, x, gamma, beta *ops.Tensor) *ops.Tensor { return c.LayerNorm(x, gamma, beta, 0.01) }
	cases := []struct {
		name     string
		operands [][2]int
		graph    graph
	}{
		{"residual", [][2]int{{4, 5}, {1, 5}, {1, 5}, {5, 5}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Add(p[0], c.Dense(norm(c, p[0], p[1], p[2]), p[3], nil, kernels.Tanh)))
		}},
		{"after the sum", [][2]int{{4, 5}, {1, 5}, {1, 5}, {5, 5}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, norm(c, c.Add(p[0], c.Dense(p[0], p[3], nil, kernels.Tanh)), p[1], p[2]))
		}},
		{"twice", [][2]int{{4, 5}, {1, 5}, {1, 5}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, norm(c, c.Unary(norm(c, p[0], p[1], p[2]), gelu), p[1], p[2]))
		}},
		{"beta is gamma", [][2]int{{4, 5}, {1, 5}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, norm(c, p[0], p[1], p[1]))
		}},
		{"all the same", [][2]int{{1, 5}}, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, norm(c, p[0], p[0], p[0])) }},
		{"before all the same", [][2]int{{1, 5}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return c.Add(weighted(c, c.Scale(p[0], 2)), weighted(c, norm(c, p[0], p[0], p[0])))
		}},
		{"computed gamma", [][2]int{{4, 5}, {1, 5}, {1, 5}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, norm(c, c.Scale(p[0], 3), c.Activate(p[1], kernels.Sigmoid), c.Scale(p[2], 2)))
		}},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, g := range cases {
			t.Run(g.name, func(t *testing.T) {
				r := newRand(2)
				var operands []kernels.Matrix
				for _, s := range g.operands {
					operands = append(operands, r.normal(s[0], s[1], 0))
				}
				checkGradients(t, table, g.graph, operands)
			})
		}
	})
}

// Each row of a large batch counts in the gradients of gamma and beta; see TestLargeBatch.
func TestLayerNormOfLargeBatch(t *testing.T) {
	const rows = 2*autograd.RowsPerSum + 1
	up, x := kernels.NewMatrix(rows, 2), kernels.NewMatrix(rows, 2)
	for i := range rows {
		copy(up.Row(i), []float32{1, 1})
		copy(x.Row(i), []float32{1, -1})
	}
	copy(up.Row(0), []float32{1 << 24, 1 << 24})
	want := float64(1<<24 + autograd.RowsPerSum)
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		tape := autograd.NewTape(table)
		p, gamma, beta := tape.Param(x), tape.Param(kernels.NewMatrix(1, 2)), tape.Param(kernels.NewMatrix(1, 2))
		y := tape.LayerNorm(p, gamma, beta, 0)
		require.NoError(t, tape.Backward(tape.Sum(tape.Multiply(y, tape.Const(up)))))
		require.Equal(t, make([]float32, 2*rows), tape.Grad(p).Data, "gamma is 0")
		for j, sign := range []float64{1, -1} {
			require.InDelta(t, sign*want, tape.Grad(gamma).Data[j], 100)
			require.InDelta(t, want, tape.Grad(beta).Data[j], 100)
		}
	})
}

func TestLayerNormOfNothing(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range [][2]int{{0, 3}, {3, 0}, {0, 0}} {
			t.Run(shapeName(s[0], s[1]), func(t *testing.T) {
				tape := autograd.NewTape(table)
				x, gamma, beta := tape.Param(kernels.NewMatrix(s[0], s[1])), tape.Param(kernels.NewMatrix(1, s[1])), tape.Param(kernels.NewMatrix(1, s[1]))
				require.NoError(t, tape.Backward(tape.Sum(tape.LayerNorm(x, gamma, beta, 1e-3))))
				require.Equal(t, make([]float32, s[1]), values(tape.Grad(gamma)))
				require.Equal(t, make([]float32, s[1]), values(tape.Grad(beta)))
			})
		}
	})
}

func TestLayerNormErrors(t *testing.T) {
	cases := []struct {
		name, want string
		shape      bool
		run        func(t *autograd.Tape, x, row *autograd.Tensor) *autograd.Tensor
	}{
		{"nil", "operand 1 is not on this tape", false, func(t *autograd.Tape, x, row *autograd.Tensor) *autograd.Tensor {
			return t.LayerNorm(x, nil, row, 1)
		}},
		{"gamma of two rows", "gamma is 2x3", true, func(t *autograd.Tape, x, row *autograd.Tensor) *autograd.Tensor {
			return t.LayerNorm(x, x, row, 1)
		}},
		{"beta of no rows", "beta is 0x3", true, func(t *autograd.Tape, x, row *autograd.Tensor) *autograd.Tensor {
			return t.LayerNorm(x, row, t.Const(kernels.NewMatrix(0, 3)), 1)
		}},
		{"long beta", "beta has 4 elements", true, func(t *autograd.Tape, x, row *autograd.Tensor) *autograd.Tensor {
			return t.LayerNorm(x, row, t.Const(kernels.NewMatrix(1, 4)), 1)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tape := autograd.NewTape(nil)
			x, row := tape.Param(kernels.NewMatrix(2, 3)), tape.Const(kernels.NewMatrix(1, 3))
			y := c.run(tape, x, row)
			require.ErrorContains(t, tape.Err(), c.want)
			if c.shape {
				require.ErrorIs(t, tape.Err(), kernels.ErrShape)
			}
			require.Same(t, y, tape.LayerNorm(x, row, row, 1), "nothing after an error")
		})
	}
}

// A step on a tape that was used before allocates nothing and depends on nothing that is left there.
func TestLayerNormOnUsedTape(t *testing.T) {
	tape, r := autograd.NewTape(nil), newRand(3)
	x, gamma, beta := r.normal(4, 20, 0), r.normal(1, 20, 0), r.normal(1, 20, 0)
	var leaves [3]*autograd.Tensor
	step := func() {
		tape.Reset()
		tape.Poison()
		leaves = [3]*autograd.Tensor{tape.Param(x), tape.Param(gamma), tape.Param(beta)}
		y := tape.LayerNorm(leaves[0], leaves[1], leaves[2], 1e-3)
		if err := tape.Backward(tape.Sum(tape.Unary(y, gelu))); err != nil {
			panic(err)
		}
	}
	grads := func() (all [][]uint32) {
		step()
		for _, x := range leaves {
			all = append(all, bitsOf(tape.Grad(x).Data))
		}
		return all
	}
	fresh := grads()
	grads()
	require.Equal(t, fresh, grads())
	require.Zero(t, testing.AllocsPerRun(10, step))
}
