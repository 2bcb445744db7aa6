package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// A value is what a name in a graph stands for.
type value struct {
	one, two *tensor // with batches of one row and of two; two is nil where the whole graph is one row
	at       int     // the axis of the batch, -1 for none
	counts   bool    // a constant but for the size of the batch
	input    bool    // of the graph

	node, last *nn.Node // its elements in the order of the graph, and with the channels last; at most one is nil once it is lowered
}

// A graph is one whose values are being found.
type graph struct {
	*graphProto
	versions map[string]int64
	config   config
	nodes    []*nodeProto // that an output needs
	makers   map[string]*nodeProto
	users    map[string][]*nodeProto
	isOutput map[string]bool
	values   map[string]*value
	dropped  map[string]string // outputs that no row can hold, and why
	budget   int
	most     int // that the budget starts with
}

// A mixing is the error of a node that does not leave the samples of a batch apart.
type mixing struct {
	node *nodeProto
	why  string
}

func (m *mixing) Error() string {
	return fmt.Sprintf("%s mixes the samples of a batch, so that a row has no prediction of its own: %s", m.node.describe(), m.why)
}

// describe names a node in an error: node "fc1" (Gemm).
func (x *nodeProto) describe() string {
	name := x.name
	if name == "" && len(x.outputs) > 0 {
		name = x.outputs[0]
	}
	return fmt.Sprintf("node %s (%s)", brief.Quote(name), x.key())
}

// newGraph checks what a model is made of.
func newGraph(m *modelProto, fileSize int, c config) (*graph, error) {
	if m.graph == nil {
		return nil, errors.New("has no graph: it is no ONNX model")
	}
	g := &graph{graphProto: m.graph, versions: map[string]int64{}, config: c, makers: map[string]*nodeProto{}, users: map[string][]*nodeProto{}, isOutput: map[string]bool{}, dropped: map[string]string{}, most: 1<<19 + fileSize/2}
	for _, o := range m.opsets {
		domain := o.domain
		if domain == "ai.onnx" {
			domain = ""
		}
		if g.versions[domain] = o.version; o.version < 1 || domain == "" && o.version > newestOpset {
			return nil, fmt.Errorf("uses version %d of the operators of domain %q, valid are 1 to %d", o.version, domain, newestOpset)
		}
	}
	if _, ok := g.versions[""]; !ok {
		g.versions[""] = 1
		if len(m.opsets) == 0 {
			return nil, errors.New("does not say which operators it uses: it is no ONNX model")
		}
	}
	if g.sparse > 0 {
		return nil, fmt.Errorf("has %d sparse initializers, which are not supported", g.sparse)
	}
	return g, g.prune()
}

const (
	newestOpset = 27
	maxNodes    = 16384 // as many as a model of package nn can have
)

// prune finds the nodes that an output needs, and reports all unknown operators of them.
func (g *graph) prune() error {
	for _, n := range g.graphProto.nodes {
		for _, y := range n.outputs {
			if y == "" {
				continue
			}
			if g.makers[y] != nil {
				return fmt.Errorf("value %s is computed twice", brief.Quote(y))
			}
			g.makers[y] = n
		}
	}
	needed := map[*nodeProto]bool{}
	var names []string
	for _, o := range g.outputs {
		if names = append(names, o.name); g.isOutput[o.name] {
			return fmt.Errorf("output %s is there twice", brief.Quote(o.name))
		}
		g.isOutput[o.name] = true
	}
	for len(names) > 0 {
		n := g.makers[names[len(names)-1]]
		if names = names[:len(names)-1]; n != nil && !needed[n] {
			needed[n] = true
			names = append(names, n.inputs...)
		}
	}
	unknown := map[string][]string{}
	for _, n := range g.graphProto.nodes {
		if !needed[n] {
			continue
		}
		g.nodes = append(g.nodes, n)
		for _, x := range n.inputs {
			g.users[x] = append(g.users[x], n)
		}
		if _, ok := operators[n.key()]; !ok && !random[n.key()] {
			unknown[n.key()] = append(unknown[n.key()], n.name)
		}
	}
	if len(g.nodes) > maxNodes {
		return fmt.Errorf("has %d nodes, at most %d are possible", len(g.nodes), maxNodes)
	}
	if len(unknown) == 0 {
		return nil
	}
	var all []string
	for op, nodes := range unknown {
		all = append(all, fmt.Sprintf("%s (nodes %s)", brief.Cut(op, brief.MaxQuoted), brief.QuoteAll(nodes)))
	}
	slices.Sort(all)
	return fmt.Errorf("has operators that are not supported: %s", strings.Join(all, ", "))
}

// random are the operators that draw random numbers: what depends on them is left out.
var random = map[string]bool{"RandomNormal": true, "RandomNormalLike": true, "RandomUniform": true, "RandomUniformLike": true, "Multinomial": true, "Bernoulli": true}

// shapes finds the batch and with it all values.
func (g *graph) shapes() error {
	constants, err := g.constants()
	if err != nil {
		return err
	}
	var inputs []*valueProto // that are data
	free, first := false, -1
	for _, x := range g.inputs {
		if constants[x.name] != nil {
			continue
		}
		if x.kind.other != "" || elementNames[x.kind.elem] == "" {
			return fmt.Errorf("input %s is a %s of type %d, must be a tensor of %v", brief.Quote(x.name), x.kind.other, x.kind.elem, elementNames)
		}
		inputs = append(inputs, x)
		if s, given := g.config.shapes[x.name]; given {
			free = free || len(s) < len(x.kind.dims) || !x.kind.hasShape
		} else if !x.kind.hasShape || slices.ContainsFunc(x.kind.dims, dimProto.free) {
			free = true
		}
		if n := -1; len(x.kind.dims) > 0 && x.kind.dims[0].fixed {
			if n = int(min(x.kind.dims[0].size, maxElements)); first == -1 || first == n {
				first = n
			} else {
				first = -2
			}
		} else {
			first = -2
		}
	}
	for name := range g.config.shapes {
		if !slices.ContainsFunc(inputs, func(x *valueProto) bool { return x.name == name }) {
			return fmt.Errorf("has no input %s to give a shape", brief.Quote(name))
		}
	}
	if free || first > 1 {
		err := g.infer(constants, inputs, true)
		var m *mixing
		if free || !errors.As(err, &m) {
			return err
		}
	}
	return g.infer(constants, inputs, false)
}

// free reports a size that the file leaves open.
func (d dimProto) free() bool { return !d.fixed || d.size < 0 }

// constants returns the initializers and what [InputValue] gives.
func (g *graph) constants() (map[string]*value, error) {
	all := map[string]*value{}
	for _, p := range g.initializers {
		t, err := newConstant(p)
		if err != nil {
			return nil, fmt.Errorf("initializer %s %w", brief.Quote(p.name), err)
		}
		if all[p.name] != nil {
			return nil, fmt.Errorf("initializer %s is there twice", brief.Quote(p.name))
		}
		all[p.name] = &value{one: t, two: t, at: -1}
	}
	for name, values := range g.config.values {
		i := slices.IndexFunc(g.inputs, func(x *valueProto) bool { return x.name == name })
		if i < 0 {
			return nil, fmt.Errorf("has no input %s to give a value", brief.Quote(name))
		}
		x := g.inputs[i]
		t := &tensor{elem: x.kind.elem, known: true, values: slices.Clone(values)}
		for _, d := range x.kind.dims {
			n := int(min(d.size, maxElements))
			if d.free() {
				n = len(values)
			}
			t.shape = append(t.shape, n)
		}
		if n, err := size(t.shape); err != nil || n != len(values) {
			return nil, fmt.Errorf("input %s has shape %v, its value %d elements", brief.Quote(name), t.shape, len(values))
		}
		all[name] = &value{one: t, two: t, at: -1}
	}
	return all, nil
}

// declare returns an input: its axis of the batch and, with it, all sizes.
func (g *graph) declare(x *valueProto, symbol string, batched bool) (*value, error) {
	v := &value{at: -1, input: true}
	given, has := g.config.shapes[x.name]
	dims := x.kind.dims
	if !x.kind.hasShape { // any: the batch and what is given
		dims = make([]dimProto, len(given)+1)
	}
	whole := has && len(given) == len(dims) && x.kind.hasShape
	if batched && !whole {
		v.at = slices.IndexFunc(dims, func(d dimProto) bool { return d.free() && d.name == symbol && symbol != "" })
		if v.at < 0 && len(dims) > 0 && (dims[0].free() || symbol == fixedBatch) {
			v.at = 0
		}
	}
	if has && !whole && len(given) != len(dims)-1 {
		return nil, fmt.Errorf("input %s has %d axes, the given shape %v must have one less, for a sample, or as many", brief.Quote(x.name), len(dims), given)
	}
	var one []int
	for i, d := range dims {
		n := int(min(max(d.size, 0), maxElements))
		switch {
		case i == v.at:
			n = 1
		case has:
			k := i
			if !whole && (v.at >= 0 && i > v.at || v.at < 0 && i > 0) {
				k--
			}
			if !whole && v.at < 0 && i == 0 {
				break
			}
			if n = given[k]; !d.free() && int64(n) != d.size {
				return nil, fmt.Errorf("input %s has the size %d on axis %d, the given shape %v says %d", brief.Quote(x.name), d.size, i, given, n)
			}
		case d.free():
			return nil, fmt.Errorf("input %s leaves the size of axis %d open (%s): say it with InputShape", brief.Quote(x.name), i, brief.Quote(d.name))
		}
		one = append(one, n)
	}
	if !x.kind.hasShape && !has {
		return nil, fmt.Errorf("input %s has no shape: say it with InputShape", brief.Quote(x.name))
	}
	if _, err := size(one); err != nil {
		return nil, fmt.Errorf("input %s: %w", brief.Quote(x.name), err)
	}
	v.one = &tensor{elem: x.kind.elem, shape: one, known: product(one) == 0, values: []float64{}}
	if !batched {
		v.at = g.first(v.one, false)
	}
	if v.two = v.one; v.at >= 0 && batched {
		two := slices.Clone(one)
		two[v.at] = 2
		v.two = &tensor{elem: x.kind.elem, shape: two, known: v.one.known, values: []float64{}}
	}
	return v, nil
}

// fixedBatch is the symbol of a batch that the file gives a size.
const fixedBatch = "\x00"

// infer finds the shapes of all values, and the constants among them.
func (g *graph) infer(constants map[string]*value, inputs []*valueProto, batched bool) error {
	g.values = map[string]*value{"": nil}
	g.dropped, g.budget = map[string]string{}, g.most
	symbol := fixedBatch
	for _, x := range inputs {
		if len(x.kind.dims) > 0 && x.kind.dims[0].free() {
			symbol = x.kind.dims[0].name
			break
		}
		if slices.ContainsFunc(x.kind.dims, dimProto.free) || !x.kind.hasShape {
			symbol = ""
		}
	}
	for name, v := range constants {
		g.values[name] = v
	}
	for _, x := range inputs {
		if g.values[x.name] != nil || x.name == "" {
			return fmt.Errorf("input %s is there twice", brief.Quote(x.name))
		}
		v, err := g.declare(x, symbol, batched)
		if err != nil {
			return err
		}
		g.values[x.name] = v
	}
	for _, n := range g.nodes {
		if err := g.inferNode(n, batched, symbol == fixedBatch); err != nil {
			var m *mixing
			if !errors.As(err, &m) {
				err = fmt.Errorf("%s: %w", n.describe(), err)
			}
			return err
		}
	}
	for _, o := range g.outputs {
		v := g.values[o.name]
		switch {
		case v == nil:
			return fmt.Errorf("output %s is not computed", brief.Quote(o.name))
		case v.one.lost != "":
			g.dropped[o.name] = v.one.lost
		case v.one.len() == 0:
			g.dropped[o.name] = "without elements"
		case v.counts || batched && symbol == fixedBatch && v.at < 0:
			return &mixing{&nodeProto{name: o.name, op: "output"}, "it depends on how many there are"}
		}
	}
	return nil
}

// node returns a call of a node with batches of one or two rows.
func (g *graph) call(n *nodeProto, two bool) *call {
	domain := n.domain
	if domain == "ai.onnx" {
		domain = ""
	}
	c := &call{nodeProto: n, version: g.versions[domain], budget: &g.budget}
	for _, x := range n.inputs {
		var t *tensor
		if v := g.values[x]; v != nil {
			if t = v.one; two {
				t = v.two
			}
		}
		c.in = append(c.in, t)
	}
	return c
}

func (g *graph) inferNode(n *nodeProto, batched, fixed bool) error {
	lost, settled := "", true
	for _, x := range n.inputs {
		v, ok := g.values[x]
		if !ok {
			return fmt.Errorf("input %s is not computed before it: no input, no initializer and no result of an earlier node has that name", brief.Quote(x))
		}
		if v != nil {
			if v.one.lost != "" {
				lost = v.one.lost
			}
			settled = settled && v.one == v.two
		}
	}
	if random[n.key()] {
		lost = "random"
	}
	if lost != "" {
		for _, y := range n.outputs {
			t := &tensor{lost: lost}
			g.values[y] = &value{one: t, two: t, at: -1}
		}
		return nil
	}
	one := g.call(n, false)
	if err := one.evaluate(); err != nil {
		if batched && fixed && !settled { // it may be right for the batch of the file
			return &mixing{n, err.Error()}
		}
		return err
	}
	if !batched || settled {
		for i, y := range n.outputs {
			if y != "" {
				g.values[y] = &value{one: one.out[i], two: one.out[i], at: g.first(one.out[i], batched)}
			}
		}
		return nil
	}
	two := g.call(n, true)
	if err := two.evaluate(); err != nil {
		return &mixing{n, err.Error()}
	}
	b := &batching{call: two, one: one.out, out: slices.Repeat([]int{-1}, len(n.outputs))}
	counts, any := false, false
	for _, x := range n.inputs {
		at := -1
		if v := g.values[x]; v != nil {
			at, counts = v.at, counts || v.counts
			any = any || at >= 0
		}
		b.at = append(b.at, at)
	}
	known := true
	for _, y := range two.out {
		known = known && (y == nil || y.known || y.lost != "")
	}
	if o := operators[n.key()]; !known {
		resized := n.key() == "Reshape" || n.key() == "Expand" // an input may be a shape with the batch
		switch {
		case counts && !resized:
			return &mixing{n, "it computes with their number"}
		case any || counts:
			if o.batch == nil || len(b.at) == 0 || b.at[0] < 0 && !anyFirst[n.key()] || !o.batch(b) {
				return &mixing{n, "it works along their axis, or nothing is known of it"}
			}
		}
	}
	for i, y := range n.outputs {
		if y == "" {
			continue
		}
		v := &value{one: one.out[i], two: two.out[i], at: b.out[i]}
		if v.one.known {
			if err := v.compare(); err != nil {
				return &mixing{n, err.Error()}
			}
		} else if v.one.lost == "" && b.grows(i) != v.at {
			return &mixing{n, fmt.Sprintf("output %d has shape %v for one of them and %v for two", i, v.one.shape, v.two.shape)}
		}
		g.values[y] = v
	}
	return nil
}

// anyFirst are operators whose first input need not have the batch where another one has.
var anyFirst = map[string]bool{"Add": true, "Sub": true, "Mul": true, "Div": true, "Pow": true, "Max": true, "Min": true, "Sum": true, "Mean": true, "Mod": true,
	"And": true, "Or": true, "Xor": true, "Equal": true, "Greater": true, "GreaterOrEqual": true, "Less": true, "LessOrEqual": true, "PRelu": true, "Where": true,
	"MatMul": true, "Gather": true, "Expand": true}

// first returns axis 0 where the whole graph is one row and a leading 1 is no axis of a sample.
func (g *graph) first(t *tensor, batched bool) int {
	if !batched && len(t.shape) > 1 && t.shape[0] == 1 {
		return 0
	}
	return -1
}

// grows returns the axis on which the shapes of an output for one row and for two differ; -1 if they are equal, -2 if they
// differ in another way.
func (b *batching) grows(i int) int { return grows(b.one[i].shape, b.call.out[i].shape) }

func grows(one, two []int) int {
	axis := -1
	if len(one) != len(two) {
		return -2
	}
	for i := range one {
		switch {
		case one[i] == two[i]:
		case axis >= 0 || two[i] != 2*one[i]:
			return -2
		default:
			axis = i
		}
	}
	return axis
}

// compare finds the batch in a constant.
func (v *value) compare() error {
	if v.at = grows(v.one.shape, v.two.shape); v.at == -2 {
		return fmt.Errorf("a constant has shape %v for one of them and %v for two", v.one.shape, v.two.shape)
	}
	if v.at < 0 {
		if v.one.same(v.two) {
			v.two = v.one
		} else {
			v.counts = true
		}
		return nil
	}
	n := product(v.one.shape[v.at:])
	for i, x := range v.two.data() {
		if y := v.one.data()[i/(2*n)*n+i%n]; x != y && (x == x || y == y) {
			return errors.New("a constant has another value for each of them")
		}
	}
	return nil
}
