package onnx

import (
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// Along axes: reductions, and what is normalized or sorted along one.

// reduceAxes returns the axes that a reduction works along; none where it is asked to do nothing.
func (c *call) reduceAxes() []int {
	since := int64(18)
	if c.op == "ReduceSum" {
		since = 13
	}
	rank := len(c.arg(0).shape)
	list, ok := c.listed("axes", 1, since)
	if ok && len(list) > 0 {
		return c.axes(list, rank)
	}
	if c.flag("noop_with_empty_axes") {
		return nil
	}
	all := make([]int, rank)
	for i := range all {
		all[i] = i
	}
	return all
}

// reduced returns the shape of x with 1 along the axes, and the one that a reduction returns.
func reduced(x []int, axes []int, keep bool) (ones, shape []int) {
	ones = slices.Clone(x)
	for _, a := range axes {
		ones[a] = 1
	}
	for i, d := range ones {
		if keep || !slices.Contains(axes, i) {
			shape = append(shape, d)
		}
	}
	return ones, shape
}

func runReduce(c *call) {
	x := c.arg(0)
	axes := c.reduceAxes()
	ones, shape := reduced(x.shape, axes, c.integer("keepdims", 1) != 0)
	y := c.result(0, x.elem, shape)
	if !c.compute(y, max(1, x.len()/max(1, y.len())), x) {
		return
	}
	if y.len() == 0 {
		return
	}
	if c.op != "ReduceLogSumExp" || x.len() == 0 {
		start, f := 0.0, func(y, v float64) float64 { return y + v }
		switch c.op {
		case "ReduceProd":
			start, f = 1, func(y, v float64) float64 { return y * v }
		case "ReduceMax":
			start, f = least(x.elem), func(y, v float64) float64 { return max(y, v) }
		case "ReduceMin":
			start, f = -least(x.elem), func(y, v float64) float64 { return min(y, v) }
			if !isFloat(x.elem) {
				start = most(x.elem)
			}
		case "ReduceL1":
			f = func(y, v float64) float64 { return y + math.Abs(v) }
		case "ReduceL2", "ReduceSumSquare":
			f = func(y, v float64) float64 { return y + float64(v*v) }
		}
		for i := range y.values {
			y.values[i] = start
		}
		walk(x.shape, spread(ones, x.shape), func(i, at int) { y.values[at] = f(y.values[at], x.data()[i]) })
	}
	count := float64(x.len() / len(y.values))
	for i, v := range y.values {
		switch c.op {
		case "ReduceMean":
			y.values[i] = v / count
		case "ReduceL2":
			y.values[i] = math.Sqrt(v)
		case "ReduceLogSum":
			y.values[i] = portable.Log(v)
		}
	}
	if c.op == "ReduceLogSumExp" {
		top := make([]float64, len(y.values))
		for i := range top {
			top[i] = math.Inf(-1)
		}
		s := spread(ones, x.shape)
		walk(x.shape, s, func(i, at int) { top[at] = max(top[at], x.data()[i]) })
		walk(x.shape, s, func(i, at int) { y.values[at] += portable.Exp(x.data()[i] - top[at]) })
		for i := range y.values {
			y.values[i] = portable.Log(y.values[i]) + top[i]
		}
	}
}

// least and most are the limits of an element type.
func least(elem int64) float64 {
	switch elem {
	case typeInt64:
		return math.MinInt64
	case typeInt32:
		return math.MinInt32
	case typeInt16:
		return math.MinInt16
	case typeInt8:
		return math.MinInt8
	case typeBool, typeUint8, typeUint16, typeUint32, typeUint64:
		return 0
	}
	return math.Inf(-1)
}

func most(elem int64) float64 {
	switch elem {
	case typeBool:
		return 1
	case typeUint8, typeUint16, typeUint32, typeUint64:
		return float64(uint64(1)<<(8*elementSizes[elem]-1))*2 - 1
	}
	return -(least(elem) + 1)
}

// A lane is the vector along an axis of x: its elements are start, start+step, ...
type lane struct{ start, step, n int }

// lanes calls f with each vector along an axis.
func lanes(shape []int, axis int, f func(l lane)) {
	n, inner := shape[axis], product(shape[axis+1:])
	for o := range product(shape[:axis]) {
		for i := range inner {
			f(lane{o*n*inner + i, inner, n})
		}
	}
}

func (l lane) at(i int) int { return l.start + i*l.step }

// softmaxShape returns the shape and the axis along which a softmax works: before version 13 all axes from one on are one.
func (c *call) softmaxShape() (shape []int, axis int) {
	x := c.arg(0)
	if len(x.shape) == 0 {
		return []int{1}, 0
	}
	if c.version >= 13 {
		return x.shape, c.axis(c.integer("axis", -1), len(x.shape))
	}
	axis = c.integer("axis", 1)
	if axis != len(x.shape) {
		axis = c.axis(axis, len(x.shape))
	}
	return []int{product(x.shape[:axis]), product(x.shape[axis:])}, 1
}

func runSoftmax(c *call) {
	x := c.arg(0)
	shape, axis := c.softmaxShape()
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 4, x) {
		return
	}
	v := x.data()
	lanes(shape, axis, func(l lane) {
		top, best := math.Inf(-1), 0
		for i := range l.n {
			if w := v[l.at(i)]; w > top || w != w {
				top, best = w, i
			}
		}
		if c.op == "Hardmax" {
			if l.n > 0 {
				y.values[l.at(best)] = 1
			}
			return
		}
		sum := 0.0
		for i := range l.n {
			e := portable.Exp(v[l.at(i)] - top)
			y.values[l.at(i)] = e
			sum += e
		}
		log := portable.Log(sum)
		for i := range l.n {
			if at := l.at(i); c.op == "LogSoftmax" {
				y.values[at] = v[at] - top - log
			} else {
				y.values[at] /= sum
			}
		}
	})
}

func runArg(c *call) {
	x := c.arg(0)
	axis := c.axis(c.integer("axis", 0), len(x.shape))
	last, sign := c.flag("select_last_index"), 1.0
	if c.op == "ArgMin" {
		sign = -1
	}
	_, shape := reduced(x.shape, []int{axis}, c.integer("keepdims", 1) != 0)
	y := c.result(0, typeInt64, shape)
	if !c.compute(y, x.shape[axis], x) {
		return
	}
	k, v := 0, x.data()
	lanes(x.shape, axis, func(l lane) {
		best := 0
		for i := 1; i < l.n; i++ {
			if a, b := sign*v[l.at(i)], sign*v[l.at(best)]; a > b || last && a == b {
				best = i
			}
		}
		y.values[k] = float64(best)
		k++
	})
}

func (c *call) oneAxis(otherwise int) int {
	return c.axis(c.integer("axis", otherwise), len(c.arg(0).shape))
}

func runLpNormalization(c *call) {
	x, axis, p := c.arg(0), c.oneAxis(-1), c.integer("p", 2)
	if p != 1 && p != 2 {
		c.fail("p is %d, must be 1 or 2", p)
	}
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 2, x) {
		return
	}
	lanes(x.shape, axis, func(l lane) { normalize(y.values, x.data(), l, [...]string{1: "L1", 2: "L2"}[p]) })
}

// normalize divides a vector by its norm, which is taken for 1 where it is 0.
func normalize(y, x []float64, l lane, norm string) {
	sum := 0.0
	for i := range l.n {
		switch v := x[l.at(i)]; norm {
		case "MAX":
			sum = max(sum, math.Abs(v))
		case "L1":
			sum += math.Abs(v)
		default:
			sum += float64(v * v)
		}
	}
	if norm == "L2" {
		sum = math.Sqrt(sum)
	}
	if sum == 0 {
		sum = 1
	}
	for i := range l.n {
		y[l.at(i)] = x[l.at(i)] / sum
	}
}

// cumSumAxis is an input.
func (c *call) cumSumAxis() int {
	axis := c.constants(1)
	if len(axis) != 1 {
		c.fail("input 1 has %d values, must have 1", len(axis))
	}
	return c.axis(axis[0], len(c.arg(0).shape))
}

func runCumSum(c *call) {
	x, axis := c.arg(0), c.cumSumAxis()
	reverse, exclusive := c.flag("reverse"), c.flag("exclusive")
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 1, x) {
		return
	}
	lanes(x.shape, axis, func(l lane) {
		sum := 0.0
		for i := range l.n {
			at := l.at(i)
			if reverse {
				at = l.at(l.n - 1 - i)
			}
			if exclusive {
				y.values[at] = sum
			}
			if sum += x.data()[at]; !exclusive {
				y.values[at] = sum
			}
		}
	})
}

func runTopK(c *call) {
	x, axis := c.arg(0), c.oneAxis(-1)
	k := c.integer("k", -1)
	if c.version >= 10 {
		list := c.constants(1)
		if len(list) != 1 {
			c.fail("input 1 has %d values, must have 1", len(list))
		}
		k = list[0]
	}
	if k < 0 || k > x.shape[axis] {
		c.fail("wants the first %d along an axis of %d", k, x.shape[axis])
	}
	sign := -1.0
	if c.integer("largest", 1) == 0 {
		sign = 1
	}
	shape := slices.Clone(x.shape)
	shape[axis] = k
	y, at := c.result(0, x.elem, shape), c.result(1, typeInt64, shape)
	if !c.compute(y, 20, x) || !c.compute(at, 1, x) {
		return
	}
	var to []lane
	lanes(shape, axis, func(l lane) { to = append(to, l) })
	n := 0
	lanes(x.shape, axis, func(l lane) {
		order := make([]int, l.n)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch u, v := sign*x.data()[l.at(a)], sign*x.data()[l.at(b)]; {
			case u < v:
				return -1
			case u > v:
				return 1
			}
			return 0
		})
		if k > 0 {
			for i := range k {
				y.values[to[n].at(i)], at.values[to[n].at(i)] = x.data()[l.at(order[i])], float64(order[i])
			}
			n++
		}
	})
}
