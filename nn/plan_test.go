package nn

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// servedModels are models as services have them: several inputs and outputs, shared layers, narrow heads.
var servedModels = []struct {
	name  string
	build func() (*Model, error)
}{
	{"mt", func() (*Model, error) {
		x := Input("x", 20)
		h := Dense(64, ReLU).On(Dense(128, ReLU).On(x))
		return NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("value")).On(h), Dense(10, Softmax, Name("label")).On(h)})
	}},
	{"mm", func() (*Model, error) {
		a, b := Input("a", 10), Input("b", 10)
		shared := Dense(32, ReLU)
		left := Dense(16, ReLU).On(shared.On(Dense(5, ReLU).On(a)))
		right := Dense(16, ReLU).On(shared.On(Dense(5, ReLU).On(b)))
		return NewModel([]*Node{a, b}, []*Node{Dense(1, Sigmoid, Name("click")).On(Concatenate().On(left, right))})
	}},
	{"mmmt", func() (*Model, error) {
		a, b := Input("a", 10), Input("b", 10)
		shared := Dense(32, ReLU)
		left := Dense(10, ReLU).On(shared.On(Dense(5, ReLU).On(a)))
		right := Dense(10, ReLU).On(shared.On(Dense(5, ReLU).On(b)))
		h := Concatenate().On(left, right)
		return NewModel([]*Node{a, b}, []*Node{Dense(1, Linear, Name("value")).On(h), Dense(2, Softmax, Name("label")).On(h)})
	}},
	{"large", func() (*Model, error) {
		a, b := Input("a", 256), Input("b", 256)
		h := Concatenate().On(Dense(512, ReLU).On(a), Dense(512, ReLU).On(b))
		h = Dense(512, ReLU).On(Dense(1024, ReLU).On(h))
		return NewModel([]*Node{a, b}, []*Node{Dense(1, Linear, Name("value")).On(h), Dense(100, Softmax, Name("label")).On(h)})
	}},
	{"odd", func() (*Model, error) { // outputs that are inputs, the same node, parts of a concatenation, and of several axes
		a, b := Input("a", 2, 3), Input("b", 4)
		wide := Dense(5, Tanh).On(a)
		rows := Activation(Softmax, Name("rows")).On(wide)
		flat := Flatten(Name("flat")).On(rows)
		one, two := Dense(3, GELU, Name("one")).On(b), Dense(2, Linear, NoBias(), Name("two")).On(b)
		joined := Concatenate(Name("joined")).On(one, two, one, b, Concatenate().On(Dense(7, ReLU).On(flat), two))
		again := Reshape([]int{4, 5}, Name("again")).On(Dense(20, Sigmoid).On(joined))
		last := Concatenate(Name("last")).On(again, Dense(6, Softmax).On(again))
		sum := Add(Name("sum")).On(one, Dense(3, Linear).On(two), Multiply().On(one, one))
		through := Dropout(0.5, Name("through")).On(b)
		after := Activation(ReLU, Name("after")).On(Dense(9, Linear).On(sum))
		return NewModel([]*Node{a, b}, []*Node{rows, flat, one, two, joined, again, last, sum, through, after})
	}},
	{"embedded", func() (*Model, error) { // into a concatenation, shared, and with a dense layer over its axes
		from, to, day, x := Input("from", 1), Input("to", 2), Input("day", 3), Input("x", 4)
		place, weekday := Embedding(11, 6, Name("place")), Embedding(7, 3)
		days := weekday.On(day)
		h := Concatenate().On(Flatten().On(place.On(from)), x, Flatten().On(place.On(to)), Flatten().On(days), Flatten().On(Dense(2, ReLU).On(days)))
		return NewModel([]*Node{from, to, day, x}, []*Node{Dense(1, Linear, Name("value")).On(Dense(20, ReLU).On(h)), Flatten(Name("days")).On(days)})
	}},
}

// eachServed runs a test for each of the models.
func eachServed(t *testing.T, test func(t *testing.T, m *Model)) {
	for _, s := range servedModels {
		t.Run("model="+s.name, func(t *testing.T) {
			if s.name == "large" && testing.Short() {
				t.Skip("takes long where each instruction is emulated or watched")
			}
			m, err := s.build()
			require.NoError(t, err)
			r := rand.New(rand.NewPCG(7, 7))
			for _, w := range m.Weights() { // biases too
				for i := range w.Data {
					w.Data[i] = float32(r.NormFloat64() / math.Sqrt(float64(w.Rows)))
				}
			}
			test(t, m)
		})
	}
}

// inputDim returns the number of indices that an input of embeddings may hold, 0 for other inputs.
func inputDim(m *Model, input *Node) int {
	dim := 0
	for _, n := range m.nodes {
		if n.limit > 0 && n.in[0].origin() == input && (dim == 0 || n.limit < dim) {
			dim = n.limit
		}
	}
	return dim
}

// inputsOf returns random rows for each input.
func inputsOf(m *Model, rows int) (Arrays, [][]float32) {
	r := rand.New(rand.NewPCG(3, uint64(rows)))
	arrays, slices := Arrays{}, [][]float32{}
	for _, n := range m.inputs {
		x := make(Floats, rows*n.features())
		dim := inputDim(m, n)
		for i := range x {
			if x[i] = float32(r.NormFloat64()); dim > 0 {
				x[i] = float32(r.IntN(dim))
			}
		}
		arrays[n.layer.name] = x
		slices = append(slices, x)
	}
	return arrays, slices
}

func requireBits(t require.TestingT, want, got []float32, format string, args ...any) {
	require.Equal(t, len(want), len(got), format, args)
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) && (want[i] == want[i] || got[i] == got[i]) {
			require.Failf(t, "other bits", "%s: element %d is %v, want %v", fmt.Sprintf(format, args...), i, got[i], want[i])
		}
	}
}

// requireServed compares a plan with the model's own forward pass, bit for bit, in batches of any size.
func requireServed(t require.TestingT, m *Model, arrays Arrays) {
	want, err := m.Predict(arrays)
	require.NoError(t, err)
	var inputs [][]float32
	for _, name := range m.InputNames() {
		inputs = append(inputs, arrays[name].(Floats))
	}
	rows := want[m.OutputNames()[0]].Rows
	for _, maxBatch := range slices.Compact([]int{1, (rows + 1) / 2, rows}) {
		p, err := NewPlan(m, maxBatch)
		require.NoError(t, err)
		var outputs [][]float32
		for i := range p.OutputNames() {
			outputs = append(outputs, make([]float32, rows*p.OutputFeatures(i)))
		}
		for round := range 2 { // a session keeps nothing from call to call
			require.NoError(t, p.Predict(inputs, outputs, rows))
			for i, name := range p.OutputNames() {
				requireBits(t, want[name].Data, outputs[i], "maxBatch %d, round %d, output %q", maxBatch, round, name)
			}
		}
	}
}

func TestPlan(t *testing.T) {
	eachServed(t, func(t *testing.T, m *Model) {
		for _, rows := range []int{1, 2, 3, 7, 8, 33, 65} {
			arrays, _ := inputsOf(m, rows)
			requireServed(t, m, arrays)
		}
	})
}

func TestPlanRandomGraphs(t *testing.T) {
	graphs := uint64(1000)
	if testing.Short() {
		graphs = 100
	}
	for seed := range graphs {
		g := newRefGraph(nil, seed)
		m := g.model(t)
		rows := 1 + g.pick(9)
		arrays, _ := inputsOf(m, rows)
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { requireServed(t, m, arrays) }) {
			return
		}
	}
}

func TestPlanWorkers(t *testing.T) {
	m, err := servedModels[3].build()
	require.NoError(t, err)
	_, inputs := inputsOf(m, 70)
	var all [][][]float32
	for _, workers := range []int{1, 2, 3} {
		p, err := NewPlan(m, 64, Workers(workers))
		require.NoError(t, err)
		outputs := [][]float32{make([]float32, 70), make([]float32, 7000)}
		require.NoError(t, p.Predict(inputs, outputs, 70))
		all = append(all, outputs)
	}
	require.Equal(t, all[0], all[1])
	require.Equal(t, all[0], all[2])
}

// What a plan fuses, as its description shows it.
func TestPlanDescribe(t *testing.T) {
	for name, want := range map[string]string{
		"mt": `
			dense dense_1 1x20 1x128 relu 5120 10752
			dense dense 1x128 1x64 relu 16384 33024
			dense value, label 1x64 1x11 linear 1408 2860
			softmax label 1x10 1x10 10 0
			copy value 1x1 1x1 0 0
			total 22922 46636`,
		"mm": `
			dense dense_2 1x10 1x5 relu 100 220
			dense dense_4 1x10 1x5 relu 100 220
			dense dense, dense 2x5 2x32 relu 640 768
			dense dense_1 1x32 1x16 relu 1024 2112
			dense dense_3 1x32 1x16 relu 1024 2112
			dense click 1x32 1x1 sigmoid 64 132
			total 2952 5564`,
		"embedded": `
			embed place 1x1 1x6 0 264
			embed place 1x2 1x12 0 264
			embed embedding 1x3 1x9 0 84
			copy embedding 1x9 1x9 0 0
			dense dense 3x3 3x2 relu 36 32
			copy concatenate 1x4 1x4 0 0
			copy concatenate 1x6 1x6 0 0
			dense dense_1 1x37 1x20 relu 1480 3040
			dense value 1x20 1x1 linear 40 84
			copy days 1x9 1x9 0 0
			total 1556 3768`,
		"mmmt": `
			dense dense_2 1x10 1x5 relu 100 220
			dense dense_4 1x10 1x5 relu 100 220
			dense dense, dense 2x5 2x32 relu 640 768
			dense dense_1 1x32 1x10 relu 640 1320
			dense dense_3 1x32 1x10 relu 640 1320
			dense value, label 1x20 1x3 linear 120 252
			softmax label 1x2 1x2 2 0
			copy value 1x1 1x1 0 0
			total 2242 4100`,
	} {
		t.Run("model="+name, func(t *testing.T) {
			i := slices.IndexFunc(servedModels, func(s struct {
				name  string
				build func() (*Model, error)
			}) bool {
				return s.name == name
			})
			m, err := servedModels[i].build()
			require.NoError(t, err)
			p, err := NewPlan(m, 8)
			require.NoError(t, err)
			var text bytes.Buffer
			require.NoError(t, p.Describe(&text))
			words := strings.Fields(want)
			require.Equal(t, words, strings.Fields(text.String())[8:][:len(words)], "%s", &text)
		})
	}
}

func TestPlanAllocations(t *testing.T) {
	eachServed(t, func(t *testing.T, m *Model) {
		for _, batch := range []int{1, 8, 64} {
			p, err := NewPlan(m, 64)
			require.NoError(t, err)
			s := p.NewSession()
			require.NoError(t, s.Run(batch))
			_, inputs := inputsOf(m, batch)
			var outputs [][]float32
			for i := range p.OutputNames() {
				outputs = append(outputs, make([]float32, batch*p.OutputFeatures(i)))
			}
			require.NoError(t, p.Predict(inputs, outputs, batch))
			if raceDetector { // a sync.Pool forgets at random
				continue
			}
			require.Zero(t, testing.AllocsPerRun(20, func() {
				if s.Run(batch) != nil {
					panic("Run")
				}
			}), "Run, batch %d", batch)
			require.Zero(t, testing.AllocsPerRun(20, func() {
				if p.Predict(inputs, outputs, batch) != nil {
					panic("Predict")
				}
			}), "Predict, batch %d", batch)
		}
	})
}

// Any number of goroutines may use one plan.
func TestPlanConcurrent(t *testing.T) {
	eachServed(t, func(t *testing.T, m *Model) {
		p, err := NewPlan(m, 4)
		require.NoError(t, err)
		arrays, inputs := inputsOf(m, 9)
		want, err := m.Predict(arrays)
		require.NoError(t, err)
		var callers sync.WaitGroup
		for caller := range 64 {
			callers.Go(func() {
				rows := 1 + caller%9
				var part, outputs [][]float32
				for i, x := range inputs {
					part = append(part, x[:rows*p.InputFeatures(i)])
				}
				for i := range p.OutputNames() {
					outputs = append(outputs, make([]float32, rows*p.OutputFeatures(i)))
				}
				for range 20 {
					if err := p.Predict(part, outputs, rows); err != nil {
						t.Error(err)
						return
					}
					for i, name := range p.OutputNames() {
						if !slices.Equal(want[name].Data[:len(outputs[i])], outputs[i]) {
							t.Errorf("caller %d: output %q has other bits", caller, name)
							return
						}
					}
				}
			})
		}
		callers.Wait()
	})
}

// A plan has its own weights.
func TestPlanIsImmutable(t *testing.T) {
	m, err := servedModels[0].build()
	require.NoError(t, err)
	p, err := NewPlan(m, 1)
	require.NoError(t, err)
	s := p.NewSession()
	for i := range s.Input(0) {
		s.Input(0)[i] = 1
	}
	require.NoError(t, s.Run(1))
	before := slices.Clone(s.Output(1))
	for _, w := range m.Weights() {
		clear(w.Data)
	}
	require.NoError(t, s.Run(1))
	require.Equal(t, before, s.Output(1))
}

func TestPlanErrors(t *testing.T) {
	m, err := servedModels[1].build()
	require.NoError(t, err)
	_, err = NewPlan(nil, 1)
	require.EqualError(t, err, "nn: NewPlan: the model is nil")
	_, err = NewPlan(m, 0)
	require.EqualError(t, err, "nn: NewPlan: maxBatch is 0, must be at least 1")
	_, err = NewPlan(m, math.MaxInt)
	require.ErrorContains(t, err, "together more than")
	p, err := NewPlan(m, 4)
	require.NoError(t, err)
	s := p.NewSession()
	for _, batch := range []int{-1, 0, 5} {
		require.EqualError(t, s.Run(batch), fmt.Sprintf("plan: Session.Run: batch is %d, valid are 1 to 4", batch))
	}
	_, err = s.InputByName("c")
	require.EqualError(t, err, `plan: Session: unknown input "c": valid are ["a" "b"]`)
	_, err = s.OutputByName("c")
	require.EqualError(t, err, `plan: Session: unknown output "c": valid are ["click"]`)
	a, err := s.InputByName("b")
	require.NoError(t, err)
	require.Same(t, &s.Input(1)[0], &a[0])
	require.Len(t, a, 40)
	x := make([]float32, 20)
	for want, call := range map[string]func() error{
		`plan: Predict: got 1 inputs, the model has 2: ["a" "b"]`:                   func() error { return p.Predict([][]float32{x}, [][]float32{x}, 2) },
		`plan: Predict: got 0 outputs, the model has 1: ["click"]`:                  func() error { return p.Predict([][]float32{x, x}, nil, 2) },
		`plan: Predict: input "a" has 20 elements, 3 rows of 10 features need 30`:   func() error { return p.Predict([][]float32{x, x}, [][]float32{x}, 3) },
		`plan: Predict: output "click" has 1 elements, 2 rows of 1 features need 2`: func() error { return p.Predict([][]float32{x, x}, [][]float32{x[:1]}, 2) },
		`plan: Predict: batch is -1, must not be negative`:                          func() error { return p.Predict([][]float32{x, x}, [][]float32{x}, -1) },
	} {
		require.EqualError(t, call(), want)
	}
	require.NoError(t, p.Predict([][]float32{x, x}, [][]float32{x}, 0))
}
