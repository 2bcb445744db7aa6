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

	call *Node   // of the model that has made this node, see Model.On; nil: it was made by itself
	body []*Node // if this is the call of a model: what it has made, each after those it depends on
	ends []*Node // and its results, in the order of the model's outputs
}

var nodesCreated atomic.Int64

// On calls the layer and returns the resulting node. An error stays with the node until NewModel reports it. A layer that no
// function of this package has made returns an empty node, which the next layer and NewModel report.
func (l *Layer) On(in ...*Node) *Node {
	if l == nil || l.kind == nil && l.err == nil {
		return new(Node) // NewModel reports it as a nil node
	}
	if s := l.submodel(); s != nil {
		return s.On(in...)
	}
	n := l.newNode(in)
	if shapes, ok := n.operands(); ok {
		n.build(shapes)
	}
	return n
}

func (l *Layer) newNode(in []*Node) *Node {
	n := &Node{layer: l, index: len(l.nodes), in: slices.Clone(in), created: nodesCreated.Add(1), err: l.err}
	l.nodes = append(l.nodes, n)
	return n
}

// operands returns the shapes of what n is called on, which belong to the kind, and whether there is no error, here or upstream.
func (n *Node) operands() (shapes []Shape, ok bool) {
	if n.err != nil {
		return nil, false
	}
	if len(n.in) == 0 {
		n.err = errors.New("called on no node")
		return nil, false
	}
	for i, x := range n.in {
		if x == nil || x.layer == nil {
			n.err = fmt.Errorf("input %d is nil", i)
			return nil, false
		}
		if x.shape == nil {
			return nil, false // the error is upstream
		}
		shapes = append(shapes, x.Shape())
	}
	return shapes, true
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

// Call returns the call that n is a result of, and which result it is: n itself and 0, unless it is one of the results of a model
// that was called as a layer.
func (n *Node) Call() (call *Node, result int) {
	return n.top(), max(0, slices.Index(n.top().ends, n))
}

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

// named returns the node that n is another name for, or that n only adds to the loss of.
func (n *Node) named() *Node {
	for {
		switch n.layer.kind.(type) {
		case *identity, *addLoss, *activityRegularization:
			n = n.in[0]
		default:
			return n
		}
	}
}
