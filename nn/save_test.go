package nn

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A saved case is a model and data that fits it.
type savedCase struct {
	model *Model
	data  Data
}

// savedRows returns rows x width numbers from -1 to 1.
func savedRows(rows, width int) Floats {
	v := make(Floats, rows*width)
	for i := range v {
		v[i] = float32(math.Sin(float64(i*i + width)))
	}
	return v
}

func savedLabels(rows, classes int) Labels {
	v := make(Labels, rows)
	for i := range v {
		v[i] = int32(i * i % classes)
	}
	return v
}

// savedCases returns a model of each kind, not compiled.
func savedCases(t testing.TB) map[string]*savedCase {
	model := func(inputs, outputs []*Node, opts ...ModelOption) *Model {
		m, err := NewModel(inputs, outputs, opts...)
		require.NoError(t, err)
		return m
	}
	cases := map[string]*savedCase{}

	x := Input("x", 3)
	h := Dense(4, ReLU, Name("trunk")).On(x)
	label, value := Dense(3, Softmax, Name("label")).On(h), Dense(2, Linear, Name("value"), NoBias()).On(h)
	cases["several outputs"] = &savedCase{
		model([]*Node{x}, []*Node{label, value}, Name("arms"), Seed(math.MaxUint64)),
		Data{Inputs: Arrays{"x": savedRows(10, 3)}, Targets: Arrays{"label": savedLabels(10, 3), "value": savedRows(10, 2)}},
	}

	image, text := Input("", 2, 3), Input("", 4)
	joined := Concatenate().On(Flatten().On(Dense(2, GELU).On(image)), Activation(Sigmoid).On(Dense(3, Linear).On(text)))
	cases["several inputs"] = &savedCase{
		model([]*Node{text, image}, []*Node{Dense(3, Softmax).On(Dropout(0.25).On(joined))}),
		Data{Inputs: Arrays{"input_layer": savedRows(10, 6), "input_layer_1": savedRows(10, 4)}, Targets: Arrays{"dense_2": savedLabels(10, 3)}},
	}

	// A layer that is called twice here and also elsewhere, created after what it is called on; names with everything
	// that JSON escapes; an input that nothing uses.
	out := Dense(3, Softmax, Name(`"ä" <&>`+"\t\u2028\\"))
	a, b, spare := Input("a", 2, 2), Input("b", 2, 2), Input("spare", 1)
	tower, drop := Dense(2, Tanh, Name("tower")), Dropout(0.5, Name("drop"))
	drop.On(tower.On(Input("elsewhere", 5, 2)))
	left := drop.On(tower.On(a))
	tower.On(b)
	right := drop.On(tower.On(b))
	tower.SetTrainable(false)
	both := Add().On(Multiply().On(left, right), left, right)
	cases["shared"] = &savedCase{
		model([]*Node{b, a, spare}, []*Node{out.On(Reshape([]int{4}).On(both)), Flatten(Name("flat")).On(right)}, Seed(7)),
		Data{
			Inputs:  Arrays{"a": savedRows(10, 4), "b": savedRows(10, 4), "spare": savedRows(10, 1)},
			Targets: Arrays{out.Name(): savedLabels(10, 3)},
		},
	}

	word, words := Input("word", 1), Input("words", 2, 2)
	vectors, other := Embedding(9, 3, Name("vectors")), Embedding(5, 2, Name("other"))
	other.SetTrainable(false)
	h = Concatenate().On(Flatten().On(vectors.On(word)), Flatten().On(vectors.On(words)), Flatten().On(other.On(Flatten().On(words))))
	cases["embeddings"] = &savedCase{
		model([]*Node{words, word}, []*Node{Dense(2, Softmax, Name("label")).On(h)}),
		Data{Inputs: Arrays{"word": savedLabels(10, 9), "words": savedLabels(40, 5)}, Targets: Arrays{"label": savedLabels(10, 2)}},
	}

	q := Input("q", 3)
	h = Dense(3, Tanh).On(Dropout(0.3).On(q))
	part := model([]*Node{q}, []*Node{h, Dense(2, ReLU).On(h)}, Name("part"))
	around := Dense(2, ReLU).On(Concatenate().On(part.OutputsOn(q)...))
	whole := model([]*Node{q}, []*Node{around})
	near, far := Input("near", 3), Input("far", 3)
	end := Dense(2, Softmax, Name("end")).On(Add().On(whole.On(near), whole.On(far)))
	cases["models"] = &savedCase{
		model([]*Node{near, far}, []*Node{end}),
		Data{Inputs: Arrays{"near": savedRows(10, 3), "far": savedRows(10, 3)}, Targets: Arrays{"end": savedLabels(10, 2)}},
	}
	return cases
}

// compile compiles the case's model with a loss for each target.
func (c *savedCase) compile(t testing.TB, optimizer Optimizer) {
	losses, metrics := Losses{}, Metrics{}
	for _, name := range c.model.OutputNames() {
		switch c.data.Targets[name].(type) {
		case Labels:
			losses[name], metrics[name] = SparseCategoricalCrossentropy(), []Metric{Accuracy()}
		case Floats:
			losses[name], metrics[name] = MSE(), []Metric{MAE(), MSE()}
		default:
			losses[name] = nil
		}
	}
	weights := LossWeights{c.model.OutputNames()[0]: 0.3}
	require.NoError(t, c.model.Compile(optimizer, losses, metrics, weights))
}

func (c *savedCase) fit(t testing.TB, m *Model, opts ...FitOption) *History {
	history, err := m.Fit(context.Background(), c.data, append(opts, BatchSize(3))...)
	require.NoError(t, err)
	return history
}

// savedState is everything about a model that a file must keep.
type savedState struct {
	name, summary string
	predictions   map[string][]uint32
	weights       []uint32
	slots         []uint32
	training      *training
}

func (c *savedCase) state(t testing.TB, m *Model) savedState {
	bits := func(v []float32) (b []uint32) {
		for _, x := range v {
			b = append(b, math.Float32bits(x))
		}
		return b
	}
	s := savedState{name: m.Name(), predictions: map[string][]uint32{}}
	predictions, err := m.Predict(c.data.Inputs)
	require.NoError(t, err)
	for name, y := range predictions {
		s.predictions[name] = bits(y.Data)
	}
	for _, w := range m.Weights() {
		s.weights = append(s.weights, bits(w.Data)...)
	}
	if m.trainer != nil {
		s.training = m.trainer.training()
		for _, slots := range m.trainer.slots {
			for _, v := range slots {
				s.slots = append(s.slots, bits(v)...)
			}
		}
	}
	var summary strings.Builder
	require.NoError(t, m.Summary(&summary))
	// A file numbers the calls of a layer from 0; calls in other graphs do not count.
	s.summary = regexp.MustCompile(`\[\d+\]\[0\]`).ReplaceAllString(summary.String(), "")
	return s
}

func savedBytes(t testing.TB, m *Model) []byte {
	var b bytes.Buffer
	n, err := m.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	return b.Bytes()
}

func TestSaveAndLoad(t *testing.T) {
	for _, phase := range []string{"fresh", "compiled", "trained"} {
		for name, c := range savedCases(t) {
			t.Run(phase+"/"+name, func(t *testing.T) {
				if phase != "fresh" {
					c.compile(t, Adam(0.01))
				}
				if phase == "trained" {
					c.fit(t, c.model, Epochs(2))
				}
				want := c.state(t, c.model)
				path := filepath.Join(t.TempDir(), "model.safetensors")
				require.NoError(t, c.model.Save(path))
				require.Equal(t, want, c.state(t, c.model), "Save changes nothing")

				loaded, err := Load(path)
				require.NoError(t, err)
				require.Equal(t, want, c.state(t, loaded))
				require.Equal(t, c.model.InputNames(), loaded.InputNames())
				require.Equal(t, c.model.OutputNames(), loaded.OutputNames())
				for i, l := range loaded.Layers() {
					require.Equal(t, c.model.Layers()[i].Name(), l.Name())
					require.Equal(t, c.model.Layers()[i].Trainable(), l.Trainable())
				}

				b, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, b, savedBytes(t, c.model), "the same model gives the same bytes")
				require.Equal(t, b, savedBytes(t, loaded), "so does its copy")
			})
		}
	}
}

// The same program gives the same file, whatever else it builds before.
func TestSaveIsDeterministic(t *testing.T) {
	one, two := savedCases(t), savedCases(t)
	for name := range one {
		one[name].compile(t, RMSprop(0.01))
		two[name].compile(t, RMSprop(0.01))
		require.Equal(t, savedBytes(t, one[name].model), savedBytes(t, two[name].model), name)
	}
}

func TestResume(t *testing.T) {
	momentum, nesterov := SGD(0.01), SGD(0.01)
	momentum.Momentum, nesterov.Momentum, nesterov.Nesterov = 0.9, 0.9, true
	optimizers := map[string]Optimizer{"sgd": SGD(0.01), "momentum": momentum, "nesterov": nesterov, "adam": Adam(0.01), "rmsprop": RMSprop(0.01)}
	for name, optimizer := range optimizers {
		for kind := range savedCases(t) {
			t.Run(name+"/"+kind, func(t *testing.T) {
				whole, half := savedCases(t)[kind], savedCases(t)[kind]
				whole.compile(t, optimizer)
				half.compile(t, optimizer)
				want := whole.fit(t, whole.model, Epochs(10))

				first := half.fit(t, half.model, Epochs(5))
				loaded, err := parse(savedBytes(t, half.model))
				require.NoError(t, err)
				second := half.fit(t, loaded, Epochs(10), InitialEpoch(5))

				for log, values := range want.Logs {
					require.Equal(t, values, append(first.Logs[log], second.Logs[log]...), log)
				}
				require.Equal(t, whole.state(t, whole.model), whole.state(t, loaded))
				require.Equal(t, savedBytes(t, whole.model), savedBytes(t, loaded))
			})
		}
	}
}

// A model that a file cannot hold is an error before anything is written.
func TestWriteToErrors(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *savedCase)
		want   string
	}{
		"NaN weight":    {func(c *savedCase) { c.model.Weights()[0].Data[2] = float32(math.NaN()) }, `"trunk/kernel": value 2 is NaN`},
		"infinite slot": {func(c *savedCase) { c.model.trainer.slots[1][0][3] = float32(math.Inf(-1)) }, `"optimizer/trunk/bias/momentum": value 3 is -Inf`},
		"length":        {func(c *savedCase) { c.model.Weights()[0].Data = nil }, `"trunk/kernel" has 0 values, shape (3, 4) needs 12`},
		"layer name":    {func(c *savedCase) { c.model.layers[0].name = "a\xff" }, `layer "a\xff" (InputLayer): the name is not valid UTF-8`},
		"model name":    {func(c *savedCase) { c.model.name = "a\xff" }, `the model's name "a\xff" is not valid UTF-8`},
		"learning rate": {func(c *savedCase) { c.model.trainer.optimizer.LearningRate().Value = math.NaN() }, "learning rate NaN must be finite"},
	} {
		t.Run(name, func(t *testing.T) {
			c := savedCases(t)["several outputs"]
			c.compile(t, Adam(0.01))
			path := filepath.Join(t.TempDir(), "model")
			require.NoError(t, c.model.Save(path))
			old, err := os.ReadFile(path)
			require.NoError(t, err)
			test.change(c)

			var b bytes.Buffer
			n, err := c.model.WriteTo(&b)
			require.ErrorContains(t, err, "nn: WriteTo: ")
			require.ErrorContains(t, err, test.want)
			require.Zero(t, n)
			require.Zero(t, b.Len())
			require.ErrorContains(t, c.model.Save(path), test.want)
			requireOnly(t, path, old)
		})
	}
}

// requireOnly requires that path has the bytes and is alone in its folder.
func requireOnly(t *testing.T, path string, b []byte) {
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, b, have)
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1)
}

// limited fails after n bytes.
type limited struct{ n int }

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.n {
		return l.n, io.ErrShortWrite
	}
	l.n -= len(b)
	return len(b), nil
}

func TestSaveErrors(t *testing.T) {
	c := savedCases(t)["several outputs"]
	size := len(savedBytes(t, c.model))
	t.Run("failing writer", func(t *testing.T) {
		for _, limit := range []int{0, 1, 100, size - 1} {
			n, err := c.model.WriteTo(&limited{limit})
			require.ErrorIs(t, err, io.ErrShortWrite)
			require.EqualValues(t, limit, n)
		}
		_, err := c.model.WriteTo(&limited{size})
		require.NoError(t, err)
	})
	t.Run("full disk", func(t *testing.T) {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Skip(err)
		}
		defer full.Close()
		_, err = c.model.WriteTo(full)
		require.ErrorContains(t, err, "nn: WriteTo: write /dev/full: no space left on device")
	})
	t.Run("missing folder", func(t *testing.T) {
		err := c.model.Save(filepath.Join(t.TempDir(), "none", "model"))
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, "nn: Save ")
	})
	t.Run("read-only folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "model")
		require.NoError(t, c.model.Save(path))
		old, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(filepath.Dir(path), 0o500))
		defer os.Chmod(filepath.Dir(path), 0o700)
		if f, err := os.Create(filepath.Join(filepath.Dir(path), "probe")); err == nil {
			f.Close()
			t.Skip("this user may write to read-only folders")
		}
		require.ErrorIs(t, c.model.Save(path), fs.ErrPermission)
		requireOnly(t, path, old)
	})
	t.Run("path is a folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "model")
		require.NoError(t, os.Mkdir(path, 0o777))
		require.ErrorContains(t, c.model.Save(path), "is not a regular file but d")
		files, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, files, 1)
	})
	t.Run("path is empty", func(t *testing.T) {
		t.Chdir(t.TempDir())
		require.ErrorContains(t, c.model.Save(""), `nn: Save "": `)
		files, err := os.ReadDir(".")
		require.NoError(t, err)
		require.Empty(t, files)
	})
}

func TestSaveKeepsTheMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are those of Unix")
	}
	c := savedCases(t)["several outputs"]
	path := filepath.Join(t.TempDir(), "model")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, c.model.Save(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	requireOnly(t, path, savedBytes(t, c.model))
}
