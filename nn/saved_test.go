package nn

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// A savedTraining lies beside each model of testdata/saved. The model was saved in the middle of a training; this is its
// data, and what the version that saved it computed from both.
type savedTraining struct {
	Inputs  Arrays
	Targets Arrays
	SIMD    savedBits
	Generic *savedBits // from the same file, which a SIMD level wrote; nil where Generic has become more accurate since: GELU
}

// savedBits are float32s, by name, with eight hexadecimal digits each.
type savedBits struct {
	Predictions map[string]string
	Weights     map[string]string // after resumeSaved
}

func (s *savedTraining) UnmarshalJSON(text []byte) error {
	type array struct {
		Floats Floats
		Labels Labels
	}
	var file struct {
		Inputs, Targets map[string]array
		SIMD            savedBits
		Generic         *savedBits
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	arrays := func(all map[string]array) Arrays {
		a := Arrays{}
		for name, v := range all {
			if a[name] = v.Floats; v.Labels != nil {
				a[name] = v.Labels
			}
		}
		return a
	}
	*s = savedTraining{arrays(file.Inputs), arrays(file.Targets), file.SIMD, file.Generic}
	return nil
}

func (s *savedTraining) data() Data { return Data{Inputs: s.Inputs, Targets: s.Targets} }

// resumeSaved goes on with the training of a saved model, which had three epochs.
func resumeSaved(m *Model, data Data) error {
	_, err := m.Fit(context.Background(), data, InitialEpoch(3), Epochs(6), BatchSize(8), Seed(9))
	return err
}

func hexDigits(bits []uint32) string {
	var s strings.Builder
	for _, b := range bits {
		fmt.Fprintf(&s, "%08x", b)
	}
	return s.String()
}

// computeSaved returns what the model predicts, then trains it.
func computeSaved(t *testing.T, m *Model, data Data) savedBits {
	have := savedBits{map[string]string{}, map[string]string{}}
	for name, bits := range predictedBits(t, m, data.Inputs) {
		have.Predictions[name] = hexDigits(bits)
	}
	require.NoError(t, resumeSaved(m, data))
	for _, w := range m.Weights() {
		bits := make([]uint32, len(w.Data))
		for i, v := range w.Data {
			bits[i] = valueBits(v)
		}
		have.Weights[w.Name] = hexDigits(bits)
	}
	return have
}

// What an earlier version saved predicts the same bits now, by the model and by plans, and training goes on to the same
// bits, also after it was saved by this version in between. The files are evidence: a new format gets new files beside them.
func TestSavedByEarlierVersion(t *testing.T) {
	files, err := filepath.Glob("testdata/saved/*.safetensors")
	require.NoError(t, err)
	require.Len(t, files, 8)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".safetensors"), func(t *testing.T) {
			file, err := os.ReadFile(name)
			require.NoError(t, err)
			text, err := os.ReadFile(strings.TrimSuffix(name, ".safetensors") + ".json")
			require.NoError(t, err)
			var saved savedTraining
			require.NoError(t, json.Unmarshal(text, &saved))
			m, err := parse(file)
			require.NoError(t, err)
			var again bytes.Buffer
			_, err = m.WriteTo(&again)
			require.NoError(t, err)
			m, err = parse(again.Bytes()) // of today's version, with which the training goes on
			require.NoError(t, err)
			want := &saved.SIMD
			if kernels.Default().ISA == kernels.Generic {
				want = saved.Generic
			}
			have := computeSaved(t, m, saved.data())
			if want != nil {
				require.Equal(t, *want, have)
			}
		})
	}
}
