package autograd

import "github.com/espalier-ml/espalier/kernels"

type maximumOp struct {
	a, b, y *variable
	sign    float32 // 1 for the maximum, -1 for the minimum
}

// Maximum returns the larger one of a and b, element by element. Both must have the same shape. The gradient goes to the
// larger one, and half of it to each where they are equal.
func (t *Tape) Maximum(a, b *Tensor) *Tensor { return t.maximum("Maximum", t.table.Maximum, a, b, 1) }

// Minimum returns the smaller one of a and b, as [Tape.Maximum] does the larger one.
func (t *Tape) Minimum(a, b *Tensor) *Tensor { return t.maximum("Minimum", t.table.Minimum, a, b, -1) }

func (t *Tape) maximum(name string, kernel func(y, a, b kernels.Matrix) error, a, b *Tensor, sign float32) *Tensor {
	if !t.accept(name, a, b) {
		return &t.dead
	}
	y := t.result(a.Rows, a.Cols, a, b)
	t.check(kernel(y.Matrix, a.Matrix, b.Matrix))
	return record(t, y, maximumOp{t.of(a), t.of(b), y, sign})
}

func (o *maximumOp) backward(t *Tape) error {
	for _, p := range [2][2]*variable{{o.a, o.b}, {o.b, o.a}} {
		x, other := p[0], p[1]
		if !x.needs {
			continue
		}
		g := t.matrix(x.Rows, x.Cols)
		for i := range g.Rows {
			to, dy, v, w := g.Row(i), o.y.grad.Row(i), x.Row(i), other.Row(i)
			for j := range to {
				switch d := o.sign * (v[j] - w[j]); {
				case d > 0:
					to[j] = dy[j]
				case d < 0:
					to[j] = 0
				default:
					to[j] = dy[j] / 2
				}
			}
		}
		if err := t.give(x, g); err != nil {
			return err
		}
	}
	return nil
}
