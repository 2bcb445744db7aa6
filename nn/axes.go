package nn

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

// An AxisOption says along which axes a layer works.
type AxisOption []int

// Axis says along which axes a layer works. As in Keras they are counted with the batch, which is axis 0 and must not be among
// them: 1 is the first axis of a sample, and -1 the last one. Layers that normalize or apply a softmax take several axes,
// others one. The default is -1.
func Axis(axes ...int) AxisOption { return axes }

func (o AxisOption) applyLayer(l *Layer) {
	configure(l, "Axis", func(k interface{ alongAxes() *axes }) { *k.alongAxes() = axes(slices.Clone(o)) })
}

// axes are those that Axis sets: in a configuration a number, a list of them, or null for none.
type axes []int

func (a *axes) alongAxes() *axes { return a }

func (a axes) MarshalJSON() ([]byte, error) {
	switch len(a) {
	case 0:
		return []byte("null"), nil
	case 1:
		return json.Marshal(a[0])
	}
	return json.Marshal([]int(a))
}

func (a *axes) UnmarshalJSON(text []byte) error {
	if text = bytes.TrimSpace(text); len(text) > 0 && text[0] != '[' && text[0] != 'n' {
		*a = axes{0}
		return json.Unmarshal(text, &(*a)[0])
	}
	var list Shape // which bounds the length
	err := list.UnmarshalJSON(text)
	*a = axes(list)
	return err
}

// has reports whether axis i of a sample with rank axes is among them.
func (a axes) has(i, rank int) bool {
	return slices.Contains(a, i+1) || slices.Contains(a, i-rank)
}

// check reports what is no axis of a sample, and one that is there twice.
func (a axes) check(b *Builder, x Shape) {
	n := 0
	for i := range x {
		if a.has(i, len(x)) {
			n++
		}
	}
	if n != len(a) || n == 0 {
		b.Errorf("axis is %v; of shape %s these are valid, each once: 1 to %d, and -1 to -%d from the end", []int(a), x, len(x), len(x))
	}
}

// one returns the only axis, as an index of the shape of a sample.
func (a axes) one(b *Builder, x Shape) int {
	a.check(b, x)
	if len(a) != 1 {
		b.Errorf("axis is %v, must be a single one", []int(a))
	}
	return a.index(len(x))
}

// index returns the first of the axes of a sample with rank axes.
func (a axes) index(rank int) int {
	for i := range rank {
		if a.has(i, rank) {
			return i
		}
	}
	return 0
}

// sizes returns the sizes of the axes in the order in which a shape has them.
func (a axes) sizes(x Shape) (s Shape) {
	for i, d := range x {
		if a.has(i, len(x)) {
			s = append(s, d)
		}
	}
	return s
}

// along returns op of input 0, with a row for each sample. op gets and returns a row for each vector along the axes, which has
// the elements of all of them.
func (c *Call) along(a axes, op func(x *ops.Tensor) *ops.Tensor) *ops.Tensor {
	shape := c.InShape(0)
	return c.rearranged(c.In(0), shape, func(i int) bool { return a.has(i, len(shape)) }, op)
}

// rearranged is along for samples of any shape, and any axes of it.
func (c *Call) rearranged(x *ops.Tensor, shape Shape, inner func(axis int) bool, op func(x *ops.Tensor) *ops.Tensor) *ops.Tensor {
	samples, width := x.Rows, 1
	order := c.order[:0]
	for i := range shape {
		if !inner(i) {
			order = append(order, i)
		}
	}
	for i, d := range shape {
		if inner(i) {
			order = append(order, i)
			width *= d
		}
	}
	c.order = order
	moved := !slices.IsSorted(order)
	if moved {
		x = c.Permute(x, shape, order)
	}
	y := op(c.Reshape(x, samples*shape.Elements()/width, width))
	if moved {
		from, back := c.from[:0], c.back[:0]
		for i := range order {
			from, back = append(from, shape[order[i]]), append(back, slices.Index(order, i))
		}
		c.from, c.back = from, back
		y = c.Permute(y, from, back)
	}
	return c.Reshape(y, samples, shape.Elements())
}

// spread returns samples of the shape from, or a single one, as samples of the shape to: an axis of size 1 is repeated, and
// missing ones come first.
func (c *Call) spread(x *ops.Tensor, from, to Shape) *ops.Tensor {
	samples, outer, inner := x.Rows, 1, from.Elements()
	for i, n := range to {
		d := 1
		if j := i - (len(to) - len(from)); j >= 0 {
			d = from[j]
		}
		inner /= d
		if d < n {
			x = c.Repeat(c.Reshape(x, samples*outer, inner), n)
		}
		outer *= n
	}
	return c.Reshape(x, samples, to.Elements())
}

// broadcast returns the shape that all inputs, at least two, can be spread to.
func (b *Builder) broadcast(in []Shape) Shape {
	if len(in) < 2 {
		b.Errorf("called on %d node, takes at least 2", len(in))
	}
	to := slices.Clone(in[0])
	for i, s := range in {
		for len(to) < len(s) {
			to = slices.Insert(to, 0, 1)
		}
		for j := range s {
			switch n := &to[len(to)-len(s)+j]; {
			case *n == 1:
				*n = s[j]
			case s[j] != 1 && s[j] != *n:
				b.Errorf("input %d has shape %s, those before have %s: axes must be equal, or 1", i, s, to)
			}
		}
	}
	return to
}
