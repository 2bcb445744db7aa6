package nn_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// backedUp returns a model with everything that a seed and a step number decide: dropout, moving averages, a penalty and an
// optimizer that gathers gradients. Its training set has 50 rows, of which validation holds out some.
func backedUp(t testing.TB) (*nn.Model, nn.Data) {
	x := nn.Input("x", 3)
	h := nn.Dropout(0.3, nn.Name("drop")).On(nn.BatchNormalization(nn.Name("norm")).On(nn.Dense(6, nn.Tanh, nn.Name("trunk"), nn.KernelRegularizer(nn.L2(0.01))).On(x)))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(h)}, nn.Seed(5))
	require.NoError(t, err)
	adam := nn.Adam(0.03)
	adam.UseEMA, adam.GradientAccumulationSteps = true, 3
	require.NoError(t, m.Compile(adam, nn.Losses{"y": nn.MSE()}, nn.Metrics{"y": {nn.MAE()}}))
	var in, out nn.Floats
	for i := range 150 {
		in = append(in, float32(i*i%17)/8-1)
		if i%3 == 2 {
			out = append(out, in[i]*in[i-1]-in[i-2])
		}
	}
	return m, nn.Data{Inputs: nn.Arrays{"x": in}, Targets: nn.Arrays{"y": out}}
}

// backedUpCallbacks decide by the logs, so that a Fit that goes on needs their states.
func backedUpCallbacks(csv string) nn.FitOption {
	return nn.Callbacks(
		nn.ReduceLROnPlateau{Patience: 2, Factor: 0.7}.Callback(),
		nn.CSVLogger{Path: csv}.Callback(),
		nn.EarlyStopping{Patience: 6, RestoreBest: true}.Callback(),
	)
}

var errKilled = errors.New("killed")

// killer fails at a step, as if the process had ended there.
func killer(step int) nn.Callback {
	return nn.Callback{BatchEnd: func(nn.Progress) error {
		if step--; step == 0 {
			return errKilled
		}
		return nil
	}}
}

// A training that ends anywhere and goes on in a new model has the weights, the history and the log file of one that does not.
func TestBackupAndRestore(t *testing.T) {
	ctx := context.Background()
	for name, options := range map[string][]nn.FitOption{
		"epochs":     {nn.BackupAndRestore{Folder: "backup"}},
		"batches":    {nn.BackupAndRestore{Folder: "backup", SaveFreq: 2}},
		"steps":      {nn.BackupAndRestore{Folder: "backup", SaveFreq: 3}, nn.StepsPerEpoch(7)},
		"validation": {nn.BackupAndRestore{Folder: "backup"}, nn.ValidationFreq(2), nn.Shuffle(false)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			fit := func(m *nn.Model, data nn.Data, more ...nn.FitOption) (*nn.History, error) {
				return m.Fit(ctx, data, append(append(more, nn.Epochs(12), nn.BatchSize(8), nn.ValidationSplit(0.2), backedUpCallbacks("log.csv")), options...)...)
			}
			m, data := backedUp(t)
			rest := nn.Callbacks(killer(0))
			history, err := fit(m, data, rest)
			require.NoError(t, err)
			require.NoDirExists(t, "backup")
			want := modelBytes(t, m)
			csv := readText(t, "log.csv")
			for _, step := range []int{1, 6, 11} {
				var have *nn.History
				err := errKilled
				kills := 0
				var last *nn.Model
				for ; errors.Is(err, errKilled); kills++ {
					require.Less(t, kills, 200)
					// The first process is killed early, the others go some steps further than their backup.
					n := step
					if kills > 0 {
						n = max(8, step)
					}
					last, data = backedUp(t)
					have, err = fit(last, data, nn.Callbacks(killer(n)))
				}
				require.NoError(t, err)
				require.Greater(t, kills, 1)
				require.Equal(t, want, modelBytes(t, last), "killed every %d steps", step)
				require.Equal(t, history.Epochs, have.Epochs)
				if name == "epochs" || name == "validation" { // the others' metrics of the training data begin again
					require.Equal(t, history.Logs, have.Logs)
					require.Equal(t, csv, readText(t, "log.csv"))
				} else {
					require.Equal(t, history.Logs["loss"], have.Logs["loss"])
				}
				require.Equal(t, history.Logs["val_mae"], have.Logs["val_mae"])
				require.NoDirExists(t, "backup")
			}
		})
	}
}

// modelBytes returns a checksum of what Save writes.
func modelBytes(t *testing.T, m *nn.Model) string {
	t.Helper()
	sum := sha256.New()
	_, err := m.WriteTo(sum)
	require.NoError(t, err)
	return hex.EncodeToString(sum.Sum(nil))
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// A training that is over stays over where the backup is kept, and goes on where there are more epochs.
func TestBackupIsKept(t *testing.T) {
	ctx := context.Background()
	folder := filepath.Join(t.TempDir(), "a", "backup")
	keep := nn.BackupAndRestore{Folder: folder, Keep: true}
	fit := func(epochs int, more ...nn.FitOption) (*nn.Model, *nn.History) {
		m, data := backedUp(t)
		h, err := m.Fit(ctx, data, append(more, nn.Epochs(epochs))...)
		require.NoError(t, err)
		return m, h
	}
	m, _ := fit(3, keep)
	again, h := fit(3, keep)
	require.Equal(t, modelBytes(t, m), modelBytes(t, again))
	require.Equal(t, []int{0, 1, 2}, h.Epochs)
	longer, h := fit(5, keep)
	whole, want := fit(5)
	require.Equal(t, modelBytes(t, whole), modelBytes(t, longer))
	require.Equal(t, want, h)
	require.NoError(t, os.RemoveAll(folder))

	stop := nn.Callback{EpochEnd: func(p nn.Progress) error {
		if p.Epoch == 1 {
			return nn.ErrStop
		}
		return nil
	}}
	m, _ = fit(9, keep, nn.Callbacks(stop))
	ended := 0
	again, h = fit(9, keep, nn.Callbacks(nn.Callback{End: func(p nn.Progress) error {
		ended++
		require.Equal(t, 1, p.Epoch)
		require.Equal(t, 1, p.Batch)
		require.Contains(t, p.Logs, "loss")
		return nil
	}}))
	require.Equal(t, 1, ended)
	require.Equal(t, modelBytes(t, m), modelBytes(t, again))
	require.Equal(t, []int{0, 1}, h.Epochs)
}

func TestBackupErrors(t *testing.T) {
	ctx := context.Background()
	folder := t.TempDir()
	keep := nn.BackupAndRestore{Folder: folder, Keep: true}
	m, data := backedUp(t)
	_, err := m.Fit(ctx, data, keep)
	require.NoError(t, err)
	fails := func(want string, opts ...nn.FitOption) {
		t.Helper()
		before := modelBytes(t, m)
		_, err := m.Fit(ctx, data, append(opts, nn.Epochs(3))...)
		require.ErrorContains(t, err, want)
		require.Equal(t, before, modelBytes(t, m))
	}
	fails("BackupAndRestore: the folder has no name", nn.BackupAndRestore{})
	fails("BackupAndRestore: a backup every -1 batches", nn.BackupAndRestore{Folder: folder, SaveFreq: -1})
	fails("is of a Fit with {Rows:32 ", keep, nn.BatchSize(16))
	fails("is of a Fit with ", keep, nn.Seed(1))
	fails("is of a Fit with ", keep, nn.Callbacks(nn.TerminateOnNaN{}.Callback()))
	require.NoError(t, m.Compile(nn.RMSprop(0.03), nn.Losses{"y": nn.MSE()}))
	fails("is of another model, or of another Compile", keep)
	m, _ = backedUp(t)
	state := filepath.Join(folder, "state")
	text := readText(t, state)
	require.NoError(t, os.WriteFile(state, []byte(text[:len(text)/2]), 0o666))
	fails("state: ", keep)
	require.NoError(t, os.WriteFile(state, []byte(text), 0o666))
	for _, name := range []string{"model-0", "model-1"} {
		require.NoError(t, os.RemoveAll(filepath.Join(folder, name)))
	}
	fails("no such file", keep)
	require.NoError(t, os.Remove(state))
	_, err = m.Fit(ctx, data, keep, nn.Epochs(2))
	require.NoError(t, err)
}

func ExampleBackupAndRestore() {
	folder, err := os.MkdirTemp("", "backup")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	train := func(failing int) (*nn.History, error) { // a program, from its start
		x := nn.Input("x", 1)
		m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear, nn.Name("y")).On(x)})
		if err != nil {
			return nil, err
		}
		if err := m.Compile(nn.SGD(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
			return nil, err
		}
		data := nn.Data{Inputs: nn.Arrays{"x": nn.Floats{-1, 0, 1, 2}}, Targets: nn.Arrays{"y": nn.Floats{-1, 1, 3, 5}}}
		return m.Fit(context.Background(), data, nn.Epochs(5), nn.BackupAndRestore{Folder: folder}, nn.Callbacks(nn.Callback{
			BatchEnd: func(p nn.Progress) error {
				fmt.Print(" ", p.Epoch)
				if p.Epoch == failing {
					return errors.New("power failure")
				}
				return nil
			},
		}))
	}
	_, err = train(3)
	fmt.Println("", err)
	history, err := train(-1)
	fmt.Println("", err, len(history.Epochs), "epochs")

	// Output:
	//  0 1 2 3 nn: Fit: power failure
	//  3 4 <nil> 5 epochs
}

// A process that is killed between the two files of a backup has the backup before.
func TestHalfABackup(t *testing.T) {
	ctx := context.Background()
	folder := t.TempDir()
	state := filepath.Join(folder, "state")
	fit := func(more ...nn.Callback) (string, error) {
		m, data := backedUp(t)
		_, err := m.Fit(ctx, data, nn.Epochs(6), nn.BatchSize(8), nn.BackupAndRestore{Folder: folder}, nn.Callbacks(append(more, nn.Callback{})...))
		return modelBytes(t, m), err
	}
	want, err := fit(nn.Callback{})
	require.NoError(t, err)
	var before string
	_, err = fit(nn.Callback{EpochEnd: func(p nn.Progress) error {
		if p.Epoch == 4 {
			before = readText(t, state)
		}
		return nil
	}, EpochBegin: func(p nn.Progress) error {
		if p.Epoch == 5 {
			return errKilled
		}
		return nil
	}})
	require.ErrorIs(t, err, errKilled)
	require.NoError(t, os.WriteFile(state, []byte(before), 0o666))
	have, err := fit(nn.Callback{})
	require.NoError(t, err)
	require.Equal(t, want, have)
}
