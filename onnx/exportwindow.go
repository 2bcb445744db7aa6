package onnx

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// spatial are the axes over which a window moves: a series of steps has one, an image two.
func spatial(v *kernels.Window) []int {
	if v.In[0] == 1 && v.Size[0] == 1 && v.Out[0] == 1 && v.Before[0] == 0 {
		return []int{1}
	}
	return []int{0, 1}
}

// pick returns the numbers of those axes.
func pick(n [2]int, axes []int) (of []int) {
	for _, i := range axes {
		of = append(of, n[i])
	}
	return of
}

// image returns the form of images, or of what a window has made of them, that a Conv takes.
func image(name string, size [2]int, axes []int, channels int) form {
	dims := append(pick(size, axes), channels)
	perm := []int{0, len(dims)}
	for i := range axes {
		perm = append(perm, i+1)
	}
	return form{name, dims, perm}
}

func channelsFirst(f form) bool {
	n := len(f.dims)
	return n > 1 && slices.Equal(f.perm[:2], []int{0, n}) && slices.IsSorted(f.perm[2:])
}

// end is how far a window reaches behind the end of an image on an axis, below zero if it leaves out a part of it.
func end(v *kernels.Window, axis int) int {
	return (v.Out[axis]-1)*v.Stride[axis] + (v.Size[axis]-1)*v.Dilation[axis] + 1 - v.Before[axis] - v.In[axis]
}

// crop cuts off what a window leaves out of the images in a form.
func (e *exporter) crop(f form, v *kernels.Window, axes []int) form {
	for i, axis := range axes {
		from, to := max(-v.Before[axis], 0), v.In[axis]+min(end(v, axis), 0)
		if from > 0 || v.In[axis]-to >= v.Stride[axis] { // less than a stride does not count anyway
			f.name = e.cut(f.name, f.axis(i+1), from, to)
		}
	}
	return f
}

// window adds a node that moves over images. inputs are those behind the images.
func (e *exporter) window(op string, x *ops.Tensor, v *kernels.Window, channels int, inputs []string, attributes ...*attributeProto) form {
	axes := spatial(v)
	in := image("", v.In, axes, v.Channels)
	in.name = e.as(x, in.perm, in.dims...)
	in = e.crop(in, v, axes)
	var before, behind []int
	for _, axis := range axes {
		before, behind = append(before, max(v.Before[axis], 0)), append(behind, max(end(v, axis), 0))
	}
	for _, a := range []struct {
		name  string
		of    []int
		usual int
	}{{"kernel_shape", pick(v.Size, axes), -1}, {"strides", pick(v.Stride, axes), 1}, {"dilations", pick(v.Dilation, axes), 1}, {"pads", append(before, behind...), 0}} {
		if slices.ContainsFunc(a.of, func(n int) bool { return n != a.usual }) {
			attributes = append(attributes, attr(a.name, a.of))
		}
	}
	return image(e.node(op, append([]string{in.name}, inputs...), attributes...), v.Out, axes, channels)
}

// kernel returns the weights of a window, for so many channels and filters, in the order of ONNX.
func (e *exporter) kernel(w *ops.Tensor, v *kernels.Window, channels, filters int) string {
	shape := append(pick(v.Size, spatial(v)), channels, filters)
	n := len(shape)
	order := []int{n - 1, n - 2}
	for i := range n - 2 {
		order = append(order, i)
	}
	return e.constant(w, order, shape...)
}

// Conv implements [ops.Ops].
func (e *exporter) Conv(x, w, b *ops.Tensor, v kernels.Window, act kernels.Activation) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Conv(x[0], x[1], x[2], v, act) }
	return e.record(run, []*ops.Tensor{x, w, b}, func() form {
		in := []string{e.kernel(w, &v, v.Channels, w.Cols)}
		if b != nil {
			in = append(in, e.constant(b, nil, w.Cols))
		}
		f := e.window("Conv", x, &v, w.Cols, in)
		return f.with(e.activated(f.name, act))
	})
}

// Depthwise implements [ops.Ops].
func (e *exporter) Depthwise(x, w, b *ops.Tensor, v kernels.Window, act kernels.Activation) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Depthwise(x[0], x[1], x[2], v, act) }
	return e.record(run, []*ops.Tensor{x, w, b}, func() form {
		in := []string{e.kernel(w, &v, 1, v.Channels)}
		if b != nil {
			in = append(in, e.constant(b, nil, v.Channels))
		}
		f := e.window("Conv", x, &v, v.Channels, in, attr("group", v.Channels))
		return f.with(e.activated(f.name, act))
	})
}

// MaxPool and AveragePool implement [ops.Ops].

func (e *exporter) MaxPool(x *ops.Tensor, v kernels.Window) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.MaxPool(x[0], v) }
	return e.record(run, []*ops.Tensor{x}, func() form { return e.pool("MaxPool", x, &v) })
}

func (e *exporter) AveragePool(x *ops.Tensor, v kernels.Window) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.AveragePool(x[0], v) }
	return e.record(run, []*ops.Tensor{x}, func() form { return e.pool("AveragePool", x, &v) }) // which does not count what it pads
}

func (e *exporter) pool(op string, x *ops.Tensor, v *kernels.Window) form {
	if v.Size == v.In && v.Places() == 1 && v.Before == [2]int{} {
		axes := spatial(v)
		f := image("", v.In, axes, v.Channels)
		return image(e.node("Global"+op, []string{e.as(x, f.perm, f.dims...)}), v.Out, axes, v.Channels)
	}
	return e.window(op, x, v, v.Channels, nil)
}

// maxIdentity bounds the weights that say nothing but which values lie under a window.
const maxIdentity = 1 << 24

// Patches implements [ops.Ops]: a window of one element crops and pads, another one is a Conv with a filter for each of its values.
func (e *exporter) Patches(x *ops.Tensor, v kernels.Window) *ops.Tensor {
	one := [2]int{1, 1}
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Patches(x[0], v) }
	return e.record(run, []*ops.Tensor{x}, func() form {
		axes := spatial(&v)
		if v.Size != one || v.Stride != one {
			n := v.Elements()
			if n > maxIdentity/n {
				e.fail(fmt.Errorf("takes windows of %d values apart, at most 4096 can be written", n))
				return image("", v.Out, axes, n)
			}
			return e.window("Conv", x, &v, n, []string{e.kernel(e.identity(n), &v, v.Channels, n)})
		}
		f := image("", v.In, axes, v.Channels)
		if i := slices.IndexFunc(e.values[x].forms, func(g form) bool { return slices.Equal(g.dims, f.dims) }); i >= 0 {
			f = e.values[x].forms[i]
		} else {
			f = newForm(e.as(x, nil, f.dims...), nil, f.dims...)
		}
		f = e.crop(f, &v, axes)
		y := form{f.name, append(pick(v.Out, axes), v.Channels), f.perm}
		pads, padded := make([]int, 2*len(f.perm)), false
		for i, axis := range axes {
			before, behind := max(v.Before[axis], 0), max(end(&v, axis), 0)
			pads[f.axis(i+1)], pads[len(f.perm)+f.axis(i+1)] = before, behind
			padded = padded || before+behind > 0
		}
		if padded {
			y.name = e.node("Pad", []string{f.name, e.integers(pads...)})
		}
		return y
	})
}

// identity returns the constant that is 1 on its diagonal.
func (e *exporter) identity(n int) *ops.Tensor {
	m := kernels.NewMatrix(n, n)
	for i := range n {
		m.Row(i)[i] = 1
	}
	return e.named(e.label+"/identity", m)
}
