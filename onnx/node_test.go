package onnx

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readTensor reads a tensor that a test of ONNX has as a file.
func readTensor(t *testing.T, path string) *tensor {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var p tensorProto
	require.NoError(t, p.decode(&decoder{budget: 100 * (len(b) + 1000)}, b), path)
	x, err := newConstant(&p)
	require.NoError(t, err, path)
	return x
}

var constantInput = regexp.MustCompile(`input \d+ "([^"]*)" must be a constant`)

// The tests of the ONNX project itself, in the folder ESPALIER_ONNXNODE or the few in testdata: those of priority P1 pass, and
// nine of ten of the others; the rest is refused.
func TestNode(t *testing.T) {
	folder := os.Getenv("ESPALIER_ONNXNODE")
	if folder == "" {
		folder = "testdata/node"
	}
	text, err := os.ReadFile(filepath.Join(folder, "index.json"))
	require.NoError(t, err)
	var index struct {
		Tests []struct{ Test, Priority string }
	}
	require.NoError(t, json.Unmarshal(text, &index))
	total, right := map[string]int{}, map[string]int{}
	var list []string
	for _, test := range index.Tests {
		total[test.Priority]++
		t.Run(test.Test, func(t *testing.T) {
			sets, err := filepath.Glob(filepath.Join(folder, test.Test, "test_data_set_*"))
			require.NoError(t, err)
			require.NotEmpty(t, sets)
			for _, set := range sets {
				why, err := runNode(t, filepath.Join(folder, test.Test, "model.onnx"), set)
				switch {
				case err == nil && why == "":
				case err == nil:
					list = append(list, fmt.Sprintf("%s %s: %s", test.Priority, test.Test, why))
				default:
					t.Error(err)
					return
				}
				if why != "" && !strings.HasPrefix(why, "evaluated") {
					return
				}
			}
			right[test.Priority]++
		})
	}
	slices.Sort(list)
	for _, l := range list {
		t.Log(l)
	}
	t.Logf("P1: %d of %d, P2: %d of %d", right["P1"], total["P1"], right["P2"], total["P2"])
	require.Equal(t, total["P1"], right["P1"])
	require.GreaterOrEqual(t, float64(right["P2"]), 0.9*float64(total["P2"]))
}

// runNode runs a test as a model. What no model can be, such as a graph without inputs or tensors without elements, is
// evaluated. It returns why it has been refused, or evaluated.
func runNode(t *testing.T, path, set string) (why string, err error) {
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	m, err := decodeModel(file)
	require.NoError(t, err)
	b := batch{map[string]*tensor{}, map[string]*tensor{}}
	constants := map[string]bool{}
	for _, p := range m.graph.initializers {
		constants[p.name] = true
	}
	k := 0
	for _, x := range m.graph.inputs {
		if !constants[x.name] {
			b.inputs[x.name] = readTensor(t, filepath.Join(set, fmt.Sprintf("input_%d.pb", k)))
			k++
		}
	}
	for i, x := range m.graph.outputs {
		b.outputs[x.name] = readTensor(t, filepath.Join(set, fmt.Sprintf("output_%d.pb", i)))
	}
	tolerance := func(_ string, exact bool, _, want float64) float64 {
		if exact {
			return 0
		}
		return 1e-7 + 1e-3*math.Abs(want)
	}
	evaluate := func(reason error) (string, error) {
		c := config{shapes: map[string][]int{}, values: map[string][]float64{}}
		for name, x := range b.inputs {
			c.values[name] = x.data()
		}
		g, err := newGraph(m, 1<<24, c)
		if err != nil {
			return err.Error(), nil
		}
		if err := g.shapes(); err != nil {
			return err.Error(), nil
		}
		for name, want := range b.outputs {
			have := g.values[name].one
			if !slices.Equal(have.shape, want.shape) || have.elem != want.elem {
				return "", fmt.Errorf("output %q is a %s of shape %v, must be a %s of %v", name, elementNames[have.elem], have.shape, elementNames[want.elem], want.shape)
			}
			for i, v := range want.data() {
				if x := have.data()[i]; x != v && (x == x || v == v) && !(math.Abs(x-v) <= tolerance("", !isFloat(want.elem), 0, v)) {
					return "", fmt.Errorf("output %q, element %d: %v, must be %v", name, i, x, v)
				}
			}
		}
		if reason == nil {
			return "", nil
		}
		return "evaluated: " + reason.Error(), nil
	}
	if why, err := evaluate(nil); why != "" || err != nil {
		return why, err
	}
	var opts []Option
	for {
		model, err := Load(path, opts...)
		if err == nil {
			return "", b.check(model, nil, tolerance)
		}
		found := constantInput.FindStringSubmatch(err.Error())
		if found == nil || b.inputs[found[1]] == nil || len(opts) > 8 {
			return evaluate(err)
		}
		opts = append(opts, InputValue(found[1], b.inputs[found[1]].data()...))
	}
}
