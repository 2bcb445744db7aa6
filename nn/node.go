package nn

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// A Node is the result of one call of a layer.
type Node struct {
	layer *Layer
	index int // which call of the layer
	in    []*Node
	inner []inner  // calls of kinds within the layer's
	shape Shape    // nil if err is set here or upstream
	same  sameness // as the operand
	limit int      // of the indices that the operand must hold, or 0
	kept  any      // by Build for Forward
	err   error

	created int64 // order of creation, in which a file lists nodes
}

var nodesCreated atomic.Int64

// On calls the layer and returns the resulting node. An error stays with the node until NewModel reports it. A layer that no
// function of this package has made returns an empty node, which the next layer and NewModel report.
func (l *Layer) On(in ...*Node) *Node {
	if l == nil || l.kind == nil && l.err == nil {
		return new(Node) // NewModel reports it as a nil node
	}
	n := &Node{layer: l, index: len(l.nodes), in: slices.Clone(in), created: nodesCreated.Add(1)}
	l.nodes = append(l.nodes, n)
	if n.err = l.err; n.err != nil {
		return n
	}
	if len(in) == 0 {
		n.err = errors.New("called on no node")
		return n
	}
	shapes := make([]Shape, len(in))
	for i, x := range in {
		if x == nil || x.layer == nil {
			n.err = fmt.Errorf("input %d is nil", i)
			return n
		}
		if x.shape == nil {
			return n // the error is upstream
		}
		shapes[i] = x.Shape() // which belongs to the kind
	}
	n.build(shapes)
	return n
}

// build asks the kind for the node's shape and parameters.
func (n *Node) build(in []Shape) {
	b := &Builder{in: n.in}
	shape := n.layer.kind.Build(b, in)
	if b.err == nil {
		b.err = shape.check()
	}
	if r := n.layer.activityRegularizer(); r != nil && b.err == nil {
		b.check("the activity regularizer", "regularizer", r, append(Shape{1}, shape...))
	}
	if b.err == nil {
		b.err = n.layer.adopt(b.params)
	}
	if n.err = b.err; n.err == nil {
		n.shape, n.same, n.limit, n.kept, n.inner = slices.Clone(shape), b.same, b.limit, b.kept, b.inner
	}
}

// Layer returns the layer that was called, nil for a Node that no call has made.
func (n *Node) Layer() *Layer { return n.layer }

// Inputs returns the nodes that the layer was called on, none for a node made by [Input].
func (n *Node) Inputs() []*Node { return slices.Clone(n.in) }

// Shape returns the node's shape without the batch axis, nil if it could not be determined.
func (n *Node) Shape() Shape { return slices.Clone(n.shape) }

func (n *Node) features() int { return n.shape.Elements() }

// lastActivation returns the activation that the values of n come from, nil if that is not known.
func (n *Node) lastActivation() ActivationFunction {
	for n.same != sameNever {
		n = n.in[0]
	}
	if a, ok := n.layer.kind.(Activated); ok {
		return a.Activation()
	}
	return nil
}

// lookups returns the nodes that look up the values of each input.
func lookups(nodes []*Node) map[*Node][]*Node {
	all := map[*Node][]*Node{}
	for _, n := range nodes {
		if n.limit == 0 {
			continue
		}
		x := n.in[0].origin()
		all[x] = append(all[x], n)
	}
	return all
}

// origin returns the node from which n has its values, as they are.
func (n *Node) origin() *Node {
	for n.same == sameAlways {
		n = n.in[0]
	}
	return n
}

// named returns the node that n is another name for.
func (n *Node) named() *Node {
	for {
		if _, ok := n.layer.kind.(*identity); !ok {
			return n
		}
		n = n.in[0]
	}
}
