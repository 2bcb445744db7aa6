package onnx

import "github.com/espalier-ml/espalier/ops"

// Unequal implements [ops.Ops].
func (e *exporter) Unequal(x *ops.Tensor, value float32) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Unequal(x[0], value) }
	return e.record(run, []*ops.Tensor{x}, func() form {
		f := e.vectors(x)
		differs := e.cast(e.node("Not", []string{e.node("Equal", []string{f.name, e.number(value)})}), typeFloat)
		return f.sized(e.node("ReduceMax", []string{differs, e.integers(-1)}), 1)
	})
}

// MaskRows implements [ops.Ops]. Unlike there, what is left out and not finite becomes NaN.
func (e *exporter) MaskRows(x, mask *ops.Tensor) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.MaskRows(x[0], x[1]) }
	return e.record(run, []*ops.Tensor{x, mask}, func() form {
		f := e.columns(x)
		m := f.sized("", 1)
		return f.with(e.node("Mul", []string{f.name, e.as(mask, m.perm, m.dims...)}))
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
