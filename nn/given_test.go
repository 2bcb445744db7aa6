package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// given is a layer whose weights, w0, w1 and so on, get whatever gradients a test gives them. Its value is 1.
type given struct {
	Shapes []Shape `json:"shapes"`

	gradients [][]float32
}

func init() { Register("Given", given{}) }

func (k *given) Build(b *Builder, _ []Shape) Shape {
	for i, s := range k.Shapes {
		b.Param(fmt.Sprint("w", i), s, Zeros())
	}
	return Shape{1}
}

func (k *given) Forward(c *Call) *ops.Tensor {
	return c.Custom(givenFunction{k}, c.In(0).Rows, 1, c.params...)
}

type givenFunction struct{ *given }

func (f givenFunction) Name() string { return "given" }

func (f givenFunction) Forward(y kernels.Matrix, _ []kernels.Matrix) error {
	for i := range y.Data {
		y.Data[i] = 1
	}
	return nil
}

func (f givenFunction) Backward(dx []kernels.Matrix, _, _ kernels.Matrix, _ []kernels.Matrix) error {
	for i, g := range f.gradients {
		copy(dx[i].Data, g)
	}
	return nil
}

// newGiven returns a model with weights given/w0, given/w1 and so on, and what makes a step with gradients of them.
func newGiven(t testing.TB, o Optimizer, weights [][]float32, shapes []Shape) (*Model, func(gradients [][]float32) error) {
	k := &given{Shapes: shapes}
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{New(k, Name("given")).On(x)})
	require.NoError(t, err)
	for i, w := range m.Weights() {
		copy(w.Data, weights[i])
	}
	require.NoError(t, m.Compile(o, Losses{"given": MSE()}))
	return m, func(gradients [][]float32) error {
		k.gradients = gradients
		_, err := m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1}}, Targets: Arrays{"given": Floats{0}}})
		return err
	}
}

// walk makes steps with random gradients from a stream and returns the bits of all weights and the optimizer's state.
func walk(t testing.TB, o Optimizer, workers, steps int) []uint32 {
	r := rand.New(rand.NewPCG(7, 7))
	shapes := []Shape{{5}, {70, 300}, {300, 7}, {2, 3, 4}}
	draw := func() (all [][]float32) {
		for _, s := range shapes {
			v := make([]float32, s.Elements())
			for i := range v {
				v[i] = float32(r.Float64() - 0.5)
			}
			all = append(all, v)
		}
		return all
	}
	m, step := newGiven(t, o, draw(), shapes)
	if workers > 1 {
		defer m.trainer.share(workers)()
	}
	for range steps {
		require.NoError(t, step(draw()))
	}
	bits := weightBits(m)
	for _, slots := range m.trainer.slots {
		for _, v := range slices.Concat(slots...) {
			bits = append(bits, math.Float32bits(v))
		}
	}
	return bits
}
