package onnx

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// draws returns n numbers around 0.
func draws(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// A built is a graph that grows by one random node at a time.
type built struct {
	*rand.Rand
	nodes        []*nodeProto
	initializers []*tensorProto
	values       []string // of shape [batch, 4] or what a node made of it
	shapes       [][]int  // without the batch
}

func (b *built) constant(dims ...int64) string {
	name := fmt.Sprintf("c%d", len(b.initializers))
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	b.initializers = append(b.initializers, floats(name, draws(b.Rand, int(n)), dims...))
	return name
}

func (b *built) list(values ...int64) string {
	name := fmt.Sprintf("c%d", len(b.initializers))
	b.initializers = append(b.initializers, ints(name, values...))
	return name
}

func (b *built) add(shape []int, op, inputs string, attributes ...*attributeProto) {
	name := fmt.Sprintf("v%d", len(b.values))
	n := node(op, inputs, name, attributes...)
	n.name = fmt.Sprintf("%s %d", op, len(b.nodes))
	b.nodes, b.values, b.shapes = append(b.nodes, n), append(b.values, name), append(b.shapes, shape)
}

// grow adds a node that leaves the samples apart.
func (b *built) grow() {
	i := len(b.values) - 1 - b.IntN(min(3, len(b.values)))
	x, s := b.values[i], b.shapes[i]
	last, n := s[len(s)-1], int64(s[len(s)-1])
	with := func(shape []int, d int) []int { return append(slices.Clone(shape[:len(shape)-1]), d) }
	switch b.IntN(16) {
	case 0:
		b.add(with(s, 3), "MatMul", x+" "+b.constant(n, 3))
	case 1:
		if len(s) == 1 {
			b.add([]int{5}, "Gemm", x+" "+b.constant(5, n)+" "+b.constant(5), number("transB", 1))
		}
	case 2:
		b.add(s, []string{"Relu", "Tanh", "Sigmoid", "Abs", "Neg", "Softplus"}[b.IntN(6)], x)
	case 3:
		b.add(s, []string{"Add", "Mul", "Sub"}[b.IntN(3)], x+" "+b.constant(n))
	case 4:
		b.add(s, "Sub", b.constant(1)+" "+x)
	case 5:
		b.add(s, []string{"Add", "Mul", "Sub", "Max"}[b.IntN(4)], x+" "+x)
	case 6:
		b.add(with(s, 2*last), "Concat", x+" "+x, number("axis", -1))
	case 7:
		b.add(s, "Softmax", x, number("axis", -1))
	case 8:
		b.add([]int{product(s)}, "Flatten", x, number("axis", 1))
	case 9:
		if product(s)%2 == 0 {
			b.add([]int{2, product(s) / 2}, "Reshape", x+" "+b.list(-1, 2, int64(product(s)/2)))
		}
	case 10:
		if len(s) == 2 {
			b.add([]int{s[1], s[0]}, "Transpose", x, numbers("perm", 0, 2, 1))
		}
	case 11:
		b.add(with(s, 1), "ReduceMean", x, numbers("axes", -1))
	case 12:
		b.add(with(s, max(1, last-1)), "Slice", x+" "+b.list(int64(min(1, last-1)))+" "+b.list(math.MaxInt64)+" "+b.list(-1))
	case 13:
		b.add(with(s, 3), "Gather", x+" "+b.list(0, -1, 0), number("axis", -1))
	case 14:
		b.add(append([]int{1}, s...), "Unsqueeze", x+" "+b.list(1))
	case 15:
		if len(s) == 3 {
			b.add([]int{2, s[1], s[2]}, "Conv", x+" "+b.constant(2, int64(s[0]), 3, 3), numbers("pads", 1, 1, 1, 1))
		} else if len(s) == 2 {
			b.add([]int{3, s[1]}, "Conv", x+" "+b.constant(3, int64(s[0]), 3)+" "+b.constant(3), numbers("pads", 1, 1))
		}
	}
}

// A random graph predicts, for each row of a batch by itself, what its nodes evaluate to for the whole batch. Saved and loaded
// again by package nn it predicts the same bits.
func TestRandomGraphs(t *testing.T) {
	graphs := 60
	if testing.Short() {
		graphs = 15
	}
	for seed := range graphs {
		b := &built{Rand: rand.New(rand.NewPCG(3, uint64(seed))), values: []string{"x"}, shapes: [][]int{{4}}}
		for range 3 + b.IntN(12) {
			b.grow()
		}
		if len(b.nodes) == 0 {
			continue
		}
		last := len(b.values) - 1
		m := newModel(b.nodes, b.initializers...)
		m.graph.inputs[0] = input("x", -1, 4)
		m.graph.outputs[0].name = b.values[last]
		file := m.encode()
		const rows = 3
		x := draws(b.Rand, rows*4)
		whole := newModel(b.nodes, b.initializers...)
		whole.graph.inputs[0] = input("x", rows, 4)
		whole.graph.outputs[0].name = b.values[last]
		values := make([]float64, len(x))
		for i, v := range x {
			values[i] = float64(v)
		}
		g, err := newGraph(whole, 1<<24, config{shapes: map[string][]int{}, values: map[string][]float64{"x": values}})
		require.NoError(t, err)
		require.NoError(t, g.shapes())
		want := g.values[b.values[last]].one.data()

		loaded, err := Read(bytes.NewReader(file))
		require.NoError(t, err, "seed %d: %v", seed, b.nodes)
		y, err := loaded.Predict(nn.Arrays{"x": nn.Floats(x)})
		require.NoError(t, err, "seed %d", seed)
		have := y[b.values[last]].Data
		require.Len(t, have, len(want))
		for i, v := range want {
			require.InDelta(t, v, have[i], 1e-5*max(1, math.Abs(v)), "seed %d, element %d", seed, i)
		}

		var saved bytes.Buffer
		_, err = loaded.WriteTo(&saved)
		require.NoError(t, err, "seed %d", seed)
		again, err := nn.Read(&saved)
		require.NoError(t, err, "seed %d", seed)
		z, err := again.Predict(nn.Arrays{"x": nn.Floats(x)})
		require.NoError(t, err)
		require.Equal(t, have, z[b.values[last]].Data, "seed %d", seed)
	}
}

// The weights of a model train on, those before a layer of the class ONNXOperator too.
func TestTraining(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	m := newModel([]*nodeProto{
		node("MatMul", "x w", "a"), node("Add", "a b", "h"), node("Erf", "h", "e"), node("ReduceSum", "e", "s", numbers("axes", -1)), node("MatMul", "e v", "o"), node("Add", "o s", "y"),
	}, floats("w", draws(r, 8), 2, 4), floats("b", draws(r, 4), 4), floats("v", draws(r, 8), 4, 2))
	m.opsets[0].version = 11
	loaded, err := Read(bytes.NewReader(m.encode()))
	require.NoError(t, err)
	require.NoError(t, loaded.Compile(nn.Adam(0.02), nn.Losses{"y": nn.MSE()}))
	x, y := nn.Floats(draws(r, 64)), make(nn.Floats, 64)
	for i := range 32 {
		y[2*i], y[2*i+1] = x[2*i]*x[2*i+1], x[2*i]
	}
	h, err := loaded.Fit(context.Background(), nn.Data{Inputs: nn.Arrays{"x": x}, Targets: nn.Arrays{"y": y}}, nn.Epochs(60))
	require.NoError(t, err)
	require.Less(t, h.Logs["loss"][59], 0.3*h.Logs["loss"][0])
	require.Equal(t, []string{"the MatMul/kernel", "the MatMul/bias"}, []string{loaded.Weights()[0].Name, loaded.Weights()[1].Name})

	// An operator without a gradient says so.
	loaded, err = Read(bytes.NewReader(newModel([]*nodeProto{node("MatMul", "x w", "h"), node("Sin", "h", "s"), node("CumSum", "s k", "y")},
		floats("w", draws(r, 4), 2, 2), &tensorProto{name: "k", dataType: typeInt64, int64s: []int64{1}}).encode()))
	require.NoError(t, err)
	require.NoError(t, loaded.Compile(nn.Adam(0.02), nn.Losses{"y": nn.MSE()}))
	_, err = loaded.TrainOnBatch(nn.Data{Inputs: nn.Arrays{"x": x}, Targets: nn.Arrays{"y": y}})
	require.ErrorContains(t, err, `node "the CumSum" (CumSum): the operator CumSum has no gradient`)
}

// What becomes of a graph: names, shared layers, and where the batch is.
func TestModels(t *testing.T) {
	w, c := floats("w", []float32{1, 2, 3, 4}, 2, 2), floats("c", []float32{5, 6}, 2)
	read := func(m *modelProto, opts ...Option) *nn.Model {
		loaded, err := Read(bytes.NewReader(m.encode()), opts...)
		require.NoError(t, err)
		return loaded
	}
	m := newModel([]*nodeProto{node("Gemm", "x w c", "h"), node("Gemm", "h w c", "y/out")}, w, c)
	m.graph.outputs[0].name = "y/out"
	loaded := read(m)
	require.Equal(t, []string{"y/out"}, loaded.OutputNames())
	require.Equal(t, 6, loaded.CountParams(), "two nodes with the same weights are one layer")

	fixed := newModel([]*nodeProto{node("Gemm", "x w c", "y")}, w, c)
	fixed.graph.inputs[0] = input("x", 7, 2)
	require.Equal(t, nn.Shape{2}, read(fixed).Inputs()[0].Shape(), "the size of the batch is free")
	require.Equal(t, nn.Shape{7, 2}, read(fixed, InputShape("x", 7, 2)).Inputs()[0].Shape(), "all of it is one sample")
	fixed.graph.nodes = append(fixed.graph.nodes, node("Softmax", "y", "z", number("axis", 0)))
	fixed.graph.outputs[0].name = "z"
	require.Equal(t, nn.Shape{7, 2}, read(fixed).Inputs()[0].Shape(), "the samples are mixed")

	// The batch can be anywhere.
	m = newModel([]*nodeProto{node("Transpose", "x", "t", numbers("perm", 1, 0, 2)), node("Softmax", "t", "y")})
	m.graph.inputs[0] = input("x", 3, -1, 2)
	m.graph.inputs[0].kind.dims[1].name = "N"
	m.graph.inputs = append(m.graph.inputs, input("z", -1, 2))
	m.graph.inputs[1].kind.dims[0].name = "N"
	loaded = read(m)
	require.Equal(t, nn.Shape{3, 2}, loaded.Inputs()[0].Shape())
	require.Equal(t, nn.Shape{3, 2}, loaded.Outputs()[0].Shape())

	// Random outputs and constants.
	m = newModel([]*nodeProto{node("RandomNormalLike", "x", "r"), node("Add", "x r", "s"), node("Relu", "x", "y"), node("Identity", "c", "k")}, c)
	m.graph.outputs = []*valueProto{input("s"), input("k"), input("y")}
	loaded = read(m)
	require.Equal(t, []string{"k", "y"}, loaded.OutputNames())
	y, err := loaded.Predict(nn.Arrays{"x": nn.Floats{1, -2, -3, 4}})
	require.NoError(t, err)
	require.Equal(t, []float32{5, 6, 5, 6}, y["k"].Data)
	require.Equal(t, []float32{1, 0, 0, 4}, y["y"].Data)
	_, err = Read(bytes.NewReader(newModel([]*nodeProto{node("RandomNormalLike", "x", "y")}).encode()))
	require.ErrorContains(t, err, `has no output that a row of numbers can be: "y" is random`)

	// Options.
	_, err = Read(bytes.NewReader(single("Relu", "x").encode()), nil)
	require.ErrorContains(t, err, "option 0 is nil")
	_, err = Read(bytes.NewReader(single("Relu", "x").encode()), InputShape("z", 1))
	require.ErrorContains(t, err, `has no input "z"`)
	_, err = Read(bytes.NewReader(single("Relu", "x").encode()), InputShape("x", 3))
	require.ErrorContains(t, err, `has the size 2 on axis 1, the given shape [3] says 3`)
	_, err = Read(bytes.NewReader(single("Relu", "x").encode()), InputValue("z", 1))
	require.ErrorContains(t, err, `has no input "z"`)
	_, err = Read(bytes.NewReader(single("Relu", "x").encode()), InputValue("x", 1))
	require.Error(t, err)
	_, err = Load(filepath.Join(t.TempDir(), "none.onnx"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// BenchmarkLoad reads 50 MB of weights. Beside it is what reading the file and copying it takes.
func BenchmarkLoad(b *testing.B) {
	const n = 3600
	m := newModel([]*nodeProto{node("MatMul", "x w", "y")})
	raw := make([]byte, 4*n*n)
	for i := range raw {
		raw[i] = byte(i % 61)
	}
	m.graph.initializers = []*tensorProto{{name: "w", dims: []int64{n, n}, dataType: typeFloat, hasRaw: true, raw: raw}}
	m.graph.inputs[0] = input("x", -1, n)
	path := filepath.Join(b.TempDir(), "model.onnx")
	require.NoError(b, os.WriteFile(path, m.encode(), 0o666))
	m.graph.nodes[0] = node("Gemm", "x w", "y", number("transB", 1))
	transposed := filepath.Join(b.TempDir(), "transposed.onnx")
	require.NoError(b, os.WriteFile(transposed, m.encode(), 0o666))
	for name, path := range map[string]string{"model=matmul": path, "model=gemm": transposed} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(4 * n * n)
			for b.Loop() {
				_, err := Load(path)
				require.NoError(b, err)
			}
		})
	}
	b.Run("lib=copy", func(b *testing.B) {
		b.SetBytes(4 * n * n)
		for b.Loop() {
			file, err := os.ReadFile(path)
			require.NoError(b, err)
			copied := make([]byte, len(file))
			copy(copied, file)
		}
	})
}

// BenchmarkPlan is what a service does before its first answer: it reads a model of two tasks (11,659 weights) and makes a plan.
func BenchmarkPlan(b *testing.B) {
	x := nn.Input("x", 20)
	h := nn.Dense(64, nn.ReLU).On(nn.Dense(128, nn.ReLU).On(x))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("value")).On(h), nn.Dense(10, nn.Softmax, nn.Name("label")).On(h)})
	require.NoError(b, err)
	var file bytes.Buffer
	require.NoError(b, Write(&file, m))
	for b.Loop() {
		m, err := Read(bytes.NewReader(file.Bytes()))
		require.NoError(b, err)
		_, err = nn.NewPlan(m, 1)
		require.NoError(b, err)
	}
}
