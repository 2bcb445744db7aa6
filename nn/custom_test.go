package nn_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/ops"
)

// This file is what a user writes who needs a layer, an activation, a loss, a metric, an optimizer, a schedule, a penalty of a
// weight or a constraint that the library does not have. It uses exported names only.

// wave is a layer with two parameters and a gradient of its own: y = gamma·x + delta·sin(x), feature by feature.
type wave struct {
	Start float64 `json:"start"` // of gamma
}

func (w *wave) Build(b *nn.Builder, in []nn.Shape) nn.Shape {
	x := b.One(in)
	b.Param("gamma", nn.Shape{x.Last()}, nn.RandomUniform(w.Start, w.Start+0.1))
	b.Param("delta", nn.Shape{x.Last()}, nn.Ones())
	return x
}

func (w *wave) Forward(c *nn.Call) *ops.Tensor {
	x := c.Vectors(0)
	return c.Samples(c.Custom(waveFunction{}, x.Rows, x.Cols, x, c.Param(0), c.Param(1)))
}

type waveFunction struct{}

func (waveFunction) Name() string { return "wave" }

func (waveFunction) Forward(y kernels.Matrix, x []kernels.Matrix) error {
	gamma, delta := x[1].Row(0), x[2].Row(0)
	for i := range y.Rows {
		for j, v := range x[0].Row(i) {
			y.Row(i)[j] = gamma[j]*v + delta[j]*float32(math.Sin(float64(v)))
		}
	}
	return nil
}

func (waveFunction) Backward(dx []kernels.Matrix, dy, _ kernels.Matrix, x []kernels.Matrix) error {
	gamma, delta := x[1].Row(0), x[2].Row(0)
	for i := range dy.Rows {
		for j, v := range x[0].Row(i) {
			sin, cos := math.Sincos(float64(v))
			g := dy.Row(i)[j]
			if dx[0].Data != nil {
				dx[0].Row(i)[j] = g * (gamma[j] + delta[j]*float32(cos))
			}
			if dx[1].Data != nil {
				dx[1].Row(0)[j] += g * v
			}
			if dx[2].Data != nil {
				dx[2].Row(0)[j] += g * float32(sin)
			}
		}
	}
	return nil
}

// residual is a layer made of operations alone: x + scale·tanh(x·kernel).
type residual struct {
	Scale float64 `json:"scale"`
}

func (r *residual) Build(b *nn.Builder, in []nn.Shape) nn.Shape {
	x := b.One(in)
	if !(r.Scale > 0) {
		b.Errorf("scale %v is not positive", r.Scale)
	}
	b.Param("kernel", nn.Shape{x.Last(), x.Last()}, nn.GlorotUniform())
	return x
}

func (r *residual) Forward(c *nn.Call) *ops.Tensor {
	x := c.Vectors(0)
	return c.Samples(c.Add(x, c.Scale(c.Dense(x, c.Param(0), nil, kernels.Tanh), float32(r.Scale))))
}

// bent is an activation with a parameter: slope·x below zero.
type bent struct {
	Slope float64 `json:"slope"`
}

func (a *bent) Apply(o ops.Ops, x *ops.Tensor) *ops.Tensor {
	below := o.Scale(o.Activate(o.Scale(x, -1), kernels.ReLU), float32(-a.Slope))
	return o.Add(o.Activate(x, kernels.ReLU), below)
}

// brier is the squared error of a probability, which it computes from the logits if the output ends in a sigmoid.
type brier struct{}

func (brier) Name() string           { return "brier" }
func (brier) Targets() nn.TargetKind { return nn.Probabilities }

func (brier) Check(out nn.Output) error {
	if out.Shape.Last() != 1 {
		return fmt.Errorf("brier needs one column, the output has shape %s", out.Shape)
	}
	return nil
}

func (brier) Loss(o ops.Losses, out *ops.Tensor, y nn.Target, rows []float32) *ops.Tensor {
	return o.MeanSquaredError(out, y.Values, rows)
}

func (brier) Fuses(a nn.ActivationFunction) bool { return a == nn.Sigmoid }

func (brier) FusedLoss(o ops.Losses, x *ops.Tensor, y nn.Target, rows []float32) (loss, out *ops.Tensor) {
	return o.CustomLoss(brierRows{}, x, y, rows), nn.Sigmoid.Apply(o, x)
}

type brierRows struct{}

func (brierRows) Rows(loss []float32, grad, x kernels.Matrix, y nn.Target, weights []float32) error {
	for i := range loss {
		p := 1 / (1 + math.Exp(-float64(x.Row(i)[0])))
		d := p - float64(y.Values.Row(i)[0])
		loss[i] = float32(d * d)
		if grad.Data != nil {
			grad.Row(i)[0] = float32(2*d*p*(1-p)) * weights[i]
		}
	}
	return nil
}

// largest is the largest error of any row: no mean over the rows can be that.
type largest struct{}

func (largest) Name() string { return "largest" }

func (largest) Start(out nn.Output) (nn.Meter, error) {
	if out.Targets == nn.Classes {
		return nil, fmt.Errorf("needs numbers")
	}
	return new(largestMeter), nil
}

type largestMeter struct{ value float64 }

func (m *largestMeter) Add(out kernels.Matrix, y nn.Target, rows []float32) {
	for i := range out.Rows {
		for j, p := range out.Row(i) {
			if rows == nil || rows[i] > 0 {
				m.value = max(m.value, math.Abs(float64(p)-float64(y.Values.Row(i)[j])))
			}
		}
	}
}

func (m *largestMeter) Value() float64 { return m.value }
func (m *largestMeter) Reset()         { m.value = 0 }

// zeiler has two slots (Zeiler 2012, arXiv:1212.5701).
type zeiler struct {
	Rate nn.Rate `json:"learning_rate"`
	Rho  float64 `json:"rho"`
	nn.OptimizerOptions
}

func (o *zeiler) LearningRate() *nn.Rate { return &o.Rate }
func (o *zeiler) Slots() []string        { return []string{"gradients", "updates"} }
func (o *zeiler) Squares() bool          { return true }

func (o *zeiler) Check() error {
	if !(o.Rho >= 0 && o.Rho < 1) {
		return fmt.Errorf("rho %v is not in [0, 1)", o.Rho)
	}
	return nil
}

func (o *zeiler) Step(s *nn.Step, w, g []float32, slots [][]float32) error {
	const epsilon = 1e-7
	for i, g := range g {
		g := float64(g)
		gradients := o.Rho*float64(slots[0][i]) + (1-o.Rho)*g*g
		update := g * math.Sqrt((float64(slots[1][i])+epsilon)/(gradients+epsilon))
		slots[0][i] = float32(gradients)
		slots[1][i] = float32(o.Rho*float64(slots[1][i]) + (1-o.Rho)*update*update)
		w[i] -= float32(s.LearningRate * update)
	}
	return nil
}

// bounded is a constraint: no weight is beyond Bound.
type bounded struct {
	Bound float64 `json:"bound"`
}

func (b *bounded) Constrain(w []float32, _ nn.Shape) {
	for i, v := range w {
		w[i] = min(max(v, float32(-b.Bound)), float32(b.Bound))
	}
}

// fourth is a penalty: Factor·Σx⁴.
type fourth struct {
	Factor float64 `json:"factor"`
}

func (f *fourth) Penalty(x, grad kernels.Matrix, scale float32) (float32, error) {
	sum, factor := float32(0), float32(f.Factor)
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			if sum += v * v * v * v; grad.Data != nil {
				grad.Row(i)[j] += scale * 4 * factor * v * v * v
			}
		}
	}
	return factor * sum, nil
}

// fading is a schedule: rate / (1 + decay·steps).
type fading struct {
	Initial float64 `json:"initial"`
	Decay   float64 `json:"decay"`
}

func (f *fading) Rate(steps int64) float64 { return f.Initial / (1 + f.Decay*float64(steps)) }

var registerCustom = sync.OnceFunc(func() {
	nn.Register("Wave", wave{Start: 0.9})
	nn.Register("Residual", residual{Scale: 1})
	nn.Register("Bent", bent{Slope: 0.2})
	nn.Register("Brier", brier{})
	nn.Register("largest", largest{})
	nn.Register("Zeiler", zeiler{Rho: 0.95})
	nn.Register("Fading", fading{})
	nn.Register("Bounded", bounded{})
	nn.Register("Fourth", fourth{})
})

func customData() nn.Data {
	d := nn.Data{Inputs: nn.Arrays{}, Targets: nn.Arrays{}}
	var x, chance, size nn.Floats
	for i := range 48 {
		a, b, c := math.Sin(float64(i)), math.Cos(3*float64(i)), math.Sin(7*float64(i))
		x = append(x, float32(a), float32(b), float32(c))
		chance = append(chance, float32(0.5+0.5*a*b))
		size = append(size, float32(a+b*c))
	}
	d.Inputs["x"], d.Targets["chance"], d.Targets["size"] = x, chance, size
	return d
}

func newCustomModel(t *testing.T) *nn.Model {
	x := nn.Input("x", 3)
	trunk := nn.New(&wave{Start: 0.5}, nn.Name("wave")).On(x)
	trunk = nn.Dense(8, &bent{Slope: 0.3}, nn.Name("trunk"), nn.KernelRegularizer(&fourth{0.001}), nn.BiasConstraint(&bounded{0.05})).On(trunk)
	trunk = nn.New(&residual{Scale: 0.5}, nn.Name("residual")).On(trunk)
	chance := nn.Dense(1, nn.Sigmoid, nn.Name("chance")).On(trunk)
	size := nn.Dense(1, nn.Linear, nn.Name("size")).On(nn.Activation(&bent{Slope: 0.2}).On(trunk))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{chance, size}, nn.Seed(1))
	require.NoError(t, err)
	optimizer := &zeiler{Rate: nn.Rate{Schedule: &fading{Initial: 5, Decay: 0.01}}, Rho: 0.9}
	optimizer.WeightDecay, optimizer.GlobalClipNorm = 1e-4, 5
	require.NoError(t, m.Compile(optimizer,
		nn.Losses{"chance": brier{}, "size": nn.MSE()},
		nn.Metrics{"chance": {nn.MSE(), largest{}}, "size": {largest{}}}))
	return m
}

// goOn trains a model for some more epochs and returns what it is then, as text.
func goOn(t *testing.T, m *nn.Model) string {
	history, err := m.Fit(context.Background(), customData(), nn.InitialEpoch(3), nn.Epochs(5), nn.BatchSize(7), nn.Seed(2))
	require.NoError(t, err)
	y, err := m.Predict(customData().Inputs)
	require.NoError(t, err)
	return fmt.Sprint(history.Logs, y, m.LearningRate())
}

const customVariable = "ESPALIER_TEST_CUSTOM"

// What a user adds trains, saves, loads in another process, goes on there to the same bits, plans, serves and draws like what
// the library has. A process that does not know it says what to do.
func TestCustom(t *testing.T) {
	if path := os.Getenv(customVariable); path != "" { // the other process
		_, err := nn.Load(path)
		require.ErrorContains(t, err, `layer "wave": unknown class "Wave": valid are ["Activation" "ActivityRegularization"`)
		require.ErrorContains(t, err, `one of your own must be registered before the file is read: nn.Register("Wave", ...)`)
		registerCustom()
		m, err := nn.Load(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+".then", []byte(goOn(t, m)), 0o666))
		return
	}
	registerCustom()
	m := newCustomModel(t)
	history, err := m.Fit(context.Background(), customData(), nn.Epochs(3), nn.BatchSize(7), nn.Seed(2))
	require.NoError(t, err)
	loss := history.Logs["loss"]
	require.Less(t, loss[2], 0.8*loss[0])
	require.Greater(t, history.Logs["chance_largest"][2], math.Sqrt(history.Logs["chance_mse"][2]))
	require.InDelta(t, history.Logs["chance_mse"][2], history.Logs["chance_loss"][2], 1e-6, "the fused loss is what the metric measures")
	require.InDelta(t, 5/(1+0.01*21), m.LearningRate(), 1e-12)
	for _, w := range m.Weights() {
		for _, v := range w.Data {
			require.True(t, w.Name != "trunk/bias" || math.Abs(float64(v)) <= 0.0501, "%s is %v", w.Name, v)
		}
	}

	path := filepath.Join(t.TempDir(), "model.safetensors")
	require.NoError(t, m.Save(path))
	// Under an emulator the test binary does not start by itself.
	command := append(strings.Fields(os.Getenv("ESPALIER_EMULATOR")), os.Args[0], "-test.run=^TestCustom$")
	other := exec.Command(command[0], command[1:]...)
	other.Env = append(os.Environ(), customVariable+"="+path)
	out, err := other.CombinedOutput()
	require.NoError(t, err, string(out))
	text, err := os.ReadFile(path + ".then")
	require.NoError(t, err)

	y, err := m.Predict(customData().Inputs)
	require.NoError(t, err)
	p, err := nn.NewPlan(m, 48)
	require.NoError(t, err)
	s := p.NewSession()
	copy(s.Input(0), customData().Inputs["x"].(nn.Floats))
	for _, batch := range []int{1, 7, 48} {
		require.NoError(t, s.Run(batch))
		require.Equal(t, y["chance"].Data[:batch], s.Output(0)[:batch])
		require.Equal(t, y["size"].Data[:batch], s.Output(1)[:batch])
		require.Zero(t, testing.AllocsPerRun(100, func() { _ = s.Run(batch) }))
	}

	for name, draw := range map[string]func(io.Writer) error{"SVG": m.SVG, "DOT": m.DOT, "Mermaid": m.Mermaid, "Summary": func(w io.Writer) error { return m.Summary(w) }} {
		var picture bytes.Buffer
		require.NoError(t, draw(&picture))
		require.Contains(t, picture.String(), "Wave", name)
		require.Contains(t, picture.String(), "Residual", name)
	}
	require.Equal(t, string(text), goOn(t, m), "the other process has gone on as this one does")
}

// A step of custom parts allocates nothing either.
func TestCustomAllocations(t *testing.T) {
	if os.Getenv(customVariable) != "" {
		return
	}
	registerCustom()
	m := newCustomModel(t)
	d := customData()
	for range 3 {
		_, err := m.TrainOnBatch(d)
		require.NoError(t, err)
	}
	allocations := testing.AllocsPerRun(50, func() {
		if _, err := m.TrainOnBatch(d); err != nil {
			t.Fatal(err)
		}
	})
	require.Zero(t, allocations)
}

// Gradients of the custom layers and the fused loss, beside differences of the loss.
func TestCustomGradients(t *testing.T) {
	if os.Getenv(customVariable) != "" {
		return
	}
	registerCustom()
	x := nn.Input("x", 3)
	h := nn.New(&residual{Scale: 0.5}, nn.Name("residual")).On(nn.New(&wave{Start: 0.5}, nn.Name("wave")).On(x))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("chance")).On(nn.Activation(&bent{Slope: 0.3}).On(h))}, nn.Seed(3))
	require.NoError(t, err)
	require.NoError(t, m.Compile(nn.SGD(1), nn.Losses{"chance": brier{}}))
	d := customData()
	delete(d.Targets, "size")
	before := map[string][]float32{}
	for _, w := range m.Weights() {
		before[w.Name] = append([]float32(nil), w.Data...)
	}
	_, err = m.TrainOnBatch(d) // w - gradient
	require.NoError(t, err)
	gradients := map[string][]float32{}
	for _, w := range m.Weights() {
		for i, v := range w.Data {
			gradients[w.Name] = append(gradients[w.Name], before[w.Name][i]-v)
		}
	}
	require.NoError(t, m.SetWeights(before))
	lossAt := func(w *nn.Weight, i int, v float32) float64 {
		defer func(old float32) { w.Data[i] = old }(w.Data[i])
		w.Data[i] = v
		logs, err := m.Evaluate(context.Background(), d, nn.BatchSize(48))
		require.NoError(t, err)
		return logs["loss"]
	}
	for _, w := range m.Weights() {
		for i, v := range w.Data {
			const step = 1.0 / 64
			difference := (lossAt(w, i, v+step) - lossAt(w, i, v-step)) / (2 * step)
			require.InDelta(t, difference, gradients[w.Name][i], 2e-4, "%s %d", w.Name, i)
		}
	}
}

// What is wrong with a part of one's own is said with its name.
func TestCustomErrors(t *testing.T) {
	if os.Getenv(customVariable) != "" {
		return
	}
	registerCustom()
	x := nn.Input("x", 3)
	build := func(l *nn.Layer) error {
		_, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{l.On(x)})
		return err
	}
	require.ErrorContains(t, build(nn.New(&residual{Scale: -1}, nn.Name("r"))), `layer "r" (Residual): scale -1 is not positive`)
	require.ErrorContains(t, build(nn.New(unknownKind{}, nn.Name("u"))), "the kind nn_test.unknownKind is not registered: call nn.Register")
	require.ErrorContains(t, build(nn.New(nil, nn.Name("u"))), "the kind is nil")
	require.ErrorContains(t, build(nn.Dense(1, nil, nn.Name("d"))), `layer "d" (Dense): the activation is nil`)
	require.ErrorContains(t, build(nn.Dense(1, unknownKind{}, nn.Name("d"))), `the activation nn_test.unknownKind is not registered`)

	m := newCustomModel(t)
	losses := nn.Losses{"chance": brier{}, "size": nn.MSE()}
	require.ErrorContains(t, m.Compile(&zeiler{Rho: 2}, losses), "optimizer zeiler: rho 2 is not in [0, 1)")
	require.ErrorContains(t, m.Compile(&zeiler{Rate: nn.Rate{Schedule: unknownSchedule{}}}, losses), "the schedule of the learning rate nn_test.unknownSchedule is not registered")
	require.ErrorContains(t, m.Compile(nn.Adam(1), nn.Losses{"chance": unknownLoss{}, "size": nil}), `output "chance": the loss nn_test.unknownLoss is not registered`)
	require.ErrorContains(t, m.Compile(nn.Adam(1), losses, nn.Metrics{"size": {unknownMetric{}}}), `output "size": metric 0: nn_test.unknownMetric is not registered`)

	require.NoError(t, m.Compile(&zeiler{Rate: nn.Rate{Schedule: &fading{Initial: math.NaN()}}}, losses))
	_, err := m.TrainOnBatch(customData())
	require.ErrorContains(t, err, "learning rate NaN must be finite")
	require.NoError(t, m.SetLearningRate(0.5))
	require.Equal(t, 0.5, m.LearningRate())

	require.PanicsWithValue(t, `nn: Register: there is a class "Dense" already`, func() { nn.Register("Dense", wave{}) })
	require.PanicsWithValue(t, `nn: Register: int is no Kind, ActivationFunction, Initializer, Regularizer, Constraint, Loss, Metric, Optimizer or Schedule`, func() { nn.Register("int", 1) })
}

type unknownKind struct{}

func (unknownKind) Build(_ *nn.Builder, in []nn.Shape) nn.Shape { return in[0] }
func (unknownKind) Forward(c *nn.Call) *ops.Tensor              { return c.In(0) }
func (unknownKind) Apply(_ ops.Ops, x *ops.Tensor) *ops.Tensor  { return x }

type unknownSchedule struct{ fading }
type unknownLoss struct{ brier }
type unknownMetric struct{ largest }

func (unknownSchedule) Rate(int64) float64 { return 1 }
