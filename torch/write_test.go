package torch

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// What is written has the tensors that the file had which PyTorch wrote, to the last bit. Where there is one bias for two, the
// first is their sum.
func TestWriteAgainstPyTorch(t *testing.T) {
	for path, c := range realCases(t, "testdata/torch") {
		if c.Expect == "refuse" {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			m, table := c.model(t, path)
			_, err := Load(filepath.Join(path, c.File), m, c.options(table)...)
			require.NoError(t, err)
			opts := []WriteOption{Names(table)}
			if c.Under != "" {
				opts = append(opts, Under(c.Under))
			}
			var b bytes.Buffer
			require.NoError(t, Write(&b, m, opts...))
			want := tensorsOf(t, filepath.Join(path, c.File))
			have := floatsOf(t, b.Bytes())
			for name, x := range want {
				if strings.HasSuffix(name, "num_batches_tracked") || strings.HasPrefix(name, "optimizer") {
					continue
				}
				if strings.Contains(name, "bias_") && !strings.Contains(c.ID, "gru") {
					if i := strings.Index(name, "bias_ih"); i >= 0 {
						second := want[name[:i]+"bias_hh"+name[i+7:]]
						for i := range x {
							x[i] += second[i]
						}
					} else {
						x = make([]float32, len(x))
					}
				}
				require.Equal(t, x, have[name], name)
			}
		})
	}
}

func tensorsOf(t *testing.T, path string) map[string][]float32 {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return floatsOf(t, b)
}

func floatsOf(t *testing.T, b []byte) map[string][]float32 {
	tensors, err := Tensors(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	all := map[string][]float32{}
	for _, x := range tensors {
		all[x.Name], err = x.Floats()
		require.NoError(t, err)
	}
	return all
}

// With ESPALIER_PYTHON, a Python that has PyTorch, that loads what is written.
func TestPyTorchLoads(t *testing.T) {
	python := os.Getenv("ESPALIER_PYTHON")
	if python == "" {
		t.Skip("ESPALIER_PYTHON names no Python with PyTorch")
	}
	x := nn.Input("x", 5)
	y := nn.Dense(4, nn.ReLU, nn.Name("first")).On(x)
	y = nn.BatchNormalization(nn.Name("norm"), nn.Epsilon(1e-5)).On(y)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2, nn.Linear, nn.Name("last")).On(y)}, nn.Seed(4))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	require.NoError(t, Save(path, m))
	out, err := exec.Command(python, "testdata/check.py", path).CombinedOutput()
	require.NoError(t, err, string(out))
	got, err := m.Predict(nn.Arrays{"x": nn.Floats{1, -2, 3, -4, 5}})
	require.NoError(t, err)
	var want nn.Floats
	require.NoError(t, json.Unmarshal(out, &want))
	require.InDeltaSlice(t, want, got["last"].Data, 1e-6)
}
