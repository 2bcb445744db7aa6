package onnx

import (
	"math"
	"slices"
)

// What moves elements and computes none.

func runReshape(c *call) {
	x := c.arg(0)
	var to []int
	if c.version >= 5 {
		to = slices.Clone(c.constants(1))
	} else {
		to = slices.Clone(c.integers("shape"))
	}
	open := -1
	for i, d := range to {
		switch {
		case d == 0 && !c.flag("allowzero"):
			if i >= len(x.shape) {
				c.fail("shape %v keeps dimension %d, the input %v has none", to, i, x.shape)
			}
			to[i] = x.shape[i]
		case d == -1 && open < 0:
			open = i
		case d < 0:
			c.fail("shape %v has more than one dimension below 0", to)
		}
	}
	if open >= 0 {
		to[open] = 1
		n, err := size(to)
		if err != nil {
			c.fail("%w", err)
		}
		if n > 0 {
			to[open] = x.len() / n
		}
	}
	if n, err := size(to); err != nil || n != x.len() {
		c.fail("shape %v has not as many elements as the input %v", to, x.shape)
	}
	c.alias(0, x, to)
}

func runFlatten(c *call) {
	x := c.arg(0)
	axis := c.integer("axis", 1)
	if axis != len(x.shape) {
		axis = c.axis(axis, len(x.shape))
	}
	c.alias(0, x, []int{product(x.shape[:axis]), product(x.shape[axis:])})
}

func runSqueeze(c *call) {
	x := c.arg(0)
	axes, ok := c.listed("axes", 1, 13)
	if ok {
		axes = c.axes(axes, len(x.shape))
	}
	var shape []int
	for i, d := range x.shape {
		if drop := slices.Contains(axes, i); drop && d != 1 {
			c.fail("drops axis %d of %v, which is not 1", i, x.shape)
		} else if !drop && (ok || d != 1) {
			shape = append(shape, d)
		}
	}
	c.alias(0, x, shape)
}

func runUnsqueeze(c *call) {
	x := c.arg(0)
	axes, ok := c.listed("axes", 1, 13)
	if !ok || len(axes) > maxRank {
		c.fail("has no axes")
	}
	axes = c.axes(axes, len(x.shape)+len(axes))
	shape := slices.Clone(x.shape)
	for _, a := range axes {
		shape = slices.Insert(shape, a, 1)
	}
	c.alias(0, x, shape)
}

// permutation returns the order of the axes that a Transpose makes.
func (c *call) permutation() []int {
	rank := len(c.arg(0).shape)
	perm := c.integers("perm")
	if perm == nil {
		for i := rank - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	if sorted := c.axes(perm, rank); len(sorted) != rank {
		c.fail("perm %v must have each of %d axes", perm, rank)
	}
	return perm
}

func runTranspose(c *call) {
	x, perm := c.arg(0), c.permutation()
	s, shape, from := strides(x.shape), make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		p = c.axis(p, len(perm))
		shape[i], from[i] = x.shape[p], s[p]
	}
	y := c.result(0, x.elem, shape)
	if c.compute(y, 1, x) {
		walk(shape, from, func(i, at int) { y.values[i] = x.data()[at] })
	}
}

func runExpand(c *call) {
	x := c.arg(0)
	to := c.constants(1)
	if _, err := size(to); err != nil {
		c.fail("%w", err)
	}
	y := c.result(0, x.elem, c.broadcast(x, &tensor{shape: to}))
	if c.compute(y, 1, x) {
		walk(y.shape, spread(x.shape, y.shape), func(i, at int) { y.values[i] = x.data()[at] })
	}
}

func runTile(c *call) {
	x, times := c.arg(0), c.constants(1)
	if len(times) != len(x.shape) {
		c.fail("repeats %v must have a number for each axis of %v", times, x.shape)
	}
	shape := make([]int, len(times))
	for i, n := range times {
		if n < 0 || n > maxElements {
			c.fail("repeats %v, valid are 0 to %d", times, maxElements)
		}
		if shape[i] = x.shape[i] * n; x.shape[i] > 0 && n > maxElements/x.shape[i] {
			c.fail("repeats %v times shape %v is too large", times, x.shape)
		}
	}
	y := c.result(0, x.elem, shape)
	if c.compute(y, 2, x) {
		c.gather(y, x, func(to, from []int) bool {
			for i, d := range x.shape {
				from[i] = to[i] % d
			}
			return true
		}, 0)
	}
}

// gather fills y with the elements of x at the indices that from says, and with a value where it says none.
func (c *call) gather(y, x *tensor, from func(to, from []int) bool, otherwise float64) {
	s, v := strides(x.shape), x.data()
	index := make([]int, len(x.shape))
	each(y.shape, func(i int, to []int) {
		if !from(to, index) {
			y.values[i] = otherwise
			return
		}
		at := 0
		for j, k := range index {
			at += k * s[j]
		}
		y.values[i] = v[at]
	})
}

// each calls f with each index of a shape.
func each(shape []int, f func(i int, index []int)) {
	index := make([]int, len(shape))
	for i := range product(shape) {
		f(i, index)
		for axis := len(shape) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
}

func (c *call) concatAxis() int {
	otherwise := 0
	if c.version < 4 {
		otherwise = 1
	}
	return c.oneAxis(otherwise)
}

func runConcat(c *call) {
	axis := c.concatAxis()
	shape := slices.Clone(c.arg(0).shape)
	shape[axis] = 0
	for i := range c.in {
		x := c.arg(i)
		if len(x.shape) != len(shape) || !slices.Equal(x.shape[:axis], shape[:axis]) || !slices.Equal(x.shape[axis+1:], shape[axis+1:]) {
			c.fail("input %d has shape %v, which differs from %v in more than axis %d", i, x.shape, c.in[0].shape, axis)
		}
		if shape[axis] += x.shape[axis]; shape[axis] > maxElements {
			c.fail("the result is too large")
		}
	}
	y := c.result(0, c.in[0].elem, shape)
	if !c.compute(y, 1, c.in...) {
		return
	}
	outer, row, from := product(shape[:axis]), product(shape[axis:]), 0
	for _, x := range c.in {
		n := product(x.shape[axis:])
		for o := range outer {
			copy(y.values[o*row+from:o*row+from+n], x.data()[o*n:])
		}
		from += n
	}
}

// splits returns the sizes of the parts of a Split.
func (c *call) splits() []int {
	n, total := len(c.outputs), c.arg(0).shape[c.oneAxis(0)]
	list, ok := c.listed("split", 1, 13)
	if ok {
		sum := 0
		for _, s := range list {
			if s < 0 || s > total {
				c.fail("splits %d elements into %v", total, list)
			}
			sum += s
		}
		if sum != total || len(list) != n {
			c.fail("splits %d elements into %v for %d outputs", total, list, n)
		}
		return list
	}
	if n == 0 {
		c.fail("has no outputs")
	}
	each := (total + n - 1) / n
	for i := range n {
		list = append(list, min(each, max(0, total-i*each)))
	}
	return list
}

func runSplit(c *call) {
	x, axis := c.arg(0), c.oneAxis(0)
	outer, row, from := product(x.shape[:axis]), product(x.shape[axis:]), 0
	for i, n := range c.splits() {
		shape := slices.Clone(x.shape)
		shape[axis] = n
		y := c.result(i, x.elem, shape)
		n *= product(shape[axis+1:])
		if c.compute(y, 1, x) {
			for o := range outer {
				copy(y.values[o*n:(o+1)*n], x.data()[o*row+from:])
			}
		}
		from += n
	}
}

// A cut is what a Slice leaves of an axis: n elements from start on, step apart.
type cut struct{ start, step, n int }

func (c *call) cuts() []cut {
	x := c.arg(0)
	cuts := make([]cut, len(x.shape))
	for i, d := range x.shape {
		cuts[i] = cut{0, 1, d}
	}
	var starts, ends, axes, steps []int
	if c.version < 10 {
		starts, ends, axes = c.integers("starts"), c.integers("ends"), c.integers("axes")
	} else {
		starts, ends = c.constants(1), c.constants(2)
		if c.has(3) {
			axes = c.constants(3)
		}
		if c.has(4) {
			steps = c.constants(4)
		}
	}
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if len(starts) != len(ends) || len(axes) != len(ends) || steps != nil && len(steps) != len(ends) {
		c.fail("has %d starts, %d ends, %d axes and %d steps", len(starts), len(ends), len(axes), len(steps))
	}
	for i, a := range axes {
		a = c.axis(a, len(x.shape))
		d, start, end, step := x.shape[a], starts[i], ends[i], 1
		if steps != nil {
			step = steps[i]
		}
		if step == 0 || step < -maxElements || step > maxElements {
			c.fail("has a step of %d", step)
		}
		if start < 0 {
			start += d
		}
		if end < 0 {
			end += d
		}
		if step > 0 {
			start, end = min(max(start, 0), d), min(max(end, 0), d)
			cuts[a] = cut{start, step, max(0, (end-start+step-1)/step)}
		} else {
			start, end = min(max(start, 0), d-1), min(max(end, -1), d-1)
			cuts[a] = cut{start, step, max(0, (end-start+step+1)/step)}
		}
	}
	return cuts
}

func runSlice(c *call) {
	x, cuts := c.arg(0), c.cuts()
	shape := make([]int, len(cuts))
	for i, k := range cuts {
		shape[i] = k.n
	}
	y := c.result(0, x.elem, shape)
	if c.compute(y, 2, x) {
		c.gather(y, x, func(to, from []int) bool {
			for i, k := range cuts {
				from[i] = k.start + to[i]*k.step
			}
			return true
		}, 0)
	}
}

// index returns v as an index of n, counted from behind if it is negative.
func (c *call) index(v float64, n int) int {
	i := whole(v)
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		c.fail("index %v is not one of %d", v, n)
	}
	return i
}

func runGather(c *call) {
	x, at, axis := c.arg(0), c.arg(1), c.oneAxis(0)
	shape := slices.Concat(x.shape[:axis], at.shape, x.shape[axis+1:])
	y := c.result(0, x.elem, shape)
	if at.known {
		for _, v := range at.data() {
			c.index(v, x.shape[axis])
		}
	}
	if !c.compute(y, 1, x, at) {
		return
	}
	outer, n, inner, k := product(x.shape[:axis]), x.shape[axis], product(x.shape[axis+1:]), at.len()
	for j, v := range at.data() {
		from := c.index(v, n)
		for o := range outer {
			copy(y.values[(o*k+j)*inner:(o*k+j+1)*inner], x.data()[(o*n+from)*inner:])
		}
	}
}

func runGatherElements(c *call) {
	x, at, axis := c.arg(0), c.arg(1), c.oneAxis(0)
	if len(at.shape) != len(x.shape) {
		c.fail("indices %v must have as many axes as %v", at.shape, x.shape)
	}
	for i, d := range at.shape {
		if i != axis && d > x.shape[i] {
			c.fail("indices %v reach beyond %v", at.shape, x.shape)
		}
	}
	y := c.result(0, x.elem, at.shape)
	if c.compute(y, 2, x, at) {
		i := 0
		c.gather(y, x, func(to, from []int) bool {
			copy(from, to)
			from[axis] = c.index(at.data()[i], x.shape[axis])
			i++
			return true
		}, 0)
	}
}

func runGatherND(c *call) {
	x, at, b := c.arg(0), c.arg(1), c.integer("batch_dims", 0)
	k := 0
	if len(at.shape) > 0 {
		k = at.shape[len(at.shape)-1]
	}
	if b < 0 || k < 1 || len(at.shape) <= b || b+k > len(x.shape) || !slices.Equal(at.shape[:b], x.shape[:b]) {
		c.fail("indices %v do not fit %v", at.shape, x.shape)
	}
	lead := at.shape[:len(at.shape)-1]
	y := c.result(0, x.elem, slices.Concat(lead, x.shape[b+k:]))
	if !c.compute(y, 2, x, at) {
		return
	}
	inner := product(x.shape[b+k:])
	s := strides(x.shape)
	each(lead, func(i int, to []int) {
		from := 0
		for j := range b {
			from += to[j] * s[j]
		}
		for j := range k {
			from += c.index(at.data()[i*k+j], x.shape[b+j]) * s[b+j]
		}
		copy(y.values[i*inner:(i+1)*inner], x.data()[from:])
	})
}

// join returns what a scatter makes of an element and an update.
func (c *call) join() func(a, b float64) float64 {
	switch r := c.text("reduction", "none"); r {
	case "none":
		return func(_, b float64) float64 { return b }
	case "add":
		return func(a, b float64) float64 { return a + b }
	case "mul":
		return func(a, b float64) float64 { return a * b }
	case "max":
		return func(a, b float64) float64 { return max(a, b) }
	case "min":
		return func(a, b float64) float64 { return min(a, b) }
	default:
		c.fail("reduction %q is unknown: valid are none, add, mul, max and min", r)
		return nil
	}
}

func runScatterElements(c *call) {
	x, at, update, axis, join := c.arg(0), c.arg(1), c.arg(2), c.oneAxis(0), c.join()
	if len(at.shape) != len(x.shape) || !slices.Equal(at.shape, update.shape) {
		c.fail("indices %v and updates %v do not fit %v", at.shape, update.shape, x.shape)
	}
	for i, d := range at.shape {
		if i != axis && d > x.shape[i] {
			c.fail("indices %v reach beyond %v", at.shape, x.shape)
		}
	}
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 1, x, at, update) {
		return
	}
	c.spend(at.len())
	copy(y.values, x.data())
	s := strides(x.shape)
	each(at.shape, func(i int, index []int) {
		to := c.index(at.data()[i], x.shape[axis]) * s[axis]
		for j, k := range index {
			if j != axis {
				to += k * s[j]
			}
		}
		y.values[to] = join(y.values[to], update.data()[i])
	})
}

func runScatterND(c *call) {
	x, at, update, join := c.arg(0), c.arg(1), c.arg(2), c.join()
	k := 0
	if len(at.shape) > 0 {
		k = at.shape[len(at.shape)-1]
	}
	if k < 1 || k > len(x.shape) || !slices.Equal(update.shape, slices.Concat(at.shape[:len(at.shape)-1], x.shape[k:])) {
		c.fail("indices %v and updates %v do not fit %v", at.shape, update.shape, x.shape)
	}
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 1, x, at, update) {
		return
	}
	c.spend(update.len())
	copy(y.values, x.data())
	inner, s := product(x.shape[k:]), strides(x.shape)
	for i := range at.len() / k {
		to := 0
		for j := range k {
			to += c.index(at.data()[i*k+j], x.shape[j]) * s[j]
		}
		for j := range inner {
			y.values[to+j] = join(y.values[to+j], update.data()[i*inner+j])
		}
	}
}

// pads returns what a Pad puts before and behind each axis.
func (c *call) pads() (before, behind []int) {
	x := c.arg(0)
	rank := len(x.shape)
	var list, axes []int
	switch {
	case c.version >= 11:
		list = c.constants(1)
	case c.version >= 2:
		list = c.integers("pads")
	default:
		list = c.integers("paddings")
	}
	for i := range rank {
		axes = append(axes, i)
	}
	if c.has(3) {
		axes = c.constants(3)
		c.axes(axes, rank)
	}
	if len(list) != 2*len(axes) {
		c.fail("has %d pads for %d axes", len(list), len(axes))
	}
	before, behind = make([]int, rank), make([]int, rank)
	for i, a := range axes {
		a = c.axis(a, rank)
		before[a], behind[a] = list[i], list[len(axes)+i]
		if min(before[a], behind[a]) < -maxElements || max(before[a], behind[a]) > maxElements {
			c.fail("pads %v are out of range", list)
		}
	}
	return before, behind
}

func runPad(c *call) {
	x := c.arg(0)
	before, behind := c.pads()
	mode, value := c.text("mode", "constant"), c.float("value", 0)
	if c.version >= 11 && c.has(2) {
		v := c.constant(2)
		if len(v) != 1 {
			c.fail("input 2 has %d values, must have 1", len(v))
		}
		value = v[0]
	}
	shape := make([]int, len(x.shape))
	for i, d := range x.shape {
		if shape[i] = d + before[i] + behind[i]; shape[i] > 0 && d == 0 && mode != "constant" {
			c.fail("pads an empty axis of %v", x.shape)
		}
		if reach := max(before[i], behind[i]); mode == "reflect" && reach >= max(d, 1) && reach > 0 {
			c.fail("reflects %d elements of an axis of %d", reach, d)
		}
	}
	if !slices.Contains([]string{"constant", "reflect", "edge", "wrap"}, mode) {
		c.fail("mode %q is unknown: valid are constant, reflect, edge and wrap", mode)
	}
	y := c.result(0, x.elem, shape)
	if !c.compute(y, 3, x) {
		return
	}
	c.gather(y, x, func(to, from []int) bool {
		for i, d := range x.shape {
			at := to[i] - before[i]
			if at < 0 || at >= d {
				switch mode {
				case "constant":
					return false
				case "edge":
					at = min(max(at, 0), d-1)
				case "wrap":
					at = (at%d + d) % d
				case "reflect":
					if at < 0 {
						at = -at
					} else {
						at = 2*(d-1) - at
					}
				}
			}
			from[i] = at
		}
		return true
	}, value)
}

func runTrilu(c *call) {
	x, k := c.arg(0), 0
	if len(x.shape) < 2 {
		c.fail("takes matrices, the input has shape %v", x.shape)
	}
	if c.has(1) {
		list := c.constants(1)
		if len(list) != 1 {
			c.fail("input 1 has %d values, must have 1", len(list))
		}
		k = list[0]
	}
	upper := c.integer("upper", 1) != 0
	y := c.result(0, x.elem, x.shape)
	if c.compute(y, 2, x) {
		n := len(x.shape)
		each(x.shape, func(i int, index []int) {
			if d := index[n-1] - index[n-2]; d == k || d > k == upper {
				y.values[i] = x.data()[i]
			}
		})
	}
}

func runOneHot(c *call) {
	x, depth, values := c.arg(0), c.constants(1), c.arg(2)
	if len(depth) != 1 || depth[0] < 0 || values.len() != 2 {
		c.fail("has a depth of %v and %d values, must have one of each kind", depth, values.len())
	}
	axis := c.axis(c.integer("axis", -1), len(x.shape)+1)
	shape := slices.Insert(slices.Clone(x.shape), axis, depth[0])
	y := c.result(0, values.elem, shape)
	if !c.compute(y, 2, x, values) {
		return
	}
	for i := range y.values {
		y.values[i] = values.data()[0]
	}
	inner := product(shape[axis+1:])
	for i, v := range x.data() {
		if v < 0 {
			v += float64(depth[0])
		}
		if k := whole(v); v >= 0 && k < depth[0] {
			y.values[(i/inner*depth[0]+k)*inner+i%inner] = values.data()[1]
		}
	}
}

// list makes output 0 a known vector of whole numbers.
func (c *call) list(shape []int, values ...float64) {
	y := c.result(0, typeInt64, shape)
	c.spend(len(values))
	y.known, y.values = true, values
}

func runShape(c *call) {
	x := c.arg(0)
	n := len(x.shape)
	clip := func(i int) int {
		if i < 0 {
			i += n
		}
		return min(max(i, 0), n)
	}
	from, to := clip(c.integer("start", 0)), clip(c.integer("end", n))
	values := []float64{}
	for i := from; i < to; i++ {
		values = append(values, float64(x.shape[i]))
	}
	c.list([]int{len(values)}, values...)
}

func runSize(c *call) { c.list(nil, float64(c.arg(0).len())) }

func runConstant(c *call) {
	for _, a := range c.attributes {
		switch {
		case a.name == "value" && a.t != nil:
			t, err := newConstant(a.t)
			if err != nil {
				c.fail("value %w", err)
			}
			c.out[0] = t
		case a.name == "value_float" || a.name == "value_floats":
			list := a.floats
			var shape []int
			if a.name == "value_float" {
				list = []float32{a.f}
			} else {
				shape = []int{len(list)}
			}
			y := c.result(0, typeFloat, shape)
			y.known = true
			for _, v := range list {
				y.values = append(y.values, float64(v))
			}
		case a.name == "value_int" || a.name == "value_ints":
			list := a.ints
			var shape []int
			if a.name == "value_int" {
				list = []int64{a.i}
			} else {
				shape = []int{len(list)}
			}
			y := c.result(0, typeInt64, shape)
			y.known = true
			for _, v := range list {
				y.values = append(y.values, float64(v))
			}
		case a.name == "value_string" || a.name == "value_strings":
			c.out[0] = &tensor{elem: typeString, lost: "strings"}
		}
	}
	if len(c.out) != 1 || c.out[0] == nil {
		c.fail("has no value that is supported")
	}
}

func runConstantOfShape(c *call) {
	value, elem := 0.0, int64(typeFloat)
	if a := c.attribute("value", kindTensor); a != nil {
		t, err := newConstant(a.t)
		if err != nil {
			c.fail("value %w", err)
		}
		if t.lost != "" || t.len() != 1 {
			c.fail("value has shape %v, must have one number", t.shape)
		}
		value, elem = t.data()[0], t.elem
	}
	y := c.result(0, elem, c.constants(0))
	if c.compute(y, 1) {
		for i := range y.values {
			y.values[i] = value
		}
	}
}

func runRange(c *call) {
	var v [3]float64
	for i := range v {
		list := c.constant(i)
		if len(list) != 1 {
			c.fail("input %d has %d values, must have 1", i, len(list))
		}
		v[i] = list[0]
	}
	n := math.Ceil((v[1] - v[0]) / v[2])
	if n != n || n > maxElements {
		c.fail("counts from %v to %v by %v", v[0], v[1], v[2])
	}
	y := c.result(0, c.arg(0).elem, []int{int(max(n, 0))})
	if c.compute(y, 1) {
		for i := range y.values {
			y.values[i] = v[0] + float64(float64(i)*v[2])
		}
	}
}
