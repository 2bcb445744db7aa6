package autograd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// The label of a row of weight 0 can be any number: it changes nothing, and the caller's labels stay.
func TestLabelsOfNoWeight(t *testing.T) {
	x := kernels.MatrixOf([]float32{0.1, 0.7, 0.2, 0.3, 0.3, 0.4, 0.6, 0.3, 0.1}, 3, 3)
	weights := []float32{1, 0, 2}
	run := func(labels []int32, loss func(*autograd.Tape, *autograd.Tensor, []int32) *autograd.Tensor) ([]float32, float32, error) {
		tape := autograd.NewTape(nil)
		p := tape.Param(x)
		l := loss(tape, p, labels)
		err := tape.Backward(l)
		if err != nil {
			return nil, 0, err
		}
		return tape.Grad(p).Data, l.Data[0], nil
	}
	for name, loss := range map[string]func(*autograd.Tape, *autograd.Tensor, []int32) *autograd.Tensor{
		"fused": func(t *autograd.Tape, x *autograd.Tensor, l []int32) *autograd.Tensor {
			loss, _ := t.SoftmaxCrossEntropy(x, l, weights)
			return loss
		},
		"clipped": func(t *autograd.Tape, x *autograd.Tensor, l []int32) *autograd.Tensor {
			return t.ClippedCrossEntropy(x, l, weights)
		},
	} {
		want, value, err := run([]int32{1, 0, 2}, loss)
		require.NoError(t, err, name)
		for _, label := range []int32{-1, 3, 255} {
			labels := []int32{1, label, 2}
			have, again, err := run(labels, loss)
			require.NoError(t, err, name)
			require.Equal(t, want, have, name)
			require.Equal(t, value, again, name)
			require.Equal(t, []int32{1, label, 2}, labels, name)
		}
		_, _, err = run([]int32{1, -1, 3}, loss)
		require.ErrorContains(t, err, "row 2 has label 3, outside of [0, 3)", name)
		_, _, err = run([]int32{1, -1, 2, -1}, loss)
		require.ErrorIs(t, err, kernels.ErrShape, name)
	}
}

func TestSmooth(t *testing.T) {
	tape := autograd.NewTape(nil)
	x := kernels.Matrix{Data: []float32{0, 1, 9, 0.5, 0.25}, Rows: 2, Cols: 2, Stride: 3}
	y := tape.Smooth(x, 0.9, 0.05)
	for i, want := range []float64{0.05, 0.95, 0.5, 0.275} {
		require.Equal(t, float32(want), y.Row(i / 2)[i%2])
	}
	wrong := kernels.MatrixOf([]float32{1}, 2, 2)
	require.Equal(t, wrong, tape.Smooth(wrong, 1, 0), "a loss reports it")
}
