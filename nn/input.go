package nn

import (
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type inputLayer struct {
	Shape few[int] `json:"shape"`
}

// Input returns a node for data of the given shape, without the batch axis: Input("features", 32). An empty name asks
// for an automatic one.
func Input(name string, shape ...int) *Node {
	shape = slices.Clone(shape)
	return newLayer(&inputLayer{shape}, nameOption(name)).source()
}

// source returns the node of an input layer.
func (l *Layer) source() *Node {
	n := &Node{layer: l, created: nodesCreated.Add(1)}
	shape, _, err := l.kind.build(nil)
	if n.err = err; err == nil {
		n.shape = shape
	}
	l.nodes = []*Node{n}
	return n
}

func (i *inputLayer) class() string { return "InputLayer" }

func (i *inputLayer) build([][]int) ([]int, []param, error) { return i.Shape, nil, checkShape(i.Shape) }

// forward is never reached: the model puts the data on the tape itself.
func (i *inputLayer) forward(c *call) *ops.Tensor { return c.in[0] }

func isSource(n *Node) bool { _, ok := n.layer.kind.(*inputLayer); return ok }
