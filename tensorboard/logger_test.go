package tensorboard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/tensorboard"
	"github.com/stretchr/testify/require"
)

// newModel returns a model with a layer that it calls twice, and data of 24 rows.
func newModel(t *testing.T) (*nn.Model, nn.Data) {
	a, b := nn.Input("a", 2), nn.Input("b", 2)
	encoder := nn.Dense(3, nn.Tanh, nn.Name("encoder"))
	y := nn.Dense(1, nn.Linear, nn.Name("y")).On(nn.Concatenate(nn.Name("both")).On(encoder.On(a), encoder.On(b)))
	m, err := nn.NewModel([]*nn.Node{a, b}, []*nn.Node{y}, nn.Seed(1))
	require.NoError(t, err)
	require.NoError(t, m.Compile(nn.SGD(0.05), nn.Losses{"y": nn.MSE()}, nn.Metrics{"y": {nn.MAE()}}))
	var left, right, sums nn.Floats
	for i := range 24 {
		u, v := float32(i%5)/5, float32(i%7)/7
		left, right, sums = append(left, u, v), append(right, v, -u), append(sums, u-v)
	}
	return m, nn.Data{Inputs: nn.Arrays{"a": left, "b": right}, Targets: nn.Arrays{"y": sums}}
}

// A recorder keeps the logs of batches and the weights at the end of epochs.
type recorder struct {
	batches []nn.Logs
	weights []map[string][]float32
}

func (r *recorder) callback() nn.Callback {
	return nn.Callback{
		BatchEnd: func(p nn.Progress) error { r.batches = append(r.batches, p.Logs); return nil },
		EpochEnd: func(p nn.Progress) error {
			weights := map[string][]float32{}
			for _, w := range p.Model.Weights() {
				weights[w.Name] = append([]float32(nil), w.Data...)
			}
			r.weights = append(r.weights, weights)
			return nil
		},
	}
}

// A board is what a reader finds, by run and tag: the layout of testdata/read.py.
type board struct {
	Scalars    map[string]map[string][]point[float64]     `json:"scalars"`
	Histograms map[string]map[string][]point[[][]float64] `json:"histograms"`
	Graphs     map[string][][]string                      `json:"graphs"` // name, op and inputs of each node
}

type point[T any] struct {
	Step  int64
	Value T
}

func (p *point[T]) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &[]any{&p.Step, &p.Value}) }

// logged trains in folder and returns what is to be there.
func logged(t *testing.T, folder string) board {
	m, data := newModel(t)
	var r recorder
	schedule := nn.LearningRateScheduler(func(epoch int, _ float64) float64 { return 0.05 / float64(1+epoch) })
	h, err := m.Fit(context.Background(), data, nn.Epochs(3), nn.BatchSize(4), nn.ValidationSplit(0.25), nn.ValidationFreq(2),
		nn.Callbacks(schedule, tensorboard.Logger{Dir: folder, UpdateFreq: 3, HistogramFreq: 2}.Callback(), r.callback()))
	require.NoError(t, err)

	train, validation := map[string][]point[float64]{}, map[string][]point[float64]{}
	at := func(step int, v float64) point[float64] { return point[float64]{int64(step), float64(float32(v))} }
	for name, values := range h.Logs {
		for epoch, v := range values {
			if of, ok := strings.CutPrefix(name, "val_"); ok {
				validation["epoch_"+of] = append(validation["epoch_"+of], at(2*epoch+1, v))
				of = "evaluation_" + of + "_vs_iterations"
				validation[of] = append(validation[of], at(5*(2*epoch+2), v))
			} else {
				train["epoch_"+name] = append(train["epoch_"+name], at(epoch, v))
			}
		}
	}
	for i, logs := range r.batches {
		for name, v := range logs {
			if (i+1)%3 == 0 {
				train["batch_"+name] = append(train["batch_"+name], at(i+1, v))
			}
		}
	}
	histograms := map[string][]point[[][]float64]{}
	for _, epoch := range []int{0, 2} {
		for name, values := range r.weights[epoch] {
			name += "/histogram"
			histograms[name] = append(histograms[name], point[[][]float64]{int64(epoch), reference(values)})
		}
	}
	return board{
		Scalars:    map[string]map[string][]point[float64]{"train": train, "validation": validation},
		Histograms: map[string]map[string][]point[[][]float64]{"train": histograms},
		Graphs: map[string][][]string{"train": {
			{"a", "InputLayer"}, {"encoder/0", "Dense", "a"}, {"b", "InputLayer"}, {"encoder/1", "Dense", "b"},
			{"both", "Concatenate", "encoder/0", "encoder/1"}, {"y", "Dense", "both"},
		}},
	}
}

// reference counts by comparing each value with each edge.
func reference(values []float32) [][]float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, float64(v)), max(high, float64(v))
	}
	var all [][]float64
	for i := range 30 {
		left, right, n := low+(high-low)*float64(i)/30, low+(high-low)*float64(i+1)/30, 0
		for _, v := range values {
			if x := float64(v); i == 29 && x == high || x >= left && x < right && x < high {
				n++
			}
		}
		all = append(all, []float64{left, right, float64(n)})
	}
	return all
}

func requireBoard(t *testing.T, want, have board) {
	t.Helper()
	require.Equal(t, want.Scalars, have.Scalars)
	require.Equal(t, want.Graphs, have.Graphs)
	require.Len(t, have.Histograms, 1)
	require.Len(t, have.Histograms["train"], len(want.Histograms["train"]))
	for tag, points := range want.Histograms["train"] {
		for i, p := range points {
			require.Equal(t, p.Step, have.Histograms["train"][tag][i].Step, tag)
			require.Len(t, have.Histograms["train"][tag][i].Value, len(p.Value), tag)
			for j, bucket := range have.Histograms["train"][tag][i].Value {
				require.InDeltaSlice(t, p.Value[j], bucket, 1e-12, "%s, bucket %d", tag, j)
			}
		}
	}
}

// What a reader with a schema and a checksum of its own finds is what was logged.
func TestLogger(t *testing.T) {
	folder := t.TempDir()
	want := logged(t, folder)
	requireBoard(t, want, read(t, folder))
}

// ESPALIER_TENSORBOARD names a Python that has the package tensorboard, for instance by PYTHONPATH from its sources with the
// .proto files compiled. What it shows in a browser must be the same.
func TestTensorBoardReads(t *testing.T) {
	python := os.Getenv("ESPALIER_TENSORBOARD")
	if python == "" {
		t.Skip("ESPALIER_TENSORBOARD names no Python")
	}
	folder := t.TempDir()
	want := logged(t, folder)
	var stderr bytes.Buffer
	c := exec.Command(python, filepath.Join("testdata", "read.py"), folder)
	c.Stderr = &stderr
	out, err := c.Output()
	require.NoError(t, err, stderr.String())
	var have board
	require.NoError(t, json.Unmarshal(out, &have))
	requireBoard(t, want, have)
}

// Training that is killed and goes on leaves the files of training that is not.
func TestGoesOn(t *testing.T) {
	killed := errors.New("killed")
	for name, freq := range map[string]int{"epochs": 0, "batches": 2} {
		t.Run(name, func(t *testing.T) {
			run := func(folder string, kill int) error {
				m, data := newModel(t)
				require.NoError(t, m.Compile(nn.SGD(0.05), nn.Losses{"y": nn.MSE()}))
				_, err := m.Fit(context.Background(), data, nn.Epochs(4), nn.BatchSize(4), nn.ValidationSplit(0.25),
					nn.BackupAndRestore{Folder: filepath.Join(folder, "backup"), SaveFreq: freq},
					nn.Callbacks(tensorboard.Logger{Dir: filepath.Join(folder, "logs"), UpdateFreq: 1, HistogramFreq: 1}.Callback(),
						nn.Callback{BatchEnd: func(nn.Progress) error {
							if kill--; kill == 0 {
								return killed
							}
							return nil
						}}))
				return err
			}
			whole := t.TempDir()
			require.NoError(t, run(whole, 0))
			want := read(t, filepath.Join(whole, "logs"))
			for _, step := range []int{6, 9, 15} { // each after a backup
				folder := t.TempDir()
				require.ErrorIs(t, run(folder, step), killed)
				if freq == 0 { // what came after the backup goes, also where the next training ends sooner
					require.ErrorIs(t, run(folder, 1), killed)
					require.Len(t, read(t, filepath.Join(folder, "logs")).Scalars["train"]["batch_loss"], (step-1)/5*5+1)
				}
				require.NoError(t, run(folder, 0))
				have := read(t, filepath.Join(folder, "logs"))
				require.Equal(t, want, have, "killed at step %d", step)
			}
		})
	}
}

// Each Fit has files of its own, also with the callback of another.
func TestFitsInTurn(t *testing.T) {
	m, data := newModel(t)
	folder := t.TempDir()
	callback := tensorboard.Logger{Dir: folder}.Callback()
	for n := range 2 {
		_, err := m.Fit(context.Background(), data, nn.Callbacks(callback))
		require.NoError(t, err)
		files, err := os.ReadDir(filepath.Join(folder, "train"))
		require.NoError(t, err)
		require.Len(t, files, n+1)
	}
}

func TestErrors(t *testing.T) {
	m, data := newModel(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for want, l := range map[string]tensorboard.Logger{
		"the folder has no name": {},
		"UpdateFreq is -1 and HistogramFreq is 0, must not be negative": {Dir: folder, UpdateFreq: -1},
		"UpdateFreq is 0 and HistogramFreq is -2, must not be negative": {Dir: folder, HistogramFreq: -2},
		fmt.Sprintf("mkdir %s: not a directory", file):                  {Dir: file},
	} {
		_, err := m.Fit(context.Background(), data, nn.Callbacks(l.Callback()))
		require.EqualError(t, err, fmt.Sprintf("nn: Fit: tensorboard: Logger %q: %s", l.Dir, want))
	}

	// A backup cannot name another file.
	load := tensorboard.Logger{Dir: folder}.Callback().Load
	for _, state := range []string{
		`{"Train":{"Name":"../events.out.tfevents.1"}}`, `{"Validation":{"Name":"events.out.tfevents.1/../../x"}}`,
		`{"Train":{"Name":".."}}`, `{"Train":{"Name":"file"}}`, `{"Train":{"Size":-1}}`,
	} {
		require.ErrorContains(t, load(nn.Progress{}, []byte(state)), "the backup names a file", state)
	}
	require.Error(t, load(nn.Progress{}, []byte("{")))

	// A file that was shortened is not filled up with zeros.
	_, err := m.Fit(context.Background(), data, nn.Epochs(2), nn.Callbacks(tensorboard.Logger{Dir: folder}.Callback(),
		nn.Callback{EpochEnd: func(p nn.Progress) error { return os.Truncate(onlyFile(t, filepath.Join(folder, "train")), 10) }}))
	require.ErrorContains(t, err, "has 10 bytes, ")
}

// Weights that are all the same, that are not finite, and names that are not UTF-8 do not spoil a file.
func TestOddValues(t *testing.T) {
	m, data := newModel(t)
	folder := t.TempDir()
	values := map[string][]float32{
		"encoder/kernel": {float32(math.NaN()), 1, float32(math.Inf(1)), 2, 1, float32(math.Inf(-1))},
		"encoder/bias":   {5, 5, 5},
		"y/bias":         {float32(math.NaN())},
	}
	odd := nn.Callback{
		Logs: []string{"odd\xff"},
		EpochEnd: func(p nn.Progress) error {
			p.Logs["odd\xff"] = math.Inf(1)
			for _, w := range m.Weights() {
				copy(w.Data, values[w.Name])
			}
			return nil
		},
	}
	_, err := m.Fit(context.Background(), data, nn.Callbacks(odd, tensorboard.Logger{Dir: folder, HistogramFreq: 1}.Callback()))
	require.NoError(t, err)
	have := read(t, folder)
	require.Equal(t, []point[float64]{{0, math.Inf(1)}}, have.Scalars["train"]["epoch_odd\uFFFD"])
	last := func(name string) (buckets [][]float64, total float64) {
		buckets = have.Histograms["train"][name+"/histogram"][0].Value
		for _, b := range buckets {
			total += b[2]
		}
		return buckets, total
	}
	buckets, total := last("encoder/kernel")
	require.Equal(t, 3.0, total)
	require.Equal(t, 1.0, buckets[0][0])
	require.Equal(t, 2.0, buckets[0][2])
	require.Equal(t, []float64{2, 1}, buckets[29][1:])
	buckets, total = last("encoder/bias")
	require.Equal(t, 3.0, total)
	require.Equal(t, []float64{5, 5, 3}, buckets[29])
	buckets, total = last("y/bias")
	require.Equal(t, 0.0, total)
	require.Equal(t, []float64{0, 0, 0}, buckets[7])
}

// Curves of training and of validation, of every tenth batch, and histograms of the weights after every epoch.
func ExampleLogger() {
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
	check(err)
	check(m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}))
	data := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{-1, 0, 1, 2}}, Targets: nn.Arrays{"y": nn.Floats{-1, 1, 3, 5}}} // y = 2x + 1
	folder, err := os.MkdirTemp("", "logs-")
	check(err)
	defer os.RemoveAll(folder)
	logger := tensorboard.Logger{Dir: folder, UpdateFreq: 10, HistogramFreq: 1}
	_, err = m.Fit(context.Background(), data, nn.Epochs(3), nn.ValidationSplit(0.25), nn.Callbacks(logger.Callback()))
	check(err)
	files, err := filepath.Glob(filepath.Join(folder, "*", "events.out.tfevents.*"))
	check(err)
	for _, f := range files {
		fmt.Println(filepath.Base(filepath.Dir(f))) // tensorboard --logdir shows both
	}
	// Output:
	// train
	// validation
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
