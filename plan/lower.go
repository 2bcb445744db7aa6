package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// lowering turns a record into the steps of a plan.
type lowering struct {
	*Plan
	*Recorder
	packed   map[string]*kernels.PackedB
	tables   map[*value]*kernels.Matrix // copies of constants
	copies   []func() error             // fill packed and tables once it is known that there is memory for them
	memory   int64                      // bytes of packed and tables
	maxBytes int64
}

// lower runs the passes: each has a file of its own.
func (l *lowering) lower() error {
	l.sweep()
	if err := l.fold(); err != nil {
		return err
	}
	l.alias()
	l.absorb()
	l.fuse()
	values := l.computed()
	l.share(values)
	l.merge(values)
	l.position(values)
	for _, v := range values {
		l.compute(v)
	}
	l.finish()
	l.chains()
	return nil
}

// emit appends a step.
func (l *lowering) emit(s step) {
	i := len(l.steps)
	use := func(v view) {
		if v.constant != nil {
			return
		}
		b := &l.buffers[v.buffer]
		if b.first < 0 {
			b.first = i
		}
		b.last = i
	}
	use(s.y)
	for _, x := range s.x {
		use(x)
	}
	s.name = brief.Cut(s.name, 2*brief.MaxQuoted)
	l.steps = append(l.steps, s)
}

// compute appends the steps of a value.
func (l *lowering) compute(v *value) {
	o := v.step
	s := step{op: o.name, name: o.label, act: o.act, run: o.run, flops: o.flops}
	switch o.kind {
	case product:
		l.product(v)
		return
	case function:
		if o.in[0].same.tail == v {
			return // is done with the product
		}
		s.y = l.row(v)
		for _, x := range o.in {
			s.x = append(s.x, l.row(x))
		}
	case convolution:
		s.w = l.pack([]*value{v}, o.in[1].Rows, v.Cols)
		s.y, s.x = l.viewOf(v.place, v.Rows, v.Cols), []view{l.operand(o.in[0])}
		for _, x := range o.in[1:] {
			s.bytes += 4 * x.elements()
		}
	case rowwise, apart, depthwise:
		if o.in[0].same.tail == v {
			return
		}
		s.y = l.viewOf(v.place, v.Rows, v.Cols)
		l.operands(&s, o.in)
	case embedding:
		s.y, s.x = l.row(v), []view{l.row(o.in[0])}
		l.operands(&s, o.in[1:])
	case joining:
		l.join(v)
		return
	case recurrent:
		l.recurrent(v)
		return
	case slicing:
		x := l.operand(o.in[0])
		x.offset, x.cols = x.offset+o.from, v.Cols
		s.run, s.y, s.x = copyRows, l.viewOf(v.place, v.Rows, v.Cols), []view{x}
	}
	l.emit(s)
}

// operands appends operands to those of a step, each in its own rows and columns.
func (l *lowering) operands(s *step, operands []*value) {
	for _, x := range operands {
		if x.fixed {
			s.x = append(s.x, view{constant: l.constant(x)})
			s.bytes += 4 * x.elements()
		} else {
			s.x = append(s.x, l.operand(x))
		}
	}
}

// join copies what does not lie yet where the joined rows do.
func (l *lowering) join(v *value) {
	y := l.viewOf(v.place, v.Rows, v.Cols)
	for _, in := range v.step.in {
		x := l.operand(in)
		x.cols = in.Cols
		part := y
		part.cols = x.cols
		if x != part {
			l.emit(step{op: "copy", name: v.step.label, run: copyRows, y: part, x: []view{x}})
		}
		y.offset += x.cols
	}
}

// product appends a product, or all that are one with it, and the functions behind them.
func (l *lowering) product(v *value) {
	group := v.group
	if group == nil {
		group = []*value{v}
	} else if v != group[0] {
		return // is done with the first one
	}
	x, y := l.operand(v.step.in[0]), l.viewOf(v.place, v.Rows, v.Cols)
	layers := []*value{v}
	names := []string{v.step.label}
	columns := v.Cols
	for _, o := range group[1:] {
		names = append(names, o.step.label)
		if o.step.in[1] == v.step.in[1] { // more rows
			x.lead++
			y.lead++
			x.stride, y.stride = x.cols, y.cols
			continue
		}
		layers = append(layers, o)
		columns += o.Cols
		y.cols = columns
	}
	l.emit(step{op: "dense", name: strings.Join(names, ", "), act: v.step.act, w: l.pack(layers, x.cols, columns), bound: true, y: y, x: []view{x},
		flops: 2 * x.lead * x.cols * columns, bytes: 4 * columns * (x.cols + len(v.step.in) - 2)})
	for _, o := range group {
		if t := o.tail; t != nil {
			s := step{op: t.step.name, name: t.step.label, act: t.step.act, run: t.step.run, flops: t.step.flops,
				y: l.viewOf(t.place, t.Rows, t.Cols), x: []view{l.viewOf(o.place, o.Rows, o.Cols)}}
			l.operands(&s, t.step.in[1:])
			l.emit(s)
		}
	}
}

// pack returns the weights of products side by side, to be packed once.
func (l *lowering) pack(products []*value, rows, cols int) *kernels.PackedB {
	var key strings.Builder
	for _, v := range products {
		fmt.Fprint(&key, v.step.in[1].ID, " ")
		if b := v.step.bias(); b != nil {
			fmt.Fprint(&key, b.ID, " ")
		}
	}
	if w := l.packed[key.String()]; w != nil {
		return w
	}
	w := new(kernels.PackedB)
	l.packed[key.String()] = w
	const panel = 32 // columns, at most
	l.memory += 4 * int64(rows+1) * int64((cols+panel-1)/panel*panel)
	l.copies = append(l.copies, func() error {
		all := kernels.NewMatrix(rows, cols)
		var bias []float32
		at := 0
		for _, v := range products {
			m := v.step.in[1].Matrix
			if err := l.table.Copy(all.Columns(at, at+m.Cols), m); err != nil {
				return err
			}
			if b := v.step.bias(); b != nil {
				bias = append(bias, b.Row(0)...)
			}
			at += m.Cols
		}
		return l.table.Pack(w, all, bias)
	})
	return w
}

// constant returns the plan's copy of a constant.
func (l *lowering) constant(v *value) *kernels.Matrix {
	m := l.tables[v]
	if m == nil {
		m = new(kernels.Matrix)
		l.tables[v] = m
		l.memory += 4 * int64(v.elements())
		l.copies = append(l.copies, func() error {
			*m = kernels.NewMatrix(v.Rows, v.Cols)
			return l.table.Copy(*m, v.Matrix)
		})
	}
	return m
}

// finish gives each input and output a buffer that it does not share.
func (l *lowering) finish() {
	taken := map[int]bool{}
	for _, v := range l.Recorder.inputs {
		taken[v.place.buffer] = true
		l.Plan.inputs = append(l.Plan.inputs, port{v.name, v.Cols, v.place.buffer})
	}
	for _, o := range l.Recorder.outputs {
		n, at := o.value.elements(), o.value.same.place
		if taken[at.buffer] || !l.whole(at, n) {
			to := place{buffer: l.newBuffer(n)}
			l.emit(step{op: "copy", name: o.name, run: copyRows, y: l.viewOf(to, 1, n), x: []view{l.viewOf(at, 1, n)}})
			at = to
		}
		taken[at.buffer] = true
		l.Plan.outputs = append(l.Plan.outputs, port{o.name, n, at.buffer})
	}
	for b := range taken {
		l.buffers[b].first, l.buffers[b].last = -1, len(l.steps)
	}
	l.uses = usesOf(l.Plan)
}

// usesOf returns the operands that lie in the memory of inputs and outputs.
func usesOf(p *Plan) (uses []use) {
	ports := make(map[int]use, len(p.inputs)+len(p.outputs))
	for i, o := range p.inputs {
		ports[o.buffer] = use{port: i}
	}
	for i, o := range p.outputs {
		ports[o.buffer] = use{port: i, output: true}
	}
	for i, s := range p.steps {
		for j, v := range slices.Concat([]view{s.y}, s.x) {
			if u, ok := ports[v.buffer]; ok && v.constant == nil {
				u.step, u.operand = i, j-1
				uses = append(uses, u)
			}
		}
	}
	return uses
}
