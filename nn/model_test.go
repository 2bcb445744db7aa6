package nn

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/safetensors"
)

func TestGraphErrors(t *testing.T) {
	nodes := func(n ...*Node) []*Node { return n }
	for _, c := range []struct {
		name  string
		graph func(m *Model, x *Node) (inputs, outputs []*Node)
		want  []string
	}{
		{"no inputs", func(_ *Model, x *Node) (_, _ []*Node) { return nil, nodes(x) }, []string{"has no inputs"}},
		{"no outputs", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nil }, []string{"has no outputs"}},
		{"nil input", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x, nil), nodes(x) }, []string{"input 1 is nil"}},
		{"nil output", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(nil) }, []string{"output 0 is nil"}},
		{"zero output", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(new(Node)) }, []string{"output 0 is nil"}},
		{"called on nothing", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dense(1, Linear, Name("y")).On()) }, []string{`layer "y" (Dense): called on no node`}},
		{"called on nil", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Add(Name("y")).On(x, nil)) }, []string{`layer "y" (Add): input 1 is nil`}},
		{"called on zero node", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, ReLU, Name("y")).On(Dense(1, ReLU, Name("z")).On(new(Node))))
		}, []string{`layer "z" (Dense): input 0 is nil`}},
		{"called on two", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dropout(0.1, Name("y")).On(x, x)) }, []string{`layer "y" (Dropout): called on 2 nodes, takes 1`}},
		{"called on one", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Multiply(Name("y")).On(x)) }, []string{`layer "y" (Multiply): called on 1 node, takes at least 2`}},
		{"input of no shape", func(*Model, *Node) (_, _ []*Node) { x := Input("y"); return nodes(x), nodes(x) }, []string{`layer "y" (InputLayer): shape has no dimensions`}},
		{"input of width 0", func(*Model, *Node) (_, _ []*Node) { x := Input("y", 2, 0); return nodes(x), nodes(x) }, []string{`layer "y" (InputLayer): shape (2, 0) has a dimension below 1`}},
		{"input of absurd shape", func(*Model, *Node) (_, _ []*Node) { x := Input("y", 1<<30, 1<<30); return nodes(x), nodes(x) }, []string{`layer "y"`, "more than 2147483647 elements"}},
		{"input not given", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Add(Name("y")).On(x, Input("z", 4)))
		}, []string{`output "y" depends on input "z", which is not among the model's inputs ["x"]`}},
		{"input of another model", func(m *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Concatenate(Name("y")).On(x, m.outputs[0]))
		}, []string{`output "y" depends on input "c"`, `inputs ["x"]`}},
		{"input not by Input", func(_ *Model, x *Node) (_, _ []*Node) {
			y := Dense(1, Linear, Name("y")).On(x)
			return nodes(y), nodes(Dense(1, Linear, Name("z")).On(y))
		}, []string{`input 0 is a result of layer "y" (Dense), not of Input`}},
		{"input twice", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x, x), nodes(x) }, []string{`input "x" is given twice`}},
		{"output twice", func(_ *Model, x *Node) (_, _ []*Node) {
			y := Dense(1, Linear, Name("y")).On(x)
			return nodes(x), nodes(y, y)
		}, []string{`outputs 0 and 1 both come from layer "y" (Dense)`}},
		{"outputs of one layer", func(_ *Model, x *Node) (_, _ []*Node) {
			y, z := Dense(4, Linear, Name("y")), Dense(1, ReLU, Name("z")).On(x)
			return nodes(x), nodes(y.On(x), z, y.On(y.On(x)))
		}, []string{`outputs 0 and 2 both come from layer "y" (Dense)`}},
		{"name twice", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, Linear, Name("x")).On(x))
		}, []string{`layer "x" (InputLayer) and layer "x" (Dense) have the same name`}},
		{"slash in a name", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, Linear, Name("a/b")).On(x))
		}, []string{`layer "a/b" (Dense): the name of a layer with weights cannot contain a slash`}},
		{"NUL in a name", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, Linear, Name("a\x00b")).On(x))
		}, []string{`layer "a\x00b" (Dense): a name cannot contain a NUL byte`}},
		{"nil options", func(_ *Model, x *Node) (_, _ []*Node) {
			all := []*Layer{
				Dense(1, ReLU, nil), Activation(ReLU, nil), Dropout(0.1, nil), Embedding(2, 1, nil), Flatten(nil), Reshape([]int{4}, nil),
				Concatenate(nil), Add(nil), Multiply(nil, Name("last")),
			}
			var out []*Node
			for _, l := range all {
				out = append(out, l.On(x))
			}
			return nodes(x), out
		}, []string{
			`layer "dense" (Dense): option 0 is nil`, `layer "activation" (Activation): option 0`, `layer "dropout" (Dropout): option 0`,
			`layer "embedding" (Embedding): option 0`, `layer "flatten" (Flatten): option 0`, `layer "reshape" (Reshape): option 0`,
			`layer "concatenate" (Concatenate): option 0`, `layer "add" (Add): option 0`, `layer "last" (Multiply): option 0`,
		}},
		{"options that a layer does not know", func(_ *Model, x *Node) (_, _ []*Node) {
			y := Activation(Tanh, NoBias(), Name("y"), nil).On(x)
			return nodes(x), nodes(y, Embedding(2, 1, Name("z"), NoBias()).On(y), Dense(1, Linear, NoBias(), Name("w")).On(x))
		}, []string{`layer "y" (Activation): does not take NoBias: it has no bias` + "\noption 2 is nil", `layer "z" (Embedding): does not take NoBias`}},
		{"layers that nothing made", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Flatten(Name("y")).On((*Layer)(nil).On(x)), Flatten(Name("z")).On(new(Layer).On(x)))
		}, []string{`layer "y" (Flatten): input 0 is nil`, `layer "z" (Flatten): input 0 is nil`}},
		{"units 0", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dense(0, Linear, Name("y")).On(x)) }, []string{`layer "y" (Dense): has 0 units, needs at least 1`}},
		{"units -3", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dense(-3, Linear, Name("y")).On(x)) }, []string{`has -3 units`}},
		{"units absurd", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(math.MaxInt, Linear, Name("y")).On(x))
		}, []string{`layer "y" (Dense): kernel: shape (`, "more than 2147483647 elements"}},
		{"kernel absurd", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1<<30, Linear, Name("y")).On(x))
		}, []string{`layer "y" (Dense): kernel: shape (4, 1073741824) has more than`}},
		{"activation unknown", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(1, ActivationKind(77), Name("y")).On(x), Activation(ActivationKind(99), Name("z")).On(x))
		}, []string{`layer "y" (Dense): unknown activation ActivationKind(77): valid are ["linear" "relu" "sigmoid" "tanh" "softmax" "gelu" "silu"`, `layer "z" (Activation): unknown activation ActivationKind(99)`}},
		{"dropout 1", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Dropout(1, Name("y")).On(x)) }, []string{`layer "y" (Dropout): rate 1 is not in [0, 1)`}},
		{"dropout NaN", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dropout(math.NaN(), Name("y")).On(x))
		}, []string{`rate NaN is not in [0, 1)`}},
		{"embedding of nothing", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(0, 1, Name("y")).On(x), Embedding(1, -2, Name("z")).On(x))
		}, []string{`layer "y" (Embedding): has input dimension 0, valid are 1 to 16777216`, `layer "z" (Embedding): has output dimension -2, needs at least 1`}},
		{"embedding absurd", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(1<<24+1, 1, Name("y")).On(x), Embedding(1<<24, 128, Name("z")).On(x), Embedding(1, 1<<30, Name("w")).On(x))
		}, []string{`layer "y" (Embedding): has input dimension 16777217`, `layer "z" (Embedding): embeddings: shape (16777216, 128) has more than`, `layer "w" (Embedding): shape (4, 1073741824) has more than`}},
		{"embedding of two", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(2, 1, Name("y")).On(x, x))
		}, []string{`layer "y" (Embedding): called on 2 nodes, takes 1`}},
		{"embedding of a result", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(2, 1, Name("y")).On(Flatten().On(Dense(3, ReLU, Name("z")).On(x))))
		}, []string{`layer "y" (Embedding): called on the result of a layer of class Dense, must be called on an Input, or on a Reshape or Flatten of one`}},
		{"embedding of an embedding", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Embedding(2, 1, Name("y")).On(Embedding(2, 1).On(x)))
		}, []string{`layer "y" (Embedding): called on the result of a layer of class Embedding`}},
		{"reshape", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Reshape([]int{2, 3}, Name("y")).On(x))
		}, []string{`layer "y" (Reshape): cannot turn shape (4) (4 elements) into (2, 3) (6)`}},
		{"reshape to nothing", func(_ *Model, x *Node) (_, _ []*Node) { return nodes(x), nodes(Reshape(nil, Name("y")).On(x)) }, []string{`layer "y" (Reshape): shape has no dimensions`}},
		{"reshape negative", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Reshape([]int{-2, -2}, Name("y")).On(x))
		}, []string{`shape (-2, -2) has a dimension below 1`}},
		{"concatenate", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Concatenate(Name("y")).On(x, Reshape([]int{2, 2}).On(x)))
		}, []string{`layer "y" (Concatenate): input 1 has shape (2, 2), which differs from input 0, (4)`}},
		{"add", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Add(Name("y")).On(x, x, Dense(3, ReLU).On(x)))
		}, []string{`layer "y" (Add): input 2 has shape (3), those before have (4): axes must be equal, or 1`}},
		{"multiply", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Multiply(Name("y")).On(Reshape([]int{2, 2}).On(x), x))
		}, []string{`layer "y" (Multiply): input 1 has shape (4), those before have (2, 2)`}},
		{"shared layer", func(m *Model, x *Node) (_, _ []*Node) {
			trunk, err := m.Layer("trunk")
			if err != nil {
				panic(err)
			}
			return nodes(x), nodes(trunk.On(x))
		}, []string{`layer "trunk" (Dense): kernel is (5, 5), this call asks for (4, 5)`}},
		{"two layers", func(_ *Model, x *Node) (_, _ []*Node) {
			return nodes(x), nodes(Dense(0, Linear, Name("y")).On(x), Dropout(2, Name("z")).On(x))
		}, []string{`layer "y" (Dense): has 0 units`, `layer "z" (Dropout): rate 2`}},
		{"upstream", func(_ *Model, x *Node) (_, _ []*Node) {
			y := Dense(0, Linear, Name("y")).On(x)
			return nodes(x), nodes(Flatten(Name("z")).On(Concatenate().On(y, x)))
		}, []string{`layer "y" (Dense): has 0 units`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _, unchanged := trained(t)
			inputs, outputs := c.graph(m, Input("x", 4))
			broken, err := NewModel(inputs, outputs, Name("net"))
			requireError(t, err, append(c.want, `nn: model "net": `)...)
			require.Nil(t, broken)
			unchanged(t)
		})
	}
}

func TestSetWeightsErrors(t *testing.T) {
	m, _, unchanged := trained(t)
	valid := `valid are ["label/bias" "label/kernel" "trunk/bias" "trunk/kernel" "value/bias" "value/kernel"]`
	for _, c := range []struct {
		name   string
		values map[string][]float32
		want   []string
	}{
		{"unknown", map[string][]float32{"trunk/bias": {1, 2, 3, 4, 5}, "trunk": {1}}, []string{`unknown weight "trunk"`, valid}},
		{"length", map[string][]float32{"label/bias": {1, 2, 3, 4}, "trunk/kernel": make([]float32, 24)}, []string{`weight "trunk/kernel": 24 values given, shape (5, 5) has 25`}},
		{"nil", map[string][]float32{"label/bias": {1, 2, 3, 4}, "value/bias": nil}, []string{`weight "value/bias": 0 values given, shape (2) has 2`}},
		{"too many", map[string][]float32{"value/bias": {1, 2, 3}}, []string{`weight "value/bias": 3 values given, shape (2) has 2`}},
		{"NaN first", map[string][]float32{"value/bias": {nan, 0}}, []string{`weight "value/bias": value 0 is NaN`}},
		{"NaN", map[string][]float32{"label/bias": {1, 2, 3, 4}, "value/bias": {0, nan}}, []string{`weight "value/bias": value 1 is NaN`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireError(t, m.SetWeights(c.values), c.want...)
			unchanged(t)
		})
	}
	_, err := m.Layer("labels")
	requireError(t, err, `no layer "labels": it has ["x" "c" "join" "trunk" "label" "value"]`)
	require.NoError(t, m.SetWeights(nil))
	unchanged(t)
}

func TestSharedLayerOfTwoModels(t *testing.T) {
	shared := Dense(3, Tanh)
	model := func(name string) *Model {
		x := Input("x", 2)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name(name)).On(shared.On(x))})
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(0.1), Losses{name: MSE()}))
		return m
	}
	a, b := model("a"), model("b")
	require.Equal(t, "dense", shared.Name())
	d := Data{Inputs: Arrays{"x": Floats{1, 2, 3, 4}}, Targets: Arrays{"a": Floats{1, 0}}}
	before := weightBits(b)
	_, err := a.TrainOnBatch(d)
	require.NoError(t, err)
	require.NotEqual(t, before, weightBits(b), "what one model learns, the other knows")
	kernel := func(m *Model) []float32 { return m.Weights()[0].Data }
	require.Equal(t, "dense/kernel", a.Weights()[0].Name)
	require.Equal(t, kernel(a), kernel(b))
	kernel(a)[0] = 42
	require.Equal(t, float32(42), kernel(b)[0])
}

func TestNames(t *testing.T) {
	build := func() *Model {
		second := Dense(2, ReLU) // created first, called last
		x, y := Input("", 2), Input("", 2)
		named := Dense(2, ReLU, Name("dense_1")).On(x)
		h := Add().On(named, Dense(2, ReLU).On(y), second.On(x))
		out := Dense(1, Linear).On(Dropout(0).On(Concatenate().On(h, second.On(y), Flatten().On(x))))
		m, err := NewModel([]*Node{x, y}, []*Node{out, Activation(Sigmoid).On(out), Reshape([]int{1, 1}).On(out), Multiply().On(out, out)})
		require.NoError(t, err)
		return m
	}
	for range 2 { // the second model starts over
		m := build()
		require.Equal(t, "functional", m.Name())
		require.Equal(t, []string{"input_layer", "input_layer_1"}, m.InputNames())
		require.Equal(t, []string{"dense_3", "activation", "reshape", "multiply"}, m.OutputNames())
		var names []string
		for _, l := range m.Layers() {
			names = append(names, l.Name())
		}
		slices.Sort(names)
		require.Equal(t, []string{"activation", "add", "concatenate", "dense", "dense_1", "dense_2", "dense_3", "dropout",
			"flatten", "input_layer", "input_layer_1", "multiply", "reshape"}, names)
		shared, err := m.Layer("dense")
		require.NoError(t, err)
		require.Len(t, shared.nodes, 2, "the shared layer was created first")
		require.Equal(t, 2*2+2, shared.paramCount())
	}
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{x}, Name("net"))
	require.NoError(t, err)
	require.Equal(t, "net", m.Name())
}

// Models that are joined in a third one can have named their layers alike; a NewModel that fails names none.
func TestAutomaticNamesMeet(t *testing.T) {
	x := Input("x", 2)
	model := func(y *Node) *Model {
		m, err := NewModel([]*Node{x}, []*Node{y})
		require.NoError(t, err)
		return m
	}
	join := func(a, b *Node) error {
		_, err := NewModel([]*Node{x}, []*Node{Add(Name("sum")).On(a, b)})
		return err
	}
	a, b := Dense(2, ReLU).On(x), Dense(2, ReLU).On(x)
	model(a)
	require.NoError(t, join(a, b), "the second is dense_1")
	a, b = Dense(2, ReLU).On(x), Dense(2, ReLU).On(x)
	model(a)
	model(b)
	require.EqualError(t, join(a, b), `nn: model "functional": layer "dense" (Dense) and layer "dense" (Dense) have the same name, `+
		`which two other models have given them: give one a Name when you make it`)
	a, b = Dense(2, ReLU).On(x), Dense(2, ReLU, Name("mine")).On(x)
	model(a)
	model(b)
	require.NoError(t, join(a, b))

	a, b = Dense(2, ReLU).On(x), Dense(2, ReLU).On(x)
	_, err := NewModel([]*Node{x}, []*Node{a, b, Dense(0, ReLU).On(x)})
	requireError(t, err, `layer "dense_2" (Dense): has 0 units`)
	require.Equal(t, []string{"dense"}, model(b).OutputNames())
	require.Empty(t, a.layer.Name())
}

// Of most options that are given twice the last one counts.
func TestOptionsTwice(t *testing.T) {
	x := Input("x", 3)
	y := Dense(2, ReLU, Name("a"), Name("b")).On(x)
	m, err := NewModel([]*Node{x}, []*Node{y}, Name("c"), Seed(1), Name("d"), Seed(2))
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, m.OutputNames())
	require.Equal(t, "d", m.Name())
	require.EqualValues(t, 2, m.seed)
	_, err = NewModel([]*Node{x}, []*Node{y}, Name("c"), nil)
	require.EqualError(t, err, "nn: NewModel: option 1 is nil")

	d, calls := tandemData(9), 0
	call := Callbacks(Callback{BatchEnd: func(Progress) error { calls++; return nil }})
	history, err := tandem(t, SGD(0)).Fit(context.Background(), d, Epochs(7), BatchSize(1), ValidationData(d), ValidationSplit(0.3),
		call, Epochs(2), BatchSize(3), ValidationData(nil), ValidationSplit(0), call)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, history.Epochs)
	require.NotContains(t, history.Logs, "val_loss")
	require.Equal(t, 2*2*3, calls, "callbacks add up")
}

// What a caller does to a slice later does not reach the graph.
func TestSlicesAreCopied(t *testing.T) {
	in, target := []int{4}, []int{2, 2}
	x := Input("x", in...)
	y := Reshape(target).On(x)
	operands := []*Node{x, x}
	sum := Add().On(operands...)
	in[0], target[0], operands[1] = 100, 100, y
	require.Equal(t, Shape{4}, x.Shape())
	require.Equal(t, Shape{2, 2}, y.Shape())
	require.Equal(t, []*Node{x, x}, sum.in)
}

// What no file could hold is an error when the model is built, not when it is to be saved.
func TestNewModelRefusesWhatCannotBeSaved(t *testing.T) {
	chain := func(nodes int) ([]*Node, []*Node) {
		x := Input("x", 1)
		h := x
		for range nodes - 1 {
			h = Flatten().On(h)
		}
		return []*Node{x}, []*Node{h}
	}
	named := func(input, layer string) ([]*Node, []*Node) {
		x := Input(input, 1)
		return []*Node{x}, []*Node{Flatten(Name(layer)).On(x)}
	}
	edges := func(n int) ([]*Node, []*Node) {
		x := Input("x", 1)
		return []*Node{x}, []*Node{Add().On(slices.Repeat([]*Node{x}, n)...)}
	}
	long := func(n, bytes int) ([]*Node, []*Node) { // names that take the most in a file: each byte is escaped twice
		x := Input("x", 1)
		h := x
		for i := range n {
			h = Dense(1, Linear, Name(strings.Repeat("\x01", bytes-6)+fmt.Sprintf("%06d", i))).On(h)
		}
		return []*Node{x}, []*Node{h}
	}
	for name, test := range map[string]struct {
		graph func() ([]*Node, []*Node)
		opts  []ModelOption
		want  string
	}{
		"nodes":           {func() ([]*Node, []*Node) { return chain(maxNodes + 1) }, nil, "the model has 16385 nodes, at most 16384 are possible"},
		"very many nodes": {func() ([]*Node, []*Node) { return chain(200_000) }, nil, "nodes, at most 16384 are possible"},
		"edges":           {func() ([]*Node, []*Node) { return edges(maxEdges + 1) }, nil, "are called on 65537 nodes in all, at most 65536 are possible"},
		"all edges":       {func() ([]*Node, []*Node) { return edges(maxEdges) }, nil, ""},
		"input's name":    {func() ([]*Node, []*Node) { return named("x\xff", "y") }, nil, `layer "x\xff" (InputLayer): the name is not valid UTF-8`},
		"layer's name":    {func() ([]*Node, []*Node) { return named("x", "\xc0") }, nil, `layer "\xc0" (Flatten): the name is not valid UTF-8`},
		"model's name":    {func() ([]*Node, []*Node) { return named("x", "y") }, []ModelOption{Name("\xff")}, `the model's name "\xff" is not valid UTF-8`},
		"long name":       {func() ([]*Node, []*Node) { return long(1, maxName+1) }, nil, "the name has 4097 bytes, at most 4096 are possible"},
		"longest name":    {func() ([]*Node, []*Node) { return long(1, maxName) }, nil, ""},
		"long model name": {func() ([]*Node, []*Node) { return named("x", "y") }, []ModelOption{Name(strings.Repeat("x", maxName+1))}, "has 4097 bytes"},
		"names":           {func() ([]*Node, []*Node) { return long(257, maxName) }, nil, "the names of all nodes' layers have 1052673 bytes, at most 1048576 are possible"},
	} {
		t.Run(name, func(t *testing.T) {
			in, out := test.graph()
			m, err := NewModel(in, out, test.opts...)
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				require.Less(t, len(err.Error()), 5<<10)
				return
			}
			require.NoError(t, err)
			_, err = parse(savedBytes(t, m))
			require.NoError(t, err)
		})
	}
	t.Run("the longest header", func(t *testing.T) { // an eighth of it
		in, out := long(32-1, maxName)
		m, err := NewModel(in, out)
		require.NoError(t, err)
		require.NoError(t, m.Compile(Adam(1), Losses{out[0].layer.name: MSE()}))
		header, err := m.header(nil, nil)
		require.NoError(t, err)
		require.Less(t, len(header), safetensors.MaxHeader/8)
	})
}
