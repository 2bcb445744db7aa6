// Command gonnx is the process of gonnx that ../../infer/peers/child.go asks: Run of the model, with input tensors that
// exist before the call.
package main

import (
	"fmt"
	"os"

	"github.com/advancedclimatesystems/gonnx"
	"github.com/advancedclimatesystems/gonnx/onnx"
	"gorgonia.org/tensor"

	"github.com/espalier-ml/espalier/bench/gorgonia/ask"
	"github.com/espalier-ml/espalier/bench/gorgonia/blas"
)

func main() { ask.Serve("github.com/advancedclimatesystems/gonnx", prepare) }

func prepare(p *ask.Problem) ([]ask.Call, error) {
	file, err := os.ReadFile(p.ONNX)
	if err != nil {
		return nil, err
	}
	proto, err := gonnx.ModelProtoFromBytes(file)
	if err != nil {
		return nil, err
	}
	proto.Graph.Node = withoutGemm(proto.Graph.Node)
	model, err := gonnx.NewModel(proto)
	if err != nil {
		return nil, err
	}
	for _, l := range p.Layers { // the model has them
		p.Next(l.In*l.Out + l.Out)
	}
	inputs := gonnx.Tensors{}
	for i, features := range p.Inputs {
		inputs[fmt.Sprint("x", i)] = tensor.New(tensor.WithShape(p.Batch, features), tensor.WithBacking(p.Next(p.Batch*features)))
	}
	var outputs gonnx.Tensors
	var calls []ask.Call
	for _, b := range blas.Libraries {
		calls = append(calls, ask.Call{
			Way: "Run " + b.Name,
			Run: func() (err error) {
				b.Use()
				outputs, err = model.Run(inputs)
				return err
			},
			Fetch: func(to *ask.Answer) error {
				for o := range p.Outputs {
					to.Outputs = append(to.Outputs, outputs[fmt.Sprint("y", o)].Data().([]float32))
				}
				return nil
			},
		})
	}
	return calls, nil
}

// withoutGemm has MatMul and Add for each Gemm, which gonnx computes by the same two, with two multiplications by 1 between.
func withoutGemm(nodes []*onnx.NodeProto) []*onnx.NodeProto {
	var list []*onnx.NodeProto
	for _, n := range nodes {
		if n.OpType != "Gemm" {
			list = append(list, n)
			continue
		}
		product := n.Output[0] + "_product"
		list = append(list,
			&onnx.NodeProto{OpType: "MatMul", Input: n.Input[:2], Output: []string{product}},
			&onnx.NodeProto{OpType: "Add", Input: []string{product, n.Input[2]}, Output: n.Output})
	}
	return list
}
