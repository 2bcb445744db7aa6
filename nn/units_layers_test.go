package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A layerUnit is a layer with inputs, weights, results and gradients. The gradients are those of Σ y·upstream.
type layerUnit struct {
	unit
	Layer   string
	Kwargs  json.RawMessage
	Inputs  []string
	Weights []struct {
		Name, Tensor string
		Trainable    bool
	}
	Upstream string
	Spread   float64 `json:"f32_dev"` // how far a float32 run of Keras is from these numbers
}

func testLayerUnit(t *testing.T, u unit) {
	l := layerUnit{unit: u}
	l.decode(t, &l)
	kind, err := newObject[Kind](l.Layer, l.Kwargs)
	require.NoError(t, err)
	var in []*Node
	data := Arrays{}
	for i, name := range l.Inputs {
		x := u.tensor(t, name)
		in = append(in, Input(fmt.Sprint("x", i), x.shape[1:]...))
		data[in[i].layer.name] = Floats(x.float32s())
	}
	m, err := NewModel(in, []*Node{New(kind, Name("y")).On(in...)})
	require.NoError(t, err)
	l.setWeights(t, m)
	y, err := m.Predict(data)
	require.NoError(t, err)
	l.compare(t, "inference/y", y["y"].Data)
	l.serve(t, m, data, y["y"].Rows)
	l.run(t, m, "inference", false)
	if _, ok := u.tensors[u.ID+"/training/y"]; ok {
		l.run(t, m, "training", true)
	}
}

// setWeights gives the layer the weights of the unit: it must have these and no others.
func (l *layerUnit) setWeights(t *testing.T, m *Model) {
	values := map[string][]float32{}
	for _, w := range l.Weights {
		values["y/"+w.Name] = l.tensor(t, w.Tensor).float32s()
	}
	for _, w := range m.Weights() {
		require.Contains(t, values, w.Name)
		require.Equal(t, l.tensor(t, l.ID+"/w/"+w.param.name).shape, []int(w.Shape), w.Name)
	}
	require.Len(t, m.Weights(), len(values))
	require.NoError(t, m.SetWeights(values))
}

// serve compares what a plan computes, row by row.
func (l *layerUnit) serve(t *testing.T, m *Model, data Arrays, rows int) {
	p, err := NewPlan(m, 3)
	require.NoError(t, err)
	var in [][]float32
	for i := range l.Inputs {
		in = append(in, data[fmt.Sprint("x", i)].(Floats))
	}
	out := make([]float32, rows*p.OutputFeatures(0))
	require.NoError(t, p.Predict(in, [][]float32{out}, rows))
	l.compare(t, "inference/y", out)
}

// run compares one call of the layer on a tape: the result, all gradients, and the weights that the call itself changes.
func (l *layerUnit) run(t *testing.T, m *Model, mode string, training bool) {
	n, tape := m.outputs[0], autograd.NewTape(nil)
	c := &Call{Ops: tape, Act: n.layer.activation(), node: n, training: training}
	for _, name := range l.Inputs {
		x := l.tensor(t, name)
		leaf := tape.Const
		if x.dtype != "I32" {
			leaf = tape.Param
		}
		c.masks = append(c.masks, nil)
		c.in = append(c.in, leaf(kernels.MatrixOf(x.float32s(), x.shape[0], Shape(x.shape[1:]).Elements())))
	}
	c.masks = make([]*autograd.Tensor, len(c.in))
	inputs := append([]*autograd.Tensor{}, c.in...)
	for _, w := range m.Weights() {
		c.params = append(c.params, tape.Param(w.Matrix))
	}
	params := append([]*autograd.Tensor{}, c.params...)
	y := n.layer.kind.Forward(c)
	require.NoError(t, m.checkResult(n, y, inputs[0].Rows, tape.Err()))
	require.Equal(t, l.tensor(t, l.ID+"/"+mode+"/y").shape[1:], []int(n.shape))
	l.compare(t, mode+"/y", y.Data)
	for i, w := range m.Weights() {
		if after := "after_" + w.param.name; l.has(mode + "/" + after) {
			l.compare(t, mode+"/"+after, c.params[i].Data)
		}
	}
	if l.Upstream == "" {
		return
	}
	up := tape.Const(kernels.MatrixOf(l.tensor(t, l.Upstream).float32s(), y.Rows, y.Cols))
	require.NoError(t, tape.Backward(tape.Sum(tape.Multiply(y, up))))
	for i, x := range inputs {
		if d := fmt.Sprintf("%s/dx%d", mode, i); l.has(d) {
			l.compare(t, d, tape.Grad(x).Data)
		}
	}
	for i, w := range m.Weights() {
		if d := mode + "/d_" + w.param.name; l.has(d) {
			l.compare(t, d, tape.Grad(params[i]).Data)
		}
	}
}

func (l *layerUnit) has(name string) bool {
	_, ok := l.tensors[l.ID+"/"+name]
	return ok
}

// compare holds numbers to what the rounding of float32 and the spread of Keras' own float32 run explain.
func (l *layerUnit) compare(t *testing.T, name string, ours []float32) {
	t.Helper()
	want := l.tensor(t, l.ID+"/"+name).values
	require.Len(t, ours, len(want), name)
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	require.InDeltaSlice(t, want, float64s(ours), 4*l.Spread+1e-6+2e-6*largest, name)
}
