package nn

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/internal/formula"
	"github.com/espalier-ml/espalier/kernels"
)

// A Dense layer with an activation that has parameters.
var activationDenseCase = layerCase{
	name: "Dense/leaky_relu",
	make: func(o ...LayerOption) *Layer { return Dense(4, LeakyReLUOf(0.1), o...) },
	in:   []Shape{{3}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		return eachValue(denseOf(in[0], p["kernel"], p["bias"], 3, 4), func(v float64) float64 { return max(v, 0.1*v) })
	},
	wrong: [][]Shape{{{3}, {3}}},
}

var activationGLUCase = layerCase{
	name: "Activation/glu",
	make: func(o ...LayerOption) *Layer { return Activation(GLU, o...) },
	in:   []Shape{{2, 4}},
	want: func(in [][]float64, _ map[string][]float64) []float64 {
		gate := func(a, b float64) float64 { return a / (1 + math.Exp(-b)) }
		x := in[0]
		return []float64{gate(x[0], x[2]), gate(x[1], x[3]), gate(x[4], x[6]), gate(x[5], x[7])}
	},
	wrong: [][]Shape{{{3}}, {{4}, {4}}},
}

// everyActivation is each that this package has, with what it computes unless that is along an axis.
func everyActivation() map[ActivationFunction]func(x float64) float64 {
	all := map[ActivationFunction]func(x float64) float64{}
	of := func(f kernels.Unary) func(x float64) float64 {
		return func(x float64) float64 { return formula.Unary(f, x) }
	}
	for i, a := range activationKinds {
		all[ActivationKind(i)] = nil
		if a.unary != (kernels.Unary{}) || ActivationKind(i) == GELU {
			all[ActivationKind(i)] = of(a.unary)
		}
	}
	for _, a := range []ActivationFunction{ReLUOf(0.1, 2, 0.5), LeakyReLUOf(0.2), ELUOf(0.5), CELUOf(2), ApproximateGELU(), SquareplusOf(3),
		SoftShrinkOf(0.4), HardShrinkOf(0.4), ThresholdOf(0.3, -0.7)} {
		all[a] = of(a.(interface{ unary() kernels.Unary }).unary())
	}
	return all
}

// A Dense layer takes every activation: it trains, a plan gives the bits of Predict and allocates nothing, a file brings it
// back, and a picture and a summary show it.
func TestEveryActivation(t *testing.T) {
	const rows = 5
	for act, f := range everyActivation() {
		t.Run(className(act), func(t *testing.T) {
			x := Input("x", 3)
			m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(Dense(6, act, Name("h")).On(x))}, Seed(3))
			require.NoError(t, err)
			c := layerCase{in: []Shape{{3}}}
			data := c.data(4, rows)[0]
			requireHidden(t, m, data, f)
			require.NoError(t, m.Compile(Adam(0.01), Losses{"y": MSE()}))
			before := weightBits(m)
			_, err = m.Fit(t.Context(), Data{Inputs: Arrays{"x": data}, Targets: Arrays{"y": Floats{1, 2, 3, 4, 5}}}, Epochs(2), BatchSize(2))
			require.NoError(t, err)
			require.NotEqual(t, before, weightBits(m))
			again, err := parse(savedBytes(t, m))
			require.NoError(t, err)
			for _, m := range []*Model{m, again} {
				h, err := m.Layer("h")
				require.NoError(t, err)
				require.Equal(t, act, h.activation())
				require.NoError(t, m.Summary(io.Discard))
				var picture bytes.Buffer
				require.NoError(t, m.Mermaid(&picture))
				if act != Linear {
					require.Contains(t, picture.String(), className(act))
				}
			}
			want, err := m.Predict(Arrays{"x": data})
			require.NoError(t, err)
			have, err := again.Predict(Arrays{"x": data})
			require.NoError(t, err)
			requireBits(t, want["y"].Data, have["y"].Data, "of the file")
			p, err := NewPlan(m, rows)
			require.NoError(t, err)
			in, out := [][]float32{data}, [][]float32{make([]float32, rows)}
			require.NoError(t, p.Predict(in, out, rows))
			requireBits(t, want["y"].Data, out[0], "of the plan")
			s := p.NewSession()
			copy(s.Input(0), data)
			require.NoError(t, s.Run(rows))
			require.Zero(t, testing.AllocsPerRun(10, func() {
				if err := s.Run(rows); err != nil {
					panic(err)
				}
			}))
		})
	}
}

// requireHidden demands what f makes of the layer h.
func requireHidden(t *testing.T, m *Model, data Floats, f func(x float64) float64) {
	if f == nil {
		return
	}
	h, err := m.Layer("h")
	require.NoError(t, err)
	hidden, err := NewModel([]*Node{m.inputs[0]}, []*Node{h.nodes[0]})
	require.NoError(t, err)
	y, err := hidden.Predict(Arrays{"x": data})
	require.NoError(t, err)
	var kernel []float64
	for _, w := range hidden.Weights() {
		if w.Name == "h/kernel" {
			kernel = float64s(w.Data)
		}
	}
	var want []float64
	for i := 0; i < len(data); i += 3 {
		want = append(want, eachValue(denseOf(float64s(data[i:i+3]), kernel, nil, 3, len(y["h"].Data)*3/len(data)), f)...)
	}
	require.InDeltaSlice(t, want, float64s(y["h"].Data), 2e-6)
}
