package onnx

import (
	"math/rand/v2"

	"github.com/espalier-ml/espalier/ops"
)

// Affine implements [ops.Ops].
func (e *exporter) Affine(x, scale, shift *ops.Tensor) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Affine(x[0], x[1], x[2]) }
	return e.record(run, []*ops.Tensor{x, scale, shift}, func() form {
		f := e.columns(x)
		shape := f.beside(x.Cols)
		if scale != nil {
			f.name = e.node("Mul", []string{f.name, e.constant(scale, nil, shape...)})
		}
		if shift != nil {
			f.name = e.node("Add", []string{f.name, e.constant(shift, nil, shape...)})
		}
		return f
	})
}

// LayerNorm implements [ops.Ops].
func (e *exporter) LayerNorm(x, gamma, beta *ops.Tensor, epsilon float64) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.LayerNorm(x[0], x[1], x[2], epsilon) }
	return e.record(run, []*ops.Tensor{x, gamma, beta}, func() form {
		f := e.vectors(x)
		in := []string{f.name, e.constant(gamma, nil, x.Cols), e.constant(beta, nil, x.Cols)}
		return f.with(e.node("LayerNormalization", in, attr("axis", -1), attr("epsilon", float32(epsilon))))
	})
}

// RMSNorm implements [ops.Ops]. ONNX has an operator for it from operator set 23 on.
func (e *exporter) RMSNorm(x, gamma *ops.Tensor, epsilon float64) *ops.Tensor {
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.RMSNorm(x[0], x[1], epsilon) }
	return e.record(run, []*ops.Tensor{x, gamma}, func() form {
		f := e.vectors(x)
		do := func(op string, x ...string) string { return e.node(op, x) }
		mean := do("ReduceMean", do("Mul", f.name, f.name), e.integers(-1))
		return f.with(do("Mul", do("Div", f.name, do("Sqrt", do("Add", mean, e.number(float32(epsilon))))), e.constant(gamma, nil, x.Cols)))
	})
}

// BatchNorm implements [ops.Ops]. It is an error, as in a plan.
func (e *exporter) BatchNorm(x, gamma, beta *ops.Tensor, epsilon float64) (y, mean, variance *ops.Tensor) {
	return e.shapes.BatchNorm(x, gamma, beta, epsilon)
}

// Dropout implements [ops.Ops]. It returns x, as in a plan.
func (e *exporter) Dropout(x *ops.Tensor, _ float64, _ rand.Source) *ops.Tensor { return x }
