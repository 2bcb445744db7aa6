package nn_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// watched returns a compiled model of one weight, y = w x, for callbacks to watch.
func watched(t testing.TB) *nn.Model {
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.NoBias(), nn.Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(nn.SGD(0.01), nn.Losses{"y": nn.MSE()}, nn.Metrics{"y": {nn.Accuracy()}}))
	return m
}

// onePoint is what it learns.
var onePoint = nn.Data{Inputs: nn.Arrays{"x": nn.Floats{1}}, Targets: nn.Arrays{"y": nn.Floats{2}}}

func TestCallbackErrors(t *testing.T) {
	for _, c := range []struct {
		callback nn.Callback
		want     string
	}{
		{nn.EarlyStopping{}.Callback(), `EarlyStopping: unknown monitor "val_loss": the logs are ["accuracy" "loss"]`},
		{nn.EarlyStopping{Monitor: "los", StartFrom: 3}.Callback(), `EarlyStopping: unknown monitor "los": the logs are ["accuracy" "loss"]`},
		{nn.EarlyStopping{Monitor: "loss", Mode: "up"}.Callback(), `EarlyStopping: unknown mode "up": valid are ["min" "max" "auto" ""]`},
		{nn.EarlyStopping{MinDelta: math.NaN()}.Callback(), "EarlyStopping: minimal delta is NaN"},
		{nn.ReduceLROnPlateau{}.Callback(), `ReduceLROnPlateau: unknown monitor "val_loss": the logs are ["accuracy" "loss"]`},
		{nn.ReduceLROnPlateau{Monitor: "loss", Mode: "up"}.Callback(), `ReduceLROnPlateau: unknown mode "up": valid are ["min" "max" "auto" ""]`},
		{nn.ReduceLROnPlateau{Monitor: "loss", Factor: 1}.Callback(), "ReduceLROnPlateau: factor 1 is not between 0 and 1"},
		{nn.ReduceLROnPlateau{Monitor: "loss", Factor: -0.5}.Callback(), "ReduceLROnPlateau: factor -0.5 is not between 0 and 1"},
		{nn.ReduceLROnPlateau{Monitor: "loss", MinLR: -1}.Callback(), "ReduceLROnPlateau: minimal learning rate -1 must be finite and not negative"},
		{nn.ReduceLROnPlateau{Monitor: "loss", Patience: -1}.Callback(), "ReduceLROnPlateau: patience -1 and cooldown 0 must not be negative"},
		{nn.ReduceLROnPlateau{Monitor: "loss", Cooldown: -2}.Callback(), "ReduceLROnPlateau: patience 10 and cooldown -2 must not be negative"},
		{nn.ReduceLROnPlateau{MinDelta: math.Inf(1)}.Callback(), "ReduceLROnPlateau: minimal delta is +Inf"},
		{nn.EarlyStopping{Monitor: "loss", Patience: -1}.Callback(), "EarlyStopping: patience -1 is negative"},
		{nn.EarlyStopping{Monitor: "loss", Baseline: &notANumber}.Callback(), "EarlyStopping: baseline is NaN"},
	} {
		m := watched(t)
		before := m.Weights()[0].Data[0]
		history, err := m.Fit(context.Background(), onePoint, nn.Callbacks(c.callback))
		require.EqualError(t, err, "nn: Fit: "+c.want)
		require.Empty(t, history.Epochs)
		require.Equal(t, before, m.Weights()[0].Data[0], "the error comes before the first step")
	}
}

var notANumber = math.NaN()

// Which logs there will be is known from the beginning: those of validation, and those that earlier callbacks add.
func TestLogNames(t *testing.T) {
	var names [][]string
	note := func(p nn.Progress) error { names = append(names, p.LogNames); return nil }
	stop := nn.EarlyStopping{Monitor: "f1", Mode: "max"}.Callback()
	add := nn.Callback{Logs: []string{"f1"}, EpochEnd: func(p nn.Progress) error { p.Logs["f1"] = -float64(p.Epoch); return nil }}
	fit := func(callbacks ...nn.Callback) (*nn.History, error) {
		return watched(t).Fit(context.Background(), onePoint, nn.Epochs(5), nn.ValidationData(onePoint), nn.Callbacks(callbacks...))
	}
	history, err := fit(nn.Callback{Begin: note, End: note}, add, nn.Callback{BatchEnd: note}, stop)
	require.NoError(t, err)
	require.Len(t, history.Epochs, 2)
	first, second := []string{"accuracy", "loss", "val_accuracy", "val_loss"}, []string{"accuracy", "f1", "loss", "val_accuracy", "val_loss"}
	require.Equal(t, second, history.Names())
	require.Equal(t, []float64{0, -1}, history.Logs["f1"])
	require.Equal(t, [][]string{first, second, second, first}, names)
	_, err = fit(stop, add)
	require.EqualError(t, err, `nn: Fit: EarlyStopping: unknown monitor "f1": the logs are ["accuracy" "loss" "val_accuracy" "val_loss"]`)
}

// A callback has a state of its own in every Fit, and in every place of its list.
func TestCallbackOfSeveralFits(t *testing.T) {
	ctx := context.Background()
	best := nn.EarlyStopping{Monitor: "loss", Mode: "max", Patience: 100, RestoreBest: true}.Callback() // the loss falls, so epoch 0 is
	rate := nn.ReduceLROnPlateau{Monitor: "loss", Mode: "max", Patience: 2, Factor: 0.5}.Callback()
	fit := func(m *nn.Model, more ...nn.Callback) (first float32) {
		_, err := m.Fit(ctx, onePoint, nn.Epochs(4), nn.Callbacks(best, rate, nn.Callback{EpochEnd: func(p nn.Progress) error {
			if p.Epoch == 0 {
				first = m.Weights()[0].Data[0]
			}
			return nil
		}}), nn.Callbacks(more...))
		require.NoError(t, err)
		return first
	}
	check := func(m *nn.Model, first float32) {
		t.Helper()
		require.Equal(t, first, m.Weights()[0].Data[0])
		require.Equal(t, 0.005, m.LearningRate(), "reduced after epoch 2")
	}
	t.Run("inside another", func(t *testing.T) {
		a := watched(t)
		first := fit(a, nn.Callback{EpochEnd: func(p nn.Progress) error {
			b := watched(t)
			require.NoError(t, b.SetWeights(map[string][]float32{"y/kernel": {float32(p.Epoch) - 9}}))
			check(b, fit(b))
			return nil
		}})
		check(a, first)
	})
	t.Run("after another", func(t *testing.T) {
		for range 2 {
			m := watched(t)
			check(m, fit(m))
		}
	})
	t.Run("beside another", func(t *testing.T) {
		var wait sync.WaitGroup
		for i := range 4 {
			wait.Go(func() {
				m := watched(t)
				m.Weights()[0].Data[0] = float32(-i)
				if first := fit(m); first != m.Weights()[0].Data[0] || m.LearningRate() != 0.005 {
					t.Error("differs in another goroutine")
				}
			})
		}
		wait.Wait()
	})
	t.Run("twice in a list", func(t *testing.T) {
		stop := nn.EarlyStopping{Monitor: "loss", Mode: "max", Patience: 3}.Callback()
		history, err := watched(t).Fit(ctx, onePoint, nn.Epochs(9), nn.Callbacks(stop, stop))
		require.NoError(t, err)
		require.Len(t, history.Epochs, 4)
	})
	t.Run("inside a function", func(t *testing.T) { // called by another callback, with the Progress of Fit
		a := watched(t)
		first := float32(0)
		_, err := a.Fit(ctx, onePoint, nn.Epochs(3), nn.Callbacks(nn.Callback{Begin: best.Begin, End: best.End, EpochEnd: func(p nn.Progress) error {
			if p.Epoch == 0 {
				first = a.Weights()[0].Data[0]
			}
			return best.EpochEnd(p)
		}}))
		require.NoError(t, err)
		require.Equal(t, first, a.Weights()[0].Data[0])
	})
}

func TestLearningRate(t *testing.T) {
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear).On(x)})
	require.NoError(t, err)
	require.Zero(t, m.LearningRate())
	require.EqualError(t, m.SetLearningRate(1), "nn: SetLearningRate: the model is not compiled: call Compile first")

	m = watched(t)
	require.Equal(t, 0.01, m.LearningRate())
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1), 1e39, 1e-60} {
		require.ErrorContains(t, m.SetLearningRate(bad), "learning rate")
	}
	require.Equal(t, 0.01, m.LearningRate())

	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {0}}))
	require.NoError(t, m.SetLearningRate(0.5))
	_, err = m.TrainOnBatch(onePoint)
	require.NoError(t, err)
	require.Equal(t, float32(2), m.Weights()[0].Data[0]) // 0.5 · 2(2 - 0)
}

func ExampleEarlyStopping() {
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	data := nn.Data{ // y = 2x + 1
		Inputs:  nn.Arrays{"x": nn.Floats{-1, 0, 1, 2}},
		Targets: nn.Arrays{"y": nn.Floats{-1, 1, 3, 5}},
	}
	history, err := m.Fit(context.Background(), data, nn.Epochs(10_000), nn.Callbacks(
		nn.ReduceLROnPlateau{Monitor: "loss", Patience: 3}.Callback(),
		nn.EarlyStopping{Monitor: "loss", MinDelta: 1e-6, Patience: 5, RestoreBest: true}.Callback(),
	))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stopped early:", len(history.Epochs) < 10_000)
	fmt.Printf("kernel %.2f, bias %.2f\n", m.Weights()[0].Data, m.Weights()[1].Data)

	// Output:
	// stopped early: true
	// kernel [2.00], bias [1.00]
}

// A callback that stops training keeps no other from seeing the epoch, and the best weights come back whoever stops.
func TestStopAmongCallbacks(t *testing.T) {
	m := watched(t)
	seen := 0
	stop := nn.Callback{EpochEnd: func(p nn.Progress) error {
		if p.Epoch == 2 {
			return nn.ErrStop
		}
		return nil
	}}
	rising := nn.Callback{Logs: []string{"val_loss"}, EpochEnd: func(p nn.Progress) error {
		p.Logs["val_loss"] = float64(p.Epoch)
		p.Model.Weights()[0].Data[0] = float32(p.Epoch)
		seen++
		return nil
	}}
	x := make(nn.Floats, 4*m.Weights()[0].Rows)
	data := nn.Data{Inputs: nn.Arrays{m.InputNames()[0]: x}, Targets: nn.Arrays{m.OutputNames()[0]: make(nn.Floats, 4)}}
	_, err := m.Fit(context.Background(), data, nn.Epochs(9), nn.Callbacks(stop, rising, nn.EarlyStopping{RestoreBest: true, Patience: 9}.Callback()))
	require.NoError(t, err)
	require.Equal(t, 3, seen)
	require.Zero(t, m.Weights()[0].Data[0], "the weights of epoch 0")
}
