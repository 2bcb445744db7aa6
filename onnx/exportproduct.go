package onnx

import (
	"errors"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

var errMixed = errors.New("an operand is a constant, which has not a row for each sample, and another is not")

// Dense implements [ops.Ops]: Gemm of a matrix, MatMul and Add of a tensor of more axes, and of one that is in the form of a Conv a
// Conv with a window of one element. One weight is a factor.
func (e *exporter) Dense(x, w, b *ops.Tensor, act kernels.Activation) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Dense(x[0], x[1], x[2], act) }
	y := e.record(run, []*ops.Tensor{x, w, b}, func() form {
		f := e.values[x].forms[0]
		if w.Rows*w.Cols == 1 && b == nil && f.dims[len(f.dims)-1] != 1 {
			return f.with(e.activated(e.node("Mul", []string{f.name, e.constant(w, nil, 1)}), act))
		}
		if channelsFirst(f) && !f.inOrder() && f.dims[len(f.dims)-1] == w.Rows {
			order, shape := []int{1, 0}, []int{w.Rows, w.Cols}
			for range len(f.dims) - 1 {
				order, shape = append(order, len(shape)), append(shape, 1)
			}
			in := []string{f.name, e.constant(w, order, shape...)}
			if b != nil {
				in = append(in, e.constant(b, nil, w.Cols))
			}
			return f.sized(e.activated(e.node("Conv", in), act), w.Cols)
		}
		f = e.vectors(x)
		in := []string{f.name, e.constant(w, nil, w.Rows, w.Cols)}
		name := ""
		if len(f.dims) == 1 {
			if b != nil {
				in = append(in, e.constant(b, nil, w.Cols))
			}
			name = e.node("Gemm", in)
		} else if name = e.node("MatMul", in); b != nil {
			name = e.node("Add", []string{name, e.constant(b, nil, w.Cols)})
		}
		return f.sized(e.activated(name, act), w.Cols)
	})
	if e.Err() == nil && act == kernels.Linear {
		e.values[y].product = &dense{x, w, b}
	}
	return y
}

// MatMul implements [ops.Ops].
func (e *exporter) MatMul(a, b *ops.Tensor, groups, heads int, transposed bool) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.MatMul(x[0], x[1], groups, heads, transposed) }
	return e.record(run, []*ops.Tensor{a, b}, func() form {
		cols, _ := ops.MatMulCols(a, b, groups, heads, transposed)
		left, right := perHead(a.Rows, a.Cols, groups, heads), perHead(b.Rows, b.Cols, groups, heads)
		if n := len(right.perm); transposed {
			right.perm = slices.Clone(right.perm)
			right.perm[n-2], right.perm[n-1] = right.perm[n-1], right.perm[n-2]
		}
		return perHead(a.Rows, cols, groups, heads).with(e.node("MatMul", []string{e.as(a, left.perm, left.dims...), e.as(b, right.perm, right.dims...)}))
	})
}

// perHead returns the form of groups of matrices, whose heads lie side by side: each head is a matrix for itself.
func perHead(rows, cols, groups, heads int) form {
	if heads == 1 {
		return newForm("", nil, rows/groups, cols)
	}
	return newForm("", []int{0, 2, 1, 3}, rows/groups, heads, cols/heads)
}

// AddPairs implements [ops.Ops].
func (e *exporter) AddPairs(a, b *ops.Tensor, groups int, act kernels.Activation) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.AddPairs(x[0], x[1], groups, act) }
	return e.record(run, []*ops.Tensor{a, b}, func() form {
		n, m := a.Rows/groups, b.Rows/groups
		sum := e.node("Add", []string{e.as(a, nil, n, 1, a.Cols), e.as(b, nil, 1, m, b.Cols)})
		return newForm(e.activated(sum, act), nil, n, m, a.Cols)
	})
}

// Embedding implements [ops.Ops].
func (e *exporter) Embedding(x, w *ops.Tensor) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Embedding(x[0], x[1]) }
	return e.record(run, []*ops.Tensor{x, w}, func() form {
		f := e.vectors(x)
		y := e.node("Gather", []string{e.constant(w, nil, w.Rows, w.Cols), e.cast(f.name, typeInt64)}, attr("axis", 0))
		return form{y, append(slices.Clone(f.dims), w.Cols), append(slices.Clone(f.perm), len(f.perm))}
	})
}
