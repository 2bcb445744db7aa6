package autograd

import (
	"fmt"
	"math/rand/v2"

	"github.com/espalier-ml/espalier/kernels"
)

type dropoutOp struct {
	x, y *variable
	mask kernels.Matrix
}

// Dropout zeroes each element of x with probability rate, 0 <= rate < 1, and scales the others by 1/(1-rate), so that
// the expectation stays. The elements in row order take one draw each from random: the same source gives the same mask
// on every machine.
func (t *Tape) Dropout(x *Tensor, rate float64, random rand.Source) *Tensor {
	if !t.accept("Dropout", x) {
		return &t.dead
	}
	if !(rate >= 0 && rate < 1) || random == nil {
		t.fail(fmt.Errorf("autograd: Dropout: rate %v must be in [0, 1) and the source not nil", rate))
		return &t.dead
	}
	keep := float32(1 / (1 - rate))
	threshold := uint64(rate * (1 << 53))
	mask := t.matrix(x.Rows, x.Cols)
	for i := range mask.Data {
		mask.Data[i] = keep
		if random.Uint64()>>11 < threshold {
			mask.Data[i] = 0
		}
	}
	y := t.result(x.Rows, x.Cols, x)
	t.check(t.table.Mul(y.Matrix, x.Matrix, mask))
	return record(t, y, dropoutOp{t.of(x), y, mask})
}

func (o *dropoutOp) backward(t *Tape) error {
	if err := t.table.Mul(o.y.grad, o.y.grad, o.mask); err != nil {
		return err
	}
	return t.give(o.x, o.y.grad)
}
