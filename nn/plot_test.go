package nn

import (
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/internal/draw"
)

func plotModel(t *testing.T, inputs, outputs []*Node) *Model {
	t.Helper()
	m, err := NewModel(inputs, outputs)
	require.NoError(t, err)
	return m
}

// plotModels returns graphs with everything that a picture has to show.
func plotModels(t *testing.T) map[string]*Model {
	models := map[string]*Model{}

	only := Input("only", 3)
	models["one layer"] = plotModel(t, []*Node{only}, []*Node{only})

	a, b := Input("a", 10), Input("b", 10)
	shared := Dense(32, ReLU, Name("shared"))
	i := shared.On(Dense(5, ReLU, Name("a_encoder")).On(a))
	j := shared.On(Dense(5, ReLU, Name("b_encoder")).On(b))
	models["shared"] = plotModel(t, []*Node{a, b}, []*Node{Dense(1, Linear).On(i), Dense(2, Softmax).On(j)})

	in := make([]*Node, 4)
	for i := range in {
		in[i] = Input(fmt.Sprintf("sensor_%d", i), 8)
	}
	encoder := Dense(16, ReLU, Name("encoder"))
	mix := Concatenate(Name("mix")).On(encoder.On(in[0]), encoder.On(in[1]), encoder.On(in[2]))
	first := Add(Name("first")).On(mix, Dropout(0.2, Name("drop")).On(Dense(48, ReLU, Name("block")).On(mix)))
	frozen := Dense(48, Tanh, Name("pretrained"))
	frozen.SetTrainable(false)
	second := Add(Name("second")).On(first, frozen.On(first), mix)
	gated := Multiply(Name("gated")).On(second, Dense(48, Sigmoid, Name("gate")).On(in[3]))
	late := Concatenate(Name("late")).On(gated, in[0], in[3])
	models["skips"] = plotModel(t, in, []*Node{
		Dense(1, Linear, Name("value")).On(late),
		Dense(10, Softmax, Name("label")).On(gated),
		Dense(3, Softmax, Name("early")).On(first),
		late})

	x, unused := Input("a\"b<c>&\n]", 4), Input("unused --> |x| `md` #35; 日本 \\", 4)
	cycle := Dense(4, ReLU, Name("`]]>\r\n\u202e\\\"; n0 -> n1 <b>] %% end"))
	h := cycle.On(cycle.On(x))
	h = cycle.On(Dense(4, Tanh, Name("1. between")).On(h))
	h = Add(Name("twice the same, with a name that is longer than any name should ever be")).On(h, h)
	m, err := NewModel([]*Node{x, unused}, []*Node{Flatten(Name("]\x01\u0085")).On(h)}, Name("\"\\"))
	require.NoError(t, err)
	models["hostile"] = m
	return models
}

func TestPlotsAreDeterministic(t *testing.T) {
	other := plotModels(t)
	for what, m := range plotModels(t) {
		for _, plot := range []func(*Model, io.Writer) error{(*Model).DOT, (*Model).Mermaid, (*Model).SVG} {
			var a, b strings.Builder
			require.NoError(t, plot(m, &a), what)
			require.NoError(t, plot(other[what], &b), what)
			require.Equal(t, a.String(), b.String(), what)
			require.True(t, utf8.ValidString(a.String()), what)
		}
		require.ErrorIs(t, m.DOT(brokenWriter{}), errBroken)
		require.ErrorIs(t, m.Mermaid(brokenWriter{}), errBroken)
		require.ErrorIs(t, m.SVG(brokenWriter{}), errBroken)
	}
}

// Each layer is a box and each argument of a call an arrow.
func TestPlotsHaveEveryLayerAndEdge(t *testing.T) {
	edge := regexp.MustCompile(`^\tn\d+ -> n\d+`)
	node := regexp.MustCompile(`^\tn\d+ \[label=<<b>([^<>]*)</b>`)
	for what, m := range plotModels(t) {
		var b strings.Builder
		require.NoError(t, m.DOT(&b))
		var have, want []string
		arrows, edges := 0, 0
		for line := range strings.Lines(b.String()) {
			if match := node.FindStringSubmatch(line); match != nil {
				have = append(have, html.UnescapeString(match[1]))
			}
			if edge.MatchString(line) {
				arrows++
			}
		}
		for _, l := range m.layers {
			want = append(want, draw.Visible(l.name))
		}
		for _, n := range m.nodes {
			edges += len(n.in)
		}
		require.Equal(t, want, have, what)
		require.Equal(t, edges, arrows, what)
	}
}

func TestPlotMarksSharedAndFrozenLayers(t *testing.T) {
	models := plotModels(t)
	for _, plot := range []func(*Model, io.Writer) error{(*Model).DOT, (*Model).Mermaid, (*Model).SVG} {
		var b strings.Builder
		require.NoError(t, plot(models["skips"], &b))
		require.Equal(t, 1, strings.Count(b.String(), "called 3×"))
		require.Contains(t, b.String(), "[2]")
		require.Contains(t, b.String(), "dash")
		require.Contains(t, b.String(), "Dense · tanh")
		require.Contains(t, b.String(), "(None, 48) · 2,352 params")
	}
}

func TestPlotsOfAManyLayeredModel(t *testing.T) {
	x := Input("x", 4)
	all := []*Node{x}
	for range 40 { // each layer uses all before it
		all = append(all, Dense(4, ReLU).On(Concatenate().On(append(slices.Clone(all), x)...)))
	}
	var b strings.Builder
	require.NoError(t, plotModel(t, []*Node{x}, []*Node{all[40]}).SVG(&b))
	require.NotEmpty(t, b.String())
}
