package infer

import (
	"encoding/binary"
	"fmt"
	"math"
)

// ONNX returns the problem's network as an ONNX model, whose inputs x0, x1, ... and outputs y0, y1, ... have any number of
// rows. The numbers of fields are those of onnx.proto.
func (p *Problem) ONNX() []byte {
	const opset = 13 // the only one that gonnx reads; these operators compute the same in later ones
	var model, set protobuf
	model.int(1, 8) // ir_version
	model.message(7, p.onnxGraph())
	set.int(2, opset)
	model.message(8, set)
	return model
}

func (p *Problem) onnxGraph() (graph protobuf) {
	names := make([]string, len(p.Inputs)+len(p.Steps))
	for v := range names {
		names[v] = fmt.Sprintf("v%d", v)
		if v < len(p.Inputs) {
			names[v] = fmt.Sprintf("x%d", v)
		}
	}
	for o, v := range p.Outputs {
		names[v] = fmt.Sprintf("y%d", o)
	}
	node := func(op, to string, attribute protobuf, from ...string) {
		var n protobuf
		for _, f := range from {
			n.string(1, f)
		}
		n.string(2, to)
		n.string(4, op)
		if attribute != nil {
			n.message(5, attribute)
		}
		graph.message(1, n)
	}
	operators := map[Activation]string{ReLU: "Relu", Sigmoid: "Sigmoid", Softmax: "Softmax"}
	for i, s := range p.Steps {
		to := names[len(p.Inputs)+i]
		var from []string
		for _, v := range s.On {
			from = append(from, names[v])
		}
		if s.Layer == Concat {
			node("Concat", to, onnxInt("axis", 1), from...)
			continue
		}
		w, b := fmt.Sprintf("w%d", s.Layer), fmt.Sprintf("b%d", s.Layer)
		operator, activated := operators[p.Layers[s.Layer].Act]
		if !activated {
			node("Gemm", to, nil, from[0], w, b)
			continue
		}
		node("Gemm", to+"_sums", nil, from[0], w, b)
		node(operator, to, nil, to+"_sums") // Softmax has the last axis unless told otherwise
	}
	graph.string(2, p.Name)
	for i, l := range p.Layers {
		graph.message(5, onnxTensor(fmt.Sprintf("w%d", i), p.Weights[i], l.In, l.Out))
		graph.message(5, onnxTensor(fmt.Sprintf("b%d", i), p.Biases[i], l.Out))
	}
	widths := p.Widths()
	for v := range p.Inputs {
		graph.message(11, onnxValue(names[v], widths[v]))
	}
	for _, v := range p.Outputs {
		graph.message(12, onnxValue(names[v], widths[v]))
	}
	return graph
}

func onnxInt(name string, value int) (attribute protobuf) {
	attribute.string(1, name)
	attribute.int(3, value)
	attribute.int(20, 2) // INT
	return attribute
}

func onnxTensor(name string, values []float32, shape ...int) (tensor protobuf) {
	for _, n := range shape {
		tensor.int(1, n)
	}
	tensor.int(2, 1) // FLOAT
	tensor.string(8, name)
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	tensor.message(9, raw)
	return tensor
}

// onnxValue is a matrix of floats with any number of rows.
func onnxValue(name string, columns int) (value protobuf) {
	var shape, rows, cols, tensor, kind protobuf
	rows.string(2, "batch")
	cols.int(1, columns)
	shape.message(1, rows)
	shape.message(1, cols)
	tensor.int(1, 1) // FLOAT
	tensor.message(2, shape)
	kind.message(1, tensor)
	value.string(1, name)
	value.message(2, kind)
	return value
}

// protobuf is a message in protocol buffers' encoding: fields of a number and a value.
type protobuf []byte

func (p *protobuf) int(field, value int) {
	*p = binary.AppendUvarint(*p, uint64(field)<<3)
	*p = binary.AppendUvarint(*p, uint64(value))
}

func (p *protobuf) message(field int, value []byte) {
	*p = binary.AppendUvarint(*p, uint64(field)<<3|2)
	*p = binary.AppendUvarint(*p, uint64(len(value)))
	*p = append(*p, value...)
}

func (p *protobuf) string(field int, value string) { p.message(field, []byte(value)) }
