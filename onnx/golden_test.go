package onnx

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The models that torch.onnx.export wrote for the golden data.
func TestGolden(t *testing.T) {
	folder := os.Getenv("ESPALIER_GOLDEN")
	if folder == "" {
		t.Skip("ESPALIER_GOLDEN is not set")
	}
	text, err := os.ReadFile(filepath.Join(folder, "onnx", "index.json"))
	require.NoError(t, err)
	var index struct {
		Models []struct {
			Name            string
			Inputs, Outputs []string
		}
	}
	require.NoError(t, json.Unmarshal(text, &index))
	require.NotEmpty(t, index.Models)
	for _, c := range index.Models {
		t.Run(c.Name, func(t *testing.T) {
			data := readTensors(t, filepath.Join(folder, "onnx", c.Name, "io.safetensors"))
			b := batch{map[string]*tensor{}, map[string]*tensor{}}
			for _, name := range c.Inputs {
				b.inputs[name] = data["input/"+name]
			}
			for _, name := range c.Outputs {
				b.outputs[name] = data["output/"+name]
			}
			m, err := Load(filepath.Join(folder, "onnx", c.Name, "model.onnx"))
			require.NoError(t, err)
			require.Equal(t, c.Inputs, m.InputNames())
			require.Equal(t, c.Outputs, m.OutputNames())
			require.NoError(t, b.check(m, nil, func(_ string, _ bool, largest, _ float64) float64 { return 1e-6 + 2e-6*largest }))
		})
	}
}
