package nn

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Penalties beside their formulas in float64, and gradients beside differences.
func TestRegularizers(t *testing.T) {
	x := [][]float64{{0.5, -1.25, 2}, {-0.75, 0.25, 1}, {0, 1.5, -0.5}, {0.25, 0.5, 0.75}}
	l := func(power float64) (sum float64) {
		for _, row := range x {
			for _, v := range row {
				sum += math.Pow(math.Abs(v), power)
			}
		}
		return sum
	}
	angles := func(n, length int, at func(vector, k int) float64) (mean float64) {
		for a := range n {
			for b := range a {
				aa, bb, ab := 0.0, 0.0, 0.0
				for k := range length {
					aa, bb, ab = aa+at(a, k)*at(a, k), bb+at(b, k)*at(b, k), ab+at(a, k)*at(b, k)
				}
				mean += math.Abs(ab) / math.Sqrt(aa*bb) / float64(n*(n-1)/2)
			}
		}
		return mean
	}
	rows := func() float64 { return angles(4, 3, func(v, k int) float64 { return x[v][k] }) }
	columns := func() float64 { return angles(3, 4, func(v, k int) float64 { return x[k][v] }) }
	for _, c := range []struct {
		name string
		r    Regularizer
		want func() float64
	}{
		{"L1", L1(0.1), func() float64 { return 0.1 * l(1) }},
		{"L2", L2(0.2), func() float64 { return 0.2 * l(2) }},
		{"L1L2", L1L2(0.1, 0.2), func() float64 { return 0.1*l(1) + 0.2*l(2) }},
		{"rows", OrthogonalRegularizer(0.3, "rows"), func() float64 { return 0.3 * rows() }},
		{"columns", OrthogonalRegularizer(0.3, "columns"), func() float64 { return 0.3 * columns() }},
	} {
		// A matrix with gaps between its rows, as views have.
		m, grad := kernels.NewMatrix(4, 5).Columns(1, 4), kernels.NewMatrix(4, 4).Columns(0, 3)
		for i, row := range x {
			for j, v := range row {
				m.Row(i)[j], grad.Row(i)[j] = float32(v), 1
			}
		}
		value, err := c.r.Penalty(m, grad, 2)
		require.NoError(t, err)
		require.InEpsilon(t, c.want(), value, 1e-6, c.name)
		for i, row := range x {
			for j, v := range row {
				const step = 1e-5
				if v == 0 {
					require.InDelta(t, 1, grad.Row(i)[j], 0.5, c.name)
					continue
				}
				row[j] = v + step
				up := c.want()
				row[j] = v - step
				down := c.want()
				row[j] = v
				require.InDelta(t, 1+2*(up-down)/(2*step), grad.Row(i)[j], 1e-5, "%s at %d, %d", c.name, i, j)
			}
		}
	}
	one := kernels.MatrixOf([]float32{1, 2}, 1, 2)
	value, err := OrthogonalRegularizer(1, "rows").Penalty(one, kernels.Matrix{}, 0)
	require.NoError(t, err)
	require.Zero(t, value, "there is no other row")
}

// regularized is y = relu(x·k + b)·w with penalties of everything.
func regularized(t *testing.T, o Optimizer) *Model {
	x := Input("x", 2)
	h := Dense(3, ReLU, Name("h"), KernelRegularizer(L1(0.1)), BiasRegularizer(L2(0.2)), ActivityRegularizer(L2(0.3)), BiasInitializer(Constant(0.5))).On(x)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Sigmoid, Name("y"), KernelRegularizer(L1L2(0.05, 0.1)), ActivityRegularizer(L1(0.4))).On(h)}, Seed(3))
	require.NoError(t, err)
	require.NoError(t, m.Compile(o, Losses{"y": BinaryCrossentropy()}))
	return m
}

func regularizedData() Data {
	return Data{Inputs: Arrays{"x": Floats{0.5, -1, 2, 0.25, 1, 1}}, Targets: Arrays{"y": Floats{1, 0, 1}}}
}

// The total loss has the penalties, of validation too, and of activities per row. The weights of a frozen layer have none.
func TestPenaltiesInLogs(t *testing.T) {
	m, d := regularized(t, SGD(0)), regularizedData()
	penalty := func() (weights, frozen, activities float64) {
		for _, w := range m.Weights() {
			for _, v := range float64s(w.Data) {
				switch w.Name {
				case "h/kernel":
					frozen += 0.1 * math.Abs(v)
				case "h/bias":
					frozen += 0.2 * v * v
				case "y/kernel":
					weights += 0.05*math.Abs(v) + 0.1*v*v
				}
			}
		}
		y, err := m.Predict(d.Inputs)
		require.NoError(t, err)
		k, b := m.Weights()[0].Data, m.Weights()[1].Data
		x := d.Inputs["x"].(Floats)
		for i := range 3 {
			activities += 0.4 * float64(y["y"].Data[i]) / 3
			for j := range 3 {
				h := max(0, b[j]+x[2*i]*k[j]+x[2*i+1]*k[3+j])
				activities += 0.3 * float64(h*h) / 3
			}
		}
		return weights, frozen, activities
	}
	entropy := func() float64 {
		y, err := m.Predict(d.Inputs)
		require.NoError(t, err)
		loss := 0.0
		for i, p := range float64s(y["y"].Data) {
			if d.Targets["y"].(Floats)[i] == 0 {
				p = 1 - p
			}
			loss -= math.Log(p) / 3
		}
		return loss
	}
	weights, frozen, activities := penalty()
	logs, err := m.Evaluate(context.Background(), d)
	require.NoError(t, err)
	require.InDelta(t, entropy()+weights+frozen+activities, logs["loss"], 1e-6)
	history, err := m.Fit(context.Background(), d, ValidationData(d))
	require.NoError(t, err)
	require.Equal(t, logs["loss"], history.Logs["loss"][0])
	require.Equal(t, logs["loss"], history.Logs["val_loss"][0])
	layer, err := m.Layer("h")
	require.NoError(t, err)
	layer.SetTrainable(false)
	logs, err = m.Evaluate(context.Background(), d)
	require.NoError(t, err)
	require.InDelta(t, entropy()+weights+activities, logs["loss"], 1e-6)
}

// The gradient is that of the loss in the logs.
func TestPenaltyGradients(t *testing.T) {
	m, d := regularized(t, SGD(1)), regularizedData()
	var before, differences [][]float64
	for _, w := range m.Weights() {
		before = append(before, float64s(w.Data))
		var all []float64
		for j, v := range w.Data {
			const step = 1.0 / 512
			at := func(v float32) float64 {
				w.Data[j] = v
				logs, err := m.Evaluate(context.Background(), d)
				require.NoError(t, err)
				return logs["loss"]
			}
			all = append(all, (at(v+step)-at(v-step))/(2*step))
			w.Data[j] = v
		}
		differences = append(differences, all)
	}
	_, err := m.TrainOnBatch(d)
	require.NoError(t, err)
	for i, w := range m.Weights() {
		for j, v := range w.Data {
			require.InDelta(t, differences[i][j], before[i][j]-float64(v), 1e-3, "%s %d", w.Name, j)
		}
	}
}

// A file has penalties, constraints and initializers under Keras' names, and a loaded model goes on to the same bits.
func TestRegularizedSaved(t *testing.T) {
	ctx, d := context.Background(), regularizedData()
	m := regularized(t, Adam(0.01))
	_, err := m.Fit(ctx, d, Epochs(2), BatchSize(2))
	require.NoError(t, err)
	b := savedBytes(t, m)
	for _, part := range []string{
		`"kernel_regularizer":{"class_name":"L1","config":{"l1":0.1}}`, `"bias_initializer":{"class_name":"Constant","config":{"value":0.5}}`,
	} {
		text, err := encodeJSON(part)
		require.NoError(t, err)
		require.Contains(t, string(b), string(text[1:len(text)-1]))
	}
	again, err := parse(b)
	require.NoError(t, err)
	for _, m := range []*Model{m, again} {
		_, err := m.Fit(ctx, d, Epochs(4), InitialEpoch(2), BatchSize(2))
		require.NoError(t, err)
	}
	require.Equal(t, savedBytes(t, m), savedBytes(t, again))
}

// Vectors of an embedding that no batch looks up learn from a penalty alone.
func TestRegularizedEmbedding(t *testing.T) {
	id := Input("id", 1)
	e := Embedding(4, 2, Name("e"), EmbeddingsInitializer(Constant(1)), EmbeddingsRegularizer(L2(0.5)), EmbeddingsConstraint(MaxNorm(1, 1)), ActivityRegularizer(L1(0)))
	m, err := NewModel([]*Node{id}, []*Node{Dense(1, Linear, Name("y"), KernelInitializer(Zeros())).On(Flatten().On(e.On(id)))})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.25), Losses{"y": MSE()}))
	_, err = m.TrainOnBatch(Data{Inputs: Arrays{"id": Labels{2}}, Targets: Arrays{"y": Floats{0}}})
	require.NoError(t, err)
	for _, v := range m.Weights()[0].Data { // 0.75, and then as long as 1
		require.InDelta(t, math.Sqrt(0.5), v, 1e-6)
	}
}

// A step with penalties and constraints allocates nothing.
func TestRegularizedAllocations(t *testing.T) {
	x := Input("x", 2)
	m, err := NewModel([]*Node{x}, []*Node{Dense(3, Linear, Name("y"), KernelRegularizer(OrthogonalRegularizer(1, "columns")),
		ActivityRegularizer(L1(1)), KernelConstraint(MaxNorm(1)), BiasConstraint(NonNeg())).On(x)})
	require.NoError(t, err)
	o := Adam(0.01)
	o.ClipNorm, o.UseEMA, o.GradientAccumulationSteps = 1, true, 2
	o.ExcludeFromWeightDecay, o.WeightDecay = []string{"bias"}, 0.1
	require.NoError(t, m.Compile(o, Losses{"y": MSE()}))
	d := Data{Inputs: Arrays{"x": Floats{1, 2}}, Targets: Arrays{"y": Floats{1, 2, 3}}}
	step := func() {
		if _, err := m.TrainOnBatch(d); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		step()
	}
	require.Zero(t, testing.AllocsPerRun(50, step))
}

func TestRegularizerErrors(t *testing.T) {
	x := Input("x", 2)
	for want, l := range map[string]*Layer{
		`layer "a" (Dense): kernel: l1 -1 must be finite and not negative`:                           Dense(1, Linear, Name("a"), KernelRegularizer(L1(-1))),
		`layer "b" (Dense): bias: OrthogonalRegularizer needs two axes, the shape is (1)`:            Dense(1, Linear, Name("b"), BiasRegularizer(OrthogonalRegularizer(1, "rows"))),
		`layer "c" (Dense): kernel: OrthogonalRegularizer: unknown mode "x": valid are ["rows"`:      Dense(1, Linear, Name("c"), KernelRegularizer(OrthogonalRegularizer(1, "x"))),
		`layer "d" (Dense): kernel: MaxNorm: axis 2, shape (2, 1) has -2 to 1`:                       Dense(1, Linear, Name("d"), KernelConstraint(MaxNorm(1, 2))),
		`layer "e" (Dense): kernel: Orthogonal: NaN must be finite`:                                  Dense(1, Linear, Name("e"), KernelInitializer(Orthogonal(math.NaN()))),
		`layer "f" (Dense): bias: Identity needs two axes, the shape is (1)`:                         Dense(1, Linear, Name("f"), BiasInitializer(IdentityMatrix(1))),
		`layer "g" (Dense): kernel: the initializer is nil`:                                          Dense(1, Linear, Name("g"), KernelInitializer(nil)),
		`layer "h" (Dense): kernel: the regularizer nn.strange is not registered`:                    Dense(1, Linear, Name("h"), KernelRegularizer(strange{})),
		`layer "i" (Dense): kernel: VarianceScaling: unknown mode "x": valid are ["fan_in" "fan_out`: Dense(1, Linear, Name("i"), KernelInitializer(VarianceScaling(1, "x", "uniform"))),
		`layer "j" (Dense): does not take EmbeddingsInitializer: its configuration has no embeddings_initializer`: Dense(1, Linear, Name("j"),
			EmbeddingsInitializer(Zeros())),
		`layer "k" (Dense): the activity regularizer: l2 NaN must be`: Dense(1, Linear, Name("k"), ActivityRegularizer(L2(math.NaN()))),
	} {
		_, err := NewModel([]*Node{x}, []*Node{l.On(x)})
		requireError(t, err, want)
	}
	m := regularized(t, SGD(1))
	m.Weights()[0].Data[0] = 3e38
	m.Weights()[0].Data[1] = 3e38
	_, err := m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{0, 0}}, Targets: Arrays{"y": Floats{0}}})
	require.NoError(t, err)
	m = regularized(t, SGD(1))
	m.Weights()[1].Data[0] = -3e38
	_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{0, 0}}, Targets: Arrays{"y": Floats{0}}})
	require.ErrorIs(t, err, ErrNonFinite)
	requireError(t, err, `the penalty of weight "h/bias" is +Inf`)
}

type strange struct{}

func (strange) Penalty(kernels.Matrix, kernels.Matrix, float32) (float32, error) {
	return 0, fmt.Errorf("strange")
}
