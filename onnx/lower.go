package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/nn"
)

// A lowering makes layers of nodes. The sample of a value is what is left of its shape without the batch, and the elements of
// both are in one order, so that a layer need not know where the batch was.
type lowering struct {
	*graph
	inputs  []*nn.Node
	layers  map[string]*nn.Layer // with weights, by what they are made of: nodes with the same weights share a layer
	weights []weights
	left    int             // bytes that weights may yet take
	taken   map[string]bool // names of layers
	done    map[*nodeProto]bool
}

// weights are the values of a layer's parameters.
type weights struct {
	layer  *nn.Layer
	values []values
}

// values are n weights, which into writes where the model has them: a large file is not copied more often than that.
type values struct {
	n    int
	into func(to []float32)
}

// these are values that are there already.
func these(x []float32) values { return values{len(x), func(to []float32) { copy(to, x) }} }

// of are those of a constant.
func of(t *tensor) values { return values{t.len(), t.floatsInto} }

// A site is a node that becomes a layer.
type site struct {
	*call
	l *lowering
	y *value // output 0
}

// lower returns the model of a graph whose values are known.
func (g *graph) lower(opts ...nn.ModelOption) (*nn.Model, error) {
	l := &lowering{graph: g, layers: map[string]*nn.Layer{}, left: 8 * g.most, taken: map[string]bool{}, done: map[*nodeProto]bool{}}
	isInput := map[string]bool{}
	for _, x := range g.graphProto.inputs {
		v := g.values[x.name]
		if v == nil || !v.input || v.one.known {
			continue
		}
		v.node = nn.Input(x.name, l.sample(v)...)
		l.inputs = append(l.inputs, v.node)
		l.taken[x.name], isInput[x.name] = true, true
	}
	if len(l.inputs) == 0 {
		return nil, fmt.Errorf("has no inputs: its outputs are constants")
	}
	for _, o := range g.outputs {
		l.taken[o.name] = true
	}
	for _, n := range g.nodes {
		if l.done[n] {
			continue
		}
		if err := l.lowerNode(n); err != nil {
			return nil, fmt.Errorf("%s: %w", n.describe(), err)
		}
		if l.left < 0 {
			return nil, fmt.Errorf("%s: the weights are larger than those of a file of this size should be", n.describe())
		}
	}
	var outputs []*nn.Node
	var reasons []string
	for _, o := range g.outputs {
		if why, dropped := g.dropped[o.name]; dropped {
			reasons = append(reasons, fmt.Sprintf("%q is %s", o.name, why))
			continue
		}
		v := g.values[o.name]
		if v.one.known {
			n, err := l.operator(&nodeProto{op: "Identity", inputs: []string{o.name}, outputs: []string{"y"}}, 0, v)
			if err != nil {
				return nil, fmt.Errorf("output %q: %w", o.name, err)
			}
			v.node = n
		}
		n := l.node(v)
		if !isInput[o.name] {
			n = nn.Identity(nn.Name(o.name)).On(view(n, l.sample(v)))
		}
		outputs = append(outputs, n)
	}
	if len(outputs) == 0 {
		return nil, fmt.Errorf("has no output that a row of numbers can be: %s", strings.Join(reasons, ", "))
	}
	m, err := nn.NewModel(l.inputs, outputs, opts...)
	if err != nil {
		return nil, err
	}
	for _, w := range l.weights {
		for i, to := range w.layer.Weights() {
			w.values[i].into(to.Data)
		}
	}
	return m, nil
}

// sample returns the shape of a value for one row.
func (l *lowering) sample(v *value) nn.Shape {
	s := slices.Clone(v.one.shape)
	if v.at >= 0 && s[v.at] == 1 {
		s = slices.Delete(s, v.at, v.at+1)
	}
	if len(s) == 0 {
		s = []int{1}
	}
	return s
}

// axis returns an axis of a value among those of its sample, or -1 if it is that of the batch.
func (l *lowering) axis(v *value, axis int) int {
	switch {
	case v.at < 0 || v.one.shape[v.at] != 1 || axis < v.at:
		return axis
	case axis == v.at:
		return -1
	}
	return axis - 1
}

// view gives a node another shape of as many elements.
func view(n *nn.Node, shape nn.Shape) *nn.Node {
	if slices.Equal(n.Shape(), shape) {
		return n
	}
	return nn.Reshape(shape).On(n)
}

// node returns a value in the order of the graph.
func (l *lowering) node(v *value) *nn.Node {
	if v.node == nil {
		s := v.last.Shape()
		if s == nil { // there is an error upstream, which NewModel reports
			return v.last
		}
		n := len(s)
		if s[n-1] == 1 || s.Elements() == s[n-1] {
			v.node = view(v.last, l.sample(v))
		} else {
			perm := []int{n}
			for i := 1; i < n; i++ {
				perm = append(perm, i)
			}
			v.node = nn.Permute(perm).On(v.last)
		}
	}
	return v.node
}

// channelsLast returns a value of batch, channels and one or two more axes with the channels last.
func (l *lowering) channelsLast(v *value) *nn.Node {
	if v.last == nil {
		s := v.one.shape[1:]
		if shape := append(slices.Clone(s[1:]), s[0]); s[0] == 1 || product(s[1:]) == 1 {
			v.last = view(v.node, shape)
		} else {
			perm := []int{}
			for i := range s[1:] {
				perm = append(perm, i+2)
			}
			v.last = nn.Permute(append(perm, 1)).On(view(v.node, nn.Shape(s)))
		}
	}
	return v.last
}

// name returns a free name for a layer, from that of its node; "" where it has none.
func (l *lowering) name(n *nodeProto) nn.NameOption {
	name := strings.Trim(strings.ReplaceAll(n.name, "/", "."), ".")
	if name == "" || l.taken[name] || strings.ContainsRune(name, 0) || len(name) > 128 {
		return ""
	}
	l.taken[name] = true
	return nn.NameOption(name)
}

// layer returns the layer with weights of a node, which is an earlier node's where all it is made of is the same.
func (s *site) layer(n *nodeProto, constants []string, make func(name nn.NameOption) (*nn.Layer, []values)) *nn.Layer {
	attributes := &nodeProto{attributes: n.attributes, op: n.op, domain: n.domain}
	key := fmt.Sprintf("%q %q", attributes.encode(), constants)
	if l := s.l.layers[key]; l != nil {
		return l
	}
	layer, all := make(s.l.name(n))
	for _, v := range all {
		s.l.left -= 4 * v.n
	}
	s.l.layers[key] = layer
	s.l.weights = append(s.l.weights, weights{layer, all})
	return layer
}

// lowerNode gives the outputs of a node their nodes.
func (l *lowering) lowerNode(n *nodeProto) error {
	any := false
	for _, y := range n.outputs {
		v := l.values[y]
		any = any || v != nil && !v.one.known && v.one.lost == ""
	}
	if !any {
		return nil
	}
	c := l.call(n, false)
	c.budget = nil
	s := &site{call: c, l: l, y: l.values[n.outputs[0]]}
	if f := lowerings[n.key()]; f != nil && (s.y != nil || cellGates[n.key()] > 0) && isFloat(c.arg(0).elem) {
		if node := f(s); node != nil {
			s.y.node = node
		}
		if s.y != l.values[n.outputs[0]] { // it has taken the next node, too
			return nil
		}
	}
	for i, y := range n.outputs {
		v := l.values[y]
		if v == nil || v.node != nil || v.last != nil || v.one.known || v.one.lost != "" || len(l.users[y]) == 0 && !l.isOutput[y] {
			continue
		}
		node, err := l.operator(n, i, v)
		if err != nil {
			return err
		}
		v.node = node
	}
	return nil
}

// operator returns output i of a node as a layer that computes the node itself.
func (l *lowering) operator(n *nodeProto, i int, v *value) (*nn.Node, error) {
	one := &graphProto{name: n.op, nodes: []*nodeProto{n}}
	var in []*nn.Node
	seen := map[string]bool{"": true}
	for _, x := range n.inputs {
		if seen[x] {
			continue
		}
		seen[x] = true
		switch t := l.values[x].one; {
		case t.known:
			one.initializers = append(one.initializers, t.encode(x))
		default:
			one.inputs = append(one.inputs, &valueProto{name: x, kind: typeProto{elem: t.elem, hasShape: true, dims: fixed(t.shape)}})
			in = append(in, l.node(l.values[x]))
		}
	}
	if len(in) == 0 {
		in = l.inputs[:1]
	}
	domain := n.domain
	if domain == "ai.onnx" {
		domain = ""
	}
	file := (&modelProto{irVersion: 8, graph: one, opsets: []opsetProto{{n.domain, l.versions[domain]}}}).encode()
	l.left -= len(file)
	name := l.name(n)
	if i > 0 {
		name = ""
	}
	return nn.New(&operatorLayer{Graph: file, Output: i, Shape: l.sample(v)}, name).On(in...), nil
}

func fixed(shape []int) []dimProto {
	var y []dimProto
	for _, d := range shape {
		y = append(y, dimProto{size: int64(d), fixed: true})
	}
	return y
}

// encode returns a known tensor as a message.
func (t *tensor) encode(name string) *tensorProto {
	p := &tensorProto{name: name, dataType: t.elem}
	for _, d := range t.shape {
		p.dims = append(p.dims, int64(d))
	}
	if t.proto != nil {
		q := *t.proto
		q.name, q.dims = name, p.dims
		return &q
	}
	for _, v := range t.values {
		switch t.elem {
		case typeFloat, typeFloat16, typeBFloat16:
			p.dataType = typeFloat
			p.floats = append(p.floats, float32(v))
		case typeDouble:
			p.doubles = append(p.doubles, v)
		case typeInt64:
			n := int64(math.MaxInt64)
			if v < 1<<63 {
				n = int64(v)
			}
			p.int64s = append(p.int64s, n)
		case typeUint64, typeUint32:
			p.uint64s = append(p.uint64s, uint64(v))
		default:
			p.int32s = append(p.int32s, int64(v))
		}
	}
	return p
}

// lowerings are the nodes that become layers of package nn. One that returns nil is computed by an operatorLayer.
var lowerings map[string]func(s *site) *nn.Node

func init() {
	lowerings = map[string]func(s *site) *nn.Node{
		"MatMul": lowerMatMul, "Gemm": lowerGemm, "Conv": lowerConv, "BatchNormalization": lowerBatchNormalization, "LayerNormalization": lowerLayerNormalization,
		"MaxPool": lowerPool, "AveragePool": lowerPool, "GlobalAveragePool": lowerGlobalPool, "GlobalMaxPool": lowerGlobalPool,
		"LSTM": lowerRecurrent, "GRU": lowerRecurrent, "RNN": lowerRecurrent, "Gather": nil,
		"Softmax": lowerSoftmax, "LogSoftmax": lowerSoftmax, "Concat": lowerConcat, "Transpose": lowerTranspose,
		"Add": lowerArithmetic, "Sub": lowerArithmetic, "Mul": lowerArithmetic, "Div": lowerArithmetic,
	}
	for name, f := range map[string]func(c *call) nn.ActivationFunction{
		"Relu":            always(nn.ReLU),
		"Sigmoid":         always(nn.Sigmoid),
		"Tanh":            always(nn.Tanh),
		"Softplus":        always(nn.Softplus),
		"Softsign":        always(nn.Softsign),
		"Mish":            always(nn.Mish),
		"HardSwish":       always(nn.HardSiLU),
		"LeakyRelu":       func(c *call) nn.ActivationFunction { return nn.LeakyReLUOf(c.float("alpha", 0.01)) },
		"Elu":             func(c *call) nn.ActivationFunction { return nn.ELUOf(c.float("alpha", 1)) },
		"ThresholdedRelu": func(c *call) nn.ActivationFunction { return nn.ThresholdOf(c.float("alpha", 1), 0) },
		"Gelu": func(c *call) nn.ActivationFunction {
			if c.text("approximate", "none") == "tanh" {
				return nn.ApproximateGELU()
			}
			return nn.GELU
		},
	} {
		lowerings[name] = func(s *site) *nn.Node {
			x := s.value(0)
			if x.last != nil && x.node == nil {
				s.y.last = nn.Activation(f(s.call)).On(x.last)
				return nil
			}
			return nn.Activation(f(s.call), s.l.name(s.nodeProto)).On(s.l.node(x))
		}
	}
	for _, name := range []string{"Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "ai.onnx.ml.ZipMap"} {
		lowerings[name] = func(s *site) *nn.Node { return view(s.l.node(s.value(0)), s.l.sample(s.y)) }
	}
	lowerings["Gather"] = lowerGather
}

func always(a nn.ActivationFunction) func(*call) nn.ActivationFunction {
	return func(*call) nn.ActivationFunction { return a }
}

// value returns input i.
func (s *site) value(i int) *value { return s.l.values[s.inputs[i]] }

// known reports whether input i is a constant of numbers with a fraction.
func (s *site) known(i int) bool { return s.has(i) && s.in[i].known && isFloat(s.in[i].elem) }

// dense returns x·kernel + bias along the last axis of a sample.
func (s *site) dense(x *nn.Node, n *nodeProto, constants []string, units int, kernel values, bias []float32) *nn.Node {
	return s.layer(n, constants, func(name nn.NameOption) (*nn.Layer, []values) {
		if bias == nil {
			return nn.Dense(units, nn.Linear, name, nn.NoBias(), nn.KernelInitializer(nn.Zeros())), []values{kernel}
		}
		return nn.Dense(units, nn.Linear, name, nn.KernelInitializer(nn.Zeros())), []values{kernel, these(bias)}
	}).On(x)
}

// bias returns the constant that the only user of the result adds to each vector along its last axis, and takes that node too.
func (s *site) bias(units int) (bias []float32, name string) {
	users := s.l.users[s.outputs[0]]
	if len(users) != 1 || users[0].key() != "Add" || s.l.isOutput[s.outputs[0]] {
		return nil, ""
	}
	add := s.l.call(users[0], false)
	y := s.l.values[users[0].outputs[0]]
	for i, t := range add.in {
		if t != nil && t.known && isFloat(t.elem) && t.len() == units && len(t.shape) > 0 && t.shape[len(t.shape)-1] == units &&
			slices.Equal(y.one.shape, s.y.one.shape) && (add.version >= 7 || add.attribute("axis", kindInt) == nil) {
			s.l.done[users[0]] = true
			s.y = y
			return t.floats(), add.inputs[i]
		}
	}
	return nil, ""
}

func lowerMatMul(s *site) *nn.Node {
	x := s.value(0)
	if !s.known(1) || s.in[0].known || len(s.in[1].shape) > 2 || len(s.in[0].shape) == 0 || s.l.axis(x, len(s.in[0].shape)-1) < 0 {
		return nil
	}
	w := s.in[1]
	units := 1
	if len(w.shape) == 2 {
		units = w.shape[1]
	}
	if w.len() == 0 {
		return nil
	}
	bias, name := s.bias(units)
	return view(s.dense(view(s.l.node(x), s.l.sample(x)), s.nodeProto, []string{s.inputs[1], name}, units, of(w), bias), s.l.sample(s.y))
}

func lowerGemm(s *site) *nn.Node {
	m, k, n := s.gemmShapes()
	x := s.value(0)
	if !s.known(1) || s.in[0].known || s.flag("transA") || s.l.axis(x, 1) < 0 || s.has(2) && (!s.known(2) || s.in[2].len() != n && s.in[2].len() != 1 || len(s.in[2].shape) > 1 && s.in[2].shape[0] != 1) || m*k*n == 0 {
		return nil
	}
	var bias []float32
	constants := []string{s.inputs[1], ""}
	if s.has(2) {
		beta := float32(s.float("beta", 1))
		given := s.in[2].floats()
		bias = make([]float32, n)
		for i := range bias {
			bias[i] = beta * given[i%len(given)]
		}
		constants[1] = s.inputs[2]
	}
	kernel := values{k * n, func(to []float32) {
		if s.flag("transB") {
			s.in[1].transposedInto(to, n, k)
		} else {
			s.in[1].floatsInto(to)
		}
		if alpha := float32(s.float("alpha", 1)); alpha != 1 {
			for i := range to {
				to[i] *= alpha
			}
		}
	}}
	return view(s.dense(view(s.l.node(x), s.l.sample(x)), s.nodeProto, constants, n, kernel, bias), s.l.sample(s.y))
}

func lowerConv(s *site) *nn.Node {
	v, groups := s.conv()
	x, w := s.value(0), s.in[1]
	rank := len(v.size)
	if rank > 2 || x.at != 0 || !s.known(1) || s.has(2) && !s.known(2) || w.len() == 0 || s.in[0].shape[0] != 1 {
		return nil
	}
	filters, channels, elements := w.shape[0], w.shape[1], product(v.size)
	in := s.l.channelsLast(x)
	if slices.Max(v.before) > 0 || slices.Max(v.behind) > 0 {
		if rank == 1 {
			in = nn.ZeroPadding1D(v.before[0], v.behind[0]).On(in)
		} else {
			in = nn.ZeroPadding2D([2][2]int{{v.before[0], v.behind[0]}, {v.before[1], v.behind[1]}}).On(in)
		}
	}
	constants := append(slices.Clone(s.inputs[1:]), fmt.Sprint(v.size))
	s.y.last = s.layer(s.nodeProto, constants, func(name nn.NameOption) (*nn.Layer, []values) {
		opts := []nn.LayerOption{name, nn.Strides(v.stride...), nn.DilationRate(v.dilation...), nn.Groups(groups), nn.KernelInitializer(nn.Zeros())}
		// [filters, channels, elements] becomes [elements, channels, filters]
		from, kernel := w.floats(), make([]float32, w.len())
		for f := range filters {
			for c := range channels {
				for e := range elements {
					kernel[(e*channels+c)*filters+f] = from[(f*channels+c)*elements+e]
				}
			}
		}
		all := []values{these(kernel)}
		if s.has(2) {
			all = append(all, of(s.in[2]))
		} else {
			opts = append(opts, nn.NoBias())
		}
		if rank == 1 {
			return nn.Conv1D(filters, v.size[0], nn.Linear, opts...), all
		}
		return nn.Conv2D(filters, [2]int(v.size), nn.Linear, opts...), all
	}).On(in)
	return nil
}

func lowerBatchNormalization(s *site) *nn.Node {
	x := s.value(0)
	for i := 1; i < 5; i++ {
		if !s.known(i) {
			return nil
		}
	}
	if x.at != 0 || s.in[0].shape[0] != 1 || s.wants(1) {
		return nil
	}
	axis, in, last := 1, (*nn.Node)(nil), x.last != nil && x.node == nil
	if last {
		axis, in = -1, x.last
	} else {
		in = view(s.l.node(x), s.l.sample(x))
	}
	n := s.layer(s.nodeProto, append(slices.Clone(s.inputs[1:]), fmt.Sprint(axis)), func(name nn.NameOption) (*nn.Layer, []values) {
		momentum := min(max(s.float("momentum", 0.9), 0), 1)
		return nn.BatchNormalization(name, nn.Epsilon(s.float("epsilon", 1e-5)), nn.MovingMomentum(momentum), nn.Axis(axis)),
			[]values{of(s.in[1]), of(s.in[2]), of(s.in[3]), of(s.in[4])}
	}).On(in)
	if last {
		s.y.last = n
		return nil
	}
	return n
}

func lowerLayerNormalization(s *site) *nn.Node {
	x, rank := s.value(0), len(s.in[0].shape)
	if s.oneAxis(-1) != rank-1 || s.l.axis(x, rank-1) < 0 || !s.known(1) || s.has(2) && !s.known(2) || s.wants(1) || s.wants(2) {
		return nil
	}
	n := s.in[0].shape[rank-1]
	if s.in[1].len() != n || s.has(2) && s.in[2].len() != n {
		return nil
	}
	return s.layer(s.nodeProto, s.inputs[1:], func(name nn.NameOption) (*nn.Layer, []values) {
		bias := make([]float32, n)
		if s.has(2) {
			bias = s.in[2].floats()
		}
		return nn.LayerNormalization(name, nn.Epsilon(s.float("epsilon", 1e-5))), []values{of(s.in[1]), these(bias)}
	}).On(view(s.l.node(x), s.l.sample(x)))
}

func lowerPool(s *site) *nn.Node {
	x, space := s.images()
	v := s.window(space, nil)
	value := s.value(0)
	padded := slices.Max(v.before) > 0 || slices.Max(v.behind) > 0
	if len(space) > 2 || value.at != 0 || x.shape[0] != 1 || s.wants(1) || s.op == "AveragePool" && s.flag("count_include_pad") && (padded || s.flag("ceil_mode")) {
		return nil
	}
	for i, d := range space { // every place must have an element of the input
		if v.before[i] > (v.size[i]-1)*v.dilation[i] || (v.out[i]-1)*v.stride[i]-v.before[i] >= d || v.dilation[i] > 1 && (v.before[i] > 0 || v.behind[i] > 0) {
			return nil
		}
	}
	pair := func(n []int, other int) [2]int {
		if len(n) == 1 {
			return [2]int{other, n[0]}
		}
		return [2]int(n)
	}
	in := s.l.channelsLast(value)
	shape := in.Shape()
	if shape == nil { // there is an error upstream, which NewModel reports
		return in
	}
	if len(space) == 1 {
		in = view(in, nn.Shape{1, shape[0], shape[1]})
	}
	n := nn.New(&pooling{s.op == "AveragePool", pair(v.size, 1), pair(v.stride, 1), pair(v.dilation, 1), pair(v.before, 0), pair(v.out, 1)}, s.l.name(s.nodeProto)).On(in)
	s.y.last = view(n, append(nn.Shape(slices.Clone(v.out)), shape.Last()))
	return nil
}

func lowerGlobalPool(s *site) *nn.Node {
	x, space := s.images()
	value := s.value(0)
	if len(space) != 2 || value.at != 0 || x.shape[0] != 1 {
		return nil
	}
	layer := nn.GlobalAveragePooling2D(s.l.name(s.nodeProto))
	if s.op == "GlobalMaxPool" {
		layer = nn.GlobalMaxPooling2D(s.l.name(s.nodeProto))
	}
	return view(layer.On(s.l.channelsLast(value)), s.l.sample(s.y))
}

func lowerRecurrent(s *site) *nn.Node {
	k := s.recurrence()
	x := s.value(0)
	zero := func(i int) bool {
		return !s.has(i) || s.in[i].known && !slices.ContainsFunc(s.in[i].data(), func(v float64) bool { return v != 0 })
	}
	sequences, states := s.used(0), s.used(1)
	backwards := k.directions[0]
	if !k.usual || k.batch != 1 || !s.known(1) || !s.known(2) || s.has(3) && !s.known(3) || s.has(4) || !zero(5) || !zero(6) || s.has(7) || s.used(2) ||
		sequences && (backwards || states && len(k.directions) > 1) || k.steps*k.features*k.units == 0 || x.at < 0 {
		return nil
	}
	both := len(k.directions) == 2
	order := map[string][]int{"RNN": {0}, "GRU": {0, 1, 2}, "LSTM": {0, 2, 3, 1}}[s.op] // the gates of nn in those of ONNX
	u, g := k.units, k.gates
	opts := []nn.LayerOption{nn.KernelInitializer(nn.Zeros()), nn.RecurrentInitializer(nn.Zeros())}
	if sequences {
		opts = append(opts, nn.ReturnSequences())
	}
	if backwards {
		opts = append(opts, nn.GoBackwards())
	}
	after := s.flag("linear_before_reset")
	constants := append(slices.Clone(s.inputs[1:min(4, len(s.inputs))]), fmt.Sprint(sequences))
	n := s.layer(s.nodeProto, constants, func(name nn.NameOption) (*nn.Layer, []values) {
		if !both {
			opts = append(opts, name)
		}
		var layer *nn.Layer
		switch s.op {
		case "RNN":
			layer = nn.SimpleRNN(u, opts...)
		case "GRU":
			layer = nn.GRU(u, append(opts, nn.ResetAfter(after))...)
		case "LSTM":
			layer = nn.LSTM(u, opts...)
		}
		if both {
			layer = nn.Bidirectional(layer, name)
		}
		var all []values
		for d := range k.directions {
			gates := func(x []float32, from, inner int) []float32 { // [gates·units, inner] to [inner, gates·units] in nn's order
				y := make([]float32, 0, g*u*inner)
				for _, q := range order {
					y = append(y, x[from+q*u*inner:][:u*inner]...)
				}
				z := make([]float32, len(y))
				transpose(z, g*u, inner, func(i int) float32 { return y[i] })
				return z
			}
			bias := make([]float32, 2*g*u)
			if s.has(3) {
				copy(bias, s.in[3].floats()[d*2*g*u:])
			}
			in, rec := gates(bias, 0, 1), gates(bias, g*u, 1)
			if s.op == "GRU" && after {
				in = append(in, rec...)
			} else {
				for i := range in {
					in[i] += rec[i]
				}
			}
			all = append(all, these(gates(s.in[1].floats(), d*g*u*k.features, k.features)), these(gates(s.in[2].floats(), d*g*u*u, u)), these(in))
		}
		return layer, all
	}).On(view(s.l.node(x), nn.Shape{k.steps, k.features}))
	if !sequences {
		v := s.l.values[s.outputs[1]]
		v.node = view(n, s.l.sample(v))
		return nil
	}
	if states { // the last one
		v := s.l.values[s.outputs[1]]
		v.node = view(nn.Cropping1D(k.steps-1, 0).On(n), s.l.sample(v))
	}
	return view(n, s.l.sample(s.y))
}

// used reports whether a node or an output needs output i.
func (s *site) used(i int) bool {
	return s.wants(i) && (len(s.l.users[s.outputs[i]]) > 0 || s.l.isOutput[s.outputs[i]])
}

func lowerSoftmax(s *site) *nn.Node {
	shape, axis := s.softmaxShape()
	if axis != len(shape)-1 {
		return nil
	}
	act := nn.Softmax
	if s.op == "LogSoftmax" {
		act = nn.LogSoftmax
	}
	x := s.value(0)
	n := s.l.node(x)
	if last := shape[axis]; n.Shape().Last() != last {
		n = view(n, nn.Shape{n.Shape().Elements() / last, last})
	}
	return view(nn.Activation(act, s.l.name(s.nodeProto)).On(n), s.l.sample(s.y))
}

func lowerConcat(s *site) *nn.Node {
	axis := s.l.axis(s.y, s.concatAxis())
	if axis < 0 || len(s.in) < 2 {
		return nil
	}
	var in []*nn.Node
	for i, t := range s.in {
		v := s.value(i)
		if t.known || v.at != s.y.at {
			return nil
		}
		in = append(in, view(s.l.node(v), s.l.sample(v)))
	}
	return nn.Concatenate(s.l.name(s.nodeProto), nn.Axis(axis+1)).On(in...)
}

func lowerTranspose(s *site) *nn.Node {
	x := s.value(0)
	perm := s.permutation()
	if x.last != nil && x.node == nil && len(perm) == 4 && slices.Equal(perm, []int{0, 2, 3, 1}) {
		return view(x.last, s.l.sample(s.y))
	}
	// Axes of size 1 may go anywhere: only the order of the others counts.
	shape, order := nn.Shape{}, []int{}
	at := map[int]int{}
	for i, d := range s.in[0].shape {
		if d != 1 {
			at[i] = len(shape)
			shape = append(shape, d)
		}
	}
	for _, p := range perm {
		p = s.call.axis(p, len(perm))
		if k, ok := at[p]; ok {
			order = append(order, k+1)
		}
	}
	n := s.l.node(x)
	if slices.IsSorted(order) {
		return view(n, s.l.sample(s.y))
	}
	return view(nn.Permute(order).On(view(n, shape)), s.l.sample(s.y))
}

func lowerArithmetic(s *site) *nn.Node {
	if len(s.in) != 2 || s.version < 7 && s.attribute("axis", kindInt) != nil || !s.has(0) || !s.has(1) {
		return nil
	}
	a, b := s.value(0), s.value(1)
	if !s.in[0].known && !s.in[1].known {
		return s.both(a, b)
	}
	c, x := s.in[1], a
	if s.in[0].known {
		if c, x = s.in[0], b; s.op == "Div" {
			return nil
		}
	}
	if !isFloat(c.elem) || x.one.len() != s.y.one.len() || c.len() == 0 {
		return nil
	}
	// The result is x·sign·scale + shift.
	constant, sign := c.floats(), float64(1)
	switch {
	case s.op == "Sub" && s.in[0].known:
		sign = -1
	case s.op == "Sub":
		for i := range constant {
			constant[i] = -constant[i]
		}
	case s.op == "Div":
		for i := range constant {
			constant[i] = 1 / constant[i]
		}
	}
	scales := s.op == "Mul" || s.op == "Div"
	n := s.l.node(x)
	if len(constant) == 1 {
		v := float64(constant[0])
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		if scales {
			return view(nn.Rescaling(v, 0).On(n), s.l.sample(s.y))
		}
		return view(nn.Rescaling(sign, v).On(n), s.l.sample(s.y))
	}
	if sign < 0 {
		n = nn.Rescaling(-1, 0).On(n)
	}
	// A row is scaled or shifted by parts, which begin at the first axis that the constant has.
	shape := s.y.one.shape
	own := slices.Concat(slices.Repeat([]int{1}, max(0, len(shape)-len(c.shape))), c.shape)
	own = own[len(own)-len(shape):]
	from := slices.IndexFunc(own, func(d int) bool { return d > 1 })
	features := product(shape[from:])
	if features != len(constant) {
		if features > 1<<16 || 8*features > s.l.left {
			return nil
		}
		full := make([]float32, features)
		walk(shape[from:], spread(own[from:], shape[from:]), func(i, at int) { full[i] = constant[at] })
		constant = full
	}
	key := []string{s.inputs[0], s.inputs[1], fmt.Sprint(features)}
	return view(s.layer(s.nodeProto, key, func(name nn.NameOption) (*nn.Layer, []values) {
		return nn.New(&affine{features, scales, !scales}, name), []values{these(constant)}
	}).On(n), s.l.sample(s.y))
}

// both returns the sum, difference or product of two values.
func (s *site) both(a, b *value) *nn.Node {
	x, y := s.l.sample(a), s.l.sample(b)
	shape := slices.Clone(x)
	for len(shape) < len(y) {
		shape = slices.Insert(shape, 0, 1)
	}
	for i, d := range y {
		at := &shape[len(shape)-len(y)+i]
		if *at != 1 && d != 1 && *at != d {
			return nil
		}
		*at = max(*at, d)
	}
	if product(shape) != s.y.one.len() || s.op == "Div" {
		return nil
	}
	name := s.l.name(s.nodeProto)
	layer := nn.Add(name)
	switch s.op {
	case "Sub":
		layer = nn.Subtract(name)
	case "Mul":
		layer = nn.Multiply(name)
	}
	if a.last != nil && b.last != nil && slices.Equal(a.last.Shape(), b.last.Shape()) && slices.Equal(a.one.shape, b.one.shape) {
		s.y.last = layer.On(a.last, b.last)
		return nil
	}
	return view(layer.On(view(s.l.node(a), x), view(s.l.node(b), y)), s.l.sample(s.y))
}

// lowerGather looks up rows of a constant where the indices are those of an input, which then must be whole numbers that have a row.
func lowerGather(s *site) *nn.Node {
	if !s.known(0) || len(s.in[0].shape) != 2 || s.oneAxis(0) != 0 || s.in[0].len() == 0 || s.in[0].shape[0] > 1<<24 {
		return nil
	}
	v, n := s.value(1), s.inputs[1]
	for !v.input {
		maker := s.l.makers[n]
		if maker == nil || !slices.Contains([]string{"Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"}, maker.key()) {
			return nil
		}
		n = maker.inputs[0]
		if v = s.l.values[n]; v == nil {
			return nil
		}
	}
	rows, dim := s.in[0].shape[0], s.in[0].shape[1]
	in := view(v.node, nn.Shape{s.in[1].len()})
	if in == v.node && len(in.Shape()) == 1 && s.in[1].len() != in.Shape().Elements() {
		return nil
	}
	return view(s.layer(s.nodeProto, s.inputs[:1], func(name nn.NameOption) (*nn.Layer, []values) {
		return nn.Embedding(rows, dim, name, nn.EmbeddingsInitializer(nn.Zeros())), []values{of(s.in[0])}
	}).On(in), s.l.sample(s.y))
}
