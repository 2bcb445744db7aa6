package keras

import (
	"encoding/json"
	"fmt"
	"maps"
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

// A realCase is a model file that others wrote, with what Keras computed.
type realCase struct {
	ID, Format, File, Expect string
	Layers                   map[string]int
	ModelClass               string `json:"model_class"`
	Architecture             json.RawMessage
	Inputs, Outputs          []struct {
		Name  string
		Shape []*int
	}
	Groups    []string
	Reference struct{ Spread float64 }
	Refusal   struct{ Reason string }

	folder string
	io     map[string]safetensors.Tensor
}

// TestReal runs the cases of the folder ESPALIER_REALMODELS, by default those of testdata: a model must give the reference's
// results or be refused by name.
func TestReal(t *testing.T) {
	root := os.Getenv("ESPALIER_REALMODELS")
	if root == "" {
		root = filepath.Join("testdata", "real")
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "case.json"))
	require.NoError(t, err)
	type count struct{ loaded, refused, all int }
	counts := map[string]*count{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var of struct{ Format string }
		require.NoError(t, json.Unmarshal(text, &of))
		if of.Format != "keras" && of.Format != "h5" {
			continue
		}
		c := realCase{folder: filepath.Dir(file)}
		require.NoError(t, json.Unmarshal(text, &c))
		name := "." + c.Format + " " + c.Expect
		if counts[name] == nil {
			counts[name] = &count{}
		}
		n := counts[name]
		n.all++
		t.Run(c.ID, func(t *testing.T) {
			m, err := c.load(t)
			if err != nil {
				n.refused++
				require.True(t, c.namesReason(err), "%v", err)
				t.Log(err)
				return
			}
			require.NotEqual(t, "refuse", c.Expect)
			c.compare(t, m)
			if !t.Failed() {
				n.loaded++
			}
		})
	}
	require.NotEmpty(t, counts)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		n := counts[name]
		t.Logf("%s: %d of %d with right results, %d refused", name, n.loaded, n.all, n.refused)
		if strings.HasSuffix(name, " load") {
			require.GreaterOrEqual(t, float64(n.loaded), 0.95*float64(n.all), name)
		}
	}
}

// load returns the model. The sizes that Keras leaves open are those of the stored inputs.
func (c *realCase) load(t *testing.T) (*nn.Model, error) {
	path := filepath.Join(c.folder, c.File)
	c.io = map[string]safetensors.Tensor{}
	if f, err := os.Open(filepath.Join(c.folder, "io.safetensors")); err == nil {
		defer f.Close()
		_, tensors, err := safetensors.Read(f)
		require.NoError(t, err)
		for _, x := range tensors {
			c.io[x.Name] = x
		}
	}
	var opts []LoadOption
	for _, in := range c.Inputs {
		if slices.Contains(in.Shape[1:], nil) {
			opts = append(opts, InputShape(in.Name, c.io[c.Groups[0]+"/input/"+in.Name].Shape[1:]...))
		}
	}
	if c.Architecture == nil {
		return Load(path, opts...)
	}
	if len(opts) > 0 {
		opts = []LoadOption{InputShape("input_layer_1", opts[0].(InputShapeOption).shape...)}
	}
	m, err := FromJSON(c.Architecture, opts...)
	if err != nil {
		return nil, err
	}
	return m, LoadWeights(m, path)
}

// namesReason reports an error that names what can't be loaded.
func (c *realCase) namesReason(err error) bool {
	if strings.Contains(err.Error(), "InputShape") {
		return true
	}
	for class := range c.Layers {
		if strings.Contains(err.Error(), class) {
			return true
		}
	}
	for _, word := range strings.Fields(c.Refusal.Reason) {
		if word = strings.TrimRight(word, ",:"); len(word) > 7 && strings.Contains(err.Error(), word) {
			return true
		}
	}
	return false
}

func (c *realCase) compare(t *testing.T, m *nn.Model) {
	require.Len(t, m.InputNames(), len(c.Inputs))
	require.Len(t, m.OutputNames(), len(c.Outputs))
	if c.ModelClass == "Functional" || c.ModelClass == "Model" { // a Sequential has no names of its own
		for i, in := range c.Inputs {
			require.Equal(t, in.Name, m.InputNames()[i])
		}
		for i, out := range c.Outputs {
			require.Equal(t, out.Name, m.OutputNames()[i])
		}
	}
	for _, group := range c.Groups {
		data := nn.Arrays{}
		for i, in := range c.Inputs {
			x, ok := c.io[group+"/input/"+in.Name]
			require.True(t, ok)
			data[m.InputNames()[i]] = nn.Floats(x.Data)
		}
		y, err := m.Predict(data)
		require.NoError(t, err)
		for i, out := range c.Outputs {
			want, ok := c.io[group+"/output/"+out.Name]
			require.True(t, ok)
			have := y[m.OutputNames()[i]]
			require.Equal(t, want.Shape[1:], []int(m.Outputs()[i].Shape()))
			require.Len(t, have.Data, len(want.Data), "%s %s", group, out.Name)
			largest := 0.0
			for _, v := range want.Data {
				largest = max(largest, math.Abs(float64(v)))
			}
			bound := 1e-5 + 1e-5*largest + 4*c.Reference.Spread
			for j, v := range want.Data {
				if !(math.Abs(float64(v-have.Data[j])) <= bound) {
					require.Fail(t, "wrong", fmt.Sprintf("%s %s[%d]: %v, want %v within %v", group, out.Name, j, have.Data[j], v, bound))
				}
			}
		}
	}
}
