package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/internal/formula"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

const ids = 7 // that an embedding has rows for

// A graph records random operations, the same ones for the same seed.
type graph struct {
	*rand.Rand
	ops.Ops
	samples int         // that a tensor has below each other
	nodes   []node      // all but the first one, which has numbers of rows
	layers  []layer     // whose weights are used again
	table   *ops.Tensor // of an embedding
}

// A node is a tensor with its shape for one sample.
type node struct {
	*ops.Tensor
	rows, cols int
}

type layer struct {
	w, b     *ops.Tensor
	in, cols int
}

// newGraph returns the number of columns of each input.
func newGraph(seed uint64) (g *graph, inputs []int) {
	g = &graph{Rand: rand.New(rand.NewPCG(seed, 3))}
	for range 2 + g.IntN(3) {
		inputs = append(inputs, 1+g.IntN(12))
	}
	return g, inputs
}

// outputs records the operations, and returns some of their results.
func (g *graph) outputs(o ops.Ops, samples int, inputs []*ops.Tensor) (outputs []*ops.Tensor) {
	g.Ops, g.samples = o, samples
	for _, x := range inputs {
		g.nodes = append(g.nodes, node{x, 1, x.Cols})
	}
	for range 2 + g.IntN(14) {
		g.step()
	}
	for range 1 + g.IntN(4) {
		outputs = append(outputs, g.any().Tensor)
	}
	return outputs
}

// any returns a node, often the last one.
func (g *graph) any() node {
	n := len(g.nodes) - 1
	if g.IntN(2) == 0 {
		return g.nodes[n]
	}
	return g.nodes[1+max(g.IntN(n), g.IntN(n))]
}

// like returns a node with as many rows as x and, if asked, columns.
func (g *graph) like(x node, columns bool) node {
	for range 5 {
		if y := g.any(); y.rows == x.rows && (!columns || y.cols == x.cols) {
			return y
		}
	}
	return x
}

func (g *graph) floats(rows, cols int) kernels.Matrix {
	m := kernels.NewMatrix(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(g.NormFloat64()) / 2
	}
	return m
}

func (g *graph) add(y *ops.Tensor, rows, cols int) { g.nodes = append(g.nodes, node{y, rows, cols}) }

func (g *graph) step() {
	x := g.any()
	switch g.IntN(32) {
	case 0, 1, 2, 3, 4:
		l := g.layer(x.cols)
		act := kernels.Activation(max(0, g.IntN(7)-3)) // often none: a function may follow
		g.add(g.Dense(x.Tensor, l.w, l.b, act), x.rows, l.cols)
	case 5:
		g.add(g.Activate(x.Tensor, kernels.Activation(g.IntN(4))), x.rows, x.cols)
	case 6:
		g.add(g.Unary(x.Tensor, g.unary()), x.rows, x.cols)
	case 7:
		g.add(g.Softmax(x.Tensor), x.rows, x.cols)
	case 8:
		g.add(g.Scale(x.Tensor, 0.5), x.rows, x.cols)
	case 9:
		y := g.like(x, true).Tensor
		switch g.IntN(6) {
		case 0, 1:
			y = g.Add(x.Tensor, y)
		case 2, 3:
			y = g.Multiply(x.Tensor, y)
		case 4:
			y = g.Maximum(x.Tensor, y)
		case 5:
			y = g.Minimum(x.Tensor, y)
		}
		g.add(y, x.rows, x.cols)
	case 10:
		rows := 1 + g.IntN(4)
		if n := x.rows * x.cols; n%rows == 0 {
			g.add(g.Reshape(x.Tensor, rows*g.samples, n/rows), rows, n/rows)
		}
	case 11:
		parts, cols := []*ops.Tensor{x.Tensor}, x.cols
		for range g.IntN(3) {
			y := g.like(x, false)
			parts, cols = append(parts, y.Tensor), cols+y.cols
		}
		if cols < 200 {
			g.add(g.Concatenate(parts...), x.rows, cols)
		}
	case 12:
		from := g.IntN(x.cols)
		to := from + 1 + g.IntN(x.cols-from)
		g.add(g.Slice(x.Tensor, from, to), x.rows, to-from)
	case 27:
		if n := 1 + g.IntN(3); n*x.cols < 200 {
			g.add(g.Repeat(x.Tensor, n), x.rows, n*x.cols)
		}
	case 28:
		g.add(g.RMSNorm(x.Tensor, g.Const(g.floats(1, x.cols)), 0.1), x.rows, x.cols)
	case 13:
		if g.table == nil {
			g.table = g.Const(g.floats(ids, 3))
		}
		index := g.nodes[0]
		g.add(g.Embedding(index.Tensor, g.table), 1, 3*index.cols)
	case 24:
		shape := []int{x.rows, 1, x.cols}
		for _, d := range []int{2, 3} {
			if x.cols%d == 0 {
				shape = []int{x.rows, d, x.cols / d}
			}
		}
		perm := g.Perm(3)
		last := shape[perm[2]]
		g.add(g.Permute(x.Tensor, shape, perm), x.rows*x.cols/last, last)
	case 25:
		heads := 1 + g.IntN(2)
		y := g.like(x, true)
		if x.cols%heads != 0 || y.rows > 20 {
			break
		}
		scores := g.MatMul(x.Tensor, y.Tensor, g.samples, heads, true)
		g.add(scores, x.rows, heads*y.rows)
		g.add(g.MatMul(scores, y.Tensor, g.samples, heads, false), x.rows, x.cols)
	case 26:
		heads := 1 + g.IntN(2)
		if x.cols%heads != 0 {
			break
		}
		var keys *ops.Tensor
		if y := g.any(); y.rows*y.cols == x.cols/heads {
			keys = g.Reshape(g.Activate(y.Tensor, kernels.ReLU), g.samples, x.cols/heads)
		}
		var queries *ops.Tensor
		if y := g.any(); y.rows*y.cols == x.rows {
			queries = g.Reshape(g.Activate(y.Tensor, kernels.ReLU), g.samples, x.rows)
		}
		g.add(g.MaskScores(x.Tensor, queries, keys, g.samples, heads, ops.Band{Before: g.IntN(4) - 1, After: g.IntN(4) - 1}), x.rows, x.cols)
	case 29:
		if y := g.like(x, true); x.rows*y.rows < 20 {
			g.add(g.AddPairs(x.Tensor, y.Tensor, g.samples, kernels.Tanh), x.rows*y.rows, x.cols)
		}
	case 14, 15: // one layer on several nodes
		l := g.layer(x.cols)
		for range 2 + g.IntN(2) {
			g.branch(x, l)
			x = g.like(x, true)
		}
	case 16, 17: // several layers on one node
		for range 2 + g.IntN(2) {
			g.branch(x, g.layer(x.cols))
		}
	case 18, 19, 20:
		g.towers(x)
	case 21, 22, 23:
		g.joinedRows(x)
	case 30, 31:
		g.window(x)
	}
}

// window moves a window over a sample, as an image of one or more rows, and perhaps adds what a convolution can take in.
func (g *graph) window(x node) {
	n := x.rows * x.cols
	var w kernels.Window
	w.Channels, w.In = n, [2]int{1, 1}
	for i := range w.In {
		for d := 5; d > 1; d-- {
			if w.Channels%d == 0 && g.IntN(3) > 0 {
				w.In[i], w.Channels = d, w.Channels/d
				break
			}
		}
		w.Size[i], w.Stride[i], w.Dilation[i], w.Before[i] = 1+g.IntN(3), 1+g.IntN(2), 1+g.IntN(2), g.IntN(2)
		w.Out[i] = (w.In[i]+w.Stride[i]-1)/w.Stride[i] + g.IntN(2)
	}
	if w.Places()*w.Elements() > 2000 {
		return
	}
	var y *ops.Tensor
	cols, elements := w.Channels, w.Size[0]*w.Size[1]
	image := g.Reshape(x.Tensor, g.samples, n)
	bias := func(cols int) *ops.Tensor {
		if g.IntN(2) == 0 {
			return nil
		}
		return g.Const(g.floats(1, cols))
	}
	act := kernels.Activation(max(0, g.IntN(7)-3))
	switch g.IntN(7) {
	case 0:
		cols = w.Elements()
		y = g.Patches(image, w)
	case 1: // a place outside of the image has no largest value
		w.Before, w.Out, w.Size = [2]int{}, w.In, w.In
		w.Stride = [2]int{1, 1}
		y = g.MaxPool(image, w)
	case 2:
		y = g.AveragePool(image, w)
	case 3, 4:
		y = g.Depthwise(image, g.Const(g.floats(elements, cols)), bias(cols), w, act)
	default:
		cols = 1 + g.IntN(20)
		y = g.Conv(image, g.Const(g.floats(w.Elements(), cols)), bias(cols), w, act)
	}
	g.add(y, w.Places(), cols)
	switch g.IntN(4) {
	case 0:
		g.add(g.Activate(y, kernels.Activation(g.IntN(4))), w.Places(), cols)
	case 1:
		g.add(g.Unary(y, g.unary()), w.Places(), cols)
	}
}

// towers puts a layer on results that are alike, on all of them or on some, in any order.
func (g *graph) towers(x node) {
	var tops []node
	l := g.layer(x.cols)
	for range 2 + g.IntN(3) {
		if g.IntN(2) == 0 {
			l = layer{w: g.Const(g.floats(x.cols, l.cols)), in: l.in, cols: l.cols}
		}
		tops = append(tops, node{g.Dense(x.Tensor, l.w, l.b, kernels.ReLU), x.rows, l.cols})
		x = g.like(x, true)
	}
	for range 1 + g.IntN(2) {
		if g.IntN(2) == 0 {
			g.Shuffle(len(tops), func(i, j int) { tops[i], tops[j] = tops[j], tops[i] })
		}
		l := g.layer(tops[0].cols)
		var next []node
		for _, top := range tops[:1+g.IntN(len(tops))] {
			next = append(next, node{g.Dense(top.Tensor, l.w, l.b, kernels.Tanh), top.rows, l.cols})
		}
		g.nodes = append(g.nodes, tops...)
		tops = next
	}
	g.nodes = append(g.nodes, tops...)
}

// joinedRows reads a part of joined columns as rows of its own.
func (g *graph) joinedRows(x node) {
	l := layer{cols: 2 * (1 + g.IntN(4))}
	y := g.Dense(x.Tensor, g.Const(g.floats(x.cols, l.cols)), nil, kernels.ReLU)
	z := g.like(x, false)
	g.add(g.Concatenate(z.Tensor, y), x.rows, z.cols+l.cols)
	rows := g.Reshape(y, 2*x.rows*g.samples, l.cols/2)
	if g.IntN(2) == 0 {
		g.add(g.Softmax(rows), 2*x.rows, l.cols/2)
		return
	}
	of := g.layer(l.cols / 2)
	g.add(g.Dense(rows, of.w, of.b, kernels.Linear), 2*x.rows, of.cols)
}

// branch adds a product, mostly one like those of other branches, and perhaps a function of it.
func (g *graph) branch(x node, l layer) {
	b, act := l.b, kernels.Linear
	if g.IntN(6) == 0 {
		b = g.Const(g.floats(1, l.cols))
	}
	if g.IntN(6) == 0 {
		act = kernels.ReLU
	}
	y, rows, cols := g.Dense(x.Tensor, l.w, b, act), x.rows, l.cols
	if g.IntN(4) == 0 && cols%2 == 0 {
		rows, cols = 2*rows, cols/2
		y = g.Reshape(y, rows*g.samples, cols)
	}
	switch g.IntN(6) {
	case 0, 1, 2:
		y = g.Unary(y, g.unary())
	case 3:
		y = g.Softmax(y)
	case 4:
		y = g.Activate(y, kernels.Tanh)
	}
	g.add(y, rows, cols)
}

// unary returns a function, often the same one.
func (g *graph) unary() kernels.Unary {
	return formula.Unaries[max(0, g.IntN(2*len(formula.Unaries))-len(formula.Unaries))]
}

// layer returns the weights of a layer for so many columns, often those of another one.
func (g *graph) layer(in int) layer {
	for _, l := range g.layers {
		if l.in == in && g.IntN(3) > 0 {
			return l
		}
	}
	l := layer{in: in, cols: 1 + g.IntN(20)}
	l.w = g.Const(g.floats(in, l.cols))
	if g.IntN(3) > 0 {
		l.b = g.Const(g.floats(1, l.cols))
	}
	if n := len(g.layers); n > 0 && g.layers[n-1].in == in && g.layers[n-1].cols == l.cols && g.IntN(2) == 0 {
		l.w = g.layers[n-1].w // the same weights with another bias
	}
	g.layers = append(g.layers, l)
	return l
}

// A plan gives the bits that the tape gives: in any batch, by Predict, Run and RunOn, and nothing behind the rows.
func TestPlansGiveWhatTheTapeGives(t *testing.T) {
	const maxBatch, rows = 4, 9
	defer func(floats, from int) { chainFloats, chainFrom = floats, from }(chainFloats, chainFrom)
	for seed := range uint64(1500) {
		chainFloats, chainFrom = 16+int(seed%50), 1+int(seed%3)<<10 // two of three plans have no chain
		g, columns := newGraph(seed)
		r, tape := NewRecorder(), autograd.NewTape(nil)
		var recorded, taped []*ops.Tensor
		var in [][]float32
		for i, cols := range columns {
			x := g.floats(rows, cols)
			for j := range x.Data {
				if i == 0 {
					x.Data[j] = float32(g.IntN(ids))
				}
			}
			in = append(in, x.Data)
			recorded, taped = append(recorded, r.Input(fmt.Sprint(i), cols)), append(taped, tape.Const(x))
		}
		again, _ := newGraph(seed)
		for i, cols := range columns { // to the same state
			again.floats(rows, cols)
			for range rows * cols {
				if i == 0 {
					again.IntN(ids)
				}
			}
		}
		results := again.outputs(tape, rows, taped)
		require.NoError(t, tape.Err(), "seed %d", seed)
		for i, y := range g.outputs(r, 1, recorded) {
			r.Output(fmt.Sprint("y", i), y)
		}
		p, err := r.Plan(Config{MaxBatch: maxBatch, Workers: 1 + int(seed%3)})
		require.NoError(t, err, "seed %d", seed)

		memory := func() (out [][]float32) {
			for _, y := range results {
				out = append(out, make([]float32, len(y.Data)+1))
				out[len(out)-1][len(y.Data)] = 12345
			}
			return out
		}
		same := func(out [][]float32, from, n int, what string) {
			t.Helper()
			for i, y := range results {
				f := p.OutputFeatures(i)
				for j, v := range y.Data[from*f : (from+n)*f] {
					if got := out[i][j]; got != v && !(got != got && v != v) {
						var steps writer
						require.NoError(t, p.Describe(&steps))
						require.Failf(t, "other bits", "seed %d, %s of %d rows from %d, output %d, element %d: the tape has %v, the plan %v\n%s", seed, what, n, from, i, j, v, got, steps)
					}
				}
			}
		}
		out := memory()
		require.NoError(t, p.Predict(in, out, rows))
		same(out, 0, rows, "Predict")
		s := p.NewSession()
		for try := range 8 {
			n := 1 + g.IntN(maxBatch)
			from := g.IntN(rows - n + 1)
			part := make([][]float32, len(in))
			for i, x := range in {
				part[i] = x[from*columns[i] : (from+n)*columns[i]]
			}
			if try%2 == 0 {
				for i := range part {
					copy(s.Input(i), part[i])
				}
				require.NoError(t, s.Run(n))
				same(s.outputs, from, n, "Run")
			} else {
				out = memory()
				before := memory()
				require.NoError(t, s.RunOn(part, out, n))
				same(out, from, n, "RunOn")
				for i := range out {
					behind := n * p.OutputFeatures(i)
					require.Equal(t, before[i][behind:], out[i][behind:], "seed %d, output %d", seed, i)
				}
			}
		}
	}
}

type writer []byte

func (w *writer) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

func (w writer) String() string { return string(w) }

// What cannot be recorded beside what [TestRecorderErrors] has.
func TestRecorderRefuses(t *testing.T) {
	for want, record := range map[string]func(r *Recorder, x *ops.Tensor){
		"add: an operand is a constant":  func(r *Recorder, x *ops.Tensor) { r.Add(x, r.Const(matrix(1, 3, 0))) },
		"copy: an operand is a constant": func(r *Recorder, x *ops.Tensor) { r.Concatenate(x, r.Const(matrix(1, 3, 0))) },
		"dense: x is 1x3, the weights are 3x2": func(r *Recorder, x *ops.Tensor) {
			r.Dense(x, r.Const(matrix(3, 2, 0)), r.Const(matrix(1, 3, 0)), kernels.ReLU)
		},
		"matmul: an operand is a constant": func(r *Recorder, x *ops.Tensor) { r.MatMul(x, r.Const(matrix(1, 3, 0)), 1, 1, true) },
		"matmul: a is 1x3, b is 1x3":       func(r *Recorder, x *ops.Tensor) { r.MatMul(x, x, 1, 1, false) },
		"addpairs: an operand is a constant": func(r *Recorder, x *ops.Tensor) {
			r.AddPairs(x, r.Const(matrix(1, 3, 0)), 1, kernels.Tanh)
		},
		"permute: x is 1x3": func(r *Recorder, x *ops.Tensor) { r.Permute(x, []int{2, 2}, []int{1, 0}) },
		"maskscores: an operand is a constant": func(r *Recorder, x *ops.Tensor) {
			r.MaskScores(x, nil, r.Const(matrix(1, 3, 0)), 1, 1, ops.Band{})
		},
		"maskscores: the scores are 1x3":                   func(r *Recorder, x *ops.Tensor) { r.MaskScores(x, nil, nil, 1, 2, ops.Band{}) },
		"reshape: a 1x3 tensor cannot become 1x2":          func(r *Recorder, x *ops.Tensor) { r.Reshape(x, 1, 2) },
		"reshape: a 1x3 tensor cannot become 0x3":          func(r *Recorder, x *ops.Tensor) { r.Reshape(x, 0, 3) },
		"slice: columns 1 to 1 of a 1x3 tensor":            func(r *Recorder, x *ops.Tensor) { r.Slice(x, 1, 1) },
		"concatenate: there is no operand":                 func(r *Recorder, x *ops.Tensor) { r.Concatenate() },
		"concatenate: operands have 1 and 3 rows":          func(r *Recorder, x *ops.Tensor) { r.Concatenate(x, r.Reshape(x, 3, 1)) },
		"dense: weights must be constants":                 func(r *Recorder, x *ops.Tensor) { r.Dense(x, r.Const(matrix(3, 3, 0)), x, kernels.ReLU) },
		fmt.Sprintf("Const: a %dx1 matrix", math.MaxInt32): func(r *Recorder, x *ops.Tensor) { r.Const(kernels.Matrix{Rows: math.MaxInt32, Cols: 1, Stride: 1}) },
	} {
		r := NewRecorder()
		record(r, r.Input("x", 3))
		require.ErrorContains(t, r.Err(), want)
	}
}

// steps returns what a plan computes, in order.
func steps(t *testing.T, record func(r *Recorder, x *ops.Tensor) []*ops.Tensor) (names []string) {
	r := NewRecorder()
	for i, y := range record(r, r.Input("x", 6)) {
		r.Output(fmt.Sprint(i), y)
	}
	p, err := r.Plan(Config{MaxBatch: 2})
	require.NoError(t, err)
	for _, s := range p.steps {
		names = append(names, fmt.Sprintf("%s %d", s.op, s.y.cols))
	}
	return names
}

// A product keeps its sums where somebody else reads them, also from behind reshapes.
func TestProductWithTwoUsers(t *testing.T) {
	x, w := matrix(1, 6, -0.5), matrix(6, 4, -0.25)
	want, active := kernels.NewMatrix(1, 4), kernels.NewMatrix(1, 4)
	require.NoError(t, kernels.Default().Gemm(nil, want, x, w, kernels.Epilogue{}))
	require.NoError(t, kernels.Default().Activate(active, want, nil, kernels.Tanh))
	r := NewRecorder()
	y := r.Dense(r.Input("x", 6), r.Const(w), nil, kernels.Linear)
	r.Output("sums", r.Reshape(r.Reshape(y, 2, 2), 4, 1))
	r.Output("active", r.Activate(y, kernels.Tanh))
	p, err := r.Plan(Config{MaxBatch: 1})
	require.NoError(t, err)
	sums, function := make([]float32, 4), make([]float32, 4)
	require.NoError(t, p.Predict([][]float32{x.Data}, [][]float32{sums, function}, 1))
	require.Equal(t, want.Data, sums)
	require.Equal(t, active.Data, function)
}

// Weights are packed once for each set of constants, whatever the numbers of the constants are: 1 with 23 is not 12 with 3.
func TestPackedOnce(t *testing.T) {
	r := NewRecorder()
	x := r.Input("x", 6)
	constants := []*ops.Tensor{x}
	for i := 1; i <= 23; i++ {
		m := matrix(6, 4, float32(i))
		if i == 3 || i == 23 {
			m = matrix(1, 4, float32(i))
		}
		constants = append(constants, r.Const(m))
		require.EqualValues(t, i, constants[i].ID)
	}
	r.Output("a", r.Dense(x, constants[1], constants[23], kernels.ReLU))
	r.Output("b", r.Dense(x, constants[12], constants[3], kernels.Linear))
	r.Output("c", r.Unary(r.Dense(r.Unary(x, gelu), constants[1], constants[23], kernels.ReLU), gelu))
	p, err := r.Plan(Config{MaxBatch: 1})
	require.NoError(t, err)
	out := [][]float32{make([]float32, 4), make([]float32, 4), make([]float32, 4)}
	require.NoError(t, p.Predict([][]float32{{1, 0, 0, 0, 0, 0}}, out, 1))
	require.Equal(t, float32(1+23), out[0][0])
	require.Equal(t, float32(12+3), out[1][0])
	packed := map[*kernels.PackedB]bool{}
	for _, s := range p.steps {
		if s.w != nil {
			packed[s.w] = true
		}
	}
	require.Len(t, packed, 2)
}

// What a chain has computed makes room for what comes after it.
func TestMemoryOfAChain(t *testing.T) {
	r := NewRecorder()
	x := r.Input("x", 64)
	for range 20 {
		x = r.Dense(x, r.Const(matrix(64, 64, 0)), nil, kernels.ReLU)
	}
	r.Output("y", x)
	p, err := r.Plan(Config{MaxBatch: 1})
	require.NoError(t, err)
	require.LessOrEqual(t, p.arena, 4*64)
}

// Steps that are not needed are not there.
func TestStepsOfAPlan(t *testing.T) {
	w := func(cols int) kernels.Matrix { return matrix(6, cols, -0.25) }
	for _, c := range []struct {
		name   string
		record func(r *Recorder, x *ops.Tensor) []*ops.Tensor
		want   []string
	}{
		{"linear", func(r *Recorder, x *ops.Tensor) []*ops.Tensor {
			return []*ops.Tensor{r.Activate(r.Unary(x, gelu), kernels.Linear)}
		}, []string{"gelu 6"}},
		{"activation in the product", func(r *Recorder, x *ops.Tensor) []*ops.Tensor {
			return []*ops.Tensor{r.Activate(r.Dense(x, r.Const(w(20)), nil, kernels.Linear), kernels.Tanh)}
		}, []string{"dense 20"}},
		{"narrow products", func(r *Recorder, x *ops.Tensor) []*ops.Tensor {
			y := r.Dense(x, r.Const(w(5)), nil, kernels.ReLU)
			z := r.Dense(x, r.Const(w(7)), nil, kernels.ReLU)
			return []*ops.Tensor{r.Unary(y, gelu), r.Unary(z, gelu)}
		}, []string{"dense 12", "gelu 5", "gelu 7"}},
		{"shared behind different functions", func(r *Recorder, x *ops.Tensor) []*ops.Tensor {
			w := r.Const(matrix(20, 17, -0.25))
			y := r.Unary(r.Dense(x, r.Const(matrix(6, 20, 0)), nil, kernels.Linear), gelu)
			z := r.Activate(r.Dense(x, r.Const(matrix(6, 20, 1)), nil, kernels.Linear), kernels.ReLU)
			return []*ops.Tensor{r.Softmax(r.Dense(y, w, nil, kernels.Linear)), r.Softmax(r.Dense(z, w, nil, kernels.Linear))}
		}, []string{"dense 20", "gelu 20", "dense 20", "dense 17", "softmax 17", "softmax 17", "copy 17", "copy 17"}},
		{"as wide as a tile", func(r *Recorder, x *ops.Tensor) []*ops.Tensor {
			y := r.Dense(x, r.Const(w(16)), nil, kernels.ReLU)
			z := r.Dense(x, r.Const(w(7)), nil, kernels.ReLU)
			return []*ops.Tensor{r.Unary(y, gelu), r.Unary(z, gelu)}
		}, []string{"dense 16", "dense 7", "gelu 16", "gelu 7"}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, steps(t, c.record)) })
	}
}
