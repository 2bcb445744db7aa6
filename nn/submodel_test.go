package nn

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// submodelCase is a model as a layer: it is held to what holds for each of them.
var submodelCase = layerCase{
	name: "Functional",
	make: func(opts ...LayerOption) *Layer {
		a, b := Input("a", 3), Input("b", 2)
		y := Multiply().On(Dense(2, Tanh).On(a), b)
		m, err := NewModel([]*Node{a, b}, []*Node{y}, Seed(5))
		if err != nil {
			panic(err)
		}
		for _, o := range opts {
			o.applyLayer(m.layer)
		}
		if m.layer.name != "" {
			m.name = m.layer.name
		}
		return m.layer
	},
	in: []Shape{{3}, {2}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		y := eachValue(denseOf(in[0], p["kernel"], p["bias"], 3, 2), math.Tanh)
		return combined([][]float64{y, in[1]}, func(a, b float64) float64 { return a * b })
	},
	wrong: [][]Shape{{{3}}, {{3}, {2}, {2}}, {{2}, {3}}, {{3}, {1}}},
}

// encoder returns a model with much of what a graph can have: an embedding and its mask, a state, noise, a penalty of a result,
// a layer that is called twice, and two outputs.
func encoder(t testing.TB, name string) *Model {
	words, x := Input("words", 4), Input("x", 3)
	h := LSTM(3, Name("lstm")).On(Embedding(7, 3, MaskZero()).On(words))
	twice := Dense(3, Tanh, ActivityRegularizer(L2(0.01)), Name("twice"))
	h = BatchNormalization().On(Add().On(twice.On(h), twice.On(x)))
	h = Dropout(0.4, Name("dropout")).On(h)
	m, err := NewModel([]*Node{words, x}, []*Node{Dense(2, ReLU, Name("code")).On(h), Dense(3, Softmax, Name("topic")).On(h)}, Name(name), Seed(4))
	require.NoError(t, err)
	return m
}

// flatEncoder calls the layers of an encoder on nodes, one by one.
func flatEncoder(m *Model, words, x *Node) (code, topic *Node) {
	l := func(name string) *Layer {
		l, err := m.Layer(name)
		if err != nil {
			panic(err)
		}
		return l
	}
	h := l("lstm").On(l("embedding").On(words))
	h = l("batch_normalization").On(l("add").On(l("twice").On(h), l("twice").On(x)))
	h = l("dropout").On(h)
	return l("code").On(h), l("topic").On(h)
}

// pair returns the same model twice: of calls of two encoders, the first within another model and called twice, and of layers.
func pair(t testing.TB) (nested, flat *Model) {
	build := func(nested bool) *Model {
		left, right := encoder(t, "left"), encoder(t, "right")
		var inputs []*Node
		for i := range 3 {
			inputs = append(inputs, Input(fmt.Sprint("words", i), 4), Input(fmt.Sprint("x", i), 3))
		}
		var ends []*Node
		join := Concatenate(Name("join"))
		if nested {
			a, b := Input("words", 4), Input("x", 3)
			around, err := NewModel([]*Node{a, b}, []*Node{join.On(left.OutputsOn(a, b)...)}, Name("around"))
			require.NoError(t, err)
			ends = append(ends, around.On(inputs[0], inputs[1]), around.On(inputs[2], inputs[3]))
			ends = append(ends, right.OutputsOn(inputs[4], inputs[5])...)
		} else {
			for i := range 2 {
				code, topic := flatEncoder(left, inputs[2*i], inputs[2*i+1])
				ends = append(ends, join.On(code, topic))
			}
			code, topic := flatEncoder(right, inputs[4], inputs[5])
			// The names of layers decide on random numbers, so they have those of the nested model.
			for _, m := range []*Model{left, right} {
				prefix := map[*Model]string{left: "around/left/", right: "right/"}[m]
				for _, l := range m.layers {
					l.name = prefix + l.name
				}
			}
			join.name = "around/join"
			ends = append(ends, code, topic)
		}
		y := Dense(1, Sigmoid, Name("y")).On(Concatenate(Name("all")).On(ends[:3]...))
		m := &Model{}
		var err error
		outputs := []*Node{y, Identity(Name("topic")).On(ends[3])}
		if nested {
			m, err = NewModel(inputs, outputs, Seed(6))
		} else {
			m, err = newModelAnyNames(inputs, outputs, Seed(6))
		}
		require.NoError(t, err)
		require.NoError(t, m.Compile(Adam(0.01), Losses{"y": BinaryCrossentropy(), "topic": SparseCategoricalCrossentropy()},
			Metrics{"topic": {Accuracy()}}))
		return m
	}
	return build(true), build(false)
}

// newModelAnyNames is NewModel for layers with slashes in their names.
func newModelAnyNames(inputs, outputs []*Node, opts ...ModelOption) (*Model, error) {
	slashes := map[*Layer]string{}
	for _, n := range newGraph(inputs, outputs).nodes {
		if strings.Contains(n.layer.name, "/") {
			slashes[n.layer] = n.layer.name
			n.layer.name = strings.ReplaceAll(n.layer.name, "/", "|")
		}
	}
	m, err := NewModel(inputs, outputs, opts...)
	if err != nil {
		return nil, err
	}
	for l, name := range slashes {
		l.name, m.paths[l] = name, name
	}
	for _, w := range m.weights {
		w.Name = strings.ReplaceAll(w.Name, "|", "/")
	}
	return m, nil
}

func pairData(rows int) Data {
	r := rand.New(rand.NewPCG(1, 2))
	d := Data{Inputs: Arrays{}, Targets: Arrays{}}
	var y Floats
	var topic Labels
	for i := range 3 {
		var words Labels
		var x Floats
		for range 4 * rows {
			words = append(words, int32(r.IntN(7)))
		}
		for range 3 * rows {
			x = append(x, float32(r.NormFloat64()))
		}
		d.Inputs[fmt.Sprint("words", i)], d.Inputs[fmt.Sprint("x", i)] = words, x
	}
	for range rows {
		y, topic = append(y, float32(r.IntN(2))), append(topic, int32(r.IntN(3)))
	}
	d.Targets["y"], d.Targets["topic"] = y, topic
	return d
}

// A model of models trains, predicts and serves with the bits of the same layers without the models.
func TestSubmodelIsItsLayers(t *testing.T) {
	nested, flat := pair(t)
	require.Len(t, nested.layers, 11)
	data := pairData(20)
	require.Equal(t, flat.GetWeights(), nested.GetWeights())
	var logs [2]*History
	for i, m := range []*Model{nested, flat} {
		var err error
		logs[i], err = m.Fit(context.Background(), data, Epochs(3), BatchSize(7), Seed(2))
		require.NoError(t, err)
	}
	require.Equal(t, logs[1].Logs, logs[0].Logs)
	require.Equal(t, flat.GetWeights(), nested.GetWeights())

	want, err := flat.Predict(data.Inputs)
	require.NoError(t, err)
	have, err := nested.Predict(data.Inputs)
	require.NoError(t, err)
	require.Equal(t, want, have)
	var steps [2]bytes.Buffer
	for i, m := range []*Model{nested, flat} {
		p, err := NewPlan(m, 8)
		require.NoError(t, err)
		require.NoError(t, p.Describe(&steps[i]))
	}
	require.Equal(t, steps[1].String(), steps[0].String())

	// All of it comes back from a file, and goes on as if nothing had been.
	again, err := Read(bytes.NewReader(savedBytes(t, nested)))
	require.NoError(t, err)
	require.Equal(t, savedBytes(t, nested), savedBytes(t, again))
	for _, m := range []*Model{again, nested} {
		_, err := m.Fit(context.Background(), data, Epochs(5), InitialEpoch(3), BatchSize(7), Seed(2))
		require.NoError(t, err)
	}
	require.Equal(t, savedBytes(t, nested), savedBytes(t, again))

	// The models within have the weights.
	inner, err := again.Submodel("around/left")
	require.NoError(t, err)
	in := Arrays{"words": data.Inputs["words0"], "x": data.Inputs["x0"]}
	a, err := inner.Predict(in)
	require.NoError(t, err)
	original, err := nested.Submodel("around/left")
	require.NoError(t, err)
	b, err := original.Predict(in)
	require.NoError(t, err)
	require.Equal(t, b, a)
	served, err := Read(bytes.NewReader(savedBytes(t, nested)), ForServing(), Prefix("p_"))
	require.NoError(t, err)
	inner, err = served.Submodel("p_around/left")
	require.NoError(t, err)
	a, err = inner.Predict(in)
	require.NoError(t, err)
	require.Equal(t, b, a)
	require.Equal(t, "p_around/left/embedding/embeddings", served.Weights()[0].Name)
	var file bytes.Buffer
	_, err = served.WriteTo(&file)
	require.NoError(t, err)
	_, err = Read(&file)
	require.NoError(t, err)
}

// What one model learns, all know that have its layers, and what is frozen stays.
func TestSubmodelTraining(t *testing.T) {
	nested, _ := pair(t)
	data := pairData(8)
	right, err := nested.Submodel("right")
	require.NoError(t, err)
	l, err := nested.Layer("right")
	require.NoError(t, err)
	require.True(t, l.Trainable())
	l.SetTrainable(false)
	require.False(t, l.Trainable())
	before := nested.GetWeights()
	alone := right.GetWeights()
	require.Equal(t, "right/embedding/embeddings", l.Weights()[0].Name)
	require.Len(t, l.Weights(), len(right.Weights()))
	_, err = nested.TrainOnBatch(data)
	require.NoError(t, err)
	for name, values := range nested.GetWeights() {
		if strings.HasPrefix(name, "right/") {
			require.Equal(t, before[name], values, name)
		} else if !strings.Contains(name, "bias") {
			require.NotEqual(t, before[name], values, name)
		}
	}
	again, err := Read(bytes.NewReader(savedBytes(t, nested)))
	require.NoError(t, err)
	l, err = again.Layer("right/lstm")
	require.NoError(t, err)
	require.False(t, l.Trainable())
	right.SetTrainable(true)
	_, err = nested.TrainOnBatch(data)
	require.NoError(t, err)
	require.NotEqual(t, alone, right.GetWeights())
}

// Two layers of one name in different models draw different numbers.
func TestSubmodelRandom(t *testing.T) {
	drop := func(name string) *Model {
		x := Input("x", 64)
		m, err := NewModel([]*Node{x}, []*Node{Dropout(0.5, Name("dropout")).On(x)}, Name(name))
		require.NoError(t, err)
		return m
	}
	x := Input("x", 64)
	a, b := drop("a").On(x), drop("b").On(x)
	m, err := NewModel([]*Node{x}, []*Node{a, b})
	require.NoError(t, err)
	r := newRunner(m, nil)
	c := &chunk{}
	require.NoError(t, c.fillInputs(m, Arrays{"x": slices.Repeat(Floats{1}, 64)}))
	r.run(c.inputs, true, 1)
	require.NoError(t, r.err)
	require.NotEqual(t, r.values[1].Data, r.values[2].Data)
}

func TestSubmodelErrors(t *testing.T) {
	x := Input("x", 3)
	model := func(name string, outputs ...*Node) *Model {
		m, err := NewModel([]*Node{x}, outputs, Name(name))
		require.NoError(t, err)
		return m
	}
	d := Dense(2, ReLU, Name("d"))
	one, two := model("one", d.On(x)), model("two", Dense(2, ReLU, Name("a")).On(x), Dense(2, ReLU, Name("b")).On(x))
	z := Input("z", 3)
	for want, output := range map[string]*Node{
		`layer "two" (Functional): has 2 outputs: use OutputsOn`:                two.On(z),
		`layer "one" (Functional): called on 2 nodes, takes 1: ["x"]`:           one.On(z, z),
		`layer "one" (Functional): called on 0 nodes, takes 1: ["x"]`:           one.On(),
		`layer "one" (Functional): input 0 is nil`:                              one.On(nil),
		`layer "one" (Functional): input "x" is called on shape (2), takes (3)`: one.On(Dense(2, ReLU).On(z)),
		`layer "e" (Dense): has 0 units, needs at least 1`:                      one.On(Dense(0, ReLU, Name("e")).On(z)),
		`output 0 is nil`: (*Model)(nil).On(z),
		`layer "d" (Dense) is in two places of the model, `:                                      Add().On(one.On(z), d.On(z)),
		`output "add" depends on input "x", which is not among the model's inputs ["z"]`:         Add(Name("add")).On(one.On(x), z),
		`layer "one" (Functional) and layer "one" (Dense) have the same name`:                    Dense(2, ReLU, Name("one")).On(one.On(z)),
		`is in two places of the model, "nest/one" and "one"`:                                    Add().On(model("nest", one.On(x)).On(z), one.On(z)),
		`layer "lookup/embedding" (Embedding): called on the result of a layer of class Dense, `: model("lookup", Embedding(4, 2).On(x)).On(Dense(3, ReLU).On(z)),
		`layer "it" (TimeDistributed): the layer within (Functional): a model cannot be called `: TimeDistributed(one.layer, Name("it")).On(Input("t", 2, 3)),
	} {
		_, err := NewModel([]*Node{z}, []*Node{output})
		require.ErrorContains(t, err, want)
	}
	outputs := two.OutputsOn(z)
	_, err := NewModel([]*Node{z}, outputs)
	require.ErrorContains(t, err, `outputs 0 and 1 both come from layer "two" (Functional), so they share a name: give them others by Identity`)
	m, err := NewModel([]*Node{z}, []*Node{Add().On(outputs...)})
	require.NoError(t, err)
	_, err = m.Node("two")
	require.ErrorContains(t, err, `layer "two" (Functional) has 2 results`)
	_, err = m.Node("two/a")
	require.ErrorContains(t, err, `"two/a" is within a model`)
	_, err = m.Submodel("two/a")
	require.ErrorContains(t, err, `layer "two/a" (Dense) is not a model`)
	_, err = m.Layer("two/c")
	require.ErrorContains(t, err, `model "two" has no layer "c"`)
	_, err = m.Layer("add/c")
	require.ErrorContains(t, err, `has no layer "add/c"`)
}

// An output that nobody uses, an input that no output uses and one that is an output are all part of a call.
func TestSubmodelUnused(t *testing.T) {
	a, b := Input("a", 2), Input("b", 2)
	inner, err := NewModel([]*Node{a, b}, []*Node{a, Dense(2, ReLU, Name("used")).On(a), Dense(2, ReLU, Name("unused")).On(a)}, Name("inner"))
	require.NoError(t, err)
	x := Input("x", 2)
	ends := inner.OutputsOn(x, Dense(2, ReLU, Name("for_nothing")).On(x))
	require.Same(t, x, ends[0])
	m, err := NewModel([]*Node{x}, []*Node{Add().On(ends[0], ends[1])})
	require.NoError(t, err)
	require.Len(t, m.Weights(), 6)
	again, err := Read(bytes.NewReader(savedBytes(t, m)))
	require.NoError(t, err)
	in := Arrays{"x": Floats{1, -2}}
	want, err := m.Predict(in)
	require.NoError(t, err)
	have, err := again.Predict(in)
	require.NoError(t, err)
	require.Equal(t, want, have)
	_, err = NewPlan(again, 2)
	require.NoError(t, err)

	y := Input("y", 2)
	ends = inner.OutputsOn(x, y)
	_, err = NewModel([]*Node{x}, ends[1:2])
	require.ErrorContains(t, err, `output "inner" depends on input "y"`)
}

// Models without names get them as layers do, and tell them apart.
func TestSubmodelNames(t *testing.T) {
	x := Input("x", 2)
	model := func() *Model {
		x := Input("x", 2)
		m, err := NewModel([]*Node{x}, []*Node{Dense(2, ReLU).On(x)})
		require.NoError(t, err)
		return m
	}
	a, b := model(), model()
	require.Equal(t, "functional", b.Name())
	m, err := NewModel([]*Node{x}, []*Node{a.On(b.On(x))})
	require.NoError(t, err)
	require.Equal(t, "functional_1", b.Name())
	require.Equal(t, []string{"functional"}, m.OutputNames())
	var names []string
	for _, w := range m.Weights() {
		names = append(names, w.Name)
	}
	require.Equal(t, []string{"functional_1/dense/kernel", "functional_1/dense/bias", "functional/dense/kernel", "functional/dense/bias"}, names)
	_, err = Read(bytes.NewReader(savedBytes(t, m)))
	require.NoError(t, err)
}

// Small files cannot ask for much: neither by depth nor by calls of calls.
func TestSubmodelLimits(t *testing.T) {
	nest := func(levels, calls int) (m *Model, err error) {
		for range levels {
			x := Input("x", 1)
			y := Flatten().On(x)
			for range calls {
				if m != nil {
					y = m.On(y)
				}
			}
			if m, err = NewModel([]*Node{x}, []*Node{y}, Name("m")); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	m, err := nest(maxDepth, 1)
	require.NoError(t, err)
	_, err = parse(savedBytes(t, m))
	require.NoError(t, err)
	_, err = nest(maxDepth+1, 1)
	require.ErrorContains(t, err, "models are nested 17 deep, at most 16 are possible")
	m, err = nest(12, 2)
	require.NoError(t, err)
	b := savedBytes(t, m)
	_, err = parse(b)
	require.NoError(t, err)
	require.Equal(t, extent{3 + 2, 2 + 1, len("x"+"flatten"+"m/flatten") + len("xflatten"), 2}, must(nest(2, 1)).extent)
	_, err = nest(maxDepth, 3)
	require.ErrorContains(t, err, "nodes, at most 16384 are possible")

	// The same from files that no model would write.
	a, err := m.architecture()
	require.NoError(t, err)
	for range 10 {
		text, err := encodeJSON(a)
		require.NoError(t, err)
		a.Layers[1] = layerConfig{"Functional", "m", text, true}
		a.Nodes = append(a.Nodes[:1], nodeConfig{"m", indices{0}}, nodeConfig{"m", indices{0}})
		a.Outputs = indices{2}
		header, err := encodeHeader(metadata{Version: fileVersion, Architecture: string(must(encodeJSON(a)))}, nil)
		require.NoError(t, err)
		require.Less(t, allocated(func() { _, _, err = parseHeader(header[8:]) }), uint64(8*len(header)+1<<25))
		require.Error(t, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Files whose models within do not fit are errors.
func TestSubmodelFiles(t *testing.T) {
	nested, _ := pair(t)
	a, err := nested.architecture()
	require.NoError(t, err)
	text := string(must(encodeJSON(a)))
	at := func(old, new string) string {
		require.Contains(t, text, old)
		return strings.Replace(text, old, new, 1)
	}
	for want, text := range map[string]string{
		`layer "around": its model has the name "other"`:                 at(`"config":{"name":"around"`, `"config":{"name":"other"`),
		`layer "around": config: json: unknown field "more"`:             at(`"config":{"name":"around"`, `"config":{"more":1,"name":"around"`),
		`layer "around": has no inputs`:                                  at(`"class_name":"Functional","name":"around","config":{`, `"class_name":"Functional","name":"around","config":{"name":"around"},"trainable":true},{"class_name":"Functional","name":"around","config":{`),
		`layer "around" (Functional): called on 1 nodes, takes 2`:        at(`{"layer":"around","on":[0,1]}`, `{"layer":"around","on":[0]}`),
		`layer "around" (Functional): input "words" is called on shape `: at(`{"layer":"around","on":[0,1]}`, `{"layer":"around","on":[1,0]}`),
	} {
		var a architecture
		err := decodeJSON(text, &a)
		require.NoError(t, err)
		_, err = a.model(1)
		require.ErrorContains(t, err, want)
	}
}

// A picture has one box for a model.
func TestSubmodelPictures(t *testing.T) {
	nested, _ := pair(t)
	for _, draw := range []func(io.Writer) error{nested.DOT, nested.Mermaid, nested.SVG} {
		var b bytes.Buffer
		require.NoError(t, draw(&b))
		require.Contains(t, b.String(), "around")
		require.NotContains(t, b.String(), "lstm")
	}
	require.True(t, json.Valid(must(encodeJSON(&functional{nested}))))
}
