package nn

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/ops"
)

// recurrentOf computes the states of one sample in float64, in the order of the input, of what k configures. name is that of
// the parameters before kernel, recurrent_kernel and bias.
func recurrentOf(k recurrentKind, x []float64, features int, mask []float64, params map[string][]float64, name string) (y []float64) {
	r := k.base()
	kernel, recurrent, bias := params[name+"kernel"], params[name+"recurrent_kernel"], params[name+"bias"]
	width := len(kernel) / features
	act := map[ActivationFunction]func(float64) float64{
		Tanh: math.Tanh, Sigmoid: func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }, ReLU: func(v float64) float64 { return max(v, 0) },
		GELU: func(v float64) float64 { return v * (1 + math.Erf(v/math.Sqrt2)) / 2 }, Linear: func(v float64) float64 { return v },
	}
	steps := len(x) / features
	y = make([]float64, steps*r.Units)
	h, cell := make([]float64, r.Units), make([]float64, r.Units)
	times := func(v []float64, w []float64, column int) (sum float64) {
		for i, v := range v {
			sum += v * w[i*width+column]
		}
		return sum
	}
	for i := range steps {
		if r.Backwards {
			i = steps - 1 - i
		}
		in, next, nextCell := x[i*features:(i+1)*features], make([]float64, r.Units), make([]float64, r.Units)
		at := func(bias []float64, column int) float64 {
			if bias == nil {
				return 0
			}
			return bias[column]
		}
		for j := range next {
			sum := func(gate int) float64 {
				c := gate*r.Units + j
				return times(in, kernel, c) + times(h, recurrent, c) + at(bias, c)
			}
			f := act[r.Function.Value]
			switch k := k.(type) {
			case *simpleRNN:
				next[j] = f(sum(0))
			case *lstm:
				g := act[k.Gate.Value]
				nextCell[j] = g(sum(1))*cell[j] + g(sum(0))*f(sum(2))
				next[j] = g(sum(3)) * f(nextCell[j])
			case *gru:
				g := act[k.Gate.Value]
				var inner []float64
				if k.ResetAfter && bias != nil {
					inner = bias[width:]
				}
				reset := func(unit int) float64 {
					c := r.Units + unit
					return g(times(in, kernel, c) + times(h, recurrent, c) + at(bias, c) + at(inner, c))
				}
				z, c := g(sum(0)+at(inner, j)), 2*r.Units+j
				candidate := times(in, kernel, c) + at(bias, c)
				if k.ResetAfter {
					candidate += reset(j) * (times(h, recurrent, c) + at(inner, c))
				} else {
					after := make([]float64, r.Units)
					for u := range after {
						after[u] = reset(u) * h[u]
					}
					candidate += times(after, recurrent, c)
				}
				next[j] = z*h[j] + (1-z)*f(candidate)
			}
		}
		if mask == nil || mask[i] != 0 {
			h, cell = next, nextCell
		}
		copy(y[i*r.Units:], h)
		if r.ZeroOutput && mask != nil && mask[i] == 0 {
			clear(y[i*r.Units:][:r.Units])
		}
	}
	return y
}

// resultOf returns what a layer by itself makes of the states.
func resultOf(r *recurrent, states []float64) (y []float64) {
	var steps [][]float64
	for s := range slices.Chunk(states, r.Units) {
		steps = append(steps, s)
	}
	if r.Backwards {
		slices.Reverse(steps)
	}
	if !r.Sequences {
		return steps[len(steps)-1]
	}
	return slices.Concat(steps...)
}

func recurrentCase(name string, make func(o ...LayerOption) *Layer) layerCase {
	k := make().kind.(recurrentKind)
	return layerCase{
		name: name,
		make: make,
		in:   []Shape{{4, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return resultOf(k.base(), recurrentOf(k, in[0], 3, nil, p, ""))
		},
		wrong: [][]Shape{{{3}}, {{2, 3, 4}}, {{2, 3}, {2, 3}}},
	}
}

var recurrentCases = []layerCase{
	recurrentCase("SimpleRNN", func(o ...LayerOption) *Layer { return SimpleRNN(5, o...) }),
	recurrentCase("SimpleRNN/linear", func(o ...LayerOption) *Layer {
		return SimpleRNN(2, append(o, CellActivation(Linear), NoBias(), ReturnSequences())...)
	}),
	recurrentCase("SimpleRNN/gelu backwards", func(o ...LayerOption) *Layer {
		return SimpleRNN(2, append(o, CellActivation(GELU), GoBackwards(), ReturnSequences())...)
	}),
	recurrentCase("GRU", func(o ...LayerOption) *Layer { return GRU(5, o...) }),
	recurrentCase("GRU/sequences", func(o ...LayerOption) *Layer { return GRU(2, append(o, ReturnSequences(), NoBias())...) }),
	recurrentCase("GRU/backwards", func(o ...LayerOption) *Layer { return GRU(2, append(o, ReturnSequences(), GoBackwards())...) }),
	recurrentCase("GRU/gelu", func(o ...LayerOption) *Layer { return GRU(2, append(o, CellActivation(GELU))...) }),
	recurrentCase("GRU/reset before", func(o ...LayerOption) *Layer { return GRU(3, append(o, ResetAfter(false), ReturnSequences())...) }),
	recurrentCase("GRU/reset before without bias", func(o ...LayerOption) *Layer {
		return GRU(2, append(o, ResetAfter(false), NoBias(), GoBackwards())...)
	}),
	recurrentCase("LSTM", func(o ...LayerOption) *Layer { return LSTM(5, o...) }),
	recurrentCase("LSTM/sequences", func(o ...LayerOption) *Layer {
		return LSTM(2, append(o, ReturnSequences(), NoBias(), UnitForgetBias(false))...)
	}),
	recurrentCase("LSTM/backwards", func(o ...LayerOption) *Layer { return LSTM(2, append(o, GoBackwards())...) }),
	recurrentCase("LSTM/tanh gates", func(o ...LayerOption) *Layer {
		return LSTM(2, append(o, RecurrentActivation(Tanh), CellActivation(Sigmoid), ReturnSequences())...)
	}),
	bidirectionalCase("concat", true), bidirectionalCase("concat", false), bidirectionalCase("sum", true),
	bidirectionalCase("mul", false), bidirectionalCase("ave", true),
	{
		name: "TimeDistributed",
		make: func(o ...LayerOption) *Layer { return TimeDistributed(Dense(4, ReLU), o...) },
		in:   []Shape{{2, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return eachValue(denseOf(in[0], p["kernel"], p["bias"], 3, 4), func(v float64) float64 { return max(v, 0) })
		},
		wrong: [][]Shape{{{3}}, {{2, 3}, {2, 3}}},
	},
	{
		name: "TimeDistributed/GRU",
		make: func(o ...LayerOption) *Layer { return TimeDistributed(GRU(3), o...) },
		in:   []Shape{{2, 3, 2}},
		want: func(in [][]float64, p map[string][]float64) (y []float64) {
			k := GRU(3).kind.(recurrentKind)
			for x := range slices.Chunk(in[0], 6) {
				y = append(y, resultOf(k.base(), recurrentOf(k, x, 2, nil, p, ""))...)
			}
			return y
		},
		wrong: [][]Shape{{{3}}, {{2, 3}}},
	},
	{
		name:  "TimeDistributed/Embedding",
		make:  func(o ...LayerOption) *Layer { return TimeDistributed(Embedding(5, 3), o...) },
		in:    []Shape{{2, 2}},
		limit: 5,
		want: func(in [][]float64, p map[string][]float64) (y []float64) {
			for _, v := range in[0] {
				y = append(y, p["embeddings"][int(v)*3:int(v)*3+3]...)
			}
			return y
		},
		wrong: [][]Shape{{{2}}},
	},
}

func bidirectionalCase(mode string, sequences bool) layerCase {
	make := func(o ...LayerOption) *Layer {
		within := []LayerOption{}
		if sequences {
			within = append(within, ReturnSequences())
		}
		return Bidirectional(LSTM(2, within...), append(o, MergeMode(mode))...)
	}
	return layerCase{
		name: fmt.Sprintf("Bidirectional/%s/%v", mode, sequences),
		make: make,
		in:   []Shape{{3, 2}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return bidirectionalOf(make().kind.(*bidirectional), in[0], 2, nil, p)
		},
		wrong: [][]Shape{{{3}}, {{2, 3}, {2, 3}}},
	}
}

func bidirectionalOf(k *bidirectional, x []float64, features int, mask []float64, p map[string][]float64) (y []float64) {
	forward, backward := k.layers(new(Builder))
	a := recurrentOf(forward, x, features, mask, p, "forward/")
	b := recurrentOf(backward, x, features, mask, p, "backward/")
	n := forward.base().Units
	if !forward.base().Sequences {
		a, b = a[len(a)-n:], b[:n]
	}
	for i := range len(a) / n {
		f, g := a[i*n:(i+1)*n], b[i*n:(i+1)*n]
		if k.Merge == "concat" {
			y = append(append(y, f...), g...)
			continue
		}
		for j := range f {
			y = append(y, map[mergeMode]float64{"sum": f[j] + g[j], "mul": f[j] * g[j], "ave": (f[j] + g[j]) / 2}[k.Merge])
		}
	}
	return y
}

// maskedBy is a layer that gives its first input the second one for a mask.
type maskedBy struct{}

func init() { Register("MaskedBy", maskedBy{}) }

func (maskedBy) Build(_ *Builder, in []Shape) Shape { return in[0] }
func (maskedBy) Forward(c *Call) *ops.Tensor        { return c.In(0) }
func (maskedBy) Mask(c *Call) *ops.Tensor           { return c.In(1) }

// sequenceModel returns a model of one layer behind maskedBy.
func sequenceModel(t *testing.T, l *Layer, steps, features int) *Model {
	t.Helper()
	x, mask := Input("x", steps, features), Input("mask", steps)
	y := l.On(New(&maskedBy{}, Name("masked")).On(x, mask))
	m, err := NewModel([]*Node{x, mask}, []*Node{y}, Seed(5))
	require.NoError(t, err)
	return m
}

// served returns the only output of a model for data on which a plan gives what Predict does.
func served(t *testing.T, m *Model, data Arrays) []float32 {
	t.Helper()
	requireServed(t, m, data)
	y, err := m.Predict(data)
	require.NoError(t, err)
	return y[m.outputs[0].layer.name].Data
}

// The expected numbers are those of Keras' own tests of these layers (version 3, keras/src/layers/rnn), all kernels 0.01,
// recurrent kernels 0.02 and biases 0.03, for inputs 0, 1, 2, ... A backward layer that is given has 0.03, 0.02 and 0.01.
func TestRecurrentKeras(t *testing.T) {
	one := func(v ...float64) [][]float64 { return [][]float64{v} }
	maskA, maskB := Floats{1, 1, 0, 1, 1, 0, 0, 1}, Floats{1, 1, 1, 0, 1, 1, 0, 0}
	for name, c := range map[string]struct {
		make        func() *Layer
		rows, steps int
		mask        Floats
		want        [][]float64 // by output, one number for all units; several for several steps or both directions
	}{
		"gru":                {func() *Layer { return GRU(3) }, 3, 6, nil, one(0.5217289, 0.6371659, 0.39384964)},
		"gru backwards":      {func() *Layer { return GRU(3, GoBackwards()) }, 3, 6, nil, one(0.24406259, 0.611516, 0.3928808)},
		"gru reset before":   {func() *Layer { return GRU(3, ResetAfter(false)) }, 3, 6, nil, one(0.51447755, 0.6426879, 0.40208298)},
		"gru without bias":   {func() *Layer { return GRU(3, NoBias()) }, 3, 6, nil, one(0.49988455, 0.64701194, 0.4103359)},
		"gru masked":         {func() *Layer { return GRU(2) }, 2, 4, maskA, one(0.19393763, 0.30818558)},
		"gru back masked":    {func() *Layer { return GRU(2, GoBackwards()) }, 2, 4, maskA, one(0.11669192, 0.28380975)},
		"lstm":               {func() *Layer { return LSTM(3) }, 3, 6, nil, one(0.6288687, 0.86899155, 0.9460773)},
		"lstm backwards":     {func() *Layer { return LSTM(3, GoBackwards()) }, 3, 6, nil, one(0.35622165, 0.74789524, 0.8872726)},
		"lstm forget bias":   {func() *Layer { return LSTM(3, UnitForgetBias(false)) }, 3, 6, nil, one(0.57019705, 0.8661914, 0.9459622)},
		"lstm without bias":  {func() *Layer { return LSTM(3, NoBias()) }, 3, 6, nil, one(0.54986924, 0.86226785, 0.9443936)},
		"lstm masked":        {func() *Layer { return LSTM(2) }, 2, 4, maskB, one(0.11755939, 0.28556206)},
		"lstm back masked":   {func() *Layer { return LSTM(2, GoBackwards()) }, 2, 4, Floats{0, 1, 1, 1, 0, 0, 1, 1}, one(0.15341201, 0.3844719)},
		"simple":             {func() *Layer { return SimpleRNN(4) }, 2, 3, nil, one(0.405432, 0.73605347)},
		"simple backwards":   {func() *Layer { return SimpleRNN(4, GoBackwards()) }, 2, 3, nil, one(0.11144729, 0.5528889)},
		"simple masked":      {func() *Layer { return SimpleRNN(4) }, 2, 4, maskA, one(0.32951632, 0.61799484)},
		"simple back masked": {func() *Layer { return SimpleRNN(4, GoBackwards()) }, 2, 4, maskA, one(0.07376196, 0.43645123)},
		"gru sequences": {func() *Layer { return GRU(2, ReturnSequences()) }, 2, 4, maskA,
			[][]float64{{0.03606692, 0.09497581, 0.09497581, 0.19393763}, {0.16051409, 0.16051409, 0.16051409, 0.30818558}}},
		"gru zeros": {func() *Layer { return GRU(2, ReturnSequences(), ZeroOutputForMask()) }, 2, 4, maskA,
			[][]float64{{0.03606692, 0.09497581, 0, 0.19393763}, {0.16051409, 0, 0, 0.30818558}}},
		"lstm sequences": {func() *Layer { return LSTM(2, ReturnSequences()) }, 2, 4, maskB,
			[][]float64{{0.01588910, 0.05552048, 0.11755939, 0.11755939}, {0.14185596, 0.28556206, 0.28556206, 0.28556206}}},
		"lstm zeros": {func() *Layer { return LSTM(2, ReturnSequences(), ZeroOutputForMask()) }, 2, 4, maskB,
			[][]float64{{0.01588910, 0.05552048, 0.11755939, 0}, {0.14185596, 0.28556206, 0, 0}}},
		"simple sequences": {func() *Layer { return SimpleRNN(2, ReturnSequences()) }, 2, 4, maskA,
			[][]float64{{0.0599281, 0.15122814, 0.15122814, 0.32394567}, {0.3969304, 0.3969304, 0.3969304, 0.608085}}},
		"bidirectional":     {func() *Layer { return Bidirectional(SimpleRNN(2)) }, 2, 3, nil, [][]float64{{0.39687276, 0.10004295}, {0.7237238, 0.53391594}}},
		"bidirectional ave": {func() *Layer { return Bidirectional(SimpleRNN(2), MergeMode("ave")) }, 2, 3, nil, one(0.24845785, 0.6288199)},
		"bidirectional mul": {func() *Layer {
			return Bidirectional(SimpleRNN(2), MergeMode("mul"), BackwardLayer(SimpleRNN(2, GoBackwards())))
		}, 2, 3, nil, one(0.08374989, 0.6740834)},
		"bidirectional sum": {func() *Layer { return Bidirectional(GRU(2, ReturnSequences()), MergeMode("sum")) }, 2, 3, nil,
			[][]float64{{0.20937867, 0.34462988, 0.40290534}, {0.59829646, 0.6734641, 0.6479671}}},
		"bidirectional masked": {func() *Layer { return Bidirectional(GRU(2)) }, 2, 4, maskA, [][]float64{{0.19393763, 0.11669192}, {0.30818558, 0.28380975}}},
		"bidirectional lstm":   {func() *Layer { return Bidirectional(LSTM(2)) }, 2, 4, nil, [][]float64{{0.1990008, 0.12659755}, {0.52335435, 0.44717982}}},
	} {
		t.Run(name, func(t *testing.T) {
			features := 3
			if c.steps != 4 {
				features = 4
			}
			m := sequenceModel(t, c.make(), c.steps, features)
			kernel, bias := float32(0.01), float32(0.03)
			for _, w := range m.Weights() {
				if name == "bidirectional mul" && strings.Contains(w.Name, "backward") {
					kernel, bias = 0.03, 0.01
				}
				forget := 0
				if k, ok := m.layers[len(m.layers)-1].kind.(*lstm); ok && k.ForgetBias || name == "bidirectional lstm" {
					forget = len(w.Data) / 4
				}
				for i := range w.Data {
					switch {
					case strings.HasSuffix(w.Name, "recurrent_kernel"):
						w.Data[i] = 0.02
					case strings.HasSuffix(w.Name, "kernel"):
						w.Data[i] = kernel
					case i >= forget && i < 2*forget:
						require.Equal(t, float32(1), w.Data[i], "starts so")
					default:
						w.Data[i] = bias
					}
				}
			}
			data := Arrays{"x": make(Floats, c.rows*c.steps*features), "mask": c.mask}
			for i := range data["x"].(Floats) {
				data["x"].(Floats)[i] = float32(i)
			}
			if c.mask == nil {
				data["mask"] = Floats(slices.Repeat([]float32{1}, c.rows*c.steps))
			}
			got := served(t, m, data)
			want := slices.Concat(c.want...)
			width := len(got) / len(want)
			for i, v := range want {
				for _, y := range got[i*width : (i+1)*width] {
					require.InDelta(t, v, y, 1e-6)
				}
			}
		})
	}
}

// Random masks, weights and inputs beside float64, for what is one operation and for what is unrolled.
func TestRecurrentMasks(t *testing.T) {
	const rows, steps, features = 4, 5, 3
	for i, make := range []func() *Layer{
		func() *Layer { return SimpleRNN(3, ReturnSequences()) },
		func() *Layer { return SimpleRNN(3, CellActivation(GELU), ZeroOutputForMask()) },
		func() *Layer { return GRU(3, ReturnSequences(), ZeroOutputForMask()) },
		func() *Layer { return GRU(3, ReturnSequences(), ResetAfter(false)) },
		func() *Layer { return GRU(3, GoBackwards(), CellActivation(GELU)) },
		func() *Layer { return LSTM(3, ReturnSequences(), GoBackwards(), ZeroOutputForMask()) },
		func() *Layer { return LSTM(3, GoBackwards(), ZeroOutputForMask()) },
		func() *Layer { return LSTM(3, RecurrentActivation(Tanh)) },
		func() *Layer { return Bidirectional(LSTM(3, ReturnSequences())) },
		func() *Layer { return Bidirectional(GRU(3, ResetAfter(false))) },
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(i), 13))
			m := sequenceModel(t, make(), steps, features)
			params := map[string][]float64{}
			for _, w := range m.Weights() {
				for i := range w.Data {
					w.Data[i] = float32(r.NormFloat64()) / 2
				}
				params[w.param.name] = float64s(w.Data)
			}
			x, mask := Floats{}, Floats{}
			for range rows * steps * features {
				x = append(x, float32(r.NormFloat64()))
			}
			for range rows * steps {
				mask = append(mask, float32(r.IntN(2)))
			}
			got := served(t, m, Arrays{"x": x, "mask": mask})
			for i := range rows {
				in, only := float64s(x[i*steps*features:(i+1)*steps*features]), float64s(mask[i*steps:(i+1)*steps])
				var want []float64
				switch k := m.layers[len(m.layers)-1].kind.(type) {
				case recurrentKind:
					want = resultOf(k.base(), recurrentOf(k, in, features, only, params, ""))
				case *bidirectional:
					want = bidirectionalOf(k, in, features, only, params)
					if k.Layer.Value.(recurrentKind).base().Sequences {
						for time, v := range only {
							step := want[time*len(want)/steps : (time+1)*len(want)/steps]
							require.Equal(t, v == 0, !slices.ContainsFunc(step, func(v float64) bool { return v != 0 }), "zero where the mask is, as in Keras")
						}
					}
				}
				n := len(got) / rows
				require.InDeltaSlice(t, want, float64s(got[i*n:(i+1)*n]), 2e-6)
			}
		})
	}
}

// The mask of an embedding reaches a recurrent layer, so that padding changes nothing.
func TestRecurrentPadding(t *testing.T) {
	short, long := Input("short", 3), Input("long", 5)
	embed, read := Embedding(9, 4, MaskZero()), LSTM(6)
	m, err := NewModel([]*Node{short, long}, []*Node{Dense(1, Linear, Name("a")).On(read.On(embed.On(short))), Reshape([]int{6}, Name("b")).On(read.On(embed.On(long)))}, Seed(1))
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.01), Losses{"a": MSE(), "b": MSE()}))
	y, err := m.Predict(Arrays{"short": Labels{3, 1, 8}, "long": Labels{3, 1, 8, 0, 0}})
	require.NoError(t, err)
	same, err := m.Predict(Arrays{"short": Labels{3, 1, 8}, "long": Labels{0, 3, 0, 1, 8}})
	require.NoError(t, err)
	requireBits(t, y["b"].Data, same["b"].Data, "where the padding is")
}

// What is one operation and what is unrolled learn alike, up to rounding; a step of the one allocates nothing.
func TestRecurrentTraining(t *testing.T) {
	const rows, steps, features = 8, 6, 3
	r := rand.New(rand.NewPCG(3, 14))
	data := Data{Inputs: Arrays{}, Targets: Arrays{}}
	x, mask, y := make(Floats, rows*steps*features), make(Floats, rows*steps), make(Floats, rows)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for i := range mask {
		mask[i] = float32(min(1, r.IntN(4)))
	}
	for i := range y {
		y[i] = x[i*steps*features] - x[i*steps*features+4]
	}
	data.Inputs["x"], data.Inputs["mask"], data.Targets["y"] = x, mask, y
	for name, make := range map[string]func(o ...LayerOption) *Layer{
		"SimpleRNN": func(o ...LayerOption) *Layer { return SimpleRNN(8, o...) },
		"GRU":       func(o ...LayerOption) *Layer { return GRU(8, o...) },
		"LSTM":      func(o ...LayerOption) *Layer { return LSTM(8, o...) },
	} {
		t.Run(name, func(t *testing.T) {
			train := func(l *Layer, epochs int) (*Model, []float64) {
				x, mask := Input("x", steps, features), Input("mask", steps)
				h := l.On(New(&maskedBy{}, Name("masked")).On(x, mask))
				m, err := NewModel([]*Node{x, mask}, []*Node{Dense(1, Linear, Name("y")).On(h)}, Seed(5))
				require.NoError(t, err)
				require.NoError(t, m.Compile(Adam(0.02), Losses{"y": MSE()}))
				history, err := m.Fit(context.Background(), data, Epochs(epochs), BatchSize(4), Seed(1))
				require.NoError(t, err)
				return m, history.Logs["loss"]
			}
			m, fused := train(make(Name("r")), 60)
			require.Less(t, fused[59], 0.2*fused[0])
			_, unrolled := train(make(Name("r"), CellActivation(&plainTanh{})), 60)
			require.InDeltaSlice(t, fused[:5], unrolled[:5], 1e-4)

			for _, o := range [][]LayerOption{{InputDropout(0.3)}, {RecurrentDropout(0.3)}, {InputDropout(0.2), RecurrentDropout(0.2)}} {
				dropped, losses := train(make(append(o, Name("r"))...), 8)
				_, again := train(make(append(o, Name("r"))...), 8)
				require.Equal(t, losses, again, "the same draws")
				require.NotEqual(t, fused[:8], losses)
				requireServed(t, dropped, data.Inputs) // which drops nothing
			}
			for range 3 {
				_, err := m.TrainOnBatch(data)
				require.NoError(t, err)
			}
			require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = m.TrainOnBatch(data) }))
		})
	}
}

// plainTanh is a hyperbolic tangent that no kernel stands for.
type plainTanh struct{}

func init() { Register("plain_tanh", plainTanh{}) }

func (plainTanh) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor { return Tanh.Apply(o, x) }

// Dropout zeroes whole features and whole units, for all steps, and keeps the mean.
func TestRecurrentDropout(t *testing.T) {
	r := &recurrent{Units: 2}
	x := Input("x", 3, 50)
	m, err := NewModel([]*Node{x}, []*Node{SimpleRNN(2, InputDropout(0.25), Name("y")).On(x)})
	require.NoError(t, err)
	run := newRunner(m, nil)
	c := &run.call
	c.Ops, c.training, c.node = run.tape, true, m.outputs[0]
	c.in = []*ops.Tensor{run.tape.Const(m.Weights()[0].Matrix)}
	c.params = []*ops.Tensor{nil, run.tape.Const(m.Weights()[1].Matrix)}
	factors := c.Repeat(r.drawn(c, 50, 0.25, c.Random()), 3)
	require.NoError(t, run.tape.Err())
	zeros := 0
	for i := range factors.Rows {
		row := factors.Row(i)
		require.Equal(t, row[:50], row[50:100])
		require.Equal(t, row[:50], row[100:])
		for _, v := range row[:50] {
			require.Contains(t, []float32{0, float32(1 / 0.75)}, v)
			if v == 0 {
				zeros++
			}
		}
	}
	require.InDelta(t, 0.25, float64(zeros)/float64(50*factors.Rows), 0.03)
}

// The configuration is Keras'.
func TestRecurrentConfig(t *testing.T) {
	k, err := newObject[Kind]("Bidirectional", []byte(`{"layer":{"class_name":"GRU","config":{"units":4,"activation":"tanh","recurrent_activation":"sigmoid",
		"use_bias":true,"dropout":0.5,"recurrent_dropout":0.0,"reset_after":false,"return_sequences":true,"return_state":false,"go_backwards":false,
		"stateful":false,"unroll":false,"zero_output_for_mask":true}},"merge_mode":"sum",
		"backward_layer":{"class_name":"GRU","config":{"units":4,"go_backwards":true,"return_sequences":true}}}`))
	require.NoError(t, err)
	text, err := encodeConfig(k)
	require.NoError(t, err)
	require.JSONEq(t, `{"layer":{"class_name":"GRU","config":{"units":4,"dropout":0.5,"reset_after":false,"return_sequences":true,"zero_output_for_mask":true}},
		"backward_layer":{"class_name":"GRU","config":{"units":4,"go_backwards":true,"return_sequences":true}},"merge_mode":"sum"}`, string(text))

	text, err = encodeConfig(TimeDistributed(Dense(3, ReLU)).kind)
	require.NoError(t, err)
	require.JSONEq(t, `{"layer":{"class_name":"Dense","config":{"units":3,"activation":"relu"}}}`, string(text))
	for class, want := range map[string]string{
		"LSTM": `{"units":2,"unit_forget_bias":false}`, "GRU": `{"units":2}`, "SimpleRNN": `{"units":2,"activation":"relu"}`,
	} {
		k, err := newObject[Kind](class, []byte(want))
		require.NoError(t, err)
		text, err := encodeConfig(k)
		require.NoError(t, err)
		require.JSONEq(t, want, string(text))
	}
}

// Weights have the names of the layers within.
func TestBidirectionalWeights(t *testing.T) {
	x := Input("x", 3, 2)
	m, err := NewModel([]*Node{x}, []*Node{Bidirectional(GRU(4)).On(x)})
	require.NoError(t, err)
	var names []string
	for _, w := range m.Weights() {
		names = append(names, w.Name+w.Shape.String())
	}
	require.Equal(t, []string{
		"bidirectional/forward/kernel(2, 12)", "bidirectional/forward/recurrent_kernel(4, 12)", "bidirectional/forward/bias(2, 12)",
		"bidirectional/backward/kernel(2, 12)", "bidirectional/backward/recurrent_kernel(4, 12)", "bidirectional/backward/bias(2, 12)",
	}, names)
	require.NotEqual(t, m.Weights()[0].Data, m.Weights()[3].Data)
}

func TestRecurrentErrors(t *testing.T) {
	config := func(class, text string) *Layer {
		k, err := newObject[Kind](class, []byte(text))
		require.NoError(t, err)
		return New(k)
	}
	for want, l := range map[string]*Layer{
		"has 0 units, valid are 1 to ":                                                              LSTM(0),
		"dropout rate 1 is not in [0, 1)":                                                           GRU(1, RecurrentDropout(1)),
		"the activation is nil":                                                                     GRU(1, CellActivation(nil)),
		"does not take ResetAfter: only a GRU has it":                                               LSTM(1, ResetAfter(true)),
		"does not take UnitForgetBias: only an LSTM has it":                                         GRU(1, UnitForgetBias(true)),
		"does not take RecurrentActivation: only a GRU or LSTM has it":                              SimpleRNN(1, RecurrentActivation(Tanh)),
		"does not take ReturnSequences: only a recurrent layer has it":                              Dense(1, ReLU, ReturnSequences()),
		"return_state is not supported: a layer has one result":                                     config("LSTM", `{"units":2,"return_state":true}`),
		"stateful is not supported: each sequence starts with a state of zeros":                     config("LSTM", `{"units":2,"stateful":true}`),
		`merge mode "": valid are ["concat" "sum" "mul" "ave"]`:                                     config("Bidirectional", `{"layer":{"class_name":"GRU","config":{"units":2}},"merge_mode":null}`),
		`the layer within is a Dense, must be an LSTM, a GRU or a SimpleRNN`:                        Bidirectional(Dense(1, ReLU)),
		"the layer within is nil":                                                                   Bidirectional(nil),
		"the backward layer is a Dense":                                                             Bidirectional(GRU(1), BackwardLayer(Dense(1, ReLU))),
		"the two layers have go_backwards false and false, which must differ, and return_sequences": Bidirectional(GRU(1), BackwardLayer(GRU(1))),
		`merge mode "sum": the results are (2) and (3), must have one shape`:                        Bidirectional(GRU(2), BackwardLayer(GRU(3, GoBackwards())), MergeMode("sum")),
		"the layer within backward (GRU): has 0 units":                                              Bidirectional(GRU(2), BackwardLayer(GRU(0, GoBackwards()))),
		"the layer within (Dense): does not take ReturnSequences":                                   TimeDistributed(Dense(1, ReLU, ReturnSequences())),
		"the layer within (Dense): has 0 units":                                                     TimeDistributed(Dense(0, ReLU)),
		"does not take MergeMode: only Bidirectional does":                                          GRU(1, MergeMode("sum")),
	} {
		x := Input("x", 3, 2)
		_, err := NewModel([]*Node{x}, []*Node{l.On(x)})
		require.ErrorContains(t, err, want)
	}
	x := Input("x", 3, 2)
	_, err := NewModel([]*Node{x}, []*Node{New(&timeDistributed{}, Name("t")).On(x)})
	require.ErrorContains(t, err, `layer "t" (TimeDistributed): the layer within is nil`)
}
