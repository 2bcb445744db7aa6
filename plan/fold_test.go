package plan

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A leaf makes a tensor of data, on a tape or on a recorder.
type leaf func(m kernels.Matrix) *ops.Tensor

// show is a Function that puts a constant, the last operand, beside the values of each sample.
type show struct{}

func (show) Name() string { return "show" }

func (show) Forward(y kernels.Matrix, x []kernels.Matrix) error {
	for i := range y.Rows {
		row := append(y.Row(i)[:0], x[0].Row(i)...)
		for j := range x[1].Rows {
			row = append(row, x[1].Row(j)...)
		}
	}
	return nil
}

func (show) Backward([]kernels.Matrix, kernels.Matrix, kernels.Matrix, []kernels.Matrix) error {
	return nil
}

// fixed returns constants that are computed of constants, one of each kind of operation.
func fixed(o ops.Ops, c leaf) map[string]*ops.Tensor {
	gap := matrix(4, 6, -0.5).Columns(1, 5) // 4x4, its rows not next to each other
	x := c(gap)
	return map[string]*ops.Tensor{
		"Dense":       o.Dense(x, c(matrix(4, 3, -0.25)), c(matrix(1, 3, 0.5)), kernels.Tanh),
		"Dense/plain": o.Dense(x, x, nil, kernels.Linear),
		"Embedding":   o.Embedding(c(kernels.MatrixOf([]float32{3, 0}, 1, 2)), x),
		"Activate":    o.Activate(x, kernels.Sigmoid),
		"Gelu":        o.Unary(x, gelu),
		"Softmax":     o.Softmax(x),
		"Add":         o.Add(x, x),
		"Multiply":    o.Multiply(x, x),
		"Scale":       o.Scale(x, -3),
		"Maximum":     o.Maximum(x, o.Full(4, 4, 0.25)),
		"Minimum":     o.Minimum(o.Full(4, 4, 0.25), x),
		"Repeat":      o.Repeat(x, 3),
		"RMSNorm":     o.RMSNorm(x, o.Full(1, 4, 2), 0.1),
		"Affine":      o.Affine(x, c(matrix(1, 4, 2)), c(matrix(1, 4, -1))),
		"Reshape":     o.Reshape(o.Scale(x, 1), 2, 8),
		"Concatenate": o.Concatenate(x, o.Slice(x, 1, 3), x),
		"Slice":       o.Slice(x, 1, 3),
		"Dropout":     o.Dropout(x, 0, rand.NewPCG(1, 1)),
		"Custom":      o.Custom(show{}, 4, 4+16, x, x),
		"chain":       o.Dense(o.Add(x, o.Softmax(x)), o.Scale(x, 0.5), o.Reshape(o.Slice(o.Dense(x, x, nil, kernels.ReLU), 0, 1), 1, 4), kernels.Sigmoid),
	}
}

// What depends on constants only is computed once, and has the bits that the tape gives it.
func TestFold(t *testing.T) {
	tape := autograd.NewTape(nil)
	for name, want := range fixed(tape, tape.Const) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, tape.Err())
			r := NewRecorder()
			c := fixed(r, r.Const)[name]
			r.Output("y", r.Custom(show{}, 1, 1+want.Rows*want.Cols, r.Input("x", 1), c))
			p, err := r.Plan(Config{MaxBatch: 2})
			require.NoError(t, err)
			require.Len(t, p.steps, 1)
			y := make([]float32, 2*(1+want.Rows*want.Cols))
			require.NoError(t, p.Predict([][]float32{{7, 8}}, [][]float32{y}, 2))
			var row []float32
			for i := range want.Rows {
				row = append(row, want.Row(i)...)
			}
			require.Equal(t, slices.Concat([]float32{7}, row, []float32{8}, row), y)
		})
	}
}

// Weights may be computed of constants.
func TestFoldedWeights(t *testing.T) {
	x, w, b := matrix(3, 4, -0.5), matrix(4, 2, 0.25), matrix(1, 2, 0)
	graph := func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
		return o.Dense(x, o.Activate(c(w), kernels.Tanh), o.Scale(c(b), 2), kernels.Linear)
	}
	tape, r := autograd.NewTape(nil), NewRecorder()
	want := graph(tape, tape.Const, tape.Const(x))
	r.Output("y", graph(r, r.Const, r.Input("x", 4)))
	p, err := r.Plan(Config{MaxBatch: 3})
	require.NoError(t, err)
	y := make([]float32, 6)
	require.NoError(t, p.Predict([][]float32{x.Data}, [][]float32{y}, 3))
	require.Equal(t, want.Data, y)
}

func TestFoldErrors(t *testing.T) {
	wrong := errors.New("wrong")
	for want, c := range map[string]struct {
		maxBytes int64
		constant func(r *Recorder) *ops.Tensor
	}{
		`"head": embed of constants: row 0, column 0 is 5`: {0, func(r *Recorder) *ops.Tensor {
			return r.Embedding(r.Const(kernels.MatrixOf([]float32{5}, 1, 1)), r.Const(matrix(2, 3, 0)))
		}},
		`"head": pool of constants: plan: layer "head": pool: wrong`: {0, func(r *Recorder) *ops.Tensor {
			return r.Custom(pool{wrong}, 1, 3, r.Const(matrix(2, 3, 0)), r.Const(matrix(1, 3, 0)))
		}},
		"computed constants need 4294836236 bytes; MaxBytes allows": {0, func(r *Recorder) *ops.Tensor { // which a file of some bytes can ask for
			return r.Slice(r.Full(1, 1073709056, 1), 0, 3)
		}},
		"computed constants need 48 bytes; MaxBytes allows 47": {47, func(r *Recorder) *ops.Tensor {
			x := r.Const(matrix(2, 3, 0))
			return r.Softmax(r.Softmax(x))
		}},
		"computed constants need 8589926400 bytes; MaxBytes allows 1073750016": {0, func(r *Recorder) *ops.Tensor { // a small record asks for much
			x := r.Const(matrix(1<<10, 1, 0))
			for range 20 {
				x = r.Concatenate(x, x)
			}
			return x
		}},
	} {
		r := NewRecorder()
		r.Label("head")
		r.Output("y", r.Custom(show{}, 1, 2, r.Input("x", 1), c.constant(r)))
		_, err := r.Plan(Config{MaxBatch: 1, MaxBytes: c.maxBytes})
		require.ErrorContains(t, err, want)
	}
}
