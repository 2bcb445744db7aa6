package nn

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// plain returns y = w·x without a bias, its w, and the optimizer at work on the mean absolute error: the gradient by w is x.
func plain(t testing.TB, w float32, optimizer Optimizer) *Model {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias(), Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {w}}))
	require.NoError(t, m.Compile(optimizer, Losses{"y": MAE()}))
	return m
}

func point(x, y float32) Data {
	return Data{Inputs: Arrays{"x": Floats{x}}, Targets: Arrays{"y": Floats{y}}}
}

func momentum(rate float64) *SGDOptimizer {
	o := SGD(rate)
	o.Momentum = 0.9
	return o
}

// largestRoot is the largest number whose square float32 has.
func largestRoot() float32 {
	v := float32(math.Sqrt(math.MaxFloat32))
	for v*v > math.MaxFloat32 {
		v = math.Nextafter32(v, 0)
	}
	return v
}

// Adam and RMSprop refuse a gradient whose square float32 does not have, before anything changes; others do not square it.
func TestGradientThatCannotBeSquared(t *testing.T) {
	limit := largestRoot()
	for _, o := range []Optimizer{Adam(1e-3), RMSprop(1e-3), SGD(1e-30), momentum(1e-30)} {
		t.Run(className(o), func(t *testing.T) {
			beyond := math.Nextafter32(limit, inf)
			for _, g := range []float32{limit, -limit, beyond, -beyond} {
				m := plain(t, 1, o)
				_, err := m.Fit(context.Background(), point(g, 0), Epochs(2))
				if g*g <= math.MaxFloat32 || !squares(o) {
					require.NoError(t, err)
					_, err = m.WriteTo(io.Discard)
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, ErrNonFinite)
				requireError(t, err, `nn: Fit: epoch 0, batch 0: the gradient of weight "y/kernel" has a value of `, className(o))
				require.Equal(t, []float32{1}, m.Weights()[0].Data)
				require.Zero(t, m.trainer.iterations)
				for _, s := range m.trainer.slots[0] {
					require.Equal(t, []float32{0}, s)
				}
			}
		})
	}
}

// wideAt is a model whose weight h/kernel, of more than one piece, has its whole gradient at one place.
func wideAt(t *testing.T, at int, y float32, optimizer Optimizer) *Model {
	const n = pieceSize + 3000
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias(), Name("y")).On(Dense(n, Linear, NoBias(), Name("h")).On(x))})
	require.NoError(t, err)
	k := make([]float32, n)
	k[at] = y
	require.NoError(t, m.SetWeights(map[string][]float32{"h/kernel": make([]float32, n), "y/kernel": k}))
	require.NoError(t, m.Compile(optimizer, Losses{"y": MSE()}))
	return m
}

// Every piece of a gradient is checked, and none of a weight changes if one is wrong.
func TestGradientOfEveryPiece(t *testing.T) {
	for _, at := range []int{0, pieceSize - 1, pieceSize, pieceSize + 2999} {
		for _, o := range []Optimizer{SGD(0.1), momentum(0.1), Adam(0.1), RMSprop(0.1)} {
			m := wideAt(t, at, 1e30, o)
			before := weightBits(m)
			_, err := m.TrainOnBatch(point(1, 1e10))
			require.ErrorIs(t, err, ErrNonFinite)
			requireError(t, err, `the gradient of weight "h/kernel" is not finite`)
			require.Equal(t, before, weightBits(m))
			require.Zero(t, m.trainer.iterations)

			m = wideAt(t, at, 1e12, o)
			_, err = m.TrainOnBatch(point(1, 1e10)) // 2e22
			if squares(o) {
				requireError(t, err, `the gradient of weight "h/kernel" has a value of -2e+22, whose square, which `+className(o)+` takes, is not finite`)
				require.Equal(t, int64(0), m.trainer.iterations)
			} else {
				require.NoError(t, err)
			}
		}
	}
}

// Sums of a gradient, and of its squares, can overflow where no value does.
func TestGradientSumOverflows(t *testing.T) {
	for _, o := range []Optimizer{SGD(1e-38), Adam(0.1), RMSprop(0.1)} {
		const n = 40
		x := Input("x", n)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias(), Name("y")).On(x)})
		require.NoError(t, err)
		require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": make([]float32, n)}))
		require.NoError(t, m.Compile(o, Losses{"y": MAE()}))
		v := float32(1e38)
		if squares(o) {
			v = largestRoot()
		}
		_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats(slices.Repeat([]float32{v}, n))}, Targets: Arrays{"y": Floats{1}}})
		require.NoError(t, err, className(o))
	}
}

// A gradient that has only some rows is checked too.
func TestGradientOfEmbedding(t *testing.T) {
	for _, o := range []Optimizer{SGD(0.1), Adam(0.1)} {
		id := Input("x", 1)
		m, err := NewModel([]*Node{id}, []*Node{Dense(1, Linear, NoBias(), Name("y")).On(Flatten().On(Embedding(9, 2, Name("e")).On(id)))})
		require.NoError(t, err)
		require.NoError(t, m.SetWeights(map[string][]float32{"e/embeddings": make([]float32, 18), "y/kernel": {0, 1e30}}))
		require.NoError(t, m.Compile(o, Losses{"y": MSE()}))
		before := weightBits(m)
		_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Labels{2, 7}}, Targets: Arrays{"y": Floats{0, 1e10}}})
		require.ErrorIs(t, err, ErrNonFinite)
		requireError(t, err, `the gradient of weight "e/embeddings" is not finite`)
		require.Equal(t, before, weightBits(m))
	}
}

// Updates can drive a weight out of the finite range although every loss is finite: Fit says so when the epoch has ended.
func TestWeightsLeaveTheRange(t *testing.T) {
	m := plain(t, -3e38, SGD(3e38))
	history, err := m.Fit(context.Background(), point(1, 0.5), Epochs(3))
	require.NoError(t, err, "its sign changes")
	require.Len(t, history.Epochs, 3)

	called := false
	m = plain(t, 0, SGD(3e38))
	history, err = m.Fit(context.Background(), point(2, 1), Epochs(3), Callbacks(Callback{
		EpochEnd: func(Progress) error { called = true; return nil }, End: func(Progress) error { called = true; return nil },
	}))
	require.ErrorIs(t, err, ErrNonFinite)
	require.EqualError(t, err, `nn: Fit: epoch 0: weight "y/kernel": value 0 is +Inf: not finite`)
	require.Empty(t, history.Epochs)
	require.False(t, called)
	require.Equal(t, []float32{inf}, m.Weights()[0].Data, "the model holds it")
	_, err = m.WriteTo(io.Discard)
	require.ErrorIs(t, err, ErrNonFinite)
	_, err = m.Evaluate(context.Background(), point(2, 1))
	require.ErrorIs(t, err, ErrNonFinite)
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {1}}))
	_, err = m.WriteTo(io.Discard)
	require.NoError(t, err)

	m = plain(t, 0, SGD(3e38)) // stopped before the epoch has ended
	_, err = m.Fit(context.Background(), point(2, 1), stopAt(0, 0, ErrStop))
	require.ErrorIs(t, err, ErrNonFinite)

	m = plain(t, 0, SGD(3e38)) // there is no epoch here, so the next step says it
	_, err = m.TrainOnBatch(point(2, 1))
	require.NoError(t, err)
	_, err = m.TrainOnBatch(point(2, 1))
	require.ErrorIs(t, err, ErrNonFinite)
}

// All of the state is looked at, in every piece.
func TestCheckState(t *testing.T) {
	for _, o := range []Optimizer{SGD(0), momentum(0.1), Adam(0.1), RMSprop(0.1)} {
		m := wideAt(t, 0, 0, o)
		require.NoError(t, m.trainer.checkState())
		for i, w := range m.Weights() {
			for j, v := range append([][]float32{w.Data}, m.trainer.slots[i]...) {
				for _, at := range []int{0, pieceSize + 2} {
					v[at] = nan
					what := "weight"
					if j > 0 {
						what = "the optimizer's " + o.Slots()[j-1] + " of weight"
					}
					err := m.trainer.checkState()
					require.ErrorIs(t, err, ErrNonFinite)
					requireError(t, err, what+` "`+w.Name+`": value `)
					v[at] = 0
				}
			}
		}
		v := m.Weights()[0].Data
		copy(v, slices.Repeat([]float32{3e38}, 100))
		require.NoError(t, m.trainer.checkState(), "only the sum overflows")
	}
}

// A row's loss counts its sample weight times the weight of its class, both rounded once.
func TestClassWeightTimesSampleWeight(t *testing.T) {
	classes := map[int]float64{0: 3, 1: 0.25}
	weights := []float32{2, 0.5, 0, 4}
	sum := func(losses, scales []float64) float64 {
		s := 0.0
		for i := range losses {
			s += losses[i] * scales[i] / float64(len(losses))
		}
		return s
	}
	for _, c := range []struct {
		name   string
		y      Array
		width  int
		loss   Loss
		scales []float64 // of the rows
	}{
		{"labels", Labels{0, 1, 2, 1}, 3, SparseCategoricalCrossentropy(), []float64{6, 0.125, 0, 1}},
		{"first maximum", Floats{0.5, 0.5, 0, 0, 0.5, 0.5, 1, 0, 0, 0, 0, 1}, 3, CategoricalCrossentropy(), []float64{6, 0.125, 0, 4}},
		{"integer part", Floats{0.75, 1, 0, 0.25}, 1, BinaryCrossentropy(), []float64{6, 0.125, 0, 12}},
	} {
		t.Run(c.name, func(t *testing.T) {
			act := Softmax
			if c.width == 1 {
				act = Sigmoid
			}
			x := Input("x", 1)
			m, err := NewModel([]*Node{x}, []*Node{Dense(c.width, act, Name("y")).On(x)})
			require.NoError(t, err)
			require.NoError(t, m.Compile(SGD(0), Losses{"y": c.loss}))
			d := Data{Inputs: Arrays{"x": Floats{-1, 0.5, 1, 2}}, Targets: Arrays{"y": c.y}}
			var losses []float64
			for i := range 4 {
				one := Data{Inputs: Arrays{"x": d.Inputs["x"].(Floats)[i : i+1]}, Targets: Arrays{}}
				switch y := c.y.(type) {
				case Labels:
					one.Targets["y"] = y[i : i+1]
				case Floats:
					one.Targets["y"] = y[i*c.width : (i+1)*c.width]
				}
				logs, err := m.Evaluate(context.Background(), one)
				require.NoError(t, err)
				losses = append(losses, logs["loss"])
			}
			d.SampleWeights = map[string][]float32{"y": weights}
			history, err := m.Fit(context.Background(), d, ClassWeight("y", classes))
			require.NoError(t, err)
			require.InDelta(t, sum(losses, c.scales), history.Logs["loss"][0], 1e-6)
		})
	}
	t.Run("numbers of no class", func(t *testing.T) {
		for y, want := range map[float32]float64{1.5: 2 * 1.5, 1: 2, 0.5: 3 * 0.5, -0.5: 3 * 0.5, -1: 1, 2: 2, 1e30: float64(float32(1e30)), -1e30: float64(float32(1e30))} {
			history, err := linear(t, 0, 0, MAE()).Fit(context.Background(), point(0, y), ClassWeight("y", map[int]float64{0: 3, 1: 2}))
			require.NoError(t, err)
			require.Equal(t, want, history.Logs["loss"][0], y)
		}
	})
	t.Run("beyond float32", func(t *testing.T) {
		m, d := linear(t, 1, 0, MSE()), Data{Inputs: Arrays{"x": Floats{1, 2}}, Targets: Arrays{"y": Floats{0, 1}}}
		d.SampleWeights = map[string][]float32{"y": {1, 1e30}}
		before := weightBits(m)
		_, err := m.Fit(context.Background(), d, Shuffle(false), ClassWeight("y", map[int]float64{1: 1e30}))
		requireError(t, err, `nn: Fit: epoch 0, batch 0: output "y", row 1 of the batch: sample weight 1e+30 times class weight 1e+30 is beyond float32`)
		require.Equal(t, before, weightBits(m))
		d.SampleWeights["y"][1] = 1e-30
		_, err = m.Fit(context.Background(), d, ClassWeight("y", map[int]float64{1: 1e-30}))
		require.NoError(t, err, "too small for float32 is 0")
	})
}

// A row of weight 0 does not count even if its loss is infinite.
func TestRowOfNoWeight(t *testing.T) {
	m := linear(t, 1, 0, MSE())
	d := Data{Inputs: Arrays{"x": Floats{1, 1e25}}, Targets: Arrays{"y": Floats{3, 0}}, SampleWeights: map[string][]float32{"y": {1, 0}}}
	logs, err := m.Evaluate(context.Background(), d)
	require.NoError(t, err)
	require.Equal(t, 2.0, logs["loss"])
	_, err = m.TrainOnBatch(d)
	require.NoError(t, err)
	d.SampleWeights["y"][1] = 1e-10
	_, err = m.TrainOnBatch(d)
	require.ErrorIs(t, err, ErrNonFinite)
	requireError(t, err, `the loss of output "y" is +Inf: not finite`)
}

// A gradient can overflow although the loss does not.
func TestOverflowingGradient(t *testing.T) {
	for _, optimizer := range []Optimizer{SGD(0.1), Adam(0.1), RMSprop(0.1)} {
		t.Run(className(optimizer), func(t *testing.T) {
			x := Input("x", 1)
			m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias(), Name("y")).On(Dense(1, Linear, NoBias(), Name("h")).On(x))})
			require.NoError(t, err)
			require.NoError(t, m.SetWeights(map[string][]float32{"h/kernel": {1e-30}, "y/kernel": {1e30}}))
			require.NoError(t, m.Compile(optimizer, Losses{"y": MSE()}))
			before := weightBits(m)
			_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1e9}}, Targets: Arrays{"y": Floats{0}}})
			requireError(t, err, `nn: TrainOnBatch: the gradient of weight "h/kernel" is not finite`)
			require.Equal(t, before, weightBits(m))
			require.Zero(t, m.trainer.iterations)
		})
	}
}

func TestClassWeights(t *testing.T) {
	d := tandemData(21)
	classes := map[int]float64{0: 0.25, 2: 3}
	weighted := d
	weighted.SampleWeights = map[string][]float32{"label": nil}
	for _, l := range d.Targets["label"].(Labels) {
		w, ok := classes[int(l)]
		if !ok {
			w = 1
		}
		weighted.SampleWeights["label"] = append(weighted.SampleWeights["label"], float32(w))
	}
	a, b := noisy(t), noisy(t)
	ha, err := a.Fit(context.Background(), d, Epochs(2), BatchSize(8), ClassWeight("label", classes), ValidationData(d))
	require.NoError(t, err)
	hb, err := b.Fit(context.Background(), weighted, Epochs(2), BatchSize(8), ValidationData(d))
	require.NoError(t, err)
	require.Equal(t, weightBits(a), weightBits(b))
	require.Equal(t, logBits(ha), logBits(hb))

	for _, target := range []Array{Labels{0, 1, 1}, Floats{0, 1, 1}} { // one column: its integer part
		p, q := linear(t, 1, 0, MSE()), linear(t, 1, 0, MSE())
		d := Data{Inputs: Arrays{"x": Floats{3, 2, 1}}, Targets: Arrays{"y": target}}
		hp, err := p.Fit(context.Background(), d, ClassWeight("y", map[int]float64{1: 4}))
		require.NoError(t, err)
		d.SampleWeights = map[string][]float32{"y": {1, 4, 4}}
		hq, err := q.Fit(context.Background(), d)
		require.NoError(t, err)
		require.Equal(t, logBits(hp), logBits(hq))
	}
}

func TestFrozenLayers(t *testing.T) {
	for _, c := range []struct {
		name      string
		optimizer Optimizer
	}{{"sgd", SGD(0.1)}, {"momentum", momentum(0.1)}, {"adam", Adam(0.01)}, {"rmsprop", RMSprop(0.01)}} {
		t.Run(c.name, func(t *testing.T) {
			ctx, d := context.Background(), tandemData(12)
			m := tandem(t, c.optimizer)
			trunk, err := m.Layer("trunk")
			require.NoError(t, err)
			_, err = m.Fit(ctx, d, BatchSize(6))
			require.NoError(t, err)
			state := func() string {
				s := ""
				for i, w := range m.weights {
					if w.layer == trunk {
						s += fmt.Sprint(w.Data, m.trainer.slots[i])
					}
				}
				return s
			}
			before, heads := state(), weightBits(m)
			trunk.SetTrainable(false)
			require.False(t, trunk.Trainable())
			_, err = m.Fit(ctx, d, BatchSize(6), Epochs(2))
			require.NoError(t, err)
			require.Equal(t, before, state(), "frozen weights and their optimizer state")
			require.NotEqual(t, heads, weightBits(m), "the others learn")
			trunk.SetTrainable(true)
			_, err = m.Fit(ctx, d, BatchSize(6))
			require.NoError(t, err)
			require.NotEqual(t, before, state())
			require.Equal(t, int64(8), m.trainer.iterations)
			for _, w := range m.Weights() {
				require.Equal(t, -1, nonFinite(w.Data))
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		m, d := tandem(t, Adam(0.1)), tandemData(5)
		for _, l := range m.Layers() {
			l.SetTrainable(false)
		}
		before := weightBits(m)
		history, err := m.Fit(context.Background(), d)
		require.NoError(t, err)
		require.NotZero(t, history.Logs["loss"][0])
		require.Equal(t, before, weightBits(m))
	})
}
