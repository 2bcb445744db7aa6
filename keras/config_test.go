package keras

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/ops"
)

// sequential returns the configuration of a Sequential on 4 features.
func sequential(layers ...string) string {
	input := `{"module":"keras.layers","class_name":"InputLayer","config":{"batch_shape":[null,4],"name":"x"}}`
	return `{"module":"keras","class_name":"Sequential","config":{"name":"s","layers":[` + strings.Join(append([]string{input}, layers...), ",") + `]}}`
}

// One error has everything that is not known, with the layers' paths.
func TestUnknown(t *testing.T) {
	inner := `{"module":"keras","class_name":"Sequential","config":{"name":"inner","layers":[{"class_name":"Warp","config":{"name":"w"}}]}}`
	_, err := FromJSON([]byte(sequential(
		`{"class_name":"Lambda","module":"keras.layers","config":{"name":"code"}}`,
		`{"class_name":"Dense","module":"keras.layers","config":{"name":"d","units":2,"magic":3,"wand":[1],"quantization_config":null}}`,
		`{"class_name":"StringLookup","module":"keras.layers","config":{"name":"words"}}`,
		`{"class_name":"Dense","module":"mine.layers","registered_name":"Dense","config":{"name":"own","units":2}}`,
		`{"class_name":"Dense","module":"keras.layers","config":{"name":"half","units":2,"dtype":{"class_name":"DTypePolicy","config":{"name":"mixed_float16"}}}}`,
		inner,
	)))
	require.Error(t, err)
	for _, want := range []string{
		`layer "code": Lambda: holds Python code`, `layer "d": Dense: config field "magic" is 3, which is not known`, `field "wand"`,
		`layer "words": StringLookup: prepares data`, `layer "own": Dense: is a class of the Python module "mine.layers"`,
		`layer "half": dtype "mixed_float16"`, `layer "inner/w": Warp: unknown class "Warp": valid are [`,
	} {
		require.ErrorContains(t, err, want)
	}
}

// A double doubles.
type double struct{}

func init() { nn.Register("tests>Double", double{}) }

func (double) Build(b *nn.Builder, in []nn.Shape) nn.Shape { return b.One(in) }
func (double) Forward(c *nn.Call) *ops.Tensor              { return c.Scale(c.In(0), 2) }

// Configurations mean what they mean to the Keras that wrote them.
func TestConfigs(t *testing.T) {
	functional := func(layers, outputs string) string {
		return `{"class_name":"Functional","module":"keras.src.models.functional","registered_name":"Functional","config":{"name":"f","layers":[
			{"module":"keras.layers","class_name":"InputLayer","name":"x","config":{"batch_shape":[null,4],"name":"x"},"inbound_nodes":[]},` + layers + `],
			"input_layers":["x",0,0],"output_layers":` + outputs + `}}`
	}
	activation := func(name, on string) string {
		return fmt.Sprintf(`{"class_name":"Activation","module":"keras.layers","name":%q,"config":{"name":%q,"activation":"tanh"},"inbound_nodes":[{"args":[{"class_name":"__keras_tensor__","config":{"keras_history":[%q,0,0]}}],"kwargs":{"mask":null,"training":false}}]}`, name, name, on)
	}
	old := func(class, config string) string {
		return `{"class_name":"Sequential","keras_version":"2.2.4","config":[{"class_name":"` + class + `","config":{"name":"y","batch_input_shape":[null,4],` + config + `}}]}`
	}
	for _, c := range []struct {
		name, text string
		outputs    []string
		want       []float32 // of the first output for -3, -1, 1, 3
	}{
		{"custom", sequential(`{"class_name":"Double","module":"mine","registered_name":"tests>Double","config":{"name":"y"}}`), []string{"y"}, []float32{-6, -2, 2, 6}},
		{"hard_sigmoid of Keras 2", old("Activation", `"activation":"hard_sigmoid"`), []string{"y"}, []float32{0, 0.3, 0.7, 1}},
		{"hard_sigmoid of Keras 3", sequential(`{"class_name":"Activation","module":"keras.layers","config":{"name":"y","activation":"hard_sigmoid"}}`), []string{"y"}, []float32{0, 1. / 3, 2. / 3, 1}},
		{"LeakyReLU of Keras 2", old("LeakyReLU", `"alpha":0.5`), []string{"y"}, []float32{-1.5, -0.5, 1, 3}},
		{"a layer as activation", old("Activation", `"activation":{"class_name":"LeakyReLU","config":{"name":"l","trainable":true,"dtype":"float32","alpha":0.25}}`), []string{"y"}, []float32{-0.75, -0.25, 1, 3}},
		{"a dictionary of outputs", functional(activation("a", "x")+","+activation("b", "a"), `{"second":["b",0,0],"first":["a",0,0]}`), []string{"first", "second"}, nil},
		{"outputs of one layer", functional(activation("a", "x"), `[["a",0,0],["a",0,0]]`), []string{"a", "a_1"}, nil},
		{"an output by itself", functional(activation("a/b", "x"), `["a/b",0,0]`), []string{"a.b"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := FromJSON([]byte(c.text))
			require.NoError(t, err)
			require.Equal(t, c.outputs, m.OutputNames())
			if c.want != nil {
				y, err := m.Predict(nn.Arrays{m.InputNames()[0]: nn.Floats{-3, -1, 1, 3}})
				require.NoError(t, err)
				require.InDeltaSlice(t, c.want, y["y"].Data, 1e-6)
			}
		})
	}
}

// What is no model that can be loaded says why.
func TestRefused(t *testing.T) {
	zipped := func(files map[string]string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, text := range files {
			w, err := z.Create(name)
			require.NoError(t, err)
			_, err = w.Write([]byte(text))
			require.NoError(t, err)
		}
		require.NoError(t, z.Close())
		return b.Bytes()
	}
	nested := sequential()
	for range 80 {
		nested = `{"module":"keras","class_name":"Sequential","config":{"name":"s","layers":[` + nested + `]}}`
	}
	var weights bytes.Buffer
	models := layerModels(t)
	require.NoError(t, writeWeights(&weights, models["vectors"]))
	dense := `{"class_name":"Dense","name":"d","config":{"name":"d","units":2},"inbound_nodes":[[["d",0,0,{}]]]}`
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "is neither a zip file (.keras) nor HDF5 (.h5)"},
		{"text", []byte("hello, world"), "is neither a zip file"},
		{"a zip file without a model", zipped(map[string]string{"a.txt": "a"}), `has no config.json: it has ["a.txt"]`},
		{"a SavedModel in a zip file", zipped(map[string]string{"m/saved_model.pb": "a"}), "is a TensorFlow SavedModel"},
		{"no weights", zipped(map[string]string{"config.json": sequential()}), "has no model.weights.h5"},
		{"a path out of the folder", zipped(map[string]string{"../config.json": sequential()}), "has no config.json"},
		{"a bomb", zipped(map[string]string{"config.json": strings.Repeat(" ", 20<<20), "model.weights.h5": ""}), "at most"},
		{"weights that are a bomb", zipped(map[string]string{"config.json": sequential(), "model.weights.h5": strings.Repeat("\x00", 10<<20)}), "model.weights.h5: has 10485760 bytes"},
		{"a configuration that is a bomb", zipped(map[string]string{"config.json": sequential(`{"class_name":"Dense","module":"keras.layers","config":{"name":"d","units":100000000}}`), "model.weights.h5": weights.String()}), "more than"},
		{"weights that are none", zipped(map[string]string{"config.json": sequential(), "model.weights.h5": "x"}), "hdf5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.file), int64(len(c.file)))
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, LoadWeights(models["merging"], write(t, c.file)), "keras: LoadWeights")
		})
	}
	for _, c := range []struct{ name, text, want string }{
		{"no JSON", "{", "config: unexpected end"},
		{"null", "null", "is a model of class"},
		{"deep", nested, "has more than 64 levels"},
		{"no layers", `{"class_name":"Sequential","config":{"layers":[]}}`, "has no layers"},
		{"its own result", `{"class_name":"Model","config":{"name":"m","layers":[` + dense + `],"input_layers":[["d",0,0]],"output_layers":[["d",0,0]]}}`, "is not an InputLayer"},
		{"a cycle", `{"class_name":"Model","config":{"name":"m","layers":[{"class_name":"InputLayer","name":"x","config":{"name":"x","batch_input_shape":[null,2]},"inbound_nodes":[]},` + dense + `],"input_layers":[["x",0,0]],"output_layers":[["d",0,0]]}}`, "is called on its own result"},
		{"an open shape", strings.Replace(sequential(), "[null,4]", "[null,null,4]", 1), `has shape (None, 4), and an axis of any size needs one here: give it with keras.InputShape("x", ...)`},
		{"a negative size", strings.Replace(sequential(), "[null,4]", "[null,-4]", 1), "dimension below 1"},
		{"strings", strings.Replace(sequential(), `"name":"x"`, `"name":"x","dtype":"string"`, 1), "is for strings"},
		{"an unknown layer in the graph", `{"class_name":"Model","config":{"name":"m","layers":[{"class_name":"InputLayer","name":"x","config":{"name":"x","batch_input_shape":[null,2]},"inbound_nodes":[]}],"input_layers":[["x",0,0]],"output_layers":[["z",0,0]]}}`, `unknown layer "z": valid are ["x"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := FromJSON([]byte(c.text))
			require.ErrorContains(t, err, c.want)
		})
	}
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "saved_model.pb"), []byte{8, 1, 18}, 0o644))
	for _, path := range []string{folder, filepath.Join(folder, "saved_model.pb")} {
		_, err := Load(path)
		require.ErrorContains(t, err, `is a TensorFlow SavedModel, a graph of TensorFlow's own operations: load it in Python`)
	}
	_, err := LoadFS(fstest.MapFS{}, "m.keras")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func write(t *testing.T, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, file, 0o644))
	return path
}

// Weights come by the order of layers, or by their names.
func TestLoadWeights(t *testing.T) {
	build := func(seed uint64, names ...string) *nn.Model {
		x := nn.Input("x", 3)
		h := x
		for _, name := range names {
			h = nn.Dense(3, nn.Tanh, nn.Name(name)).On(h)
		}
		m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{h}, nn.Seed(seed))
		require.NoError(t, err)
		return m
	}
	from := build(1, "a", "b")
	for _, ending := range []string{".keras", ".h5", ".weights.h5"} {
		t.Run(ending, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m"+ending)
			require.NoError(t, Save(from, path))
			m := build(2, "p", "q")
			require.NoError(t, LoadWeights(m, path))
			for i, w := range m.Weights() {
				require.Equal(t, from.Weights()[i].Data, w.Data)
			}
			m, fresh := build(2, "b", "c", "a"), build(2, "b", "c", "a")
			require.ErrorContains(t, LoadWeights(m, path), "the model has 3 layers")
			require.NoError(t, LoadWeights(m, path, ByName()))
			require.Equal(t, from.Weights()[2].Data, m.Weights()[0].Data)
			require.Equal(t, fresh.Weights()[2].Data, m.Weights()[2].Data)
			require.Equal(t, from.Weights()[0].Data, m.Weights()[4].Data)
			require.ErrorContains(t, LoadWeights(build(1, "z"), path, ByName()), "has no weights for the model")
		})
	}
}

// No configuration panics, or takes long.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(sequential(`{"class_name":"Dense","module":"keras.layers","config":{"name":"d","units":2}}`)))
	for _, file := range []string{"h5-cascade-two-outputs", "keras-churn"} {
		if h, err := os.Open(filepath.Join("testdata", "real", file, "model."+strings.Split(file, "-")[0])); err == nil {
			info, _ := h.Stat()
			if of, err := open(h, info.Size()); err == nil {
				f.Add(of.config)
			}
			h.Close()
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := FromJSON(text)
		if err == nil {
			require.NoError(t, Write(&bytes.Buffer{}, m))
		}
	})
}
