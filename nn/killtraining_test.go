//go:build unix

package nn_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// trainVariable names the folder that a child process is to train in until it is killed.
const trainVariable = "ESPALIER_TEST_TRAIN"

// trainInFolder trains with a backup there and saves the result.
func trainInFolder(t *testing.T, folder string) {
	m, data := backedUp(t)
	slow := nn.Callback{BatchEnd: func(nn.Progress) error { time.Sleep(500 * time.Microsecond); return nil }}
	_, err := m.Fit(context.Background(), data, nn.Epochs(30), nn.BatchSize(8), nn.ValidationSplit(0.2), nn.Callbacks(slow),
		backedUpCallbacks(filepath.Join(folder, "log.csv")), nn.BackupAndRestore{Folder: filepath.Join(folder, "backup"), SaveFreq: 2})
	require.NoError(t, err)
	require.NoError(t, m.Save(filepath.Join(folder, "trained")))
}

// A process that is killed while it trains, again and again, ends with the bits of one that is not: 3 kills, 20 with ESPALIER_LONG
// set.
func TestKillTraining(t *testing.T) {
	if folder := os.Getenv(trainVariable); folder != "" {
		fmt.Println("training")
		trainInFolder(t, folder)
		return
	}
	calm := t.TempDir()
	trainInFolder(t, calm)
	want := readText(t, filepath.Join(calm, "trained"))

	kills := 3
	if os.Getenv("ESPALIER_LONG") != "" {
		kills = 20
	}
	folder := t.TempDir()
	result := filepath.Join(folder, "trained")
	killed, finished, resumed := 0, 0, 0
	for killed < kills {
		if _, err := os.Stat(filepath.Join(folder, "backup", "state")); err == nil {
			resumed++
		}
		if !trainAndKill(t, folder, rand.N(150*time.Millisecond)) {
			killed++
			continue
		}
		finished++
		require.True(t, want == readText(t, result), "the same bits")
		require.NoError(t, os.Remove(result))
	}
	require.True(t, trainAndKill(t, folder, time.Hour))
	require.True(t, want == readText(t, result), "the same bits")
	require.NoDirExists(t, filepath.Join(folder, "backup"))
	t.Logf("%d kills, %d runs that ended before theirs, %d that began with a backup", killed, finished, resumed)
}

// trainAndKill starts a child that trains, kills it some time later, and reports whether it had ended before.
func trainAndKill(t *testing.T, folder string, after time.Duration) bool {
	// Under an emulator the test binary does not start by itself.
	command := append(strings.Fields(os.Getenv("ESPALIER_EMULATOR")), os.Args[0], "-test.run=^TestKillTraining$")
	child := exec.Command(command[0], command[1:]...)
	child.Env = append(os.Environ(), trainVariable+"="+folder)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	reader := bufio.NewReader(out)
	line, err := reader.ReadString('\n')
	kill := time.AfterFunc(after, func() { child.Process.Kill() })
	rest, _ := io.ReadAll(reader) // what a failure prints
	kill.Stop()
	ended := child.Wait()
	require.NoError(t, err)
	require.Equal(t, "training\n", line)
	require.NotContains(t, string(rest), "FAIL")
	return ended == nil
}
