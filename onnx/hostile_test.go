package onnx

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// input declares a tensor of float32; a size of -1 is open.
func input(name string, dims ...int64) *valueProto {
	v := &valueProto{name: name, kind: typeProto{elem: typeFloat, hasShape: true}}
	for _, d := range dims {
		v.kind.dims = append(v.kind.dims, dimProto{size: max(d, 0), fixed: d >= 0})
	}
	return v
}

func floats(name string, values []float32, dims ...int64) *tensorProto {
	return &tensorProto{name: name, dims: dims, dataType: typeFloat, floats: values}
}

func ints(name string, values ...int64) *tensorProto {
	return &tensorProto{name: name, dims: []int64{int64(len(values))}, dataType: typeInt64, int64s: values}
}

func node(op string, inputs, outputs string, attributes ...*attributeProto) *nodeProto {
	return &nodeProto{name: "the " + op, op: op, inputs: strings.Split(inputs, " "), outputs: strings.Split(outputs, " "), attributes: attributes}
}

func number(name string, v int64) *attributeProto {
	return &attributeProto{name: name, kind: kindInt, i: v}
}

func numbers(name string, v ...int64) *attributeProto {
	return &attributeProto{name: name, kind: kindInts, ints: v}
}

// newModel returns a model of one input x, [-1, 2], and one output y.
func newModel(nodes []*nodeProto, initializers ...*tensorProto) *modelProto {
	return &modelProto{irVersion: 8, opsets: []opsetProto{{"", 17}}, graph: &graphProto{
		name: "g", nodes: nodes, initializers: initializers, inputs: []*valueProto{input("x", -1, 2)}, outputs: []*valueProto{input("y", -1, 2)},
	}}
}

func single(op, inputs string, initializers ...*tensorProto) *modelProto {
	return newModel([]*nodeProto{node(op, inputs, "y")}, initializers...)
}

// hostile are files that nobody's exporter writes, and a part of the error of each.
func hostile() map[string]struct {
	file []byte
	want string
} {
	all := map[string]struct {
		file []byte
		want string
	}{}
	add := func(name string, file []byte, want string) {
		all[name] = struct {
			file []byte
			want string
		}{file, want}
	}
	model := func(name string, m *modelProto, want string) { add(name, m.encode(), want) }
	valid := single("Relu", "x").encode()
	add("empty", nil, "is empty")
	add("text", []byte("this is not a model at all"), "is no ONNX model")
	add("zeros", make([]byte, 1000), "is no ONNX model")
	add("truncated", valid[:len(valid)-3], "is no ONNX model")
	add("no graph", (&modelProto{opsets: []opsetProto{{"", 17}}}).encode(), "has no graph")
	add("no operators", (&modelProto{graph: &graphProto{}}).encode(), "does not say which operators it uses")
	add("length of the graph", append(slices.Clone(valid[:3]), protowire.AppendVarint(nil, math.MaxUint64)...), "is no ONNX model")
	for _, n := range []protowire.Number{1, 2, 3, 7, 8, 14, 20, 25} { // fields of the model that claim gigabytes
		add(fmt.Sprintf("length of field %d", n), append(protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.BytesType), 1<<40), valid...), "is no ONNX model")
	}
	add("group", append(protowire.AppendTag(nil, 99, protowire.StartGroupType), valid...), "wire type 3")
	add("number for a text", append(protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 5), valid...), "has the wire type 0, must be 2")
	add("text for a number", append(appendText(nil, 1, "x"), valid...), "has the wire type 2, must be 0")
	m := single("Relu", "x")
	m.opsets[0].version = 99
	model("newer operators", m, "valid are 1 to 27")

	// What grows in memory.
	add("empty nodes", appendBlob(nil, 7, bytes.Repeat([]byte{1<<3 | 2, 0}, 1<<20)), "more messages than a file of its size")
	add("empty dimensions", appendBlob(nil, 7, appendBlob(nil, 11, appendBlob(nil, 2, appendBlob(nil, 1, appendBlob(nil, 2, bytes.Repeat([]byte{1<<3 | 2, 0}, 1<<20)))))), "more messages")
	add("empty names", appendBlob(nil, 7, appendBlob(nil, 1, bytes.Repeat([]byte{1<<3 | 2, 0}, 1<<20))), "more messages")
	add("small numbers", appendBlob(nil, 7, appendBlob(nil, 5, appendBlob(nil, 7, make([]byte, 4<<20)))), "more messages")
	nested := &graphProto{}
	for range 200 {
		nested = &graphProto{nodes: []*nodeProto{{op: "If", outputs: []string{"y"}, attributes: []*attributeProto{{name: "then_branch", kind: kindGraph, g: nested}}}}}
	}
	add("nested graphs", (&modelProto{opsets: []opsetProto{{"", 17}}, graph: nested}).encode(), "messages deep")
	model("many constants", single("Add", "x c", &tensorProto{name: "c", dims: []int64{1 << 40}, dataType: typeFloat, hasRaw: true}), "valid are 0 to")
	model("constants that overflow", single("Add", "x c", &tensorProto{name: "c", dims: []int64{1 << 30, 1 << 30, 1 << 30}, dataType: typeFloat, hasRaw: true}), "more than 2147483647 elements")
	model("negative dimension", single("Add", "x c", &tensorProto{name: "c", dims: []int64{-2, -2}, dataType: typeFloat, floats: make([]float32, 4)}), "valid are 0 to")
	model("too few elements", single("Add", "x c", floats("c", []float32{1}, 2)), "has 1 elements, its shape [2] has 2")
	model("too many elements", single("Add", "x c", floats("c", []float32{1, 2, 3}, 2)), "has 3 elements, its shape [2] has 2")
	model("half an element", single("Add", "x c", &tensorProto{name: "c", dims: []int64{1}, dataType: typeFloat, hasRaw: true, raw: []byte{1, 2, 3}}), "no multiple of 4")
	model("unknown type", single("Add", "x c", &tensorProto{name: "c", dims: []int64{1}, dataType: 99}), "has elements of type 99")
	model("many axes", single("Add", "x c", &tensorProto{name: "c", dims: slices.Repeat([]int64{1}, 5000), dataType: typeFloat, floats: []float32{1}}), "at most 16")
	external := floats("c", nil, 2).encode()
	external = append(external, appendBlob(nil, 13, append(appendText(nil, 1, "location"), appendText(nil, 2, "/etc/passwd")...))...)
	external = appendInteger(external, 14, 1)
	add("data in another file", append(single("Add", "x c").encode(), appendBlob(nil, 7, appendBlob(nil, 5, external))...), "has its data in another file, which is not read")
	model("fills memory", newModel([]*nodeProto{node("ConstantOfShape", "s", "c"), node("Add", "x c", "y")}, ints("s", 1<<15, 1<<15)), "asks for more constants")
	model("expands", newModel([]*nodeProto{node("Expand", "c s", "d"), node("Add", "x d", "y")}, floats("c", []float32{1}, 1), ints("s", 1<<30)), "asks for more constants")
	model("tiles", newModel([]*nodeProto{node("Tile", "c s", "d"), node("Add", "x d", "y")}, floats("c", []float32{1}, 1), ints("s", 1<<40)), "valid are 0 to")
	model("counts", newModel([]*nodeProto{node("Range", "a b c", "d"), node("Add", "x d", "y")}, &tensorProto{name: "a", dataType: typeInt64, int64s: []int64{0}}, &tensorProto{name: "b", dataType: typeInt64, int64s: []int64{1 << 50}}, &tensorProto{name: "c", dataType: typeInt64, int64s: []int64{1}}), "counts from 0")
	model("pads", single("Pad", "x p", ints("p", 0, 1<<40, 0, 0)), "out of range")
	doubled := []*nodeProto{node("Concat", "c c", "v0", number("axis", 0))}
	for i := range 40 {
		doubled = append(doubled, node("Concat", fmt.Sprintf("v%d v%[1]d", i), fmt.Sprintf("v%d", i+1), number("axis", 0)))
	}
	model("doubles", newModel(append(doubled, node("Add", "x v40", "y")), floats("c", make([]float32, 64), 64)), "")
	var many []*nodeProto
	for i := range 20000 {
		many = append(many, node("Relu", fmt.Sprintf("v%d", i), fmt.Sprintf("v%d", i+1)))
	}
	many[0].inputs[0], many[len(many)-1].outputs[0] = "x", "y"
	model("many nodes", newModel(many), "at most 16384 are possible")
	shared := []*nodeProto{}
	sum := node("Sum", "", "y")
	sum.inputs = nil
	for i := range 4000 { // layers that each copy one constant
		shared = append(shared, node("Gemm", "x w", fmt.Sprintf("v%d", i), &attributeProto{name: "alpha", kind: kindFloat, f: float32(i)}))
		sum.inputs = append(sum.inputs, fmt.Sprintf("v%d", i))
	}
	model("many copies", newModel(append(shared, sum), floats("w", make([]float32, 1<<16), 2, 1<<15)), "the weights are larger than")

	// What makes no graph.
	model("cycle", newModel([]*nodeProto{node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")}), `input "b" is not computed before it`)
	model("own input", newModel([]*nodeProto{node("Add", "x y", "y")}), `input "y" is not computed before it`)
	model("no such value", single("Add", "x z"), `input "z" is not computed before it`)
	model("computed twice", newModel([]*nodeProto{node("Relu", "x", "y"), node("Tanh", "x", "y")}), `value "y" is computed twice`)
	model("output that is not there", newModel([]*nodeProto{node("Relu", "x", "z")}), `output "y" is not computed`)
	model("no inputs of a node", &modelProto{opsets: []opsetProto{{"", 17}}, graph: &graphProto{nodes: []*nodeProto{{op: "Add", outputs: []string{"y"}}}, inputs: []*valueProto{input("x", -1, 2)}, outputs: []*valueProto{input("y")}}}, "has no inputs")
	model("unknown operators", newModel([]*nodeProto{node("Frobnicate", "x", "a"), node("Relu", "a", "b"), node("Mystify", "b", "y")}), `Frobnicate (nodes ["the Frobnicate"]), Mystify (nodes ["the Mystify"])`)
	m = single("Relu", "x")
	m.graph.inputs = append(m.graph.inputs, input("x", -1, 2))
	model("input twice", m, `input "x" is there twice`)
	model("initializer twice", single("Add", "x c", floats("c", []float32{1}, 1), floats("c", []float32{1}, 1)), `initializer "c" is there twice`)
	m = single("Relu", "x")
	m.graph.inputs[0] = input("x", 1<<40, 1<<40)
	model("huge input", m, "more than 2147483647 elements")

	// Nodes that are not what their operator wants.
	for i, c := range []struct {
		op, in, want string
		attributes   []*attributeProto
		constants    []*tensorProto
	}{
		{"Transpose", "x", "axis 7 is not one of 2", []*attributeProto{numbers("perm", 0, 7)}, nil},
		{"Transpose", "x", "name one twice", []*attributeProto{numbers("perm", 1, 1)}, nil},
		{"Softmax", "x", "axis 9 is not one of 2", []*attributeProto{number("axis", 9)}, nil},
		{"Concat", "x", "is of kind 7, must be 2", []*attributeProto{numbers("axis", 1)}, nil},
		{"Reshape", "x s", "has not as many elements", nil, []*tensorProto{ints("s", 5, 7)}},
		{"Reshape", "x s", "more than one dimension below 0", nil, []*tensorProto{ints("s", -1, -1)}},
		{"Reshape", "x s", "more than 2147483647", nil, []*tensorProto{ints("s", 1<<40, -1)}},
		{"Reshape", "x x", "must be a constant", nil, nil},
		{"Gemm", "x w", "must have 2 axes", nil, []*tensorProto{floats("w", make([]float32, 2), 2)}},
		{"MatMul", "x w", "do not fit together", nil, []*tensorProto{floats("w", make([]float32, 3), 3, 1)}},
		{"Conv", "x w", "must have batch, channels", nil, []*tensorProto{floats("w", make([]float32, 3), 3, 1)}},
		{"MaxPool", "x", "must have batch, channels", nil, nil},
		{"Gather", "x i", "index 5 is not one of 2", []*attributeProto{number("axis", 1)}, []*tensorProto{ints("i", 5)}},
		{"Split", "x", "splits 2 elements", []*attributeProto{number("axis", 1)}, []*tensorProto{ints("s", 1, 5)}},
		{"BatchNormalization", "x s s s s", "must have 2 elements", nil, []*tensorProto{floats("s", make([]float32, 3), 3)}},
		{"LSTM", "x w w", "must have 3 axes", nil, []*tensorProto{floats("w", make([]float32, 3), 3)}},
		{"TopK", "x k", "wants the first 100", nil, []*tensorProto{ints("k", 100)}},
		{"Slice", "x s s s s", "has a step of 0", nil, []*tensorProto{ints("s", 0)}},
		{"Unsqueeze", "x a", "is not one of", nil, []*tensorProto{ints("a", 1<<60)}},
		{"Clip", "x c", "must have 1", nil, []*tensorProto{floats("c", make([]float32, 3), 3)}},
	} {
		n := node(c.op, c.in, "y", c.attributes...)
		if c.op == "Split" {
			n.inputs = append(n.inputs, "s")
		}
		model(fmt.Sprintf("%s %d", c.op, i), newModel([]*nodeProto{n}, c.constants...), c.want)
	}
	model("mixes rows", newModel([]*nodeProto{node("Softmax", "x", "y", number("axis", 0))}), `node "the Softmax" (Softmax) mixes the samples of a batch`)
	model("mean of the batch", newModel([]*nodeProto{node("ReduceMean", "x", "m", numbers("axes", 0)), node("Sub", "x m", "y")}), "mixes the samples of a batch")
	model("counts the batch", newModel([]*nodeProto{node("Shape", "x", "s"), node("Cast", "s", "f", number("to", typeFloat)), node("Mul", "x f", "y")}), "mixes the samples of a batch")
	return all
}

// Each is an error, found with little memory.
func TestHostile(t *testing.T) {
	for name, test := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Read(bytes.NewReader(test.file))
			runtime.ReadMemStats(&after)
			require.Error(t, err)
			require.ErrorContains(t, err, test.want)
			require.LessOrEqual(t, int(after.TotalAlloc-before.TotalAlloc), 4*len(test.file)+16<<20)
			require.Less(t, len(err.Error()), 4096)
		})
	}
}

// A file that is cut off anywhere, or has any byte wrong, is a model or an error.
func TestDamaged(t *testing.T) {
	file := newModel([]*nodeProto{node("Gemm", "x w b", "h", number("transB", 1)), node("Softmax", "h", "y")}, floats("w", make([]float32, 4), 2, 2), floats("b", make([]float32, 2), 2)).encode()
	_, err := Read(bytes.NewReader(file))
	require.NoError(t, err)
	for i := range file {
		_, err := Read(bytes.NewReader(file[:i]))
		require.Error(t, err)
		for _, x := range []byte{1, 0x80, 0xff} {
			damaged := slices.Clone(file)
			damaged[i] ^= x
			_, _ = Read(bytes.NewReader(damaged))
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, test := range hostile() {
		if len(test.file) < 1<<12 {
			f.Add(test.file)
		}
	}
	files, _ := filepath.Glob("testdata/*/*/model.onnx")
	for _, path := range files {
		if file, err := os.ReadFile(path); err == nil && len(file) < 1<<14 {
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := Read(bytes.NewReader(file))
		if err == nil {
			require.NotEmpty(t, m.OutputNames())
		}
	})
}
