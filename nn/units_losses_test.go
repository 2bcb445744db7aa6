package nn

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A lossUnit is a loss of Keras with what it made of some rows, by reduction, and gradients of the sum over the batch size.
type lossUnit struct {
	Loss         string
	Kwargs       map[string]any
	True         string                     `json:"y_true"`
	Pred         string                     `json:"y_pred"`
	Weights      string                     `json:"sample_weight"`
	Value        map[string]json.RawMessage // a number, or one for each row
	Weighted     map[string]json.RawMessage `json:"value_weighted"`
	Float32      map[string]json.RawMessage `json:"float32_value"`
	Float32W     map[string]json.RawMessage `json:"float32_value_weighted"`
	Deviation    float64                    `json:"f32_dev"`
	Grad         string
	GradWeighted string `json:"grad_weighted"`
}

func testLossUnit(t *testing.T, u unit) {
	var l lossUnit
	u.decode(t, &l)
	require.NotEmpty(t, l.Value)
	weights := []float32(nil)
	if l.Weights != "" {
		weights = toFloats(u.tensor(t, l.Weights).values)
	}
	for reduction, want := range l.Value {
		checkLossUnit(t, u, l, reduction, nil, want, l.Float32[reduction], l.Grad)
	}
	for reduction, want := range l.Weighted {
		checkLossUnit(t, u, l, reduction, weights, want, l.Float32W[reduction], l.GradWeighted)
	}
}

// checkLossUnit compares one reduction. near is what float32 makes of it in Keras, where that differs.
func checkLossUnit(t *testing.T, u unit, l lossUnit, reduction string, weights []float32, want, near json.RawMessage, grad string) {
	config := map[string]any{"reduction": reduction}
	for name, v := range l.Kwargs {
		config[name] = v
	}
	text, err := json.Marshal(config)
	require.NoError(t, err)
	loss, err := newObject[Loss](l.Loss, text)
	require.NoError(t, err)

	pred, truth := u.tensor(t, l.Pred), u.tensor(t, l.True)
	cols := pred.shape[len(pred.shape)-1]
	rows := len(pred.values) / cols
	h := &head{name: "y", loss: loss}
	out := Output{Shape: Shape{cols}, Targets: loss.Targets()}
	if reduction == string(ReduceNone) {
		require.ErrorContains(t, loss.Check(out), `reduction "none": valid in training are`)
	} else {
		require.NoError(t, loss.Check(out))
	}
	var y Target
	if loss.Targets() == Classes {
		for _, v := range truth.values {
			y.Labels = append(y.Labels, int32(v))
		}
		_, err := checkLabels(y.Labels, cols, ignoredClass(loss))
		require.NoError(t, err)
	} else {
		y.Values = kernels.MatrixOf(toFloats(truth.values), rows, len(truth.values)/rows)
	}
	b := &batch{chunk: chunk{rows: rows, targets: []Target{y}, weights: [][]float32{weights}}}
	scale, err := h.scale(nil, b, 0, nil)
	require.NoError(t, err)
	run := func(scale []float32) (float64, []float64) {
		tape := autograd.NewTape(nil)
		x := tape.Param(kernels.MatrixOf(toFloats(pred.values), rows, cols))
		v := loss.Loss(tape, x, y, scale)
		require.NoError(t, tape.Err())
		require.NoError(t, tape.Backward(v))
		var g []float64
		for _, v := range tape.Grad(x).Data {
			g = append(g, float64(v))
		}
		return float64(v.Data[0]), g
	}
	close := func(want, have []float64, largest float64) {
		t.Helper()
		require.Len(t, have, len(want))
		for i, w := range want {
			require.InDelta(t, w, have[i], 4*l.Deviation+1e-6+2e-6*largest, "%s, weights %v, %d", reduction, weights != nil, i)
		}
	}
	var one float64
	if json.Unmarshal(want, &one) == nil {
		value, g := run(scale)
		close([]float64{one}, []float64{value}, math.Abs(one))
		if near != nil {
			require.NoError(t, json.Unmarshal(near, &one))
			require.InDelta(t, one, value, 1e-6+2e-6*math.Abs(one), reduction)
		}
		if reduction == string(ReduceSumOverBatchSize) {
			want := u.tensor(t, grad).values
			close(want, g, largest(want))
		}
		return
	}
	var all, have []float64
	require.NoError(t, json.Unmarshal(want, &all))
	for i := range all {
		only := make([]float32, rows)
		only[i] = scale[i]
		value, _ := run(only)
		have = append(have, value)
	}
	close(all, have, largest(all))
	if near != nil {
		require.NoError(t, json.Unmarshal(near, &all))
		for i, w := range all {
			require.InDelta(t, w, have[i], 1e-6+2e-6*largest(all), reduction)
		}
	}
}

func toFloats(v []float64) (f []float32) {
	for _, x := range v {
		f = append(f, float32(x))
	}
	return f
}
