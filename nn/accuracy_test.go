package nn

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Of equal values the first counts, of the output and of the target alike; a half is not above a half.
func TestAccuracyTies(t *testing.T) {
	half, zero := float32(0.5), float32(math.Copysign(0, -1))
	for _, c := range []struct {
		loss   Loss
		p      []float32
		labels []int32
		target []float32
		want   float64
	}{
		{loss: SparseCategoricalCrossentropy(), p: []float32{half, half, 0}, labels: []int32{0}, want: 1},
		{loss: SparseCategoricalCrossentropy(), p: []float32{half, half, 0}, labels: []int32{1}, want: 0},
		{loss: SparseCategoricalCrossentropy(), p: []float32{0, half, half}, labels: []int32{1}, want: 1},
		{loss: SparseCategoricalCrossentropy(), p: []float32{0, half, half}, labels: []int32{2}, want: 0},
		{loss: SparseCategoricalCrossentropy(), p: []float32{1, 1, 1}, labels: []int32{0}, want: 1},
		{loss: SparseCategoricalCrossentropy(), p: []float32{0, zero, 0}, labels: []int32{0}, want: 1},
		{loss: SparseCategoricalCrossentropy(), p: []float32{zero, 0, 0}, labels: []int32{1}, want: 0},
		{loss: CategoricalCrossentropy(), p: []float32{half, half, 0}, target: []float32{half, half, 0}, want: 1},
		{loss: CategoricalCrossentropy(), p: []float32{0, half, half}, target: []float32{0, half, half}, want: 1},
		{loss: CategoricalCrossentropy(), p: []float32{half, half, 0}, target: []float32{0, half, half}, want: 0},
		{loss: CategoricalCrossentropy(), p: []float32{1, 0, 0}, target: []float32{1, 1, 1}, want: 1},
		{loss: BinaryCrossentropy(), p: []float32{half}, target: []float32{1}, want: 0},
		{loss: BinaryCrossentropy(), p: []float32{half}, target: []float32{0}, want: 1},
		{loss: BinaryCrossentropy(), p: []float32{math.Nextafter32(half, 1)}, target: []float32{1}, want: 1},
		{loss: BinaryCrossentropy(), p: []float32{0.2}, target: []float32{zero}, want: 1},
		{loss: BinaryCrossentropy(FromLogits()), p: []float32{0}, target: []float32{0}, want: 1},
		{loss: BinaryCrossentropy(FromLogits()), p: []float32{zero}, target: []float32{1}, want: 0},
		{loss: BinaryCrossentropy(FromLogits()), p: []float32{math.SmallestNonzeroFloat32}, target: []float32{1}, want: 1},
		{loss: BinaryCrossentropy(FromLogits()), p: []float32{0.2}, target: []float32{0}, want: 0},
		{loss: MSE(), p: []float32{half}, target: []float32{0}, want: 1},
	} {
		y := Target{Labels: c.labels}
		if c.target != nil {
			y.Values = kernels.MatrixOf(c.target, 1, len(c.target))
		}
		l, ok := c.loss.(interface{ Logits() bool })
		meter, err := Accuracy().Start(Output{Logits: ok && l.Logits()})
		require.NoError(t, err)
		meter.Add(kernels.MatrixOf(c.p, 1, len(c.p)), y, nil)
		got := meter.Value()
		require.Equal(t, c.want, got, fmt.Sprint(c.loss.Name(), c.p, c.labels, c.target))
	}
}

// The same logits have one accuracy, whether the output or the loss has the sigmoid or softmax.
func TestAccuracyOfLogits(t *testing.T) {
	ctx := context.Background()
	x := Floats{-0.4, -0.2, 0, 0.2, 0.3, 0.4, 0.6, 30}
	for _, c := range []struct {
		units    int
		act      ActivationKind
		fused    Loss
		unfused  Loss
		y        Array
		accuracy float64
	}{
		{1, Sigmoid, BinaryCrossentropy(), BinaryCrossentropy(FromLogits()), Labels{0, 1, 0, 1, 1, 1, 0, 1}, 6.0 / 8},
		{2, Softmax, SparseCategoricalCrossentropy(), SparseCategoricalCrossentropy(FromLogits()), Labels{0, 1, 0, 1, 1, 1, 0, 1}, 6.0 / 8},
	} {
		for act, loss := range map[ActivationKind]Loss{c.act: c.fused, Linear: c.unfused} {
			in := Input("x", 1)
			m, err := NewModel([]*Node{in}, []*Node{Dense(c.units, act, NoBias(), Name("y")).On(in)})
			require.NoError(t, err)
			kernel := []float32{1}
			if c.units == 2 {
				kernel = []float32{0, 1}
			}
			require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": kernel}))
			require.NoError(t, m.Compile(SGD(0), Losses{"y": loss}, Metrics{"y": {Accuracy()}}))
			logs, err := m.Evaluate(ctx, Data{Inputs: Arrays{"x": x}, Targets: Arrays{"y": c.y}})
			require.NoError(t, err)
			require.Equal(t, c.accuracy, logs["accuracy"], act)
		}
	}
}
