package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// What no product takes in has the bits of the tape, on rows of any kind.
func TestAffine(t *testing.T) {
	x, scale, shift, third := matrix(3, 6, -0.5), matrix(1, 6, 0.75), matrix(1, 6, -0.125), matrix(1, 3, 0.3)
	for name, n := range map[string]network{
		"both":    func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor { return o.Affine(x, c(scale), c(shift)) },
		"scale":   func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor { return o.Affine(x, c(scale), nil) },
		"shift":   func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor { return o.Affine(x, nil, c(shift)) },
		"neither": func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor { return o.Unary(o.Affine(x, nil, nil), gelu) },
		"rows": func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Reshape(o.Affine(o.Reshape(x, 2*x.Rows, 3), c(third), c(third)), x.Rows, 6)
		},
		"joined": func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Concatenate(x, o.Affine(o.Slice(x, 2, 5), c(third), c(third)), o.Affine(x, c(scale), c(shift)))
		},
		"of constants": func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Affine(x, o.Affine(c(scale), c(shift), c(scale)), o.Affine(c(shift), nil, c(scale)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, served, taped := both(t, n, x)
			require.Equal(t, taped, served)
		})
	}
}

func TestAffineErrors(t *testing.T) {
	for want, call := range map[string]func(r *Recorder, x *ops.Tensor){
		"affine: scale and shift must be constants": func(r *Recorder, x *ops.Tensor) { r.Affine(x, r.Const(matrix(1, 3, 0)), x) },
		"affine: x is 1x3, scale or shift is 1x2":   func(r *Recorder, x *ops.Tensor) { r.Affine(x, nil, r.Const(matrix(1, 2, 0))) },
		"affine: x is 1x3, scale or shift is 2x3":   func(r *Recorder, x *ops.Tensor) { r.Affine(x, r.Const(matrix(2, 3, 0)), nil) },
		"affine: operand 0 is not of this recorder": func(r *Recorder, x *ops.Tensor) { r.Affine(nil, nil, nil) },
		"affine: operand 1 is not of this recorder": func(r *Recorder, x *ops.Tensor) { r.Affine(x, NewRecorder().Const(kernels.NewMatrix(1, 3)), nil) },
	} {
		r := NewRecorder()
		call(r, r.Input("x", 3))
		require.ErrorContains(t, r.Err(), want)
	}
}
