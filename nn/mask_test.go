package nn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/ops"
)

var maskingCase = layerCase{
	name:  "Masking",
	make:  func(o ...LayerOption) *Layer { return Masking(0.5, o...) },
	in:    []Shape{{2, 3}},
	want:  func(in [][]float64, _ map[string][]float64) []float64 { return in[0] }, // see TestMasking for steps that are left out
	wrong: [][]Shape{{{3}}, {{2, 3}, {2, 3}}},
}

// showMask is a layer whose result is the mask of its input, or 2 where there is none.
type showMask struct{}

func init() { Register("ShowMask", showMask{}) }

func (showMask) Build(b *Builder, in []Shape) Shape { return Shape{in[0].Elements() / in[0].Last()} }

func (showMask) Forward(c *Call) *ops.Tensor {
	if m := c.Mask(0); m != nil {
		return m
	}
	x := c.Vectors(0)
	return c.Samples(c.Add(c.Unequal(x, 1e30), c.Unequal(x, 1e30)))
}

// maskOf returns what showMask sees of a node, as Predict and a plan compute it, and the values of the node.
func maskOf(t *testing.T, n *Node, inputs []*Node, data Arrays, rows int) (mask, values []float32) {
	t.Helper()
	y := New(&showMask{}, Name("mask")).On(n)
	m, err := NewModel(inputs, []*Node{y, Reshape(n.Shape(), Name("values")).On(n)}, Seed(1))
	require.NoError(t, err)
	got, err := m.Predict(data)
	require.NoError(t, err)
	p, err := NewPlan(m, rows)
	require.NoError(t, err)
	s := p.NewSession()
	for i, x := range inputs {
		switch x := data[x.layer.name].(type) {
		case Floats:
			copy(s.Input(i), x)
		case Labels:
			for j, v := range x {
				s.Input(i)[j] = float32(v)
			}
		}
	}
	require.NoError(t, s.Run(rows))
	require.Equal(t, got["mask"].Data, s.Output(0))
	require.Equal(t, got["values"].Data, s.Output(1))
	return got["mask"].Data, got["values"].Data
}

// Masking sets to zero what is masked and leaves the rest.
func TestMasking(t *testing.T) {
	x := Input("x", 3, 2)
	data := Arrays{"x": Floats{1, 2, -1, -1, -1, 3 /**/, -1, -1, 0, 0, 5, -1}}
	mask, y := maskOf(t, Masking(-1).On(x), []*Node{x}, data, 2)
	require.Equal(t, []float32{1, 0, 1 /**/, 0, 1, 1}, mask)
	require.Equal(t, []float32{1, 2, 0, 0, -1, 3 /**/, 0, 0, 0, 0, 5, -1}, y)
}

// Each class passes on the mask that Keras 3.15 has behind it.
func TestMaskPropagation(t *testing.T) {
	const none = 2
	a, b := Input("a", 4), Input("b", 4)
	data := Arrays{"a": Labels{3, 0, 1, 0}, "b": Labels{0, 0, 2, 2}}
	first := Embedding(5, 3, MaskZero(), Name("first")).On(a)
	second := Embedding(5, 3, MaskZero(), Name("second")).On(b)
	plain := Embedding(5, 3, Name("plain")).On(b)
	maskA, either := []float32{1, 0, 1, 0}, []float32{1, 0, 1, 1}
	unmasked := []float32{none, none, none, none}
	for name, c := range map[string]struct {
		node *Node
		want []float32
	}{
		"Embedding":            {first, maskA},
		"without mask_zero":    {plain, unmasked},
		"Dense":                {Dense(2, ReLU).On(first), maskA},
		"Dropout":              {Dropout(0.5).On(first), maskA},
		"Activation":           {Activation(Tanh).On(first), maskA},
		"LayerNormalization":   {LayerNormalization().On(first), maskA},
		"Masking":              {Masking(0).On(first), []float32{1, 1, 1, 1}},
		"Add":                  {Add().On(first, second, first), either},
		"Multiply":             {Multiply().On(first, second), either},
		"Add of one unmasked":  {Add().On(first, plain), unmasked},
		"Concatenate":          {Concatenate().On(first, second), either},
		"Concatenate unmasked": {Concatenate().On(plain, first), unmasked},
		"Reshape":              {Reshape([]int{4, 3}).On(first), unmasked},
	} {
		t.Run(name, func(t *testing.T) {
			mask, _ := maskOf(t, c.node, []*Node{a, b}, data, 1)
			require.Equal(t, c.want, mask)
		})
	}
}

// The mean of a sequence is that of the steps that count, 0 if there are none, in training too.
func TestMaskedMean(t *testing.T) {
	for _, opts := range [][]LayerOption{nil, {KeepDims()}} {
		x := Input("x", 3, 2)
		data := Arrays{"x": Floats{1, 2, -1, -1, -5, 3 /**/, -1, -1, -1, -1, -1, -1 /**/, 3, 1, 1, 1, 2, 4}}
		masked := Dense(2, Linear, NoBias(), KernelInitializer(IdentityMatrix(1)), Name("d")).On(Masking(-1).On(x))
		pooled := GlobalAveragePooling1D(opts...).On(masked)
		mask, y := maskOf(t, pooled, []*Node{x}, data, 3)
		require.NotContains(t, mask, float32(0))
		require.InDeltaSlice(t, []float32{-2, 2.5, 0, 0, 2, 2}, y, 1e-6)

		m, err := NewModel([]*Node{x}, []*Node{Flatten(Name("y")).On(pooled)})
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(3), Losses{"y": MSE()}))
		_, err = m.TrainOnBatch(Data{Inputs: data, Targets: Arrays{"y": Floats{0, 0, 0, 0, 0, 2}}})
		require.NoError(t, err)
		// The gradient of the kernel is the mean of 2·x·(y-target)/2 over three samples, with x the masked mean.
		w := m.Weights()[0].Data
		require.InDeltaSlice(t, []float32{1 - (4 + 0 + 4), 0 - (-5 + 0 + 0), 0 - (-5 + 0 + 4), 1 - (6.25 + 0 + 0)}, w, 1e-5)
	}
}

func TestMaskErrors(t *testing.T) {
	x := Input("x", 3)
	_, err := NewModel([]*Node{x}, []*Node{Dense(2, ReLU, MaskZero(), Name("d")).On(x)})
	require.ErrorContains(t, err, `layer "d" (Dense): does not take MaskZero: only Embedding looks up indices`)
}
