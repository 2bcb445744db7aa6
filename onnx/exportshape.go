package onnx

import (
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

// Reshape implements [ops.Ops]. It adds no node: the result has the forms of x.
func (e *exporter) Reshape(x *ops.Tensor, rows, cols int) *ops.Tensor {
	y := e.shapes.Reshape(x, rows, cols)
	if e.Err() != nil || y == x {
		return y
	}
	v := e.values[x]
	e.values[y] = v
	if v.constant.Data == nil {
		return y
	}
	e.values[y] = &exportValue{constant: e.tape.Reshape(e.tape.Const(v.constant), rows, cols).Matrix, name: v.name}
	return y
}

// Permute implements [ops.Ops]. It adds no node unless x must be reshaped: its forms are those of the result, with another name for
// each axis.
func (e *exporter) Permute(x *ops.Tensor, shape, perm []int) *ops.Tensor {
	v := e.values[x]
	if v != nil && v.constant.Data != nil {
		return e.record(func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Permute(x[0], shape, perm) }, []*ops.Tensor{x}, nil)
	}
	y := e.shapes.Permute(x, shape, perm)
	if e.Err() != nil || y == x {
		return y
	}
	e.as(x, nil, shape...)
	to := make([]int, len(shape)+1) // the axis of the result that an axis of x is
	dims := make([]int, len(shape))
	for i, axis := range perm {
		to[axis+1], dims[i] = i+1, shape[axis]
	}
	moved := &exportValue{}
	for _, f := range v.forms {
		if !slices.Equal(f.dims, shape) {
			continue
		}
		order := make([]int, len(f.perm))
		for i, axis := range f.perm {
			order[i] = to[axis]
		}
		moved.forms = append(moved.forms, form{f.name, dims, order})
	}
	e.values[y] = moved
	return y
}

// Concatenate implements [ops.Ops].
func (e *exporter) Concatenate(x ...*ops.Tensor) *ops.Tensor {
	x = slices.Clone(x) // which belongs to the caller
	return e.record(func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Concatenate(x...) }, x, func() form {
		f := e.columns(x[0])
		var names []string
		cols := 0
		for _, x := range x {
			dims := f.sized("", x.Cols).dims
			names = append(names, e.as(x, f.perm, dims...))
			cols += x.Cols
		}
		return f.sized(e.node("Concat", names, attr("axis", f.axis(f.last()))), cols)
	})
}

// Slice implements [ops.Ops].
func (e *exporter) Slice(x *ops.Tensor, from, to int) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Slice(x[0], from, to) }
	return e.record(run, []*ops.Tensor{x}, func() form {
		for _, f := range e.values[x].forms {
			if whole, inner := sizes(f.dims); whole == x.Cols && len(f.dims) > 1 && from%inner == 0 && to%inner == 0 {
				return e.steps(f, from/inner, to/inner)
			}
		}
		f := e.columns(x)
		return f.sized(e.cut(f.name, f.axis(f.last()), from, to), to-from)
	})
}

// sizes returns the number of elements, and that for each element of the first axis.
func sizes(dims []int) (whole, inner int) {
	inner = 1
	for _, d := range dims[1:] {
		inner *= d
	}
	return dims[0] * inner, inner
}

// steps returns a part of the first axis. Of one step the axis vanishes.
func (e *exporter) steps(f form, from, to int) form {
	if to-from > 1 {
		dims := append([]int{to - from}, f.dims[1:]...)
		return form{e.cut(f.name, f.axis(1), from, to), dims, f.perm}
	}
	y := form{dims: f.dims[1:]}
	for _, axis := range f.perm {
		if axis != 1 {
			y.perm = append(y.perm, max(axis-1, 0))
		}
	}
	y.name = e.node("Gather", []string{f.name, e.integer(nil, []int{from})}, attr("axis", f.axis(1)))
	return y
}

// cut adds a node for the part of an axis from (included) to (excluded).
func (e *exporter) cut(x string, axis, from, to int) string {
	return e.node("Slice", []string{x, e.integers(from), e.integers(to), e.integers(axis)})
}

// Repeat implements [ops.Ops].
func (e *exporter) Repeat(x *ops.Tensor, n int) *ops.Tensor {
	return e.record(func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Repeat(x[0], n) }, []*ops.Tensor{x}, func() form {
		f := e.columns(x)
		times := make([]int, len(f.perm))
		for i := range times {
			times[i] = 1
		}
		times[f.axis(f.last())] = n
		return f.sized(e.node("Tile", []string{f.name, e.integers(times...)}), n*x.Cols)
	})
}
