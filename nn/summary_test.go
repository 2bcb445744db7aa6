package nn

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummaryIsThatOfKeras(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*/case.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var golden struct {
			Summaries map[string]string `json:"keras_summary"`
			Keras     json.RawMessage   `json:"keras_json"`
		}
		require.NoError(t, json.Unmarshal(text, &golden))
		require.Len(t, golden.Summaries, 3)
		for key, want := range golden.Summaries {
			t.Run(filepath.Base(filepath.Dir(file))+"/"+key, func(t *testing.T) {
				width, what, _ := strings.Cut(key, "_")
				n, err := strconv.Atoi(width)
				require.NoError(t, err)
				opts := []SummaryOption{SummaryWidth(n)}
				m := graphFromKeras(t, golden.Keras)
				if strings.HasPrefix(what, "show_trainable") {
					opts = append(opts, SummaryTrainable())
					frozen := frozenIn(want)
					require.NotEmpty(t, frozen)
					for _, name := range frozen {
						l, err := m.Layer(name)
						require.NoError(t, err)
						l.SetTrainable(false)
					}
				}
				var b strings.Builder
				require.NoError(t, m.Summary(&b, opts...))
				require.Equal(t, want, b.String())
			})
		}
	}
}

// frozenIn returns the names of the layers that a summary calls not trainable.
func frozenIn(summary string) []string {
	var names []string
	for line := range strings.Lines(summary) {
		cells := strings.Split(line, "│")
		if len(cells) > 2 && strings.TrimSpace(cells[len(cells)-2]) == "N" {
			names = append(names, strings.Fields(cells[1])[0])
		}
	}
	return names
}

func summaryOf(t *testing.T, m *Model, opts ...SummaryOption) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, m.Summary(&b, opts...))
	return b.String()
}

// chainModel needs every way of breaking a cell.
func chainModel(t *testing.T, opts ...ModelOption) *Model {
	t.Helper()
	x := Input("an input with a name of many words", 1000)
	h := Dense(2000, ReLU, Name("a_name_without_spaces_that_is_too_long")).On(x)
	h = Reshape([]int{40, 50}, Name("größe")).On(h)
	m, err := NewModel([]*Node{x}, []*Node{Flatten().On(h)}, opts...)
	require.NoError(t, err)
	return m
}

// As Keras' column widths and the Python package rich print it.
const chainAt60 = `Model: "chain"
┏━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━┓
┃ Layer (type)          ┃ Output Shape     ┃ Param # ┃ Tr… ┃
┡━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━┩
│ an input with a name  │ (None, 1000)     │       0 │  -  │
│ of many words         │                  │         │     │
│ (InputLayer)          │                  │         │     │
├───────────────────────┼──────────────────┼─────────┼─────┤
│ a_name_without_space… │ (None, 2000)     │ 2,002,… │  Y  │
│ (Dense)               │                  │         │     │
├───────────────────────┼──────────────────┼─────────┼─────┤
│ größe (Reshape)       │ (None, 40, 50)   │       0 │  -  │
├───────────────────────┼──────────────────┼─────────┼─────┤
│ flatten (Flatten)     │ (None, 2000)     │       0 │  -  │
└───────────────────────┴──────────────────┴─────────┴─────┘
 Total params: 2,002,000 (7.64 MB)
 Trainable params: 2,002,000 (7.64 MB)
 Non-trainable params: 0 (0.00 B)
`

func TestSummaryOfAChain(t *testing.T) {
	require.Equal(t, chainAt60, summaryOf(t, chainModel(t, Name("chain")), SummaryWidth(60), SummaryTrainable()))
	require.NotContains(t, summaryOf(t, chainModel(t)), "Connected to")
}

func TestSummaryOfWhatIsNoChain(t *testing.T) {
	x, unused := Input("x", 4), Input("unused", 4)
	shared := Dense(4, ReLU, Name("shared"))
	twice := shared.On(shared.On(x))
	h := Dense(4, Linear).On(x)
	for _, nodes := range [][2][]*Node{
		{{x}, {twice}},
		{{x, unused}, {h}},
		{{x}, {h, twice}},
		{{x}, {Add().On(x, x)}},
	} {
		m, err := NewModel(nodes[0], nodes[1])
		require.NoError(t, err)
		require.Contains(t, summaryOf(t, m), "Connected to")
	}
	m, err := NewModel([]*Node{x}, []*Node{twice})
	require.NoError(t, err)
	require.Contains(t, summaryOf(t, m, SummaryWidth(120)), " x[0][0], shared[0][0] ")
	require.Contains(t, summaryOf(t, m), " Total params: 20 (80.00 B)\n", "a shared layer counts once")
}

func TestSummarySkipsCallsOfOtherModels(t *testing.T) {
	x, other := Input("x", 4), Input("other", 5)
	act := Activation(ReLU, Name("act"))
	y := act.On(x)
	act.On(other)
	m, err := NewModel([]*Node{x}, []*Node{y})
	require.NoError(t, err)
	require.NotContains(t, summaryOf(t, m), "5")
}

func TestSummaryOfAnyName(t *testing.T) {
	x := Input("a\"b<c>&\n]\x1b[31m  ", 3)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("  ")).On(x)}, Name("\n"))
	require.NoError(t, err)
	for width := 40; width < 200; width++ {
		for _, opts := range [][]SummaryOption{{}, {SummaryTrainable()}} {
			lines := strings.Split(summaryOf(t, m, append(opts, SummaryWidth(width))...), "\n")
			for i, line := range lines[1 : len(lines)-4] {
				require.Len(t, []rune(line), width, "line %d: %s", i, line)
			}
		}
	}
}

func TestSummaryOfAnyWidth(t *testing.T) {
	m := chainModel(t)
	for _, width := range []int{math.MinInt, -1, 0, 1, 15, math.MaxInt} {
		err := m.Summary(&strings.Builder{}, SummaryWidth(width))
		require.ErrorContains(t, err, `nn: summary of model "functional": `)
		require.ErrorContains(t, err, "width")
	}
	for width := 20; width < 300; width++ {
		summaryOf(t, m, SummaryWidth(width))
	}
}

func TestSummaryCountsTheOptimizer(t *testing.T) {
	x := Input("x", 2)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(x)})
	require.NoError(t, err)
	require.NotContains(t, summaryOf(t, m), "Optimizer")
	require.NoError(t, m.Compile(Adam(1e-3), Losses{"y": MSE()}))
	data := Data{Inputs: Arrays{"x": Floats(make([]float32, 8))}, Targets: Arrays{"y": Floats(make([]float32, 4))}}
	_, err = m.Fit(t.Context(), data)
	require.NoError(t, err)
	// Steps, learning rate and two moments of three weights.
	require.Contains(t, summaryOf(t, m), `
 Total params: 11 (44.00 B)
 Trainable params: 3 (12.00 B)
 Non-trainable params: 0 (0.00 B)
 Optimizer params: 8 (32.00 B)
`)
}

func TestSummaryReportsTheWritersError(t *testing.T) {
	require.ErrorIs(t, chainModel(t).Summary(brokenWriter{}), errBroken)
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// Signs that are as wide as two letters, or take no place of their own, leave the columns straight.
func TestSummaryOfWideNames(t *testing.T) {
	x := Input("入力 データ", 3)
	h := Dense(4, ReLU, Name("ｄｅｎｓｅ 레이어 👍 e\u0301")).On(x)
	h = Dense(4, ReLU, Name("長い名前の層がここにあります長い名前の層がここにあります")).On(h)
	m, err := NewModel([]*Node{x}, []*Node{Flatten(Name("a\u202eb")).On(h)}, Name("模型"))
	require.NoError(t, err)
	require.Contains(t, summaryOf(t, m, SummaryWidth(60)), "│ 長い名前の層がここにあ…  │")
}
