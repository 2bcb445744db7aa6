package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/newfile"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/ops"
	"github.com/espalier-ml/espalier/plan"
)

// What is written: operator set 20 has all functions of package kernels that ONNX has at all, and came with IR version 9.
const (
	writtenOpset = 20
	writtenIR    = 9
)

// Save writes a model to a file as ONNX, see [Write]. The file is complete or not there at all, as that of [nn.Model.Save].
func Save(path string, m *nn.Model) error {
	b, err := export(m)
	if err == nil {
		err = newfile.Write(path, func(w io.Writer) (int64, error) { return bytes.NewReader(b).WriteTo(w) })
	}
	if err != nil {
		return brief.Error(fmt.Errorf("onnx: Save %q: %w", path, err))
	}
	return nil
}

// Write writes what a model computes in serving, as ONNX with operator set 20. Inputs and outputs have their names, their order and
// their shapes, with a batch of any size before them; all of them are float32, as are the weights, which are initializers under
// their names, such as "dense/kernel". What depends on weights alone, such as the scale of a BatchNormalization, is computed
// here. It is an error, with the name, if a layer computes a function of its own, see [nn.Call], or if a weight is not finite; so are
// weights of 2 GiB, which the format cannot hold. A model that was read from ONNX can be written again, unless it has nodes that do
// not take a batch as operator set 20 has them.
//
// Other programs do not compute the bits of [nn.Model.Predict]: they sum in another order.
func Write(w io.Writer, m *nn.Model) error {
	b, err := export(m)
	if err == nil {
		_, err = w.Write(b)
	}
	if err != nil {
		return brief.Error(fmt.Errorf("onnx: Write: %w", err))
	}
	return nil
}

// export returns the file of a model.
func export(m *nn.Model) ([]byte, error) {
	e := &exporter{model: m, shapes: plan.NewRecorder(), tape: autograd.NewTape(nil), values: map[*ops.Tensor]*exportValue{}, names: map[string]int{}, shared: map[string]string{}, domains: map[string]int64{}}
	if m != nil {
		for _, name := range slices.Concat(m.InputNames(), m.OutputNames()) {
			e.names[name] = 1
		}
	}
	if err := m.Record(e); err != nil {
		return nil, err
	}
	e.connectOutputs()
	e.dropUnused()
	size := 0
	for _, t := range e.graph.initializers {
		size += len(t.raw)
	}
	if size > math.MaxInt32-1<<20 {
		return nil, fmt.Errorf("the weights take %d bytes, a file can have 2 GiB", size)
	}
	e.graph.name = m.Name()
	file := &modelProto{irVersion: writtenIR, producerName: "espalier", graph: &e.graph, opsets: []opsetProto{{version: writtenOpset}}}
	for _, domain := range slices.Sorted(maps.Keys(e.domains)) {
		file.opsets = append(file.opsets, opsetProto{domain, e.domains[domain]})
	}
	return file.encode(), nil
}

// An exporter writes down the operations of [ops.Ops] as nodes of a graph.
//
// All tensors are those of the recorder of a plan, which checks the operands. What depends on constants alone is computed on a
// tape, as it is in training.
type exporter struct {
	model   *nn.Model
	shapes  *plan.Recorder
	tape    *autograd.Tape
	values  map[*ops.Tensor]*exportValue
	graph   graphProto
	outs    []string          // the values that are the outputs
	names   map[string]int    // of values and nodes, with how many begin so
	shared  map[string]string // initializers by what they hold
	domains map[string]int64  // versions of operators that are not ONNX' own
	label   string
	err     error
}

var _ nn.Recorder = (*exporter)(nil)

// An exportValue is what the exporter knows of a tensor, or of several that have the same elements.
type exportValue struct {
	constant kernels.Matrix // has data if the value is a constant
	name     string         // of a constant
	forms    []form         // in which the graph has the value; none for a constant
	product  *dense         // that the value is; nil: it is none
}

// A dense is x·w + b, b may be nil.
type dense struct{ x, w, b *ops.Tensor }

// Param implements [nn.Recorder].
func (e *exporter) Param(name string, m kernels.Matrix) *ops.Tensor {
	for i := range m.Rows {
		if j := slices.IndexFunc(m.Row(i), func(v float32) bool { return v-v != 0 }); j >= 0 {
			e.fail(fmt.Errorf("weight %s: value %d is %v: %w", brief.Quote(name), i*m.Cols+j, m.Row(i)[j], nn.ErrNonFinite))
		}
	}
	return e.named(name, m)
}

// Const implements [ops.Ops].
func (e *exporter) Const(m kernels.Matrix) *ops.Tensor { return e.named(e.label+"/constant", m) }

// Full implements [ops.Ops].
func (e *exporter) Full(rows, cols int, v float32) *ops.Tensor {
	return e.record(func(o ops.Ops, _ []*ops.Tensor) *ops.Tensor { return o.Full(rows, cols, v) }, nil, nil)
}

func (e *exporter) named(name string, m kernels.Matrix) *ops.Tensor {
	y := e.shapes.Const(m)
	e.values[y] = &exportValue{constant: m, name: name}
	return y
}

// Input implements [nn.Recorder].
func (e *exporter) Input(name string, features int) *ops.Tensor {
	y := e.shapes.Input(name, features)
	shape := e.model.Inputs()[len(e.graph.inputs)].Shape()
	e.graph.inputs = append(e.graph.inputs, declare(name, shape))
	e.values[y] = &exportValue{forms: []form{newForm(name, nil, shape...)}}
	return y
}

// Output implements [nn.Recorder].
func (e *exporter) Output(name string, x *ops.Tensor) {
	e.label = name
	if e.shapes.Output(name, x); e.Err() != nil {
		return
	}
	shape := e.model.Outputs()[len(e.graph.outputs)].Shape()
	e.graph.outputs = append(e.graph.outputs, declare(name, shape))
	e.outs = append(e.outs, e.as(x, nil, shape...))
}

// declare returns an input or an output of the graph.
func declare(name string, shape []int) *valueProto {
	dims := []dimProto{{name: "batch"}}
	for _, d := range shape {
		dims = append(dims, dimProto{size: int64(d), fixed: true})
	}
	return &valueProto{name: name, kind: typeProto{elem: typeFloat, hasShape: true, dims: dims}}
}

// Label implements [nn.Recorder].
func (e *exporter) Label(layer string) { e.label = layer }

// Err implements [nn.Recorder].
func (e *exporter) Err() error {
	if e.err == nil {
		e.err = e.shapes.Err()
	}
	if e.err == nil {
		e.err = e.tape.Err()
	}
	return e.err
}

func (e *exporter) fail(err error) {
	if e.Err() == nil {
		e.err = err
	}
}

// record returns the tensor of an operation on operands x, of which some may be nil: run asks a recorder for it. If all operands are
// constants the tensor is one, or else emit adds the nodes and returns the form of their result.
func (e *exporter) record(run func(o ops.Ops, x []*ops.Tensor) *ops.Tensor, x []*ops.Tensor, emit func() form) *ops.Tensor {
	y := run(e.shapes, x)
	if e.Err() != nil {
		return y
	}
	constants := make([]*ops.Tensor, len(x))
	fixed := true
	for i, x := range x {
		if x == nil {
			continue
		}
		if v := e.values[x]; v.constant.Data == nil {
			fixed = false
		} else if fixed {
			constants[i] = e.tape.Const(v.constant)
		}
	}
	if fixed {
		e.values[y] = &exportValue{constant: run(e.tape, constants).Matrix, name: e.label + "/constant"}
	} else {
		e.values[y] = &exportValue{forms: []form{emit()}}
	}
	return y
}

// node adds a node and returns the name of its result. A result that another node does not use vanishes in the end.
func (e *exporter) node(op string, inputs []string, attributes ...*attributeProto) string {
	name := e.unique(e.label + "/" + op)
	e.graph.nodes = append(e.graph.nodes, &nodeProto{name: name, op: op, inputs: inputs, outputs: []string{name}, attributes: attributes})
	return name
}

// unique returns a name that begins so and that nothing else has.
func (e *exporter) unique(name string) string {
	for {
		n := e.names[name]
		e.names[name]++
		if n == 0 {
			return name
		}
		if numbered := fmt.Sprintf("%s_%d", name, n); e.names[numbered] == 0 {
			e.names[numbered] = 1
			return numbered
		}
	}
}

// attr returns an attribute with a number, a text, or a list of whole numbers or texts.
func attr(name string, value any) *attributeProto {
	a := &attributeProto{name: name}
	switch v := value.(type) {
	case int:
		a.kind, a.i = kindInt, int64(v)
	case float32:
		a.kind, a.f = kindFloat, v
	case string:
		a.kind, a.s = kindString, []byte(v)
	case []int:
		a.kind, a.ints = kindInts, int64s(v)
	case []string:
		a.kind = kindStrings
		for _, s := range v {
			a.strings = append(a.strings, []byte(s))
		}
	}
	return a
}

func int64s(all []int) (out []int64) {
	for _, v := range all {
		out = append(out, int64(v))
	}
	return out
}

// constant returns the name of an initializer with the elements of x, which is a constant, in a shape whose axes are then given
// the order perm, nil for theirs.
func (e *exporter) constant(x *ops.Tensor, perm []int, shape ...int) string {
	v := e.values[x]
	if v == nil || v.constant.Data == nil {
		e.fail(errors.New("computes its weights from inputs, which no ONNX operator that is written here can take"))
		return ""
	}
	return e.once(fmt.Sprintf("%p %v %v", v, perm, shape), func() string {
		values := make([]float32, 0, v.constant.Rows*v.constant.Cols)
		for i := range v.constant.Rows {
			values = append(values, v.constant.Row(i)...)
		}
		dims := shape
		if perm != nil {
			p, err := ops.NewPermutation(shape, perm)
			if err != nil {
				e.fail(err)
				return ""
			}
			moved := make([]float32, len(values))
			p.Apply(moved, values)
			values, dims = moved, nil
			for _, axis := range perm {
				dims = append(dims, shape[axis])
			}
		}
		return e.floats(v.name, dims, values)
	})
}

// once returns what make has returned for the key, which it calls the first time.
func (e *exporter) once(key string, make func() string) string {
	if _, ok := e.shared[key]; !ok {
		e.shared[key] = make()
	}
	return e.shared[key]
}

// floats returns the name of a new initializer.
func (e *exporter) floats(name string, dims []int, values []float32) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return e.initializer(&tensorProto{name: e.unique(name), dims: int64s(dims), dataType: typeFloat, raw: raw, hasRaw: true})
}

// number returns the name of an initializer without axes.
func (e *exporter) number(v float32) string {
	return e.once(fmt.Sprintf("number %08x", math.Float32bits(v)), func() string {
		return e.floats(fmt.Sprintf("number/%v", v), nil, []float32{v})
	})
}

// integers returns the name of an initializer, such as a shape or a list of axes.
func (e *exporter) integers(values ...int) string { return e.integer([]int{len(values)}, values) }

// integer returns the name of an initializer with these axes.
func (e *exporter) integer(dims, values []int) string {
	return e.once(fmt.Sprintf("integers %v %v", dims, values), func() string {
		var raw []byte
		for _, v := range values {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
		return e.initializer(&tensorProto{name: e.unique("integers"), dims: int64s(dims), dataType: typeInt64, raw: raw, hasRaw: true})
	})
}

func (e *exporter) initializer(t *tensorProto) string {
	e.graph.initializers = append(e.graph.initializers, t)
	return t.name
}

// connectOutputs gives the values that are outputs the outputs' names. What is an input, or an output already, is passed on by a
// node.
func (e *exporter) connectOutputs() {
	taken := map[string]bool{}
	for _, v := range e.graph.inputs {
		taken[v.name] = true
	}
	rename := map[string]string{}
	for i, from := range e.outs {
		to := e.graph.outputs[i].name
		switch {
		case from == to: // an input that is an output
		case taken[from]:
			e.graph.nodes = append(e.graph.nodes, &nodeProto{name: to, op: "Identity", inputs: []string{from}, outputs: []string{to}})
		default:
			rename[from], taken[from] = to, true
		}
	}
	for _, n := range e.graph.nodes {
		for _, names := range [][]string{n.inputs, n.outputs} {
			for i, name := range names {
				if to, ok := rename[name]; ok {
					names[i] = to
				}
			}
		}
	}
}

// dropUnused drops nodes and initializers on which no output depends.
func (e *exporter) dropUnused() {
	used := map[string]bool{}
	for _, v := range e.graph.outputs {
		used[v.name] = true
	}
	var nodes []*nodeProto
	for _, n := range slices.Backward(e.graph.nodes) {
		if !slices.ContainsFunc(n.outputs, func(name string) bool { return used[name] }) {
			continue
		}
		nodes = append(nodes, n)
		for _, name := range n.inputs {
			used[name] = true
		}
	}
	slices.Reverse(nodes)
	e.graph.nodes = nodes
	e.graph.initializers = slices.DeleteFunc(e.graph.initializers, func(t *tensorProto) bool { return !used[t.name] })
}
