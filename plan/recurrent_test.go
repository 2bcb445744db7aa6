package plan

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A plan has the bits of the tape for every cell and batch, also in the caller's memory, and allocates nothing.
func TestRecurrent(t *testing.T) {
	const batch, steps, features, units = 7, 5, 3, 18
	for _, cell := range []ops.Cell{ops.SimpleRNN, ops.GRU, ops.LSTM} {
		for _, r := range []ops.Recurrence{
			{Cell: cell, Act: kernels.Tanh, Steps: steps}, {Cell: cell, Act: kernels.ReLU, Steps: steps, Backwards: true},
		} {
			for _, masked := range []bool{false, true} {
				t.Run(fmt.Sprint(cell, r.Backwards, masked), func(t *testing.T) {
					n := cell.Gates() * units
					w, b, u := matrix(features, n, 0.3), matrix(1, n, -0.25), matrix(units, n, 0.125)
					network := func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
						var mask, bias *ops.Tensor
						each := o.Reshape(x, x.Rows*steps, features)
						if masked {
							mask = o.Reshape(o.Unequal(o.Affine(each, nil, c(matrix(1, features, 0.5))), 0.5), x.Rows, steps)
						} else {
							bias = c(b)
						}
						x = o.Reshape(o.Dense(each, c(w), c(b), kernels.Linear), x.Rows, steps*n)
						return o.Recurrent(x, c(u), bias, mask, r)
					}
					x := matrix(batch, steps*features, 0.7)
					clear(x.Data[5*features : 8*features])
					clear(x.Data[18*features : 19*features])
					_, served, taped := both(t, network, x)
					requireSameBits(t, taped, served)

					recorder := NewRecorder()
					recorder.Output("y", network(recorder, recorder.Const, recorder.Input("x", x.Cols)))
					p, err := recorder.Plan(Config{MaxBatch: batch})
					require.NoError(t, err)
					s := p.NewSession()
					copy(s.Input(0), x.Data)
					for _, rows := range []int{batch, 1, 4} {
						require.NoError(t, s.Run(rows))
						requireSameBits(t, taped[:rows*steps*units], s.Output(0)[:rows*steps*units])
						out := make([]float32, rows*steps*units)
						require.NoError(t, s.RunOn([][]float32{x.Data[:rows*x.Cols]}, [][]float32{out}, rows))
						requireSameBits(t, taped[:len(out)], out)
						require.Zero(t, testing.AllocsPerRun(20, func() { _ = s.Run(rows) }))
					}
				})
			}
		}
	}
}

func requireSameBits(t *testing.T, want, got []float32) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	for i := range want {
		require.Equal(t, want[i], got[i], "element %d", i)
	}
}

func TestRecurrentErrors(t *testing.T) {
	r := ops.Recurrence{Cell: ops.GRU, Steps: 2}
	for want, call := range map[string]func(o *Recorder, x, u *ops.Tensor){
		"recurrent: operand 1 is not of this recorder":                     func(o *Recorder, x, _ *ops.Tensor) { o.Recurrent(x, nil, nil, nil, r) },
		"recurrent: operand 3 is not of this recorder":                     func(o *Recorder, x, u *ops.Tensor) { o.Recurrent(x, u, nil, new(ops.Tensor), r) },
		"recurrent: u and b must be constants, x and the mask must not":    func(o *Recorder, x, u *ops.Tensor) { o.Recurrent(o.Const(matrix(1, 12, 0)), u, nil, nil, r) },
		"recurrent: gru of 2 steps: x is 1x12, u 2x6, b 1x5, the mask nil": func(o *Recorder, x, u *ops.Tensor) { o.Recurrent(x, u, o.Const(matrix(1, 5, 0)), nil, r) },
		"recurrent: lstm of 2 steps: x is 1x12, u 2x6, b 1x6, the mask nil": func(o *Recorder, x, u *ops.Tensor) {
			o.Recurrent(x, u, nil, nil, ops.Recurrence{Cell: ops.LSTM, Steps: 2})
		},
		"recurrent: unknown cell 3: valid are 0 (rnn), 1 (gru) and 2 (lstm)": func(o *Recorder, x, u *ops.Tensor) { o.Recurrent(x, u, nil, nil, ops.Recurrence{Cell: 3, Steps: 2}) },
		"recurrent: 0 steps, needs at least 1":                               func(o *Recorder, x, u *ops.Tensor) { o.Recurrent(x, u, nil, nil, ops.Recurrence{}) },
	} {
		o := NewRecorder()
		call(o, o.Input("x", 12), o.Const(matrix(2, 6, 0.5)))
		require.ErrorContains(t, o.Err(), want)
	}
}
