package nn

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// optimizers are all of them, with what makes each do most.
func optimizers() []Optimizer {
	return []Optimizer{
		SGD(0.1), momentum(0.1), Adam(0.1), set(Adam(0.1), func(o *AdamOptimizer) { o.AMSGrad = true }), AdamW(0.1), RMSprop(0.1),
		set(RMSprop(0.1), func(o *RMSpropOptimizer) { o.Momentum, o.Centered = 0.9, true }),
		Nadam(0.1), Adamax(0.1), Adagrad(0.1), Adadelta(1), Lion(0.1), Lamb(0.1), Adafactor(0.1), Muon(0.1),
		set(Ftrl(0.1), func(o *FtrlOptimizer) { o.Power, o.L1, o.L2, o.L2Shrinkage, o.Beta = -0.4, 0.01, 0.02, 0.03, 0.04 }),
	}
}

// withOptions returns the optimizer with options.
func withOptions[T Optimizer](o T, change func(*OptimizerOptions)) T {
	change(optionsOf(o))
	return o
}

// The same numbers come from any number of workers, whatever the optimizer and its options, and each changes all weights.
func TestOptimizerWorkers(t *testing.T) {
	everything := withOptions(Adam(0.1), func(o *OptimizerOptions) {
		o.WeightDecay, o.ExcludeFromWeightDecay, o.GlobalClipNorm = 0.1, []string{"w2"}, 3
		o.UseEMA, o.EMAMomentum, o.EMAOverwriteFrequency, o.GradientAccumulationSteps = true, 0.5, 2, 2
	})
	for _, o := range append(optimizers(), everything, withOptions(SGD(0.1), func(o *OptimizerOptions) { o.ClipNorm = 1 })) {
		one, start := walk(t, o, 1, 4), walk(t, o, 1, 0)
		require.Equal(t, one, walk(t, o, 3, 4), className(o))
		require.NotEqual(t, start, one, className(o))
		changed := 0
		for i, v := range start[:5+70*300] {
			if v != one[i] {
				changed++
			}
		}
		require.Greater(t, changed, 70*300/2, className(o))
	}
}

// A model goes on from its file as it would have, whatever the optimizer has as state.
func TestOptimizersSaved(t *testing.T) {
	ctx, d := context.Background(), tandemData(20)
	for _, o := range append(optimizers(), withOptions(Adam(0.1), func(o *OptimizerOptions) {
		o.ExcludeFromWeightDecay, o.WeightDecay, o.UseEMA, o.GradientAccumulationSteps = []string{"bias"}, 0.1, true, 3
	})) {
		m := tandem(t, o)
		_, err := m.Fit(ctx, d, BatchSize(6), Epochs(2))
		require.NoError(t, err)
		b := savedBytes(t, m)
		again, err := parse(b)
		require.NoError(t, err)
		require.Equal(t, b, savedBytes(t, again))
		for _, m := range []*Model{m, again} {
			_, err := m.Fit(ctx, d, BatchSize(6), InitialEpoch(2), Epochs(4))
			require.NoError(t, err)
			require.Equal(t, -1, slices.IndexFunc(m.Weights(), func(w *Weight) bool { return nonFinite(w.Data) >= 0 }))
		}
		require.Equal(t, savedBytes(t, m), savedBytes(t, again), className(o))
	}
}

// gradientSteps are five gradients of two weights, [3] and [2, 2].
var gradientSteps = [][][]float32{
	{{3, 4, 0}, {1, 2, 2, 4}},
	{{0.1, 0.2, 0.2}, {0.1, 0, 0, 0}},
	{{-6, 0, 8}, {0, 0, 0, 0.5}},
	{{1, 1, 1}, {-1, -1, -1, -1}},
	{{5, -5, 5}, {2, 2, -2, 2}},
}

// stepped returns the weights after each of the steps, from 1.
func stepped(t *testing.T, o Optimizer) (m *Model, after [][][]float64) {
	m, step := newGiven(t, o, [][]float32{{1, 1, 1}, {1, 1, 1, 1}}, []Shape{{3}, {2, 2}})
	for _, g := range gradientSteps {
		require.NoError(t, step(g))
		after = append(after, [][]float64{float64s(m.Weights()[0].Data), float64s(m.Weights()[1].Data)})
	}
	return m, after
}

// Clipping, decay and gathering beside what they mean for gradient descent, in float64.
func TestOptimizerOptions(t *testing.T) {
	const rate = 0.5
	norm := func(g []float32) float64 { return math.Sqrt(sumSquares(g)) }
	for name, c := range map[string]struct {
		change func(*OptimizerOptions)
		// step changes weights by step n of the gradients, before the constant rate is applied.
		gradient func(n int, g [][]float32, i, j int) float64
		decay    func(weight int) float64
	}{
		"clipnorm": {func(o *OptimizerOptions) { o.ClipNorm = 2 }, func(_ int, g [][]float32, i, j int) float64 {
			return float64(g[i][j]) * min(1, 2/norm(g[i]))
		}, nil},
		"global_clipnorm": {func(o *OptimizerOptions) { o.GlobalClipNorm = 2 }, func(_ int, g [][]float32, i, j int) float64 {
			return float64(g[i][j]) * min(1, 2/math.Hypot(norm(g[0]), norm(g[1])))
		}, nil},
		"clipvalue": {func(o *OptimizerOptions) { o.ClipValue = 1.5 }, func(_ int, g [][]float32, i, j int) float64 {
			return min(max(float64(g[i][j]), -1.5), 1.5)
		}, nil},
		"weight_decay": {func(o *OptimizerOptions) { o.WeightDecay = 0.1 }, nil, func(int) float64 { return 0.1 }},
		"exclude": {func(o *OptimizerOptions) {
			o.WeightDecay, o.ExcludeFromWeightDecay = 0.1, []string{"nothing", "^given/w1$"}
		}, nil, func(weight int) float64 { return 0.1 * float64(1-weight) }},
		"gradient_accumulation_steps": {func(o *OptimizerOptions) { o.GradientAccumulationSteps = 2 }, func(n int, _ [][]float32, i, j int) float64 {
			if n%2 == 0 {
				return 0
			}
			return float64(gradientSteps[n-1][i][j]+gradientSteps[n][i][j]) / 2
		}, nil},
		"accumulated and clipped": {func(o *OptimizerOptions) { o.GradientAccumulationSteps, o.ClipValue = 2, 1.5 }, func(n int, _ [][]float32, i, j int) float64 {
			if n%2 == 0 {
				return 0
			}
			return min(max(float64(gradientSteps[n-1][i][j]+gradientSteps[n][i][j])/2, -1.5), 1.5)
		}, nil},
	} {
		_, have := stepped(t, withOptions(SGD(rate), c.change))
		want := [][]float64{{1, 1, 1}, {1, 1, 1, 1}}
		for n, g := range gradientSteps {
			for i := range want {
				for j := range want[i] {
					if c.decay != nil {
						want[i][j] -= rate * c.decay(i) * want[i][j]
					}
					v := float64(g[i][j])
					if c.gradient != nil {
						v = c.gradient(n, g, i, j)
					}
					want[i][j] -= rate * v
				}
				require.InDeltaSlice(t, want[i], have[n][i], 1e-5, "%s, step %d, weight %d", name, n, i)
			}
		}
	}
}

// Means of the weights: the first is the weight, the next follow it, and take its place every few steps and in the end.
func TestAveragedWeights(t *testing.T) {
	ema := func(frequency int64) *SGDOptimizer {
		return withOptions(SGD(0.5), func(o *OptimizerOptions) { o.UseEMA, o.EMAMomentum, o.EMAOverwriteFrequency = true, 0.75, frequency })
	}
	for _, frequency := range []int64{0, 2} {
		m, have := stepped(t, ema(frequency))
		w, mean := 1.0, 0.0
		for n, g := range gradientSteps {
			w -= 0.5 * float64(g[0][0])
			if mean = 0.75*mean + 0.25*w; n == 0 {
				mean = w
			}
			if frequency > 0 && (n+1)%int(frequency) == 0 {
				w = mean
			}
			require.InDelta(t, w, have[n][0][0], 1e-6, "step %d", n)
		}
		require.InDelta(t, mean, m.trainer.slots[0][0][0], 1e-6)
		m.trainer.finish()
		require.Equal(t, m.trainer.slots[0][0], m.Weights()[0].Data)
	}
	// Fit ends with the means. A frozen weight stays, and has its own value as the mean if it learns again.
	m, d := tandem(t, ema(0)), tandemData(12)
	trunk, err := m.Layer("trunk")
	require.NoError(t, err)
	trunk.SetTrainable(false)
	before := slices.Clone(m.Weights()[0].Data)
	_, err = m.Fit(context.Background(), d, BatchSize(6), Epochs(2))
	require.NoError(t, err)
	require.Equal(t, before, m.Weights()[0].Data)
	for i, w := range m.Weights() {
		require.Equal(t, m.trainer.slots[i][0], w.Data)
	}
	// What is written to a frozen weight stays, too.
	m.trainer.optimizer.(*SGDOptimizer).EMAOverwriteFrequency = 1
	require.NoError(t, m.SetWeights(map[string][]float32{m.Weights()[0].Name: slices.Repeat([]float32{7}, len(before))}))
	_, err = m.Fit(context.Background(), d)
	require.NoError(t, err)
	require.Equal(t, slices.Repeat([]float32{7}, len(before)), m.Weights()[0].Data)
	_, err = m.Fit(context.Background(), d, Epochs(0))
	require.NoError(t, err)
	fresh := tandem(t, ema(0))
	bits := weightBits(fresh)
	_, err = fresh.Fit(context.Background(), d, Epochs(0))
	require.NoError(t, err)
	require.Equal(t, bits, weightBits(fresh), "there are no means yet")
}

// Options leave the rows of an embedding to batches that look them up, or do not.
func TestOptionsOfEmbedding(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*OptimizerOptions)
		moves  bool // vectors that no batch looks up
	}{
		"clipnorm":                    {func(o *OptimizerOptions) { o.ClipNorm = 1e-3 }, false},
		"clipvalue":                   {func(o *OptimizerOptions) { o.ClipValue = 1e-3 }, false},
		"gradient_accumulation_steps": {func(o *OptimizerOptions) { o.GradientAccumulationSteps = 2 }, false},
		"weight_decay":                {func(o *OptimizerOptions) { o.WeightDecay = 0.1 }, true},
		"excluded":                    {func(o *OptimizerOptions) { o.WeightDecay, o.ExcludeFromWeightDecay = 0.1, []string{"embeddings"} }, false},
	} {
		m, _ := worded(t)
		require.NoError(t, m.Compile(withOptions(SGD(0.5), c.change), Losses{"y": MSE()}))
		before := slices.Clone(m.Weights()[0].Data)
		for range 2 {
			_, err := m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1}, "words": Floats{0, 1}}, Targets: Arrays{"y": Floats{1}}})
			require.NoError(t, err)
		}
		v := m.Weights()[0].Data
		require.NotEqual(t, before[:6], v[:6], name)
		require.Equal(t, c.moves, !slices.Equal(before[6:], v[6:]), name)
		if name[:4] == "clip" {
			require.InDeltaSlice(t, float64s(before[:6]), float64s(v[:6]), 2*0.5*1.001e-3, name)
		}
	}
}

// A step that fails changes nothing, neither weights nor gathered gradients nor means.
func TestOptionsAndErrors(t *testing.T) {
	for name, change := range map[string]func(*OptimizerOptions){
		"gather":    func(o *OptimizerOptions) { o.GradientAccumulationSteps = 3 },
		"clipnorm":  func(o *OptimizerOptions) { o.ClipNorm = 1 },
		"global":    func(o *OptimizerOptions) { o.GlobalClipNorm = 1 },
		"clipvalue": func(o *OptimizerOptions) { o.ClipValue = 1 },
		"ema":       func(o *OptimizerOptions) { o.UseEMA = true },
	} {
		m, step := newGiven(t, withOptions(Adam(0.1), change), [][]float32{{1, 1, 1}, {1, 1, 1, 1}}, []Shape{{3}, {2, 2}})
		require.NoError(t, step(gradientSteps[0]))
		before := savedBytes(t, m)
		for _, v := range []float32{inf, nan} {
			err := step([][]float32{{1, 2, v}, {1, 1, 1, 1}})
			require.ErrorIs(t, err, ErrNonFinite, name)
			requireError(t, err, `the gradient of weight "given/w0" is not finite`)
			require.Equal(t, before, savedBytes(t, m), name)
		}
		require.NoError(t, step([][]float32{{1, 2, 1e18}, {1, 1, 1, 1}}), name)
	}
	// The sum of finite gradients overflows.
	m, step := newGiven(t, withOptions(SGD(0), func(o *OptimizerOptions) { o.GradientAccumulationSteps = 3 }), [][]float32{{1}}, []Shape{{1}})
	require.NoError(t, step([][]float32{{3e38}}))
	before := savedBytes(t, m)
	require.ErrorIs(t, step([][]float32{{3e38}}), ErrNonFinite)
	require.Equal(t, before, savedBytes(t, m))
	// Norms of large and of small gradients are right.
	for _, v := range []float32{1e30, 1e-30} {
		m, step := newGiven(t, withOptions(SGD(1), func(o *OptimizerOptions) { o.ClipNorm = 0.5e-30 }), [][]float32{{0}}, []Shape{{1}})
		require.NoError(t, step([][]float32{{v}}))
		require.InEpsilon(t, -0.5e-30, m.Weights()[0].Data[0], 1e-6)
	}
}

func TestOptionErrors(t *testing.T) {
	for want, change := range map[string]func(*OptimizerOptions){
		"clipnorm -1 must be finite and not negative": func(o *OptimizerOptions) { o.ClipNorm = -1 },
		"clipvalue NaN must be finite":                func(o *OptimizerOptions) { o.ClipValue = math.NaN() },
		"global_clipnorm 1e-60 is 0 in float32":       func(o *OptimizerOptions) { o.GlobalClipNorm = 1e-60 },
		"only one of clipnorm":                        func(o *OptimizerOptions) { o.ClipNorm, o.ClipValue = 1, 1 },
		"ema_momentum 1.5 is not in [0, 1]":           func(o *OptimizerOptions) { o.EMAMomentum = 1.5 },
		"ema_overwrite_frequency -1 is negative":      func(o *OptimizerOptions) { o.EMAOverwriteFrequency = -1 },
		"gradient_accumulation_steps 1 must be":       func(o *OptimizerOptions) { o.GradientAccumulationSteps = 1 },
		"exclude_from_weight_decay: error parsing":    func(o *OptimizerOptions) { o.ExcludeFromWeightDecay = []string{"("} },
		"have more than 1024 bytes":                   func(o *OptimizerOptions) { o.ExcludeFromWeightDecay = []string{string(make([]byte, 2000))} },
	} {
		requireError(t, checkOptimizer(withOptions(Lion(0.1), change)), "optimizer lion: ", want)
	}
	for want, o := range map[string]Optimizer{
		"optimizer adagrad: initial_accumulator_value -1 must be":     set(Adagrad(1), func(o *AdagradOptimizer) { o.Initial = -1 }),
		"optimizer ftrl: learning_rate_power 1 must be":               set(Ftrl(1), func(o *FtrlOptimizer) { o.Power = 1 }),
		"optimizer ftrl: beta -1 must be":                             set(Ftrl(1), func(o *FtrlOptimizer) { o.Beta = -1 }),
		"optimizer lion: beta 2 1 is not in [0, 1)":                   set(Lion(1), func(o *LionOptimizer) { o.Beta2 = 1 }),
		"optimizer adadelta: rho 2 is not in [0, 1)":                  set(Adadelta(1), func(o *AdadeltaOptimizer) { o.Rho = 2 }),
		"optimizer adafactor: clip_threshold 0 must be":               set(Adafactor(1), func(o *AdafactorOptimizer) { o.ClipThreshold = 0 }),
		"optimizer adafactor: beta_2_decay 0 must be":                 set(Adafactor(1), func(o *AdafactorOptimizer) { o.Decay = 0 }),
		"optimizer muon: ns_steps 101, valid are 0 to 100":            set(Muon(1), func(o *MuonOptimizer) { o.Iterations = 101 }),
		"optimizer muon: exclude_layers: error parsing":               set(Muon(1), func(o *MuonOptimizer) { o.ExcludeLayers = []string{"("} }),
		"optimizer muon: adam_weight_decay -1 must be":                set(Muon(1), func(o *MuonOptimizer) { o.AdamWeightDecay = -1 }),
		"optimizer nadam: beta 1 1 is not in [0, 1)":                  set(Nadam(1), func(o *NadamOptimizer) { o.Beta1 = 1 }),
		"optimizer adamax: epsilon 0 must be positive":                set(Adamax(1), func(o *AdamaxOptimizer) { o.Epsilon = 0 }),
		"optimizer lamb: learning rate 1e+39 must be finite":          Lamb(1e39),
		"optimizer rmsprop: momentum 1 is not in [0, 1)":              set(RMSprop(1), func(o *RMSpropOptimizer) { o.Momentum = 1 }),
		"optimizer adam: learning rate 1e+20 times weight decay 1e+2": withOptions(Adam(1e20), func(o *OptimizerOptions) { o.WeightDecay = 1e20 }),
	} {
		requireError(t, checkOptimizer(o), want)
	}
}

// null in a configuration of Keras is none, where the default may be another.
func TestNullInConfig(t *testing.T) {
	o, err := newObject[Optimizer]("AdamW", []byte(`{"learning_rate":0.5,"weight_decay":null,"clipnorm":null}`))
	require.NoError(t, err)
	require.Zero(t, o.(*AdamWOptimizer).WeightDecay)
	require.Equal(t, Rate{Value: 0.5}, *o.LearningRate())
	_, err = newObject[Optimizer]("AdamW", []byte(`{"weight":null}`))
	require.ErrorContains(t, err, `unknown field "weight"`)
	_, err = newObject[Optimizer]("AdamW", []byte(`{"weight_decay":null`))
	require.ErrorContains(t, err, "config: ")
}

// Every machine makes the same steps. The loops of Go do so without SIMD, too.
func TestOptimizerBits(t *testing.T) {
	everything := withOptions(SGD(0.1), func(o *OptimizerOptions) { o.GlobalClipNorm, o.UseEMA, o.GradientAccumulationSteps = 3, true, 2 })
	everything.Momentum = 0.5
	ema := withOptions(Lion(0.1), func(o *OptimizerOptions) { o.UseEMA, o.EMAMomentum, o.GlobalClipNorm = true, 0.9, 3 })
	of := func(all ...Optimizer) string {
		h := fnv.New64a()
		for _, o := range all {
			require.NoError(t, binary.Write(h, binary.LittleEndian, walk(t, o, 1, 3)))
		}
		return fmt.Sprintf("%x", h.Sum64())
	}
	ftrl, amsgrad, rmsprop := Ftrl(0.1), Adam(0.1), RMSprop(0.1)
	ftrl.Power, ftrl.L1, ftrl.Beta, amsgrad.AMSGrad, rmsprop.Momentum, rmsprop.Centered = -0.4, 0.01, 0.04, true, 0.9, true
	require.Equal(t, "279c3eb28d795307", of(ftrl, amsgrad, rmsprop, ema, Nadam(0.1), Adamax(0.1), Adadelta(1), Lamb(0.1), Adafactor(0.1)))
	if kernels.Default().ISA != kernels.Generic {
		require.Equal(t, "9cd29c6cd8f139f9", of(everything, AdamW(0.1), Adagrad(0.1), Muon(0.1)))
	}
}
