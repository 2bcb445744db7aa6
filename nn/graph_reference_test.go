package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/stretchr/testify/require"
)

// A refNode is one node of the description. Its operands have smaller indices.
type refNode struct {
	kind  string // input, dense, embedding, activation, concatenate, add, multiply, same
	in    []int
	shape []int
	act   ActivationKind
	dim   int    // of an input: its values are indices below this, if it is not 0
	layer *Layer // has the weights of dense and embedding
	node  *Node

	kernel, bias *Weight
	reached      bool // an output depends on it

	pre, val   []float64 // of one sample: before and after the activation
	dpre, dval []float64
}

// A refGraph is a random graph. Its decisions come from bytes as long as there are any, then from a generator.
type refGraph struct {
	bytes  []byte
	random *rand.Rand
	nodes  []*refNode
	inputs []int
	heads  []*refHead
	layers []*refNode // dense: candidates for sharing
	grad   map[*Weight][]float64
	kinked bool
	scale  float64 // largest magnitude met
}

func newRefGraph(bytes []byte, seed uint64) *refGraph {
	g := &refGraph{bytes: bytes, random: rand.New(rand.NewPCG(seed, 7)), grad: map[*Weight][]float64{}}
	for i := range 1 + g.pick(4) {
		shape := []int{1 + g.pick(5)}
		if g.pick(3) == 0 {
			shape = append(shape, 1+g.pick(3))
		}
		n := Input(fmt.Sprintf("in%d", i), shape...)
		g.inputs = append(g.inputs, g.add("input", Linear, n))
	}
	for i := range g.pick(3) {
		g.indices(fmt.Sprintf("index%d", i))
	}
	for range g.pick(10) {
		g.grow()
	}
	for i := range 1 + g.pick(4) {
		g.head(fmt.Sprintf("out%d", i))
		for range g.pick(3) { // layers behind an output
			g.grow()
		}
	}
	return g
}

// indices adds an input of indices with an embedding that is called on it, and perhaps again.
func (g *refGraph) indices(name string) {
	n := 1 + g.pick(4)
	x := g.add("input", Linear, Input(name, n))
	g.inputs = append(g.inputs, x)
	g.nodes[x].dim = 1 + g.pick(6)
	layer := Embedding(g.nodes[x].dim, 1+g.pick(4))
	g.call("embedding", Linear, layer, x)
	if g.pick(2) == 0 {
		shape := []int{n}
		if n%2 == 0 {
			shape = []int{n / 2, 2}
		}
		g.call("embedding", Linear, layer, g.call("same", Linear, Reshape(shape), x))
	}
}

func (g *refGraph) pick(n int) int {
	if len(g.bytes) > 0 {
		b := int(g.bytes[0])
		g.bytes = g.bytes[1:]
		return b % n
	}
	return g.random.IntN(n)
}

func (g *refGraph) add(kind string, act ActivationKind, n *Node, in ...int) int {
	g.nodes = append(g.nodes, &refNode{kind: kind, in: in, shape: n.Shape(), act: act, layer: n.layer, node: n})
	return len(g.nodes) - 1
}

func (g *refGraph) call(kind string, act ActivationKind, l *Layer, in ...int) int {
	nodes := make([]*Node, len(in))
	for i, j := range in {
		nodes[i] = g.nodes[j].node
	}
	return g.add(kind, act, l.On(nodes...), in...)
}

func (g *refGraph) any() int { return g.pick(len(g.nodes)) }

// alike returns up to three nodes whose shapes are like that of node i, itself first.
func (g *refGraph) alike(i int, like func(a, b []int) bool) []int {
	in := []int{i}
	for j, n := range g.nodes {
		if like(n.shape, g.nodes[i].shape) && g.pick(2) == 0 && len(in) < 3 {
			in = append(in, j)
		}
	}
	return in
}

// flat returns a node of one dimension.
func (g *refGraph) flat() int {
	i := g.any()
	if len(g.nodes[i].shape) > 1 {
		i = g.call("same", Linear, Flatten(), i)
	}
	return i
}

func (g *refGraph) dense(units int, act ActivationKind, i int, opts ...LayerOption) int {
	if g.pick(4) == 0 {
		opts = append(opts, NoBias())
	}
	at := g.call("dense", act, Dense(units, act, opts...), i)
	g.layers = append(g.layers, g.nodes[at])
	return at
}

func (g *refGraph) activation() ActivationKind { return ActivationKind(g.pick(6)) }

func (g *refGraph) grow() {
	i := g.any()
	shape := g.nodes[i].shape
	switch g.pick(9) {
	case 0, 1:
		g.dense(1+g.pick(5), g.activation(), i)
	case 2: // a shared layer
		for _, n := range g.layers {
			if n.layer.params[0].shape[0] == shape[len(shape)-1] && g.pick(2) == 0 {
				g.call("dense", n.act, n.layer, i)
				return
			}
		}
	case 3:
		in := g.alike(i, func(a, b []int) bool { return slices.Equal(a[:len(a)-1], b[:len(b)-1]) })
		g.call("concatenate", Linear, Concatenate(), in...)
	case 4, 5:
		in := g.alike(i, slices.Equal)
		if len(in) == 1 {
			in = append(in, i) // x + x, x * x
		}
		if g.pick(2) == 0 {
			g.call("add", Linear, Add(), in...)
		} else {
			g.call("multiply", Linear, Multiply(), in...)
		}
	case 6:
		act := g.activation()
		g.call("activation", act, Activation(act), i)
	case 7:
		n := Shape(shape).Elements()
		target := []int{n}
		if d := 1 + g.pick(n); n%d == 0 {
			target = []int{d, n / d}
		}
		g.call("same", Linear, Reshape(target), i)
	case 8:
		if g.pick(2) == 0 {
			g.call("same", Linear, Flatten(), i)
		} else {
			g.call("same", Linear, Dropout(0.3), i)
		}
	}
}

// head adds an output with a loss of a random kind. The output stays among the nodes that others may take.
func (g *refGraph) head(name string) {
	h := &refHead{name: name, weight: 1}
	if g.pick(2) == 0 {
		h.weight = []float64{0.5, 2, 0, -1}[g.pick(4)]
	}
	kinds := []string{"mse", "mae", "sparse", "soft", "binary"}
	h.kind = kinds[g.pick(len(kinds))]
	act, opts := Softmax, []LossOption(nil)
	if h.kind == "binary" {
		act = Sigmoid
	}
	units := 2 + g.pick(4)
	switch form := g.pick(4); {
	case h.kind == "mse" || h.kind == "mae":
		h.at = g.dense(1+g.pick(3), g.activation(), g.flat(), Name(name))
	case form == 0: // the loss's own activation
		h.fused = true
		h.at = g.dense(units, act, g.flat(), Name(name))
	case form == 1: // its own layer
		h.fused = true
		h.at = g.call("activation", act, Activation(act, Name(name)), g.dense(units, Linear, g.flat()))
	case form == 2: // probabilities that the loss cannot see through
		p := g.dense(units, []ActivationKind{act, Sigmoid}[g.pick(2)], g.flat())
		if g.pick(2) == 0 {
			h.at = g.call("same", Linear, Dropout(0.5, Name(name)), p)
		} else {
			h.at = g.call("concatenate", Linear, Concatenate(Name(name)), p, p)
		}
	default:
		h.logits = true
		opts = append(opts, FromLogits())
		h.at = g.dense(units, g.activation(), g.flat(), Name(name))
	}
	switch h.kind {
	case "mse":
		h.loss = MSE()
	case "mae":
		h.loss = MAE()
	case "sparse":
		h.loss = SparseCategoricalCrossentropy(opts...)
	case "soft":
		h.loss = CategoricalCrossentropy(opts...)
	case "binary":
		h.loss = BinaryCrossentropy(opts...)
	}
	g.heads = append(g.heads, h)
}

// model builds and compiles the graph's model and looks up its weights.
func (g *refGraph) model(t require.TestingT) *Model {
	var inputs, outputs []*Node
	for _, i := range g.inputs {
		inputs = append(inputs, g.nodes[i].node)
	}
	losses, weights := Losses{}, LossWeights{}
	for _, h := range g.heads {
		outputs = append(outputs, g.nodes[h.at].node)
		losses[h.name] = h.loss
		if h.weight != 1 {
			weights[h.name] = h.weight
		}
	}
	m, err := NewModel(inputs, outputs)
	require.NoError(t, err)
	// Not by Compile, which refuses some pairs of a loss and a head that a file may have.
	heads, err := m.heads(compilation{losses: losses, weights: weights})
	require.NoError(t, err)
	m.trainer = newTrainer(m, SGD(0), heads)
	m.trainer.gather()
	for _, w := range m.Weights() {
		g.grad[w] = make([]float64, len(w.Data))
		for i := range w.Data {
			if len(w.Shape) == 1 {
				w.Data[i] = float32(g.random.Float64() - 0.5)
			}
		}
		for _, n := range g.nodes {
			if n.layer == w.layer {
				if len(w.Shape) == 1 {
					n.bias = w
				} else {
					n.kernel = w
				}
			}
		}
	}
	for _, h := range g.heads {
		g.reach(h.at)
	}
	return m
}

func (g *refGraph) reach(i int) {
	g.nodes[i].reached = true
	for _, j := range g.nodes[i].in {
		g.reach(j)
	}
}

// data returns rows random samples.
func (g *refGraph) data(rows int) Data {
	d := Data{Inputs: Arrays{}, Targets: Arrays{}, SampleWeights: map[string][]float32{}}
	for _, i := range g.inputs {
		x := make(Floats, rows*Shape(g.nodes[i].shape).Elements())
		dim := g.nodes[i].dim
		for j := range x {
			if x[j] = float32(2*g.random.Float64() - 1); dim > 0 {
				x[j] = float32(g.random.IntN(dim))
			}
		}
		d.Inputs[g.nodes[i].layer.name] = x
	}
	for _, h := range g.heads {
		width := Shape(g.nodes[h.at].shape).Elements()
		y, labels := make(Floats, rows*width), make(Labels, rows)
		for i := range rows {
			labels[i] = int32(g.random.IntN(width))
			sum := 0.0
			row := make([]float64, width)
			for j := range row {
				row[j] = g.random.Float64()
				sum += row[j]
			}
			for j, v := range row {
				if h.kind == "soft" {
					v /= sum
				}
				y[i*width+j] = float32(v)
			}
		}
		if d.Targets[h.name] = y; h.kind == "sparse" {
			d.Targets[h.name] = labels
		}
		if g.pick(2) == 0 {
			w := make([]float32, rows)
			for i := range w {
				w[i] = float32(g.random.IntN(4)) / 2
			}
			d.SampleWeights[h.name] = w
		}
	}
	return d
}

func (g *refGraph) near(distance float64) { g.kinked = g.kinked || math.Abs(distance) < kink }

// forward computes every node for one sample.
func (g *refGraph) forward(d Data, row int) {
	for _, n := range g.nodes {
		if !n.reached {
			continue
		}
		size, width := Shape(n.shape).Elements(), n.shape[len(n.shape)-1]
		n.pre, n.val = make([]float64, size), make([]float64, size)
		n.dpre, n.dval = make([]float64, size), make([]float64, size)
		switch n.kind {
		case "input":
			for i, v := range d.Inputs[n.layer.name].(Floats)[row*size : (row+1)*size] {
				n.pre[i] = float64(v)
			}
		case "dense":
			x, in := g.nodes[n.in[0]].val, n.kernel.Rows
			for i := range n.pre {
				from, unit := i/width, i%width
				if n.bias != nil {
					n.pre[i] = float64(n.bias.Data[unit])
				}
				for k := range in {
					n.pre[i] += x[from*in+k] * float64(n.kernel.Data[k*width+unit])
				}
			}
		case "embedding":
			for i, v := range g.nodes[n.in[0]].val {
				for j, w := range n.kernel.Row(int(v)) {
					n.pre[i*width+j] = float64(w)
				}
			}
		case "concatenate":
			at := 0
			for _, j := range n.in {
				x := g.nodes[j]
				w := x.shape[len(x.shape)-1]
				for i, v := range x.val {
					n.pre[i/w*width+at+i%w] = v
				}
				at += w
			}
		case "add", "multiply":
			for i := range n.pre {
				n.pre[i] = g.nodes[n.in[0]].val[i]
				for _, j := range n.in[1:] {
					if v := g.nodes[j].val[i]; n.kind == "add" {
						n.pre[i] += v
					} else {
						n.pre[i] *= v
					}
				}
			}
		default:
			copy(n.pre, g.nodes[n.in[0]].val)
		}
		for i, v := range n.pre {
			g.scale = max(g.scale, math.Abs(v))
			switch n.act {
			case Linear:
			case ReLU:
				if v != 0 {
					g.near(v)
				}
				v = max(v, 0)
			case Sigmoid:
				v = 1 / (1 + math.Exp(-v))
			case Tanh:
				v = math.Tanh(v)
			case GELU:
				v = v / 2 * math.Erfc(-v/math.Sqrt2)
			case Softmax:
				sum := 0.0
				for _, u := range n.pre[i/width*width : (i/width+1)*width] {
					sum += math.Exp(u - v)
				}
				v = 1 / sum
			}
			n.val[i] = v
		}
	}
}

// backward takes the gradients from dval and dpre of the outputs down to the weights.
func (g *refGraph) backward() {
	for _, n := range slices.Backward(g.nodes) {
		if !n.reached {
			continue
		}
		width := n.shape[len(n.shape)-1]
		for i, y := range n.val {
			dy := n.dval[i]
			g.scale = max(g.scale, math.Abs(dy))
			switch n.act {
			case Linear:
				n.dpre[i] += dy
			case ReLU:
				if y > 0 {
					n.dpre[i] += dy
				}
			case Sigmoid:
				n.dpre[i] += dy * y * (1 - y)
			case Tanh:
				n.dpre[i] += dy * (1 - y*y)
			case GELU:
				x := n.pre[i]
				n.dpre[i] += dy * (math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
			case Softmax: // dx[i] = y[i] · (dy[i] - sum of dy[j] · y[j])
				for j := i / width * width; j < (i/width+1)*width; j++ {
					if n.dpre[j] -= dy * y * n.val[j]; i == j {
						n.dpre[j] += dy * y
					}
				}
			}
		}
		switch n.kind {
		case "input":
		case "dense":
			x, in := g.nodes[n.in[0]], n.kernel.Rows
			for i, d := range n.dpre {
				from, unit := i/width, i%width
				if n.bias != nil {
					g.grad[n.bias][unit] += d
				}
				for k := range in {
					g.grad[n.kernel][k*width+unit] += d * x.val[from*in+k]
					x.dval[from*in+k] += d * float64(n.kernel.Data[k*width+unit])
				}
			}
		case "embedding":
			for i, v := range g.nodes[n.in[0]].val {
				for j := range width {
					g.grad[n.kernel][int(v)*width+j] += n.dpre[i*width+j]
				}
			}
		case "concatenate":
			at := 0
			for _, j := range n.in {
				x := g.nodes[j]
				w := x.shape[len(x.shape)-1]
				for i := range x.val {
					x.dval[i] += n.dpre[i/w*width+at+i%w]
				}
				at += w
			}
		case "multiply":
			for place, j := range n.in {
				for i, d := range n.dpre {
					for other, k := range n.in {
						if other != place {
							d *= g.nodes[k].val[i]
						}
					}
					g.nodes[j].dval[i] += d
				}
			}
		default:
			for _, j := range n.in {
				for i, d := range n.dpre {
					g.nodes[j].dval[i] += d
				}
			}
		}
	}
}

// compare checks got against want, both relative to the largest magnitude of the graph.
func (g *refGraph) compare(t require.TestingT, got []float32, want []float64, what string) {
	for i, v := range want {
		if bound := refBound * (1 + g.scale); !(math.Abs(float64(got[i])-v) <= bound) {
			require.FailNow(t, "model and reference differ", "%s[%d]: model %v, reference %v, bound %v", what, i, got[i], v, bound)
		}
	}
}

// run compares the model with the reference and reports whether gradients could be compared.
func (g *refGraph) run(t require.TestingT) bool {
	m := g.model(t)
	rows := 1 + g.pick(4)
	d := g.data(rows)
	want := map[string][]float64{}
	losses := make([]float64, len(g.heads))
	for row := range rows {
		g.forward(d, row)
		for i, h := range g.heads {
			want[h.name] = append(want[h.name], g.nodes[h.at].val...)
			weight := 1.0
			if w := d.SampleWeights[h.name]; w != nil {
				weight = float64(w[row])
			}
			losses[i] += h.of(g, d, row, weight*h.weight/float64(rows)) * weight / float64(rows)
		}
		g.backward()
	}

	got, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	if !(g.scale <= 1e4) {
		return false
	}
	for _, h := range g.heads {
		g.compare(t, got[h.name].Data, want[h.name], "prediction of "+h.name)
	}
	if g.kinked {
		return false
	}

	frozen := map[*Layer]bool{}
	for _, n := range g.layers {
		if frozen[n.layer] = g.pick(6) == 0; frozen[n.layer] {
			n.layer.SetTrainable(false)
		}
	}
	for _, n := range m.nodes {
		if d, ok := n.layer.kind.(*dropout); ok {
			d.Rate = 0 // the reference has no masks
		}
	}
	c, err := m.check(d)
	require.NoError(t, err)
	b := &batch{chunk: *c}
	for i, w := range b.weights {
		if w == nil {
			b.weights[i] = slices.Repeat([]float32{1}, rows)
		}
	}
	for range 2 { // a tape that is reused must not remember
		total, err := m.trainer.forward(b, true, 1, nil, mustTally(m.trainer))
		require.NoError(t, err)
		require.NoError(t, m.trainer.runner.tape.Backward(total))
		sum := 0.0
		for i, h := range g.heads {
			g.compare(t, m.trainer.losses[i].Data, losses[i:i+1], "loss of "+h.name)
			sum += h.weight * losses[i]
		}
		g.compare(t, total.Data, []float64{sum}, "total loss")
		for i, w := range m.Weights() {
			grad := m.trainer.runner.tape.Grad(m.trainer.runner.params[i])
			if frozen[w.layer] {
				require.Nil(t, grad.Data, w.Name)
				continue
			}
			require.NotNil(t, grad.Data, w.Name) // every layer is beneath an output, every output has a loss
			g.compare(t, grad.Data, g.grad[w], "gradient of "+w.Name)
		}
	}
	return true
}
