package nn

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A layerCase is a layer with all that the tests of every layer need.
type layerCase struct {
	name  string
	make  func(...LayerOption) *Layer
	in    []Shape
	limit int // inputs are whole numbers below it; 0: any values
	// want computes one sample in float64 from those of the inputs and from the parameters by name.
	want  func(in [][]float64, params map[string][]float64) []float64
	wrong [][]Shape // inputs that the layer cannot take
}

// layerCases are all layers. TestLayerCases fails for a registered class that has no case.
var layerCases = slices.Concat(normCases, mergeCases, noiseCases, rectifyCases, normalizationCases, recurrentCases, []layerCase{
	layerNormCase,
	maskingCase,
	{
		name: "Dense",
		make: func(o ...LayerOption) *Layer { return Dense(4, ReLU, o...) },
		in:   []Shape{{3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return eachValue(denseOf(in[0], p["kernel"], p["bias"], 3, 4), func(v float64) float64 { return max(v, 0) })
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "Dense/softmax of vectors without bias",
		make: func(o ...LayerOption) *Layer { return Dense(4, Softmax, append(o, NoBias())...) },
		in:   []Shape{{2, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return softmaxOf(denseOf(in[0], p["kernel"], nil, 3, 4), 4)
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	activationDenseCase,
	activationGLUCase,
	activationCase(Linear, func(v float64) float64 { return v }),
	activationCase(ReLU, func(v float64) float64 { return max(v, 0) }),
	activationCase(Sigmoid, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }),
	activationCase(Tanh, math.Tanh),
	activationCase(GELU, func(v float64) float64 { return v * (1 + math.Erf(v/math.Sqrt2)) / 2 }),
	{
		name:  "Activation/softmax",
		make:  func(o ...LayerOption) *Layer { return Activation(Softmax, o...) },
		in:    []Shape{{2, 3}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return softmaxOf(in[0], 3) },
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name:  "Dropout",
		make:  func(o ...LayerOption) *Layer { return Dropout(0.3, o...) },
		in:    []Shape{{2, 3}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] },
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name:  "Embedding",
		make:  func(o ...LayerOption) *Layer { return Embedding(5, 3, o...) },
		in:    []Shape{{2}},
		limit: 5,
		want: func(in [][]float64, p map[string][]float64) (y []float64) {
			for _, v := range in[0] {
				y = append(y, p["embeddings"][int(v)*3:int(v)*3+3]...)
			}
			return y
		},
		wrong: [][]Shape{{{2}, {2}}},
	},
	{
		name:  "Flatten",
		make:  Flatten,
		in:    []Shape{{2, 3}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] },
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name:  "Reshape",
		make:  func(o ...LayerOption) *Layer { return Reshape([]int{3, 2}, o...) },
		in:    []Shape{{2, 3}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] },
		wrong: [][]Shape{{{2, 3}, {2, 3}}, {{5}}, {{7}}},
	},
	{
		name: "Concatenate",
		make: Concatenate,
		in:   []Shape{{2, 3}, {2, 1}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return slices.Concat(in[0][:3], in[1][:1], in[0][3:], in[1][1:])
		},
		wrong: [][]Shape{{{2, 3}, {3, 2}}, {{2}, {2, 1}}},
	},
	{
		name: "Add",
		make: Add,
		in:   []Shape{{2, 3}, {2, 3}, {2, 3}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return combined(in, func(a, b float64) float64 { return a + b })
		},
		wrong: [][]Shape{{{3}}, {{3}, {4}}},
	},
	{
		name: "Multiply",
		make: Multiply,
		in:   []Shape{{2, 3}, {2, 3}, {2, 3}},
		want: func(in [][]float64, _ map[string][]float64) []float64 {
			return combined(in, func(a, b float64) float64 { return a * b })
		},
		wrong: [][]Shape{{{3}}, {{3}, {4}}},
	},
	permuteCase, dotCase, dotOfVectorsCase, dotCosineCase, einsumDenseCase, einsumDenseKeptCase, einsumDenseMovedCase,
	attentionCase, attentionConcatCase, additiveAttentionCase, unscaledAttentionCase,
	multiHeadCase, multiHeadCausalCase, groupedQueryCase, identityCase, submodelCase, addLossCase, activityRegularizationCase,
})

func activationCase(a ActivationKind, f func(float64) float64) layerCase {
	return layerCase{
		name:  "Activation/" + a.String(),
		make:  func(o ...LayerOption) *Layer { return Activation(a, o...) },
		in:    []Shape{{2, 3}},
		want:  func(in [][]float64, _ map[string][]float64) []float64 { return eachValue(in[0], f) },
		wrong: [][]Shape{{{3}, {3}}},
	}
}

// denseOf multiplies vectors of x by a kernel.
func denseOf(x, kernel, bias []float64, in, out int) (y []float64) {
	for v := range slices.Chunk(x, in) {
		for j := range out {
			sum := 0.0
			if bias != nil {
				sum = bias[j]
			}
			for k, x := range v {
				sum += x * kernel[k*out+j]
			}
			y = append(y, sum)
		}
	}
	return y
}

func eachValue(x []float64, f func(float64) float64) (y []float64) {
	for _, v := range x {
		y = append(y, f(v))
	}
	return y
}

func softmaxOf(x []float64, width int) (y []float64) {
	for v := range slices.Chunk(x, width) {
		sum := 0.0
		for _, x := range v {
			sum += math.Exp(x)
		}
		for _, x := range v {
			y = append(y, math.Exp(x)/sum)
		}
	}
	return y
}

func combined(in [][]float64, f func(a, b float64) float64) []float64 {
	y := slices.Clone(in[0])
	for _, x := range in[1:] {
		for i, v := range x {
			y[i] = f(y[i], v)
		}
	}
	return y
}

// model returns a model whose only layer, called "it", is the case's.
func (c *layerCase) model(t testing.TB, calls int) *Model {
	l := c.make(Name("it"))
	var inputs, outputs []*Node
	for i := range calls {
		var in []*Node
		for j, s := range c.in {
			in = append(in, Input(fmt.Sprintf("x%d_%d", i, j), s...))
		}
		inputs = append(inputs, in...)
		y := l.On(in...)
		outputs = append(outputs, Reshape([]int{1, y.features()}, Name(fmt.Sprintf("y%d", i))).On(y))
	}
	m, err := NewModel(inputs, outputs, Seed(5))
	require.NoError(t, err)
	return m
}

// data returns random rows for the inputs of one call; the same seed gives the same.
func (c *layerCase) data(seed uint64, rows int) (all []Floats) {
	r := rand.New(rand.NewPCG(seed, 11))
	for _, s := range c.in {
		x := make(Floats, rows*s.Elements())
		for i := range x {
			if x[i] = float32(r.NormFloat64()); c.limit > 0 {
				x[i] = float32(r.IntN(c.limit))
			}
		}
		all = append(all, x)
	}
	return all
}

func eachLayer(t *testing.T, test func(t *testing.T, c layerCase)) {
	for _, c := range layerCases {
		t.Run(c.name, func(t *testing.T) { test(t, c) })
	}
}

// Every registered class has a case, but for inputs, which compute nothing, and those that other tests define.
func TestLayerCases(t *testing.T) {
	with := map[string]bool{"InputLayer": true}
	for _, c := range layerCases {
		with[c.make().Class()] = true
	}
	for name, class := range classes(reflect.TypeFor[Kind]()) {
		if class.kind.PkgPath() == reflect.TypeFor[Layer]().PkgPath() && !slices.Contains([]string{"Scaling", "ShowMask", "MaskedBy", "Restless", "Given"}, name) {
			require.True(t, with[name], "class %s has no case in layerCases", name)
		}
	}
}

// Predict beside float64, and a plan with the bits of Predict.
func TestLayerValues(t *testing.T) {
	eachLayer(t, func(t *testing.T, c layerCase) { requireValues(t, &c, c.model(t, 1)) })
}

func requireValues(t *testing.T, c *layerCase, m *Model) {
	const rows = 5
	params := map[string][]float64{}
	for _, w := range m.Weights() {
		for i := range w.Data {
			w.Data[i] += 0.25 // so that zeros and ones are not what they were
		}
		params[w.param.name] = float64s(w.Data)
	}
	x, arrays := c.data(1, rows), Arrays{}
	for j := range x {
		arrays[fmt.Sprintf("x0_%d", j)] = x[j]
	}
	y, err := m.Predict(arrays)
	require.NoError(t, err)
	for i := range rows {
		var in [][]float64
		for j, s := range c.in {
			n := s.Elements()
			in = append(in, float64s(x[j][i*n:(i+1)*n]))
		}
		require.InDeltaSlice(t, c.want(in, params), float64s(y["y0"].Row(i)), 2e-6)
	}
	p, err := NewPlan(m, 3)
	require.NoError(t, err)
	out := [][]float32{make([]float32, rows*p.OutputFeatures(0))}
	var in [][]float32
	for _, x := range x {
		in = append(in, x)
	}
	require.NoError(t, p.Predict(in, out, rows))
	requireBits(t, y["y0"].Data, out[0], "%s", c.name)
}

// Gradients of parameters, and of what comes before the layer, beside differences of the loss.
func TestLayerGradients(t *testing.T) {
	eachLayer(t, func(t *testing.T, c layerCase) {
		const rows = 4
		var inputs, in []*Node
		data := Data{Inputs: Arrays{}, Targets: Arrays{}}
		for j, s := range c.in {
			x := Input(fmt.Sprint("x", j), s...)
			inputs, in = append(inputs, x), append(in, x)
			if data.Inputs[x.layer.name] = c.data(2, rows)[j]; c.limit == 0 {
				in[j] = Dense(s.Last(), Linear, Name(fmt.Sprint("before", j))).On(x)
			}
		}
		y := Dense(2, Linear, Name("y")).On(Flatten().On(c.make(Name("it")).On(in...)))
		m, err := NewModel(inputs, []*Node{y}, Seed(7))
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(0.1), Losses{"y": MSE()}))
		data.Targets["y"] = Floats{1, 0, 0, 1, 1, 1, 0, 0}
		b := &batch{size: rows}
		require.NoError(t, b.fill(m, data))
		loss := func() float64 {
			total, err := m.trainer.forward(b, true, 3, nil, mustTally(m.trainer))
			require.NoError(t, err)
			return float64(total.Data[0])
		}
		total, err := m.trainer.forward(b, true, 3, nil, mustTally(m.trainer))
		require.NoError(t, err)
		require.NoError(t, m.trainer.runner.tape.Backward(total))
		var gradients [][]float32
		for i := range m.weights {
			gradients = append(gradients, slices.Clone(m.trainer.runner.tape.Grad(m.trainer.runner.params[i]).Data))
		}
		for i, w := range m.weights {
			if w.param.state {
				continue
			}
			for j, v := range w.Data {
				const step = 1.0 / 256
				w.Data[j] = v + step
				up := loss()
				w.Data[j] = v - step
				down := loss()
				w.Data[j] = v
				require.InDelta(t, (up-down)/(2*step), gradients[i][j], 1e-3, "%s %d", w.Name, j)
			}
		}
	})
}

// Neither a step of training nor a run of a session allocates.
func TestLayerAllocations(t *testing.T) {
	eachLayer(t, func(t *testing.T, c layerCase) {
		const rows = 4
		var in []*Node
		data := Data{Inputs: Arrays{}}
		for j, s := range c.in {
			in = append(in, Input(fmt.Sprint("x", j), s...))
			data.Inputs[in[j].layer.name] = c.data(2, rows)[j]
		}
		y := Flatten(Name("y")).On(c.make().On(in...))
		data.Targets = Arrays{"y": make(Floats, rows*y.features())}
		m, err := NewModel(in, []*Node{y})
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(0.01), Losses{"y": MSE()}))
		p, err := NewPlan(m, rows)
		require.NoError(t, err)
		s := p.NewSession()
		for j, x := range c.data(2, rows) {
			copy(s.Input(j), x)
		}
		if len(m.weights) > 0 {
			step := func() {
				_, err := m.TrainOnBatch(data)
				require.NoError(t, err)
			}
			for range 3 {
				step()
			}
			require.Zero(t, testing.AllocsPerRun(5, step), "training")
		}
		require.Zero(t, testing.AllocsPerRun(5, func() { require.NoError(t, s.Run(rows)) }), "serving")
	})
}

// A layer that is called twice has its weights once, and does the same each time.
func TestLayerCalledTwice(t *testing.T) {
	eachLayer(t, func(t *testing.T, c layerCase) {
		m := c.model(t, 2)
		require.Len(t, m.Weights(), len(c.model(t, 1).Weights()))
		arrays := Arrays{}
		for i := range 2 {
			for j, x := range c.data(3, 4) {
				arrays[fmt.Sprintf("x%d_%d", i, j)] = x
			}
		}
		y, err := m.Predict(arrays)
		require.NoError(t, err)
		requireBits(t, y["y0"].Data, y["y1"].Data, "%s", c.name)
	})
}

// A file has the layer with its configuration, and drawings have its class.
func TestLayerFiles(t *testing.T) {
	eachLayer(t, func(t *testing.T, c layerCase) {
		m := c.model(t, 1)
		again, err := parse(savedBytes(t, m))
		require.NoError(t, err)
		have, err := again.Layer("it")
		require.NoError(t, err)
		want, err := m.Layer("it")
		require.NoError(t, err)
		if want.submodel() == nil {
			require.Equal(t, want.kind, have.kind)
		}
		require.Equal(t, weightBits(m), weightBits(again))
		for _, draw := range []func(io.Writer) error{m.SVG, m.DOT, m.Mermaid, func(w io.Writer) error { return m.Summary(w, SummaryWidth(120)) }} {
			var picture bytes.Buffer
			require.NoError(t, draw(&picture))
			require.Contains(t, picture.String(), want.Class())
		}
	})
}

// Inputs that do not fit are errors with the layer's name.
func TestLayerErrors(t *testing.T) {
	eachLayer(t, func(t *testing.T, c layerCase) {
		for _, shapes := range append(c.wrong, nil) {
			var in []*Node
			for _, s := range shapes {
				in = append(in, Input("", s...))
			}
			l := c.make(Name("it"))
			n := l.On(in...)
			require.Error(t, n.err, "%v", shapes)
			require.Nil(t, n.Shape())
			_, err := NewModel(in, []*Node{n})
			if len(in) > 0 {
				require.ErrorContains(t, err, fmt.Sprintf("layer %q (%s): ", "it", l.Class()))
			}
		}
	})
}
