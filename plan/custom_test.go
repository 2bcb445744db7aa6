package plan

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// pool returns, for each two rows, the first one reversed plus the second one and the bias, which is the last operand.
type pool struct{ err error }

func (pool) Name() string { return "pool" }

func (p pool) Forward(y kernels.Matrix, x []kernels.Matrix) error {
	if x[0].Rows != 2*y.Rows || x[1].Rows != 1 {
		return errors.New("rows")
	}
	for i := range y.Rows {
		for j := range y.Row(i) {
			y.Row(i)[j] = x[0].Row(2 * i)[y.Cols-1-j] + x[0].Row(2*i + 1)[j] + x[1].Row(0)[j]
		}
	}
	return p.err
}

func (pool) Backward([]kernels.Matrix, kernels.Matrix, kernels.Matrix, []kernels.Matrix) error {
	return nil
}

// A function sees the rows of all samples and whole constants. Its result may lie among the columns of others, and has not
// the rows of the operand.
func TestCustom(t *testing.T) {
	const batch = 5
	x, w, bias := matrix(batch, 12, -0.5), matrix(3, 3, -0.25), matrix(1, 3, 0.25)
	r := NewRecorder()
	in := r.Input("x", 12)
	r.Label("pooled")
	h := r.Dense(r.Reshape(in, 4, 3), r.Const(w), nil, kernels.Linear)
	y := r.Custom(pool{}, 2, 3, h, r.Const(bias))
	y = r.Custom(pool{}, 1, 3, y, r.Const(bias))
	r.Output("y", r.Concatenate(y, in))
	p, err := r.Plan(Config{MaxBatch: batch})
	require.NoError(t, err)

	product := kernels.NewMatrix(4*batch, 3)
	require.NoError(t, kernels.Default().Gemm(nil, product, kernels.MatrixOf(x.Data, 4*batch, 3), w, kernels.Epilogue{}))
	one, two := kernels.NewMatrix(2*batch, 3), kernels.NewMatrix(batch, 3)
	require.NoError(t, pool{}.Forward(one, []kernels.Matrix{product, bias}))
	require.NoError(t, pool{}.Forward(two, []kernels.Matrix{one, bias}))
	var want []float32
	for i := range batch {
		want = append(append(want, two.Row(i)...), x.Row(i)...)
	}
	got := make([]float32, len(want))
	for _, n := range []int{1, batch, 3} {
		clear(got)
		require.NoError(t, p.Predict([][]float32{x.Data}, [][]float32{got}, n))
		require.Equal(t, want[:15*n], got[:15*n])
	}

	var text bytes.Buffer
	require.NoError(t, p.Describe(&text))
	require.Contains(t, strings.Join(strings.Fields(text.String()), " "), "pool pooled 4x3 2x3 6 12 pool pooled 2x3 1x3 3 12")
	s := p.NewSession()
	require.Zero(t, testing.AllocsPerRun(10, func() {
		if s.Run(1) != nil || s.Run(batch) != nil {
			panic("Run")
		}
	}))
}

func TestCustomErrors(t *testing.T) {
	for want, call := range map[string]func(r *Recorder, x *ops.Tensor) *ops.Tensor{
		"operand 1 is not of this recorder":    func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Custom(pool{}, 1, 3, x, nil) },
		"needs a function":                     func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Custom(nil, 1, 3, x) },
		"at least one operand":                 func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Custom(pool{}, 1, 3) },
		"pool: a result of 0x3":                func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Custom(pool{}, 0, 3, x) },
		"pool: a result of 3x0":                func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Custom(pool{}, 3, 0, x) },
		"pool: a result of 1073741824x2 has m": func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Custom(pool{}, 1<<30, 2, x) },
	} {
		r := NewRecorder()
		r.Output("y", call(r, r.Input("x", 6)))
		require.ErrorContains(t, r.Err(), want)
	}

	wrong := errors.New("wrong")
	r := NewRecorder()
	x := r.Reshape(r.Input("x", 6), 2, 3)
	r.Label("pooled")
	r.Output("y", r.Custom(pool{wrong}, 1, 3, x, r.Const(matrix(1, 3, 0))))
	p, err := r.Plan(Config{MaxBatch: 1})
	require.NoError(t, err)
	err = p.Predict([][]float32{make([]float32, 6)}, [][]float32{make([]float32, 3)}, 1)
	require.ErrorIs(t, err, wrong)
	require.ErrorContains(t, err, `plan: layer "pooled": pool: wrong`)
}
