package keras

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// layerModels are models that have every class of layers, by what they are about.
func layerModels(t *testing.T) map[string]*nn.Model {
	t.Helper()
	all := map[string]*nn.Model{}
	add := func(name string, inputs []*nn.Node, outputs ...*nn.Node) {
		m, err := nn.NewModel(inputs, outputs, nn.Name(name), nn.Seed(7))
		require.NoError(t, err)
		all[name] = m
	}

	x := nn.Input("x", 6)
	h := nn.Dense(8, nn.ReLU, nn.KernelRegularizer(nn.L2(0.01))).On(x)
	h = nn.BatchNormalization().On(h)
	h = nn.Dropout(0.2).On(h)
	h = nn.Dense(8, nn.LeakyReLUOf(0.1), nn.NoBias(), nn.KernelInitializer(nn.HeNormal())).On(h)
	h = nn.LayerNormalization().On(h)
	h = nn.GroupNormalization(2).On(h)
	h = nn.RMSNormalization().On(h)
	h = nn.UnitNormalization().On(h)
	h = nn.Normalization(nn.Moments([]float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 2, 1, 2, 1, 2, 1, 2})).On(h)
	h = nn.Normalization().On(h)
	h = nn.Rescaling(2, 1).On(h)
	h = nn.PReLU().On(h)
	h = nn.LeakyReLULayer(0.2).On(h)
	h = nn.ELULayer(0.9).On(h)
	h = nn.ReLULayer(6, 0.1, 0.01).On(h)
	h = nn.GaussianNoise(0.1).On(h)
	h = nn.GaussianDropout(0.1).On(h)
	h = nn.AlphaDropout(0.1).On(h)
	h = nn.Activation(nn.GELU).On(h)
	h = nn.EinsumDense("ab,bc->ac", []int{5}, nn.Tanh, nn.BiasAxes("c")).On(h)
	add("vectors", []*nn.Node{x}, nn.SoftmaxLayer(nn.Name("y")).On(h))

	a, b := nn.Input("a", 4), nn.Input("b", 4)
	shared := nn.Dense(4, nn.Tanh, nn.Name("shared"))
	p, q := shared.On(a), shared.On(b)
	sum := nn.Add().On(p, q, a)
	left := nn.Concatenate(nn.Name("left")).On(nn.Subtract().On(p, q), nn.Multiply().On(p, q), nn.Average().On(p, q), nn.Maximum().On(sum, q), nn.Minimum().On(p, q))
	right := nn.Dot(1, 1, nn.Name("right")).On(p, q)
	add("merging", []*nn.Node{b, a}, right, left)

	s := nn.Input("s", 6, 4)
	h = nn.Masking(0).On(s)
	h = nn.LSTM(4, nn.ReturnSequences()).On(h)
	h = nn.GRU(4, nn.ReturnSequences()).On(h)
	h = nn.GRU(4, nn.ReturnSequences(), nn.ResetAfter(false)).On(h)
	h = nn.SimpleRNN(4, nn.ReturnSequences(), nn.GoBackwards()).On(h)
	h = nn.Bidirectional(nn.LSTM(3, nn.ReturnSequences())).On(h)
	h = nn.Bidirectional(nn.GRU(3, nn.ReturnSequences()), nn.MergeMode("sum")).On(h)
	h = nn.TimeDistributed(nn.Dense(4, nn.ReLU)).On(h)
	h = nn.SpatialDropout1D(0.1).On(h)
	add("sequences", []*nn.Node{s}, nn.LSTM(3, nn.Name("y"), nn.CellActivation(nn.Sigmoid)).On(h))

	ids := nn.Input("ids", 6)
	e := nn.Embedding(10, 4).On(ids)
	h = nn.MultiHeadAttention(2, 3, nn.CausalMask()).On(e, e)
	h = nn.GroupedQueryAttention(3, 4, 2).On(h, e)
	h = nn.Attention().On(h, e)
	h = nn.AdditiveAttention().On(h, e)
	h = nn.Conv1D(4, 3, nn.ReLU, nn.Same).On(h)
	h = nn.DepthwiseConv1D(3, nn.ReLU).On(h)
	h = nn.SeparableConv1D(5, 2, nn.ReLU).On(nn.ZeroPadding1D(1, 1).On(h))
	h = nn.Cropping1D(1, 0).On(nn.UpSampling1D(2).On(h))
	h = nn.AveragePooling1D(2).On(nn.MaxPooling1D(2).On(h))
	flat := nn.Flatten(nn.Name("flat")).On(nn.Permute([]int{2, 1}).On(h))
	add("attention", []*nn.Node{ids}, flat, nn.GlobalAveragePooling1D(nn.Name("average")).On(e), nn.GlobalMaxPooling1D(nn.Name("largest")).On(e))

	image := nn.Input("image", 8, 8, 3)
	h = nn.Conv2D(4, [2]int{3, 3}, nn.SiLU, nn.Same, nn.DilationRate(2)).On(image)
	h = nn.DepthwiseConv2D([2]int{3, 3}, nn.ReLU).On(h)
	h = nn.SeparableConv2D(4, [2]int{2, 2}, nn.Linear).On(nn.ZeroPadding2D([2][2]int{{1, 0}, {0, 1}}).On(h))
	h = nn.UpSampling2D([2]int{2, 2}).On(nn.Cropping2D([2][2]int{{1, 0}, {0, 0}}).On(h))
	h = nn.AveragePooling2D([2]int{2, 2}).On(nn.MaxPooling2D([2]int{2, 2}, nn.Same).On(h))
	add("images", []*nn.Node{image}, nn.GlobalAveragePooling2D(nn.Name("average")).On(h), nn.GlobalMaxPooling2D(nn.Name("largest")).On(h),
		nn.Dense(3, nn.Softmax, nn.Name("label")).On(nn.Reshape([]int{-1}).On(nn.RepeatVector(2).On(nn.Flatten().On(h)))))

	in := nn.Input("in", 3)
	h = nn.BatchNormalization().On(nn.Dense(4, nn.Tanh).On(in))
	encoder, err := nn.NewModel([]*nn.Node{in}, []*nn.Node{h, nn.Dense(2, nn.Linear, nn.Name("side")).On(h)}, nn.Name("encoder"), nn.Seed(3))
	require.NoError(t, err)
	in = nn.Input("in", 3)
	middle, err := nn.NewModel([]*nn.Node{in}, []*nn.Node{nn.Dense(3, nn.ReLU, nn.Name("after")).On(encoder.OutputsOn(nn.Dense(3, nn.Linear).On(in))[0])}, nn.Name("middle"))
	require.NoError(t, err)
	a, b = nn.Input("left", 3), nn.Input("right", 3)
	u, v := middle.On(a), middle.On(b)
	add("nested", []*nn.Node{a, b}, nn.Dense(2, nn.Softmax, nn.Name("label")).On(nn.Concatenate().On(u, v)), v)
	return all
}

// inputsOf returns rows of data for a model.
func inputsOf(m *nn.Model, rows int) nn.Arrays {
	data := nn.Arrays{}
	for _, in := range m.Inputs() {
		x := make(nn.Floats, rows*in.Shape().Elements())
		for i := range x {
			if in.Layer().Name() == "ids" {
				x[i] = float32(i * 7 % 10)
			} else {
				x[i] = float32(i*37%101)/50 - 1
			}
		}
		data[in.Layer().Name()] = x
	}
	return data
}

// Round trips keep names, orders, shapes and all bits.
func TestRoundTrip(t *testing.T) {
	for name, m := range layerModels(t) {
		for _, format := range []string{".keras", ".h5"} {
			t.Run(name+format, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "model"+format)
				require.NoError(t, Save(m, path))
				again, err := Load(path)
				require.NoError(t, err)
				requireSame(t, m, again)
			})
		}
	}
}

func requireSame(t *testing.T, m, again *nn.Model) {
	t.Helper()
	require.Equal(t, m.Name(), again.Name())
	require.Equal(t, m.InputNames(), again.InputNames())
	require.Equal(t, m.OutputNames(), again.OutputNames())
	for i, w := range m.Weights() {
		v := again.Weights()[i]
		require.Equal(t, w.Name, v.Name)
		require.Equal(t, w.Shape, v.Shape)
		require.Equal(t, w.Data, v.Data, w.Name)
	}
	data := inputsOf(m, 3)
	want, err := m.Predict(data)
	require.NoError(t, err)
	have, err := again.Predict(data)
	require.NoError(t, err)
	require.Equal(t, want, have)
}

// TestForKeras writes models with data and results into the folder ESPALIER_KERAS, for testdata/check.py to compare with Keras.
func TestForKeras(t *testing.T) {
	folder := os.Getenv("ESPALIER_KERAS")
	if folder == "" {
		t.Skip("ESPALIER_KERAS is not set")
	}
	all := layerModels(t)
	for name, optimizer := range optimizers() {
		all["compiled with "+name] = compiled(t, optimizer)
	}
	for name, m := range all {
		data := inputsOf(m, 3)
		y, err := m.Predict(data)
		require.NoError(t, err)
		values := map[string]any{}
		var inputs, outputs []any
		for _, in := range m.Inputs() {
			inputs = append(inputs, map[string]any{"shape": in.Shape(), "values": data[in.Layer().Name()]})
		}
		for i, out := range m.Outputs() {
			outputs = append(outputs, map[string]any{"shape": out.Shape(), "values": y[m.OutputNames()[i]].Data})
		}
		values["inputs"], values["outputs"] = inputs, outputs
		text, err := json.Marshal(values)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".json"), text, 0o644))
		for _, format := range []string{".keras", ".h5"} {
			require.NoError(t, Save(m, filepath.Join(folder, name+format)))
		}
	}
}
