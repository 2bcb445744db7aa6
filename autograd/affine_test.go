package autograd_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

func (r *reference) Affine(x, scale, shift *ops.Tensor) *ops.Tensor {
	y := newMat(x.Rows, x.Cols)
	for i, v := range r.of(x).v {
		if scale != nil {
			v *= r.of(scale).v[i%y.cols]
		}
		if shift != nil {
			v += r.of(shift).v[i%y.cols]
		}
		y.v[i] = v
	}
	return r.noted(y)
}

// affineCases are those of gradientCases.
func affineCases(cols int) []gradientCase {
	r := newRand(50)
	scale, shift := r.normal(1, cols, 1), r.normal(1, cols, 1)
	return []gradientCase{
		{"Affine", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Affine(p[0], c.Const(scale), c.Const(shift)))
		}},
		{"Affine/scale", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Affine(p[0], c.Const(scale), nil)) }},
		{"Affine/shift", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Affine(p[0], nil, c.Const(shift))) }},
		{"Affine/nothing", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Affine(p[0], nil, nil)) }},
	}
}

func TestAffineGradients(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range shapes {
			for _, gap := range []int{0, 3} {
				r := newRand(51)
				operands := []kernels.Matrix{r.normal(s[0], s[1], gap), r.normal(1, s[1], gap), r.normal(1, s[1], gap)}
				for _, g := range []gradientCase{
					{"both", 3, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Affine(p[0], p[1], p[2])) }},
					{"same", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Affine(p[0], p[1], p[1])) }},
					{"scale", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Affine(p[0], p[1], nil)) }},
					{"shift", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Affine(p[0], nil, p[1])) }},
					{"twice", 3, func(c calc, p []*ops.Tensor) *ops.Tensor {
						h := c.Affine(p[0], p[1], p[2])
						return weighted(c, c.Add(h, c.Affine(h, p[2], p[1])))
					}},
				} {
					t.Run(fmt.Sprintf("op=Affine/%s/%s/gap=%d", g.op, shapeName(s[0], s[1]), gap), func(t *testing.T) {
						checkGradients(t, table, g.graph, operands[:g.operands])
					})
				}
				t.Run(fmt.Sprintf("op=Affine/itself/%s/gap=%d", shapeName(1, s[1]), gap), func(t *testing.T) {
					checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
						return weighted(c, c.Affine(p[0], p[0], p[0]))
					}, operands[1:2])
				})
			}
		}
	})
}

// The product is rounded before the sum, on every level.
func TestAffineRounds(t *testing.T) {
	r := newRand(52)
	x, scale, shift := r.normal(9, 35, 0), r.normal(1, 35, 0), r.normal(1, 35, 0)
	want := make([]float32, 9*35)
	for i, v := range x.Data {
		want[i] = float32(v*scale.Data[i%35]) + shift.Data[i%35]
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		tape := autograd.NewTape(table)
		y := tape.Affine(tape.Const(x), tape.Const(scale), tape.Const(shift))
		require.Equal(t, bitsOf(want), bitsOf(y.Data))
		require.Same(t, y, tape.Affine(y, nil, nil))
	})
}

// Sums over a large batch do not stand still, see TestLargeBatch, and have each row once.
func TestAffineLargeBatch(t *testing.T) {
	const rows = 2*autograd.RowsPerSum + 1
	up, x := kernels.NewMatrix(rows, 1), kernels.NewMatrix(rows, 1)
	for i := range up.Data {
		up.Data[i], x.Data[i] = 1, 1
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for first, want := range map[float32]float64{1: rows, 1 << 24: 1<<24 + autograd.RowsPerSum} {
			up.Data[0] = first
			tape := autograd.NewTape(table)
			scale, shift := tape.Param(kernels.NewMatrix(1, 1)), tape.Param(kernels.NewMatrix(1, 1))
			y := tape.Affine(tape.Const(x), scale, shift)
			require.NoError(t, tape.Backward(tape.Sum(tape.Multiply(y, tape.Const(up)))))
			require.InDelta(t, want, tape.Grad(scale).Data[0], 100)
			require.InDelta(t, want, tape.Grad(shift).Data[0], 100)
		}
	})
}

func TestAffineErrors(t *testing.T) {
	tape := autograd.NewTape(nil)
	foreign := autograd.NewTape(nil).Const(kernels.NewMatrix(1, 3))
	for want, call := range map[string]func(x *ops.Tensor){
		"Affine: the scale is 1x2, x is 2x3":    func(x *ops.Tensor) { tape.Affine(x, tape.Const(kernels.NewMatrix(1, 2)), nil) },
		"Affine: the shift is 2x3, x is 2x3":    func(x *ops.Tensor) { tape.Affine(x, nil, x) },
		"Affine: the scale is 0x3, x is 2x3":    func(x *ops.Tensor) { tape.Affine(x, tape.Const(kernels.NewMatrix(0, 3)), nil) },
		"Affine: operand 0 is not on this tape": func(x *ops.Tensor) { tape.Affine(nil, x, x) },
		"Affine: the scale is not on this tape": func(x *ops.Tensor) { tape.Affine(x, foreign, nil) },
		"Affine: the shift is not on this tape": func(x *ops.Tensor) { tape.Affine(x, nil, foreign) },
	} {
		tape.Reset()
		call(tape.Param(kernels.NewMatrix(2, 3)))
		require.ErrorContains(t, tape.Err(), want)
	}
}
