package onnx

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// What is written can be read again: names, order and shapes of inputs and outputs are kept, and values are near. A graph of Dense
// layers has the same bits.
func TestExportImport(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for _, c := range append(exportCases(t), goldenCases(t)...) {
		t.Run(c.name, func(t *testing.T) {
			var file bytes.Buffer
			require.NoError(t, Write(&file, c.model))
			again, err := Read(&file)
			require.NoError(t, err)
			require.Equal(t, c.model.InputNames(), again.InputNames())
			require.Equal(t, c.model.OutputNames(), again.OutputNames())
			inputs := nn.Arrays{}
			for i, n := range c.model.Inputs() {
				require.Equal(t, n.Shape(), again.Inputs()[i].Shape())
				inputs[c.model.InputNames()[i]] = c.random(random, 5*n.Shape().Elements())
			}
			want, err := c.model.Predict(inputs)
			require.NoError(t, err)
			got, err := again.Predict(inputs)
			require.NoError(t, err)
			dense := true
			for _, l := range c.model.Layers() {
				switch l.Class() {
				case "InputLayer", "Dense", "Identity", "Flatten", "Concatenate", "Dropout":
				default:
					dense = false
				}
			}
			for i, n := range c.model.Outputs() {
				name := c.model.OutputNames()[i]
				require.Equal(t, n.Shape(), again.Outputs()[i].Shape())
				if dense {
					require.Equal(t, want[name].Data, got[name].Data, name)
				}
				requireNear(t, want[name].Data, got[name].Data, name)
			}
		})
	}
}

// random returns values for an input.
func (c exportCase) random(r *rand.Rand, n int) nn.Floats {
	x := make(nn.Floats, n)
	for i := range x {
		if x[i] = float32(r.NormFloat64()); c.limit > 0 {
			x[i] = float32(r.IntN(c.limit))
		}
	}
	return x
}
