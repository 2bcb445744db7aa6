package plan

import (
	"errors"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

var gelu = kernels.Unary{Kind: kernels.GELU}

func matrix(rows, cols int, first float32) kernels.Matrix {
	m := kernels.NewMatrix(rows, cols)
	for i := range m.Data {
		m.Data[i] = first + float32(i%7)/8
	}
	return m
}

// Every operation gives what its kernel gives, for each sample of a batch.
func TestOperations(t *testing.T) {
	const batch = 3
	x := matrix(batch, 6, -0.5)
	w, bias, table := matrix(6, 5, -0.25), matrix(1, 5, 0.125), matrix(4, 2, 1)
	gamma := matrix(1, 6, 0.5)
	k := kernels.Default()
	result := func(cols int, run func(y kernels.Matrix) error) []float32 {
		y := kernels.NewMatrix(batch, cols)
		require.NoError(t, run(y))
		return y.Data
	}
	for _, c := range []struct {
		name   string
		record func(r *Recorder, x *ops.Tensor) *ops.Tensor
		want   []float32
	}{
		{"Dense", func(r *Recorder, x *ops.Tensor) *ops.Tensor {
			return r.Dense(x, r.Const(w), r.Const(bias), kernels.Tanh)
		},
			result(5, func(y kernels.Matrix) error {
				return k.Gemm(nil, y, x, w, kernels.Epilogue{Bias: bias.Data, Act: kernels.Tanh})
			})},
		{"Activate", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Activate(x, kernels.Sigmoid) },
			result(6, func(y kernels.Matrix) error { return k.Activate(y, x, nil, kernels.Sigmoid) })},
		{"Gelu", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Unary(x, gelu) }, result(6, func(y kernels.Matrix) error { return k.Unary(y, x, gelu) })},
		{"Softmax", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Softmax(x) }, result(6, func(y kernels.Matrix) error { return k.Softmax(y, x) })},
		{"Scale", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Scale(x, 3) }, result(6, func(y kernels.Matrix) error { return k.Scale(y, x, 3) })},
		{"Add", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Add(x, x) }, result(6, func(y kernels.Matrix) error { return k.Add(y, x, x) })},
		{"Multiply", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Multiply(x, x) }, result(6, func(y kernels.Matrix) error { return k.Mul(y, x, x) })},
		{"Maximum", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Maximum(x, r.Scale(x, -1)) }, result(6, func(y kernels.Matrix) error {
			return errors.Join(k.Scale(y, x, -1), k.Maximum(y, x, y))
		})},
		{"Minimum", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Minimum(x, r.Scale(x, -1)) }, result(6, func(y kernels.Matrix) error {
			return errors.Join(k.Scale(y, x, -1), k.Minimum(y, x, y))
		})},
		{"Repeat", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Repeat(x, 2) }, result(12, func(y kernels.Matrix) error {
			return errors.Join(k.Copy(y.Columns(0, 6), x), k.Copy(y.Columns(6, 12), x))
		})},
		{"RMSNorm", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.RMSNorm(x, r.Const(gamma), 0.1) }, result(6, func(y kernels.Matrix) error {
			return ops.ComputeRMSNorm(k, y, x, gamma.Data, 0.1, nil)
		})},
		{"Full", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Affine(x, r.Full(1, 6, 3), nil) }, result(6, func(y kernels.Matrix) error { return k.Scale(y, x, 3) })},
		{"Slice", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Slice(x, 1, 4) }, result(3, func(y kernels.Matrix) error { return k.Copy(y, x.Columns(1, 4)) })},
		{"Slice of rows", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Slice(r.Reshape(x, 2, 3), 1, 3) },
			result(4, func(y kernels.Matrix) error {
				for i := range batch {
					copy(y.Row(i), []float32{x.Row(i)[1], x.Row(i)[2], x.Row(i)[4], x.Row(i)[5]})
				}
				return nil
			})},
		{"Concatenate", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Concatenate(x, r.Slice(x, 0, 2)) },
			result(8, func(y kernels.Matrix) error {
				for i := range batch {
					copy(y.Row(i), x.Row(i))
					copy(y.Row(i)[6:], x.Row(i))
				}
				return nil
			})},
		{"Dropout", func(r *Recorder, x *ops.Tensor) *ops.Tensor { return r.Dropout(x, 0.5, nil) }, x.Data},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewRecorder()
			r.Output("y", c.record(r, r.Input("x", 6)))
			p, err := r.Plan(Config{MaxBatch: 2})
			require.NoError(t, err)
			y := make([]float32, len(c.want))
			require.NoError(t, p.Predict([][]float32{x.Data}, [][]float32{y}, batch))
			require.Equal(t, c.want, y)
		})
	}
	t.Run("Embedding", func(t *testing.T) {
		r := NewRecorder()
		r.Output("y", r.Embedding(r.Input("x", 2), r.Const(table)))
		p, err := r.Plan(Config{MaxBatch: 2})
		require.NoError(t, err)
		y := make([]float32, 4)
		require.NoError(t, p.Predict([][]float32{{3, 1}}, [][]float32{y}, 1))
		require.Equal(t, append(append([]float32{}, table.Row(3)...), table.Row(1)...), y)
		err = p.Predict([][]float32{{0, 4}}, [][]float32{y}, 1)
		var index *kernels.IndexError
		require.ErrorAs(t, err, &index)
		require.ErrorContains(t, err, `input "x"`)
	})
	t.Run("Embedding of computed rows", func(t *testing.T) {
		r := NewRecorder()
		x := r.Scale(r.Input("x", 2), 2)
		r.Label("places")
		r.Output("y", r.Embedding(x, r.Const(table)))
		p, err := r.Plan(Config{MaxBatch: 2})
		require.NoError(t, err)
		y := make([]float32, 4)
		require.NoError(t, p.Predict([][]float32{{1.5, 0}}, [][]float32{y}, 1))
		require.Equal(t, append(append([]float32{}, table.Row(3)...), table.Row(0)...), y)
		err = p.Predict([][]float32{{0, 2}}, [][]float32{y}, 1)
		require.ErrorContains(t, err, `plan: layer "places" (Embedding): row 0, column 1 is 4`)
	})
}

// large returns a value of 2³⁰ elements for each sample.
func large(r *Recorder) *ops.Tensor { return r.Input("large", 1<<30) }

// What does not fit is an error of the record, the first one, with the label of whom it is a part.
func TestRecorderErrors(t *testing.T) {
	foreign := NewRecorder().Input("x", 3)
	for want, record := range map[string]func(r *Recorder, x *ops.Tensor){
		"\"head\": dense: x is 1x3, the weights are 2x2":    func(r *Recorder, x *ops.Tensor) { r.Dense(x, r.Const(matrix(2, 2, 0)), nil, kernels.Linear) },
		"\"head\": dense: weights must be constants":        func(r *Recorder, x *ops.Tensor) { r.Dense(x, x, nil, kernels.Linear) },
		"\"head\": embed: weights must be constants":        func(r *Recorder, x *ops.Tensor) { r.Embedding(x, x) },
		"\"head\": add: operands are 1x3 and 3x1":           func(r *Recorder, x *ops.Tensor) { r.Add(x, r.Reshape(x, 3, 1)) },
		"\"head\": reshape: a 1x3 tensor cannot become 2x2": func(r *Recorder, x *ops.Tensor) { r.Reshape(x, 2, 2) },
		"\"head\": concatenate: operands have 1 and 3 rows": func(r *Recorder, x *ops.Tensor) { r.Concatenate(x, r.Reshape(x, 3, 1)) },
		"\"head\": slice: columns 2 to 4 of a 1x3 tensor":   func(r *Recorder, x *ops.Tensor) { r.Slice(x, 2, 4) },
		"\"head\": gelu: operand 0 is not of this recorder": func(r *Recorder, x *ops.Tensor) { r.Unary(foreign, gelu) },
		"\"head\": add: operand 1 is not of this recorder":  func(r *Recorder, x *ops.Tensor) { r.Add(x, nil) },
		"\"head\": Output: \"softmax\" is a constant":       func(r *Recorder, x *ops.Tensor) { r.Output("softmax", r.Softmax(r.Const(matrix(1, 3, 0)))) },
		"\"head\": copy: a result of 1x2147483648 has more than": func(r *Recorder, x *ops.Tensor) {
			r.Concatenate(r.Slice(large(r), 1, 1<<30), large(r), r.Slice(x, 0, 1))
		},
		"\"head\": add: an operand is a constant, which has no":  func(r *Recorder, x *ops.Tensor) { r.Add(x, r.Const(matrix(1, 3, 0))) },
		"\"head\": copy: an operand is a constant, which has n":  func(r *Recorder, x *ops.Tensor) { r.Concatenate(r.Const(matrix(1, 3, 0)), x) },
		"\"head\": batchnorm: the statistics of a batch are":     func(r *Recorder, x *ops.Tensor) { r.BatchNorm(x, nil, nil, 1) },
		"\"head\": repeat: 0 times 3 columns, valid are 1 to":    func(r *Recorder, x *ops.Tensor) { r.Repeat(x, 0) },
		"\"head\": repeat: 1073741824 times 3 columns, valid ar": func(r *Recorder, x *ops.Tensor) { r.Repeat(x, 1<<30) },
		"\"head\": rmsnorm: x is 1x3, gamma 1x2; gamma must b":   func(r *Recorder, x *ops.Tensor) { r.RMSNorm(x, r.Const(matrix(1, 2, 0)), 1) },
		"\"head\": rmsnorm: x is 1x3, gamma 1x3; gamma must b":   func(r *Recorder, x *ops.Tensor) { r.RMSNorm(x, x, 1) },
		"\"head\": full: a result of 65536x65536 has more tha":   func(r *Recorder, x *ops.Tensor) { r.Full(1<<16, 1<<16, 1) },
		"\"head\": Output: \"w\" is a constant":                  func(r *Recorder, x *ops.Tensor) { r.Output("w", r.Const(matrix(1, 3, 0))) },
		"\"head\": Const: a 2x2 matrix (stride 2) of 1 eleme":    func(r *Recorder, x *ops.Tensor) { r.Const(kernels.MatrixOf([]float32{1}, 2, 2)) },
	} {
		r := NewRecorder()
		x := r.Input("x", 3)
		r.Label("head")
		record(r, x)
		first := r.Err()
		r.Softmax(foreign)
		if first != nil {
			require.Equal(t, first, r.Err(), "only the first error counts")
		}
		_, err := r.Plan(Config{MaxBatch: 1})
		require.ErrorContains(t, err, want)
	}
	_, err := NewRecorder().Plan(Config{MaxBatch: 1})
	require.ErrorContains(t, err, "nothing is to be computed")
	r := NewRecorder()
	r.Output("x", r.Input("x", 3))
	_, err = r.Plan(Config{})
	require.ErrorContains(t, err, "maxBatch is 0, must be at least 1")
	_, err = r.Plan(Config{MaxBatch: 1})
	require.NoError(t, err)
	_, err = r.Plan(Config{MaxBatch: 1})
	require.ErrorContains(t, err, "has become a plan")
}

// Memory has a limit, which an error states before anything is allocated.
func TestPlanMemory(t *testing.T) {
	r := NewRecorder()
	x := r.Input("x", 1)
	for range 40 {
		x = r.Concatenate(x, x) // 2⁴⁰ floats for a sample in the end, were they possible
		if x.Cols > 1<<24 {
			break
		}
	}
	r.Output("y", x)
	_, err := r.Plan(Config{MaxBatch: 1 << 20})
	require.ErrorContains(t, err, "together more than")
}

// Sessions that nobody needs are given back, and a plan that is in use has none too many.
func TestIdleSessionsGo(t *testing.T) {
	r := NewRecorder()
	r.Output("y", r.Softmax(r.Input("x", 3)))
	p, err := r.Plan(Config{MaxBatch: 1})
	require.NoError(t, err)
	var idle []weak.Pointer[Session]
	for range 100 {
		s := p.NewSession()
		idle = append(idle, weak.Make(s))
		p.sessions.Put(s)
	}
	runtime.GC()
	runtime.GC()
	for i, s := range idle {
		require.Nil(t, s.Value(), "session %d", i)
	}
	in, out := [][]float32{make([]float32, 3)}, [][]float32{make([]float32, 3)}
	require.NoError(t, p.Predict(in, out, 1))
}
