package autograd_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A model has a trunk in-128-64 and two heads, of 10 classes and of one number.
type model struct {
	weights []kernels.Matrix
	params  []*autograd.Tensor
	source  *rand.PCG
	rate    float64
}

const features, classes = 20, 10

func newModel(rate float64) *model {
	r := newRand(20)
	m := &model{source: rand.NewPCG(0, 0), rate: rate}
	for _, s := range [][2]int{{features, 128}, {128, 64}, {64, classes}, {64, 1}} {
		w := r.normal(s[0], s[1], 0)
		if err := kernels.Default().Scale(w, w, 0.1); err != nil {
			panic(err)
		}
		m.weights = append(m.weights, w, r.normal(1, s[1], 0))
	}
	m.params = make([]*autograd.Tensor, len(m.weights))
	return m
}

// A minibatch has features, labels, numbers and weights.
type minibatch struct {
	x, numbers kernels.Matrix
	labels     []int32
	weights    []float32
}

func newMinibatch(rows int) minibatch {
	r := newRand(21)
	return minibatch{r.normal(rows, features, 0), r.normal(rows, 1, 0), r.labels(rows, classes), r.weights(rows)}
}

// step runs the model and both losses forward and backward, and leaves the gradients in m.params.
func (m *model) step(tape *autograd.Tape, b minibatch) (*autograd.Tensor, error) {
	tape.Reset()
	m.source.Seed(1, 2)
	p := m.params
	for i, w := range m.weights {
		p[i] = tape.Param(w)
	}
	h := tape.Dense(tape.Const(b.x), p[0], p[1], kernels.ReLU)
	if m.rate > 0 {
		h = tape.Dropout(h, m.rate, m.source)
	}
	h = tape.Dense(h, p[2], p[3], kernels.ReLU)
	label, _ := tape.SoftmaxCrossEntropy(tape.Dense(h, p[4], p[5], kernels.Linear), b.labels, b.weights)
	number := tape.MeanSquaredError(tape.Dense(h, p[6], p[7], kernels.Linear), b.numbers, nil)
	loss := tape.Add(label, tape.Scale(number, 0.5))
	return loss, tape.Backward(loss)
}

// results returns copies of a step's loss and gradients.
func (m *model) results(t *testing.T, tape *autograd.Tape, b minibatch) [][]uint32 {
	t.Helper()
	loss, err := m.step(tape, b)
	require.NoError(t, err)
	bits := [][]uint32{bitsOf(loss.Data)}
	for _, p := range m.params {
		bits = append(bits, bitsOf(tape.Grad(p).Data))
	}
	return bits
}

var rowNumbers = []float32{3, 0, 0, 1}

// everything runs each operation at least once on a 4x6 parameter, and backward.
func everything(tape *autograd.Tape, x, y kernels.Matrix, labels []int32, source *rand.PCG) (*autograd.Tensor, error) {
	tape.Reset()
	source.Seed(1, 2)
	p := tape.Param(x)
	h := tape.Concatenate(tape.Softmax(p), tape.Activate(p, kernels.Sigmoid), tape.Dropout(p, 0.5, source))
	h = tape.Add(tape.Slice(h, 0, 6), tape.Multiply(tape.Slice(h, 6, 12), tape.Slice(h, 12, 18)))
	h = tape.Dense(h, tape.Reshape(tape.Scale(h, 2), 6, 4), tape.Reshape(tape.RowSum(p), 1, 4), kernels.Tanh)
	q := tape.Activate(h, kernels.Sigmoid)
	loss, probs := tape.SoftmaxCrossEntropy(h, labels, nil)
	soft, _ := tape.SoftCrossEntropy(h, y, nil)
	binary, _ := tape.BinaryCrossEntropy(h, y, nil)
	loss = tape.Add(tape.Add(loss, soft), binary)
	loss = tape.Add(loss, tape.ClippedCrossEntropy(q, labels, nil))
	loss = tape.Add(loss, tape.ClippedSoftCrossEntropy(q, y, nil))
	loss = tape.Add(loss, tape.ClippedBinaryCrossEntropy(q, y, nil))
	loss = tape.Add(loss, tape.MeanSquaredError(h, y, nil))
	loss = tape.Add(loss, tape.MeanAbsoluteError(h, y, nil))
	loss = tape.Add(loss, tape.CustomLoss(logCosh{}, h, ops.Target{Values: y}, nil))
	loss = tape.Add(loss, tape.CustomLoss(negative{}, h, ops.Target{Labels: labels}, nil))
	loss = tape.Add(loss, tape.Sum(tape.Multiply(h, probs)))
	loss = tape.Add(loss, tape.Mean(tape.Add(h, h)))
	loss = tape.Add(loss, tape.Sum(tape.Embedding(tape.Const(kernels.MatrixOf(rowNumbers, 2, 2)), p)))
	loss = tape.Add(loss, tape.Sum(tape.Custom(swish{}, 4, 4, h, tape.Reshape(tape.RowSum(p), 1, 4))))
	loss = tape.Add(loss, tape.Mean(tape.Affine(h, tape.Reshape(tape.RowSum(p), 1, 4), tape.Reshape(tape.RowSum(p), 1, 4))))
	return p, tape.Backward(loss)
}

// A step in memory that earlier steps have used gives the bits of a fresh tape.
func TestReset(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, rate := range []float64{0, 0.3} {
			t.Run(fmt.Sprintf("model/rate=%v", rate), func(t *testing.T) {
				m, tape := newModel(rate), autograd.NewTape(table)
				for _, rows := range []int{32, 32, 5, 64, 1, 0, 33, 32} {
					b := newMinibatch(rows)
					want := m.results(t, autograd.NewTape(table), b)
					require.Equal(t, want, m.results(t, tape, b), "batch of %d", rows)
					tape.Poison()
					require.Equal(t, want, m.results(t, tape, b), "batch of %d in dirty memory", rows)
				}
			})
		}
		t.Run("every operation", func(t *testing.T) {
			r, source := newRand(22), rand.NewPCG(0, 0)
			x, y, labels := r.normal(4, 6, 1), r.positive(4, 4, 1), r.labels(4, 4)
			fresh := autograd.NewTape(table)
			p, err := everything(fresh, x, y, labels, source)
			require.NoError(t, err)
			tape := autograd.NewTape(table)
			for range 4 {
				tape.Poison()
				again, err := everything(tape, x, y, labels, source)
				require.NoError(t, err)
				require.Equal(t, bitsOf(fresh.Grad(p).Data), bitsOf(tape.Grad(again).Data))
			}
		})
		t.Run("after an error", func(t *testing.T) {
			m, tape, b := newModel(0.3), autograd.NewTape(table), newMinibatch(8)
			want := m.results(t, tape, b)
			bad := b
			bad.labels = []int32{classes, 0, 0, 0, 0, 0, 0, 0}
			_, err := m.step(tape, bad)
			require.ErrorContains(t, err, "row 0 has label 10")
			require.Equal(t, want, m.results(t, tape, b))
		})
	})
}

func TestSteadyStepAllocatesNothing(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		t.Run("model", func(t *testing.T) {
			m, tape := newModel(0.3), autograd.NewTape(table)
			b, rest := newMinibatch(32), newMinibatch(7)
			var err error
			run := func(b minibatch) {
				if _, e := m.step(tape, b); e != nil {
					err = e
				}
			}
			run(b)
			run(b)
			require.Zero(t, testing.AllocsPerRun(20, func() {
				run(b)
				run(rest) // an epoch's last batch is smaller
			}))
			require.NoError(t, err)
		})
		t.Run("every operation", func(t *testing.T) {
			r, source, tape := newRand(22), rand.NewPCG(0, 0), autograd.NewTape(table)
			x, y, labels := r.normal(4, 6, 1), r.positive(4, 4, 1), r.labels(4, 4)
			var err error
			run := func() {
				if _, e := everything(tape, x, y, labels, source); e != nil {
					err = e
				}
			}
			run()
			run()
			require.Zero(t, testing.AllocsPerRun(20, run))
			require.NoError(t, err)
		})
	})
}

// Backward writes gradients and nothing else: every value of the forward pass, every parameter and all data stay.
func TestBackwardWritesNoValue(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range [][2]int{{1, 1}, {3, 4}} {
			for _, g := range consumers(s[0], s[1]) {
				t.Run("op="+g.op+"/"+shapeName(s[0], s[1]), func(t *testing.T) {
					tape := autograd.NewTape(table)
					run := func() *autograd.Tensor {
						tape.Reset()
						c := tape
						h := c.Activate(tape.Param(newRand(23).positive(s[0], s[1], 2)), kernels.Sigmoid)
						return c.Add(g.graph(c, []*ops.Tensor{h}), g.graph(c, []*ops.Tensor{h}))
					}
					run() // so that the next one lives in one block, where an overrun hits a neighbour
					loss := run()
					before := [][]float32{}
					for _, m := range tape.Values() {
						before = append(before, append([]float32{}, m.Data...))
					}
					require.NoError(t, tape.Backward(loss))
					for i, m := range tape.Values() {
						require.Equal(t, before[i], append([]float32{}, m.Data...), "tensor %d", i)
					}
				})
			}
		}
	})
}

// A step of a model with two heads: 20-128-64-{10,1}.
func BenchmarkStep(b *testing.B) {
	const rows = 32
	for _, table := range kernels.Tables() {
		for _, rate := range []float64{0, 0.3} {
			b.Run(fmt.Sprintf("lib=espalier/isa=%s/dropout=%v/m=%d", table.ISA, rate, rows), func(b *testing.B) {
				m, tape, batch := newModel(rate), autograd.NewTape(table), newMinibatch(rows)
				for range 2 { // the tape's memory takes its final shape
					if _, err := m.step(tape, batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := m.step(tape, batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/rows, "ns/row")
			})
		}
	}
}
