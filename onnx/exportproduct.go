package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

var errMixed = errors.New("an operand is a constant, which has not a row for each sample, and another is not")

// Dense implements [ops.Ops]: Gemm of a matrix, MatMul and Add of a tensor of more axes, and of one that is in the form of a Conv a
// Conv with a window of one element.
func (e *exporter) Dense(x, w, b *ops.Tensor, act kernels.Activation) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Dense(x[0], x[1], x[2], act) }
	y := e.record(run, []*ops.Tensor{x, w, b}, func() form {
		if f := e.values[x].forms[0]; channelsFirst(f) && !f.inOrder() && f.dims[len(f.dims)-1] == w.Rows {
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
		f := e.vectors(x)
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
		e.values[y].product = &product{x, w, b}
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

// MaskScores implements [ops.Ops].
func (e *exporter) MaskScores(x, queries, keys *ops.Tensor, groups, heads int, band ops.Band) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor {
		return o.MaskScores(x[0], x[1], x[2], groups, heads, band)
	}
	return e.record(run, []*ops.Tensor{x, queries, keys}, func() form {
		f := perHead(x.Rows, x.Cols, groups, heads)
		n, m := x.Rows/groups, x.Cols/heads
		var seen []string // factors of 1 and 0
		for _, mask := range []struct {
			of   *ops.Tensor
			dims []int
		}{{queries, []int{n, 1}}, {keys, []int{1, m}}} {
			if heads > 1 {
				mask.dims = append([]int{1}, mask.dims...)
			}
			if mask.of != nil {
				seen = append(seen, e.as(mask.of, nil, mask.dims...))
			}
		}
		if band.Before >= 0 || band.After >= 0 {
			sees := make([]float32, n*m)
			for t := range n {
				for s := range m {
					if (band.Before < 0 || s >= t-band.Before) && (band.After < 0 || s <= t+band.After) {
						sees[t*m+s] = 1
					}
				}
			}
			seen = append(seen, e.floats(e.label+"/band", []int{n, m}, sees))
		}
		f.name = e.as(x, f.perm, f.dims...)
		if len(seen) == 0 {
			return f
		}
		all := seen[0]
		for _, s := range seen[1:] {
			all = e.node("Mul", []string{all, s})
		}
		hidden := e.node("Mul", []string{e.node("Sub", []string{all, e.number(1)}), e.number(1e9)})
		return f.with(e.node("Add", []string{f.name, hidden}))
	})
}

// Custom implements [ops.Ops]. It is an error: nobody knows the formula.
func (e *exporter) Custom(f ops.Function, rows, cols int, x ...*ops.Tensor) *ops.Tensor {
	y := e.shapes.Custom(f, rows, cols, x...)
	if e.Err() == nil {
		e.fail(fmt.Errorf("computes the function %s, which is not an ONNX operator", brief.Quote(f.Name())))
	}
	return y
}
