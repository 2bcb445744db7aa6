package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

func TestMask(t *testing.T) {
	x := kernels.MatrixOf([]float32{0, 0, 1, 0, 0, 3 /**/, 0, 0, 0, 0, 2, 2}, 2, 6)
	_, served, taped := both(t, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
		steps := o.Reshape(x, 3*x.Rows, 2)
		masked := o.MaskRows(o.Affine(steps, nil, c(matrix(1, 2, 5))), o.Unequal(steps, 0))
		return o.Reshape(masked, x.Rows, 6)
	}, x)
	require.Equal(t, taped, served)
	require.Equal(t, []float32{0, 0}, served[:2])
	require.NotContains(t, served[2:6], 0)
}

// What no output depends on is not computed, and changes nothing for what is.
func TestSweep(t *testing.T) {
	x, w := matrix(3, 4, 0.5), matrix(4, 4, -0.25)
	network := func(unread bool) network {
		return func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			h := o.Dense(x, c(w), nil, kernels.Linear)
			if unread {
				o.Activate(h, kernels.ReLU)
				o.Gelu(x)
				o.MaskRows(h, o.Unequal(h, 0))
			}
			return o.Activate(h, kernels.Tanh)
		}
	}
	want, served, _ := both(t, network(false), x)
	steps, same, _ := both(t, network(true), x)
	require.Equal(t, want, steps)
	require.Equal(t, served, same)
}

func TestMaskErrors(t *testing.T) {
	for want, call := range map[string]func(r *Recorder, x *ops.Tensor){
		"unequal: operand 0 is not of this recorder": func(r *Recorder, x *ops.Tensor) { r.Unequal(nil, 0) },
		"mask: operand 1 is not of this recorder":    func(r *Recorder, x *ops.Tensor) { r.MaskRows(x, nil) },
		"mask: the mask is 1x3, x is 1x3":            func(r *Recorder, x *ops.Tensor) { r.MaskRows(x, x) },
	} {
		r := NewRecorder()
		call(r, r.Input("x", 3))
		require.ErrorContains(t, r.Err(), want)
	}
}
