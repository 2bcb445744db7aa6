package nn

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Compile refuses a loss that makes no sense of what the output ends in.
func TestLossFitsHead(t *testing.T) {
	logits := []LossOption{FromLogits()}
	forms := []struct {
		name string
		make func(...LossOption) Loss
		own  string
	}{
		{"sparse_categorical_crossentropy", SparseCategoricalCrossentropy, "softmax"},
		{"categorical_crossentropy", CategoricalCrossentropy, "softmax"},
		{"binary_crossentropy", BinaryCrossentropy, "sigmoid"},
	}
	acts := []ActivationKind{Linear, ReLU, Sigmoid, Tanh, Softmax, GELU}
	heads := []struct {
		name  string
		build func(x *Node, act ActivationKind) *Node
		known bool
	}{
		{"dense", func(x *Node, a ActivationKind) *Node { return Dense(3, a, Name("y")).On(x) }, true},
		{"activation", func(x *Node, a ActivationKind) *Node { return Activation(a, Name("y")).On(Dense(3, Linear).On(x)) }, true},
		{"seen through", func(x *Node, a ActivationKind) *Node {
			return Dropout(0.1, Name("y")).On(Flatten().On(Reshape([]int{1, 3}).On(Dense(3, a).On(x))))
		}, true},
		{"sum", func(x *Node, a ActivationKind) *Node { return Add(Name("y")).On(Dense(3, a).On(x), Dense(3, a).On(x)) }, false},
	}
	for _, head := range heads {
		for _, act := range acts {
			for _, form := range forms {
				for _, opts := range [][]LossOption{nil, logits} {
					x := Input("x", 2)
					m, err := NewModel([]*Node{x}, []*Node{head.build(x, act)})
					require.NoError(t, err)
					err = m.Compile(SGD(1), Losses{"y": form.make(opts...)})
					probabilities := act == Softmax || act == Sigmoid
					switch {
					case !head.known || probabilities == (opts == nil):
						require.NoError(t, err, "%s %s %s %v", head.name, act, form.name, opts)
					case probabilities:
						require.EqualError(t, err, fmt.Sprintf(`nn: Compile: output "y": loss %s with FromLogits applies a softmax or sigmoid, the output has %s already: leave out one of them`, form.name, act))
					default:
						require.EqualError(t, err, fmt.Sprintf(`nn: Compile: output "y": loss %s needs probabilities, the output ends in %s: end it in %s, or give the loss FromLogits`, form.name, act, form.own))
					}
				}
			}
			x := Input("x", 2)
			m, err := NewModel([]*Node{x}, []*Node{head.build(x, act)})
			require.NoError(t, err)
			require.NoError(t, m.Compile(SGD(1), Losses{"y": MSE()}))
		}
	}
	for _, loss := range []Loss{BinaryCrossentropy(), MSE(), MAE()} {
		x := Input("x", 2)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Softmax, Name("y")).On(x)})
		require.NoError(t, err)
		require.EqualError(t, m.Compile(SGD(1), Losses{"y": loss}), `nn: Compile: output "y": a softmax of one column is always 1: use Sigmoid`)
	}
}

// Names of outputs can make one log of two.
func TestLogNamesMeet(t *testing.T) {
	build := func(a, b string) (*Model, Losses, Metrics) {
		x := Input("x", 1)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name(a)).On(x), Dense(1, Linear, Name(b)).On(x)})
		require.NoError(t, err)
		return m, Losses{a: MSE(), b: MSE()}, Metrics{a: {MAE()}, b: {MAE()}}
	}
	for _, c := range []struct{ a, b, want string }{
		{"x1", "val_x1", `output "val_x1": its log "val_x1_loss" has the name of "x1_loss" in validation: give the output's layer another Name`},
		{"val_x1", "x1", `output "val_x1": its log "val_x1_mae" has the name of "x1_mae" in validation`},
		{"y", "val", `output "val": its log "val_loss" has the name of "loss" in validation`},
		{"y", "val_", ""}, {"y", "value", ""}, {"val_a", "val_b", ""}, {"y", "y_loss", ""}, {"loss", "mae", ""},
	} {
		m, losses, metrics := build(c.a, c.b)
		err := m.Compile(SGD(0), losses, metrics)
		if c.want == "" {
			require.NoError(t, err, c)
			d := Data{Inputs: Arrays{"x": Floats{1}}, Targets: Arrays{c.a: Floats{1}, c.b: Floats{2}}}
			h, err := m.Fit(context.Background(), d, ValidationData(d))
			require.NoError(t, err)
			require.Len(t, h.Names(), 10, "loss, and loss and mae of each output, and all of them in validation")
			continue
		}
		requireError(t, err, "nn: Compile: ", c.want)
		require.Nil(t, m.trainer)
	}
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("val")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0), Losses{"val": MSE()}), "the logs of one output do not have its name")
}

// A file may have what Compile refuses, since older versions compiled it: it loads and evaluates. Only logs that meet keep it
// from being trained on.
func TestFilesOfWhatCompileRefuses(t *testing.T) {
	saved := func(act ActivationKind, loss Loss, weight float64, names ...string) *Model {
		x := Input("x", 1)
		c, outputs := compilation{losses: Losses{}, weights: LossWeights{}}, []*Node{}
		for _, name := range names {
			outputs = append(outputs, Dense(2, act, Name(name)).On(x))
			c.losses[name], c.weights[name] = loss, weight
		}
		m, err := NewModel([]*Node{x}, outputs)
		require.NoError(t, err)
		heads, err := m.heads(c)
		require.NoError(t, err)
		m.trainer = newTrainer(m, SGD(1e-3), heads)
		m.trainer.gather()
		var b bytes.Buffer
		_, err = m.WriteTo(&b)
		require.NoError(t, err)
		loaded, err := parse(b.Bytes())
		require.NoError(t, err)
		return loaded
	}
	ctx, x := context.Background(), Arrays{"x": Floats{1}}
	m, d := saved(Softmax, SparseCategoricalCrossentropy(FromLogits()), 1e-60, "y"), Data{Inputs: x, Targets: Arrays{"y": Labels{1}}}
	_, err := m.Fit(ctx, d)
	require.NoError(t, err)
	m, d = saved(Linear, MSE(), 1, "y", "val_y"), Data{Inputs: x, Targets: Arrays{"y": Floats{1, 2}, "val_y": Floats{1, 2}}}
	_, err = m.Evaluate(ctx, d)
	require.NoError(t, err)
	before := weightBits(m)
	_, err = m.Fit(ctx, d)
	requireError(t, err, `nn: Fit: output "val_y": its log "val_y_loss" has the name of "y_loss" in validation`)
	require.Equal(t, before, weightBits(m))
}
