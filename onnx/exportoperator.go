package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Custom implements [ops.Ops]. A node of a model that was read is written as it is where [function.batches] says so. Any other
// function is an error: nobody knows its formula.
func (e *exporter) Custom(f ops.Function, rows, cols int, x ...*ops.Tensor) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Custom(f, rows, cols, x...) }
	return e.record(run, slices.Clone(x), func() form {
		node, ok := f.(*function)
		if !ok {
			e.fail(fmt.Errorf("computes the function %s, which is not an ONNX operator", brief.Quote(f.Name())))
			return form{}
		}
		if len(node.dynamic) == 0 {
			return e.constantRow(node, x[0], cols)
		}
		read := node
		node = read.upgraded(e.version(node.call.domain, node.call.version))
		y, err := node.batches(read)
		if err != nil {
			e.fail(err)
			return form{}
		}
		return e.operator(node, y, x)
	})
}

// version returns that of the operators of a domain in the file, for one of another domain than ONNX' own the first that is asked
// for.
func (e *exporter) version(domain string, first int64) int64 {
	if domain == "" || domain == "ai.onnx" {
		return writtenOpset
	}
	if e.domains[domain] == 0 {
		e.domains[domain] = first
	}
	return e.domains[domain]
}

// constantRow writes a node that has no input, so that its result is the same for each row of x.
func (e *exporter) constantRow(f *function, x *ops.Tensor, cols int) form {
	c := f.call
	if err := c.evaluate(); err != nil {
		e.fail(err)
		return form{}
	}
	row := e.floats(e.label+"/constant", []int{1, cols}, c.out[f.output].floats())
	rows := e.node("Shape", []string{e.as(x, nil, x.Cols)}, attr("start", 0), attr("end", 1))
	return newForm(e.node("Expand", []string{row, e.node("Concat", []string{rows, e.integers(cols)}, attr("axis", 0))}), nil, cols)
}

// becameInputs are the attributes of older versions of operators that are inputs now, in their order behind the first one.
var becameInputs = map[string][]string{
	"Squeeze": {"axes"}, "Unsqueeze": {"axes"}, "Split": {"split"}, "Clip": {"min", "max"}, "Slice": {"starts", "ends", "axes"}, "Pad": {"pads", "value"}, "TopK": {"k"},
}

// upgraded returns the function as another version of its operator has it, as far as attributes have become inputs.
func (f *function) upgraded(version int64) *function {
	c := f.call
	n := *c.nodeProto
	c.nodeProto, c.version = &n, version
	if n.domain == "ai.onnx" { // another name for the same
		n.domain = ""
	}
	moved := becameInputs[n.op]
	if strings.HasPrefix(n.op, "Reduce") {
		moved = []string{"axes"}
	}
	if n.domain != "" || len(c.in) > 1 {
		moved = nil
	}
	n.attributes, n.inputs, c.in = nil, slices.Clone(n.inputs), slices.Clone(c.in)
	for _, a := range f.call.attributes {
		i := slices.Index(moved, a.name) + 1
		if i == 0 {
			n.attributes = append(n.attributes, a)
			continue
		}
		for len(c.in) <= i {
			n.inputs, c.in = append(n.inputs, ""), append(c.in, nil)
		}
		t := &tensor{elem: typeInt64, known: true}
		switch a.kind {
		case kindFloat:
			t.elem, t.values = c.in[0].elem, []float64{float64(a.f)}
		case kindInt:
			t.shape, t.values = []int{1}, []float64{float64(a.i)}
		default:
			t.shape = []int{len(a.ints)}
			for _, v := range a.ints {
				t.values = append(t.values, float64(v))
			}
		}
		n.inputs[i], c.in[i] = a.name, t
	}
	if n.op == "Split" && len(c.in) == 1 {
		n.attributes = append(n.attributes, attr("num_outputs", len(n.outputs)))
	}
	return &function{call: c, dynamic: f.dynamic, output: f.output}
}

// operator adds a node that was read. Its values have types of their own between casts. y is the result for one row.
func (e *exporter) operator(f *function, y *tensor, x []*ops.Tensor) form {
	var in []string
	for i, t := range f.call.in {
		switch k := slices.Index(f.dynamic, t); {
		case t == nil:
			in = append(in, "")
		case k < 0:
			in = append(in, e.initializer(t.encode(e.unique(e.label+"/"+f.call.inputs[i]))))
		default:
			dims := t.shape[1:]
			if len(dims) == 0 {
				dims = []int{1}
			}
			name := e.as(x[k], nil, dims...)
			if len(t.shape) == 1 {
				name = e.node("Reshape", []string{name, e.integers(-1)})
			}
			if t.elem != typeFloat {
				name = e.cast(name, int(t.elem))
			}
			in = append(in, name)
		}
	}
	name := e.node(f.call.op, in, f.call.attributes...)
	n := e.graph.nodes[len(e.graph.nodes)-1]
	n.domain, n.outputs = f.call.domain, make([]string, len(f.call.outputs))
	for i, of := range f.call.outputs {
		if n.outputs[i] = name; i != f.output && of != "" {
			n.outputs[i] = e.unique(name + "_" + of)
		} else if i != f.output {
			n.outputs[i] = ""
		}
	}
	if y.elem != typeFloat {
		name = e.cast(name, typeFloat)
	}
	if len(y.shape) == 1 {
		return newForm(e.node("Reshape", []string{name, e.integers(-1, 1)}), nil, 1)
	}
	return newForm(name, nil, y.shape[1:]...)
}

// batches returns the result for one row, or an error unless the node gives for several rows, one behind the other along the first
// axis, what f, which is the node as it was read, gives for each: others move the batch, or say how large it is.
func (node *function) batches(f *function) (*tensor, error) {
	const rows = 3
	wrong := func(why string) error {
		return fmt.Errorf("computes %s of operator set %d row by row, and operator set %d cannot do it for a batch: %s", f.call.describe(), f.call.version, node.call.version, why)
	}
	var x []kernels.Matrix
	together := node.call
	together.in = slices.Clone(node.call.in)
	for k, t := range f.dynamic {
		if len(t.shape) == 0 || t.shape[0] != 1 {
			return nil, wrong("an input does not have the batch as its first axis")
		}
		m := kernels.NewMatrix(rows, t.len())
		for i := range m.Data {
			if m.Data[i] = float32((i*7 + k*5) % 11 % 2); isFloat(t.elem) { // others may be truth values
				m.Data[i] += float32(i*13%17) / 32
			}
		}
		x = append(x, m)
		all := &tensor{elem: t.elem, shape: append([]int{rows}, t.shape[1:]...), known: true}
		for _, v := range m.Data {
			all.values = append(all.values, round(t.elem, float64(v)))
		}
		for j, in := range node.call.in {
			if in == t {
				together.in[j] = all
			}
		}
	}
	if err := together.evaluate(); err != nil {
		return nil, wrong(err.Error())
	}
	result := together.out[f.output]
	all := result.data()
	var y *tensor
	for i := range rows {
		one, err := f.row(x, i)
		if err != nil {
			return nil, wrong(err.Error())
		}
		y = one.out[f.output]
		n := y.len()
		if len(y.shape) == 0 || y.shape[0] != 1 || !slices.Equal(result.shape, append([]int{rows}, y.shape[1:]...)) {
			return nil, wrong("its result does not have the batch as its first axis")
		}
		for j, v := range y.data() {
			if w := all[i*n+j]; !(math.Abs(v-w) <= 1e-6*math.Abs(v)) && !(v != v && w != w) {
				return nil, wrong("the values are others")
			}
		}
	}
	return y, nil
}
