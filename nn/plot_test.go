package nn

import (
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
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

func edges(m *Model) int {
	n := 0
	for _, node := range m.nodes {
		n += len(node.in)
	}
	return n
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

func TestDOT(t *testing.T) {
	const quoted = `"(?:[^"\\]|\\.)*"`
	attributes := `\[\w+=` + quoted + `(?: \w+=` + quoted + `)*\]`
	edge := regexp.MustCompile(`^\tn\d+ -> n\d+(?: ` + attributes + `)?$`)
	node := regexp.MustCompile(`^\tn\d+ \[label=<<b>([^<>]*)</b><br/>[^<>]*<br/>[^<>]*> \w+=` + quoted + `(?: \w+=(?:` + quoted + `|\d))*\]$`)
	for what, m := range plotModels(t) {
		var b strings.Builder
		require.NoError(t, m.DOT(&b))
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		require.Regexp(t, `^digraph `+quoted+` {$`, lines[0])
		require.Equal(t, "}", lines[len(lines)-1])
		var names []string
		count := 0
		for _, line := range lines[3 : len(lines)-1] {
			if match := node.FindStringSubmatch(line); match != nil {
				names = append(names, html.UnescapeString(match[1]))
				continue
			}
			require.Regexp(t, edge, line)
			count++
		}
		requireNames(t, m, names, func(s string) string { return s })
		require.Equal(t, edges(m), count, what)
	}
}

func TestMermaid(t *testing.T) {
	edge := regexp.MustCompile(`^\tn\d+ -->(?:\|"[^"]*"\|)? n\d+$`)
	node := regexp.MustCompile(`^\tn\d+[\[(]+"<b>((?:[^"<>&\x60|\\\[\]#;]|#\d+;)*)</b><br>[^"<>]*<br>[^"<>]*"[\])]+$`)
	class := regexp.MustCompile(`^\tclass(?:Def)? [\w,]+ [\w:,# -]+$`)
	for what, m := range plotModels(t) {
		var b strings.Builder
		require.NoError(t, m.Mermaid(&b))
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		require.Equal(t, "flowchart TD", lines[0])
		var names []string
		count := 0
		for _, line := range lines[1:] {
			switch match := node.FindStringSubmatch(line); {
			case match != nil:
				names = append(names, html.UnescapeString(strings.ReplaceAll(match[1], "#", "&#")))
			case edge.MatchString(line):
				count++
			default:
				require.Regexp(t, class, line)
			}
		}
		requireNames(t, m, names, func(s string) string { return s })
		require.Equal(t, edges(m), count, what)
	}
}

func TestSVG(t *testing.T) {
	allowed := []string{"svg", "g", "path", "rect", "text"}
	for what, m := range plotModels(t) {
		var b strings.Builder
		require.NoError(t, m.SVG(&b))
		decoder := xml.NewDecoder(strings.NewReader(b.String()))
		var names []string
		arrows, line, bold := 0, false, false
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			require.NoError(t, err, what)
			switch token := token.(type) {
			case xml.StartElement:
				require.Contains(t, allowed, token.Name.Local)
				attributes := map[string]string{}
				for _, a := range token.Attr {
					attributes[a.Name.Local] = a.Value
				}
				for _, leak := range []string{"id", "class", "style", "href"} {
					require.NotContains(t, attributes, leak)
				}
				bold = attributes["font-weight"] == "bold"
				if token.Name.Local == "g" {
					line = attributes["fill"] == "none"
				}
				if token.Name.Local == "path" && line {
					arrows++
				}
			case xml.CharData:
				if bold {
					names = append(names, string(token))
				}
			case xml.EndElement:
				bold = false
			}
		}
		requireNames(t, m, names, shorten)
		require.Equal(t, edges(m), arrows, what)
		require.NotContains(t, b.String(), "NaN", what)
	}
}

// requireNames checks that each layer is named once, as it is shown.
func requireNames(t *testing.T, m *Model, names []string, shown func(string) string) {
	t.Helper()
	var want []string
	for _, l := range m.layers {
		want = append(want, shown(visible(l.name)))
	}
	require.Equal(t, want, names)
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

// Boxes, and the places at which arrows pass between them, must not touch.
func TestSVGLayoutKeepsItsDistance(t *testing.T) {
	for what, m := range plotModels(t) {
		d := newDiagram(m)
		rows := d.layout()
		boxes := 0
		for _, row := range rows {
			for i, x := range row {
				if x.box != nil {
					boxes++
				}
				require.GreaterOrEqual(t, x.x-x.width/2, margin-1, what)
				if i > 0 {
					space := x.x - x.width/2 - row[i-1].x - row[i-1].width/2
					require.GreaterOrEqual(t, space, boxSpace-1, what)
				}
			}
		}
		require.Equal(t, len(m.layers), boxes, what)
		for _, a := range d.arrows {
			if a.isLoop() {
				continue
			}
			upper, lower := a.ends()
			require.Less(t, upper.item.row, lower.item.row, what)
			require.Len(t, a.route, lower.item.row-upper.item.row+1, what)
		}
	}
}

func TestSVGOrderHasFewCrossings(t *testing.T) {
	// Two fans whose ends are given crosswise can be drawn without any crossing.
	var ins, outs []*Node
	for i := range 6 {
		x := Input("", 3)
		ins = append(ins, x)
		outs = append([]*Node{Dense(1, Linear).On(Dense(i+1, ReLU).On(x))}, outs...)
	}
	require.Zero(t, crossings(newDiagram(plotModel(t, ins, outs)).layout()))
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

func TestVisible(t *testing.T) {
	for name, want := range map[string]string{
		"größe 1": "größe 1", "\n\x00\t": "␊␀␉", "\xff\u0085\x7f": "���", "\ufffe": "�", "日本": "日本",
		"a\u202eb\u2066c\u200fd": "a�b�c�d", "a\u2028\u2029\ufeff\U0001fffe": "a����", "e\u0301 👩\u200d💻": "e\u0301 👩\u200d💻",
		strings.Repeat("ä", maxShown): strings.Repeat("ä", maxShown), strings.Repeat("ä", maxShown+1): strings.Repeat("ä", maxShown-1) + "…",
	} {
		require.Equal(t, want, visible(name))
	}
}
