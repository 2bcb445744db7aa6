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

func (r *reference) BatchNorm(x, gamma, beta *ops.Tensor, epsilon float64) (y, mean, variance *ops.Tensor) {
	xm, m, v := r.of(x), newMat(1, x.Cols), newMat(1, x.Cols)
	n := float64(x.Rows)
	for i := range xm.rows {
		for j, x := range xm.row(i) {
			m.v[j] += x / n
		}
	}
	for i := range xm.rows {
		for j, x := range xm.row(i) {
			v.v[j] += (x - m.v[j]) * (x - m.v[j]) / n
		}
	}
	normal := newMat(x.Rows, x.Cols)
	for i := range xm.rows {
		for j, x := range xm.row(i) {
			normal.row(i)[j] = (x - m.v[j]) / math.Sqrt(v.v[j]+epsilon)
		}
	}
	return r.Affine(r.tensor(normal), gamma, beta), r.tensor(m), r.tensor(v)
}

func (r *reference) RMSNorm(x, gamma *ops.Tensor, epsilon float64) *ops.Tensor {
	y := newMat(x.Rows, x.Cols)
	for i := range y.rows {
		sum := 0.0
		for _, v := range r.of(x).row(i) {
			sum += v * v
		}
		for j, v := range r.of(x).row(i) {
			y.row(i)[j] = v / math.Sqrt(sum/float64(y.cols)+epsilon)
		}
	}
	return r.Affine(r.tensor(y), gamma, nil)
}

func TestNormGradients(t *testing.T) {
	const epsilon = 0.1
	batch := func(c calc, x, gamma, beta *ops.Tensor) *ops.Tensor {
		y, _, _ := c.BatchNorm(x, gamma, beta, epsilon)
		return y
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range shapes {
			for _, gap := range []int{0, 3} {
				r := newRand(61)
				operands := []kernels.Matrix{r.normal(s[0], s[1], gap), r.normal(1, s[1], gap), r.normal(1, s[1], gap)}
				for _, g := range []gradientCase{
					{"BatchNorm", 3, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, batch(c, p[0], p[1], p[2])) }},
					{"BatchNorm/gamma", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, batch(c, p[0], p[1], nil)) }},
					{"BatchNorm/beta", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, batch(c, p[0], nil, p[1])) }},
					{"BatchNorm/neither", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, batch(c, p[0], nil, nil)) }},
					{"BatchNorm/constant", 2, func(c calc, p []*ops.Tensor) *ops.Tensor {
						return weighted(c, c.Add(batch(c, c.Const(operands[0]), p[1], p[1]), p[0]))
					}},
					{"BatchNorm/twice", 3, func(c calc, p []*ops.Tensor) *ops.Tensor {
						y := batch(c, p[0], p[1], p[2])
						return weighted(c, c.Add(y, batch(c, y, p[2], p[1])))
					}},
					{"RMSNorm", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.RMSNorm(p[0], p[1], epsilon)) }},
					{"RMSNorm/constant gamma", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
						return weighted(c, c.RMSNorm(p[0], c.Const(operands[1]), epsilon))
					}},
					{"RMSNorm/constant", 2, func(c calc, p []*ops.Tensor) *ops.Tensor {
						return weighted(c, c.Add(c.RMSNorm(c.Const(operands[0]), p[1], epsilon), p[0]))
					}},
					{"RMSNorm/twice", 2, func(c calc, p []*ops.Tensor) *ops.Tensor {
						y := c.RMSNorm(p[0], p[1], epsilon)
						return weighted(c, c.Add(y, c.RMSNorm(y, p[1], epsilon)))
					}},
				} {
					t.Run(fmt.Sprintf("op=%s/%s/gap=%d", g.op, shapeName(s[0], s[1]), gap), func(t *testing.T) {
						checkGradients(t, table, g.graph, operands[:g.operands])
					})
				}
			}
		}
	})
}

// The moments are those of the columns, and equal elements give beta whatever they are.
func TestBatchNormMoments(t *testing.T) {
	const rows, cols = 37, 21
	r := newRand(62)
	x, beta := r.normal(rows, cols, 0), r.normal(1, cols, 0)
	for i := range rows {
		x.Row(i)[3], x.Row(i)[17] = 1234.567, -1e-3
	}
	var want [3][]uint32
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		tape := autograd.NewTape(table)
		y, mean, variance := tape.BatchNorm(tape.Const(x), nil, tape.Const(beta), 1e-3)
		require.NoError(t, tape.Err())
		for j := range cols {
			m, v := 0.0, 0.0
			for i := range rows {
				m += float64(x.Row(i)[j]) / rows
			}
			for i := range rows {
				v += (float64(x.Row(i)[j]) - m) * (float64(x.Row(i)[j]) - m) / rows
			}
			require.InDelta(t, m, mean.Data[j], 1e-6*(1+math.Abs(m)))
			require.InDelta(t, v, variance.Data[j], 1e-5)
			require.InDelta(t, (float64(x.Row(5)[j])-m)/math.Sqrt(v+1e-3)+float64(beta.Data[j]), y.Row(5)[j], 2e-5)
		}
		require.Equal(t, beta.Data[3], y.Row(0)[3])
		require.Equal(t, beta.Data[17], y.Row(9)[17])
		if table.ISA == kernels.Generic {
			return // its sums are others
		}
		for i, x := range []*ops.Tensor{y, mean, variance} {
			if want[i] == nil {
				want[i] = bitsOf(x.Data)
			}
			require.Equal(t, want[i], bitsOf(x.Data))
		}
	})
}

func TestNormErrors(t *testing.T) {
	tape := autograd.NewTape(nil)
	foreign := autograd.NewTape(nil).Const(kernels.NewMatrix(1, 3))
	for want, call := range map[string]func(x *ops.Tensor){
		"BatchNorm: the gamma is 1x2, x is 2x3":      func(x *ops.Tensor) { tape.BatchNorm(x, tape.Const(kernels.NewMatrix(1, 2)), nil, 1) },
		"BatchNorm: the beta is 2x3, x is 2x3":       func(x *ops.Tensor) { tape.BatchNorm(x, nil, x, 1) },
		"BatchNorm: the beta is not on this tape":    func(x *ops.Tensor) { tape.BatchNorm(x, nil, foreign, 1) },
		"BatchNorm: operand 0 is not on this tape":   func(x *ops.Tensor) { tape.BatchNorm(foreign, nil, nil, 1) },
		"RMSNorm: gamma is 1x2, x is 2x3":            func(x *ops.Tensor) { tape.RMSNorm(x, tape.Const(kernels.NewMatrix(1, 2)), 1) },
		"RMSNorm: operand 1 is not on this tape":     func(x *ops.Tensor) { tape.RMSNorm(x, nil, 1) },
		"Repeat: 0 times 6 elements, valid are 1 ti": func(x *ops.Tensor) { tape.Repeat(x, 0) },
		"Full: -1x3, valid are 0 to 2147483647":      func(x *ops.Tensor) { tape.Full(-1, 3, 1) },
		"Full: 65536x65536, valid are 0 to 2147483":  func(x *ops.Tensor) { tape.Full(1<<16, 1<<16, 1) },
		"Maximum: b is 1x3, a is 2x3":                func(x *ops.Tensor) { tape.Maximum(x, tape.Const(kernels.NewMatrix(1, 3))) },
	} {
		tape.Reset()
		call(tape.Param(kernels.NewMatrix(2, 3)))
		require.ErrorContains(t, tape.Err(), want)
	}
}

// A step of every norm allocates nothing.
func TestNormAllocations(t *testing.T) {
	r := newRand(63)
	x, gamma := r.normal(5, 7, 0), r.normal(1, 7, 0)
	tape := autograd.NewTape(nil)
	require.Zero(t, testing.AllocsPerRun(20, func() {
		tape.Reset()
		p, g := tape.Param(x), tape.Param(gamma)
		y, _, _ := tape.BatchNorm(p, g, g, 1e-3)
		y = tape.Maximum(tape.RMSNorm(y, g, 1e-6), tape.Minimum(p, y))
		y = tape.Multiply(tape.Repeat(y, 2), tape.Full(5, 14, 2))
		if err := tape.Backward(tape.Sum(y)); err != nil {
			panic(err)
		}
	}))
}
