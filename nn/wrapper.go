package nn

import "github.com/espalier-ml/espalier/ops"

// An inner is a call of a kind within that of another kind.
type inner struct {
	node     *Node // which is in no graph
	from, to int   // its parameters among those of the layer
}

// Inner asks for what a kind within this one needs for a call on inputs of the given shapes, and returns the shape of its
// result. Its parameters are those of the layer, under their own names behind name and a slash, or alone if name is empty.
// Forward calls it by [Call.Inner], in the order of these calls.
func (b *Builder) Inner(name string, k Kind, in ...Shape) Shape {
	if _, err := classOf(k); err != nil {
		b.Errorf("the layer within %w", err)
		return Shape{1}
	}
	within := &Builder{in: b.in}
	shape := k.Build(within, in)
	if within.err == nil {
		within.err = shape.check()
	}
	if within.err != nil {
		if name != "" {
			name = " " + name
		}
		b.Errorf("the layer within%s (%s): %w", name, className(k), within.err)
		return Shape{1}
	}
	n := &Node{layer: &Layer{kind: k, name: name}, shape: shape}
	for _, s := range in {
		n.in = append(n.in, &Node{shape: s})
	}
	from := len(b.params)
	for _, p := range within.params {
		if name != "" {
			p.name = name + "/" + p.name
		}
		b.params = append(b.params, p)
	}
	b.limit = within.limit
	b.inner = append(b.inner, inner{n, from, len(b.params)})
	return shape
}

// Inner computes the i-th kind that Build asked for by [Builder.Inner], on x, which has a row for each of its samples, with a
// mask or nil.
func (c *Call) Inner(i int, x, mask *ops.Tensor) *ops.Tensor {
	within := c.within(i, x, mask)
	return within.node.layer.kind.Forward(within)
}

// within returns the call of the i-th kind within this one. It is valid until the next one is asked for.
func (c *Call) within(i int, x, mask *ops.Tensor) *Call {
	if c.next == nil {
		c.next = &Call{outer: c}
	}
	n, w := c.node.inner[i], c.next
	w.Ops, w.training, w.seed, w.node, w.name = c.Ops, c.training, c.seed, n.node, n.node.layer.name
	w.in, w.masks = append(w.in[:0], x), append(w.masks[:0], mask)
	w.params = append(w.params[:0], c.params[n.from:n.to]...)
	w.Act = n.node.layer.activation()
	return w
}

type timeDistributed struct {
	Layer Object[Kind] `json:"layer"`
}

func init() { Register("TimeDistributed", timeDistributed{}) }

// TimeDistributed calls a layer on each step of a sequence, and on its own axes for the rest: a sample of shape (steps, ...)
// gives (steps, ...), with the weights of the layer for all steps. What steps a mask leaves out is computed as well.
func TimeDistributed(layer *Layer, opts ...LayerOption) *Layer {
	l := New(&timeDistributed{kindOf(layer)}, opts...)
	l.adoptError(layer)
	return l
}

// kindOf returns the kind of a layer, for the configuration of another one.
func kindOf(layer *Layer) Object[Kind] {
	if layer == nil {
		return Object[Kind]{}
	}
	return Object[Kind]{layer.kind}
}

func (t *timeDistributed) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if len(x) < 2 {
		b.Errorf("called on shape %s, takes a sequence: (steps, ...)", x)
		return Shape{1}
	}
	return append(Shape{x[0]}, b.Inner("", t.Layer.Value, x[1:])...)
}

// ActivityRegularizer implements [ActivityRegularized]: all steps together have the penalty that the layer has of each.
func (t *timeDistributed) ActivityRegularizer() Regularizer {
	return (&Layer{kind: t.Layer.Value}).activityRegularizer()
}

func (t *timeDistributed) Forward(c *Call) *ops.Tensor {
	x, steps, mask := c.In(0), c.InShape(0)[0], c.Mask(0)
	if len(c.InShape(0)) < 3 || mask != nil && mask.Cols%steps != 0 {
		mask = nil // says which steps count, of which none sees another
	}
	if mask != nil {
		mask = c.Reshape(mask, mask.Rows*steps, mask.Cols/steps)
	}
	return c.Samples(c.Inner(0, c.Reshape(x, x.Rows*steps, x.Cols/steps), mask))
}
