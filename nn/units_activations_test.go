package nn

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// testActivationUnit compares an activation and its gradient: element by element dy/dx or, of rows, dx for a given dy.
func testActivationUnit(t *testing.T, u unit) {
	var f struct {
		Activation, X, Y, DYDX, Upstream, DX string
		Kwargs                               json.RawMessage
		Dev                                  float64 `json:"f32_dev"`
		DevRel                               float64 `json:"f32_dev_rel"`
	}
	u.decode(t, &f)
	act, err := newObject[ActivationFunction](f.Activation, f.Kwargs)
	require.NoError(t, err)
	require.NoError(t, checkActivation(act))
	tape := autograd.NewTape(kernels.Default())
	x := u.tensor(t, f.X)
	in := tape.Param(x.matrix())
	out := act.Apply(tape, in)
	loss := tape.Sum(out)
	dx := f.DYDX
	if f.Upstream != "" {
		up := u.tensor(t, f.Upstream)
		loss, dx = tape.Sum(tape.Multiply(out, tape.Const(up.matrix()))), f.DX
	}
	require.NoError(t, tape.Backward(loss))
	for name, have := range map[string]kernels.Matrix{f.Y: out.Matrix, dx: tape.Grad(in)} {
		want := u.tensor(t, name)
		require.Len(t, have.Data, len(want.values))
		largest := 0.0
		for _, v := range want.values {
			largest = max(largest, math.Abs(v))
		}
		for i, v := range want.values {
			require.InDelta(t, v, have.Data[i], 1e-6+2e-6*largest, "%s %d", name, i)
		}
	}
}

// matrix returns the tensor in float32, with a row for each vector along the last axis.
func (g goldenTensor) matrix() kernels.Matrix {
	x := make([]float32, len(g.values))
	for i, v := range g.values {
		x[i] = float32(v)
	}
	last := len(x)
	if len(g.shape) > 0 {
		last = max(1, g.shape[len(g.shape)-1])
	}
	return kernels.MatrixOf(x, len(x)/last, last)
}

// A file has an activation's name alone, or with what is not usual.
func TestActivationFiles(t *testing.T) {
	for text, want := range map[string]ActivationFunction{
		`"silu"`:       SiLU,
		`"leaky_relu"`: LeakyReLUOf(0.2),
		`"elu"`:        ELUOf(1),
		`{"class_name":"leaky_relu","config":{"negative_slope":0.1}}`:                         LeakyReLUOf(0.1),
		`{"class_name":"relu","config":{"negative_slope":0.1,"max_value":2,"threshold":0.5}}`: ReLUOf(0.1, 2, 0.5),
		`{"class_name":"relu","config":{"threshold":0.5}}`:                                    ReLUOf(0, math.Inf(1), 0.5),
		`{"class_name":"gelu","config":{"approximate":true}}`:                                 ApproximateGELU(),
		`{"class_name":"celu","config":{"alpha":2}}`:                                          CELUOf(2),
		`{"class_name":"squareplus","config":{"b":2}}`:                                        SquareplusOf(2),
		`{"class_name":"soft_shrink","config":{"threshold":1}}`:                               SoftShrinkOf(1),
		`{"class_name":"hard_shrink","config":{"threshold":1}}`:                               HardShrinkOf(1),
		`{"class_name":"threshold","config":{"threshold":0.5,"default_value":-1}}`:            ThresholdOf(0.5, -1),
	} {
		written, err := encodeJSON(Object[ActivationFunction]{want})
		require.NoError(t, err)
		require.Equal(t, text, string(written))
		requireActivation(t, want, text)
	}
	// What loads, but is not how it is written.
	requireActivation(t, SiLU, `"swish"`)
	requireActivation(t, HardSiLU, `"hard_swish"`)
	requireActivation(t, ReLU, `{"class_name":"relu","config":{}}`)
	requireActivation(t, ReLU, `{"class_name":"relu","config":{"max_value":null}}`)
	requireActivation(t, GELU, `{"class_name":"gelu","config":{"approximate":false}}`)
	requireActivation(t, ELUOf(1), `{"class_name":"elu","config":{"alpha":1}}`)
	requireActivation(t, Softmax, `{"class_name":"softmax","config":{"axis":-1}}`)
	var o Object[ActivationFunction]
	require.ErrorContains(t, decodeJSON(`{"class_name":"silu","config":{"beta":2}}`, &o), `"silu" has no configuration`)
	require.ErrorContains(t, decodeJSON(`{"class_name":"relu","config":{"alpha":2}}`, &o), `unknown field "alpha"`)
	require.ErrorContains(t, decodeJSON(`{"class_name":"softmax","config":{"axis":0}}`, &o), "axis is 0, must be -1")
}

func requireActivation(t *testing.T, want ActivationFunction, text string) {
	t.Helper()
	var have Object[ActivationFunction]
	require.NoError(t, decodeJSON(text, &have), text)
	require.Equal(t, want, have.Value, text)
}

// Parameters that a function cannot have are an error of the layer.
func TestActivationErrors(t *testing.T) {
	x := Input("x", 3)
	for want, act := range map[string]ActivationFunction{
		"activation relu: negative_slope is -0.1, must not be negative":      ReLUOf(-0.1, 1, 0),
		"activation relu: max_value is -1, must not be negative":             ReLUOf(0, -1, 0),
		"activation relu: threshold is NaN, must be finite in float32":       ReLUOf(0, 1, math.NaN()),
		"activation leaky_relu: negative_slope is 1e+40, must be finite":     LeakyReLUOf(1e40),
		"activation elu: alpha is +Inf, must be finite in float32":           ELUOf(math.Inf(1)),
		"activation celu: alpha is 0, must be positive":                      CELUOf(0),
		"activation celu: 1/alpha is":                                        CELUOf(1e-44),
		"activation squareplus: b is -4, must be positive":                   SquareplusOf(-4),
		"activation soft_shrink: threshold is -1, must not be negative":      SoftShrinkOf(-1),
		"activation hard_shrink: threshold is -1, must not be negative":      HardShrinkOf(-1),
		"activation threshold: default_value is +Inf, must be finite in flo": ThresholdOf(0, math.Inf(1)),
		"activation glu: the last axis has 3 elements, must have an even nu": GLU,
	} {
		require.ErrorContains(t, Activation(act).On(x).err, want)
		require.ErrorContains(t, Dense(3, act).On(x).err, want)
	}
}
