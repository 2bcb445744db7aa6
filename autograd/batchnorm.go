package autograd

import (
	"cmp"
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type batchNormOp struct {
	x, gamma, beta, y *variable
	normal            kernels.Matrix // (x-mean)·inverse
	inverse           []float32      // 1/√(variance+epsilon)
}

// BatchNorm returns (x-mean)/√(variance+epsilon)·gamma + beta with the mean and the variance of each column of x: the sum
// of squares over the number of rows (Ioffe and Szegedy, arXiv:1502.03167). It returns these two as well, which carry no
// gradient. gamma and beta are [1, columns of x], nil for 1 and 0.
//
// The mean is first the sum by the rows and then corrected by the mean of what remains, so that a column of equal elements
// gives beta whatever they are.
func (t *Tape) BatchNorm(x, gamma, beta *Tensor, epsilon float64) (y, mean, variance *Tensor) {
	if !t.accept("BatchNorm", x) {
		return &t.dead, &t.dead, &t.dead
	}
	scale, shift := t.columns("BatchNorm", "gamma", gamma, x), t.columns("BatchNorm", "beta", beta, x)
	if t.err != nil {
		return &t.dead, &t.dead, &t.dead
	}
	out := t.result(x.Rows, x.Cols, x)
	for _, p := range [2]*Tensor{gamma, beta} {
		out.needs = out.needs || p != nil && t.of(p).needs
	}
	o := batchNormOp{t.of(x), t.of(gamma), t.of(beta), out, t.matrix(x.Rows, x.Cols), t.arena.alloc(x.Cols)}
	m, v, minus := t.matrix(1, x.Cols), t.matrix(1, x.Cols), t.matrix(1, x.Cols)
	clear(m.Data)
	t.check(t.table.Copy(o.normal, x.Matrix))
	for range 2 {
		t.check(t.columnMeans(v, o.normal))
		t.check(cmp.Or(t.table.Add(m, m, v), t.table.Scale(minus, v, -1)))
		t.check(ops.ComputeAffine(t.table, o.normal, o.normal, nil, minus.Data))
	}
	t.check(t.table.Mul(out.Matrix, o.normal, o.normal))
	t.check(t.columnMeans(v, out.Matrix))
	for j, v := range v.Data {
		o.inverse[j] = float32(1 / math.Sqrt(float64(v)+epsilon))
	}
	t.check(ops.ComputeAffine(t.table, o.normal, o.normal, o.inverse, nil))
	t.check(ops.ComputeAffine(t.table, out.Matrix, o.normal, scale, shift))
	mean, variance = &t.variable(m, false).Tensor, &t.variable(v, false).Tensor
	return record(t, out, o), mean, variance
}

// columnMeans sets y, one row, to the means of the columns of x.
func (t *Tape) columnMeans(y, x kernels.Matrix) error {
	if err := t.sumColumns(y, x, false); err != nil {
		return err
	}
	for j := range y.Data {
		y.Data[j] /= float32(x.Rows)
	}
	return nil
}

// backward computes, with the means over the rows of dy and of dy·x̂, x̂ the normal elements,
//
//	dx = (dy - mean(dy) - x̂·mean(dy·x̂))·inverse·gamma
func (o *batchNormOp) backward(t *Tape) error {
	dy := o.y.grad
	sums, products := t.matrix(1, dy.Cols), t.matrix(1, dy.Cols) // of dy and of dy·x̂
	terms := t.matrix(dy.Rows, dy.Cols)
	if err := cmp.Or(t.table.Mul(terms, dy, o.normal), t.sumColumns(products, terms, false), t.sumColumns(sums, dy, false)); err != nil {
		return err
	}
	if o.beta != nil && o.beta.needs {
		if err := t.lend(o.beta, sums); err != nil {
			return err
		}
	}
	if o.gamma != nil && o.gamma.needs {
		if err := t.lend(o.gamma, products); err != nil {
			return err
		}
	}
	if !o.x.needs {
		return nil
	}
	scale := t.arena.alloc(dy.Cols)
	for j, inverse := range o.inverse {
		if scale[j] = inverse; o.gamma != nil {
			scale[j] *= o.gamma.Row(0)[j]
		}
		each := -scale[j] / float32(dy.Rows)
		sums.Data[j] *= each
		products.Data[j] *= each
	}
	return cmp.Or(
		ops.ComputeAffine(t.table, terms, o.normal, products.Data, sums.Data),
		ops.ComputeAffine(t.table, dy, dy, scale, nil), // nothing needs dy after this
		t.table.Add(terms, terms, dy),
		t.give(o.x, terms))
}
