package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// attend takes the mean of values that scores give each query, of those keys that it sees.
func attend(scores func(query, key int) float64, sees func(query, key int) bool, queries, keys, size int, value func(key, i int) float64) (y []float64) {
	for q := range queries {
		total, sum := 0.0, make([]float64, size)
		for k := range keys {
			if !sees(q, k) {
				continue
			}
			w := math.Exp(scores(q, k))
			total += w
			for i := range sum {
				sum[i] += w * value(k, i)
			}
		}
		for _, v := range sum {
			y = append(y, v/total)
		}
	}
	return y
}

func everyPair(_, _ int) bool { return true }

// dotAttention is attention of one head whose queries and keys have d elements, and values size.
func dotAttention(query, value, key []float64, d, size int, scale float64, sees func(q, k int) bool) []float64 {
	return attend(func(q, k int) (sum float64) {
		for i := range d {
			sum += scale * query[q*d+i] * key[k*d+i]
		}
		return sum
	}, sees, len(query)/d, len(key)/d, size, func(k, i int) float64 { return value[k*size+i] })
}

func sumAttention(query, value, key []float64, d, size int, scale, weight func(i int) float64) []float64 {
	return attend(func(q, k int) (sum float64) {
		for i := range d {
			sum += weight(i) * math.Tanh(scale(i)*(query[q*d+i]+key[k*d+i]))
		}
		return sum
	}, everyPair, len(query)/d, len(key)/d, size, func(k, i int) float64 { return value[k*size+i] })
}

var attentionCase = layerCase{
	name: "Attention",
	make: func(o ...LayerOption) *Layer {
		return Attention(append(o, UseScale(true), CausalMask(), AttentionDropout(0.2))...)
	},
	in: []Shape{{3, 2}, {4, 3}, {4, 2}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		return dotAttention(in[0], in[1], in[2], 2, 3, p["scale"][0], func(q, k int) bool { return k <= q })
	},
	wrong: [][]Shape{{{3, 2}}, {{3, 2}, {4, 3}}, {{2}, {2}}, {{3, 2}, {4, 3}, {3, 2}}, {{3, 2}, {4, 2}, {4, 2}, {4, 2}}},
}

var attentionConcatCase = layerCase{
	name: "Attention/concat",
	make: func(o ...LayerOption) *Layer { return Attention(append(o, ConcatScores(), UseScale(true))...) },
	in:   []Shape{{3, 2}, {2, 2, 2}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		return sumAttention(in[0], in[1], in[1], 2, 2, func(int) float64 { return p["scale"][0] }, func(int) float64 { return p["concat_score_weight"][0] })
	},
	wrong: [][]Shape{{{3, 2}, {4, 3}}},
}

var additiveAttentionCase = layerCase{
	name: "AdditiveAttention",
	make: AdditiveAttention,
	in:   []Shape{{3, 2}, {4, 3}, {4, 2}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		return sumAttention(in[0], in[1], in[2], 2, 3, func(int) float64 { return 1 }, func(i int) float64 { return p["scale"][i] })
	},
	wrong: [][]Shape{{{3, 2}}, {{3, 2}, {4, 3}}},
}

var unscaledAttentionCase = layerCase{
	name: "AdditiveAttention/without scale",
	make: func(o ...LayerOption) *Layer { return AdditiveAttention(append(o, UseScale(false))...) },
	in:   []Shape{{3, 2}, {4, 2}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		return sumAttention(in[0], in[1], in[1], 2, 2, func(int) float64 { return 1 }, func(int) float64 { return 1 })
	},
	wrong: [][]Shape{{{3, 2}}, {{3, 2}, {4, 3}}},
}

// headsOf is multi-head attention by its definition: a head after the other.
func headsOf(in [][]float64, p map[string][]float64, features [3]int, heads, groups, d, size, out int, sees func(q, k int) bool) (y []float64) {
	project := func(x []float64, name string, in, heads, head, size int) (y []float64) {
		for q := range len(x) / in {
			for i := range size {
				sum := 0.0
				if b := p[name+"/bias"]; b != nil {
					sum = b[head*size+i]
				}
				for f := range in {
					sum += x[q*in+f] * p[name+"/kernel"][(f*heads+head)*size+i]
				}
				y = append(y, sum)
			}
		}
		return y
	}
	queries := len(in[0]) / features[0]
	for range queries {
		row := make([]float64, out)
		copy(row, p["attention_output/bias"])
		y = append(y, row...)
	}
	for h := range heads {
		g := h * groups / heads
		context := dotAttention(project(in[0], "query", features[0], heads, h, d), project(in[1], "value", features[1], groups, g, size),
			project(in[len(in)-1], "key", features[2], groups, g, d), d, size, 1/math.Sqrt(float64(d)), sees)
		for q := range queries {
			for i := range size {
				for o := range out {
					y[q*out+o] += context[q*size+i] * p["attention_output/kernel"][(h*size+i)*out+o]
				}
			}
		}
	}
	return y
}

// A plan takes 1/√key_dim into the weights of the query: it has the bits of Predict where that is a power of two.
var multiHeadCase = layerCase{
	name: "MultiHeadAttention",
	make: func(o ...LayerOption) *Layer {
		return MultiHeadAttention(2, 4, append(o, ValueDim(3), OutputShape(2, 1), NoBias(), AttentionDropout(0.1))...)
	},
	in: []Shape{{3, 2}, {2, 1, 3}, {2, 1, 1}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		return headsOf(in, p, [3]int{2, 3, 1}, 2, 2, 4, 3, 2, everyPair)
	},
	wrong: [][]Shape{{{3, 2}}, {{2}, {2}}, {{3, 2}, {2, 2}, {3, 2}}},
}

var multiHeadCausalCase = layerCase{
	name: "MultiHeadAttention/causal",
	make: func(o ...LayerOption) *Layer {
		return MultiHeadAttention(3, 1, append(o, CausalMask(), SlidingWindow(2))...)
	},
	in: []Shape{{4, 2}, {4, 3}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		return headsOf(in, p, [3]int{2, 3, 3}, 3, 3, 1, 1, 2, func(q, k int) bool { return k <= q && k > q-2 })
	},
	wrong: [][]Shape{{{3, 2}}},
}

var groupedQueryCase = layerCase{
	name: "GroupedQueryAttention",
	make: func(o ...LayerOption) *Layer { return GroupedQueryAttention(4, 4, 2, o...) },
	in:   []Shape{{3, 2}, {2, 3}, {2, 1}},
	want: func(in [][]float64, p map[string][]float64) []float64 {
		return headsOf(in, p, [3]int{2, 3, 1}, 4, 2, 4, 4, 2, everyPair)
	},
	wrong: [][]Shape{{{3, 2}}, {{3, 2}, {2, 2}, {3, 2}}},
}

// attended returns what a layer makes of inputs, called on all of them.
func layerOf(t *testing.T, l *Layer, weights map[string][]float32, shapes []Shape, x ...Floats) []float32 {
	var in []*Node
	data := Arrays{}
	for i, s := range shapes {
		in = append(in, Input(fmt.Sprint("x", i), s...))
		data[in[i].layer.name] = x[i]
	}
	y := l.On(in...)
	m, err := NewModel(in, []*Node{y})
	require.NoError(t, err)
	require.NoError(t, m.SetWeights(weights))
	result, err := m.Predict(data)
	require.NoError(t, err)
	return result[y.layer.name].Data
}

// Facts of Keras' attention_test.py, additive_attention_test.py and multi_head_attention_test.py.
func TestAttentionOfKeras(t *testing.T) {
	two := Shape{2, 2}
	query, key, value := Floats{1, 0, 0, 1}, Floats{0, 1, 1, 0}, Floats{1, 2, 3, 4}
	for _, c := range []struct {
		l    *Layer
		want []float64
	}{
		{Attention(), []float64{2.462, 3.462, 1.538, 2.538}},
		{Attention(ConcatScores()), []float64{1.727, 2.727, 2.272, 3.272}},
		{AdditiveAttention(UseScale(false)), []float64{1.727, 2.727, 2.272, 3.272}},
	} {
		require.InDeltaSlice(t, c.want, float64s(layerOf(t, c.l, nil, []Shape{two, two, two}, query, value, key)), 1e-3)
	}

	const heads, dim = 8, 8
	weights := map[string][]float32{}
	var one, numbers Floats
	for i := range dim {
		for range heads {
			for j := range dim {
				v := float32(0)
				if i == j {
					v = 1
				}
				weights["m/query/kernel"] = append(weights["m/query/kernel"], v)
			}
		}
		for j := range dim {
			v := float32(0)
			if i == j {
				v = 1
			}
			one, numbers = append(one, v), append(numbers, float32(i*dim+j)/100)
		}
	}
	// Keras sets the kernels of the test [features, heads, size], also that of the output, [heads, size, features].
	for _, name := range []string{"m/key/kernel", "m/value/kernel", "m/attention_output/kernel"} {
		weights[name] = weights["m/query/kernel"]
	}
	y := layerOf(t, MultiHeadAttention(heads, dim, Name("m")), weights, []Shape{{dim, dim}, {dim, dim}, {dim, dim}}, one, numbers, one)
	for q, want := range []float64{2.406, 2.440, 2.473, 2.504, 2.535, 2.568, 2.602, 2.633} {
		for i := range dim {
			require.InDelta(t, want, y[q*dim+i], 1e-2)
		}
	}
}

// What masks leave out has no weight. The facts are those of Keras' test_attention_with_mask, where a masked query is zero, and
// of test_masking, where it has equal weights for all keys.
func TestAttentionMasks(t *testing.T) {
	q, v := Input("q", 2, 2), Input("v", 2, 2)
	query, value := Masking(9).On(q), Masking(7).On(v)
	data := Arrays{"q": Floats{9, 9, 1, 0}, "v": Floats{1, 1, 7, 7}}
	for _, l := range []*Layer{Attention(), Attention(CausalMask()), Attention(ConcatScores()), AdditiveAttention(UseScale(false))} {
		mask, y := maskOf(t, l.On(query, value), []*Node{q, v}, data, 1)
		require.Equal(t, []float32{0, 0, 1, 1}, y)
		require.Equal(t, []float32{0, 1}, mask)
	}

	x, z := Input("q", 4, 2), Input("v", 3, 2)
	l := MultiHeadAttention(2, 4, Name("it"))
	r := rand.New(rand.NewPCG(1, 2))
	var in [2]Floats
	for i, n := range []int{4, 3} {
		for range 2 * n {
			in[i] = append(in[i], float32(r.NormFloat64()))
		}
	}
	copy(in[0][4:], Floats{9, 9})
	copy(in[1][2:], Floats{7, 7})
	attended := l.On(Masking(9).On(x), Masking(7).On(z), Masking(7).On(z))
	mask, y := maskOf(t, attended, []*Node{x, z}, Arrays{"q": in[0], "v": in[1]}, 1)
	require.Equal(t, []float32{1, 1, 0, 1}, mask)
	params := map[string][]float64{}
	for _, p := range l.params {
		params[p.name] = float64s(p.value.Data)
	}
	copy(in[0][4:], Floats{0, 0})
	copy(in[1][2:], Floats{0, 0})
	of := [][]float64{float64s(in[0]), float64s(in[1])}
	want := headsOf(of, params, [3]int{2, 2, 2}, 2, 2, 4, 4, 2, func(_, k int) bool { return k != 1 })
	none := params["query/kernel"]
	params["query/kernel"] = make([]float64, len(none)) // all scores are zero then, and all weights equal
	copy(want[4:6], headsOf(of, params, [3]int{2, 2, 2}, 2, 2, 4, 4, 2, everyPair)[4:6])
	require.InDeltaSlice(t, want, float64s(y), 2e-6)
}

// Each class by name with what it refuses.
func TestAttentionErrors(t *testing.T) {
	x := Input("x", 3, 2)
	for want, l := range map[string]*Layer{
		"has 0 heads":                              MultiHeadAttention(0, 2),
		"has 0 elements of a key":                  MultiHeadAttention(2, 0),
		"has -1 elements of a value":               MultiHeadAttention(2, 2, ValueDim(-1)),
		"sliding window -1":                        MultiHeadAttention(2, 2, SlidingWindow(-1)),
		"shape (2, 2, 0) has a dimension below 1":  MultiHeadAttention(2, 2, OutputShape(0)),
		"has 0 heads for keys and values":          GroupedQueryAttention(2, 2, 0),
		"has 3 heads for queries, which is no mul": GroupedQueryAttention(2, 3, 2),
		"dropout 1 is not in [0, 1)":               Attention(AttentionDropout(1)),
		`score mode "sum": valid are ["dot" "con`:  New(&attention{ScoreMode: "sum"}),
		"does not take CausalMask":                 Flatten(CausalMask()),
		"does not take ConcatScores":               AdditiveAttention(ConcatScores()),
		"does not take UseScale":                   MultiHeadAttention(2, 2, UseScale(true)),
		"does not take ValueDim":                   GroupedQueryAttention(2, 2, 2, ValueDim(2)),
		"does not take SlidingWindow":              Attention(SlidingWindow(1)),
		"does not take AttentionDropout":           Flatten(AttentionDropout(0.1)),
		"does not take OutputShape":                Flatten(OutputShape(1)),
		"does not take NoBias":                     Attention(NoBias()),
	} {
		require.ErrorContains(t, l.On(x, x).err, want)
	}
}

// stepsOf returns what a plan of self-attention computes, each step with its result for one sample.
func stepsOf(t *testing.T, l *Layer, shape ...int) (steps []string) {
	x := Input("x", shape...)
	m, err := NewModel([]*Node{x}, []*Node{l.On(x, x)})
	require.NoError(t, err)
	p, err := NewPlan(m, 2)
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, p.Describe(&text))
	for _, line := range strings.Split(text.String(), "\n") {
		if f := strings.Fields(line); len(f) > 4 && slices.Contains(f, "it") {
			at := slices.IndexFunc(f, func(s string) bool { return strings.Contains(s, "x") && s[0] >= '0' && s[0] <= '9' })
			for at+1 < len(f) && strings.Contains(f[at+1], "x") {
				at++
			}
			steps = append(steps, f[0]+" "+f[at])
		}
	}
	return steps
}

// A plan has no step for the heads, which are columns, nor for the scale of the scores. The narrow projections of a single vector
// are one product; those of a sequence have rows enough to fill a tile each.
func TestAttentionSteps(t *testing.T) {
	require.Equal(t, []string{"dense 5x8", "dense 5x8", "dense 5x8", "matmul 5x10", "softmax 10x5", "matmul 5x8", "dense 5x3"},
		stepsOf(t, MultiHeadAttention(2, 4, Name("it")), 5, 3))
	require.Equal(t, []string{"dense 5x8", "dense 5x8", "dense 5x8", "matmul 5x10", "maskscores 5x10", "softmax 10x5", "matmul 5x8", "dense 5x3"},
		stepsOf(t, MultiHeadAttention(2, 4, Name("it"), CausalMask()), 5, 3))
	require.Equal(t, []string{"dense 1x12", "matmul 1x2", "softmax 2x1", "matmul 1x4", "dense 1x3"},
		stepsOf(t, MultiHeadAttention(2, 2, Name("it")), 1, 3))
}
