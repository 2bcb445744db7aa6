package nn

import (
	"fmt"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A runner evaluates a model's graph on a tape of its own.
type runner struct {
	model     *Model
	tape      *autograd.Tape
	nodes     []placedNode
	params    []*autograd.Tensor // in the order of the model's weights
	gradients [][]float32        // in that order: where the trainer wants them
	values    []*autograd.Tensor // in the order of the model's nodes
	masks     []*autograd.Tensor // of values; nil: everything counts
	fused     []*autograd.Tensor // in that order, too: what the activations of fused nodes are applied to
	call      Call
	err       error // the first of an operation, with its layer

	profile *profile // of the Fit that runs; nil if it has none
}

// A placedNode is a node with the places of its operands.
type placedNode struct {
	node   *Node
	name   string
	in     []int // places in runner.values
	params []int // places in runner.params
	input  int   // which input of the model it is, or -1
	index  int   // which call of its layer in this model
	fused  bool  // a loss includes the activation
	used   bool  // another node or the caller wants the value
}

// newRunner returns a runner. The layers of the nodes that fused marks are evaluated up to their activation, which follows
// only where another node needs the value.
func newRunner(m *Model, fused map[*Node]bool) *runner {
	r := &runner{
		model:  m,
		tape:   autograd.NewTape(nil),
		params: make([]*autograd.Tensor, len(m.weights)),
		values: make([]*autograd.Tensor, len(m.nodes)),
		masks:  make([]*autograd.Tensor, len(m.nodes)),
		fused:  make([]*autograd.Tensor, len(m.nodes)),
	}
	place := map[*Node]int{}
	weights := map[*param]int{}
	for i, w := range m.weights {
		weights[w.param] = i
	}
	inputs := map[*Node]int{}
	for i, n := range m.inputs {
		inputs[n] = i
	}
	calls := map[*Layer]int{}
	for i, n := range m.nodes {
		place[n] = i
		s := placedNode{node: n, name: m.paths[n.layer], input: -1, index: calls[n.layer], fused: fused[n], used: !fused[n]}
		calls[n.layer]++
		if j, ok := inputs[n]; ok {
			s.input = j
		}
		for _, in := range n.in {
			s.in = append(s.in, place[in])
			r.nodes[place[in]].used = true
		}
		for _, p := range n.layer.params {
			s.params = append(s.params, weights[p])
		}
		r.nodes = append(r.nodes, s)
	}
	return r
}

// run evaluates the graph. In training, dropout is active and the tape records for Backward.
func (r *runner) run(inputs []kernels.Matrix, training bool, seed uint64) {
	r.tape.Reset()
	r.err = nil
	for i, w := range r.model.weights {
		if training && w.Trainable() {
			r.params[i] = r.tape.ParamInto(w.Matrix, r.gradients[i])
		} else {
			r.params[i] = r.tape.Const(w.Matrix)
		}
	}
	c := &r.call
	c.Ops, c.training, c.seed = r.tape, training, seed
	for i, s := range r.nodes {
		if s.input >= 0 {
			r.values[i] = r.tape.Const(inputs[s.input])
			continue
		}
		r.tape.Label(i)
		c.node, c.name, c.index, c.in, c.masks, c.params = s.node, s.name, s.index, c.in[:0], c.masks[:0], c.params[:0]
		for _, j := range s.in {
			c.in, c.masks = append(c.in, r.values[j]), append(c.masks, r.masks[j])
		}
		for _, j := range s.params {
			c.params = append(c.params, r.params[j])
		}
		own := s.node.layer.activation()
		if c.Act = own; s.fused {
			c.Act = Linear
		}
		rows := c.in[0].Rows
		y := s.node.layer.kind.Forward(c)
		r.masks[i] = c.resultMask()
		if r.values[i] = y; s.fused {
			if r.fused[i] = y; s.used {
				r.values[i] = own.Apply(c, y) // of one axis, as every head
			}
		}
		if r.err == nil {
			r.err = r.model.checkResult(s.node, y, rows, r.tape.Err())
		}
		if training {
			r.keep(s)
		}
		r.profile.lap(inForward + phase(i))
	}
}

// keep gives later calls, and the trainer, the states that a call has updated.
func (r *runner) keep(s placedNode) {
	for i, j := range s.params {
		v, w := r.call.params[i], r.model.weights[j]
		if v == r.params[j] {
			continue
		}
		if r.err == nil && (!w.param.state || v == nil || v.Rows != w.Rows || v.Cols != w.Cols) {
			r.err = fmt.Errorf("%s: Forward updates %q with %v, only states can be updated, and this one has %d rows of %d",
				r.model.describe(s.node.layer), w.param.name, sizeOf(v), w.Rows, w.Cols)
		}
		r.params[j] = v
	}
}

// checkResult reports the error of the call that gave y, or a y that is not what Build has promised.
func (m *Model) checkResult(n *Node, y *ops.Tensor, rows int, err error) error {
	if err == nil && (y == nil || y.Rows != rows || y.Cols != n.features()) {
		err = fmt.Errorf("Forward returned %v, must be %d rows of %d", sizeOf(y), rows, n.features())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.describe(n.layer), err)
	}
	return nil
}

func sizeOf(y *ops.Tensor) string {
	if y == nil {
		return "nil"
	}
	return fmt.Sprintf("%d rows of %d", y.Rows, y.Cols)
}
