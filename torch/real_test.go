package torch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/safetensors"
)

// A realCase is a case.json: a file that others wrote, what to build for it, and what is to become of it.
type realCase struct {
	ID, File, Expect string
	Architecture     [][]any
	Under            string `json:"state_dict_under"`
	Inputs           []struct {
		Name  string
		Shape []*int
	}
	Outputs   []struct{ Name string }
	Groups    []string
	Reference struct {
		Spread float64
	}
}

// realCases returns the folders with a case.json under a folder, of files that this package reads.
func realCases(t testing.TB, folder string) map[string]*realCase {
	paths, err := filepath.Glob(filepath.Join(folder, "*", "case.json"))
	require.NoError(t, err)
	all := map[string]*realCase{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var file struct{ File string }
		require.NoError(t, json.Unmarshal(text, &file))
		switch filepath.Ext(file.File) {
		case ".safetensors", ".pt", ".pth":
			var c realCase
			require.NoError(t, json.Unmarshal(text, &c))
			all[filepath.Dir(path)] = &c
		}
	}
	return all
}

// TestReal runs the cases of testdata, and with ESPALIER_REALMODELS those of that folder.
func TestReal(t *testing.T) {
	folders := []string{"testdata/real", "testdata/torch"}
	if extra := os.Getenv("ESPALIER_REALMODELS"); extra != "" {
		folders = append(folders, extra)
	}
	for _, folder := range folders {
		cases := realCases(t, folder)
		require.NotEmpty(t, cases)
		loaded, of := map[string]int{}, map[string]int{}
		for path, c := range cases {
			t.Run(c.ID, func(t *testing.T) {
				m, table := c.model(t, path)
				report, err := Load(filepath.Join(path, c.File), m, c.options(table)...)
				if c.Expect == "refuse" {
					require.Error(t, err)
					t.Log(err)
					return
				}
				kind := c.Expect + " " + filepath.Ext(c.File)
				of[kind]++
				require.NoError(t, err)
				require.Empty(t, report.Unset)
				c.compare(t, path, m)
				loaded[kind]++
			})
		}
		for kind, n := range of {
			t.Logf("%s: %s: %d of %d loaded with the reference's outputs", folder, kind, loaded[kind], n)
		}
	}
}

func (c *realCase) options(table map[string]string) []LoadOption {
	opts := []LoadOption{Names(table), Partial()}
	if c.Under != "" {
		opts = append(opts, Under(c.Under))
	}
	return opts
}

// model builds what the architecture says, with a table of names. Pictures and series for convolutions come with channels first.
func (c *realCase) model(t *testing.T, path string) (*nn.Model, map[string]string) {
	if c.Architecture == nil { // any model: the file must not get that far
		x := nn.Input("x", 1)
		m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear).On(x)})
		require.NoError(t, err)
		return m, map[string]string{"": "dense"}
	}
	shapes := shapesIn(t, filepath.Join(path, c.File), c.Under)
	inputs := map[string]*nn.Node{}
	var first []*nn.Node
	for _, in := range c.Inputs {
		var shape nn.Shape
		for _, d := range in.Shape[1:] {
			shape = append(shape, *d)
		}
		inputs[in.Name] = nn.Input(in.Name, shape...)
		first = append(first, inputs[in.Name])
	}
	table := map[string]string{}
	y := first[0]
	turned := false // to channels last
	for i, step := range c.Architecture {
		what := step[0].(string)
		prefix, number := "", 0
		for _, argument := range step[1:] {
			switch a := argument.(type) {
			case string:
				prefix = a
			case float64:
				number = int(a)
			}
		}
		weight := shapes[join(prefix, "weight")]
		opts := []nn.LayerOption{nn.Name(fmt.Sprintf("layer%d", i))}
		if _, ok := shapes[join(prefix, "bias")]; !ok && slices.Contains([]string{"linear", "conv1d", "conv2d", "depthwise_conv2d"}, what) {
			opts = append(opts, nn.NoBias())
		}
		steps := []nn.LayerOption{opts[0], nn.ReturnSequences()}
		if _, ok := shapes[join(prefix, "bias_ih_l0")]; !ok {
			steps = append(steps, nn.NoBias())
		}
		units := func() int { return shapes[join(prefix, "weight_hh_l0")][1] }
		if strings.Contains(what, "conv") || strings.Contains(what, "pool") {
			if rank := len(y.Shape()); !turned {
				y = nn.Permute([][]int{2: {2, 1}, 3: {2, 3, 1}}[rank]).On(y)
				turned = true
			}
		}
		var l *nn.Layer
		switch what {
		case "input":
			y = inputs[prefix]
			continue
		case "concat":
			y = nn.Concatenate().On(y, inputs[prefix])
			continue
		case "flatten":
			if rank := len(y.Shape()); turned {
				y = nn.Permute([][]int{2: {2, 1}, 3: {3, 1, 2}}[rank]).On(y)
				turned = false
			}
			y = nn.Flatten().On(y)
			continue
		case "max_pool2d":
			y = nn.MaxPooling2D([2]int{number, number}).On(y)
			continue
		case "linear":
			l = nn.Dense(weight[0], nn.Linear, opts...)
		case "conv1d":
			y = nn.ZeroPadding1D(number, number).On(y)
			l = nn.Conv1D(weight[0], weight[2], nn.Linear, opts...)
		case "conv2d":
			y = nn.ZeroPadding2D([2][2]int{{number, number}, {number, number}}).On(y)
			l = nn.Conv2D(weight[0], [2]int{weight[2], weight[3]}, nn.Linear, opts...)
		case "depthwise_conv2d":
			l = nn.DepthwiseConv2D([2]int{weight[2], weight[3]}, nn.Linear, append(opts, nn.DepthMultiplier(weight[0]/y.Shape().Last()))...)
		case "batch_norm":
			l = nn.BatchNormalization(append(opts, nn.Epsilon(1e-5))...)
		case "layer_norm":
			l = nn.LayerNormalization(append(opts, nn.Epsilon(1e-5))...)
		case "group_norm":
			l = nn.GroupNormalization(number, append(opts, nn.Epsilon(1e-5))...)
		case "embedding":
			l = nn.Embedding(weight[0], weight[1], opts...)
		case "prelu":
			l = nn.PReLU(opts...)
		case "rnn":
			l = nn.SimpleRNN(units(), steps...)
		case "gru":
			l = nn.GRU(units(), steps...)
		case "lstm":
			l = nn.LSTM(units(), steps...)
		case "bidirectional_lstm":
			l = nn.Bidirectional(nn.LSTM(units(), nn.ReturnSequences()), opts...)
		case "attention":
			size := y.Shape().Last()
			l = nn.MultiHeadAttention(number, size/number, opts...)
			table[prefix] = string(opts[0].(nn.NameOption))
			y = l.On(y, y)
			continue
		case "leaky_relu":
			y = nn.Activation(nn.LeakyReLUOf(0.01)).On(y)
			continue
		default:
			var act nn.Object[nn.ActivationFunction]
			require.NoError(t, json.Unmarshal([]byte(`"`+what+`"`), &act))
			y = nn.Activation(act.Value).On(y)
			continue
		}
		table[prefix] = string(opts[0].(nn.NameOption))
		y = l.On(y)
	}
	m, err := nn.NewModel(first, []*nn.Node{y})
	require.NoError(t, err)
	return m, table
}

// shapesIn returns the shapes of the tensors under a prefix.
func shapesIn(t *testing.T, path, under string) map[string][]int {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	tensors, err := Tensors(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	shapes := map[string][]int{}
	for _, x := range tensors {
		if under != "" {
			x.Name = strings.TrimPrefix(x.Name, under+".")
		}
		shapes[x.Name] = x.Shape
	}
	return shapes
}

// compare predicts each group of rows and compares with what the reference computed.
func (c *realCase) compare(t *testing.T, path string, m *nn.Model) {
	f, err := os.Open(filepath.Join(path, "io.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	_, tensors, err := safetensors.Read(f)
	require.NoError(t, err)
	byName := map[string][]float32{}
	for _, x := range tensors {
		byName[x.Name] = x.Data
	}
	for _, group := range c.Groups {
		inputs := nn.Arrays{}
		for _, in := range c.Inputs {
			inputs[in.Name] = nn.Floats(byName[group+"/input/"+in.Name])
		}
		got, err := m.Predict(inputs)
		require.NoError(t, err)
		want := byName[group+"/output/"+c.Outputs[0].Name]
		have := got[m.OutputNames()[0]].Data
		require.Len(t, have, len(want))
		largest := 0.0
		for _, x := range want {
			largest = max(largest, math.Abs(float64(x)))
		}
		bound := 1e-5 + 1e-5*largest + 4*c.Reference.Spread
		for i := range want {
			require.InDelta(t, want[i], have[i], bound, "%s: number %d", group, i)
		}
	}
}
