package nn

import (
	"errors"
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type inputLayer struct {
	Shape Shape `json:"shape"`
}

func init() { Register("InputLayer", inputLayer{}) }

// Input returns a node for data of the given shape, without the batch axis: Input("features", 32). An empty name asks
// for an automatic one.
func Input(name string, shape ...int) *Node {
	return New(&inputLayer{slices.Clone(shape)}, Name(name)).source()
}

// source returns the node of an input layer.
func (l *Layer) source() *Node {
	n := &Node{layer: l, created: nodesCreated.Add(1)}
	l.nodes = append(l.nodes, n)
	if !isSource(n) {
		n.err = errors.New("called on no node")
		return n
	}
	n.build(nil)
	return n
}

func (i *inputLayer) Build(b *Builder, in []Shape) Shape {
	if len(in) > 0 {
		b.Errorf("called on %d nodes, takes none", len(in))
	}
	return i.Shape
}

// Forward is never reached: the model puts the data on the tape itself.
func (i *inputLayer) Forward(c *Call) *ops.Tensor { return c.In(0) }

// isSource reports the node of an input layer.
func isSource(n *Node) bool { _, ok := n.layer.kind.(*inputLayer); return ok }
