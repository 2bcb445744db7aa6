package onnx

import (
	"fmt"
	"math"
	"slices"
)

// A call is one evaluation of a node. An operator says with [call.fail] what is wrong with it.
type call struct {
	*nodeProto
	version int64     // of the operators of the node's domain
	in      []*tensor // nil for one that is not given
	out     []*tensor
	budget  *int // numbers that may yet be computed; nil: any
}

// A failure is what fail throws and evaluate catches.
type failure struct{ error }

func (c *call) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// evaluate computes the outputs of a node, or their types and shapes where the inputs are not known.
func (c *call) evaluate() (err error) {
	o, ok := operators[c.key()]
	if !ok {
		return fmt.Errorf("unknown operator %s", c.op)
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.error
		default:
			panic(r)
		}
	}()
	c.out = make([]*tensor, len(c.outputs))
	o.run(c)
	for i, y := range c.out {
		if y == nil && c.outputs[i] != "" {
			c.fail("has an output %d %q that is not supported", i, c.outputs[i])
		}
		if y != nil && y.lost == "" && y.len() == 0 {
			y.known, y.values, y.proto = true, []float64{}, nil
		}
		if y != nil && y.known && y.proto == nil && y.elem != typeDouble {
			for j, v := range y.values {
				y.values[j] = round(y.elem, v)
			}
		}
	}
	return nil
}

// key is what operators are found by.
func (x *nodeProto) key() string {
	if x.domain == "" || x.domain == "ai.onnx" {
		return x.op
	}
	return x.domain + "." + x.op
}

// has reports whether input i is given.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil }

// wants reports whether output i is asked for.
func (c *call) wants(i int) bool { return i < len(c.outputs) && c.outputs[i] != "" }

// arg returns input i, which must be given.
func (c *call) arg(i int) *tensor {
	if !c.has(i) {
		c.fail("has no input %d", i)
	}
	return c.in[i]
}

// argOf returns input i, which must be given and have so many axes.
func (c *call) argOf(i, rank int) *tensor {
	x := c.arg(i)
	if len(x.shape) != rank {
		c.fail("input %d has shape %v, must have %d axes", i, x.shape, rank)
	}
	return x
}

// constant returns the values of input i, which must not depend on any input of the graph.
func (c *call) constant(i int) []float64 {
	x := c.arg(i)
	if !x.known {
		c.fail("input %d %q must be a constant", i, c.inputs[i])
	}
	return x.data()
}

// constants returns those of a list of whole numbers that fit an int.
func (c *call) constants(i int) []int {
	values := c.constant(i)
	if len(values) > 4*maxRank {
		c.fail("input %d has %d numbers, at most %d are possible", i, len(values), 4*maxRank)
	}
	y := make([]int, len(values))
	for j, v := range values {
		y[j] = whole(v)
	}
	return y
}

// whole returns v as an int, what is far out of range as the largest or smallest.
func whole(v float64) int { return int(min(max(v, -1<<52), 1<<52)) }

// result makes output i, which need not be asked for.
func (c *call) result(i int, elem int64, shape []int) *tensor {
	if _, err := size(shape); err != nil {
		c.fail("%w", err)
	}
	y := &tensor{elem: elem, shape: slices.Clone(shape)}
	if i < len(c.out) {
		c.out[i] = y
	}
	return y
}

// spend takes from what may be computed.
func (c *call) spend(n int) {
	if c.budget == nil {
		return
	}
	if *c.budget -= n; *c.budget < 0 || n < 0 {
		c.fail("asks for more constants than a file of this size should")
	}
}

// compute reports whether the values of y are to be computed: all of x are known. work is how many steps that takes for each
// of them.
func (c *call) compute(y *tensor, work int, x ...*tensor) bool {
	for _, x := range x {
		if x != nil && !x.known {
			return false
		}
	}
	n := y.len()
	if work > 0 && n > math.MaxInt/8/work {
		c.fail("is too large")
	}
	c.spend(max(1, work) * (n + 1))
	for _, x := range x {
		if x != nil && x.proto != nil && x.values == nil {
			c.spend(x.len())
			x.data()
		}
	}
	y.known, y.values = true, make([]float64, n)
	return true
}

// alias makes output i another shape of x.
func (c *call) alias(i int, x *tensor, shape []int) *tensor {
	y := c.result(i, x.elem, shape)
	y.known, y.values, y.proto = x.known, x.values, x.proto
	return y
}

// attribute returns the attribute of a name and kind, nil if there is none.
func (c *call) attribute(name string, kind int64) *attributeProto {
	for _, a := range c.attributes {
		if a.name != name {
			continue
		}
		if a.ref != "" || a.kind != kind || kind == kindTensor && a.t == nil {
			c.fail("attribute %q is of kind %d, must be %d", name, a.kind, kind)
		}
		return a
	}
	return nil
}

func (c *call) integer(name string, otherwise int) int {
	if a := c.attribute(name, kindInt); a != nil {
		return int(min(max(a.i, -1<<52), 1<<52))
	}
	return otherwise
}

func (c *call) flag(name string) bool { return c.integer(name, 0) != 0 }

func (c *call) float(name string, otherwise float64) float64 {
	if a := c.attribute(name, kindFloat); a != nil {
		return float64(a.f)
	}
	return otherwise
}

func (c *call) text(name, otherwise string) string {
	if a := c.attribute(name, kindString); a != nil {
		return string(a.s)
	}
	return otherwise
}

func (c *call) integers(name string) []int {
	a := c.attribute(name, kindInts)
	if a == nil {
		return nil
	}
	y := make([]int, len(a.ints))
	for i, v := range a.ints {
		y[i] = int(min(max(v, -1<<52), 1<<52))
	}
	return y
}

func (c *call) floats(name string) []float64 {
	a := c.attribute(name, kindFloats)
	if a == nil {
		return nil
	}
	y := make([]float64, len(a.floats))
	for i, v := range a.floats {
		y[i] = float64(v)
	}
	return y
}

// axis returns an axis of so many, counted from behind if it is negative.
func (c *call) axis(axis, rank int) int {
	if axis < -rank || axis >= rank {
		c.fail("axis %d is not one of %d", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis
}

// axes returns axes of so many, sorted.
func (c *call) axes(axes []int, rank int) []int {
	y := make([]int, len(axes))
	for i, a := range axes {
		y[i] = c.axis(a, rank)
	}
	slices.Sort(y)
	if len(slices.Compact(slices.Clone(y))) != len(y) {
		c.fail("axes %v name one twice", axes)
	}
	return y
}

// listed returns numbers that are an input since a version and an attribute before; ok is false where there are none.
func (c *call) listed(name string, input int, since int64) (list []int, ok bool) {
	if c.version >= since {
		if !c.has(input) {
			return nil, false
		}
		return c.constants(input), true
	}
	list = c.integers(name)
	return list, list != nil
}

// broadcast returns the shape to which all can be broadcast.
func (c *call) broadcast(x ...*tensor) []int {
	var shape []int
	for _, x := range x {
		for len(shape) < len(x.shape) {
			shape = slices.Insert(shape, 0, 1)
		}
		for i, d := range x.shape {
			at := &shape[len(shape)-len(x.shape)+i]
			switch {
			case *at == 1:
				*at = d
			case d != 1 && d != *at:
				c.fail("shapes %v and %v do not fit together", shape, x.shape)
			}
		}
	}
	return shape
}
