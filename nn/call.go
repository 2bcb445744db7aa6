package nn

import (
	"math/rand/v2"

	"github.com/espalier-ml/espalier/ops"
)

// A Call is one evaluation of a layer, in which [Kind] computes with the operations of [ops.Ops]. It is valid until Forward
// returns.
type Call struct {
	ops.Ops
	Act ActivationFunction // what the result ends in: the activation of an [Activated] kind, or Linear where a loss includes it

	node     *Node
	name     string        // of the layer, a path within the model
	in       []*ops.Tensor // [batch, elements] each
	masks    []*ops.Tensor // of in
	params   []*ops.Tensor
	training bool
	seed     uint64 // of everything random in this step
	index    int    // which call of its layer in this model
	random   rand.PCG
	operands []*ops.Tensor // of Concatenate and Custom
	outer    *Call         // of the kind around this one; nil: there is none
	next     *Call         // of kinds within this one, in turn

	order, from, back, split []int    // of rearranged and GroupNormalization
	unrolled                 unrolled // of a recurrent layer

	custom bool // whether Custom has been called, by this kind or one within it
}

// Concatenate and Custom are those of [ops.Ops]. They keep the operands, so that a list of them is not allocated.

// Concatenate joins the columns of tensors that have the same number of rows.
func (c *Call) Concatenate(x ...*ops.Tensor) *ops.Tensor {
	c.operands = append(c.operands[:0], x...)
	return c.Ops.Concatenate(c.operands...)
}

// Custom returns f(x...), a rows x cols tensor.
func (c *Call) Custom(f ops.Function, rows, cols int, x ...*ops.Tensor) *ops.Tensor {
	c.operands = append(c.operands[:0], x...)
	for o := c; o != nil; o = o.outer {
		o.custom = true
	}
	return c.Ops.Custom(f, rows, cols, c.operands...)
}

// Len returns the number of inputs.
func (c *Call) Len() int { return len(c.in) }

// In returns input i: a row for each sample, with all elements of its shape.
func (c *Call) In(i int) *ops.Tensor { return c.in[i] }

// Param returns parameter i, in the order in which Build asked for them.
func (c *Call) Param(i int) *ops.Tensor { return c.params[i] }

// Update says that parameter i, for which Build asked with [Builder.State], becomes value, a tensor of its shape, once the
// training step has succeeded. Param returns it from now on: to later calls of the layer in this step, too. Outside of
// training nothing is changed.
func (c *Call) Update(i int, value *ops.Tensor) { c.params[i] = value }

// InShape returns the shape of input i.
func (c *Call) InShape(i int) Shape { return c.node.in[i].shape }

// Shape returns the shape of the result.
func (c *Call) Shape() Shape { return c.node.shape }

// Kept returns what Build gave to [Builder.Keep] for this call of the layer.
func (c *Call) Kept() any { return c.node.kept }

// Training reports whether gradients follow, as opposed to evaluation and serving.
func (c *Call) Training() bool { return c.training }

// Trainable reports whether the layer is not frozen, see [Layer.SetTrainable].
func (c *Call) Trainable() bool { return !c.node.layer.frozen }

// Random returns a source of random numbers for this call alone: no layer's draws depend on another's. The same seed, step,
// layer and call give the same numbers. It is for training only.
func (c *Call) Random() rand.Source {
	c.random.Seed(c.seed, c.stream())
	return &c.random
}

// stream tells the random numbers of this call apart from those of others.
func (c *Call) stream() uint64 {
	name := hash(c.name)
	if c.outer != nil {
		return c.outer.stream() + name
	}
	return name + uint64(c.index)
}

// Vectors returns input i with a row for each vector along its last axis.
func (c *Call) Vectors(i int) *ops.Tensor { return c.vectors(c.in[i], c.InShape(i)) }

func (c *Call) vectors(x *ops.Tensor, shape Shape) *ops.Tensor {
	return c.Reshape(x, x.Rows*(shape.Elements()/shape.Last()), shape.Last())
}

// Samples returns y, whatever its rows, with a row for each sample: the counterpart of Vectors.
func (c *Call) Samples(y *ops.Tensor) *ops.Tensor {
	return c.Reshape(y, c.in[0].Rows, c.node.features())
}
