package keras

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/safetensors"
)

// TestGolden compares the predictions of the files that Keras wrote for the cases of ESPALIER_GOLDEN with those of Keras.
func TestGolden(t *testing.T) {
	root := os.Getenv("ESPALIER_GOLDEN")
	if root == "" {
		t.Skip("ESPALIER_GOLDEN names no folder")
	}
	files, err := filepath.Glob(filepath.Join(root, "cases", "*", "model*.*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		folder, name := filepath.Split(path)
		t.Run(filepath.Join(filepath.Base(folder), name), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(folder, "case.json"))
			require.NoError(t, err)
			var c struct {
				Inputs  []string                  `json:"input_names"`
				Outputs []string                  `json:"output_names"`
				Config  json.RawMessage           `json:"keras_json"`
				Spread  struct{ Predict float64 } `json:"float32_spread"`
			}
			require.NoError(t, json.Unmarshal(text, &c))
			m, err := Load(path)
			if name == "model.weights.h5" {
				require.ErrorContains(t, err, "has weights and no model")
				m, err = FromJSON(c.Config)
				require.NoError(t, err)
				err = LoadWeights(m, path)
			}
			require.NoError(t, err)
			require.Equal(t, c.Inputs, m.InputNames())
			require.Equal(t, c.Outputs, m.OutputNames())

			f, err := os.Open(filepath.Join(folder, "tensors.safetensors"))
			require.NoError(t, err)
			defer f.Close()
			_, tensors, err := safetensors.Read(f)
			require.NoError(t, err)
			values := map[string][]float32{}
			for _, x := range tensors {
				values[x.Name] = x.Data
			}
			data := nn.Arrays{}
			for _, in := range c.Inputs {
				data[in] = nn.Floats(values["x/"+in])
			}
			y, err := m.Predict(data)
			require.NoError(t, err)
			for _, out := range c.Outputs {
				require.NotEmpty(t, values["predict/"+out])
				require.InDeltaSlice(t, values["predict/"+out], y[out].Data, max(1e-6, 4*c.Spread.Predict), out)
			}
		})
	}
}

// No .keras file panics.
func FuzzZip(f *testing.F) {
	x := nn.Input("x", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2, nn.ReLU).On(x)})
	require.NoError(f, err)
	var b bytes.Buffer
	require.NoError(f, Write(&b, m))
	f.Add(b.Bytes())
	f.Add([]byte("PK\x05\x06" + string(make([]byte, 18)))) // without files
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			require.NoError(t, Write(&bytes.Buffer{}, m))
		}
	})
}

// Every byte of a file's weights is covered by its checksum, though they are read where they are.
func TestDamagedWeights(t *testing.T) {
	x := nn.Input("x", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2, nn.ReLU).On(x)}, nn.Seed(5))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, Write(&b, m))
	kernel := binary.LittleEndian.AppendUint32(nil, math.Float32bits(m.Weights()[0].Data[0]))
	at := bytes.Index(b.Bytes(), kernel)
	require.GreaterOrEqual(t, at, 0)
	b.Bytes()[at] ^= 1
	_, err = Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.ErrorIs(t, err, zip.ErrChecksum)
}

// Compressed weights are read too.
func TestCompressedWeights(t *testing.T) {
	x := nn.Input("x", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2, nn.ReLU, nn.Name("y")).On(x)}, nn.Seed(5))
	require.NoError(t, err)
	var stored, compressed bytes.Buffer
	require.NoError(t, Write(&stored, m))
	from, err := zip.NewReader(bytes.NewReader(stored.Bytes()), int64(stored.Len()))
	require.NoError(t, err)
	to := zip.NewWriter(&compressed)
	for _, f := range from.File {
		text, err := fs.ReadFile(from, f.Name)
		require.NoError(t, err)
		w, err := to.Create(f.Name) // which compresses
		require.NoError(t, err)
		_, err = w.Write(text)
		require.NoError(t, err)
	}
	require.NoError(t, to.Close())
	again, err := Read(bytes.NewReader(compressed.Bytes()), int64(compressed.Len()))
	require.NoError(t, err)
	requireSame(t, m, again)
}

// BenchmarkLoad loads a file of 48 MB, beside reading and copying its bytes.
func BenchmarkLoad(b *testing.B) {
	x := nn.Input("x", 2000)
	h := nn.Dense(2000, nn.ReLU).On(nn.Dense(2000, nn.ReLU).On(x))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2000, nn.Linear).On(h)})
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "model.keras")
	require.NoError(b, Save(m, path))
	b.Run("bytes", func(b *testing.B) {
		for b.Loop() {
			text, err := os.ReadFile(path)
			require.NoError(b, err)
			copy(make([]byte, len(text)), text)
		}
	})
	b.Run("model", func(b *testing.B) {
		for b.Loop() {
			_, err := Load(path)
			require.NoError(b, err)
		}
	})
}
