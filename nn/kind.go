package nn

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/ops"
)

// A Kind is a class of layers. Its exported fields are the configuration of a layer, see [Register]; parameters belong to
// the [Layer]. A layer is written once: what Forward does is what training differentiates, what a plan serves, and what
// files and drawings are about.
type Kind interface {
	// Build returns the shape of the result for inputs of the given shapes, and tells b which parameters are needed. It is
	// called for each call of the layer, which all share the parameters, and reports with b.Errorf what it cannot take.
	Build(b *Builder, in []Shape) Shape
	// Forward computes one call. The result has a row for each sample, with the elements of the shape that Build gave.
	Forward(c *Call) *ops.Tensor
}

// Activated is a [Kind] whose result ends in an activation, which Forward takes from c.Act: that is Linear where a loss
// includes the activation.
type Activated interface {
	Kind
	Activation() ActivationFunction
}

// A Builder takes what a [Kind] needs for one call.
type Builder struct {
	in     []*Node
	params []*param
	inner  []inner
	same   sameness
	limit  int // of the indices that input 0 must hold; 0: any values
	kept   any // for Forward
	err    error
}

// Errorf reports what is wrong with the call. The first error counts.
func (b *Builder) Errorf(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// One returns the shape of the only input; anything else than one is an error, with (1) as the shape.
func (b *Builder) One(in []Shape) Shape {
	if len(in) != 1 {
		b.Errorf("called on %d nodes, takes 1", len(in))
		return Shape{1}
	}
	return in[0]
}

// Param asks for a parameter. A vector has one axis; of more, all but the last are the rows of its matrix. Forward has it as
// c.Param(i), in the order of these calls.
func (b *Builder) Param(name string, shape Shape, init Initializer) {
	if err := shape.check(); err != nil {
		b.Errorf("%s: %w", name, err)
		return
	}
	if init == nil {
		b.Errorf("%s: the initializer is nil", name)
		return
	}
	b.fits(name, init, shape)
	b.params = append(b.params, &param{name: name, shape: shape, init: init})
}

// Keep hands what Build has found out about the call on to Forward, as c.Kept(), so that it need not be found out in each step.
func (b *Builder) Keep(v any) { b.kept = v }

// State asks for a parameter that no optimizer changes, such as a moving average: in training Forward says what it becomes,
// see [Call.Update]. It is saved with the others and counts as not trainable.
func (b *Builder) State(name string, shape Shape, init Initializer) {
	n := len(b.params)
	if b.Param(name, shape, init); len(b.params) > n {
		b.params[n].state = true
	}
}

// Regularize adds a penalty of the parameter that was asked for last to the loss, nil for none.
func (b *Builder) Regularize(r Regularizer) {
	if r != nil && b.err == nil {
		p := b.params[len(b.params)-1]
		p.regularizer = r
		b.check(p.name, "regularizer", r, p.shape)
	}
}

// Constrain keeps the parameter that was asked for last to a constraint, nil for none.
func (b *Builder) Constrain(c Constraint) {
	if c != nil && b.err == nil {
		p := b.params[len(b.params)-1]
		p.constraint = c
		b.check(p.name, "constraint", c, p.shape)
	}
}

// check reports what is not registered, or does not fit a shape.
func (b *Builder) check(name, word string, v any, shape Shape) {
	if _, err := classOf(v); err != nil {
		b.Errorf("%s: the %s %w", name, word, err)
		return
	}
	b.fits(name, v, shape)
}

// fits reports what does not fit a shape.
func (b *Builder) fits(name string, v any, shape Shape) {
	if err := checkFits(v, shape); err != nil {
		b.Errorf("%s: %w", name, err)
	}
}

func checkFits(v any, shape Shape) error {
	if c, ok := v.(interface{ Check(Shape) error }); ok {
		return c.Check(shape)
	}
	return nil
}

// Indices says that the values of the only input must be whole numbers from 0 to n-1. The layer must then be called on an
// [Input], or on what gives its values on, such as a [Flatten] of it: data are checked before they are used.
func (b *Builder) Indices(n int) {
	if b.limit = n; b.err != nil {
		return
	}
	if x := b.in[0].origin(); !isSource(x) {
		b.Errorf("called on the result of a layer of class %s, must be called on an Input, or on a Reshape or Flatten of one", x.layer.Class())
	}
}

// Same says that the result has the values of the first input, which mostly is the only one, as they are.
func (b *Builder) Same() { b.same = sameAlways }

// SameInServing says that the result has the values of the only input except in training.
func (b *Builder) SameInServing() { b.same = sameInServing }

// A sameness is whether a node has the values of its operand.
type sameness uint8

const (
	sameNever sameness = iota
	sameInServing
	sameAlways
)

// adopt makes the parameters that the first call asks for those of the layer. Later calls must ask for the same shapes.
func (l *Layer) adopt(params []*param) error {
	if !l.built {
		l.params, l.built = params, true
		return nil
	}
	if len(params) != len(l.params) {
		return fmt.Errorf("has %d weights, this call asks for %d", len(l.params), len(params))
	}
	var errs []error
	for i, p := range params {
		if have := l.params[i]; have.shape.String() != p.shape.String() {
			errs = append(errs, fmt.Errorf("%s is %s, this call asks for %s", p.name, have.shape, p.shape))
		}
	}
	return errors.Join(errs...)
}
