package nn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// recurrent is what all recurrent kinds have in common.
type recurrent struct {
	Units            int                        `json:"units"`
	Function         Object[ActivationFunction] `json:"activation"`
	UseBias          bool                       `json:"use_bias"`
	Dropout          float64                    `json:"dropout"`
	RecurrentDropout float64                    `json:"recurrent_dropout"`
	Sequences        bool                       `json:"return_sequences"`
	State            bool                       `json:"return_state"`
	Backwards        bool                       `json:"go_backwards"`
	Stateful         bool                       `json:"stateful"`
	Unroll           bool                       `json:"unroll"` // changes no result
	ZeroOutput       bool                       `json:"zero_output_for_mask"`
	kernelAndBias
	RecurrentInitializer Object[Initializer] `json:"recurrent_initializer"`
	RecurrentRegularizer Object[Regularizer] `json:"recurrent_regularizer"`
	RecurrentConstraint  Object[Constraint]  `json:"recurrent_constraint"`
}

var usualRecurrent = recurrent{Function: Object[ActivationFunction]{Tanh}, UseBias: true, kernelAndBias: usualKernel(),
	RecurrentInitializer: Object[Initializer]{Orthogonal(1)}}

// A recurrentKind is one that embeds recurrent.
type recurrentKind interface {
	Kind
	base() *recurrent
	// reversed returns a copy that goes the other way.
	reversed() recurrentKind
	// states returns the states of all steps, in the order of the input.
	states(c *Call) *ops.Tensor
}

func (r *recurrent) base() *recurrent { return r }

func (r *recurrent) dropBias() { r.UseBias = false }

type simpleRNN struct{ recurrent }

type gru struct {
	recurrent
	Gate       Object[ActivationFunction] `json:"recurrent_activation"`
	ResetAfter bool                       `json:"reset_after"`
}

type lstm struct {
	recurrent
	Gate       Object[ActivationFunction] `json:"recurrent_activation"`
	ForgetBias bool                       `json:"unit_forget_bias"`
}

var (
	usualSimpleRNN = simpleRNN{usualRecurrent}
	usualGRU       = gru{usualRecurrent, Object[ActivationFunction]{Sigmoid}, true}
	usualLSTM      = lstm{usualRecurrent, Object[ActivationFunction]{Sigmoid}, true}
)

func init() {
	Register("SimpleRNN", usualSimpleRNN)
	Register("GRU", usualGRU)
	Register("LSTM", usualLSTM)
}

// SimpleRNN is a recurrent layer: it reads a sequence, shape (steps, features), step by step, and each step makes a new state
// of the input x and the state h before, which is zero at first. That is act(x·kernel + h·recurrent_kernel + bias), and act is
// tanh, see [CellActivation]. The result is the last state, (units), or with [ReturnSequences] all of them, (steps, units). A
// step that the mask of the input leaves out, see [Masker], keeps the state as it is.
//
// Of all recurrent layers, kernel [features, gates·units] starts Glorot uniform, recurrent_kernel [units, gates·units] with
// rows at right angles, and bias with zeros: see [WeightOption]. Those with other activations than the usual ones or without [ResetAfter], and in
// training those with [RecurrentDropout], are computed operation by operation, which takes several times as long.
func SimpleRNN(units int, opts ...LayerOption) *Layer {
	k := usualSimpleRNN
	k.Units = units
	return New(&k, opts...)
}

// GRU is a recurrent layer of gated units (Cho et al. 2014, arXiv:1406.1078). With a·b for the product of x or h and the
// columns of kernel or recurrent_kernel that belong to a gate, its state after x, with the state h before, is
//
//	z = sigmoid(x·z + h·z)    r = sigmoid(x·r + h·r)    c = tanh(x·c + r·(h·c))    z·h + (1-z)·c
//
// each product with its bias: bias is [2, 3·units], the first row for x. With [ResetAfter] of false r applies to h and not to
// the product, and bias is [3·units], for x.
func GRU(units int, opts ...LayerOption) *Layer {
	k := usualGRU
	k.Units = units
	return New(&k, opts...)
}

// LSTM is a recurrent layer with long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
// 2000). Besides the state h it has a cell s of as many units, zero at first. With a gate's columns as for [GRU] and its
// bias,
//
//	i, f, o = sigmoid(x·i + h·i), ...    g = tanh(x·g + h·g)    s' = f·s + i·g    h' = o·tanh(s')
//
// in the order i, f, g, o. The bias of f starts with 1, see [UnitForgetBias].
func LSTM(units int, opts ...LayerOption) *Layer {
	k := usualLSTM
	k.Units = units
	return New(&k, opts...)
}

// A RecurrentOption is an option of recurrent layers.
type RecurrentOption struct {
	name, of string
	set      func(k recurrentKind) bool // reports whether the class takes it
}

func (o RecurrentOption) applyLayer(l *Layer) {
	k, ok := l.kind.(recurrentKind)
	if ok && o.set != nil {
		ok = o.set(k)
	}
	if !ok {
		l.err = errors.Join(l.err, fmt.Errorf("does not take %s: only %s has it", o.name, o.of))
	}
}

func recurrentOption(name string, set func(r *recurrent)) RecurrentOption {
	return RecurrentOption{name, "a recurrent layer", func(k recurrentKind) bool { set(k.base()); return true }}
}

// ReturnSequences makes the states of all steps the result, in the order in which they are computed.
func ReturnSequences() RecurrentOption {
	return recurrentOption("ReturnSequences", func(r *recurrent) { r.Sequences = true })
}

// GoBackwards reads the sequence from its last step to the first.
func GoBackwards() RecurrentOption {
	return recurrentOption("GoBackwards", func(r *recurrent) { r.Backwards = true })
}

// ZeroOutputForMask makes the result zero for steps that the mask leaves out. The state stays as it is.
func ZeroOutputForMask() RecurrentOption {
	return recurrentOption("ZeroOutputForMask", func(r *recurrent) { r.ZeroOutput = true })
}

// InputDropout zeroes features of the input with probability rate in training, the same for all steps of a sequence, and
// scales the others by 1/(1-rate).
func InputDropout(rate float64) RecurrentOption {
	return recurrentOption("InputDropout", func(r *recurrent) { r.Dropout = rate })
}

// RecurrentDropout zeroes elements of the state with probability rate in training where it enters the products, the same for
// all steps of a sequence, and scales the others by 1/(1-rate). A GRU and an LSTM draw for each gate, then also those of
// [InputDropout].
func RecurrentDropout(rate float64) RecurrentOption {
	return recurrentOption("RecurrentDropout", func(r *recurrent) { r.RecurrentDropout = rate })
}

// CellActivation is Keras' activation of a recurrent layer: of the new state, or of the candidate for it and of an LSTM's
// cell. The default is [Tanh].
func CellActivation(a ActivationFunction) RecurrentOption {
	return recurrentOption("CellActivation", func(r *recurrent) { r.Function.Value = a })
}

// RecurrentActivation is Keras' recurrent_activation of a [GRU] or an [LSTM]: that of the gates. The default is [Sigmoid].
func RecurrentActivation(a ActivationFunction) RecurrentOption {
	return RecurrentOption{"RecurrentActivation", "a GRU or LSTM", func(k recurrentKind) bool {
		switch k := k.(type) {
		case *gru:
			k.Gate.Value = a
		case *lstm:
			k.Gate.Value = a
		default:
			return false
		}
		return true
	}}
}

// ResetAfter says whether the reset gate of a [GRU] applies to the product of the state, the default, or to the state.
func ResetAfter(after bool) RecurrentOption {
	return RecurrentOption{"ResetAfter", "a GRU", func(k recurrentKind) bool {
		g, ok := k.(*gru)
		if ok {
			g.ResetAfter = after
		}
		return ok
	}}
}

// UnitForgetBias says whether the bias of an [LSTM]'s forget gate starts with 1, the default, or as the others.
func UnitForgetBias(unit bool) RecurrentOption {
	return RecurrentOption{"UnitForgetBias", "an LSTM", func(k recurrentKind) bool {
		l, ok := k.(*lstm)
		if ok {
			l.ForgetBias = unit
		}
		return ok
	}}
}

// build asks for the parameters of so many gates.
func (r *recurrent) build(b *Builder, in []Shape, gates int, bias Shape, start Object[Initializer], functions ...ActivationFunction) Shape {
	x := b.One(in)
	switch {
	case len(x) != 2:
		b.Errorf("called on shape %s, takes a sequence of vectors: (steps, features)", x)
		return Shape{1}
	case r.Units < 1 || r.Units > maxElements/(2*gates):
		b.Errorf("has %d units, valid are 1 to %d", r.Units, maxElements/(2*gates))
		return Shape{1}
	case r.State:
		b.Errorf("return_state is not supported: a layer has one result")
	case r.Stateful:
		b.Errorf("stateful is not supported: each sequence starts with a state of zeros")
	}
	for _, a := range functions {
		if err := checkActivation(a); err != nil {
			b.Errorf("%w", err)
		}
	}
	for _, rate := range []float64{r.Dropout, r.RecurrentDropout} {
		if !(rate >= 0 && rate < 1) {
			b.Errorf("dropout rate %v is not in [0, 1)", rate)
		}
	}
	r.askKernel(b, Shape{x[1], gates * r.Units})
	b.weight("recurrent_kernel", Shape{r.Units, gates * r.Units}, r.RecurrentInitializer, r.RecurrentRegularizer, r.RecurrentConstraint)
	if r.UseBias {
		b.weight("bias", bias, start, r.BiasRegularizer, r.BiasConstraint)
	}
	if r.Sequences {
		return Shape{x[0], r.Units}
	}
	return Shape{r.Units}
}

func (k *simpleRNN) Build(b *Builder, in []Shape) Shape {
	return k.build(b, in, 1, Shape{k.Units}, k.BiasInitializer, k.Function.Value)
}

func (k *gru) Build(b *Builder, in []Shape) Shape {
	bias := Shape{3 * k.Units}
	if k.ResetAfter {
		bias = Shape{2, 3 * k.Units}
	}
	return k.build(b, in, 3, bias, k.BiasInitializer, k.Function.Value, k.Gate.Value)
}

func (k *lstm) Build(b *Builder, in []Shape) Shape {
	start := k.BiasInitializer
	if k.ForgetBias && start.Value != nil {
		start.Value = forgetBias{start.Value}
	}
	return k.build(b, in, 4, Shape{4 * k.Units}, start, k.Function.Value, k.Gate.Value)
}

// forgetBias is 1 for the forget gate of an LSTM, and as the initializer says for the others.
type forgetBias struct{ others Initializer }

func (f forgetBias) Check(shape Shape) error { return checkFits(f.others, shape) }

func (f forgetBias) Fill(values []float32, shape Shape, random *rand.Rand) {
	n := len(values) / 4
	f.others.Fill(values[:n], Shape{n}, random)
	Ones().Fill(values[n:2*n], Shape{n}, random)
	f.others.Fill(values[2*n:], Shape{2 * n}, random)
}

func (k *simpleRNN) reversed() recurrentKind {
	r := *k
	r.Backwards = !r.Backwards
	return &r
}

func (k *gru) reversed() recurrentKind {
	r := *k
	r.Backwards = !r.Backwards
	return &r
}

func (k *lstm) reversed() recurrentKind {
	r := *k
	r.Backwards = !r.Backwards
	return &r
}

func (k *simpleRNN) Forward(c *Call) *ops.Tensor { return k.result(c, k.states(c)) }
func (k *gru) Forward(c *Call) *ops.Tensor       { return k.result(c, k.states(c)) }
func (k *lstm) Forward(c *Call) *ops.Tensor      { return k.result(c, k.states(c)) }

// result returns the result of a layer by itself.
func (r *recurrent) result(c *Call, states *ops.Tensor) *ops.Tensor {
	y := r.output(c, states)
	if !r.Sequences || !r.Backwards {
		return y
	}
	all := c.unrolled.all[:0] // as they were computed
	for t := c.InShape(0)[0]; t > 0; t-- {
		all = append(all, c.Slice(y, (t-1)*r.Units, t*r.Units))
	}
	c.unrolled.all = all
	return c.Concatenate(all...)
}

// output returns the last state or those of all steps, in the order of the input.
func (r *recurrent) output(c *Call, states *ops.Tensor) *ops.Tensor {
	steps, mask := c.InShape(0)[0], c.Mask(0)
	if !r.ZeroOutput {
		mask = nil
	}
	if r.Sequences {
		if mask == nil {
			return states
		}
		each := c.MaskRows(c.Reshape(states, states.Rows*steps, r.Units), c.Reshape(mask, states.Rows*steps, 1))
		return c.Reshape(each, states.Rows, steps*r.Units)
	}
	last := steps - 1
	if r.Backwards {
		last = 0
	}
	y := c.Slice(states, last*r.Units, (last+1)*r.Units)
	if mask != nil {
		y = c.MaskRows(y, c.Slice(mask, last, last+1))
	}
	return y
}

func (k *simpleRNN) states(c *Call) *ops.Tensor {
	act, rest := epilogue(k.Function.Value)
	if rest != ActivationFunction(Linear) || k.drops(c) {
		return k.unrolled(c, 1, func(s *unrolled) {
			s.h = k.Function.Value.Apply(c, s.sum(0))
		})
	}
	return k.fused(c, ops.SimpleRNN, act, k.bias(c), nil)
}

func (k *gru) states(c *Call) *ops.Tensor {
	bias := k.bias(c)
	var inner *ops.Tensor // of the state's product
	if k.UseBias && k.ResetAfter {
		both := c.Reshape(bias, 1, 6*k.Units)
		bias, inner = c.Slice(both, 0, 3*k.Units), c.Slice(both, 3*k.Units, 6*k.Units)
	}
	if k.ResetAfter && usual(k.Function, k.Gate) && !k.drops(c) {
		return k.fused(c, ops.GRU, kernels.Linear, bias, inner)
	}
	return k.unrolledWith(c, 3, bias, inner, func(s *unrolled) {
		z, r := k.Gate.Value.Apply(c, s.sum(0)), k.Gate.Value.Apply(c, s.sum(1))
		h := s.h
		var candidate *ops.Tensor
		if k.ResetAfter {
			candidate = s.x(2)
			if product := s.product(2, h); product != nil {
				candidate = c.Add(candidate, c.Multiply(r, product))
			} else if inner != nil {
				candidate = c.Add(candidate, c.Affine(r, c.Slice(inner, 2*k.Units, 3*k.Units), nil))
			}
		} else {
			candidate = s.x(2)
			if h != nil {
				candidate = c.Add(candidate, c.Dense(c.Multiply(r, s.dropped(2, h)), s.kernels[2], nil, kernels.Linear))
			}
		}
		candidate = k.Function.Value.Apply(c, candidate)
		difference := c.Scale(candidate, -1)
		if h != nil {
			difference = c.Add(h, difference)
		}
		s.h = c.Add(candidate, c.Multiply(z, difference))
	})
}

func (k *lstm) states(c *Call) *ops.Tensor {
	if usual(k.Function, k.Gate) && !k.drops(c) {
		return k.fused(c, ops.LSTM, kernels.Linear, k.bias(c), nil)
	}
	return k.unrolled(c, 4, func(s *unrolled) {
		gate, act := k.Gate.Value, k.Function.Value
		i, f, g, o := gate.Apply(c, s.sum(0)), gate.Apply(c, s.sum(1)), act.Apply(c, s.sum(2)), gate.Apply(c, s.sum(3))
		cell := c.Multiply(i, g)
		if s.cell != nil {
			cell = c.Add(c.Multiply(f, s.cell), cell)
		}
		s.h, s.cell = c.Multiply(o, act.Apply(c, cell)), cell
	})
}

// bias returns the parameter, nil if there is none.
func (r *recurrent) bias(c *Call) *ops.Tensor {
	if !r.UseBias {
		return nil
	}
	return c.Param(2)
}

// drops reports whether this call zeroes elements of the state.
func (r *recurrent) drops(c *Call) bool { return c.Training() && r.RecurrentDropout > 0 }

// usual reports the activations for which there are kernels.
func usual(cell, gate Object[ActivationFunction]) bool {
	a, ok := cell.Value.(ActivationKind)
	b, also := gate.Value.(ActivationKind)
	return ok && also && a == Tanh && b == Sigmoid
}

// fused computes all steps as one operation, behind one product of all inputs.
func (r *recurrent) fused(c *Call, cell ops.Cell, act kernels.Activation, bias, inner *ops.Tensor) *ops.Tensor {
	x, steps, random := c.In(0), c.InShape(0)[0], rand.Source(nil)
	if c.Training() && r.Dropout > 0 {
		random = c.Random()
		x = c.Multiply(x, c.Repeat(r.drawn(c, x.Cols/steps, r.Dropout, random), steps))
	}
	each := c.Dense(c.vectors(x, c.InShape(0)), c.Param(0), bias, kernels.Linear)
	x = c.Reshape(each, x.Rows, steps*each.Cols)
	return c.Recurrent(x, c.Param(1), inner, c.Mask(0), ops.Recurrence{Cell: cell, Act: act, Steps: steps, Backwards: r.Backwards})
}

// drawn returns factors, 0 or 1/(1-rate), for a vector of each sample.
func (r *recurrent) drawn(c *Call, width int, rate float64, random rand.Source) *ops.Tensor {
	return c.Dropout(c.Full(c.In(0).Rows, width, 1), rate, random)
}

// unrolled is a recurrence that is computed operation by operation. Its lists keep their memory from call to call.
type unrolled struct {
	r       *recurrent
	c       *Call
	in      []*ops.Tensor // what the input gives to each gate, for all steps of a sample
	kernels []*ops.Tensor // of the state, by gate
	biases  []*ops.Tensor // of the state's products; empty: there are none
	drops   []*ops.Tensor // factors of the state, by gate; empty: nothing is dropped
	all     []*ops.Tensor // states by step
	time    int
	h, cell *ops.Tensor // before the step and then after it; nil: zero
}

// x returns what the input of this step gives to a gate.
func (s *unrolled) x(gate int) *ops.Tensor {
	return s.c.Slice(s.in[gate], s.time*s.r.Units, (s.time+1)*s.r.Units)
}

// dropped returns the state h as a gate sees it.
func (s *unrolled) dropped(gate int, h *ops.Tensor) *ops.Tensor {
	if len(s.drops) == 0 {
		return h
	}
	return s.c.Multiply(h, s.drops[gate])
}

// product returns what the state gives to a gate, nil for a state of zeros.
func (s *unrolled) product(gate int, h *ops.Tensor) *ops.Tensor {
	if h == nil {
		return nil
	}
	var bias *ops.Tensor
	if len(s.biases) > 0 {
		bias = s.biases[gate]
	}
	return s.c.Dense(s.dropped(gate, h), s.kernels[gate], bias, kernels.Linear)
}

// sum returns what input and state give to a gate.
func (s *unrolled) sum(gate int) *ops.Tensor {
	x := s.x(gate)
	if product := s.product(gate, s.h); product != nil {
		return s.c.Add(x, product)
	}
	if len(s.biases) > 0 {
		return s.c.Affine(x, nil, s.biases[gate])
	}
	return x
}

func (r *recurrent) unrolled(c *Call, gates int, step func(s *unrolled)) *ops.Tensor {
	return r.unrolledWith(c, gates, r.bias(c), nil, step)
}

// unrolledWith computes the states of all steps with a bias for the input's products and one for the state's.
func (r *recurrent) unrolledWith(c *Call, gates int, bias, inner *ops.Tensor, step func(s *unrolled)) *ops.Tensor {
	steps, features := c.InShape(0)[0], c.InShape(0)[1]
	s := &c.unrolled
	*s = unrolled{r: r, c: c, in: s.in[:0], kernels: s.kernels[:0], biases: s.biases[:0], drops: s.drops[:0], all: s.all}
	part := func(x *ops.Tensor, gate int) *ops.Tensor {
		if x == nil {
			return nil
		}
		return c.Slice(x, gate*r.Units, (gate+1)*r.Units)
	}
	random := rand.Source(nil)
	if c.Training() && (r.Dropout > 0 || r.RecurrentDropout > 0) {
		random = c.Random()
	}
	var factors *ops.Tensor
	for gate := range gates {
		x := c.In(0)
		if c.Training() && r.Dropout > 0 {
			if gate == 0 || r.drops(c) { // as Keras: one for all gates unless the state has several, too
				factors = c.Repeat(r.drawn(c, features, r.Dropout, random), steps)
			}
			x = c.Multiply(x, factors)
		}
		each := c.Dense(c.vectors(x, c.InShape(0)), part(c.Param(0), gate), part(bias, gate), kernels.Linear)
		s.in = append(s.in, c.Reshape(each, x.Rows, steps*r.Units))
		s.kernels = append(s.kernels, part(c.Param(1), gate))
		if inner != nil {
			s.biases = append(s.biases, part(inner, gate))
		}
		if r.drops(c) {
			s.drops = append(s.drops, r.drawn(c, r.Units, r.RecurrentDropout, random))
		}
	}
	all := slices.Grow(s.all[:0], steps)[:steps]
	s.all = all
	for i := range steps {
		if s.time = i; r.Backwards {
			s.time = steps - 1 - i
		}
		h, cell := s.h, s.cell
		step(s)
		if mask := c.Mask(0); mask != nil {
			mask = c.Slice(mask, s.time, s.time+1)
			s.h, s.cell = s.kept(mask, h, s.h), s.kept(mask, cell, s.cell)
		}
		all[s.time] = s.h
	}
	return c.Concatenate(all...)
}

// kept returns after for samples whose step counts and before for the others.
func (s *unrolled) kept(mask, before, after *ops.Tensor) *ops.Tensor {
	if after == nil {
		return nil
	}
	y := s.c.MaskRows(after, mask)
	if before != nil {
		y = s.c.Add(y, s.c.MaskRows(before, s.c.Unequal(mask, 1)))
	}
	return y
}
