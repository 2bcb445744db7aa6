package nn

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// imageModel has every layer that moves a window over images.
func imageModel(t testing.TB) *Model {
	x := Input("image", 8, 8, 2)
	h := Conv2D(8, [2]int{3, 3}, ReLU, Same, Name("conv")).On(x)
	h = MaxPooling2D([2]int{2, 2}).On(h)
	h = SeparableConv2D(6, [2]int{3, 3}, GELU, Same, DepthMultiplier(2), Name("separable")).On(h)
	h = Conv2D(4, [2]int{3, 3}, Tanh, Same, Groups(2), Name("groups")).On(h)
	h = AveragePooling2D([2]int{2, 2}, Same, Strides(1)).On(h)
	h = UpSampling2D([2]int{2, 2}, Bilinear()).On(ZeroPadding2D([2][2]int{{1, 0}, {0, 1}}).On(h))
	h = DepthwiseConv2D([2]int{3, 3}, Sigmoid, Strides(2), Name("depthwise")).On(h)
	h = Concatenate().On(GlobalAveragePooling2D().On(h), GlobalMaxPooling2D().On(h))
	m, err := NewModel([]*Node{x}, []*Node{Dense(3, Softmax, Name("class")).On(h)}, Seed(4))
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(1e-2), Losses{"class": SparseCategoricalCrossentropy()}))
	return m
}

func imageData(rows int) Data {
	c := layerCase{in: []Shape{{8, 8, 2}}}
	labels := make(Labels, rows)
	x := c.data(1, rows)[0]
	for i := range labels {
		labels[i] = int32(i % 3)
		for j := range 128 {
			x[i*128+j] += float32(labels[i])
		}
	}
	return Data{Inputs: Arrays{"image": x}, Targets: Arrays{"class": labels}}
}

// A model of images learns, is served with the bits of Predict for any batch, and neither a step nor a request allocates.
func TestImages(t *testing.T) {
	m := imageModel(t)
	d := imageData(24)
	history, err := m.Fit(context.Background(), d, Epochs(20), BatchSize(8), Seed(1))
	require.NoError(t, err)
	loss := history.Logs["loss"]
	require.Less(t, loss[len(loss)-1], 0.8*loss[0])
	y, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	p, err := NewPlan(m, 24)
	require.NoError(t, err)
	s := p.NewSession()
	copy(s.Input(0), d.Inputs["image"].(Floats))
	for _, batch := range []int{1, 7, 24} {
		require.NoError(t, s.Run(batch))
		requireBits(t, y["class"].Data[:3*batch], s.Output(0)[:3*batch], "batch %d", batch)
		require.Zero(t, testing.AllocsPerRun(5, func() { _ = s.Run(batch) }))
	}
	require.Zero(t, testing.AllocsPerRun(5, func() {
		if _, err := m.TrainOnBatch(d); err != nil {
			t.Fatal(err)
		}
	}))
}

// Workers change no bit of what a model of images learns, nor of what it serves.
func TestImageWorkers(t *testing.T) {
	run := func(workers int) (all []float32) {
		x := Input("image", 20, 20, 4)
		h := Conv2D(16, [2]int{3, 3}, ReLU, Same).On(x)
		h = Conv2D(8, [2]int{3, 3}, ReLU).On(MaxPooling2D([2]int{2, 2}).On(h))
		m, err := NewModel([]*Node{x}, []*Node{Dense(2, Linear, Name("y")).On(Flatten().On(h))}, Seed(4))
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(1e-2), Losses{"y": MSE()}))
		c := layerCase{in: []Shape{{20, 20, 4}, {2}}}
		data := c.data(1, 16)
		d := Data{Inputs: Arrays{"image": data[0]}, Targets: Arrays{"y": data[1]}}
		_, err = m.Fit(context.Background(), d, Epochs(2), BatchSize(8), Seed(1), Workers(workers))
		require.NoError(t, err)
		for _, w := range m.Weights() {
			all = append(all, w.Data...)
		}
		p, err := NewPlan(m, 16, Workers(workers))
		require.NoError(t, err)
		out := make([]float32, 32)
		require.NoError(t, p.Predict([][]float32{data[0]}, [][]float32{out}, 16))
		return append(all, out...)
	}
	requireBits(t, run(1), run(3), "workers")
}

// A small model for images: its sizes, and what a plan of it computes.
func ExampleConv2D() {
	image := Input("image", 28, 28, 1)
	h := Conv2D(16, [2]int{3, 3}, ReLU, Same).On(image)
	h = MaxPooling2D([2]int{2, 2}).On(h)
	h = SeparableConv2D(32, [2]int{3, 3}, ReLU, Strides(2)).On(h)
	h = DepthwiseConv2D([2]int{3, 3}, ReLU, NoBias()).On(h)
	fmt.Println(h.Shape(), GlobalAveragePooling2D().On(h).Shape(), GlobalMaxPooling2D(KeepDims()).On(h).Shape())
	fmt.Println(UpSampling2D([2]int{2, 2}, Bilinear()).On(h).Shape(), ZeroPadding2D([2][2]int{{1, 1}, {0, 0}}).On(h).Shape(),
		Cropping2D([2][2]int{{1, 1}, {0, 1}}).On(h).Shape(), AveragePooling2D([2]int{2, 2}, Same).On(h).Shape())
	// Output:
	// (4, 4, 32) (32) (1, 1, 32)
	// (8, 8, 32) (6, 4, 32) (2, 3, 32) (2, 2, 32)
}

// A small model for series.
func ExampleConv1D() {
	series := Input("series", 24, 3)
	h := Conv1D(16, 3, ReLU, Causal, DilationRate(2)).On(series)
	h = MaxPooling1D(2).On(h)
	h = SeparableConv1D(8, 3, Tanh, Same, DepthMultiplier(2)).On(h)
	h = DepthwiseConv1D(3, Linear, Strides(2)).On(h)
	fmt.Println(h.Shape(), Conv1D(4, 1, Linear, Groups(2)).On(h).Shape(), AveragePooling1D(2).On(h).Shape())
	fmt.Println(GlobalAveragePooling1D().On(h).Shape(), GlobalMaxPooling1D().On(h).Shape())
	fmt.Println(UpSampling1D(2).On(h).Shape(), ZeroPadding1D(1, 2).On(h).Shape(), Cropping1D(1, 2).On(h).Shape())
	// Output:
	// (5, 8) (5, 4) (2, 8)
	// (8) (8)
	// (10, 8) (8, 8) (2, 8)
}
