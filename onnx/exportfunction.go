package onnx

import (
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// each records a function that is computed element by element, so in any form. f returns the name of its result.
func (e *exporter) each(run func(o ops.Ops, x *ops.Tensor) *ops.Tensor, x *ops.Tensor, f func(x string) string) *ops.Tensor {
	return e.record(func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return run(o, x[0]) }, []*ops.Tensor{x}, func() form {
		in := e.values[x].forms[0]
		return in.with(f(in.name))
	})
}

// rows records a function of each row. f returns the name of its result, which has the axes of x; the row is the last one.
func (e *exporter) rows(run func(o ops.Ops, x *ops.Tensor) *ops.Tensor, x *ops.Tensor, f func(x string) string) *ops.Tensor {
	return e.record(func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return run(o, x[0]) }, []*ops.Tensor{x}, func() form {
		in := e.vectors(x)
		return in.with(f(in.name))
	})
}

// Activate implements [ops.Ops].
func (e *exporter) Activate(x *ops.Tensor, act kernels.Activation) *ops.Tensor {
	return e.each(func(o ops.Ops, x *ops.Tensor) *ops.Tensor { return o.Activate(x, act) }, x, func(x string) string { return e.activated(x, act) })
}

func (e *exporter) activated(x string, act kernels.Activation) string {
	if act == kernels.Linear {
		return x
	}
	return e.node(activations[act], []string{x})
}

var activations = [...]string{kernels.ReLU: "Relu", kernels.Sigmoid: "Sigmoid", kernels.Tanh: "Tanh"}

// Unary implements [ops.Ops].
func (e *exporter) Unary(x *ops.Tensor, f kernels.Unary) *ops.Tensor {
	return e.each(func(o ops.Ops, x *ops.Tensor) *ops.Tensor { return o.Unary(x, f) }, x, func(x string) string { return e.unary(x, f) })
}

// unary adds the nodes of f(x), see [kernels.UnaryKind] for the formulas.
func (e *exporter) unary(x string, f kernels.Unary) string {
	do := func(op string, x ...string) string { return e.node(op, x) }
	number := e.number
	infinite := float32(math.Inf(1))
	switch f.Kind {
	case kernels.GELU:
		return do("Gelu", x)
	case kernels.GELUTanh:
		return e.node("Gelu", []string{x}, attr("approximate", "tanh"))
	case kernels.SiLU:
		return do("Mul", x, do("Sigmoid", x))
	case kernels.Mish:
		return do("Mish", x)
	case kernels.Softplus:
		return do("Softplus", x)
	case kernels.LogSigmoid:
		return do("Neg", do("Softplus", do("Neg", x)))
	case kernels.Exponential:
		return do("Exp", x)
	case kernels.ELU:
		switch {
		case f.B == 1 && f.C == 1:
			return e.node("Elu", []string{x}, attr("alpha", f.A))
		case f.B == 1 && f.C != 0:
			return e.node("Selu", []string{x}, attr("alpha", f.A/f.C), attr("gamma", f.C))
		}
		below := do("Mul", number(f.A), do("Sub", do("Exp", do("Mul", number(f.B), do("Min", x, number(0)))), number(1)))
		return do("Add", do("Mul", number(f.C), do("Relu", x)), below)
	case kernels.Softsign:
		return do("Softsign", x)
	case kernels.TanhShrink:
		return do("Sub", x, do("Tanh", x))
	case kernels.Squareplus:
		return do("Mul", number(0.5), do("Add", x, do("Sqrt", do("Add", do("Mul", x, x), number(f.A)))))
	case kernels.Rectify:
		switch {
		case f.A == 0 && f.C == 0 && f.B == infinite:
			return do("Relu", x)
		case f.A == 0 && f.C == 0:
			return do("Clip", x, number(0), number(f.B))
		case f.C == 0 && f.B == infinite:
			return e.node("LeakyRelu", []string{x}, attr("alpha", f.A))
		}
		below := do("Mul", number(f.A), do("Sub", x, number(f.C)))
		return do("Where", do("Greater", x, number(f.C)), do("Min", x, number(f.B)), below)
	case kernels.Threshold:
		return do("Where", do("Greater", x, number(f.A)), x, number(f.B))
	case kernels.Clip:
		return do("Clip", x, number(f.A), number(f.B))
	case kernels.HardSigmoid:
		return e.node("HardSigmoid", []string{x}, attr("alpha", float32(1./6)), attr("beta", float32(0.5)))
	case kernels.SparseSigmoid:
		return e.node("HardSigmoid", []string{x}, attr("alpha", float32(0.5)), attr("beta", float32(0.5)))
	case kernels.HardSiLU:
		return do("HardSwish", x)
	case kernels.SoftShrink:
		return e.node("Shrink", []string{x}, attr("lambd", f.A), attr("bias", f.A))
	case kernels.HardShrink:
		return e.node("Shrink", []string{x}, attr("lambd", f.A), attr("bias", float32(0)))
	case kernels.SparsePlus:
		half := do("Mul", number(0.5), do("Add", do("Clip", x, number(-1), number(1)), number(1)))
		return do("Where", do("Greater", x, number(1)), x, do("Mul", half, half))
	default: // RSqrt
		return do("Reciprocal", do("Sqrt", do("Add", do("Relu", x), number(f.A))))
	}
}

// Scale implements [ops.Ops].
func (e *exporter) Scale(x *ops.Tensor, alpha float32) *ops.Tensor {
	return e.each(func(o ops.Ops, x *ops.Tensor) *ops.Tensor { return o.Scale(x, alpha) }, x, func(x string) string {
		return e.node("Mul", []string{x, e.number(alpha)})
	})
}

// Softmax, LogSoftmax and Sparsemax implement [ops.Ops].

func (e *exporter) Softmax(x *ops.Tensor) *ops.Tensor {
	return e.rows(ops.Ops.Softmax, x, func(x string) string { return e.node("Softmax", []string{x}, attr("axis", -1)) })
}

func (e *exporter) LogSoftmax(x *ops.Tensor) *ops.Tensor {
	return e.rows(ops.Ops.LogSoftmax, x, func(x string) string { return e.node("LogSoftmax", []string{x}, attr("axis", -1)) })
}

// Sparsemax follows [kernels.Table.Sparsemax]: of the elements in falling order those count, in number k, for which
// 1 + i·x is more than the sum of the first i, and τ is the sum of these sums, less 1, over k.
func (e *exporter) Sparsemax(x *ops.Tensor) *ops.Tensor {
	ranks := make([]float32, x.Cols)
	for i := range ranks {
		ranks[i] = float32(i + 1)
	}
	return e.rows(ops.Ops.Sparsemax, x, func(x string) string {
		do := func(op string, x ...string) string { return e.node(op, x) }
		last := e.integers(-1)
		falling := do("TopK", x, e.integers(len(ranks)))
		top := e.graph.nodes[len(e.graph.nodes)-1]
		top.outputs = append(top.outputs, e.unique(falling+"_indices"))
		sums := do("CumSum", falling, e.integer(nil, []int{-1}))
		counts := do("Greater", do("Add", do("Mul", falling, e.floats(e.label+"/ranks", []int{len(ranks)}, ranks)), e.number(1)), sums)
		share := e.cast(counts, typeFloat)
		total := do("Sub", do("ReduceSum", do("Mul", sums, share), last), e.number(1))
		return do("Relu", do("Sub", x, do("Div", total, do("ReduceSum", share, last))))
	})
}

func (e *exporter) cast(x string, to int) string {
	return e.node("Cast", []string{x}, attr("to", to))
}

// binary records an operation on two operands of one shape.
func (e *exporter) binary(run func(o ops.Ops, a, b *ops.Tensor) *ops.Tensor, a, b *ops.Tensor, op string) *ops.Tensor {
	return e.record(func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return run(o, x[0], x[1]) }, []*ops.Tensor{a, b}, func() form {
		f := e.values[a].forms[0]
		return f.with(e.node(op, []string{f.name, e.as(b, f.perm, f.dims...)}))
	})
}

// Add, Multiply, Maximum and Minimum implement [ops.Ops].

func (e *exporter) Add(a, b *ops.Tensor) *ops.Tensor { return e.binary(ops.Ops.Add, a, b, "Add") }

func (e *exporter) Multiply(a, b *ops.Tensor) *ops.Tensor {
	return e.binary(ops.Ops.Multiply, a, b, "Mul")
}

func (e *exporter) Maximum(a, b *ops.Tensor) *ops.Tensor {
	return e.binary(ops.Ops.Maximum, a, b, "Max")
}

func (e *exporter) Minimum(a, b *ops.Tensor) *ops.Tensor {
	return e.binary(ops.Ops.Minimum, a, b, "Min")
}
