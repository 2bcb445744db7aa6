//go:build peers && cgo && amd64

package peers

import (
	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/infer/peers"
	"github.com/espalier-ml/espalier/bench/layer"
	"github.com/espalier-ml/espalier/nn"
)

// onnxRuntime runs the model as an ONNX file.
type onnxRuntime struct{}

func (onnxRuntime) Name() string { return "onnxruntime" }

func (onnxRuntime) Version() string { return peers.RuntimeVersion() }

func (onnxRuntime) Prepare(p *layer.Problem) ([]infer.Call, error) {
	model, err := p.ONNX()
	if err != nil {
		return nil, err
	}
	value := func(n *nn.Node, data []float32) peers.Value {
		v := peers.Value{Name: n.Layer().Name(), Shape: []int64{int64(p.Batch)}, Data: data}
		for _, n := range n.Shape() {
			v.Shape = append(v.Shape, int64(n))
		}
		return v
	}
	x, y := value(p.Model.Inputs()[0], p.X), value(p.Model.Outputs()[0], p.Y)
	call, err := peers.ONNX(model, p.Threads, []peers.Value{x}, []peers.Value{y})
	if err != nil {
		return nil, err
	}
	return []infer.Call{call}, nil
}
