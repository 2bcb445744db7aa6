package plan

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// shift records a row by row operation with two constants: y[i, j] = x[i, j] + c[0, j] + t[2, 1].
func shift(r *Recorder, x, c, t *ops.Tensor) *ops.Tensor {
	run := func(_ *kernels.Table, s *boundStep) error {
		c, t := s.x[1], s.x[2]
		if c.Rows != 1 || t.Rows != 3 {
			return fmt.Errorf("constants have %d and %d rows", c.Rows, t.Rows)
		}
		for i := range s.y.Rows {
			for j, v := range s.x[0].Row(i) {
				s.y.Row(i)[j] = v + c.Row(0)[j] + t.Row(2)[1]
			}
		}
		return nil
	}
	return r.record(operation{name: "shift", kind: rowwise, run: run}, x.Rows, x.Cols, x, c, t)
}

// A step has constants in their own shape, whatever the batch, and all sessions share them.
func TestConstantOperands(t *testing.T) {
	const batch = 5
	x, c, table := matrix(batch, 6, -0.5), matrix(1, 3, 0.25), matrix(3, 2, 1)
	r := NewRecorder()
	in := r.Reshape(r.Input("x", 6), 2, 3)
	r.Output("y", shift(r, in, r.Const(c), r.Const(table)))
	p, err := r.Plan(Config{MaxBatch: batch})
	require.NoError(t, err)
	want := slices.Clone(x.Data)
	for i := range want {
		want[i] += c.Data[i%3] + table.Data[5]
	}
	clear(c.Data) // the plan has copies
	y := make([]float32, len(want))
	for _, n := range []int{1, batch, 2, batch} {
		clear(y)
		require.NoError(t, p.Predict([][]float32{x.Data}, [][]float32{y}, n))
		require.Equal(t, want[:6*n], y[:6*n])
	}

	a, b := p.NewSession(), p.NewSession()
	require.NotSame(t, &a.steps[0].x[0].Data[0], &b.steps[0].x[0].Data[0])
	for i := 1; i < 3; i++ {
		require.Same(t, unsafe.SliceData(a.steps[0].x[i].Data), unsafe.SliceData(b.steps[0].x[i].Data))
	}
	clear(y)
	require.NoError(t, a.RunOn([][]float32{x.Data}, [][]float32{y}, 3))
	require.Equal(t, want[:18], y[:18])
	require.Zero(t, testing.AllocsPerRun(10, func() {
		if a.Run(1) != nil || a.Run(batch) != nil || a.RunOn([][]float32{x.Data}, [][]float32{y}, 3) != nil {
			panic("Run")
		}
	}))

	var text bytes.Buffer
	require.NoError(t, p.Describe(&text))
	require.Regexp(t, `shift +2x3 +2x3 +0 +36\n`, text.String(), "constants count as weights")
}

// A function with constants is computed where the product lies, like one without.
func TestConstantOperandsOfATail(t *testing.T) {
	const batch = 3
	x, w, c, table := matrix(batch, 4, -0.5), matrix(4, 3, -0.25), matrix(1, 3, 0.25), matrix(3, 2, 1)
	r := NewRecorder()
	y := r.Dense(r.Input("x", 4), r.Const(w), nil, kernels.Linear)
	r.Output("y", shift(r, y, r.Const(c), r.Const(table)))
	p, err := r.Plan(Config{MaxBatch: batch})
	require.NoError(t, err)
	want := kernels.NewMatrix(batch, 3)
	require.NoError(t, kernels.Default().Gemm(nil, want, x, w, kernels.Epilogue{}))
	for i := range want.Data {
		want.Data[i] += c.Data[i%3] + table.Data[5]
	}
	got := make([]float32, len(want.Data))
	require.NoError(t, p.Predict([][]float32{x.Data}, [][]float32{got}, batch))
	require.Equal(t, want.Data, got)
	require.Len(t, p.steps, 2)
	require.Equal(t, p.steps[0].y.buffer, p.steps[1].y.buffer)
}
