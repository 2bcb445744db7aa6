package nn

import (
	"math"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type multiHeadAttention struct {
	Heads    int `json:"num_heads"`
	KeyDim   int `json:"key_dim"`
	ValueDim int `json:"value_dim"` // 0: KeyDim
	attends
	UseBias bool  `json:"use_bias"`
	Output  sizes `json:"output_shape"` // nil: as the query has
	Window  int   `json:"sliding_window"`
	kernelAndBias
}

func init() {
	Register("MultiHeadAttention", multiHeadAttention{UseBias: true, kernelAndBias: usualKernel()})
}

// MultiHeadAttention lets each vector of a query look at all of a value in several ways at once (Vaswani et al. 2017,
// arXiv:1706.03762). It is called on a query [queries, features], a value [keys, ...] and, if it is not the value itself, a key
// [keys, ...]; for self-attention all are one node: MultiHeadAttention(4, 8).On(x, x). Each of the heads makes vectors of keyDim
// elements of query and key and vectors of keyDim, or [ValueDim], of the value; the softmax of the inner products of queries
// and keys, divided by √keyDim, are its weights for the values. A layer over all heads gives the result the features of the
// query, or [OutputShape]. Where query or value have several axes before the last one, attention is over all of them.
//
// Weights are query/kernel [features, heads, keyDim], query/bias [heads, keyDim], the same of key and value, and
// attention_output/kernel [heads, valueDim, features] and attention_output/bias [features]. Kernels start Glorot uniform,
// biases zero: see [WeightOption], which are for all four of them. See also [CausalMask], [SlidingWindow], [AttentionDropout]
// and [NoBias].
//
// What the mask of the value or the key leaves out has no weight. For what that of the query leaves out all weights are equal,
// and the result has the mask of the query, see [Masker].
func MultiHeadAttention(heads, keyDim int, opts ...LayerOption) *Layer {
	return New(&multiHeadAttention{Heads: heads, KeyDim: keyDim, UseBias: true, kernelAndBias: usualKernel()}, opts...)
}

// A ValueDimOption is the size of the vectors that a head makes of values.
type ValueDimOption int

// ValueDim sets the size of the vectors that each head of a [MultiHeadAttention] makes of values. Layers of other classes do not
// take it.
func ValueDim(size int) ValueDimOption { return ValueDimOption(size) }

func (o ValueDimOption) applyLayer(l *Layer) {
	configure(l, "ValueDim", func(m *multiHeadAttention) { m.ValueDim = int(o) })
}

// An OutputShapeOption is what becomes of the last axis of a query.
type OutputShapeOption []int

// OutputShape sets the axes that the result of a [MultiHeadAttention] has in place of the last one of the query. Layers of other
// classes do not take it.
func OutputShape(shape ...int) OutputShapeOption { return slices.Clone(shape) }

func (o OutputShapeOption) applyLayer(l *Layer) {
	configure(l, "OutputShape", func(m *multiHeadAttention) { m.Output = sizes(o) })
}

// A SlidingWindowOption is how far a query sees.
type SlidingWindowOption int

// SlidingWindow lets query t of a [MultiHeadAttention] or [GroupedQueryAttention] see the keys at most size-1 before or behind it
// only. Layers of other classes do not take it.
func SlidingWindow(size int) SlidingWindowOption { return SlidingWindowOption(size) }

func (o SlidingWindowOption) applyLayer(l *Layer) {
	configure(l, "SlidingWindow", func(k interface{ slide(int) }) { k.slide(int(o)) })
}

func (m *multiHeadAttention) slide(size int) { m.Window = size }
func (m *multiHeadAttention) dropBias()      { m.UseBias = false }

// heads is what the classes of multi-head attention do, with so many heads for queries and for keys and values.
type heads struct {
	queries, keys    int
	keyDim, valueDim int
	bias             bool
	window           int
	weights          *kernelAndBias
}

func (m *multiHeadAttention) heads() heads {
	h := heads{m.Heads, m.Heads, m.KeyDim, m.ValueDim, m.UseBias, m.Window, &m.kernelAndBias}
	if h.valueDim == 0 {
		h.valueDim = h.keyDim
	}
	return h
}

func (m *multiHeadAttention) Build(b *Builder, in []Shape) Shape {
	query, value, key, ok := m.check(b, in)
	if !ok {
		return in[0]
	}
	out := Shape(m.Output)
	if len(out) == 0 {
		out = Shape{query.Last()}
	}
	m.heads().params(b, query, value, key, out)
	return append(append(Shape{}, query[:len(query)-1]...), out...)
}

// params asks for the weights, as Forward has them.
func (h heads) params(b *Builder, query, value, key, out Shape) {
	for _, n := range []struct {
		what string
		n    int
	}{{"heads", h.queries}, {"heads for keys and values", h.keys}, {"elements of a key", h.keyDim}, {"elements of a value", h.valueDim}} {
		if n.n < 1 {
			b.Errorf("has %d %s, needs at least 1", n.n, n.what)
			return
		}
	}
	if h.weights.Activity.Value != nil {
		b.Errorf("activity_regularizer is not supported: in Keras it is for the results of the four layers within")
	}
	if h.window < 0 {
		b.Errorf("sliding window %d: must be at least 1, or 0 for none", h.window)
	}
	for _, p := range []struct {
		name    string
		in, out Shape
	}{
		{"query", Shape{query.Last()}, Shape{h.queries, h.keyDim}},
		{"key", Shape{key.Last()}, Shape{h.keys, h.keyDim}},
		{"value", Shape{value.Last()}, Shape{h.keys, h.valueDim}},
		{"attention_output", Shape{h.queries, h.valueDim}, out},
	} {
		w := h.weights
		w.askKernelAs(b, p.name+"/kernel", slices.Concat(p.in, p.out), p.in.Elements(), p.out.Elements())
		if h.bias {
			b.weight(p.name+"/bias", p.out, w.BiasInitializer, w.BiasRegularizer, w.BiasConstraint)
		}
	}
}

func (m *multiHeadAttention) Forward(c *Call) *ops.Tensor { return m.heads().attend(c, &m.attends) }

// Mask is that of the query if the result has its vectors.
func (m *multiHeadAttention) Mask(c *Call) *ops.Tensor {
	if len(m.Output) > 1 {
		return nil
	}
	return c.Mask(0)
}

// attend computes attention of several heads, which lie side by side in all matrices.
func (h heads) attend(c *Call, a *attends) *ops.Tensor {
	samples := c.In(0).Rows
	query := c.Scale(h.project(c, 0, c.Vectors(0)), float32(1/math.Sqrt(float64(h.keyDim))))
	key := h.repeat(c, h.project(c, 1, c.Vectors(c.Len()-1)))
	value := h.repeat(c, h.project(c, 2, c.Vectors(1)))
	window := everything
	if h.window > 0 {
		window = ops.Band{Before: h.window - 1, After: h.window - 1}
	}
	weights := a.weights(c, c.MatMul(query, key, samples, h.queries, true), c.Mask(0), c.keyMask(), h.queries, window)
	return c.Samples(h.project(c, 3, c.MatMul(weights, value, samples, h.queries, false)))
}

// keyMask is that of value and key.
func (c *Call) keyMask() *ops.Tensor {
	value, key := c.Mask(1), c.Mask(c.Len()-1)
	switch {
	case value == nil || value == key:
		return key
	case key == nil:
		return value
	}
	return c.Multiply(value, key)
}

// project computes layer i of x.
func (h heads) project(c *Call, i int, x *ops.Tensor) *ops.Tensor {
	if !h.bias {
		return c.Dense(x, c.matrix(c.Param(i), x.Cols), nil, kernels.Linear)
	}
	return c.Dense(x, c.matrix(c.Param(2*i), x.Cols), c.matrix(c.Param(2*i+1), 1), kernels.Linear)
}

// matrix returns x with so many rows.
func (c *Call) matrix(x *ops.Tensor, rows int) *ops.Tensor {
	return c.Reshape(x, rows, x.Rows*x.Cols/rows)
}

// repeat returns the heads of keys or values once for each head of queries that they serve.
func (h heads) repeat(c *Call, x *ops.Tensor) *ops.Tensor {
	times, size := h.queries/h.keys, x.Cols/h.keys
	if times == 1 {
		return x
	}
	return c.Reshape(c.Repeat(c.Reshape(x, x.Rows*h.keys, size), times), x.Rows, x.Cols*times)
}

type groupedQueryAttention struct {
	HeadDim int `json:"head_dim"`
	Heads   int `json:"num_query_heads"`
	Groups  int `json:"num_key_value_heads"`
	attends
	UseBias bool `json:"use_bias"`
	Window  int  `json:"sliding_window"`
	kernelAndBias
}

func init() {
	Register("GroupedQueryAttention", groupedQueryAttention{UseBias: true, kernelAndBias: usualKernel()})
}

// GroupedQueryAttention is [MultiHeadAttention] with fewer heads for keys and values than for queries: each serves
// queryHeads/keyValueHeads of them (Ainslie et al. 2023, arXiv:2305.13245). headDim is the size of the vectors of all heads.
func GroupedQueryAttention(headDim, queryHeads, keyValueHeads int, opts ...LayerOption) *Layer {
	return New(&groupedQueryAttention{HeadDim: headDim, Heads: queryHeads, Groups: keyValueHeads, UseBias: true, kernelAndBias: usualKernel()}, opts...)
}

func (g *groupedQueryAttention) slide(size int) { g.Window = size }
func (g *groupedQueryAttention) dropBias()      { g.UseBias = false }

func (g *groupedQueryAttention) heads() heads {
	return heads{g.Heads, g.Groups, g.HeadDim, g.HeadDim, g.UseBias, g.Window, &g.kernelAndBias}
}

func (g *groupedQueryAttention) Build(b *Builder, in []Shape) Shape {
	query, value, key, ok := g.check(b, in)
	if !ok {
		return in[0]
	}
	if g.Groups > 0 && g.Heads%g.Groups != 0 {
		b.Errorf("has %d heads for queries, which is no multiple of %d for keys and values", g.Heads, g.Groups)
	}
	g.heads().params(b, query, value, key, Shape{query.Last()})
	return query
}

func (g *groupedQueryAttention) Forward(c *Call) *ops.Tensor { return g.heads().attend(c, &g.attends) }
