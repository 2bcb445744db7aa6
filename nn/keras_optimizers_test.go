package nn

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKerasOptimizers makes the steps of Keras' own tests of optimizers, see TestKeras. An assertion is about a weight after
// its last step, or about a gradient that a norm or a value clips.
func TestKerasOptimizers(t *testing.T) {
	text, err := os.ReadFile("testdata/keras/optimizers.json")
	require.NoError(t, err)
	var file struct {
		Absent  []string
		Asserts []struct {
			Test, Class string
			Config      map[string]any
			Undecayed   bool // the weight
			Start       []float64
			Shape       Shape
			Gradients   [][]float64
			Clip        []float64
			Want        []float64
			ATol, RTol  float64
		}
		Missed []struct{ Test, Why string }
	}
	require.NoError(t, json.Unmarshal(text, &file))
	for _, class := range file.Absent {
		_, err := newObject[Optimizer](class, nil)
		require.Error(t, err, "%s is said to be absent: take it from the list in extract.py", class)
	}
	golden := map[string]bool{}
	for _, a := range file.Asserts {
		if strings.Contains(a.Test, "golden") || strings.Contains(a.Test, "muon_single_step") {
			golden[a.Class] = true
		}
		t.Run(a.Test, func(t *testing.T) {
			if a.Undecayed {
				a.Config["exclude_from_weight_decay"] = []string{"^given/w0$"}
			}
			config, err := json.Marshal(a.Config)
			require.NoError(t, err)
			o, err := newObject[Optimizer](a.Class, config)
			require.NoError(t, err)
			if a.Clip != nil { // all optimizers clip alike: a step of SGD by 1 shows it
				a.Start, a.Shape, a.Gradients = make([]float64, len(a.Clip)), Shape{len(a.Clip)}, [][]float64{a.Clip}
				a.Config["learning_rate"] = 1
				config, err = json.Marshal(a.Config)
				require.NoError(t, err)
				o, err = newObject[Optimizer]("SGD", config)
				require.NoError(t, err)
				for i := range a.Want {
					a.Want[i] *= -1
				}
			}
			m, step := newGiven(t, o, [][]float32{float32sOf(a.Start)}, []Shape{a.Shape})
			for _, g := range a.Gradients {
				require.NoError(t, step([][]float32{float32sOf(g)}))
			}
			for i, want := range a.Want {
				require.InDelta(t, want, m.Weights()[0].Data[i], a.ATol+a.RTol*math.Abs(want), i)
			}
		})
	}
	for _, m := range file.Missed {
		t.Log("missed:", m.Test, m.Why)
	}
	t.Logf("%d of %d assertions, sequences of %d classes", len(file.Asserts), len(file.Asserts)+len(file.Missed), len(golden))
	require.Len(t, golden, 13)
}

func float32sOf(v []float64) (f []float32) {
	for _, x := range v {
		f = append(f, float32(x))
	}
	return f
}
