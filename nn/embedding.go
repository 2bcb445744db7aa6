package nn

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type embedding struct {
	InputDim  int `json:"input_dim"`
	OutputDim int `json:"output_dim"`
}

// maxInputDim is the largest n such that float32, in which indices arrive, holds every whole number up to n.
const maxInputDim = 1 << 24

// Embedding looks up a vector of outputDim weights for each whole number from 0 to inputDim-1: an input of shape (n)
// gives (n, outputDim), so that Flatten usually follows. The weights, embeddings [inputDim, outputDim], start uniform
// between -0.05 and 0.05.
//
// It must be called on an Input, or on a Reshape or Flatten of one; data for that input are [Labels], or [Floats] that
// hold whole numbers. Any other value is an error that names its row: data in memory, or a chunk of a Stream, is checked
// before the first weight changes by it.
func Embedding(inputDim, outputDim int, opts ...LayerOption) *Layer {
	return newLayer(&embedding{inputDim, outputDim}, opts...)
}

func (*embedding) class() string { return "Embedding" }

func (e *embedding) build(in [][]int) ([]int, []param, error) {
	if err := oneInput(in); err != nil {
		return nil, nil, err
	}
	if e.InputDim < 1 || e.InputDim > maxInputDim {
		return nil, nil, fmt.Errorf("has input dimension %d, valid are 1 to %d", e.InputDim, maxInputDim)
	}
	if e.OutputDim < 1 {
		return nil, nil, fmt.Errorf("has output dimension %d, needs at least 1", e.OutputDim)
	}
	out := append(slices.Clone(in[0]), e.OutputDim)
	if err := checkShape(out); err != nil {
		return nil, nil, err
	}
	if err := checkShape([]int{e.InputDim, e.OutputDim}); err != nil {
		return nil, nil, err
	}
	return out, []param{{name: "embeddings", rows: e.InputDim, cols: e.OutputDim, fill: uniform}}, nil
}

func (*embedding) forward(c *call) *ops.Tensor { return c.ops.Embedding(c.in[0], c.params[0]) }

func isEmbedding(n *Node) bool { _, ok := n.layer.kind.(*embedding); return ok }

// indexSource returns the input that an embedding's operand has its values from, or an error if that is none.
func indexSource(n *Node) (*Node, error) {
	for {
		switch n.layer.kind.(type) {
		case *inputLayer:
			return n, nil
		case *flatten, *reshape:
			n = n.in[0]
		default:
			return nil, fmt.Errorf("called on the result of a layer of class %s, must be called on an Input, or on a Reshape or Flatten of one", n.layer.kind.class())
		}
	}
}

// checkIndices checks the data of an input against the embeddings that look them up.
func (m *Model) checkIndices(input *Node, x kernels.Matrix) error {
	for _, n := range m.nodes {
		if !isEmbedding(n) {
			continue
		}
		if source, err := indexSource(n.in[0]); err != nil || source != input {
			continue // NewModel has reported the error
		}
		if err := kernels.CheckIndices(x, n.layer.kind.(*embedding).InputDim); err != nil {
			return fmt.Errorf("%s: %w", n.layer.describe(), err)
		}
	}
	return nil
}
