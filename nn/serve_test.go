package nn

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/internal/brief"
)

// What nothing has made is an error wherever it could matter, never a panic.
func TestZeroValues(t *testing.T) {
	x := Input("x", 1)
	made, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear).On(x)})
	require.NoError(t, err)
	const emptyModel, emptyPlan, emptySession = "the model is empty: make it with NewModel or Load", "the plan is empty: make it with nn.NewPlan", "the session is empty"
	build := func(out *Node) error {
		_, err := NewModel([]*Node{x}, []*Node{out})
		return err
	}
	for name, test := range map[string]struct {
		call func() error
		want string
	}{
		"Model.Save":             {func() error { return new(Model).Save(t.TempDir() + "/m") }, emptyModel},
		"Model.WriteTo":          {func() error { _, err := new(Model).WriteTo(io.Discard); return err }, emptyModel},
		"Model.Summary":          {func() error { return new(Model).Summary(io.Discard) }, emptyModel},
		"Model.SVG":              {func() error { return new(Model).SVG(io.Discard) }, emptyModel},
		"Model.DOT":              {func() error { return new(Model).DOT(io.Discard) }, emptyModel},
		"Model.Mermaid":          {func() error { return new(Model).Mermaid(io.Discard) }, emptyModel},
		"Model.Compile":          {func() error { return new(Model).Compile(SGD(1), Losses{}) }, "nn: Compile: "},
		"Model.Layer":            {func() error { _, err := new(Model).Layer("x"); return err }, `has no layer "x"`},
		"Model.SetWeights":       {func() error { return new(Model).SetWeights(map[string][]float32{"x": nil}) }, `unknown weight "x"`},
		"Model.TrainOnBatch":     {func() error { _, err := new(Model).TrainOnBatch(Data{}); return err }, "not compiled"},
		"Model.Fit":              {func() error { _, err := new(Model).Fit(context.Background(), Data{}); return err }, "not compiled"},
		"Model.Evaluate":         {func() error { _, err := new(Model).Evaluate(context.Background(), Data{}); return err }, "not compiled"},
		"Model.SetLearningRate":  {func() error { return new(Model).SetLearningRate(1) }, "not compiled"},
		"NewPlan":                {func() error { _, err := NewPlan(new(Model), 1); return err }, emptyModel},
		"NewPlan, nil option":    {func() error { _, err := NewPlan(made, 1, Workers(1), nil); return err }, "nn: NewPlan: option 1 is nil"},
		"Summary, nil option":    {func() error { return made.Summary(io.Discard, nil) }, "option 0 is nil"},
		"Plan.Predict":           {func() error { return new(Plan).Predict(nil, nil, 0) }, emptyPlan},
		"Plan.Predict, nil":      {func() error { return (*Plan)(nil).Predict(nil, nil, 1) }, emptyPlan},
		"Plan.Describe":          {func() error { return new(Plan).Describe(io.Discard) }, emptyPlan},
		"Plan.NewSession":        {func() error { return new(Plan).NewSession().Run(1) }, emptySession},
		"Session.Run":            {func() error { return new(Session).Run(1) }, emptySession},
		"Session.RunOn":          {func() error { return new(Session).RunOn(nil, nil, 1) }, emptySession},
		"Session.InputByName":    {func() error { _, err := new(Session).InputByName("x"); return err }, emptySession},
		"Session.OutputByName":   {func() error { _, err := new(Session).OutputByName("x"); return err }, emptySession},
		"Handle.Predict":         {func() error { return new(Handle).Predict(nil, nil, 1) }, "the handle holds no plan"},
		"NewHandle, nil":         {func() error { return NewHandle(nil).Predict(nil, nil, 1) }, "the handle holds no plan"},
		"Handle.Swap, nil":       {func() error { return new(Handle).Swap(nil) }, "the plan is nil"},
		"Handle.Swap, empty":     {func() error { return NewHandle(servedPlan(t, 1)).Swap(new(Plan)) }, emptyPlan},
		"Layer.On":               {func() error { return build(new(Layer).On(x)) }, "output 0 is nil"},
		"Layer.On, nil":          {func() error { return build(Flatten(Name("f")).On((*Layer)(nil).On(x))) }, `layer "f" (Flatten): input 0 is nil`},
		"Node":                   {func() error { return build(Flatten(Name("f")).On(new(Node))) }, `layer "f" (Flatten): input 0 is nil`},
		"Optimizer":              {func() error { return made.Compile(new(AdamOptimizer), Losses{"dense": MSE()}) }, "epsilon 0 must be"},
		"Embedding's dimensions": {func() error { return build(Embedding(0, 0).On(x)) }, "has input dimension 0"},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorContains(t, test.call(), test.want) })
	}
	m, p := new(Model), new(Plan)
	require.Empty(t, m.Name()+new(Layer).Name())
	require.Zero(t, len(m.Layers())+len(m.InputNames())+len(m.OutputNames())+len(m.Weights())+m.CountParams())
	require.Zero(t, p.MaxBatch()+len(p.InputNames())+len(p.OutputNames()))
	require.Nil(t, new(Handle).Plan())
	require.Nil(t, new(Node).Shape())
	for _, call := range []func(){
		func() { p.InputFeatures(0) }, func() { p.OutputFeatures(0) }, func() { new(Session).Input(0) }, func() { new(Session).Output(0) },
		func() { servedPlan(t, 1).NewSession().Output(1) }, func() { servedPlan(t, 1).NewSession().Input(-1) },
	} {
		require.Panics(t, call, "documented: like an index")
	}
}

// A handle that holds no plan takes any.
func TestEmptyHandle(t *testing.T) {
	var h Handle
	p := servedPlan(t, 7)
	require.NoError(t, h.Swap(p))
	require.Same(t, p, h.Plan())
	out := [][]float32{make([]float32, 2)}
	require.NoError(t, h.Predict([][]float32{{1, 2, 3}}, out, 1))
	require.Equal(t, []float32{7, 7}, out[0])
	next := servedPlan(t, 8)
	require.NoError(t, h.Swap(next))
	require.Same(t, next, h.Plan())
}

func TestHugeBatches(t *testing.T) {
	p := servedPlan(t, 1)
	for _, batch := range []int{math.MaxInt, math.MaxInt/3 + 1, math.MaxInt / 2} {
		err := p.Predict([][]float32{{}}, [][]float32{{}}, batch)
		require.EqualError(t, err, fmt.Sprintf(`plan: Predict: input "x" has 0 elements, %d rows of 3 features need more than memory has`, batch))
		require.Error(t, p.NewSession().RunOn([][]float32{{}}, [][]float32{{}}, batch))
		require.Error(t, p.NewSession().Run(batch))
	}
	require.EqualError(t, p.Predict([][]float32{{}}, [][]float32{{}}, math.MaxInt/3), fmt.Sprintf(`plan: Predict: input "x" has 0 elements, %d rows of 3 features need %d`, math.MaxInt/3, math.MaxInt/3*3))
}

// Nothing is written behind the rows of the batch, neither in the caller's memory nor in a session's.
func TestOnlyTheBatchIsWritten(t *testing.T) {
	const canary = 1234567
	filled := func(n int) []float32 { return slices.Repeat([]float32{canary}, n) }
	untouched := func(t *testing.T, what string, v []float32) {
		for i, x := range v {
			require.Equal(t, float32(canary), x, "%s: element %d behind the rows", what, i)
		}
	}
	eachServed(t, func(t *testing.T, m *Model) {
		p, err := NewPlan(m, 8)
		require.NoError(t, err)
		for _, rows := range []int{1, 3, 7, 8, 11} {
			_, inputs := inputsOf(m, rows)
			var outputs [][]float32
			for i := range p.OutputNames() {
				outputs = append(outputs, filled((rows+9)*p.OutputFeatures(i)))
			}
			require.NoError(t, p.Predict(inputs, outputs, rows))
			for i, name := range p.OutputNames() {
				untouched(t, "Predict, "+name, outputs[i][rows*p.OutputFeatures(i):])
			}
			if rows > 8 {
				continue
			}
			s := p.NewSession()
			for i, name := range p.OutputNames() {
				copy(outputs[i], filled(len(outputs[i])))
				require.Len(t, s.Output(i), 8*p.OutputFeatures(i), name)
				copy(s.Output(i), filled(len(s.Output(i))))
			}
			require.NoError(t, s.RunOn(inputs, outputs, rows))
			for i, name := range p.OutputNames() {
				untouched(t, "RunOn, "+name, outputs[i][rows*p.OutputFeatures(i):])
				untouched(t, "RunOn, session's "+name, s.Output(i))
			}
			for i, x := range inputs {
				copy(s.Input(i), x)
			}
			require.NoError(t, s.Run(rows))
			for i, name := range p.OutputNames() {
				untouched(t, "Run, "+name, s.Output(i)[rows*p.OutputFeatures(i):])
			}
		}
	})
}

// A plan shares no weight with its model, of whatever kind.
func TestPlanSharesNoWeights(t *testing.T) {
	eachServed(t, func(t *testing.T, m *Model) {
		p, err := NewPlan(m, 2)
		require.NoError(t, err)
		arrays, inputs := inputsOf(m, 2)
		want, err := m.Predict(arrays)
		require.NoError(t, err)
		for _, w := range m.Weights() {
			clear(w.Data)
		}
		var outputs [][]float32
		for i := range p.OutputNames() {
			outputs = append(outputs, make([]float32, 2*p.OutputFeatures(i)))
		}
		require.NoError(t, p.Predict(inputs, outputs, 2))
		for i, name := range p.OutputNames() {
			requireBits(t, want[name].Data, outputs[i], "output %q", name)
		}
	})
}

// A session that has run in the caller's memory reads nothing of it afterwards, and does not read its own before.
func TestRunOnKeepsNothing(t *testing.T) {
	eachServed(t, func(t *testing.T, m *Model) {
		p, err := NewPlan(m, 4)
		require.NoError(t, err)
		s := p.NewSession()
		arrays, inputs := inputsOf(m, 3)
		want, err := m.Predict(arrays)
		require.NoError(t, err)
		outputs := func() (all [][]float32) {
			for i := range p.OutputNames() {
				all = append(all, make([]float32, 3*p.OutputFeatures(i)))
			}
			return all
		}
		for round := range 3 { // in other memory each time
			out := outputs()
			require.NoError(t, s.RunOn(inputs, out, 3))
			for i, name := range p.OutputNames() {
				requireBits(t, want[name].Data, out[i], "round %d, output %q", round, name)
			}
			for i, x := range inputs {
				copy(s.Input(i), x)
				inputs[i] = slices.Clone(x)
				clear(x)
			}
			for _, y := range out {
				clear(y)
			}
			require.NoError(t, s.Run(3))
			for i, name := range p.OutputNames() {
				requireBits(t, want[name].Data, s.Output(i)[:len(out[i])], "Run, round %d, output %q", round, name)
			}
			for i := range p.InputNames() {
				clear(s.Input(i))
			}
		}
	})
}

// Up to MaxBatch rows, Predict has read its inputs before it writes.
func TestPredictInPlace(t *testing.T) {
	x := Input("x", 3)
	m, err := NewModel([]*Node{x}, []*Node{Dense(3, Tanh, Name("y")).On(x)})
	require.NoError(t, err)
	p, err := NewPlan(m, 4)
	require.NoError(t, err)
	arrays, inputs := inputsOf(m, 4)
	want, err := m.Predict(arrays)
	require.NoError(t, err)
	require.NoError(t, p.Predict(inputs, inputs, 4))
	requireBits(t, want["y"].Data, inputs[0], "in place")
}

// A NaN is an error of the model, and a number like others for a plan: it stays in its row.
func TestNaNInPredict(t *testing.T) {
	m, err := servedModels[0].build()
	require.NoError(t, err)
	arrays, inputs := inputsOf(m, 3)
	inputs[0][20] = float32(math.NaN())
	_, err = m.Predict(arrays)
	require.ErrorContains(t, err, `nn: Predict: input "x": `)
	p, err := NewPlan(m, 3)
	require.NoError(t, err)
	out := [][]float32{make([]float32, 3), make([]float32, 30)}
	require.NoError(t, p.Predict(inputs, out, 3))
	for i, y := range out[1] {
		require.Equal(t, i/10 == 1, y != y, "element %d: %v", i, y)
	}
}

// Errors have only so much of names that they can be read, however many and long these are.
func TestErrorsAreBrief(t *testing.T) {
	require.Equal(t, `"größe"`, brief.Quote("größe"))
	long := strings.Repeat("ä", 99)
	require.Equal(t, `"`+long+`b"`, brief.Quote(long+"b"))
	require.Equal(t, `"`+long+`…"`, brief.Quote(long+"bc"))
	require.Equal(t, `["a" "b"]`, brief.QuoteAll([]string{"a", "b"}))
	require.Equal(t, `[`+strings.Repeat(`"a" `, brief.MaxListed)+`and 68 more]`, brief.QuoteAll(slices.Repeat([]string{"a"}, 100)))
	require.NoError(t, brief.Error(nil))
	require.Same(t, io.EOF, brief.Error(io.EOF))
	err := brief.Error(fmt.Errorf("%s: %w", strings.Repeat("é", 1<<20), io.EOF))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, strings.Repeat("é", brief.MaxMessage/2)+"… (2093061 more bytes)", err.Error())

	var inputs, all []*Node
	for i := range 3000 {
		x := Input(fmt.Sprint(i, strings.Repeat("n", 300)), i%2+1)
		inputs, all = append(inputs, x), append(all, Dense(1, Linear).On(x))
	}
	sum := Add().On(inputs...)
	_, err = NewModel(inputs, append(all, sum, sum))
	require.Less(t, len(err.Error()), 5<<10)
	_, err = NewModel(inputs[:1], all)
	require.Less(t, len(err.Error()), 5<<10)
	require.ErrorContains(t, err, "which is not among the model's inputs")
	m, err := NewModel(inputs, all)
	require.NoError(t, err)
	_, err = m.Layer(strings.Repeat("z", 1<<20))
	require.Less(t, len(err.Error()), 5<<10)
	p, err := NewPlan(m, 1)
	require.NoError(t, err)
	require.Less(t, len(p.Predict(nil, nil, 1).Error()), 5<<10)
	require.Less(t, len(NewHandle(p).Swap(servedPlan(t, 1)).Error()), 9<<10)
	_, err = p.NewSession().InputByName("z")
	require.Less(t, len(err.Error()), 5<<10)
}
