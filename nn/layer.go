package nn

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A Layer is a function of nodes with its parameters. Called on several nodes it shares them.
type Layer struct {
	kind    kind
	name    string // "" until NewModel gives an automatic one
	created int64  // order of creation: automatic names follow it
	frozen  bool
	nodes   []*Node
	params  []*param

	automatic bool  // whether NewModel chose the name
	err       error // of an option; every node of the layer reports it
}

// A kind is what tells one class of layers from another. It holds the layer's configuration, which is what is saved.
type kind interface {
	// class returns Keras' name of the class, such as "Dense".
	class() string
	// build returns the result's shape and the parameters needed for inputs of the given shapes.
	build(in [][]int) (out []int, params []param, err error)
	// forward computes one call of the layer.
	forward(c *call) *ops.Tensor
}

// A call is one evaluation of a node.
type call struct {
	ops      ops.Ops
	node     *Node
	in       []*ops.Tensor // [batch, features] each
	params   []*ops.Tensor
	training bool
	seed     uint64 // of everything random in this step
	index    int    // which call of its layer in this model
	logits   bool   // leave out a softmax or sigmoid: the loss includes it
	random   rand.PCG
}

// lastAxis returns a tensor of the batch with one row per vector along the last axis of its shape.
func (c *call) lastAxis(x *ops.Tensor, shape []int) *ops.Tensor {
	width := shape[len(shape)-1]
	return c.ops.Reshape(x, x.Rows*(elements(shape)/width), width)
}

// flat returns y, whatever its rows, as one row per sample.
func (c *call) flat(y *ops.Tensor) *ops.Tensor {
	return c.ops.Reshape(y, c.in[0].Rows, c.node.features())
}

// A param is one parameter of a layer. value is the zero Matrix until NewModel or Load fills it.
type param struct {
	name       string // within the layer: "kernel"
	rows, cols int    // of value; a vector has one row
	vector     bool
	fill       func(p *param, seed uint64, name string)
	value      kernels.Matrix
}

func (p *param) shape() []int {
	if p.vector {
		return []int{p.cols}
	}
	return []int{p.rows, p.cols}
}

// A LayerOption configures a layer. An option that the class of layer does not know is an error, which [NewModel] reports.
// If an option is given twice the last one counts.
type LayerOption interface{ applyLayer(*Layer) }

type nameOption string

// Name names a layer or a model. Names of layers are unique within a model; an output is named after its layer.
func Name(name string) interface {
	LayerOption
	ModelOption
} {
	return nameOption(name)
}

func (o nameOption) applyLayer(l *Layer) { l.name = string(o) }
func (o nameOption) applyModel(m *Model) { m.name = string(o) }

var layersCreated atomic.Int64

func newLayer(k kind, opts ...LayerOption) *Layer {
	l := &Layer{kind: k, created: layersCreated.Add(1)}
	for i, o := range opts {
		if o == nil {
			l.err = errors.Join(l.err, errNilOption(i))
			continue
		}
		o.applyLayer(l)
	}
	return l
}

// Name returns the layer's name. A layer that was not given one has none before it is part of a model.
func (l *Layer) Name() string { return l.name }

// SetTrainable freezes (false) or thaws (true) the layer's weights in every model that has it, from the next training
// step on. Layers start trainable.
func (l *Layer) SetTrainable(trainable bool) { l.frozen = !trainable }

// Trainable reports whether training changes the layer's weights.
func (l *Layer) Trainable() bool { return !l.frozen }

func (l *Layer) paramCount() int {
	n := 0
	for _, p := range l.params {
		n += p.rows * p.cols
	}
	return n
}

// A Node is the result of one call of a layer.
type Node struct {
	layer *Layer
	index int // which call of the layer
	in    []*Node
	shape []int // without the batch axis; nil if err is set here or upstream
	err   error

	created int64 // order of creation, in which a file lists nodes
}

var nodesCreated atomic.Int64

// On calls the layer and returns the resulting node. An error stays with the node until NewModel reports it. A layer that no
// function of this package has made returns an empty node, which the next layer and NewModel report.
func (l *Layer) On(in ...*Node) *Node {
	if l == nil || l.kind == nil {
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
	shapes := make([][]int, len(in))
	for i, x := range in {
		if x == nil || x.layer == nil {
			n.err = fmt.Errorf("input %d is nil", i)
			return n
		}
		if x.shape == nil {
			return n // the error is upstream
		}
		shapes[i] = x.shape
	}
	if isEmbedding(n) {
		if _, n.err = indexSource(in[0]); n.err != nil {
			return n
		}
	}
	shape, params, err := l.kind.build(shapes)
	if err == nil {
		err = l.adopt(params)
	}
	if n.err = err; err == nil {
		n.shape = shape
	}
	return n
}

// adopt makes the parameters that the first call asks for those of the layer. Later calls must ask for the same shapes.
func (l *Layer) adopt(params []param) error {
	if l.params == nil {
		for i := range params {
			l.params = append(l.params, &params[i])
		}
		return nil
	}
	for i, p := range params {
		have := l.params[i]
		switch _, isDense := l.kind.(*dense); {
		case have.rows == p.rows && have.cols == p.cols && have.vector == p.vector:
		case isDense: // only the kernel can differ, and only in its rows
			return fmt.Errorf("input 0 has %d features, weights expect %d", p.rows, have.rows)
		default:
			return fmt.Errorf("%s is %s, input 0 asks for %s", p.name, formatShape(have.shape()), formatShape(p.shape()))
		}
	}
	return nil
}

// Shape returns the node's shape without the batch axis, nil if it could not be determined.
func (n *Node) Shape() []int { return slices.Clone(n.shape) }

func (n *Node) features() int { return elements(n.shape) }

func elements(shape []int) int {
	size := 1
	for _, d := range shape {
		size *= d
	}
	return size
}

const (
	maxElements = math.MaxInt32 // of one sample or one weight: keeps every product of sizes in range
	maxRank     = 32            // dimensions of a shape
)

// checkShape reports a dimension below one, a size beyond maxElements and a rank that is not from 1 to maxRank.
func checkShape(shape []int) error {
	if len(shape) == 0 {
		return errors.New("shape has no dimensions")
	}
	if len(shape) > maxRank {
		return fmt.Errorf("shape has %d dimensions, at most %d are possible", len(shape), maxRank)
	}
	size := 1
	for _, d := range shape {
		if d < 1 {
			return fmt.Errorf("shape %s has a dimension below 1", formatShape(shape))
		}
		if d > maxElements/size {
			return fmt.Errorf("shape %s has more than %d elements", formatShape(shape), maxElements)
		}
		size *= d
	}
	return nil
}

// formatShape prints a shape without its batch axis: (8, 4).
func formatShape(shape []int) string {
	s := "("
	for i, d := range shape {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(d)
	}
	return s + ")"
}

// describe names a layer in an error: layer "label" (Dense).
func (l *Layer) describe() string {
	return fmt.Sprintf("layer %s (%s)", brief.Quote(l.name), l.kind.class())
}
