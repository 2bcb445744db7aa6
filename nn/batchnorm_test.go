package nn

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/ops"
)

// normCases are those of layerCases.
var normCases = []layerCase{
	{
		name: "BatchNormalization",
		make: func(o ...LayerOption) *Layer { return BatchNormalization(append(o, Epsilon(0.1))...) },
		in:   []Shape{{2, 3}},
		want: func(in [][]float64, p map[string][]float64) (y []float64) {
			for i, x := range in[0] {
				j := i % 3
				y = append(y, (x-p["moving_mean"][j])/math.Sqrt(p["moving_variance"][j]+0.1)*p["gamma"][j]+p["beta"][j])
			}
			return y
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "BatchNormalization/first axis without gamma and beta",
		make: func(o ...LayerOption) *Layer {
			return BatchNormalization(append(o, Epsilon(0.1), Axis(1), NoScale(), NoCenter(), MovingMomentum(0.5))...)
		},
		in: []Shape{{2, 3}},
		want: func(in [][]float64, p map[string][]float64) (y []float64) {
			for i, x := range in[0] {
				y = append(y, (x-p["moving_mean"][i/3])/math.Sqrt(p["moving_variance"][i/3]+0.1))
			}
			return y
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "LayerNormalization/middle axis",
		make: func(o ...LayerOption) *Layer {
			return LayerNormalization(append(o, Axis(2), NoCenter(), Epsilon(0.2))...)
		},
		in: []Shape{{2, 4, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return groupsOf(in[0], func(i int) int { return i/12*3 + i%3 }, func(v []float64) []float64 { return normalOf(v, 0.2) },
				func(i int) (float64, float64) { return p["gamma"][i/3%4], 0 })
		},
		wrong: [][]Shape{{{3}, {3}}, {{3}}},
	},
	{
		name: "LayerNormalization/two axes",
		make: func(o ...LayerOption) *Layer { return LayerNormalization(append(o, Axis(-1, 1), NoScale())...) },
		in:   []Shape{{2, 4, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return groupsOf(in[0], func(i int) int { return i / 3 % 4 }, func(v []float64) []float64 { return normalOf(v, 1e-3) },
				func(i int) (float64, float64) { return 1, p["beta"][i/12*3+i%3] })
		},
		wrong: [][]Shape{{{3}, {3}}, {{3}}},
	},
	{
		name: "GroupNormalization",
		make: func(o ...LayerOption) *Layer { return GroupNormalization(2, append(o, Epsilon(0.01))...) },
		in:   []Shape{{3, 4}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return groupsOf(in[0], func(i int) int { return i % 4 / 2 }, func(v []float64) []float64 { return normalOf(v, 0.01) },
				func(i int) (float64, float64) { return p["gamma"][i%4], p["beta"][i%4] })
		},
		wrong: [][]Shape{{{3}, {3}}, {{3}}},
	},
	{
		name: "GroupNormalization/of each index of the first axis",
		make: func(o ...LayerOption) *Layer {
			return GroupNormalization(-1, append(o, Axis(1), NoCenter(), Epsilon(0.2))...)
		},
		in: []Shape{{3, 4}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return groupsOf(in[0], func(i int) int { return i / 4 }, func(v []float64) []float64 { return normalOf(v, 0.2) },
				func(i int) (float64, float64) { return p["gamma"][i/4], 0 })
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "RMSNormalization",
		make: func(o ...LayerOption) *Layer { return RMSNormalization(append(o, Epsilon(0.01))...) },
		in:   []Shape{{2, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return groupsOf(in[0], func(i int) int { return i / 3 }, func(v []float64) []float64 { return scaledOf(v, 1/math.Sqrt(squaresOf(v)/3+0.01)) },
				func(i int) (float64, float64) { return p["scale"][i%3], 0 })
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
	{
		name: "UnitNormalization/first axis",
		make: func(o ...LayerOption) *Layer { return UnitNormalization(append(o, Axis(1))...) },
		in:   []Shape{{6, 2, 3}}, // to move its axes and to move them back differ
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return groupsOf(in[0], func(i int) int { return i % 6 }, func(v []float64) []float64 { return scaledOf(v, 1/math.Sqrt(squaresOf(v))) }, nil)
		},
		wrong: [][]Shape{{{3}, {3}}},
	},
}

// groupsOf applies f to the elements of each group, and then to each element a scale and a shift.
func groupsOf(x []float64, group func(i int) int, f func([]float64) []float64, affine func(i int) (scale, shift float64)) []float64 {
	y := make([]float64, len(x))
	for g := range len(x) {
		var at []int
		var v []float64
		for i, x := range x {
			if group(i) == g {
				at, v = append(at, i), append(v, x)
			}
		}
		for k, v := range f(v) {
			if y[at[k]] = v; affine != nil {
				scale, shift := affine(at[k])
				y[at[k]] = v*scale + shift
			}
		}
	}
	return y
}

func normalOf(v []float64, epsilon float64) (y []float64) {
	mean, variance := 0.0, 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		variance += (x - mean) * (x - mean) / float64(len(v))
	}
	for _, x := range v {
		y = append(y, (x-mean)/math.Sqrt(variance+epsilon))
	}
	return y
}

func squaresOf(v []float64) (sum float64) {
	for _, x := range v {
		sum += x * x
	}
	return sum
}

func scaledOf(v []float64, s float64) []float64 {
	return eachValue(v, func(x float64) float64 { return x * s })
}

// normed is a model of x (4) with a batch normalization "norm" between two dense layers, compiled.
func normed(t testing.TB, opts ...LayerOption) (*Model, *Layer) {
	x := Input("x", 4)
	norm := BatchNormalization(append(opts, Name("norm"))...)
	h := Activation(ReLU).On(norm.On(Dense(6, Linear, NoBias(), Name("trunk")).On(x)))
	m, err := NewModel([]*Node{x}, []*Node{Dense(2, Linear, Name("y")).On(h)}, Seed(3))
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.01), Losses{"y": MSE()}))
	return m, norm
}

func normedData(rows int) Data {
	d := Data{Inputs: Arrays{}, Targets: Arrays{}}
	c := layerCase{in: []Shape{{4}, {2}}}
	all := c.data(8, rows)
	d.Inputs["x"], d.Targets["y"] = all[0], all[1]
	return d
}

func weightNamed(t testing.TB, m *Model, name string) *Weight {
	for _, w := range m.Weights() {
		if w.Name == name {
			return w
		}
	}
	require.Fail(t, "no weight "+name)
	return nil
}

// A step moves the averages towards mean and variance of the batch, and the result is the batch's own normal form.
func TestBatchNormalizationTrains(t *testing.T) {
	const rows, momentum = 9, 0.75
	m, _ := normed(t, MovingMomentum(momentum))
	d := normedData(rows)
	before := m.trainer.optimizerCount()
	x, trunk := d.Inputs["x"].(Floats), slices.Clone(weightNamed(t, m, "trunk/kernel").Data)
	_, err := m.TrainOnBatch(d)
	require.NoError(t, err)
	require.Zero(t, before)
	require.Equal(t, 2+2*(24+6+6+12+2), m.trainer.optimizerCount(), "averages have no state of the optimizer")
	mean, variance := weightNamed(t, m, "norm/moving_mean").Data, weightNamed(t, m, "norm/moving_variance").Data
	for j := range 6 {
		var h []float64
		for i := range rows {
			sum := 0.0
			for k := range 4 {
				sum += float64(x[i*4+k]) * float64(trunk[k*6+j])
			}
			h = append(h, sum)
		}
		center, spread := 0.0, 0.0
		for _, v := range h {
			center += v / rows
		}
		for _, v := range h {
			spread += (v - center) * (v - center) / rows
		}
		require.InDelta(t, center*(1-momentum), mean[j], 1e-6)
		require.InDelta(t, momentum+spread*(1-momentum), variance[j], 1e-6)
	}
	// Evaluation and prediction change nothing.
	bits := weightBits(m)
	_, err = m.Evaluate(context.Background(), d, BatchSize(4))
	require.NoError(t, err)
	_, err = m.Predict(d.Inputs)
	require.NoError(t, err)
	require.Equal(t, bits, weightBits(m))
}

// A frozen layer keeps its averages and computes with them, as in prediction.
func TestBatchNormalizationFrozen(t *testing.T) {
	m, norm := normed(t)
	d := normedData(8)
	_, err := m.TrainOnBatch(d)
	require.NoError(t, err)
	norm.SetTrainable(false)
	averages := func() []float32 {
		return slices.Concat(weightNamed(t, m, "norm/moving_mean").Data, weightNamed(t, m, "norm/moving_variance").Data, weightNamed(t, m, "norm/gamma").Data)
	}
	before, y := averages(), weightNamed(t, m, "y/bias").Data[0]
	evaluated, err := m.Evaluate(context.Background(), d, BatchSize(8))
	require.NoError(t, err)
	logs, err := m.TrainOnBatch(d)
	require.NoError(t, err)
	require.Equal(t, evaluated["loss"], logs["loss"])
	require.Equal(t, before, averages())
	require.NotEqual(t, y, weightNamed(t, m, "y/bias").Data[0])
	var text bytes.Buffer
	require.NoError(t, m.Summary(&text))
	require.Contains(t, text.String(), "Trainable params: 38 (152.00 B)\n Non-trainable params: 24 (96.00 B)")
	norm.SetTrainable(true)
	text.Reset()
	require.NoError(t, m.Summary(&text))
	require.Contains(t, text.String(), "Trainable params: 50 (200.00 B)\n Non-trainable params: 12 (48.00 B)")
}

// A step that fails changes no average: not one whose gradient is no number, nor one that leaves float32 itself.
func TestBatchNormalizationFailedStep(t *testing.T) {
	for name, c := range map[string]struct {
		scale float32 // of x
		limit float32 // of the target
		want  string
	}{
		"gradient": {1, 1e30, "the loss of output"},
		"average":  {1e30, 1, "norm"},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := normed(t)
			d := normedData(8)
			_, err := m.TrainOnBatch(d)
			require.NoError(t, err)
			bits := weightBits(m)
			for i := range d.Inputs["x"].(Floats) {
				d.Inputs["x"].(Floats)[i] *= c.scale
			}
			for i := range d.Targets["y"].(Floats) {
				d.Targets["y"].(Floats)[i] *= c.limit
			}
			_, err = m.TrainOnBatch(d)
			require.ErrorIs(t, err, ErrNonFinite)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, bits, weightBits(m))
		})
	}
}

// Whatever the number of workers, and after a file in between, training gives the same bits.
func TestBatchNormalizationWorkersAndFiles(t *testing.T) {
	d := normedData(40)
	fit := func(m *Model, epochs, workers int) *Model {
		_, err := m.Fit(context.Background(), d, Epochs(epochs), BatchSize(16), Shuffle(false), Workers(workers))
		require.NoError(t, err)
		return m
	}
	m, _ := normed(t)
	one := fit(m, 4, 1)
	m, _ = normed(t)
	require.Equal(t, weightBits(one), weightBits(fit(m, 4, 3)))
	m, _ = normed(t)
	again, err := parse(savedBytes(t, fit(m, 2, 1)))
	require.NoError(t, err)
	require.Equal(t, weightBits(m), weightBits(again))
	require.Equal(t, weightBits(one), weightBits(fit(again, 2, 1)))
	require.NotContains(t, string(savedBytes(t, m)), "optimizer/norm/moving_mean")
	require.Contains(t, string(savedBytes(t, m)), "optimizer/norm/gamma")
}

// A layer that is called twice moves its averages twice in a step, in the order of the calls.
func TestBatchNormalizationShared(t *testing.T) {
	x := Input("x", 1)
	norm := BatchNormalization(Name("norm"), MovingMomentum(0.5))
	y := Dense(1, Linear, Name("y")).On(Add().On(norm.On(x), norm.On(Rescaling(3, 1).On(x))))
	m, err := NewModel([]*Node{x}, []*Node{y})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.1), Losses{"y": MSE()}))
	_, err = m.TrainOnBatch(Data{Inputs: Arrays{"x": Floats{1, 3}}, Targets: Arrays{"y": Floats{0, 0}}})
	require.NoError(t, err)
	require.Equal(t, float32((0+2)/2.0+7)/2, weightNamed(t, m, "norm/moving_mean").Data[0])
	require.Equal(t, float32((1+1)/2.0+9)/2, weightNamed(t, m, "norm/moving_variance").Data[0])
}

// A training step allocates nothing, whatever the normalization.
func TestNormalizationAllocations(t *testing.T) {
	x := Input("x", 6, 4)
	h := BatchNormalization().On(Dense(4, Linear).On(x))
	h = BatchNormalization(Axis(1)).On(h)
	h = LayerNormalization(Axis(1), NoScale()).On(h)
	h = GroupNormalization(2).On(h)
	h = UnitNormalization(Axis(1, 2)).On(RMSNormalization().On(h))
	h = Multiply().On(h, Dense(1, Linear).On(h), Maximum().On(h, Minimum().On(h, Average().On(h, Subtract().On(h, h)))))
	h = AlphaDropout(0.1).On(GaussianDropout(0.1).On(GaussianNoise(0.1).On(SpatialDropout1D(0.1).On(h))))
	h = ReLULayer(2, 0.1, 0).On(PReLU(SharedAxes(1)).On(ELULayer(1).On(LeakyReLULayer(0.1).On(h))))
	h = SoftmaxLayer(Axis(1)).On(Rescaling(2, 1).On(Normalization(Moments([]float32{0, 1, 2, 3}, []float32{1})).On(h)))
	h = Concatenate(Axis(1)).On(h, RepeatVector(2).On(Dense(4, Linear).On(Flatten().On(h))))
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(Flatten().On(h))})
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.01), Losses{"y": MSE()}))
	c := layerCase{in: []Shape{{6, 4}, {1}}}
	all := c.data(9, 5)
	d := Data{Inputs: Arrays{"x": all[0]}, Targets: Arrays{"y": all[1]}}
	require.Zero(t, testing.AllocsPerRun(20, func() {
		if _, err := m.TrainOnBatch(d); err != nil {
			panic(err)
		}
	}))
}

// A plan serves a batch normalization before or behind a dense layer at no cost, within the bound that package plan states:
// each result is within (k+2)·2⁻²³·M of the exact one, M the sum of the magnitudes of all terms.
func TestBatchNormalizationServed(t *testing.T) {
	const rows, in, out = 7, 33, 17
	for name, build := range map[string]func(norm *Layer, dense *Layer, x *Node) *Node{
		"behind": func(norm, dense *Layer, x *Node) *Node { return norm.On(dense.On(x)) },
		"before": func(norm, dense *Layer, x *Node) *Node { return dense.On(norm.On(x)) },
	} {
		t.Run(name, func(t *testing.T) {
			x := Input("x", in)
			norm, dense := BatchNormalization(Name("norm")), Dense(out, Linear, Name("dense"))
			n := build(norm, dense, x)
			m, err := NewModel([]*Node{x}, []*Node{n}, Seed(4))
			require.NoError(t, err)
			for i, w := range m.Weights() {
				c := layerCase{in: []Shape{{len(w.Data)}}}
				for j, v := range c.data(uint64(20+i), 1)[0] {
					if w.Data[j] = v; strings.HasSuffix(w.Name, "variance") {
						w.Data[j] = v*v + 0.1
					}
				}
			}
			c := layerCase{in: []Shape{{in}}}
			data := c.data(5, rows)[0]
			p, err := NewPlan(m, rows)
			require.NoError(t, err)
			var steps bytes.Buffer
			require.NoError(t, p.Describe(&steps))
			require.NotContains(t, steps.String(), "affine")
			got := make([]float32, rows*out)
			require.NoError(t, p.Predict([][]float32{data}, [][]float32{got}, rows))
			y, err := m.Predict(Arrays{"x": data})
			require.NoError(t, err)
			requireServedWithin(t, m, name == "behind", data, got, y[n.layer.name].Data, in, out)
		})
	}
}

// requireServedWithin compares with float64: scale and shift are those that the layer computes in float32.
func requireServedWithin(t *testing.T, m *Model, behind bool, x, served, predicted []float32, in, out int) {
	w, b := weightNamed(t, m, "dense/kernel"), weightNamed(t, m, "dense/bias").Data
	gamma, beta := weightNamed(t, m, "norm/gamma").Data, weightNamed(t, m, "norm/beta").Data
	mean, variance := weightNamed(t, m, "norm/moving_mean").Data, weightNamed(t, m, "norm/moving_variance").Data
	affine := func(j int) (scale, shift float64) {
		s := gamma[j] * float32(1/math.Sqrt(float64(variance[j])+float64(float32(1e-3))))
		return float64(s), float64(beta[j] - float32(mean[j]*s))
	}
	worst := 0.0
	for i, y := range served {
		exact := float64(b[i%out])
		sum := math.Abs(exact)
		for k := range in {
			v, w := float64(x[i/out*in+k]), float64(w.Row(k)[i%out])
			if behind {
				exact, sum = exact+v*w, sum+math.Abs(v*w)
				continue
			}
			scale, shift := affine(k)
			exact += (v*scale + shift) * w
			sum += (math.Abs(v*scale) + math.Abs(shift)) * math.Abs(w)
		}
		if behind {
			scale, shift := affine(i % out)
			exact, sum = exact*scale+shift, sum*math.Abs(scale)+math.Abs(shift)
		}
		bound := float64(in+2) * 0x1p-23 * sum
		require.LessOrEqual(t, math.Abs(float64(y)-exact), bound, "plan")
		require.LessOrEqual(t, math.Abs(float64(predicted[i])-exact), bound, "Predict")
		worst = max(worst, math.Abs(float64(y)-exact)/bound)
	}
	require.Greater(t, worst, 1e-3, "the test compares nothing")
}

func TestNormOptions(t *testing.T) {
	x := Input("x", 2, 6)
	for want, l := range map[string]*Layer{
		"axis is [0]; of shape (2, 6) these are valid, each once: 1 to 2, and -1 to -2 from the end": LayerNormalization(Axis(0)),
		"axis is [3]; of shape (2, 6)":                              UnitNormalization(Axis(3)),
		"axis is [2 -1]; of shape (2, 6)":                           RMSNormalization(Axis(2, -1)),
		"axis is []; of shape (2, 6)":                               LayerNormalization(Axis()),
		"axis is [1 2], must be a single one":                       BatchNormalization(Axis(1, 2)),
		"has 4 groups for 6 features, needs a divisor of that":      GroupNormalization(4),
		"has 0 groups for 6 features":                               GroupNormalization(0),
		"momentum 1.5 is not in [0, 1]":                             BatchNormalization(MovingMomentum(1.5)),
		"momentum NaN is not in [0, 1]":                             BatchNormalization(MovingMomentum(math.NaN())),
		"epsilon 0 must be positive and finite in float32":          RMSNormalization(Epsilon(0)),
		"does not take MovingMomentum: only BatchNormalization":     LayerNormalization(MovingMomentum(0.5)),
		"does not take NoScale: only normalizations with gamma":     RMSNormalization(NoScale()),
		"does not take NoCenter: only normalizations with gamma":    Flatten(NoCenter()),
		"does not take Axis":                                        Flatten(Axis(1)),
		"does not take SharedAxes: only PReLU does":                 Flatten(SharedAxes(1)),
		"does not take Moments: only Normalization does":            Flatten(Moments(nil, nil)),
		"does not take Adapt: only Normalization does":              Flatten(Adapt(nil)),
		"does not take Invert: only Normalization does":             Flatten(Invert()),
		"rate 1 is not in [0, 1)":                                   GaussianDropout(1),
		"rate -1 is not in [0, 1)":                                  AlphaDropout(-1),
		"stddev 2 is not in [0, 1]":                                 GaussianNoise(2),
		"rate NaN is not in [0, 1)":                                 SpatialDropout1D(math.NaN()),
		"negative_slope is -1, must not be negative":                LeakyReLULayer(-1),
		"threshold is NaN, must not be negative":                    ReLULayer(1, 0, math.NaN()),
		"max_value is 1e+60, must not be negative, nor beyond":      ReLULayer(1e60, 0, 0),
		"alpha is +Inf, must be finite in float32":                  ELULayer(math.Inf(1)),
		"repeats shape (2, 6) 3 times, takes a shape of one axis":   RepeatVector(3),
		"scale: value 0 is +Inf, must be finite in float32":         Rescaling(1e39, 0),
		"mean has 4 values for 6 features, takes one, or one for":   Normalization(Moments([]float32{1, 2, 3, 4}, []float32{1})),
		"variance has 0 values for 6 features":                      Normalization(Moments([]float32{1}, nil)),
		"variance 1 is -1, must not be negative":                    Normalization(Moments([]float32{1}, []float32{1, -1})),
		"mean: value 0 is NaN, must be finite in float32":           Normalization(Moments([]float32{nan}, []float32{1})),
		"has both Moments and Adapt":                                Normalization(Moments([]float32{1}, []float32{1}), Adapt(Floats{1})),
		"Adapt: has 13 values, samples of shape (2, 6) have 12 eac": Normalization(Adapt(make(Floats, 13))),
		"Adapt: value 2 is +Inf: not finite":                        Normalization(Adapt(append(Floats{1, 2, inf}, make(Floats, 9)...))),
	} {
		n := l.On(x)
		require.ErrorContains(t, n.err, want)
	}
	require.ErrorContains(t, Subtract().On(x, x, x).err, "called on 3 nodes, takes 2")
	require.ErrorContains(t, Concatenate(Axis(1)).On(x, Input("", 2, 5)).err, "input 1 has shape (2, 5), which differs from input 0, (2, 6), in more than axis 1")
}

// A kind that updates what is no state, or with another shape, is an error that names it.
type restless struct {
	Wrong int `json:"wrong"`
}

func init() { Register("Restless", restless{}) }

func (r *restless) Build(b *Builder, in []Shape) Shape {
	b.Param("kernel", Shape{2}, Ones())
	b.State("count", Shape{1}, Zeros())
	return b.One(in)
}

func (r *restless) Forward(c *Call) *ops.Tensor {
	if c.Training() {
		switch r.Wrong {
		case 0:
			c.Update(1, c.Add(c.Param(1), c.Full(1, 1, 1)))
		case 1:
			c.Update(0, c.Param(0))
			c.Update(0, c.Full(1, 2, 3))
		case 2:
			c.Update(1, c.Full(1, 2, 3))
		case 3:
			c.Update(1, nil)
		}
	}
	return c.Affine(c.In(0), c.Param(0), nil)
}

func TestUpdate(t *testing.T) {
	for wrong, want := range []string{
		"",
		`layer "it" (Restless): Forward updates "kernel" with 1 rows of 2, only states can be updated, and this one has 1 rows of 2`,
		`Forward updates "count" with 1 rows of 2, only states can be updated, and this one has 1 rows of 1`,
		`Forward updates "count" with nil`,
	} {
		x := Input("x", 2)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(New(&restless{wrong}, Name("it")).On(x))})
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(0.1), Losses{"y": MSE()}))
		d := Data{Inputs: Arrays{"x": Floats{1, 2}}, Targets: Arrays{"y": Floats{1}}}
		for step := range 3 {
			if _, err = m.TrainOnBatch(d); want == "" {
				require.NoError(t, err)
				require.Equal(t, float32(step+1), weightNamed(t, m, "it/count").Data[0])
			} else {
				require.ErrorContains(t, err, want)
				require.Zero(t, weightNamed(t, m, "it/count").Data[0])
			}
		}
	}
}

func ExampleBatchNormalization() {
	x := Input("x", 2)
	h := Dense(8, Linear, NoBias()).On(x)
	h = Activation(ReLU).On(BatchNormalization(MovingMomentum(0.9)).On(h))
	h = LayerNormalization(NoCenter()).On(h)
	h = GroupNormalization(4, Epsilon(1e-5), NoScale()).On(h)
	h = UnitNormalization().On(RMSNormalization().On(h))
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(h)})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.CountParams())
	// Output: 81
}
