package onnx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/ops"
	"github.com/espalier-ml/espalier/safetensors"
)

// An exportCase is a model that is written. Inputs are whole numbers below limit, or any numbers where it is 0.
type exportCase struct {
	name  string
	model *nn.Model
	limit int
	nodes string // operators of the graph, where they are of interest
}

// layerCase is a model with one layer.
func layerCase(t testing.TB, name string, l *nn.Layer, in ...nn.Shape) exportCase {
	var inputs []*nn.Node
	for i, s := range in {
		inputs = append(inputs, nn.Input(fmt.Sprint("x", i), s...))
	}
	c := modelCase(t, name, inputs, l.On(inputs...))
	if l.Class() == "Embedding" || strings.Contains(name, "Embedding") {
		c.limit = 5
	}
	return c
}

func modelCase(t testing.TB, name string, inputs []*nn.Node, outputs ...*nn.Node) exportCase {
	m, err := nn.NewModel(inputs, outputs, nn.Seed(5))
	require.NoError(t, err, name)
	for _, w := range m.Weights() {
		for i := range w.Data {
			w.Data[i] += 0.25 // so that zeros and ones are not what they were
		}
	}
	return exportCase{name: name, model: m}
}

// notExported are the classes that have no case, with the reason.
var notExported = map[string]string{
	"InputLayer": "computes nothing, and is in all of them",
	"Custom":     "computes a function of its own",
}

// exportCases has all classes of layers. TestExportCases fails for one that it lacks.
func exportCases(t testing.TB) []exportCase {
	seq := nn.ReturnSequences
	all := []exportCase{
		layerCase(t, "Dense", nn.Dense(4, nn.ReLU), nn.Shape{3}),
		layerCase(t, "Dense/of vectors", nn.Dense(4, nn.Softmax, nn.NoBias()), nn.Shape{2, 3}),
		layerCase(t, "Activation", nn.Activation(nn.Tanh), nn.Shape{2, 3}),
		layerCase(t, "Dropout", nn.Dropout(0.3), nn.Shape{2, 3}),
		layerCase(t, "SpatialDropout1D", nn.SpatialDropout1D(0.3), nn.Shape{2, 3}),
		layerCase(t, "GaussianNoise", nn.GaussianNoise(0.3), nn.Shape{3}),
		layerCase(t, "GaussianDropout", nn.GaussianDropout(0.3), nn.Shape{3}),
		layerCase(t, "ActivityRegularization", nn.ActivityRegularization(0.1, 0.1), nn.Shape{3}),
		layerCase(t, "AddLoss", nn.AddLoss(0.5), nn.Shape{3}, nn.Shape{1}),
		layerCase(t, "AlphaDropout", nn.AlphaDropout(0.3), nn.Shape{3}),
		layerCase(t, "Embedding", nn.Embedding(5, 3), nn.Shape{2}),
		layerCase(t, "Flatten", nn.Flatten(), nn.Shape{2, 3}),
		layerCase(t, "Identity", nn.Identity(), nn.Shape{2, 3}),
		layerCase(t, "Reshape", nn.Reshape([]int{3, -1}), nn.Shape{2, 6}),
		layerCase(t, "RepeatVector", nn.RepeatVector(3), nn.Shape{4}),
		layerCase(t, "Permute", nn.Permute([]int{3, 1, 2}), nn.Shape{2, 3, 4}),
		layerCase(t, "Concatenate", nn.Concatenate(), nn.Shape{2, 3}, nn.Shape{2, 1}),
		layerCase(t, "Concatenate/first axis", nn.Concatenate(nn.Axis(1)), nn.Shape{2, 3}, nn.Shape{1, 3}),
		layerCase(t, "Concatenate/middle axis", nn.Concatenate(nn.Axis(-2)), nn.Shape{2, 2, 3}, nn.Shape{2, 1, 3}),
		layerCase(t, "Average", nn.Average(), nn.Shape{2, 3}, nn.Shape{2, 3}, nn.Shape{2, 3}),
		layerCase(t, "Multiply/spread", nn.Multiply(), nn.Shape{2, 3}, nn.Shape{1, 3}, nn.Shape{3}),
		layerCase(t, "Dot", nn.Dot(1, -2), nn.Shape{3, 2}, nn.Shape{3, 4}),
		layerCase(t, "Dot/vectors", nn.Dot(-1, -1), nn.Shape{3}, nn.Shape{3}),
		layerCase(t, "Dot/cosine", nn.Dot(1, 1, nn.Normalize()), nn.Shape{3}, nn.Shape{3}),
		layerCase(t, "EinsumDense", nn.EinsumDense("abc,cd->abd", []int{0, 4}, nn.ReLU, nn.BiasAxes("d")), nn.Shape{2, 3}),
		layerCase(t, "EinsumDense/kept axis", nn.EinsumDense("abc,bcd->abd", []int{2, 4}, nn.Linear, nn.BiasAxes("bd")), nn.Shape{2, 3}),
		layerCase(t, "EinsumDense/moved axis", nn.EinsumDense("abc,cd->adb", []int{4, 2}, nn.Linear, nn.BiasAxes("d")), nn.Shape{2, 3}),
		layerCase(t, "Masking", nn.Masking(0), nn.Shape{2, 3}),
		layerCase(t, "ReLU", nn.ReLULayer(1.5, 0.1, 0.2), nn.Shape{2, 3}),
		layerCase(t, "LeakyReLU", nn.LeakyReLULayer(0.2), nn.Shape{2, 3}),
		layerCase(t, "ELU", nn.ELULayer(0.7), nn.Shape{2, 3}),
		layerCase(t, "PReLU", nn.PReLU(), nn.Shape{2, 3}),
		layerCase(t, "PReLU/shared", nn.PReLU(nn.SharedAxes(1, 3)), nn.Shape{2, 3, 2}),
		layerCase(t, "Softmax", nn.SoftmaxLayer(), nn.Shape{2, 3}),
		layerCase(t, "Softmax/first axis", nn.SoftmaxLayer(nn.Axis(1)), nn.Shape{2, 3}),
		layerCase(t, "BatchNormalization", nn.BatchNormalization(), nn.Shape{2, 3}),
		layerCase(t, "BatchNormalization/first axis", nn.BatchNormalization(nn.Axis(1)), nn.Shape{2, 3}),
		layerCase(t, "LayerNormalization", nn.LayerNormalization(), nn.Shape{2, 3}),
		layerCase(t, "LayerNormalization/first axis", nn.LayerNormalization(nn.Axis(1), nn.NoScale()), nn.Shape{2, 3}),
		layerCase(t, "GroupNormalization", nn.GroupNormalization(2), nn.Shape{3, 4}),
		layerCase(t, "RMSNormalization", nn.RMSNormalization(), nn.Shape{2, 3}),
		layerCase(t, "UnitNormalization", nn.UnitNormalization(), nn.Shape{2, 3}),
		layerCase(t, "Normalization", nn.Normalization(nn.Moments([]float32{1, 2, 3}, []float32{4, 5, 6})), nn.Shape{2, 3}),
		layerCase(t, "Normalization/inverted", nn.Normalization(nn.Axis(1, 3), nn.Invert()), nn.Shape{2, 2, 3}),
		layerCase(t, "Rescaling", nn.Rescaling(0.1, -1), nn.Shape{2, 3}),
		layerCase(t, "Conv1D", nn.Conv1D(4, 3, nn.Tanh, nn.Causal, nn.DilationRate(2)), nn.Shape{6, 2}),
		layerCase(t, "Conv1D/one step", nn.Conv1D(4, 1, nn.Softmax, nn.NoBias()), nn.Shape{3, 2}),
		layerCase(t, "Conv1D/strides that leave steps", nn.Conv1D(4, 2, nn.ReLU, nn.Strides(4)), nn.Shape{9, 2}),
		layerCase(t, "Conv2D", nn.Conv2D(3, [2]int{3, 3}, nn.Tanh, nn.Same), nn.Shape{4, 3, 2}),
		layerCase(t, "Conv2D/groups", nn.Conv2D(4, [2]int{2, 3}, nn.ReLU, nn.Groups(2), nn.Strides(2, 1)), nn.Shape{5, 4, 2}),
		layerCase(t, "DepthwiseConv1D", nn.DepthwiseConv1D(2, nn.GELU, nn.Strides(2)), nn.Shape{5, 3}),
		layerCase(t, "DepthwiseConv2D", nn.DepthwiseConv2D([2]int{2, 3}, nn.ReLU, nn.DepthMultiplier(2), nn.Same), nn.Shape{4, 3, 2}),
		layerCase(t, "SeparableConv1D", nn.SeparableConv1D(2, 3, nn.Linear, nn.NoBias()), nn.Shape{5, 3}),
		layerCase(t, "SeparableConv2D", nn.SeparableConv2D(3, [2]int{2, 2}, nn.Tanh, nn.DepthMultiplier(2)), nn.Shape{4, 3, 2}),
		layerCase(t, "MaxPooling1D", nn.MaxPooling1D(3, nn.Strides(1), nn.Same), nn.Shape{4, 2}),
		layerCase(t, "MaxPooling2D", nn.MaxPooling2D([2]int{2, 2}), nn.Shape{5, 4, 3}),
		layerCase(t, "AveragePooling1D", nn.AveragePooling1D(2), nn.Shape{5, 2}),
		layerCase(t, "AveragePooling2D", nn.AveragePooling2D([2]int{2, 2}, nn.Same), nn.Shape{5, 4, 3}),
		layerCase(t, "GlobalMaxPooling1D", nn.GlobalMaxPooling1D(), nn.Shape{4, 2}),
		layerCase(t, "GlobalMaxPooling2D", nn.GlobalMaxPooling2D(), nn.Shape{4, 3, 2}),
		layerCase(t, "GlobalAveragePooling1D", nn.GlobalAveragePooling1D(), nn.Shape{4, 2}),
		layerCase(t, "GlobalAveragePooling2D", nn.GlobalAveragePooling2D(), nn.Shape{4, 3, 2}),
		layerCase(t, "ZeroPadding1D", nn.ZeroPadding1D(1, 2), nn.Shape{2, 2}),
		layerCase(t, "ZeroPadding2D", nn.ZeroPadding2D([2][2]int{{1, 0}, {0, 2}}), nn.Shape{2, 1, 2}),
		layerCase(t, "Cropping1D", nn.Cropping1D(1, 2), nn.Shape{5, 2}),
		layerCase(t, "Cropping2D", nn.Cropping2D([2][2]int{{1, 0}, {0, 1}}), nn.Shape{3, 2, 2}),
		layerCase(t, "UpSampling1D", nn.UpSampling1D(3), nn.Shape{2, 2}),
		layerCase(t, "UpSampling2D", nn.UpSampling2D([2]int{3, 2}), nn.Shape{2, 2, 2}),
		layerCase(t, "UpSampling2D/bilinear", nn.UpSampling2D([2]int{3, 2}, nn.Bilinear()), nn.Shape{3, 2, 2}),
		layerCase(t, "SimpleRNN", nn.SimpleRNN(3), nn.Shape{4, 2}),
		layerCase(t, "SimpleRNN/linear", nn.SimpleRNN(3, nn.CellActivation(nn.Linear), nn.NoBias()), nn.Shape{4, 2}),
		layerCase(t, "SimpleRNN/gelu", nn.SimpleRNN(3, nn.CellActivation(nn.GELU), seq()), nn.Shape{4, 2}),
		layerCase(t, "GRU", nn.GRU(3), nn.Shape{4, 2}),
		layerCase(t, "GRU/sequences backwards", nn.GRU(3, seq(), nn.GoBackwards()), nn.Shape{4, 2}),
		layerCase(t, "GRU/reset before", nn.GRU(3, nn.ResetAfter(false)), nn.Shape{4, 2}),
		layerCase(t, "LSTM", nn.LSTM(3), nn.Shape{4, 2}),
		layerCase(t, "LSTM/without bias", nn.LSTM(3, nn.NoBias(), seq()), nn.Shape{4, 2}),
		layerCase(t, "LSTM/hard gates", nn.LSTM(3, nn.RecurrentActivation(nn.HardSigmoid)), nn.Shape{4, 2}),
		layerCase(t, "Bidirectional", nn.Bidirectional(nn.LSTM(3)), nn.Shape{4, 2}),
		layerCase(t, "Bidirectional/sequences", nn.Bidirectional(nn.GRU(3, seq())), nn.Shape{4, 2}),
		layerCase(t, "TimeDistributed", nn.TimeDistributed(nn.Conv2D(2, [2]int{2, 2}, nn.ReLU)), nn.Shape{2, 4, 3, 2}),
		layerCase(t, "TimeDistributed/GRU", nn.TimeDistributed(nn.GRU(3)), nn.Shape{2, 3, 2}),
		layerCase(t, "TimeDistributed/Embedding", nn.TimeDistributed(nn.Embedding(5, 3)), nn.Shape{2, 2}),
		layerCase(t, "Attention", nn.Attention(nn.UseScale(true), nn.CausalMask()), nn.Shape{3, 2}, nn.Shape{4, 3}, nn.Shape{4, 2}),
		layerCase(t, "Attention/concat", nn.Attention(nn.ConcatScores(), nn.UseScale(true)), nn.Shape{3, 2}, nn.Shape{2, 2, 2}),
		layerCase(t, "AdditiveAttention", nn.AdditiveAttention(), nn.Shape{3, 2}, nn.Shape{4, 3}, nn.Shape{4, 2}),
		layerCase(t, "AdditiveAttention/without scale", nn.AdditiveAttention(nn.UseScale(false)), nn.Shape{3, 2}, nn.Shape{4, 2}),
		layerCase(t, "MultiHeadAttention", nn.MultiHeadAttention(2, 3), nn.Shape{3, 2}, nn.Shape{2, 1, 3}, nn.Shape{2, 1, 1}),
		layerCase(t, "MultiHeadAttention/causal", nn.MultiHeadAttention(2, 3, nn.CausalMask()), nn.Shape{4, 2}, nn.Shape{4, 3}),
		layerCase(t, "GroupedQueryAttention", nn.GroupedQueryAttention(4, 4, 2), nn.Shape{3, 2}, nn.Shape{2, 3}, nn.Shape{2, 1}),
	}
	all = append(all,
		layerCase(t, "affine", nn.New(&affine{3, true, true}), nn.Shape{2, 3}),
		layerCase(t, "pooling", nn.New(&pooling{Average: true, Size: [2]int{2, 3}, Strides: [2]int{1, 2}, Dilation: [2]int{2, 1}, Before: [2]int{1, 0}, Out: [2]int{3, 1}}), nn.Shape{4, 4, 2}),
	)
	for _, l := range []*nn.Layer{nn.Add(), nn.Subtract(), nn.Multiply(), nn.Maximum(), nn.Minimum()} {
		all = append(all, layerCase(t, l.Class()+"/merge", l, nn.Shape{2, 3}, nn.Shape{2, 3}))
	}
	for _, name := range registered[nn.ActivationFunction](t) {
		var a nn.Object[nn.ActivationFunction]
		require.NoError(t, json.Unmarshal([]byte(`"`+name+`"`), &a))
		if len(name) > 0 && !strings.HasPrefix(fmt.Sprintf("%T", a.Value), "*nn.") && !strings.HasPrefix(fmt.Sprintf("%T", a.Value), "nn.") {
			continue // of a test
		}
		all = append(all, layerCase(t, "Activation/"+name, nn.Activation(a.Value), nn.Shape{3, 4}))
	}
	for name, a := range map[string]nn.ActivationFunction{
		"celu(0.5)": nn.CELUOf(0.5), "elu(0.5)": nn.ELUOf(0.5), "relu(0.1, inf, 0)": nn.LeakyReLUOf(0.1), "relu(0.1, 2, 0.5)": nn.ReLUOf(0.1, 2, 0.5),
		"threshold(0.1, 0.2)": nn.ThresholdOf(0.1, 0.2),
	} {
		all = append(all, layerCase(t, "Activation/"+name, nn.Activation(a), nn.Shape{3, 4}))
	}
	all = append(all, graphCases(t)...)
	all = append(all, readCases(t)...)
	for seed := range uint64(40) {
		all = append(all, randomCase(t, seed))
	}
	return all
}

// readCases are models that were read, of nodes that package nn has no layer for. Older versions have attributes for what are inputs
// today.
func readCases(t testing.TB) (all []exportCase) {
	ints := func(name string, v ...int) *attributeProto { return attr(name, v) }
	for _, c := range []struct {
		version int64
		outputs int
		dims    []int
		node    nodeProto
	}{
		{11, 1, []int{2, 3}, nodeProto{op: "ReduceL1", attributes: []*attributeProto{ints("axes", 2)}}},
		{13, 1, []int{2, 3}, nodeProto{op: "ReduceProd", attributes: []*attributeProto{ints("axes", -1), attr("keepdims", 0)}}},
		{9, 1, []int{2, 3}, nodeProto{op: "Slice", attributes: []*attributeProto{ints("starts", 1), ints("ends", 3), ints("axes", 2)}}},
		{9, 1, []int{2, 3}, nodeProto{op: "Clip", attributes: []*attributeProto{attr("max", float32(0.5))}}},
		{10, 1, []int{2, 3}, nodeProto{op: "Pad", attributes: []*attributeProto{ints("pads", 0, 1, 0, 0, 0, 2), attr("value", float32(3))}}},
		{13, 3, []int{2, 3}, nodeProto{op: "Split", attributes: []*attributeProto{attr("axis", 2)}}},
		{11, 2, []int{5}, nodeProto{op: "Split", attributes: []*attributeProto{attr("axis", 1), ints("split", 2, 3)}}},
		{13, 1, []int{4}, nodeProto{op: "ArgMax", attributes: []*attributeProto{attr("axis", 1)}}},
		{13, 1, []int{4}, nodeProto{op: "Sin"}},
		{13, 1, []int{4}, nodeProto{op: "ReduceProd", attributes: []*attributeProto{ints("axes", 1), attr("keepdims", 0)}}},
	} {
		c.node.inputs, c.node.name = []string{"x"}, "n"
		for i := range c.outputs {
			c.node.outputs = append(c.node.outputs, fmt.Sprint("y", i))
		}
		g := &graphProto{name: "g", nodes: []*nodeProto{&c.node}, inputs: []*valueProto{declare("x", c.dims)}}
		for _, y := range c.node.outputs {
			elem := int64(typeFloat)
			if c.node.op == "ArgMax" {
				elem = typeInt64
			}
			g.outputs = append(g.outputs, &valueProto{name: y, kind: typeProto{elem: elem}})
		}
		file := (&modelProto{irVersion: 4, graph: g, opsets: []opsetProto{{version: c.version}}}).encode()
		m, err := Read(bytes.NewReader(file))
		require.NoError(t, err, c.node.op)
		all = append(all, exportCase{name: fmt.Sprintf("read %s of %d", c.node.op, c.version), model: m})
	}
	return all
}

// randomCase is a model of layers that follow each other as chance has it, with branches that meet again.
func randomCase(t testing.TB, seed uint64) exportCase {
	random := rand.New(rand.NewPCG(seed, 3))
	pick := func(all ...func(x *nn.Node) *nn.Node) func(x *nn.Node) *nn.Node { return all[random.IntN(len(all))] }
	on := func(make func() *nn.Layer) func(x *nn.Node) *nn.Node {
		return func(x *nn.Node) *nn.Node { return make().On(x) }
	}
	any := []func(x *nn.Node) *nn.Node{
		on(func() *nn.Layer { return nn.Dense(3+random.IntN(3), nn.GELU) }),
		on(func() *nn.Layer { return nn.Activation(nn.Tanh) }),
		on(func() *nn.Layer { return nn.BatchNormalization() }),
		on(func() *nn.Layer { return nn.LayerNormalization() }),
		on(func() *nn.Layer { return nn.Activation(nn.Softmax) }),
		func(x *nn.Node) *nn.Node { return nn.Add().On(x, nn.Dense(x.Shape().Last(), nn.ReLU).On(x)) },
		func(x *nn.Node) *nn.Node { return nn.Concatenate().On(nn.Dense(2, nn.SiLU).On(x), x) },
	}
	byRank := map[int][]func(x *nn.Node) *nn.Node{
		1: {
			func(x *nn.Node) *nn.Node { return nn.Reshape([]int{1, -1}).On(x) },
			on(func() *nn.Layer { return nn.RepeatVector(3) }),
		},
		2: {
			on(func() *nn.Layer { return nn.LSTM(3, nn.ReturnSequences()) }),
			on(func() *nn.Layer { return nn.GRU(4) }),
			on(func() *nn.Layer { return nn.Bidirectional(nn.SimpleRNN(2, nn.ReturnSequences())) }),
			on(func() *nn.Layer { return nn.Conv1D(4, 3, nn.ReLU, nn.Same) }),
			on(func() *nn.Layer { return nn.MaxPooling1D(2, nn.Same) }),
			on(func() *nn.Layer { return nn.Permute([]int{2, 1}) }),
			on(func() *nn.Layer { return nn.GlobalAveragePooling1D() }),
			on(func() *nn.Layer { return nn.Flatten() }),
			on(func() *nn.Layer { return nn.ZeroPadding1D(1, 0) }),
			func(x *nn.Node) *nn.Node { return nn.MultiHeadAttention(2, 2).On(x, x) },
			func(x *nn.Node) *nn.Node { return nn.Reshape([]int{x.Shape()[0], 1, x.Shape()[1]}).On(x) },
		},
		3: {
			on(func() *nn.Layer { return nn.Conv2D(4, [2]int{2, 2}, nn.ReLU, nn.Same, nn.Strides(1+random.IntN(2))) }),
			on(func() *nn.Layer { return nn.Conv2D(4, [2]int{1, 1}, nn.Linear) }),
			on(func() *nn.Layer { return nn.DepthwiseConv2D([2]int{2, 2}, nn.ReLU, nn.Same) }),
			on(func() *nn.Layer { return nn.AveragePooling2D([2]int{2, 2}, nn.Same) }),
			on(func() *nn.Layer { return nn.ZeroPadding2D([2][2]int{{1, 0}, {0, 1}}) }),
			on(func() *nn.Layer { return nn.UpSampling2D([2]int{2, 1}) }),
			on(func() *nn.Layer { return nn.Permute([]int{3, 1, 2}) }),
			on(func() *nn.Layer { return nn.TimeDistributed(nn.GRU(3, nn.ReturnSequences())) }),
			on(func() *nn.Layer { return nn.GlobalMaxPooling2D() }),
			func(x *nn.Node) *nn.Node { return nn.Reshape([]int{x.Shape()[0], -1}).On(x) },
		},
	}
	x := nn.Input("x", [][]int{{5}, {4, 3}, {4, 3, 2}}[random.IntN(3)]...)
	y := x
	for range 2 + random.IntN(6) {
		y = pick(append(any, byRank[len(y.Shape())]...)...)(y)
	}
	return modelCase(t, fmt.Sprint("random ", seed), []*nn.Node{x}, y)
}

// graphCases are models of several layers, and of layers that are not of package nn.
func graphCases(t testing.TB) (all []exportCase) {
	for op, shape := range map[string]nn.Shape{"gru": {3, 6}, "patches": {3, 4, 2}, "others": {2, 3}} {
		all = append(all, layerCase(t, "direct/"+op, nn.New(&direct{op}), shape))
	}
	x := nn.Input("in", 3)
	encoder := modelCase(t, "", []*nn.Node{x}, nn.Dense(4, nn.ReLU).On(x)).model
	left, right := nn.Input("left", 3), nn.Input("right", 3)
	all = append(all, modelCase(t, "a model called twice", []*nn.Node{left, right}, nn.Concatenate().On(encoder.On(left), encoder.On(right))))

	x = nn.Input("x", 3)
	h := nn.Dense(4, nn.ReLU, nn.Name("trunk")).On(x)
	all = append(all, modelCase(t, "two names for one value", []*nn.Node{x},
		nn.Identity(nn.Name("right")).On(h), nn.Identity(nn.Name("left")).On(h), h))

	x = nn.Input("x", 3)
	shared := nn.Dense(3, nn.Tanh)
	c := modelCase(t, "a layer called twice", []*nn.Node{x}, nn.Dense(2, nn.Softmax, nn.Name("y")).On(shared.On(shared.On(x))))
	c.nodes = "Gemm Tanh Gemm Tanh Gemm Softmax"
	all = append(all, c)

	x, unused := nn.Input("x", 3), nn.Input("unused", 2)
	all = append(all, modelCase(t, "an input that no output needs, and one that is an output", []*nn.Node{unused, x}, nn.Dense(2, nn.Linear, nn.Name("y")).On(x), x))

	x = nn.Input("image", 9, 8, 3)
	y := nn.Sequential(x, nn.Conv2D(4, [2]int{3, 3}, nn.Linear, nn.Strides(2), nn.Same, nn.NoBias()), nn.BatchNormalization(), nn.Activation(nn.ReLU6),
		nn.DepthwiseConv2D([2]int{3, 3}, nn.Linear, nn.Same), nn.Conv2D(6, [2]int{1, 1}, nn.ReLU), nn.MaxPooling2D([2]int{2, 2}),
		nn.GlobalAveragePooling2D(), nn.Dense(3, nn.Softmax))
	c = modelCase(t, "images stay in one form", []*nn.Node{x}, y)
	c.nodes = "Transpose Conv Mul Add Clip Conv Conv Relu MaxPool GlobalAveragePool Reshape Gemm Softmax"
	all = append(all, c)

	x = nn.Input("steps", 5, 2)
	y = nn.Sequential(x, nn.LSTM(3, nn.ReturnSequences()), nn.LSTM(4), nn.Dense(1, nn.Linear))
	c = modelCase(t, "steps stay first", []*nn.Node{x}, y)
	c.nodes = "Transpose LSTM Squeeze LSTM Squeeze Gather Gemm"
	all = append(all, c)

	x = nn.Input("steps", 4, 6)
	y = nn.MultiHeadAttention(2, 3).On(x, x)
	y = nn.LayerNormalization().On(nn.Add().On(x, y))
	c = modelCase(t, "heads stay apart", []*nn.Node{x}, y)
	all = append(all, c)

	for _, l := range []*nn.Layer{
		nn.SimpleRNN(3, nn.ReturnSequences()), nn.GRU(3), nn.LSTM(3, nn.GoBackwards()), nn.LSTM(3, nn.ReturnSequences(), nn.ZeroOutputForMask()),
		nn.Bidirectional(nn.GRU(2, nn.ReturnSequences())), nn.GRU(3, nn.ResetAfter(false)),
	} {
		x = nn.Input("words", 6)
		c := modelCase(t, "masked "+l.Class(), []*nn.Node{x}, l.On(nn.Embedding(3, 4, nn.MaskZero()).On(x)))
		c.limit = 3
		all = append(all, c)
	}
	for _, l := range []*nn.Layer{nn.Attention(), nn.MultiHeadAttention(2, 3, nn.CausalMask())} {
		q, v := nn.Input("query", 4), nn.Input("value", 5)
		words := nn.Embedding(3, 6, nn.MaskZero())
		c := modelCase(t, "masked "+l.Class(), []*nn.Node{q, v}, l.On(words.On(q), words.On(v)))
		c.limit = 3
		all = append(all, c)
	}
	return all
}

// registered returns the names of a vocabulary, which an error for another name lists.
func registered[T any](t testing.TB) (names []string) {
	var o nn.Object[T]
	err := json.Unmarshal([]byte(`{"class_name":"?"}`), &o)
	require.ErrorContains(t, err, "valid are [")
	_, list, _ := strings.Cut(err.Error(), "valid are [")
	list, _, _ = strings.Cut(list, "]")
	for _, quoted := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list, -1) {
		names = append(names, quoted[1])
	}
	require.NotEmpty(t, names)
	return names
}

func TestExportCases(t *testing.T) {
	with := map[string]bool{}
	for _, c := range exportCases(t) {
		for _, l := range c.model.Layers() {
			with[l.Class()] = true
		}
	}
	for _, class := range registered[nn.Kind](t) {
		if _, ok := notExported[class]; !ok {
			require.True(t, with[class], "class %s has no case", class)
		}
	}
}

// What onnx.checker asks for, and that names, order and shapes are those of the model.
func TestExportGraphs(t *testing.T) {
	for _, c := range exportCases(t) {
		t.Run(c.name, func(t *testing.T) {
			var file bytes.Buffer
			require.NoError(t, Write(&file, c.model))
			again, err := export(c.model)
			require.NoError(t, err)
			require.True(t, bytes.Equal(file.Bytes(), again), "the same model gives the same bytes")
			m, err := decodeModel(file.Bytes())
			require.NoError(t, err)
			require.Equal(t, []opsetProto{{version: 20}}, m.opsets)
			require.EqualValues(t, 9, m.irVersion)
			require.NotEmpty(t, m.graph.name)
			known := map[string]bool{"": true}
			define := func(name string) {
				require.False(t, known[name], "%s is there twice", name)
				known[name] = true
			}
			for i, x := range m.graph.inputs {
				require.Equal(t, c.model.InputNames()[i], x.name)
				requireShape(t, c.model.Inputs()[i].Shape(), x)
				define(x.name)
			}
			used := map[string]bool{}
			for _, x := range m.graph.initializers {
				define(x.name)
			}
			nodes := map[string]bool{}
			var operators []string
			for _, n := range m.graph.nodes {
				require.False(t, nodes[n.name], "two nodes are called %s", n.name)
				nodes[n.name] = true
				operators = append(operators, n.op)
				for _, name := range n.inputs {
					require.True(t, known[name], "%s uses %s before it is there", n.name, name)
					used[name] = true
				}
				for _, name := range n.outputs {
					define(name)
				}
			}
			for i, x := range m.graph.outputs {
				require.Equal(t, c.model.OutputNames()[i], x.name)
				requireShape(t, c.model.Outputs()[i].Shape(), x)
				require.True(t, known[x.name])
				used[x.name] = true
			}
			for _, x := range m.graph.initializers {
				require.True(t, used[x.name], "nothing uses %s", x.name)
			}
			if c.nodes != "" {
				require.Equal(t, c.nodes, strings.Join(operators, " "))
			}
		})
	}
}

func requireShape(t *testing.T, shape nn.Shape, x *valueProto) {
	require.EqualValues(t, typeFloat, x.kind.elem)
	want := []dimProto{{name: "batch"}}
	for _, d := range shape {
		want = append(want, dimProto{size: int64(d), fixed: true})
	}
	require.Equal(t, want, x.kind.dims)
}

// A weight is an initializer under its name.
func TestExportWeights(t *testing.T) {
	x := nn.Input("x", 2)
	c := modelCase(t, "", []*nn.Node{x}, nn.Dense(3, nn.Linear, nn.Name("head")).On(x))
	b, err := export(c.model)
	require.NoError(t, err)
	m, err := decodeModel(b)
	require.NoError(t, err)
	var names []string
	for _, x := range m.graph.initializers {
		names = append(names, x.name)
	}
	require.Equal(t, []string{"head/kernel", "head/bias"}, names)
	require.Equal(t, []int64{2, 3}, m.graph.initializers[0].dims)
}

type secret struct{}

func (secret) Build(b *nn.Builder, in []nn.Shape) nn.Shape { return b.One(in) }

func (secret) Forward(c *nn.Call) *ops.Tensor {
	x := c.In(0)
	return c.Custom(secretFunction{}, x.Rows, x.Cols, x)
}

type secretFunction struct{}

func (secretFunction) Name() string                                   { return "secret" }
func (secretFunction) Forward(kernels.Matrix, []kernels.Matrix) error { return nil }
func (secretFunction) Backward([]kernels.Matrix, kernels.Matrix, kernels.Matrix, []kernels.Matrix) error {
	return nil
}

// direct is a layer of a user who calls operations in ways that no layer of package nn does.
type direct struct {
	Op string `json:"op"`
}

func (d *direct) Build(b *nn.Builder, in []nn.Shape) nn.Shape {
	x := b.One(in)
	switch d.Op {
	case "gru": // of what is no product
		b.Param("u", nn.Shape{2, 6}, nn.GlorotUniform())
		return nn.Shape{x[0], 2}
	case "patches":
		return nn.Shape{2, 2, 8}
	}
	return x
}

func (d *direct) Forward(c *nn.Call) *ops.Tensor {
	switch d.Op {
	case "gru":
		return c.Recurrent(c.In(0), c.Param(0), nil, nil, ops.Recurrence{Cell: ops.GRU, Steps: c.InShape(0)[0]})
	case "patches":
		w := kernels.Window{In: [2]int{3, 4}, Channels: 2, Size: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}, Before: [2]int{-1, 1}, Out: [2]int{2, 2}}
		return c.Samples(c.Patches(c.In(0), w))
	}
	x := c.Vectors(0)
	rows := c.Scale(c.Maximum(c.Concatenate(x, x), c.Repeat(x, 2)), 0.5)
	return c.Samples(c.Slice(c.Unary(rows, kernels.Unary{Kind: kernels.GELUTanh}), 0, x.Cols))
}

func init() {
	nn.Register("Custom", secret{})
	nn.Register("Direct", direct{})
}

func TestExportErrors(t *testing.T) {
	x := nn.Input("x", 2)
	c := modelCase(t, "", []*nn.Node{x}, nn.New(secret{}, nn.Name("own")).On(x))
	err := Write(&bytes.Buffer{}, c.model)
	require.EqualError(t, err, `onnx: Write: layer "own" (Custom): computes the function "secret", which is not an ONNX operator`)
	path := filepath.Join(t.TempDir(), "model.onnx")
	require.ErrorContains(t, Save(path, c.model), `layer "own"`)
	require.NoFileExists(t, path)
	require.ErrorContains(t, Write(&bytes.Buffer{}, nil), "the model is empty")
	require.ErrorContains(t, Write(&bytes.Buffer{}, new(nn.Model)), "the model is empty")
	dense := layerCase(t, "", nn.Dense(2, nn.ReLU, nn.Name("head")), nn.Shape{3}).model
	dense.Weights()[0].Data[4] = float32(math.Inf(1))
	err = Write(&bytes.Buffer{}, dense)
	require.ErrorIs(t, err, nn.ErrNonFinite)
	require.EqualError(t, err, `onnx: Write: layer "head" (Dense): weight "head/kernel": value 4 is +Inf: `+nn.ErrNonFinite.Error())
	require.Error(t, Save(filepath.Join(t.TempDir(), "nowhere", "model.onnx"), c.model))
}

// A node that mixes rows, or that says how many there are, is no node for a batch.
func TestExportOperatorErrors(t *testing.T) {
	for _, n := range []nodeProto{
		{op: "ReduceMean", attributes: []*attributeProto{attr("axes", []int{0})}},
		{op: "Transpose", attributes: []*attributeProto{attr("perm", []int{1, 0})}},
		{op: "Flatten", attributes: []*attributeProto{attr("axis", 0)}},
		{op: "Softmax", attributes: []*attributeProto{attr("axis", 0)}},
	} {
		n.name, n.inputs, n.outputs = "n", []string{"x"}, []string{"y"}
		one := &valueProto{name: "x", kind: typeProto{elem: typeFloat, hasShape: true, dims: fixed([]int{1, 2})}}
		m := &modelProto{irVersion: 8, opsets: []opsetProto{{version: 13}}, graph: &graphProto{name: "g", nodes: []*nodeProto{&n}, inputs: []*valueProto{one}}}
		f, err := newFunction(m.encode(), 0)
		require.NoError(t, err)
		_, err = f.upgraded(writtenOpset).batches(f)
		require.ErrorContains(t, err, `computes node "n" (`+n.op+`) of operator set 13 row by row`)
	}
}

// Values beside ONNX Runtime, for several sizes of a batch.
func TestExportRuntime(t *testing.T) {
	if os.Getenv("ESPALIER_ONNXRUNTIME") == "" {
		t.Skip("ESPALIER_ONNXRUNTIME is not set: the folder of the module onnxruntime-node")
	}
	cases := append(exportCases(t), goldenCases(t)...)
	type tensor struct {
		Dims []int     `json:"dims"`
		Data []float32 `json:"data"`
	}
	type job struct {
		Model string              `json:"model"`
		Runs  []map[string]tensor `json:"runs"`
	}
	var jobs []job
	folder := t.TempDir()
	random := rand.New(rand.NewPCG(7, 7))
	for i, c := range cases {
		j := job{Model: filepath.Join(folder, fmt.Sprintf("%d.onnx", i))}
		require.NoError(t, Save(j.Model, c.model), c.name)
		for _, rows := range []int{1, 2, 7} {
			run := map[string]tensor{}
			for _, n := range c.model.Inputs() {
				x := tensor{append([]int{rows}, n.Shape()...), make([]float32, rows*n.Shape().Elements())}
				for i := range x.Data {
					if x.Data[i] = float32(random.NormFloat64()); c.limit > 0 {
						x.Data[i] = float32(random.IntN(c.limit))
					}
				}
				run[c.model.InputNames()[slices.Index(c.model.Inputs(), n)]] = x
			}
			j.Runs = append(j.Runs, run)
		}
		jobs = append(jobs, j)
	}
	text, err := json.Marshal(jobs)
	require.NoError(t, err)
	node := exec.Command("node", filepath.Join("testdata", "onnxruntime.js"))
	node.Stdin = bytes.NewReader(text)
	node.Stderr = os.Stderr
	text, err = node.Output()
	require.NoError(t, err)
	var results []struct {
		Error           string
		Inputs, Outputs []string
		Runs            []map[string]tensor
	}
	require.NoError(t, json.Unmarshal(text, &results))
	require.Len(t, results, len(cases))
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := results[i]
			require.Empty(t, got.Error)
			require.Equal(t, c.model.InputNames(), got.Inputs)
			require.Equal(t, c.model.OutputNames(), got.Outputs)
			for r, run := range jobs[i].Runs {
				inputs := nn.Arrays{}
				for name, x := range run {
					inputs[name] = nn.Floats(x.Data)
				}
				want, err := c.model.Predict(inputs)
				require.NoError(t, err)
				for o, n := range c.model.Outputs() {
					name := c.model.OutputNames()[o]
					y := got.Runs[r][name]
					require.Equal(t, append([]int{want[name].Rows}, n.Shape()...), y.Dims)
					requireNear(t, want[name].Data, y.Data, name)
				}
			}
		})
	}
}

// requireNear asks for an error of 1e-5 of the largest value.
func requireNear(t *testing.T, want, got []float32, name string) {
	require.Len(t, got, len(want))
	largest := float32(0)
	for _, v := range want {
		largest = max(largest, v, -v)
	}
	require.InDeltaSlice(t, want, got, 1e-5*float64(largest), name)
}

// goldenCases are the models of the golden data that ESPALIER_GOLDEN names, with the weights that Keras had at first.
func goldenCases(t *testing.T) (all []exportCase) {
	root := os.Getenv("ESPALIER_GOLDEN")
	if root == "" {
		return nil
	}
	for _, name := range []string{"mt_k4", "mm", "mmmt_k5"} {
		f, err := os.Open(filepath.Join(root, "cases", name, "tensors.safetensors"))
		require.NoError(t, err)
		defer f.Close()
		_, tensors, err := safetensors.Read(f)
		require.NoError(t, err)
		weights, widths := map[string][]float32{}, map[string]nn.Shape{}
		for _, x := range tensors {
			if w, ok := strings.CutPrefix(x.Name, "init/"); ok {
				weights[w], widths[w] = x.Data, nn.Shape(x.Shape)
			}
		}
		dense := func(name string, act nn.ActivationFunction) *nn.Layer {
			return nn.Dense(widths[name+"/bias"][0], act, nn.Name(name))
		}
		in := func(name, first string) *nn.Node { return nn.Input(name, widths[first+"/kernel"][0]) }
		var m *nn.Model
		switch name {
		case "mt_k4":
			x := in("input_layer", "dense")
			h := nn.Sequential(x, dense("dense", nn.ReLU), dense("dense_1", nn.ReLU))
			m, err = nn.NewModel([]*nn.Node{x}, []*nn.Node{dense("regression_output", nn.Linear).On(h), dense("classification_output", nn.Softmax).On(h)})
		case "mm":
			a, b, trunk := in("input_layer", "dense_1"), in("input_layer_1", "dense_2"), dense("dense", nn.ReLU)
			left := nn.Sequential(a, dense("dense_1", nn.ReLU), trunk, dense("dense_3", nn.ReLU))
			right := nn.Sequential(b, dense("dense_2", nn.ReLU), trunk, dense("dense_4", nn.ReLU))
			m, err = nn.NewModel([]*nn.Node{a, b}, []*nn.Node{dense("dense_5", nn.Sigmoid).On(nn.Concatenate().On(left, right))})
		default:
			a, b, trunk := in("input_layer", "data1_encoder"), in("input_layer_1", "data2_encoder"), dense("shared_encoder", nn.ReLU)
			left := nn.Sequential(a, dense("data1_encoder", nn.ReLU), trunk, dense("feature1_encoder", nn.ReLU), dense("regression_output", nn.Linear))
			right := nn.Sequential(b, dense("data2_encoder", nn.ReLU), trunk, dense("feature2_encoder", nn.ReLU), dense("classification_output", nn.Softmax))
			m, err = nn.NewModel([]*nn.Node{a, b}, []*nn.Node{left, right})
		}
		require.NoError(t, err)
		require.NoError(t, m.SetWeights(weights))
		all = append(all, exportCase{name: "golden " + name, model: m})
	}
	return all
}
