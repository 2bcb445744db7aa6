package nn

import (
	"math"

	"github.com/espalier-ml/espalier/ops"
)

// A Masker is a [Kind] whose result has a mask, which says which vectors of a sample count: the steps of a sequence that are
// not padding. A mask belongs to a value, not to a model: [Embedding] with [MaskZero] and [Masking] make one, layers that
// treat each step by itself pass it on, and recurrent layers and others that look at several steps leave out what it leaves
// out. What a kind that is no Masker returns has no mask.
//
// As in Keras 3, a recurrent layer, a TimeDistributed and a Bidirectional use the mask of their input and pass none on. Unlike
// Keras, losses and metrics do not see masks: leave rows out with the weights of [Data].
type Masker interface {
	Kind
	// Mask returns the mask of the result of a call, with a row for each sample and a 1 or 0 for each vector along the
	// result's last axis, or nil if all of them count. It is called after Forward, with the same call.
	Mask(c *Call) *ops.Tensor
}

// Mask returns the mask of input i: a row for each sample, with an element for each vector along the input's last axis, so
// [samples, steps] for a sequence. It is 1 for what counts and 0 for what does not. It is nil if everything counts.
func (c *Call) Mask(i int) *ops.Tensor { return c.masks[i] }

// resultMask returns the mask of the result.
func (c *Call) resultMask() *ops.Tensor {
	if m, ok := c.node.layer.kind.(Masker); ok {
		return m.Mask(c)
	}
	return nil
}

// anyMask returns the mask of what merges the inputs: what counts in one of them counts. If everything counts in one, so it
// does in the result.
func (c *Call) anyMask() *ops.Tensor {
	m := c.masks[0]
	for _, o := range c.masks {
		if o == nil || o.Cols != m.Cols {
			return nil
		}
		if o != m {
			m = c.unequal(c.Add(m, o), 1, 0)
		}
	}
	return m
}

// unequal returns the mask that leaves out those vectors of x, which has a row for each sample, that are value throughout.
func (c *Call) unequal(x *ops.Tensor, width int, value float32) *ops.Tensor {
	vectors := x.Cols / width
	return c.Reshape(c.Unequal(c.Reshape(x, x.Rows*vectors, width), value), x.Rows, vectors)
}

type masking struct {
	Value float64 `json:"mask_value"`
}

func init() { Register("Masking", masking{}) }

// Masking leaves out those steps of a sequence, or those vectors along the last axis of anything, of which all elements are
// value: they become zeros, and the mask of the result has 0 for them, see [Masker].
func Masking(value float64, opts ...LayerOption) *Layer { return New(&masking{value}, opts...) }

func (m *masking) Build(b *Builder, in []Shape) Shape {
	if !(math.Abs(m.Value) <= math.MaxFloat32) {
		b.Errorf("mask value %v must be finite in float32", m.Value)
	}
	x := b.One(in)
	if len(x) < 2 {
		b.Errorf("called on shape %s, takes a sequence of vectors", x)
	}
	return x
}

func (m *masking) Forward(c *Call) *ops.Tensor {
	x := c.Vectors(0)
	return c.Samples(c.MaskRows(x, c.Unequal(x, float32(m.Value))))
}

func (m *masking) Mask(c *Call) *ops.Tensor {
	return c.unequal(c.In(0), c.InShape(0).Last(), float32(m.Value))
}
