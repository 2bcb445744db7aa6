package torch

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/safetensors"
)

// weightsFile is a safetensors file of tensors with the numbers 1, 2, 3, ... A tensor is its name and its shape.
func weightsFile(t *testing.T, tensors ...any) []byte {
	var all []safetensors.Tensor
	n := float32(0)
	for i := 0; i < len(tensors); i += 2 {
		x := safetensors.Tensor{Name: tensors[i].(string), Shape: tensors[i+1].([]int)}
		for range elements(x.Shape) {
			n++
			x.Data = append(x.Data, n)
		}
		all = append(all, x)
	}
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, nil, all))
	return b.Bytes()
}

// twoHeads has a trunk of two layers with the same shapes and two heads with the same shapes.
func twoHeads(t *testing.T) *nn.Model {
	x := nn.Input("x", 2)
	y := nn.Sequential(x, nn.Dense(2, nn.ReLU, nn.NoBias(), nn.Name("a")), nn.Dense(2, nn.ReLU, nn.NoBias(), nn.Name("b")))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("left")).On(y), nn.Dense(1, nn.Linear, nn.Name("right")).On(y)})
	require.NoError(t, err)
	return m
}

func TestByOrder(t *testing.T) {
	trunk := []any{"net.2.weight", []int{2, 2}, "net.10.weight", []int{2, 2}}
	sorted := []any{"net.10.weight", []int{2, 2}, "net.2.weight", []int{2, 2}}
	heads := []any{"right.weight", []int{1, 2}, "right.bias", []int{1}, "left.weight", []int{1, 2}, "left.bias", []int{1}}
	others := []any{"out_a.weight", []int{1, 2}, "out_a.bias", []int{1}, "out_b.weight", []int{1, 2}, "out_b.bias", []int{1}}
	for name, c := range map[string]struct {
		tensors []any
		want    string // tensors in the order of a, b, left, right; or an error
	}{
		"heads by their names":     {append(slices.Clone(trunk), heads...), "net.2 net.10 left right"},
		"sorted, numbers tell":     {append(append(slices.Clone(heads[4:]), sorted...), heads[:4]...), "net.2 net.10 left right"},
		"the order of the file":    {append([]any{"z.weight", []int{2, 2}, "net.2.weight", []int{2, 2}}, others...), "z net.2 out_a out_b"},
		"sorted, nothing tells":    {append(slices.Clone(sorted), others...), `layer "left" (Dense) could be any of ["out_a" "out_b"], whose order in the file is that of the alphabet`},
		"a tensor too many":        {slices.Concat(trunk, heads, []any{"extra", []int{3}}), `tensors ["extra [3]"] of the file are not used; Partial allows that`},
		"a module of other shapes": {append(slices.Clone(trunk), "left.weight", []int{1, 2}), `weights ["left/kernel" "left/bias" "right/kernel" "right/bias"] are not set, the layers need ["left: weight [1 2]" "left: bias [1]" "right: weight [1 2]" "right: bias [1]"]`},
	} {
		t.Run(name, func(t *testing.T) {
			m := twoHeads(t)
			report, err := Read(bytes.NewReader(weightsFile(t, c.tensors...)), m)
			if err != nil {
				require.ErrorContains(t, err, c.want)
				return
			}
			var used []string
			for _, u := range report.Used {
				if module, ok := strings.CutSuffix(u.Tensor, ".weight"); ok {
					used = append(used, module)
				}
			}
			require.Equal(t, c.want, strings.Join(used, " "))
		})
	}
}

func TestErrorsOfMappings(t *testing.T) {
	file := []any{"n.0.weight", []int{2, 2}, "n.1.weight", []int{2, 2}, "l.weight", []int{1, 2}, "l.bias", []int{1}, "r.weight", []int{1, 2}, "r.bias", []int{1}}
	good := map[string]string{"n.0": "a", "n.1.weight": "b/kernel", "l": "left", "r": "right"}
	with := func(key, value string) LoadOption {
		table := map[string]string{key: value}
		for k, v := range good {
			if _, ok := table[k]; !ok {
				table[k] = v
			}
		}
		return Names(table)
	}
	m := twoHeads(t)
	_, err := Read(bytes.NewReader(weightsFile(t, file...)), m, Names(good))
	require.NoError(t, err)
	weights := m.Weights()
	require.Equal(t, []float32{1, 3, 2, 4}, weights[0].Data) // [in, out] of [out, in]
	before := fmt.Sprint(weights)
	for want, opts := range map[string][]LoadOption{
		`option 0 is nil`:                                     {nil},
		`Names and Rename are both given`:                     {Names(good), Rename(func(s string) string { return s })},
		`no tensor is under "model": there are ["n" "l" "r"]`: {Under("model")},
		`Names gives "n.0" to "A", which has no weights in the model: valid are the layers ["a" "b" "left" "right"] and the weights ["a/kernel" "b/kernel"`: {with("n.0", "A")},
		`the file has no module or tensor "q", which Names has: its modules are ["n.0" "n.1" "l" "r"]`:                                                      {with("q", "a")},
		`tensor "l.bias": goes where "l.weight" goes`:                                                                          {Names(map[string]string{"l.weight": "left/bias", "l.bias": "left/bias"})},
		`tensor "n.1.weight": goes where "n.0.weight" goes`:                                                                    {with("n.1.weight", "a/kernel")},
		`tensor "l.weight" has shape [1 2], layer "a" (Dense) needs [2 2]`:                                                     {Names(map[string]string{"l": "a"}), Partial()},
		`tensor "n.0.weight": goes to "weight", which is no weight of the model: valid are ["a/kernel" "b/kernel" "left/bias"`: {Rename(func(string) string { return "weight" })},
		`weights ["b/kernel" "left/kernel" "left/bias" "right/kernel" "right/bias"] are not set`:                               {Names(map[string]string{"n.0": "a"})},
	} {
		_, err := Read(bytes.NewReader(weightsFile(t, file...)), m, opts...)
		require.ErrorContains(t, err, want)
		require.True(t, strings.HasPrefix(err.Error(), "torch: Read: "))
	}
	require.Equal(t, before, fmt.Sprint(m.Weights()))

	err = Write(&bytes.Buffer{}, m, Names(map[string]string{"n.0": "a"}))
	require.EqualError(t, err, `torch: Write: Names has nothing for weight "b/kernel" or layer "b": it has ["a"]`)
	require.ErrorContains(t, Write(&bytes.Buffer{}, m, Names(map[string]string{"n.0": "x"})), `Names gives "n.0" to "x"`)
	require.EqualError(t, Write(&bytes.Buffer{}, m, nil), "torch: Write: option 0 is nil")
	_, err = Load("testdata/none.pt", m)
	require.ErrorContains(t, err, `torch: Load "testdata/none.pt": `)
}

// A weight of which a part is missing is an error even with Partial.
func TestHalfAWeight(t *testing.T) {
	x := nn.Input("x", 2, 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.LSTM(1, nn.Name("rnn")).On(x)})
	require.NoError(t, err)
	b := weightsFile(t, "rnn.bias_ih_l0", []int{4})
	_, err = Read(bytes.NewReader(b), m, Names(map[string]string{"rnn": "rnn"}), Partial())
	require.ErrorContains(t, err, `weight "rnn/bias" needs "bias_hh_l0" too`)
}

// A recurrent layer that PyTorch does not have keeps its weights as they are.
func TestOwnLayouts(t *testing.T) {
	x := nn.Input("x", 2, 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.GRU(1, nn.ResetAfter(false), nn.Name("gru")).On(x)})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, Write(&b, m))
	names := ""
	tensors, err := Tensors(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	for _, x := range tensors {
		names += fmt.Sprint(x.Name, x.Shape, " ")
	}
	require.Equal(t, "gru.kernel[1 3] gru.recurrent_kernel[1 3] gru.bias[3] ", names)
	_, err = Read(&b, m)
	require.NoError(t, err)
}

func TestCompareNumbers(t *testing.T) {
	sorted := []string{"", "a", "fc1", "fc2", "fc10", "fc10.1", "layers.2.x", "layers.02.y", "layers.10.a", "z"}
	for i, a := range sorted {
		for j, b := range sorted {
			require.Equal(t, i < j, compareNumbers(a, b) < 0, "%s, %s", a, b)
		}
	}
}
