package nn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// countedDense is a dense layer that counts its products.
type countedDense struct {
	*dense
	products int
}

func (d *countedDense) Forward(c *Call) *ops.Tensor {
	d.products++
	return d.dense.Forward(c)
}

// A head whose loss starts from its logits, and whose value another layer needs, is one product and has the bits of
// Predict. TestRandomGraphs has its gradients.
func TestFusedHeadWithinTheGraph(t *testing.T) {
	for _, c := range []struct {
		act    ActivationKind
		loss   Loss
		target Array
	}{
		{Softmax, SparseCategoricalCrossentropy(), savedLabels(10, 3)},
		{Sigmoid, BinaryCrossentropy(), Floats{0, 1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0}},
	} {
		x := Input("x", 4)
		head := Dense(3, c.act, Name("head"))
		counted := &countedDense{dense: head.kind.(*dense)}
		head.kind = counted
		y := head.On(x)
		next := Dense(1, Linear, Name("next")).On(y)
		m, err := NewModel([]*Node{x}, []*Node{y, next})
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(0.1), Losses{"head": c.loss, "next": MSE()}))
		data := Data{Inputs: Arrays{"x": savedRows(10, 4)}, Targets: Arrays{"head": c.target, "next": savedRows(10, 1)}}
		want, err := m.Predict(data.Inputs)
		require.NoError(t, err)

		counted.products = 0
		r := m.trainer.runner
		r.run([]kernels.Matrix{kernels.MatrixOf(data.Inputs["x"].(Floats), 10, 4)}, true, 0)
		require.NoError(t, r.tape.Err())
		require.Equal(t, 1, counted.products)
		for i, n := range m.nodes {
			if n != x {
				requireBits(t, want[n.layer.name].Data, r.values[i].Data, "%s: %s", c.act, n.layer.name)
			}
		}
	}
}
