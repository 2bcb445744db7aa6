//go:build unix

package nn

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// killVariable names the file that a child process is to save to until it is killed.
const killVariable = "ESPALIER_TEST_SAVE"

// killModels are two models of different sizes; a file holds one or the other.
func killModels(t *testing.T) [2]*Model {
	var models [2]*Model
	for i := range models {
		x := Input("x", 100)
		y := Dense(100*(i+1), Linear).On(x)
		m, err := NewModel([]*Node{x}, []*Node{y}, Seed(uint64(i)))
		require.NoError(t, err)
		require.NoError(t, m.Compile(Adam(0.01), Losses{"dense": MSE()}))
		models[i] = m
	}
	return models
}

// A process that is killed while it saves leaves the old file or the new one, whole.
func TestKill(t *testing.T) {
	models := killModels(t)
	if path := os.Getenv(killVariable); path != "" {
		fmt.Println("saving")
		for i := 0; ; i++ {
			require.NoError(t, models[i%2].Save(path))
		}
	}
	kills := 200
	if testing.Short() {
		kills = 20
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "model")
	require.NoError(t, models[0].Save(path))
	files := [2]string{string(savedBytes(t, models[0])), string(savedBytes(t, models[1]))}
	var found [2]int
	unfinished := 0
	for range kills {
		killWhileSaving(t, path)
		m, err := Load(path)
		require.NoError(t, err)
		switch string(savedBytes(t, m)) {
		case files[0]:
			found[0]++
		case files[1]:
			found[1]++
		default:
			require.Fail(t, "loaded a model that was not saved")
		}
		left, err := filepath.Glob(filepath.Join(folder, ".espalier-*.tmp"))
		require.NoError(t, err)
		unfinished += len(left)
		for _, file := range left {
			require.NoError(t, os.Remove(file))
		}
	}
	t.Logf("found one model %d times, the other %d times; %d of %d kills left a temporary file", found[0], found[1], unfinished, kills)
	require.NotZero(t, unfinished, "no kill hit Save at work")
}

// killWhileSaving starts a child that saves to path and kills it at a random moment.
func killWhileSaving(t *testing.T, path string) {
	// Under an emulator the test binary does not start by itself.
	command := append(strings.Fields(os.Getenv("ESPALIER_EMULATOR")), os.Args[0], "-test.run=^TestKill$")
	child := exec.Command(command[0], command[1:]...)
	child.Env = append(os.Environ(), killVariable+"="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	time.Sleep(100*time.Microsecond + rand.N(10*time.Millisecond))
	killed := child.Process.Kill()
	_ = child.Wait() // reports the kill
	require.NoError(t, err)
	require.Equal(t, "saving\n", line)
	require.NoError(t, killed)
}
