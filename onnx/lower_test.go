package onnx

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nodes that become layers of package nn predict what the nodes evaluate to.
func TestLowered(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	of := func(name string, dims ...int64) *tensorProto {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		x := draws(r, int(n))
		if name == "variance" {
			for i := range x {
				x[i] = x[i]*x[i] + 0.1
			}
		}
		return floats(name, x, dims...)
	}
	text := func(name, s string) *attributeProto {
		return &attributeProto{name: name, kind: kindString, s: []byte(s)}
	}
	real := func(name string, v float32) *attributeProto {
		return &attributeProto{name: name, kind: kindFloat, f: v}
	}
	type test struct {
		nodes     []*nodeProto
		x         []int64 // -1 is the batch
		constants []*tensorProto
		outputs   string
	}
	of3 := []int64{-1, 3, 7}
	image := []int64{-1, 2, 6, 5}
	tests := []test{
		{[]*nodeProto{node("Conv", "x w b", "y", numbers("pads", 1, 0), numbers("strides", 2))}, of3, []*tensorProto{of("w", 4, 3, 3), of("b", 4)}, "y"},
		{[]*nodeProto{node("Conv", "x w", "y", numbers("pads", 0, 2), numbers("dilations", 2))}, of3, []*tensorProto{of("w", 4, 3, 3)}, "y"},
		{[]*nodeProto{node("Conv", "x w b", "y", numbers("pads", 2, 1, 0, 1), numbers("strides", 2, 1))}, image, []*tensorProto{of("w", 4, 2, 3, 2), of("b", 4)}, "y"},
		{[]*nodeProto{node("Conv", "x w", "y", number("group", 2), text("auto_pad", "SAME_UPPER"))}, image, []*tensorProto{of("w", 4, 1, 3, 2)}, "y"},
		{[]*nodeProto{node("Conv", "x w", "a"), node("BatchNormalization", "a s s m variance", "b"), node("Relu", "b", "c"), node("Add", "c c", "d"), node("Flatten", "d", "y")}, image,
			[]*tensorProto{of("w", 4, 2, 3, 2), of("s", 4), of("m", 4), of("variance", 4)}, "y"},
		{[]*nodeProto{node("BatchNormalization", "x s s m variance", "y", real("epsilon", 0.01))}, image, []*tensorProto{of("s", 2), of("m", 2), of("variance", 2)}, "y"},
		{[]*nodeProto{node("BatchNormalization", "x s s m variance", "y")}, []int64{-1, 3}, []*tensorProto{of("s", 3), of("m", 3), of("variance", 3)}, "y"},
		{[]*nodeProto{node("MaxPool", "x", "y", numbers("kernel_shape", 3, 2), numbers("pads", 1, 0, 1, 1), numbers("strides", 2, 2), number("ceil_mode", 1))}, image, nil, "y"},
		{[]*nodeProto{node("AveragePool", "x", "y", numbers("kernel_shape", 3, 2), numbers("pads", 1, 0, 0, 1), numbers("strides", 2, 2))}, image, nil, "y"},
		{[]*nodeProto{node("AveragePool", "x", "y", numbers("kernel_shape", 3), numbers("strides", 2))}, of3, nil, "y"},
		{[]*nodeProto{node("MaxPool", "x", "y", numbers("kernel_shape", 2), numbers("dilations", 3))}, of3, nil, "y"},
		{[]*nodeProto{node("GlobalAveragePool", "x", "y")}, image, nil, "y"},
		{[]*nodeProto{node("GlobalMaxPool", "x", "y")}, image, nil, "y"},
		{[]*nodeProto{node("LayerNormalization", "x s b", "y", real("epsilon", 0.1))}, of3, []*tensorProto{of("s", 7), of("b", 7)}, "y"},
		{[]*nodeProto{node("Gemm", "x w b", "y", real("alpha", 0.5), real("beta", 2))}, []int64{-1, 3}, []*tensorProto{of("w", 3, 2), of("b", 1)}, "y"},
		{[]*nodeProto{node("MatMul", "x w", "a"), node("Add", "b a", "y")}, of3, []*tensorProto{of("w", 7, 2), of("b", 2)}, "y"},
		{[]*nodeProto{node("MatMul", "x w", "y")}, of3, []*tensorProto{of("w", 7)}, "y"},
		{[]*nodeProto{node("Div", "x w", "y")}, of3, []*tensorProto{of("w", 3, 1)}, "y"},
		{[]*nodeProto{node("Sub", "w x", "y")}, of3, []*tensorProto{of("w", 3, 7)}, "y"},
		{[]*nodeProto{node("Transpose", "x", "y", numbers("perm", 0, 3, 1, 2))}, image, nil, "y"},
		{[]*nodeProto{node("Softmax", "x", "y", number("axis", -1))}, of3, nil, "y"},
		{[]*nodeProto{node("LogSoftmax", "x", "y", number("axis", -1))}, of3, nil, "y"},
		{[]*nodeProto{node("Concat", "x x", "y", number("axis", 1))}, of3, nil, "y"},
	}
	for op, gates := range map[string]int64{"RNN": 1, "GRU": 3, "LSTM": 4} {
		for direction, n := range map[string]int64{"forward": 1, "reverse": 1, "bidirectional": 2} {
			for _, outputs := range []string{"y", " h", "y h"} {
				if outputs[0] == 'y' && direction == "reverse" || outputs == "y h" && n == 2 {
					continue
				}
				for _, after := range []int64{0, 1} {
					if after == 1 && op != "GRU" {
						continue
					}
					attributes := []*attributeProto{text("direction", direction), number("hidden_size", 4)}
					if op == "GRU" {
						attributes = append(attributes, number("linear_before_reset", after))
					}
					tests = append(tests, test{[]*nodeProto{node(op, "x w r b", outputs, attributes...)}, []int64{5, -1, 3},
						[]*tensorProto{of("w", n, gates*4, 3), of("r", n, gates*4, 4), of("b", n, 2*gates*4)}, strings.TrimSpace(outputs)})
				}
			}
		}
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %v %q", test.nodes[0].op, test.x, test.nodes[0].outputs), func(t *testing.T) {
			const rows = 2
			m := newModel(test.nodes, test.constants...)
			m.graph.outputs = nil
			for _, y := range strings.Fields(test.outputs) {
				m.graph.outputs = append(m.graph.outputs, input(y))
			}
			m.graph.inputs[0] = input("x", test.x...)
			at := slices.Index(test.x, -1)
			m.graph.inputs[0].kind.dims[at].name = "batch"
			m.graph.inputs = append(m.graph.inputs, input("other", -1)) // whose axis 0 is the batch
			m.graph.inputs[1].kind.dims[0].name = "batch"
			slices.Reverse(m.graph.inputs)
			loaded, err := Read(bytes.NewReader(m.encode()))
			require.NoError(t, err)
			for _, l := range loaded.Layers() {
				require.NotEqual(t, "ONNXOperator", l.Class(), "%s", l.Name())
			}
			shape := slices.Clone(test.x)
			shape[at] = rows
			x := of("x", shape...)
			c := config{shapes: map[string][]int{}, values: map[string][]float64{"other": make([]float64, rows)}}
			for _, v := range x.floats {
				c.values["x"] = append(c.values["x"], float64(v))
			}
			m.graph.inputs[1] = input("x", shape...)
			m.graph.inputs[0] = input("other", rows)
			g, err := newGraph(m, 1<<24, c)
			require.NoError(t, err)
			require.NoError(t, g.shapes())
			given, err := newConstant(x)
			require.NoError(t, err)
			b := batch{map[string]*tensor{"x": given, "other": {elem: typeFloat, shape: []int{rows}, known: true, values: make([]float64, rows)}}, map[string]*tensor{}}
			axes := map[string]int{"x": at}
			for _, o := range m.graph.outputs {
				y := g.values[o.name].one
				b.outputs[o.name] = y
				axes[o.name] = slices.Index(y.shape, rows)
				if len(test.x) == 3 && test.x[0] == 5 { // of a recurrence
					axes[o.name] = len(y.shape) - 2
				}
			}
			require.NoError(t, b.check(loaded, axes, func(_ string, _ bool, largest, _ float64) float64 { return 2e-6 + 2e-6*largest }))
		})
	}
}
