package onnx

import (
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

// A form is a tensor of the graph that has the elements of a value. The value is a list of samples, or of parts of them: its shape
// is dims behind a free first axis. The tensor has these axes in another order: its axis i is the axis perm[i] of the value, where
// 0 is the free one. So an image of the value, [height, width, channels], is in the form that a Conv takes where perm is 0, 3, 1, 2.
//
// Operations take their operands in the form that suits them. What is there in none is rearranged when it is needed, so nothing
// is moved to and fro between operations that take the same.
type form struct {
	name string
	dims []int
	perm []int
}

// newForm returns a form whose axes have the order perm, nil for theirs.
func newForm(name string, perm []int, dims ...int) form {
	if perm == nil {
		for i := range len(dims) + 1 {
			perm = append(perm, i)
		}
	}
	return form{name, dims, perm}
}

func (f form) with(name string) form { return form{name, f.dims, f.perm} }

// sized returns the form of a result whose last axis has another size.
func (f form) sized(name string, last int) form {
	return form{name, append(slices.Clone(f.dims[:len(f.dims)-1]), last), f.perm}
}

// axis returns the axis of the tensor that is axis i of the value.
func (f form) axis(i int) int { return slices.Index(f.perm, i) }

// last is the number of the last axis of the value.
func (f form) last() int { return len(f.dims) }

// tensorShape returns the shape of the tensor, -1 for the free axis.
func (f form) tensorShape() (shape []int) {
	for _, axis := range f.perm {
		if axis == 0 {
			shape = append(shape, -1)
		} else {
			shape = append(shape, f.dims[axis-1])
		}
	}
	return shape
}

// inOrder reports a tensor whose elements have the order of the value's: only axes of one element may have moved.
func (f form) inOrder() bool {
	before := -1
	for _, axis := range f.perm {
		if axis > 0 && f.dims[axis-1] == 1 {
			continue
		}
		if axis < before {
			return false
		}
		before = axis
	}
	return true
}

// beside returns the initializer's shape of a vector along the last axis, which an operation spreads over the others.
func (f form) beside(cols int) []int {
	shape := []int{cols}
	for range len(f.perm) - 1 - f.axis(f.last()) {
		shape = append(shape, 1)
	}
	return shape
}

// as returns the tensor of x with the axes dims in the order perm, nil for theirs.
func (e *exporter) as(x *ops.Tensor, perm []int, dims ...int) string {
	v, want := e.values[x], newForm("", perm, dims...)
	if len(v.forms) == 0 {
		e.fail(errMixed)
		return ""
	}
	for _, f := range v.forms {
		if slices.Equal(f.dims, want.dims) && slices.Equal(f.perm, want.perm) {
			return f.name
		}
	}
	if want.name = e.rearranged(x, want); want.name == "" {
		return ""
	}
	v.forms = append(v.forms, want)
	return want.name
}

// rearranged adds the nodes for a form that a value does not have yet.
func (e *exporter) rearranged(x *ops.Tensor, want form) string {
	forms := e.values[x].forms
	if want.inOrder() {
		if i := slices.IndexFunc(forms, form.inOrder); i >= 0 {
			return e.node("Reshape", []string{forms[i].name, e.integers(want.tensorShape()...)})
		}
	}
	for _, f := range forms {
		if !slices.Equal(f.dims, want.dims) {
			continue
		}
		var order []int
		for _, axis := range want.perm {
			order = append(order, f.axis(axis))
		}
		return e.node("Transpose", []string{f.name}, attr("perm", order))
	}
	if want.inOrder() {
		e.as(x, nil, forms[0].dims...) // in order, with the axes of the value
	} else {
		e.as(x, nil, want.dims...)
	}
	return e.rearranged(x, want)
}

// columns returns a form of x whose last axis has the columns of x, wherever the tensor has it.
func (e *exporter) columns(x *ops.Tensor) form {
	return e.where(x, func(f form) bool { return true })
}

// vectors is columns with the last axis of the tensor as the last one.
func (e *exporter) vectors(x *ops.Tensor) form {
	return e.where(x, func(f form) bool { return f.axis(f.last()) == f.last() })
}

func (e *exporter) where(x *ops.Tensor, good func(f form) bool) form {
	forms := e.values[x].forms
	fits := func(f form) bool { return f.dims[len(f.dims)-1] == x.Cols }
	for _, f := range forms {
		if fits(f) && good(f) {
			return f
		}
	}
	dims := []int{x.Cols}
	if i := slices.IndexFunc(forms, fits); i >= 0 && !forms[i].inOrder() {
		dims = forms[i].dims // which a Transpose alone restores
	}
	return newForm(e.as(x, nil, dims...), nil, dims...)
}
