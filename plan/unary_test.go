package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Products of the same weights whose functions differ in a parameter only.
func TestUnaryTails(t *testing.T) {
	w, shared := []kernels.Matrix{matrix(6, 5, -0.5), matrix(6, 5, -0.75)}, matrix(5, 4, -0.5)
	slopes := []kernels.Unary{{Kind: kernels.Rectify, A: 0.1, B: 9}, {Kind: kernels.Rectify, A: 0.2, B: 9}}
	x, k := matrix(1, 6, -0.25), kernels.Default()
	r := NewRecorder()
	in := r.Input("x", 6)
	last := r.Const(shared)
	var want, have [][]float32
	for i, f := range slopes {
		hidden := r.Dense(in, r.Const(w[i]), nil, kernels.Tanh)
		r.Output([]string{"a", "b"}[i], r.Unary(r.Dense(hidden, last, nil, kernels.Linear), f))
		h, y := kernels.NewMatrix(1, 5), kernels.NewMatrix(1, 4)
		require.NoError(t, k.Gemm(nil, h, x, w[i], kernels.Epilogue{Act: kernels.Tanh}))
		require.NoError(t, k.Gemm(nil, y, h, shared, kernels.Epilogue{}))
		require.NoError(t, k.Unary(y, y, f))
		require.Less(t, y.Data[0], float32(0))
		want, have = append(want, y.Data), append(have, make([]float32, 4))
	}
	p, err := r.Plan(Config{MaxBatch: 1})
	require.NoError(t, err)
	require.NoError(t, p.Predict([][]float32{x.Data}, have, 1))
	require.Equal(t, want, have)
}
