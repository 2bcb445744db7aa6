package nn

import (
	"context"
	"fmt"
	"math"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// weightNames are the parameters that each group of fields is about.
var weightNames = map[string][]string{
	"kernel": {"kernel"}, "recurrent": {"recurrent_kernel"}, "bias": {"bias"}, "depthwise": {"kernel", "depthwise_kernel"}, "pointwise": {"pointwise_kernel"},
	"gamma": {"gamma"}, "beta": {"beta"}, "alpha": {"alpha"}, "embeddings": {"embeddings"},
}

// weightOptions are all options of weights, with values that no class has by default.
var weightOptions = map[string]WeightOption{}

func init() {
	for _, o := range []WeightOption{
		KernelInitializer(Constant(0.5)), RecurrentInitializer(Constant(0.5)), BiasInitializer(Constant(0.5)), DepthwiseInitializer(Constant(0.5)),
		PointwiseInitializer(Constant(0.5)), GammaInitializer(Constant(0.5)), BetaInitializer(Constant(0.5)), AlphaInitializer(Constant(0.5)),
		EmbeddingsInitializer(Constant(0.5)),
		KernelRegularizer(L2(0.25)), RecurrentRegularizer(L2(0.25)), BiasRegularizer(L2(0.25)), DepthwiseRegularizer(L2(0.25)), PointwiseRegularizer(L2(0.25)),
		GammaRegularizer(L2(0.25)), BetaRegularizer(L2(0.25)), AlphaRegularizer(L2(0.25)), EmbeddingsRegularizer(L2(0.25)), ActivityRegularizer(L2(0.25)),
		KernelConstraint(MaxNorm(0.125)), RecurrentConstraint(MaxNorm(0.125)), BiasConstraint(MaxNorm(0.125)), DepthwiseConstraint(MaxNorm(0.125)),
		PointwiseConstraint(MaxNorm(0.125)), GammaConstraint(MaxNorm(0.125)), BetaConstraint(MaxNorm(0.125)), AlphaConstraint(MaxNorm(0.125)),
		EmbeddingsConstraint(MaxNorm(0.125)),
	} {
		weightOptions[o.field] = o
	}
}

// Every layer with a weight that starts somewhere has an initializer, a regularizer and a constraint for it, under Keras'
// names, which do what they say, and which a file has.
func TestWeightOptions(t *testing.T) {
	used := map[string]bool{}
	for _, c := range layerCases {
		kind := reflect.ValueOf(c.make().kind).Elem()
		if kind.Kind() != reflect.Struct {
			continue
		}
		for _, f := range reflect.VisibleFields(kind.Type()) {
			option, ok := weightOptions[f.Tag.Get("json")]
			if !ok {
				group, is, _ := strings.Cut(f.Tag.Get("json"), "_")
				require.False(t, weightNames[group] != nil && slices.Contains([]string{"initializer", "regularizer", "constraint"}, is), "%s: there is no option for %s", c.name, f.Tag)
				continue
			}
			used[option.field] = true
			t.Run(c.name+"/"+option.field, func(t *testing.T) {
				with := c
				with.make = func(o ...LayerOption) *Layer { return c.make(append(o, option)...) }
				with.requireWeightOption(t, option)
			})
		}
	}
	require.Len(t, used, len(weightOptions), "%v", used)
}

func (c *layerCase) requireWeightOption(t *testing.T, option WeightOption) {
	var in []*Node
	for i, shape := range c.in {
		in = append(in, Input(fmt.Sprint("x", i), shape...))
	}
	it := c.make(Name("it")).On(in...)
	if _, ok := it.layer.kind.(interface{ heads() heads }); ok && option.field == "activity_regularizer" {
		require.ErrorContains(t, it.err, "activity_regularizer")
		return
	}
	m, err := NewModel(in, []*Node{Flatten(Name("y")).On(it)}, Seed(5))
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.01), Losses{"y": MSE()}))
	again, err := parse(savedBytes(t, m))
	require.NoError(t, err)
	want, err := m.Layer("it")
	require.NoError(t, err)
	have, err := again.Layer("it")
	require.NoError(t, err)
	require.Equal(t, want.kind, have.kind)

	group, _, _ := strings.Cut(option.field, "_")
	var weights []*Weight // those that the option is about
	for _, w := range m.Weights() {
		if slices.Contains(weightNames[group], path.Base(w.param.name)) {
			weights = append(weights, w)
		}
	}
	const rows = 4
	data := Data{Inputs: Arrays{}, Targets: Arrays{"y": make(Floats, rows*m.outputs[0].features())}}
	for j, x := range c.data(3, rows) {
		data.Inputs[fmt.Sprint("x", j)] = x
	}
	switch option.value.(type) {
	case Object[Initializer]:
		for _, w := range weights {
			for i, v := range w.Data {
				if n := len(w.Data) / 4; w.layer.Class() == "LSTM" && group == "bias" && i >= n && i < 2*n {
					require.EqualValues(t, 1, v, "the forget gate")
				} else {
					require.EqualValues(t, 0.5, v, w.Name)
				}
			}
		}
	case Object[Regularizer]:
		y, err := m.Predict(data.Inputs)
		require.NoError(t, err)
		squares := func(x []float32) (sum float64) {
			for _, v := range x {
				sum += float64(v) * float64(v)
			}
			return sum
		}
		penalty := squares(y["y"].Data) / rows
		if group != "activity" {
			penalty = 0
			for _, w := range weights {
				penalty += squares(w.Data)
			}
		}
		logs, err := m.Evaluate(context.Background(), data)
		require.NoError(t, err)
		require.InDelta(t, squares(y["y"].Data)/float64(len(y["y"].Data))+penalty/4, logs["loss"], 1e-5)
	case Object[Constraint]:
		_, err := m.TrainOnBatch(data)
		require.NoError(t, err)
		for _, w := range weights {
			for _, norm := range columnNorms(w) {
				require.LessOrEqual(t, norm, 0.125+1e-6, w.Name)
			}
		}
	}
}

// columnNorms returns the lengths of a weight's vectors along the first axis.
func columnNorms(w *Weight) []float64 {
	norms := make([]float64, len(w.Data)/w.Shape[0])
	for i, v := range w.Data {
		norms[i%len(norms)] += float64(v) * float64(v)
	}
	for i, v := range norms {
		norms[i] = math.Sqrt(v)
	}
	return norms
}
