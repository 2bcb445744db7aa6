package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A layerGraph is a random graph of several inputs and outputs whose layers are those of layerCases.
type layerGraph struct {
	random  *rand.Rand
	inputs  []*Node
	indices map[*Node]int // the inputs whose values are indices, below these
	nodes   []*Node
	used    map[*Node]bool // another node is on it
	outputs []*Node
	losses  Losses
}

// absorbed are the classes that scale or shift columns, which a plan makes a part of a product beside them: that changes bits.
var absorbed = map[string]bool{"Average": true, "BatchNormalization": true, "Bidirectional": true, "EinsumDense": true, "GRU": true,
	"GroupNormalization": true, "GroupedQueryAttention": true, "MultiHeadAttention": true, "Normalization": true, "PReLU": true, "Rescaling": true,
	"Subtract": true}

// TestRandomLayers builds graphs of all layers, drawn as cards from a deck, several times through it.
func TestRandomLayers(t *testing.T) {
	rounds := 2
	if os.Getenv("ESPALIER_LONG") != "" {
		rounds = 20
	}
	drawn, differences, skipped := map[string]int{}, 0, 0
	for round := range rounds {
		deck := rand.New(rand.NewPCG(uint64(round), 3)).Perm(len(layerCases))
		for n := 0; len(deck) > 0; n++ {
			take := min(len(deck), 4+n%5)
			var cases []layerCase
			for _, i := range deck[:take] {
				cases = append(cases, layerCases[i])
			}
			deck = deck[take:]
			t.Run(fmt.Sprintf("round=%d/graph=%d", round, n), func(t *testing.T) {
				g := newLayerGraph(cases, uint64(round*1000+n))
				m := g.model(t)
				for _, l := range m.layers {
					drawn[l.Class()]++
				}
				g.requireTraining(t, m)
				g.requirePredictions(t, m)
				d, s := g.requireGradients(t, m)
				differences, skipped = differences+d, skipped+s
			})
		}
	}
	for _, c := range layerCases {
		require.GreaterOrEqual(t, drawn[c.make().Class()], rounds, "graphs with %s", c.name)
	}
	require.Greater(t, differences, 4*skipped, "gradients that could be compared")
}

func newLayerGraph(cases []layerCase, seed uint64) *layerGraph {
	g := &layerGraph{random: rand.New(rand.NewPCG(seed, 5)), indices: map[*Node]int{}, used: map[*Node]bool{}}
	for range 1 + g.random.IntN(3) {
		shape := Shape{1 + g.random.IntN(5)}
		for range g.random.IntN(3) {
			shape = append(shape, 1+g.random.IntN(4))
		}
		g.input(shape, 0)
	}
	for _, c := range cases {
		l := c.make()
		for range 1 + g.random.IntN(2) { // perhaps a shared layer
			g.call(l, c)
		}
	}
	return g
}

func (g *layerGraph) input(shape Shape, indices int) *Node {
	x := Input(fmt.Sprint("x", len(g.inputs)), shape...)
	if g.inputs = append(g.inputs, x); indices > 0 {
		g.indices[x] = indices
	} else {
		g.nodes = append(g.nodes, x)
	}
	return x
}

func (g *layerGraph) any() *Node { return g.nodes[g.random.IntN(len(g.nodes))] }

// on calls a layer and adds the result.
func (g *layerGraph) on(l *Layer, in ...*Node) *Node {
	for _, x := range in {
		g.used[x] = true
	}
	y := l.On(in...)
	g.nodes = append(g.nodes, y)
	return y
}

// call calls a layer on any nodes if it takes them, or on what has the shapes of its case.
func (g *layerGraph) call(l *Layer, c layerCase) {
	if c.limit == 0 && len(l.nodes) == 0 && g.random.IntN(2) == 0 {
		in := make([]*Node, len(c.in))
		for i := range in {
			in[i] = g.any()
		}
		if probe := c.make().On(in...); probe.err == nil && probe.features() <= 64 {
			g.on(l, in...)
			return
		}
	}
	shapes := c.in
	if len(l.nodes) > 0 { // which the weights fit
		shapes = nil
		for _, x := range l.nodes[0].in {
			shapes = append(shapes, x.Shape())
		}
	}
	var in []*Node
	for _, shape := range shapes {
		if c.limit > 0 {
			in = append(in, g.input(shape, c.limit))
		} else {
			in = append(in, g.shaped(shape))
		}
	}
	g.on(l, in...)
}

// shaped returns a node of the given shape, one that there is or a new one.
func (g *layerGraph) shaped(shape Shape) *Node {
	var have []*Node
	for _, n := range g.nodes {
		if slices.Equal(n.Shape(), shape) {
			have = append(have, n)
		}
	}
	switch {
	case len(have) > 0 && g.random.IntN(3) > 0:
		return have[g.random.IntN(len(have))]
	case g.random.IntN(4) == 0:
		return g.input(shape, 0)
	}
	x := g.on(Dense(shape.Elements(), Tanh), g.on(Flatten(), g.any()))
	return g.on(Reshape(shape), x)
}

// model joins what no layer takes, and some more, in two or three outputs with losses of several kinds.
func (g *layerGraph) model(t *testing.T) *Model {
	ends := make([][]*Node, 2+g.random.IntN(2))
	for _, n := range g.nodes {
		if !g.used[n] {
			i := g.random.IntN(len(ends))
			ends[i] = append(ends[i], n)
		}
	}
	g.losses = Losses{}
	for i, end := range ends {
		var flat []*Node
		for _, n := range append(end, g.any()) {
			flat = append(flat, Flatten().On(n))
		}
		x := flat[0]
		if len(flat) > 1 {
			x = Concatenate().On(flat...)
		}
		name := fmt.Sprint("y", i)
		switch g.random.IntN(3) {
		case 0:
			g.outputs, g.losses[name] = append(g.outputs, Dense(2, Linear, Name(name)).On(x)), MSE()
		case 1:
			g.outputs, g.losses[name] = append(g.outputs, Dense(3, Softmax, Name(name)).On(x)), SparseCategoricalCrossentropy()
		case 2:
			g.outputs, g.losses[name] = append(g.outputs, Dense(2, Sigmoid, Name(name)).On(x)), BinaryCrossentropy()
		}
	}
	m, err := NewModel(g.inputs, g.outputs, Seed(g.random.Uint64()))
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.001), g.losses))
	return m
}

func (g *layerGraph) data(m *Model, rows int) Data {
	d := Data{Inputs: Arrays{}, Targets: Arrays{}}
	for _, n := range m.inputs {
		x := make(Floats, rows*n.features())
		for i := range x {
			if x[i] = float32(g.random.NormFloat64()); g.indices[n] > 0 {
				x[i] = float32(g.random.IntN(g.indices[n]))
			}
		}
		d.Inputs[n.layer.name] = x
	}
	for _, n := range m.outputs {
		y, labels := make(Floats, rows*n.features()), make(Labels, rows)
		for i := range y {
			y[i] = float32(g.random.IntN(2))
		}
		for i := range labels {
			labels[i] = int32(g.random.IntN(n.features()))
		}
		if d.Targets[n.layer.name] = y; n.layer.activation() == Softmax {
			d.Targets[n.layer.name] = labels
		}
	}
	return d
}

// requireTraining makes steps with finite results, the same in a copy that was saved between them.
func (g *layerGraph) requireTraining(t *testing.T, m *Model) {
	var copied *Model
	for step := range 3 {
		d := g.data(m, 4)
		logs, err := m.TrainOnBatch(d)
		require.NoError(t, err)
		for name, v := range logs {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%s in step %d is %v", name, step, v)
		}
		if copied == nil {
			copied, err = parse(savedBytes(t, m))
			require.NoError(t, err)
			continue
		}
		again, err := copied.TrainOnBatch(d)
		require.NoError(t, err)
		require.Equal(t, logs, again)
	}
	require.Equal(t, savedBytes(t, m), savedBytes(t, copied))
}

// requirePredictions compares Predict, for all rows and for one, a copy that was saved, and plans of several sizes.
func (g *layerGraph) requirePredictions(t *testing.T, m *Model) {
	const rows = 5
	d := g.data(m, rows)
	want, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	last := Arrays{}
	for _, n := range m.inputs {
		last[n.layer.name] = d.Inputs[n.layer.name].(Floats)[(rows-1)*n.features():]
	}
	one, err := m.Predict(last)
	require.NoError(t, err)
	saved := savedBytes(t, m)
	copied, err := parse(saved)
	require.NoError(t, err)
	again, err := copied.Predict(d.Inputs)
	require.NoError(t, err)
	for name, y := range want {
		requireBits(t, y.Row(rows-1), one[name].Row(0), "the last row of %s", name)
		requireBits(t, y.Data, again[name].Data, "%s of a copy", name)
		require.Negative(t, nonFinite(y.Data), name)
	}
	absorbs := slices.ContainsFunc(m.layers, func(l *Layer) bool { return absorbed[l.Class()] })
	var first [][]float32
	for _, batch := range []int{1, 2, rows} {
		p, err := parsePlan(saved, batch)
		require.NoError(t, err)
		var in, out [][]float32
		for _, n := range m.inputs {
			in = append(in, d.Inputs[n.layer.name].(Floats))
		}
		for i := range m.outputs {
			out = append(out, make([]float32, rows*p.OutputFeatures(i)))
		}
		require.NoError(t, p.Predict(in, out, rows))
		if first == nil {
			first = out
		}
		for i, n := range m.outputs {
			requireBits(t, first[i], out[i], "%s of a plan for %d rows", n.layer.name, batch)
			if absorbs {
				require.InDeltaSlice(t, float64s(want[n.layer.name].Data), float64s(out[i]), 1e-5, n.layer.name)
			} else {
				requireBits(t, want[n.layer.name].Data, out[i], "%s of a plan", n.layer.name)
			}
		}
	}
}

// requireGradients compares the gradients of some weights with differences of the loss. It returns how many there were, and how
// many not, because the loss has a kink nearby.
func (g *layerGraph) requireGradients(t *testing.T, m *Model) (compared, skipped int) {
	b := &batch{size: 4}
	require.NoError(t, b.fill(m, g.data(m, 4)))
	loss := func() float64 {
		total, err := m.trainer.forward(b, true, 3, nil, mustTally(m.trainer))
		require.NoError(t, err)
		return float64(total.Data[0])
	}
	total, err := m.trainer.forward(b, true, 3, nil, mustTally(m.trainer))
	require.NoError(t, err)
	require.NoError(t, m.trainer.runner.tape.Backward(total))
	type sample struct {
		w        *Weight
		i        int
		gradient float32
	}
	var samples []sample
	for range 6 {
		i := g.random.IntN(len(m.weights))
		w := m.weights[i]
		if d := m.trainer.runner.tape.Grad(m.trainer.runner.params[i]); !w.param.state && d.Data != nil {
			j := g.random.IntN(len(w.Data))
			samples = append(samples, sample{w, j, d.Data[j]})
		}
	}
	for _, s := range samples {
		v := &s.w.Data[s.i]
		at, base := *v, loss()
		difference := func(step float32) float64 {
			*v = at + step
			defer func() { *v = at }()
			return (loss() - base) / float64(step)
		}
		const step = 1.0 / 512
		up, down, far := difference(step), difference(-step), difference(2*step)
		bend := math.Abs(up-down) + math.Abs(far-up) // of a kink nearby, which the gradient is on one side of
		if bend > 1e-2 {
			skipped++
			continue
		}
		compared++
		require.InDelta(t, (up+down)/2, s.gradient, 2e-3+2*bend+2e-3*math.Abs(up), "%s %d", s.w.Name, s.i)
	}
	return compared, skipped
}
