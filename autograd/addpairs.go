package autograd

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type addPairsOp struct {
	a, b, y *variable
	groups  int
	act     kernels.Activation
}

// AddPairs returns act(a + b) for each pair of a row of a and a row of b of the same group: those of the first row of a come
// first. Groups lie below each other in a, b and the result.
func (t *Tape) AddPairs(a, b *Tensor, groups int, act kernels.Activation) *Tensor {
	if !t.accept("AddPairs", a, b) {
		return &t.dead
	}
	if err := ops.CheckAddPairs(a, b, groups); err != nil {
		t.fail(fmt.Errorf("autograd: AddPairs: %w", err))
		return &t.dead
	}
	y := t.result(a.Rows*(b.Rows/groups), a.Cols, a, b)
	t.check(ops.ComputeAddPairs(t.table, y.Matrix, a.Matrix, b.Matrix, groups, act))
	return record(t, y, addPairsOp{t.of(a), t.of(b), y, groups, act})
}

func (o *addPairsOp) backward(t *Tape) error {
	var da, db kernels.Matrix
	for _, x := range [...]struct {
		*variable
		grad *kernels.Matrix
	}{{o.a, &da}, {o.b, &db}} {
		if !x.needs {
			continue
		}
		g, accumulate := t.into(x.variable)
		if !accumulate {
			if err := t.table.Fill(g, 0); err != nil {
				return err
			}
		}
		*x.grad = g
	}
	perGroup, n := o.a.Rows/o.groups, o.b.Rows/o.groups
	for i := range o.a.Rows {
		dz := o.y.grad.RowRange(i*n, (i+1)*n)
		var row []float32
		if o.a.needs {
			row = da.Row(i)
		}
		if err := t.table.ActivateGrad(dz, row, dz, o.y.RowRange(i*n, (i+1)*n), o.act, false); err != nil {
			return err
		}
		if o.b.needs {
			group := i / perGroup
			into := db.RowRange(group*n, (group+1)*n)
			if err := t.table.Add(into, into, dz); err != nil {
				return err
			}
		}
	}
	return nil
}
