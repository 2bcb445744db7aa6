package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// A mean over rows weighs them, and a row of weight 0 counts nothing, whatever it has.
func TestMeterWeights(t *testing.T) {
	for _, c := range []struct {
		metric  Metric
		weights []float32
		want    float64
	}{
		{MAE(), nil, (1.0 + 2 + 6) / 3},
		{MAE(), []float32{1, 1, 1}, (1.0 + 2 + 6) / 3},
		{MAE(), []float32{2, 0, 0.5}, (2*1.0 + 0.5*6) / 2.5},
		{MSE(), []float32{2, 0, 0.5}, (2*1.0 + 0.5*36) / 2.5},
		{Accuracy(), []float32{3, 1, 1}, 3.0 / 5},
	} {
		out, y := []float32{1, 2, 6}, []float32{0, 0, 0}
		if c.metric == Accuracy() {
			y = []float32{1, 0, 0}
		}
		meter, err := c.metric.Start(Output{Shape: Shape{1}})
		require.NoError(t, err)
		for range 2 {
			meter.Add(kernels.MatrixOf(out, 3, 1), Target{Values: kernels.MatrixOf(y, 3, 1)}, c.weights)
			require.InDelta(t, c.want, meter.Value(), 1e-12, c.metric.Name())
			meter.Reset()
		}
		nan := []float32{1, float32(math.NaN()), 6}
		if c.weights != nil && c.weights[1] == 0 {
			meter.Add(kernels.MatrixOf(nan, 3, 1), Target{Values: kernels.MatrixOf(y, 3, 1)}, c.weights)
			require.InDelta(t, c.want, meter.Value(), 1e-12, c.metric.Name())
		}
	}
}
