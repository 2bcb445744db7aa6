package nn_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// addLog returns a callback that adds a log with these values.
func addLog(name string, values ...float64) nn.Callback {
	return nn.Callback{Logs: []string{name}, EpochEnd: func(p nn.Progress) error {
		p.Logs[name] = values[p.Epoch]
		return nil
	}}
}

func fileNames(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestModelCheckpoint(t *testing.T) {
	ctx := context.Background()
	threePoints := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{1, 2, 3}}, Targets: nn.Arrays{"y": nn.Floats{2, 4, 6}}}
	three := 3.0
	for name, c := range map[string]struct {
		checkpoint nn.ModelCheckpoint
		want       []string
	}{
		"every epoch":         {nn.ModelCheckpoint{Path: "{epoch:02d}-{up:.2f}"}, []string{"01-1.00", "02-5.00", "03-3.00", "04-7.50"}},
		"best":                {nn.ModelCheckpoint{Path: "{epoch}", SaveBestOnly: true, Monitor: "up", Mode: "max"}, []string{"1", "2", "4"}},
		"least":               {nn.ModelCheckpoint{Path: "{epoch}_{up}", SaveBestOnly: true, Monitor: "up", Mode: "min"}, []string{"1_1"}},
		"threshold":           {nn.ModelCheckpoint{Path: "{epoch:3d}", SaveBestOnly: true, Monitor: "up", Mode: "max", Threshold: &three}, []string{"  2", "  4"}},
		"validation":          {nn.ModelCheckpoint{Path: "{epoch}", SaveBestOnly: true}, []string{"2", "4"}},
		"batches":             {nn.ModelCheckpoint{Path: "{epoch}.{batch}", SaveFreq: 2}, []string{"1.2", "2.1", "2.3", "3.2", "4.1", "4.3"}},
		"weights":             {nn.ModelCheckpoint{Path: "last", SaveWeightsOnly: true}, []string{"last"}},
		"exponents":           {nn.ModelCheckpoint{Path: "{epoch:.1f} {up:.0e} {up:g}", SaveBestOnly: true, Monitor: "up", Mode: "min"}, []string{"1.0 1e+00 1"}},
		"best of the batches": {nn.ModelCheckpoint{Path: "{batch}", SaveBestOnly: true, Monitor: "loss", Mode: "max", SaveFreq: 3}, []string{"3"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			c.checkpoint.Path = filepath.Join(folder, c.checkpoint.Path)
			m := watched(t)
			require.NoError(t, m.SetLearningRate(1e-3))
			_, err := m.Fit(ctx, threePoints, nn.Epochs(4), nn.BatchSize(1), nn.Shuffle(false), nn.ValidationData(onePoint), nn.ValidationFreq(2),
				nn.Callbacks(addLog("up", 1, 5, 3, 7.5), c.checkpoint.Callback()))
			require.NoError(t, err)
			require.Equal(t, c.want, fileNames(t, folder))
			last := filepath.Join(folder, c.want[len(c.want)-1])
			if c.checkpoint.SaveWeightsOnly {
				other := watched(t)
				require.NoError(t, other.LoadWeights(last))
				require.Equal(t, m.Weights()[0].Data, other.Weights()[0].Data)
				return
			}
			saved, err := nn.Load(last)
			require.NoError(t, err)
			if name == "every epoch" {
				require.Equal(t, modelBytes(t, m), modelBytes(t, saved))
			}
		})
	}
	for _, c := range []struct {
		checkpoint nn.ModelCheckpoint
		want       string
	}{
		{nn.ModelCheckpoint{}, "the path is empty"},
		{nn.ModelCheckpoint{Path: "x", SaveFreq: -1}, "a file every -1 batches"},
		{nn.ModelCheckpoint{Path: "{los}"}, `path "{los}": unknown name {los}: valid are ["accuracy" "batch" "epoch" "loss"]`},
		{nn.ModelCheckpoint{Path: "{loss:d}"}, `path "{loss:d}": {loss:d}: a log is no whole number`},
		{nn.ModelCheckpoint{Path: "{epoch:.2d}"}, `path "{epoch:.2d}": {epoch:.2d}: a whole number has no precision`},
		{nn.ModelCheckpoint{Path: "{epoch:x}"}, `path "{epoch:x}": {epoch:x} has an unknown format: valid are digits, a precision as in .2, and one of d, f, e, g`},
		{nn.ModelCheckpoint{Path: "x", SaveBestOnly: true}, `unknown monitor "val_loss": the logs are ["accuracy" "loss"]`},
	} {
		_, err := watched(t).Fit(ctx, onePoint, nn.Callbacks(c.checkpoint.Callback()))
		require.EqualError(t, err, "nn: Fit: ModelCheckpoint: "+c.want)
	}
	_, err := watched(t).Fit(ctx, onePoint, nn.ValidationData(onePoint), nn.Callbacks(nn.ModelCheckpoint{Path: "x", SaveBestOnly: true, SaveFreq: 1}.Callback()))
	require.EqualError(t, err, `nn: Fit: ModelCheckpoint: log "val_loss" is not there at the end of a batch`)
}

func TestLoadWeights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	m, _ := backedUp(t)
	require.NoError(t, m.SaveWeights(path))
	before := m.Weights()[0].Data[0]
	other := watched(t)
	require.ErrorContains(t, other.LoadWeights(path), `unknown weight "y/bias": valid are ["y/kernel"]`)
	require.ErrorContains(t, other.LoadWeights(path+"2"), "nn: LoadWeights")
	x := nn.Input("x", 3)
	wide, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2, nn.Linear, nn.Name("y")).On(x)})
	require.NoError(t, err)
	x = nn.Input("x", 2)
	high, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(3, nn.Linear, nn.Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, high.SaveWeights(path))
	require.ErrorContains(t, wide.LoadWeights(path), `has shape (3, 2), that of the file (2, 3)`)
	m.Weights()[0].Data[0] = float32(math.NaN())
	require.ErrorIs(t, m.SaveWeights(path), nn.ErrNonFinite)
	m.Weights()[0].Data[0] = before
	require.NoError(t, high.LoadWeights(path), "the file is as it was")
}

func TestLearningRateScheduler(t *testing.T) {
	ctx := context.Background()
	m := watched(t)
	var rates []float64
	h, err := m.Fit(ctx, onePoint, nn.Epochs(4), nn.Callbacks(
		nn.LearningRateScheduler(func(epoch int, rate float64) float64 {
			if epoch < 2 {
				return rate
			}
			return rate / 2
		}),
		nn.Callback{BatchEnd: func(p nn.Progress) error { rates = append(rates, p.Model.LearningRate()); return nil }}))
	require.NoError(t, err)
	require.Equal(t, []float64{0.01, 0.01, 0.005, 0.0025}, rates)
	require.Equal(t, rates, h.Logs["learning_rate"])
	_, err = m.Fit(ctx, onePoint, nn.Callbacks(nn.LearningRateScheduler(func(int, float64) float64 { return -1 })))
	require.ErrorContains(t, err, "nn: Fit: LearningRateScheduler: epoch 0: nn: SetLearningRate: ")
	_, err = m.Fit(ctx, onePoint, nn.Callbacks(nn.LearningRateScheduler(nil)))
	require.EqualError(t, err, "nn: Fit: LearningRateScheduler: the function is nil")
}

func TestCSVLogger(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "log.csv")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("old\n", 100)), 0o666))
	fit := func(c nn.CSVLogger, opts ...nn.FitOption) {
		t.Helper()
		m := watched(t)
		require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {1}}))
		require.NoError(t, m.SetLearningRate(0.25)) // the weight goes half the way to 2
		_, err := m.Fit(ctx, onePoint, append(opts, nn.ValidationData(onePoint), nn.ValidationFreq(2), nn.Callbacks(addLog("x", 0.5, math.NaN(), math.Inf(1), 0), c.Callback()))...)
		require.NoError(t, err)
	}
	fit(nn.CSVLogger{Path: path}, nn.Epochs(3))
	want := "epoch,accuracy,loss,val_accuracy,val_loss,x\n0,0,1,NA,NA,0.5\n1,0,0.25,0,0.0625,nan\n2,0,0.0625,NA,NA,+Inf\n"
	require.Equal(t, want, readText(t, path))
	fit(nn.CSVLogger{Path: path, Append: true, Separator: ';'}, nn.Epochs(2))
	require.Equal(t, want+"0;0;1;NA;NA;0.5\n1;0;0.25;0;0.0625;nan\n", readText(t, path))
	for want, c := range map[string]nn.CSVLogger{
		"CSVLogger: the path is empty":                                 {},
		`CSVLogger "x": the separator '\n' cannot be told from a line`: {Path: "x", Separator: '\n'},
	} {
		_, err := watched(t).Fit(ctx, onePoint, nn.Callbacks(c.Callback()))
		require.EqualError(t, err, "nn: Fit: "+want)
	}
}

// The first loss that is not finite ends Fit as if the epochs were over; without the callback, with an error.
func TestTerminateOnNaN(t *testing.T) {
	ctx := context.Background()
	ended := 0
	end := nn.Callback{End: func(nn.Progress) error { ended++; return nil }}
	grow := nn.LearningRateScheduler(func(epoch int, _ float64) float64 { return []float64{0.1, 0.1, 1e30, 1e30, 1e30}[epoch] })
	h, err := watched(t).Fit(ctx, onePoint, nn.Epochs(5), nn.Callbacks(grow, nn.TerminateOnNaN{}.Callback(), end))
	require.NoError(t, err)
	require.Equal(t, 1, ended)
	require.Less(t, len(h.Epochs), 5)
	require.GreaterOrEqual(t, len(h.Epochs), 2)
	h2, err := watched(t).Fit(ctx, onePoint, nn.Epochs(5), nn.Callbacks(grow, end))
	require.ErrorIs(t, err, nn.ErrNonFinite)
	require.Equal(t, 1, ended)
	require.Equal(t, h, h2)

	// Other errors stay, also where a callback forgets to return one.
	other := errors.New("other")
	stream := nn.Stream(func() iter.Seq2[nn.Data, error] {
		return func(yield func(nn.Data, error) bool) { yield(nn.Data{}, other) }
	})
	forgets := nn.Callback{Failed: func(nn.Progress, error) error { return nil }}
	_, err = watched(t).Fit(ctx, stream, nn.Callbacks(nn.TerminateOnNaN{}.Callback(), forgets))
	require.ErrorIs(t, err, other)
}

func TestFitSteps(t *testing.T) {
	ctx := context.Background()
	m, data := backedUp(t)
	var batches []int
	note := nn.Callback{BatchEnd: func(p nn.Progress) error {
		batches = append(batches, p.Batch)
		require.Equal(t, 3, p.Batches)
		return nil
	}}
	_, err := m.Fit(ctx, data, nn.Epochs(4), nn.BatchSize(10), nn.StepsPerEpoch(3), nn.Callbacks(note))
	require.NoError(t, err)
	require.Equal(t, slices.Repeat([]int{0, 1, 2}, 4), batches)

	// 15 steps in epochs of 3 or of 5, which is all the data, are the same.
	other, _ := backedUp(t)
	_, err = m.Fit(ctx, data, nn.BatchSize(10), nn.StepsPerEpoch(3))
	require.NoError(t, err)
	_, err = other.Fit(ctx, data, nn.BatchSize(10), nn.Epochs(3))
	require.NoError(t, err)
	again, _ := backedUp(t)
	_, err = again.Fit(ctx, data, nn.Epochs(5), nn.BatchSize(10), nn.StepsPerEpoch(3))
	require.NoError(t, err)
	require.Equal(t, modelBytes(t, other), modelBytes(t, again))

	h, err := m.Fit(ctx, data, nn.Epochs(5), nn.ValidationSplit(0.4), nn.BatchSize(8), nn.ValidationFreq(2), nn.ValidationSteps(1))
	require.NoError(t, err)
	require.Len(t, h.Logs["loss"], 5)
	require.Len(t, h.Logs["val_loss"], 2)
	first := nn.Data{Inputs: nn.Arrays{"x": data.Inputs["x"].(nn.Floats)[90:114]}, Targets: nn.Arrays{"y": data.Targets["y"].(nn.Floats)[30:38]}}
	_, err = m.Fit(ctx, data, nn.Epochs(4), nn.ValidationData(data), nn.ValidationFreq(4), nn.BatchSize(8), nn.ValidationSteps(1), nn.Callbacks(nn.Callback{
		EpochEnd: func(p nn.Progress) error {
			v, ok := p.Logs["val_loss"]
			if require.Equal(t, p.Epoch == 3, ok); ok {
				head := nn.Data{Inputs: nn.Arrays{"x": data.Inputs["x"].(nn.Floats)[:24]}, Targets: nn.Arrays{"y": data.Targets["y"].(nn.Floats)[:8]}}
				logs, err := m.TestOnBatch(head)
				require.NoError(t, err)
				require.Equal(t, logs["loss"], v)
			}
			return nil
		},
	}))
	require.NoError(t, err)
	_, err = m.TestOnBatch(first)
	require.NoError(t, err)

	// A callback that follows validation waits for it.
	h, err = watched(t).Fit(ctx, onePoint, nn.Epochs(20), nn.ValidationData(onePoint), nn.ValidationFreq(3), nn.Callbacks(nn.EarlyStopping{Mode: "max", Patience: 2}.Callback()))
	require.NoError(t, err)
	require.Len(t, h.Epochs, 9)

	for want, o := range map[string]nn.FitOption{
		"0 steps per epoch, at least 1 is needed":          nn.StepsPerEpoch(0),
		"validation every -1 epochs, at least 1 is needed": nn.ValidationFreq(-1),
		"0 validation steps, at least 1 is needed":         nn.ValidationSteps(0),
		"epoch 0, batch 0: " + "the data has no rows":      nn.StepsPerEpoch(1),
	} {
		empty := nn.Stream(func() iter.Seq2[nn.Data, error] { return func(func(nn.Data, error) bool) {} })
		_, err := watched(t).Fit(ctx, empty, o)
		require.EqualError(t, err, "nn: Fit: "+want)
	}
}

// On a batch, the losses and metrics are those of Evaluate, weights of rows included, and predictions those of Predict.
func TestOnBatch(t *testing.T) {
	ctx := context.Background()
	m := watched(t)
	require.NoError(t, m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}, nn.Metrics{"y": {nn.MAE()}}, nn.WeightedMetrics{"y": {nn.MAE()}}))
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {1}}))
	data := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{1, 2, 3, 4}}, Targets: nn.Arrays{"y": nn.Floats{2, 4, 6, 8}}, SampleWeights: map[string][]float32{"y": {1, 0, 3, 0.5}}}
	want := nn.Logs{"loss": (1 + 27 + 8) / 4.0, "mae": 2.5, "weighted_mae": (1 + 9 + 2) / 4.5}
	logs, err := m.TestOnBatch(data)
	require.NoError(t, err)
	for _, size := range []int{1, 2, 3, 32} {
		evaluated, err := m.Evaluate(ctx, data, nn.BatchSize(size))
		require.NoError(t, err)
		for name, v := range want {
			require.InDelta(t, v, logs[name], 1e-6, name)
			require.InDelta(t, v, evaluated[name], 1e-6, "%s, batches of %d", name, size)
		}
	}
	_, err = m.TestOnBatch(nn.Data{})
	require.ErrorContains(t, err, "nn: TestOnBatch: missing input")

	x := make(nn.Floats, 3*700)
	for i := range x {
		x[i] = float32(i % 13)
	}
	big, _ := backedUp(t)
	a, err := big.Predict(nn.Arrays{"x": x})
	require.NoError(t, err)
	b, err := big.PredictOnBatch(nn.Arrays{"x": x})
	require.NoError(t, err)
	require.Equal(t, a, b)
	_, err = big.PredictOnBatch(nil)
	require.ErrorContains(t, err, "nn: PredictOnBatch: missing input")
}

func ExampleModelCheckpoint() {
	folder, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	data := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{-1, 0, 1, 2}}, Targets: nn.Arrays{"y": nn.Floats{-1, 1, 3, 5}}} // y = 2x + 1
	csv := filepath.Join(folder, "log.csv")
	if _, err := m.Fit(context.Background(), data, nn.Epochs(3), nn.Callbacks(
		nn.LearningRateScheduler(func(epoch int, rate float64) float64 { return 0.1 / float64(1+epoch) }),
		nn.ModelCheckpoint{Path: filepath.Join(folder, "best-{epoch:02d}.safetensors"), Monitor: "loss", SaveBestOnly: true}.Callback(),
		nn.CSVLogger{Path: csv, Separator: '\t'}.Callback(),
		nn.TerminateOnNaN{}.Callback(),
	)); err != nil {
		log.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "best-*"))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(filepath.Base(f))
	}
	text, err := os.ReadFile(csv)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Fields(string(text))[:3])

	// Output:
	// best-01.safetensors
	// best-02.safetensors
	// best-03.safetensors
	// [epoch learning_rate loss]
}
