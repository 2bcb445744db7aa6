package onnx

import (
	"math"
	"slices"
)

// What moves a window over the axes behind batch and channels: convolutions and pooling.

// A window has a number for each axis that it moves along.
type window struct {
	size, stride, dilation, before, behind, out []int
}

// window returns that of a node over an input, whose size is given where an attribute does not say it.
func (c *call) window(in, kernel []int) window {
	rank := len(in)
	ones := slices.Repeat([]int{1}, rank)
	list := func(name string, otherwise []int, least int) []int {
		l := c.integers(name)
		if l == nil {
			l = otherwise
		}
		if len(l) != len(otherwise) {
			c.fail("%s %v must have %d numbers", name, l, len(otherwise))
		}
		for _, v := range l {
			if v < least || v > math.MaxInt16 {
				c.fail("%s %v, valid are %d to %d", name, l, least, math.MaxInt16)
			}
		}
		return slices.Clone(l)
	}
	if kernel == nil {
		kernel = c.integers("kernel_shape")
		if len(kernel) != rank {
			c.fail("kernel_shape %v must have %d numbers", kernel, rank)
		}
	}
	w := window{size: list("kernel_shape", kernel, 1), stride: list("strides", ones, 1), dilation: list("dilations", ones, 1)}
	pads := list("pads", make([]int, 2*rank), 0)
	w.before, w.behind, w.out = pads[:rank], pads[rank:], make([]int, rank)
	auto := c.text("auto_pad", "NOTSET")
	for i, d := range in {
		reach := (w.size[i]-1)*w.dilation[i] + 1
		switch auto {
		case "SAME_UPPER", "SAME_LOWER":
			w.out[i] = (d + w.stride[i] - 1) / w.stride[i]
			pad := max(0, (w.out[i]-1)*w.stride[i]+reach-d)
			if w.before[i], w.behind[i] = pad/2, pad-pad/2; auto == "SAME_LOWER" {
				w.before[i], w.behind[i] = pad-pad/2, pad/2
			}
			continue
		case "VALID":
			w.before[i], w.behind[i] = 0, 0
		case "NOTSET":
		default:
			c.fail("auto_pad %q is unknown: valid are NOTSET, SAME_UPPER, SAME_LOWER and VALID", auto)
		}
		room := d + w.before[i] + w.behind[i] - reach
		if room < 0 {
			c.fail("has a window of %d on an axis of %d", reach, d+w.before[i]+w.behind[i])
		}
		w.out[i] = room/w.stride[i] + 1
		if c.flag("ceil_mode") && room%w.stride[i] != 0 && w.out[i]*w.stride[i] < d+w.before[i] {
			w.out[i]++ // the last window starts on the input or what is before it
		}
	}
	return w
}

// places calls f with the place of the window, the element of it and the offset in the input of shape in, or -1 in the padding.
func (w *window) places(in []int, f func(place, element, at int)) {
	each(w.out, func(place int, to []int) {
		w.elements(in, to, func(element, at int) { f(place, element, at) })
	})
}

// elements calls f for each element of the window at one place.
func (w *window) elements(in, to []int, f func(element, at int)) {
	each(w.size, func(element int, k []int) {
		at := 0
		for i, d := range in {
			x := to[i]*w.stride[i] - w.before[i] + k[i]*w.dilation[i]
			if x < 0 || x >= d {
				at = -1
				break
			}
			at = at*d + x
		}
		f(element, at)
	})
}

// images checks an input of batch, channels and at least one more axis.
func (c *call) images() (x *tensor, space []int) {
	x = c.arg(0)
	if len(x.shape) < 3 {
		c.fail("input 0 has shape %v, must have batch, channels and more axes", x.shape)
	}
	return x, x.shape[2:]
}

// conv returns the window and the groups of a Conv, whose weights are [filters, channels of a group, ...].
func (c *call) conv() (window, int) {
	x, space := c.images()
	w, groups := c.argOf(1, len(x.shape)), c.integer("group", 1)
	if groups < 1 || groups > maxElements || w.shape[1]*groups != x.shape[1] || w.shape[0]%groups != 0 {
		c.fail("has weights %v and %d groups for an input of shape %v", w.shape, groups, x.shape)
	}
	if c.has(2) && !slices.Equal(c.in[2].shape, w.shape[:1]) {
		c.fail("has a bias %v for %d filters", c.in[2].shape, w.shape[0])
	}
	v := c.window(space, w.shape[2:])
	if !slices.Equal(v.size, w.shape[2:]) {
		c.fail("kernel_shape %v is not that of the weights %v", v.size, w.shape)
	}
	return v, groups
}

func runConv(c *call) {
	v, groups := c.conv()
	x, w := c.in[0], c.in[1]
	filters, channels := w.shape[0], w.shape[1]
	y := c.result(0, x.elem, append([]int{x.shape[0], filters}, v.out...))
	var bias *tensor
	if c.has(2) {
		bias = c.in[2]
	}
	elements := product(v.size)
	if !c.compute(y, channels*elements, x, w, bias) {
		return
	}
	space, places := product(x.shape[2:]), product(v.out)
	for n := range x.shape[0] {
		for f := range filters {
			to := y.values[(n*filters+f)*places:][:places]
			if bias != nil {
				for i := range to {
					to[i] = bias.data()[f]
				}
			}
			first := f / (filters / groups) * channels
			for k := range channels {
				from := x.data()[(n*x.shape[1]+first+k)*space:]
				weights := w.data()[(f*channels+k)*elements:]
				v.places(x.shape[2:], func(place, element, at int) {
					if at >= 0 {
						to[place] += float64(weights[element] * from[at])
					}
				})
			}
		}
	}
}

func runConvTranspose(c *call) {
	x, space := c.images()
	w, groups := c.argOf(1, len(x.shape)), c.integer("group", 1)
	if groups < 1 || groups > maxElements || w.shape[0] != x.shape[1] || x.shape[1]%groups != 0 || product(w.shape) > maxElements/groups {
		c.fail("has weights %v and %d groups for an input of shape %v", w.shape, groups, x.shape)
	}
	rank, kernel := len(space), w.shape[2:]
	lists := map[string][]int{"strides": slices.Repeat([]int{1}, rank), "dilations": slices.Repeat([]int{1}, rank), "output_padding": make([]int, rank), "pads": make([]int, 2*rank)}
	for name, l := range lists {
		if have := c.integers(name); have != nil {
			if len(have) != len(l) || slices.Min(have) < 0 || slices.Max(have) > math.MaxInt16 {
				c.fail("%s %v must have %d numbers from 0 to %d", name, have, len(l), math.MaxInt16)
			}
			lists[name] = have
		}
	}
	stride, dilation, extra, pads := lists["strides"], lists["dilations"], lists["output_padding"], lists["pads"]
	given, auto := c.integers("output_shape"), c.text("auto_pad", "NOTSET")
	if len(given) > rank {
		given = given[len(given)-rank:]
	}
	if given != nil && len(given) != rank || slices.Min(stride) < 1 || slices.Min(dilation) < 1 || slices.Contains(kernel, 0) {
		c.fail("has an output_shape of %v, strides %v, dilations %v and a kernel of %v", given, stride, dilation, kernel)
	}
	// It is the transpose of the convolution with this window, which goes from the result to the input.
	v := window{size: kernel, stride: stride, dilation: dilation, before: slices.Clone(pads[:rank]), out: space}
	out := make([]int, rank)
	for i, d := range space {
		full := stride[i]*(d-1) + extra[i] + (kernel[i]-1)*dilation[i] + 1
		switch {
		case given != nil || auto == "SAME_UPPER" || auto == "SAME_LOWER":
			if out[i] = d * stride[i]; given != nil {
				out[i] = given[i]
			}
			pad := max(0, full-out[i])
			if v.before[i] = pad / 2; auto == "SAME_LOWER" || given != nil && auto != "SAME_UPPER" {
				v.before[i] = pad - pad/2
			}
		default:
			out[i] = full - pads[i] - pads[rank+i]
		}
	}
	per := w.shape[1]
	filters := per * groups
	y := c.result(0, x.elem, append([]int{x.shape[0], filters}, out...))
	var bias *tensor
	if c.has(2) {
		if bias = c.in[2]; !slices.Equal(bias.shape, []int{filters}) {
			c.fail("has a bias %v for %d filters", bias.shape, filters)
		}
	}
	elements, places, all := product(kernel), product(space), product(out)
	if !c.compute(y, w.shape[0]*elements, x, w, bias) {
		return
	}
	for n := range x.shape[0] {
		for f := range filters {
			to := y.values[(n*filters+f)*all:][:all]
			if bias != nil {
				for i := range to {
					to[i] = bias.data()[f]
				}
			}
			inputs := x.shape[1] / groups
			for k := f / per * inputs; k < (f/per+1)*inputs; k++ {
				from := x.data()[(n*x.shape[1]+k)*places:]
				weights := w.data()[(k*per+f%per)*elements:]
				v.places(out, func(place, element, at int) {
					if at >= 0 {
						to[at] += float64(weights[element] * from[place])
					}
				})
			}
		}
	}
}

func runPool(c *call) {
	x, space := c.images()
	v := c.window(space, nil)
	shape := append(slices.Clone(x.shape[:2]), v.out...)
	y := c.result(0, x.elem, shape)
	var found *tensor
	if c.op == "MaxPool" && c.wants(1) {
		found = c.result(1, typeInt64, shape)
	}
	if !c.compute(y, product(v.size), x) || found != nil && !c.compute(found, 1, x) {
		return
	}
	all, in, places := c.flag("count_include_pad"), product(space), product(v.out)
	for image := range product(x.shape[:2]) {
		from := x.data()[image*in:]
		each(v.out, func(place int, to []int) {
			top, sum, count, best := math.Inf(-1), 0.0, 0, 0
			v.elements(space, to, func(element, at int) {
				if at < 0 {
					return
				}
				count++
				sum += from[at]
				if from[at] > top || from[at] != from[at] {
					top, best = from[at], at
				}
			})
			i := image*places + place
			switch {
			case c.op == "MaxPool":
				y.values[i] = top
			case all:
				y.values[i] = sum / float64(v.padded(space, to))
			default:
				y.values[i] = sum / float64(count)
			}
			if found != nil {
				if c.flag("storage_order") { // column by column
					rest := best
					best = 0
					for axis := len(space) - 1; axis >= 0; axis-- {
						best += rest % space[axis] * product(space[:axis])
						rest /= space[axis]
					}
				}
				found.values[i] = float64(image*in + best)
			}
		})
	}
}

// padded counts the elements of the window at a place that lie on the input or its padding.
func (w *window) padded(in, to []int) int {
	n := 1
	for i, d := range in {
		count := 0
		for k := range w.size[i] {
			if to[i]*w.stride[i]+k*w.dilation[i] < d+w.before[i]+w.behind[i] {
				count++
			}
		}
		n *= count
	}
	return n
}

func runGlobalPool(c *call) {
	x, space := c.images()
	y := c.result(0, x.elem, append(slices.Clone(x.shape[:2]), slices.Repeat([]int{1}, len(space))...))
	n := product(space)
	if !c.compute(y, n, x) {
		return
	}
	for i := range y.values {
		top, sum := math.Inf(-1), 0.0
		for _, v := range x.data()[i*n : (i+1)*n] {
			top, sum = max(top, v), sum+v
		}
		if y.values[i] = top; c.op == "GlobalAveragePool" {
			y.values[i] = sum / float64(n)
		}
	}
}
