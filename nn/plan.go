package nn

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"unsafe"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// A Plan is a model made ready to serve: its graph lowered to fused steps, its weights packed for the processor. It is
// immutable and has its own copy of the weights, so any number of goroutines may use it, whatever happens to the model.
// A result has the bits of [Model.Predict], for any batch.
type Plan struct {
	table    *kernels.Table
	pool     *kernels.Pool // nil for one worker
	maxBatch int
	inputs   []port
	outputs  []port
	steps    []planStep
	buffers  []buffer
	uses     []use // of the memory of inputs and outputs
	arena    int   // floats that a session has for each row of a batch

	// sessions are those of Predict. What no call has used between two garbage collections goes with the second one.
	sessions sync.Pool
}

// A port is an input or output of a plan.
type port struct {
	name     string
	features int
	buffer   int
}

// A buffer is memory for a matrix with a row for each sample. Places in it are columns.
type buffer struct {
	width       int
	first, last int // steps that use it; ports use theirs always
	offset      int // in the arena, in floats for each row of a batch
}

// A view is where a step finds an operand: lead rows of cols columns, stride apart, for each sample.
type view struct {
	buffer, offset     int
	lead, cols, stride int
}

type planOp uint8

const (
	denseOp planOp = iota
	activateOp
	softmaxOp
	geluOp
	addOp
	multiplyOp
	copyOp
	embedOp
)

var planOps = []string{"dense", "activate", "softmax", "gelu", "add", "multiply", "copy", "embed"}

// A planStep is one kernel call: y = op(x...).
type planStep struct {
	op    planOp
	name  string // of the layers it computes
	act   kernels.Activation
	w     *kernels.PackedB
	rows  *kernels.Matrix // of an embedding
	y     view
	x     []view
	flops int // for each sample
	bytes int // of weights
}

// A PlanOption configures a plan.
type PlanOption interface{ applyPlan(*planConfig) }

type planConfig struct {
	workers  int
	maxBytes int64 // 0 is the default
}

func newPlanConfig(opts []PlanOption) (planConfig, error) {
	var c planConfig
	for i, o := range opts {
		if o == nil {
			return c, fmt.Errorf("option %d is nil", i)
		}
		o.applyPlan(&c)
	}
	return c, nil
}

type maxBytesOption int64

func (o maxBytesOption) applyPlan(c *planConfig) { c.maxBytes = max(1, int64(o)) }
func (o maxBytesOption) applyLoad(c *loading)    { c.maxBytes = max(1, int64(o)) }

// MaxBytes limits memory. What would need more is an error that says how much, before the memory is taken: of a plan for
// its weights and one session together, of what reads a model for the model's weights and the optimizer's state.
//
// A small file can ask for a plan of any size, so a plan has a limit without the option too: twice the bytes of the
// model's weights, and 1 GiB for what a session computes with. A model by itself is never much larger than its file.
func MaxBytes(bytes int64) interface {
	PlanOption
	LoadOption
} {
	return maxBytesOption(bytes)
}

type workersOption int

func (o workersOption) applyPlan(c *planConfig) { c.workers = int(o) }

func (o workersOption) applyFit(c *fitConfig)      { c.workers = int(o) }
func (o workersOption) applyEvaluate(c *fitConfig) { c.workers = int(o) }

// WithWorkers shares large products, and in training the updates of large weights, among so many goroutines; all sessions of
// a plan have them in common. No result depends on it. The default is 1: everything is computed where it is called.
func WithWorkers(workers int) interface {
	PlanOption
	FitOption
	EvaluateOption
} {
	return workersOption(workers)
}

// NewPlan lowers a model for batches of up to maxBatch rows, packing the weights that it has now. Dense layers get their
// activation in the same kernel call; narrow ones on one input are one product, as is a layer that is called on several
// nodes; what a Concatenate joins is computed where the joined rows lie; Dropout, Flatten and Reshape vanish.
func NewPlan(m *Model, maxBatch int, opts ...PlanOption) (*Plan, error) {
	if m == nil {
		return nil, fmt.Errorf("nn: NewPlan: the model is nil")
	}
	if maxBatch < 1 {
		return nil, fmt.Errorf("nn: NewPlan: maxBatch is %d, must be at least 1", maxBatch)
	}
	if err := kernels.Err(); err != nil {
		return nil, fmt.Errorf("nn: NewPlan: %w", err)
	}
	if len(m.nodes) == 0 {
		return nil, fmt.Errorf("nn: NewPlan: %w", errEmptyModel)
	}
	c, err := newPlanConfig(opts)
	if err != nil {
		return nil, fmt.Errorf("nn: NewPlan: %w", err)
	}
	p := &Plan{table: kernels.Default(), maxBatch: maxBatch}
	l := lowering{Plan: p, model: m}
	if err := l.lower(c.maxBytes); err != nil {
		return nil, brief.Error(fmt.Errorf("nn: NewPlan: %w", err))
	}
	if c.workers > 1 {
		p.pool = kernels.NewPool(c.workers)
		runtime.AddCleanup(p, func(pool *kernels.Pool) { pool.Close() }, p.pool)
	}
	return p, nil
}

var errEmptyPlan = errors.New("the plan is empty: make it with NewPlan or LoadPlan")

// isEmpty reports a Plan that nothing has made.
func (p *Plan) isEmpty() bool { return p == nil || p.table == nil }

// MaxBatch returns the rows that a session has memory for.
func (p *Plan) MaxBatch() int { return p.maxBatch }

// InputNames returns the names of the inputs, in order.
func (p *Plan) InputNames() []string { return portNames(p.inputs) }

// OutputNames returns the names of the outputs, in order.
func (p *Plan) OutputNames() []string { return portNames(p.outputs) }

// InputFeatures returns the elements of a row of input i, OutputFeatures those of output i. Both panic, like an index, if
// there is no such input or output.
func (p *Plan) InputFeatures(i int) int  { return p.inputs[i].features }
func (p *Plan) OutputFeatures(i int) int { return p.outputs[i].features }

func portNames(ports []port) []string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.name
	}
	return names
}

// Describe prints the steps with their shapes, for one sample: rows x columns; the floating-point operations, the bytes
// of weights, and the memory of a session.
func (p *Plan) Describe(w io.Writer) error {
	if p.isEmpty() {
		return fmt.Errorf("nn: Plan.Describe: %w", errEmptyPlan)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "step\tlayers\tin\tout\tactivation\tflops\tweight bytes\t\n")
	flops, bytes := 0, 0
	for _, s := range p.steps {
		var in []string
		for _, x := range s.x {
			in = append(in, x.String())
		}
		act := ""
		if s.op == denseOp || s.op == activateOp {
			act = ActivationKind(s.act).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t\n", planOps[s.op], s.name, strings.Join(in, " "), s.y, act, s.flops, s.bytes)
		flops += s.flops
		bytes += s.bytes
	}
	fmt.Fprintf(t, "total\t\t\t\t\t%d\t%d\t\n", flops, bytes)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s kernels; a session for batches of up to %d has %d bytes of memory\n", p.table.ISA, p.maxBatch, 4*p.arena*p.maxBatch)
	return err
}

func (v view) String() string { return fmt.Sprintf("%dx%d", v.lead, v.cols) }

// A place is where the result of a node lies: columns of a buffer.
type place struct{ buffer, offset int }

// lowering turns a model into the steps of a plan.
type lowering struct {
	*Plan
	model  *Model
	same   map[*Node]*Node   // the node whose result a node passes on
	act    map[*Node]fused   // dense nodes with the activation that follows them
	users  map[*Node]int     // how often a result is an operand or an output
	depth  map[*Node]int     // the longest way from an input
	places map[*Node]place   // of results
	raw    map[*Node]place   // of dense results before softmax or gelu, if that is elsewhere
	group  map[*Node][]*Node // of dense nodes that are one product
	packed map[string]*kernels.PackedB
	tables map[*Layer]*kernels.Matrix // copies of embeddings
	copies []func() error             // fill packed and tables once it is known that there is memory for them
	memory int64                      // bytes of packed and tables
}

// A fused is the activation of a dense node, and the layers that the step computes.
type fused struct {
	act  ActivationKind
	name string
}

func (l *lowering) lower(maxBytes int64) error {
	l.same, l.act, l.users, l.depth = map[*Node]*Node{}, map[*Node]fused{}, map[*Node]int{}, map[*Node]int{}
	l.places, l.raw, l.group, l.packed = map[*Node]place{}, map[*Node]place{}, map[*Node][]*Node{}, map[string]*kernels.PackedB{}
	l.tables = map[*Layer]*kernels.Matrix{}
	nodes := l.resolve()
	l.share(nodes)
	l.merge(nodes)
	l.place(nodes)
	for _, n := range nodes {
		if err := l.emit(n); err != nil {
			return err
		}
	}
	l.finish()
	if err := l.checkMemory(l.layOut(), maxBytes); err != nil {
		return err
	}
	for _, copy := range l.copies {
		if err := copy(); err != nil {
			return err
		}
	}
	return nil
}

// checkMemory reports what a plan of so many floats for each row of a batch would need beyond its limit.
func (l *lowering) checkMemory(arena, maxBytes int64) error {
	if arena > int64(maxElements/l.maxBatch) {
		return fmt.Errorf("maxBatch is %d, and each row takes %d floats: together more than %d", l.maxBatch, arena, maxElements)
	}
	if l.arena = int(arena); maxBytes == 0 {
		maxBytes = 1 << 30
		for _, w := range l.model.weights {
			maxBytes += 2 * 4 * int64(w.Rows*w.Cols)
		}
	}
	session := 4*arena*int64(l.maxBatch) + int64(len(l.steps))*int64(unsafe.Sizeof(boundStep{}))
	if need := l.memory + session; need > maxBytes {
		return fmt.Errorf("needs %d bytes, %d for weights and %d for a session of up to %d rows; MaxBytes allows %d", need, l.memory, session, l.maxBatch, maxBytes)
	}
	return nil
}

// resolve finds the nodes that compute something, in an order in which each comes after those it depends on and as near
// to the inputs as possible, and joins dense nodes with activations that only they lead to.
func (l *lowering) resolve() []*Node {
	m := l.model
	for _, n := range m.nodes {
		l.same[n] = n
		if _, ok := n.layer.kind.(*inputLayer); ok {
			continue
		}
		switch k := n.layer.kind.(type) {
		case *dropout, *flatten, *reshape:
			l.same[n] = l.same[n.in[0]]
		case *activation:
			if k.Activation == Linear {
				l.same[n] = l.same[n.in[0]]
			}
		}
		if l.same[n] == n {
			for _, in := range n.in {
				l.users[l.same[in]]++
			}
		}
	}
	for _, o := range m.outputs {
		l.users[l.same[o]]++
	}
	for _, n := range m.nodes {
		l.same[n] = l.same[l.same[n]] // what it passes on may have been joined since
		if d, ok := n.layer.kind.(*dense); ok {
			l.act[n] = fused{d.Activation, n.layer.name}
		}
		a, ok := n.layer.kind.(*activation)
		if !ok || l.same[n] != n {
			continue
		}
		before := l.same[n.in[0]]
		if f, ok := l.act[before]; ok && f.act == Linear && l.users[before] == 1 && lastOf(before) == lastOf(n) {
			l.act[before] = fused{a.Activation, f.name + "+" + n.layer.name}
			l.same[n] = before
			l.users[before] = l.users[n]
		}
	}
	var nodes []*Node
	for _, n := range m.nodes {
		if l.same[n] != n {
			continue
		}
		nodes = append(nodes, n)
		for _, in := range n.in {
			l.depth[n] = max(l.depth[n], l.depth[l.same[in]]+1)
		}
	}
	slices.SortStableFunc(nodes, func(a, b *Node) int { return l.depth[a] - l.depth[b] })
	return nodes
}

func lastOf(n *Node) int { return n.shape[len(n.shape)-1] }

// flat reports whether a node's samples are rows without further axes.
func flat(n *Node) bool { return len(n.shape) == 1 }

func isSource(n *Node) bool { _, ok := n.layer.kind.(*inputLayer); return ok }

func isDense(n *Node) bool { _, ok := n.layer.kind.(*dense); return ok }

// newBuffer returns the number of a new buffer.
func (l *lowering) newBuffer(width int) int {
	l.buffers = append(l.buffers, buffer{width: width, first: -1})
	return len(l.buffers) - 1
}

// An alike has nodes that could be one product.
type alike struct {
	nodes []*Node
	tries int
}

// maxTries bounds the looks for one product among alike nodes: each can be in vain and takes linear time.
const maxTries = 64

// eachAlike calls do with each node of which key has a key and those of the same key that come after it.
func eachAlike[K comparable](nodes []*Node, key func(*Node) (K, bool), do func(n *Node, later []*Node) bool) {
	all := map[K]*alike{}
	var keyed []*alike
	for _, n := range nodes {
		if k, ok := key(n); ok {
			if all[k] == nil {
				all[k] = new(alike)
			}
			all[k].nodes = append(all[k].nodes, n)
			keyed = append(keyed, all[k])
		}
	}
	for _, a := range keyed {
		n := a.nodes[0]
		if a.nodes = a.nodes[1:]; a.tries < maxTries && do(n, a.nodes) {
			a.tries++
		}
	}
}

// share makes the calls of one layer on nodes of one depth one product with more rows: their operands lie side by side,
// which is as good as below each other.
func (l *lowering) share(nodes []*Node) {
	type key struct {
		layer *Layer
		depth int
		act   ActivationKind
	}
	keyOf := func(n *Node) (key, bool) {
		return key{n.layer, l.depth[n], l.act[n].act}, isDense(n) && flat(n)
	}
	eachAlike(nodes, keyOf, func(n *Node, later []*Node) bool {
		if l.group[n] != nil || isSource(l.same[n.in[0]]) {
			return false
		}
		var calls, in []*Node
		seen := map[*Node]bool{}
		for _, o := range append([]*Node{n}, later...) {
			if operand := l.same[o.in[0]]; !seen[operand] {
				seen[operand] = true
				calls, in = append(calls, o), append(in, operand)
			}
		}
		if len(calls) < 2 || !l.beside(in) {
			return true
		}
		units := n.features()
		out := l.newBuffer(units * len(calls))
		for j, o := range calls {
			l.group[o] = calls
			l.places[o] = place{out, j * units}
		}
		return true
	})
}

// beside puts results side by side in a buffer of their own, or finds them there.
func (l *lowering) beside(nodes []*Node) bool {
	width, found := 0, 0
	for _, n := range nodes {
		if isSource(n) || !flat(n) || n.features() != nodes[0].features() {
			return false
		}
		if p, ok := l.places[n]; ok && p == (place{l.places[nodes[0]].buffer, width}) {
			found++
		} else if ok {
			return false
		}
		width += n.features()
	}
	if found == len(nodes) {
		return l.buffers[l.places[nodes[0]].buffer].width == width
	}
	if found > 0 {
		return false
	}
	b := l.newBuffer(width)
	for i, n := range nodes {
		l.places[n] = place{b, i * nodes[0].features()}
	}
	return true
}

// narrow is the number of units below which a dense layer wastes most of a tile's columns.
const narrow = 16

// merge makes narrow dense layers on one node one product with more columns, if their sums end alike.
func (l *lowering) merge(nodes []*Node) {
	mergeable := func(n *Node) bool {
		_, placed := l.places[n]
		return isDense(n) && flat(n) && l.group[n] == nil && !placed && n.features() < narrow
	}
	type key struct {
		operand  *Node
		params   int
		epilogue kernels.Activation
	}
	keyOf := func(n *Node) (k key, ok bool) {
		if ok = mergeable(n); ok {
			k = key{l.same[n.in[0]], len(n.layer.params), l.act[n].act.epilogue()}
		}
		return k, ok
	}
	eachAlike(nodes, keyOf, func(n *Node, later []*Node) bool {
		if l.group[n] != nil {
			return false
		}
		var group []*Node
		seen := map[*Layer]bool{}
		for _, o := range append([]*Node{n}, later...) {
			if l.group[o] == nil && !seen[o.layer] {
				seen[o.layer] = true
				group = append(group, o)
			}
		}
		if len(group) < 2 {
			return true
		}
		width := 0
		for _, o := range group {
			width += o.features()
		}
		b := l.newBuffer(width)
		offset := 0
		for _, o := range group {
			l.group[o] = group
			at := place{b, offset}
			if l.act[o].act.separate() {
				l.raw[o] = at
			} else {
				l.places[o] = at
			}
			offset += o.features()
		}
		return true
	})
}

// separate reports whether the activation is a step of its own.
func (a ActivationKind) separate() bool { return a == Softmax || a == GELU }

// place decides where the results are that have no place yet: within what a Concatenate joins, or in a buffer of their
// own.
func (l *lowering) place(nodes []*Node) {
	for _, n := range nodes {
		if isSource(n) {
			l.places[n] = place{buffer: l.newBuffer(n.features())}
		}
	}
	for _, n := range slices.Backward(nodes) {
		at, ok := l.places[n]
		if !ok {
			at = place{buffer: l.newBuffer(n.features())}
			l.places[n] = at
		}
		if _, ok := n.layer.kind.(*concatenate); !ok || !flat(n) {
			continue
		}
		for _, in := range n.in {
			part := l.same[in]
			if _, ok := l.places[part]; !ok && (flat(part) || isEmbedding(part)) && flat(in) {
				l.places[part] = at
			}
			at.offset += in.features()
		}
	}
}

// viewOf returns a result by its last axis, in rows as a kernel reads them.
func (l *lowering) viewOf(at place, shape []int) view {
	cols := shape[len(shape)-1]
	v := view{at.buffer, at.offset, elements(shape) / cols, cols, cols}
	if v.lead == 1 {
		v.stride = l.buffers[at.buffer].width
	}
	return v
}

// whole reports whether a place is all of its buffer.
func (l *lowering) whole(at place, features int) bool {
	return at.offset == 0 && l.buffers[at.buffer].width == features
}

// operand returns the result of a node in the given shape, which it copies if it lies between other columns and the shape
// has more than one axis.
func (l *lowering) operand(n *Node, shape []int) view {
	n = l.same[n]
	at := l.places[n]
	if lead := elements(shape) / shape[len(shape)-1]; lead > 1 && !l.whole(at, n.features()) {
		to := place{buffer: l.newBuffer(n.features())}
		l.step(planStep{op: copyOp, name: n.layer.name, y: l.viewOf(to, []int{n.features()}), x: []view{l.viewOf(at, []int{n.features()})}})
		at = to
	}
	return l.viewOf(at, shape)
}

func (l *lowering) step(s planStep) {
	i := len(l.steps)
	for _, v := range append([]view{s.y}, s.x...) {
		b := &l.buffers[v.buffer]
		if b.first < 0 {
			b.first = i
		}
		b.last = i
	}
	s.name = brief.Cut(s.name, 2*brief.MaxQuoted)
	l.steps = append(l.steps, s)
}

// emit appends the steps of a node.
func (l *lowering) emit(n *Node) error {
	at := l.places[n]
	elements := n.features()
	switch k := n.layer.kind.(type) {
	case *inputLayer:
	case *dense:
		return l.dense(n)
	case *embedding:
		rows, size := l.tables[n.layer], 4*k.InputDim*k.OutputDim
		if rows == nil {
			rows = new(kernels.Matrix)
			l.tables[n.layer] = rows
			l.memory += int64(size)
			l.copies = append(l.copies, func() error {
				*rows = kernels.NewMatrix(k.InputDim, k.OutputDim)
				return l.table.Copy(*rows, n.layer.params[0].value)
			})
		}
		l.step(planStep{op: embedOp, name: n.layer.name, rows: rows, y: l.rowsOf(n, n.shape), x: []view{l.rowsOf(n.in[0], n.in[0].shape)}, bytes: size})
	case *activation:
		s := planStep{op: activateOp, name: n.layer.name, act: k.Activation.epilogue(), flops: elements}
		switch k.Activation {
		case Softmax:
			s.op = softmaxOp
		case GELU:
			s.op = geluOp
		}
		l.likeInput(n, s)
	case *elementwise:
		s := planStep{op: addOp, name: n.layer.name, flops: elements}
		if k.name == "Multiply" {
			s.op = multiplyOp
		}
		y := l.rowsOf(n, n.shape)
		left := l.rowsOf(n.in[0], n.shape)
		for _, in := range n.in[1:] {
			s.y, s.x = y, []view{left, l.rowsOf(in, n.shape)}
			l.step(s)
			left = y
		}
	case *concatenate:
		y := l.viewOf(at, n.shape)
		for _, in := range n.in {
			x := l.operand(in, in.shape)
			x.cols = lastOf(in)
			part := y
			part.cols = x.cols
			if x != part {
				l.step(planStep{op: copyOp, name: n.layer.name, y: part, x: []view{x}})
			}
			y.offset += x.cols
		}
	default:
		return fmt.Errorf("%s cannot be served yet", n.layer.describe())
	}
	return nil
}

// rowsOf returns a result as one row for each sample: what the elementwise kernels need.
func (l *lowering) rowsOf(n *Node, shape []int) view {
	n = l.same[n]
	return l.viewOf(l.places[n], []int{elements(shape)})
}

// likeInput appends a step whose result has the shape of its operand.
func (l *lowering) likeInput(n *Node, s planStep) {
	if s.op == softmaxOp {
		s.x = []view{l.operand(n.in[0], n.shape)}
		s.y = l.viewOf(l.places[n], n.shape)
	} else {
		s.x = []view{l.rowsOf(n.in[0], n.shape)}
		s.y = l.rowsOf(n, n.shape)
	}
	l.step(s)
}

// dense appends the product of a dense node, or of all that it is one product with, and what follows it.
func (l *lowering) dense(n *Node) error {
	group := l.group[n]
	if group == nil {
		group = []*Node{n}
	} else if n != group[0] {
		return nil // is done with the first one
	}
	d := n.layer.kind.(*dense)
	rawOf := func(n *Node) place {
		if at, ok := l.raw[n]; ok {
			return at
		}
		return l.places[n]
	}
	x, y := l.operand(n.in[0], n.in[0].shape), l.viewOf(rawOf(n), n.shape)
	layers := []*Layer{n.layer}
	names := []string{l.act[n].name}
	columns := d.Units
	for _, o := range group[1:] {
		names = append(names, l.act[o].name)
		if o.layer == n.layer { // more rows
			x.lead++
			y.lead++
			x.stride, y.stride = x.cols, y.cols
			continue
		}
		layers = append(layers, o.layer)
		columns += o.features()
		y.cols = columns
	}
	l.step(planStep{op: denseOp, name: strings.Join(names, ", "), act: l.act[n].act.epilogue(), w: l.pack(layers, x.cols, columns), y: y, x: []view{x},
		flops: 2 * x.lead * x.cols * columns, bytes: 4 * columns * (x.cols + len(n.layer.params) - 1)})
	for _, o := range group {
		f := l.act[o]
		if !f.act.separate() {
			continue
		}
		s := planStep{op: softmaxOp, name: f.name, flops: o.features(), y: l.viewOf(l.places[o], o.shape), x: []view{l.viewOf(rawOf(o), o.shape)}}
		if f.act == GELU {
			s.op = geluOp
		}
		l.step(s)
	}
	return nil
}

// pack returns the weights of layers side by side, to be packed once.
func (l *lowering) pack(layers []*Layer, rows, cols int) *kernels.PackedB {
	var key strings.Builder
	for _, layer := range layers {
		fmt.Fprintf(&key, "%s\x00", layer.name)
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
		for _, layer := range layers {
			w := layer.params[0].value
			if err := l.table.Copy(all.Columns(at, at+w.Cols), w); err != nil {
				return err
			}
			if len(layer.params) > 1 {
				bias = append(bias, layer.params[1].value.Data...)
			}
			at += w.Cols
		}
		return l.table.Pack(w, all, bias)
	})
	return w
}

// finish gives each input and output a buffer that it does not share.
func (l *lowering) finish() {
	taken := map[int]bool{}
	for _, n := range l.model.inputs {
		b := l.places[l.same[n]].buffer
		taken[b] = true
		l.inputs = append(l.inputs, port{n.layer.name, n.features(), b})
	}
	for _, n := range l.model.outputs {
		at := l.places[l.same[n]]
		if taken[at.buffer] || !l.whole(at, n.features()) {
			to := place{buffer: l.newBuffer(n.features())}
			shape := []int{n.features()}
			l.step(planStep{op: copyOp, name: n.layer.name, y: l.viewOf(to, shape), x: []view{l.viewOf(at, shape)}})
			at = to
		}
		taken[at.buffer] = true
		l.outputs = append(l.outputs, port{n.layer.name, n.features(), at.buffer})
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
		for j, v := range append([]view{s.y}, s.x...) {
			if u, ok := ports[v.buffer]; ok {
				u.step, u.operand = i, j-1
				uses = append(uses, u)
			}
		}
	}
	return uses
}

// layOut assigns places in the arena, whose size it returns: in the order in which buffers come to be used, each gets the
// first gap that those in use leave.
func (l *lowering) layOut() int64 {
	var begin, end []int
	for i := range l.buffers {
		begin, end = append(begin, i), append(end, i)
	}
	slices.SortStableFunc(begin, func(a, b int) int { return l.buffers[a].first - l.buffers[b].first })
	slices.SortStableFunc(end, func(a, b int) int { return l.buffers[a].last - l.buffers[b].last })
	var free gaps
	for _, i := range begin {
		b := &l.buffers[i]
		for ; l.buffers[end[0]].last < b.first; end = end[1:] {
			o := &l.buffers[end[0]]
			free.give(gap{int64(o.offset), int64(o.offset) + o.size()})
		}
		b.offset = int(free.take(b.size()))
	}
	return free.end
}

// size is the memory that the buffer takes, in floats for each row of a batch.
func (b *buffer) size() int64 {
	const align = 16 // floats: a cache line
	return (int64(b.width) + align - 1) / align * align
}

type gap struct{ from, to int64 }

// gaps are the unused places of the arena, in order.
type gaps struct {
	list []gap
	end  int64 // of the arena
}

// maxGaps bounds the work on gaps. Where there are more, the first ones are forgotten: the arena is larger than it could be.
const maxGaps = 1 << 10

// take returns the first place of that size, which is at the end of the arena if there is none before.
func (g *gaps) take(size int64) int64 {
	i := slices.IndexFunc(g.list, func(f gap) bool { return f.to-f.from >= size || f.to == g.end })
	if i < 0 {
		g.end += size
		return g.end - size
	}
	f := &g.list[i]
	from := f.from
	g.end = max(g.end, from+size)
	if f.from += size; f.from >= f.to {
		g.list = slices.Delete(g.list, i, i+1)
	}
	return from
}

// give joins a place with the gaps at its sides.
func (g *gaps) give(f gap) {
	i, _ := slices.BinarySearchFunc(g.list, f.from, func(o gap, from int64) int { return cmp.Compare(o.from, from) })
	if i < len(g.list) && g.list[i].from == f.to {
		f.to = g.list[i].to
		g.list = slices.Delete(g.list, i, i+1)
	}
	if i > 0 && g.list[i-1].to == f.from {
		g.list[i-1].to = f.to
		return
	}
	if g.list = slices.Insert(g.list, i, f); len(g.list) > maxGaps {
		g.list = slices.Delete(g.list, 0, 1)
	}
}
