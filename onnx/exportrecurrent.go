package onnx

import (
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Recurrent implements [ops.Ops]: a node for all steps, which has the product of the inputs in it, too. ONNX knows no mask but how
// long each sequence is, and a cell without activation only as one with parameters, which not every reader takes. These two become
// nodes for each step.
func (e *exporter) Recurrent(x, u, b, mask *ops.Tensor, r ops.Recurrence) *ops.Tensor {
	if linear := r.Cell == ops.SimpleRNN && r.Act == kernels.Linear; (mask != nil || linear) && e.Err() == nil {
		if e.shapes.Recurrent(x, u, b, mask, r); e.Err() == nil { // the operands fit
			return e.unrolled(x, u, b, mask, r)
		}
	}
	run := func(o ops.Ops, x []*ops.Tensor) *ops.Tensor { return o.Recurrent(x[0], x[1], x[2], x[3], r) }
	return e.record(run, []*ops.Tensor{x, u, b, mask}, func() form {
		units, p := u.Rows, e.values[x].product
		if p == nil || p.x.Rows != r.Steps*x.Rows || p.w.Cols != u.Cols {
			p = &dense{e.Reshape(x, x.Rows*r.Steps, u.Cols), e.identity(u.Cols), nil}
		}
		in := []string{
			e.as(p.x, []int{1, 0, 2}, r.Steps, p.x.Cols),
			e.gates(p.w, r.Cell, units),
			e.gates(u, r.Cell, units),
		}
		if p.b != nil || b != nil {
			in = append(in, e.biases(p.b, b, r.Cell, units))
		}
		attributes := []*attributeProto{attr("hidden_size", units)}
		if r.Backwards {
			attributes = append(attributes, attr("direction", "reverse"))
		}
		op := "LSTM"
		switch r.Cell {
		case ops.GRU:
			op = "GRU"
			attributes = append(attributes, attr("linear_before_reset", 1))
		case ops.SimpleRNN:
			op = "RNN"
			attributes = append(attributes, attr("activations", []string{activations[r.Act]}))
		}
		states := e.node(op, in, attributes...) // [steps, directions, batch, units]
		return newForm(e.node("Squeeze", []string{states, e.integers(1)}), []int{1, 0, 2}, r.Steps, units)
	})
}

// gateOrder is the order in which ONNX has the gates of a cell.
var gateOrder = [...][]int{ops.SimpleRNN: {0}, ops.GRU: {0, 1, 2}, ops.LSTM: {0, 3, 1, 2}}

// gates returns weights [n, gates·units] as ONNX has them: [1, gates·units, n].
func (e *exporter) gates(w *ops.Tensor, cell ops.Cell, units int) string {
	return e.constant(e.ordered(w, cell, units), []int{0, 2, 1}, 1, w.Rows, w.Cols)
}

// ordered returns the columns of a constant with the gates in the order of ONNX.
func (e *exporter) ordered(w *ops.Tensor, cell ops.Cell, units int) *ops.Tensor {
	order := gateOrder[cell]
	if slices.IsSorted(order) {
		return w
	}
	var parts []*ops.Tensor
	for _, gate := range order {
		parts = append(parts, e.Slice(w, gate*units, (gate+1)*units))
	}
	y := e.Concatenate(parts...)
	if e.Err() == nil {
		e.values[y].name = e.values[w].name
	}
	return y
}

// biases returns those of the input's and of the state's product, one behind the other. Either may be nil.
func (e *exporter) biases(x, h *ops.Tensor, cell ops.Cell, units int) string {
	n := cell.Gates() * units
	both, named := []*ops.Tensor{x, h}, x
	if x == nil {
		named = h
	}
	for i, b := range both {
		if b == nil {
			both[i] = e.Full(1, n, 0)
		} else {
			both[i] = e.ordered(b, cell, units)
		}
	}
	y := e.Concatenate(both...)
	if e.Err() == nil {
		e.values[y].name = e.values[named].name
	}
	return e.constant(y, nil, 1, 2*n)
}

// unrolled computes the steps one by one, as [ops.RecurrentSteps] does. The mask may be nil.
func (e *exporter) unrolled(x, u, b, mask *ops.Tensor, r ops.Recurrence) *ops.Tensor {
	units := u.Rows
	n := u.Cols
	states := make([]*ops.Tensor, r.Steps)
	h := e.Scale(e.Slice(x, 0, units), 0)
	cell := h
	for i := range r.Steps {
		t := i
		if r.Backwards {
			t = r.Steps - 1 - i
		}
		in, product := e.Slice(x, t*n, (t+1)*n), e.Dense(h, u, b, kernels.Linear)
		gate := func(x *ops.Tensor, i int) *ops.Tensor { return e.Slice(x, i*units, (i+1)*units) }
		after, cellAfter := (*ops.Tensor)(nil), cell
		switch r.Cell {
		case ops.SimpleRNN:
			after = e.Activate(e.Add(in, product), r.Act)
		case ops.GRU:
			sum := e.Activate(e.Add(e.Slice(in, 0, 2*units), e.Slice(product, 0, 2*units)), kernels.Sigmoid)
			update, reset := gate(sum, 0), gate(sum, 1)
			candidate := e.Activate(e.Add(gate(in, 2), e.Multiply(reset, gate(product, 2))), kernels.Tanh)
			after = e.Add(candidate, e.Multiply(update, e.Add(h, e.Scale(candidate, -1))))
		case ops.LSTM:
			sum := e.Add(in, product)
			act := func(i int, act kernels.Activation) *ops.Tensor { return e.Activate(gate(sum, i), act) }
			cellAfter = e.Add(e.Multiply(act(1, kernels.Sigmoid), cell), e.Multiply(act(0, kernels.Sigmoid), act(2, kernels.Tanh)))
			after = e.Multiply(act(3, kernels.Sigmoid), e.Activate(cellAfter, kernels.Tanh))
		}
		if mask != nil {
			counts := e.Slice(mask, t, t+1)
			stays := e.Unequal(counts, 1)
			kept := func(before, after *ops.Tensor) *ops.Tensor {
				return e.Add(e.MaskRows(after, counts), e.MaskRows(before, stays))
			}
			after = kept(h, after)
			if r.Cell == ops.LSTM {
				cellAfter = kept(cell, cellAfter)
			}
		}
		h, cell = after, cellAfter
		states[t] = h
	}
	return e.Concatenate(states...)
}
