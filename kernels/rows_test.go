package kernels_test

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// rowKernel is a kernel whose inputs and output have one shape and whose rows do
// not depend on each other. The output starts as a copy of the first input.
type rowKernel struct {
	name    string
	inputs  int
	noAlias bool // the output may not be the first input
	run     func(t *kernels.Table, loss []float32, out kernels.Matrix, in []kernels.Matrix) error
}

var (
	none   kernels.Matrix
	ones   = fill(make([]int32, 1<<15), 1)
	weight = fill(make([]float32, 1<<15), 0.75)
)

func fill[T any](x []T, v T) []T {
	for i := range x {
		x[i] = v
	}
	return x
}

func rowKernels() []rowKernel {
	type (
		T  = *kernels.Table
		M  = kernels.Matrix
		Ms = []kernels.Matrix
		F  = []float32
	)
	list := []rowKernel{
		{"Fill", 1, false, func(t T, _ F, y M, _ Ms) error { return t.Fill(y, 3) }},
		{"Copy", 1, false, func(t T, _ F, y M, in Ms) error { return t.Copy(y, in[0]) }},
		{"Scale", 1, false, func(t T, _ F, y M, in Ms) error { return t.Scale(y, in[0], 1.7) }},
		{"Axpy", 1, false, func(t T, _ F, y M, in Ms) error { return t.Axpy(y, 1.7, in[0]) }},
		{"Add", 2, false, func(t T, _ F, y M, in Ms) error { return t.Add(y, in[0], in[1]) }},
		{"Mul", 2, false, func(t T, _ F, y M, in Ms) error { return t.Mul(y, in[0], in[1]) }},
		{"Maximum", 2, false, func(t T, _ F, y M, in Ms) error { return t.Maximum(y, in[0], in[1]) }},
		{"Minimum", 2, false, func(t T, _ F, y M, in Ms) error { return t.Minimum(y, in[0], in[1]) }},
		{"MulAdd", 2, false, func(t T, _ F, y M, in Ms) error { return t.MulAdd(y, in[0], in[1]) }},
		{"Exp", 1, false, func(t T, _ F, y M, in Ms) error { return t.Exp(y, in[0]) }},
		{"Log", 1, false, func(t T, _ F, y M, in Ms) error { return t.Log(y, in[0]) }},
		{"Erf", 1, false, func(t T, _ F, y M, in Ms) error { return t.Erf(y, in[0]) }},
		{"Softmax", 1, false, func(t T, _ F, y M, in Ms) error { return t.Softmax(y, in[0]) }},
		{"LogSoftmax", 1, false, func(t T, _ F, y M, in Ms) error { return t.LogSoftmax(y, in[0]) }},
		{"LogSoftmaxGrad", 2, false, func(t T, _ F, y M, in Ms) error { return t.LogSoftmaxGrad(y, in[0], in[1], false) }},
		{"LogSoftmaxGrad+", 2, true, func(t T, _ F, y M, in Ms) error { return t.LogSoftmaxGrad(y, in[0], in[1], true) }},
		{"SoftmaxGrad", 2, false, func(t T, _ F, y M, in Ms) error { return t.SoftmaxGrad(y, in[0], in[1], false) }},
		{"SoftmaxGrad+", 2, true, func(t T, _ F, y M, in Ms) error { return t.SoftmaxGrad(y, in[0], in[1], true) }},
		{"SoftmaxCrossEntropy/grad", 1, false, func(t T, loss F, y M, in Ms) error {
			return t.SoftmaxCrossEntropy(loss, none, y, in[0], ones[:len(loss)], weight[:len(loss)])
		}},
		{"SoftmaxCrossEntropy/probs", 1, false, func(t T, loss F, y M, in Ms) error {
			return t.SoftmaxCrossEntropy(loss, y, none, in[0], ones[:len(loss)], nil)
		}},
		{"SoftCrossEntropy/grad", 2, false, func(t T, loss F, y M, in Ms) error {
			return t.SoftCrossEntropy(loss, none, y, in[0], in[1], weight[:len(loss)])
		}},
		{"SoftCrossEntropy/probs", 2, false, func(t T, loss F, y M, in Ms) error {
			return t.SoftCrossEntropy(loss, y, none, in[0], in[1], nil)
		}},
		{"BinaryCrossEntropy/grad", 2, false, func(t T, loss F, y M, in Ms) error {
			return t.BinaryCrossEntropy(loss, none, y, in[0], in[1], weight[:len(loss)])
		}},
		{"BinaryCrossEntropy/probs", 2, false, func(t T, loss F, y M, in Ms) error {
			return t.BinaryCrossEntropy(loss, y, none, in[0], in[1], nil)
		}},
		{"ClippedCrossEntropy", 1, false, func(t T, loss F, y M, in Ms) error {
			return t.ClippedCrossEntropy(loss, y, in[0], ones[:len(loss)], weight[:len(loss)])
		}},
		{"ClippedSoftCrossEntropy", 2, false, func(t T, loss F, y M, in Ms) error {
			return t.ClippedSoftCrossEntropy(loss, y, in[0], in[1], weight[:len(loss)])
		}},
		{"ClippedBinaryCrossEntropy", 2, false, func(t T, loss F, y M, in Ms) error {
			return t.ClippedBinaryCrossEntropy(loss, y, in[0], in[1], weight[:len(loss)])
		}},
		{"MeanSquaredError", 2, false, func(t T, loss F, y M, in Ms) error {
			return t.MeanSquaredError(loss, y, in[0], in[1], weight[:len(loss)])
		}},
		{"MeanAbsoluteError", 2, false, func(t T, loss F, y M, in Ms) error {
			return t.MeanAbsoluteError(loss, y, in[0], in[1], weight[:len(loss)])
		}},
	}
	for act := kernels.Linear; act <= kernels.Tanh; act++ {
		list = append(list,
			rowKernel{"Activate/" + act.String(), 1, false, func(t T, _ F, y M, in Ms) error {
				return t.Activate(y, in[0], nil, act)
			}},
			rowKernel{"Activate+bias/" + act.String(), 1, false, func(t T, _ F, y M, in Ms) error {
				return t.Activate(y, in[0], weight[:y.Cols], act)
			}},
			rowKernel{"ActivateGrad/" + act.String(), 2, false, func(t T, _ F, y M, in Ms) error {
				return t.ActivateGrad(y, nil, in[0], in[1], act, false)
			}},
			rowKernel{"ActivateGrad+/" + act.String(), 2, true, func(t T, _ F, y M, in Ms) error {
				return t.ActivateGrad(y, nil, in[0], in[1], act, true)
			}})
	}
	return append(list, unaryRowKernels()...)
}

func eachRowKernel(t *testing.T, run func(t *testing.T, table *kernels.Table, k rowKernel)) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, k := range rowKernels() {
			t.Run(k.name, func(t *testing.T) { run(t, table, k) })
		}
	})
}

func (k rowKernel) data(rows, cols int) []kernels.Matrix {
	r := newRand(uint64(rows*100 + cols))
	in := []kernels.Matrix{r.probabilities(rows, cols, 1.5)}
	if k.inputs > 1 {
		in = append(in, r.probabilities(rows, cols, 1))
	}
	return in
}

// Strides, aliasing and the other rows of the call change no bit, and nothing is
// written between the rows.
func TestRowKernelBits(t *testing.T) {
	shapes := []struct{ rows, cols int }{{0, 0}, {0, 3}, {1, 2}, {1, 15}, {2, 16}, {3, 17}, {5, 31}, {4, 33}, {13, 50}}
	eachRowKernel(t, func(t *testing.T, table *kernels.Table, k rowKernel) {
		for _, sh := range shapes {
			t.Run(shapeName(sh.rows, sh.cols), func(t *testing.T) {
				in := k.data(sh.rows, sh.cols)
				want, loss := copyOf(in[0], 0), make([]float32, sh.rows)
				require.NoError(t, k.run(table, loss, want, in))

				gapped := make([]kernels.Matrix, len(in))
				for i := range in {
					gapped[i] = copyOf(in[i], 1+2*i)
				}
				out, again := copyOf(in[0], 5), make([]float32, sh.rows)
				require.NoError(t, k.run(table, again, out, gapped))
				requireSameMatrix(t, want, out)
				requireSameBits(t, loss, again)
				requireCanaries(t, out)
				requireSameMatrix(t, in[0], gapped[0])

				for i := range sh.rows {
					alone := copyOf(in[0].RowRange(i, i+1), 0)
					rows := make([]kernels.Matrix, len(in))
					for j := range in {
						rows[j] = in[j].RowRange(i, i+1)
					}
					require.NoError(t, k.run(table, again[:1], alone, rows))
					requireSameBits(t, want.Row(i), alone.Row(0))
					require.Equal(t, loss[i], again[0])
				}

				switch k.name { // the second input may be the output too
				case "Add", "Mul", "Maximum", "Minimum", "MeanSquaredError", "MeanAbsoluteError":
					second := []kernels.Matrix{in[0], copyOf(in[1], 2)}
					require.NoError(t, k.run(table, again, second[1], second))
					requireSameMatrix(t, want, second[1])
				}
				if !k.noAlias {
					require.NoError(t, k.run(table, again, gapped[0], gapped))
					requireSameMatrix(t, want, gapped[0])
					requireSameBits(t, loss, again)
					requireCanaries(t, gapped[0])
				}
			})
		}
	})
}

func TestRowKernelNoColumns(t *testing.T) {
	eachRowKernel(t, func(t *testing.T, table *kernels.Table, k rowKernel) {
		empty := kernels.Matrix{Rows: 3, Cols: 0, Stride: 4}
		err := k.run(table, fill(make([]float32, 3), 0), empty, []kernels.Matrix{empty, empty})
		if needsLabel(k.name) { // no column can hold the label
			require.ErrorContains(t, err, "row 0 has label 1, outside of [0, 0)")
		} else {
			require.NoError(t, err)
		}
	})
}

// A NaN in a row reaches the output at its place (and so the loss), and no other row.
func TestRowKernelPropagatesNaN(t *testing.T) {
	eachRowKernel(t, func(t *testing.T, table *kernels.Table, k rowKernel) {
		if k.name == "Fill" {
			t.Skip("has no input")
		}
		for column := range 20 {
			in := k.data(3, 20)
			in[0].Row(1)[column] = nan
			out, loss := copyOf(in[0], 0), make([]float32, 3)
			require.NoError(t, k.run(table, loss, out, in))
			require.True(t, isNaN(out.Row(1)[column]), "column %d: %v", column, out.Row(1))
			for _, i := range []int{0, 2} {
				for _, v := range append(out.Row(i), loss[i]) {
					require.False(t, isNaN(v))
				}
			}
		}
	})
}

func TestNoAllocations(t *testing.T) {
	eachRowKernel(t, func(t *testing.T, table *kernels.Table, k rowKernel) {
		in := k.data(5, 21)
		out, loss := copyOf(in[0], 0), make([]float32, 5)
		requireNoAllocations(t, func() error { return k.run(table, loss, out, in) })
	})
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, p := range products {
			t.Run(p.name, func(t *testing.T) {
				r := newRand(1)
				a, b := p.operands(r, 9, 11, 21, 0)
				c, e := kernels.NewMatrix(9, 21), kernels.Epilogue{Bias: r.floats(21), Act: kernels.Sigmoid}
				var s kernels.Scratch
				requireNoAllocations(t, func() error { return p.run(table, &s, c, a, b, e) })
			})
		}
		r := newRand(1)
		x, y, v := r.matrix(4, 20, 0), r.floats(20), r.floats(4)
		w, g, m, u := r.floats(33), r.floats(33), make([]float32, 33), make([]float32, 33)
		index := []float32{3}
		others := map[string]func() error{
			"ActivateGrad": func() error { return table.ActivateGrad(x, y, x, x, kernels.Tanh, false) },
			"Gather":       func() error { return table.Gather(kernels.MatrixOf(w, 1, 20), kernels.MatrixOf(index, 1, 1), x) },
			"ColSum":       func() error { return table.ColSum(y, x, true) },
			"RowSum":       func() error { return table.RowSum(v, x) },
			"SGD":          func() error { return table.SGD(w, g, 0.1) },
			"Momentum":     func() error { return table.Momentum(w, m, g, 0.1, 0.9, true) },
			"Adam":         func() error { return table.Adam(w, m, u, g, 0.1, 0.9, 0.999, 1e-7) },
			"RMSprop":      func() error { return table.RMSprop(w, u, g, 0.1, 0.9, 1e-7) },
			"Adagrad":      func() error { return table.Adagrad(w, u, g, 0.1, 1e-7) },
		}
		for name, run := range others {
			t.Run(name, func(t *testing.T) { requireNoAllocations(t, run) })
		}
	})
}

func requireNoAllocations(t *testing.T, run func() error) {
	t.Helper()
	require.NoError(t, run())
	require.Zero(t, testing.AllocsPerRun(10, func() {
		if err := run(); err != nil {
			panic(fmt.Sprint("steady state: ", err))
		}
	}))
}

// Generic gives these bits on every architecture: the rounding of each product is
// in the source. If the operations change on purpose, so does the hash.
func TestGenericHash(t *testing.T) {
	hash, table := fnv.New64a(), kernels.Tables()[0]
	add := func(x []float32) { require.NoError(t, binary.Write(hash, binary.LittleEndian, x)) }
	for _, k := range rowKernels() {
		in := k.data(7, 45)
		out, loss := copyOf(in[0], 0), make([]float32, 7)
		require.NoError(t, table.Scale(in[0], in[0], 40)) // reaches both ends of the activations
		require.NoError(t, k.run(table, loss, out, in))
		add(out.Data)
		add(loss)
	}
	x := newRand(1).probabilities(20, 20, 1)
	y := kernels.NewMatrix(20, 20)
	for _, p := range products {
		require.NoError(t, p.run(table, nil, y, x, x, kernels.Epilogue{Bias: x.Row(0), Act: kernels.Tanh}))
		add(y.Data)
	}
	m, v := make([]float32, 400), make([]float32, 400)
	for range 3 {
		require.NoError(t, table.Adam(y.Data, m, v, x.Data, 0.01, 0.9, 0.999, 1e-7))
		require.NoError(t, table.RMSprop(y.Data, v, x.Data, 0.01, 0.9, 1e-7))
		require.NoError(t, table.Momentum(y.Data, m, x.Data, 0.01, 0.9, true))
	}
	add(y.Data)
	require.Equal(t, uint64(0x1990a844c4a00c7d), hash.Sum64())
}
