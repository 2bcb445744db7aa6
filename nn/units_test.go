package nn

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unitKinds are the kinds of units, with the test of one unit each.
var unitKinds = map[string]func(*testing.T, unit){
	"activations":  testActivationUnit,
	"callbacks":    testCallbackUnit,
	"layers":       testLayerUnit,
	"losses":       testLossUnit,
	"metrics":      testMetricUnit,
	"initializers": testInitializerUnit,
	"optimizers":   testOptimizerUnit,
	"schedules":    testScheduleUnit,
}

// A unit is one class of Keras with a configuration, and what Keras computed with it.
type unit struct {
	ID      string
	text    json.RawMessage         // all of it
	tensors map[string]goldenTensor // of its kind
}

// decode fills v with the fields of the unit.
func (u unit) decode(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(u.text, v))
}

// tensor returns a tensor of the unit by its name.
func (u unit) tensor(t *testing.T, name string) goldenTensor {
	t.Helper()
	require.Contains(t, u.tensors, name)
	return u.tensors[name]
}

// TestUnits compares single classes with numbers that Keras computed in float64: every unit of every kind in the folder units
// of ESPALIER_GOLDEN, by default testdata. Nothing about a unit is known here: a class that we do not have fails.
func TestUnits(t *testing.T) {
	root := filepath.Join(cmp.Or(os.Getenv("ESPALIER_GOLDEN"), "testdata"), "units")
	files, err := filepath.Glob(filepath.Join(root, "*.json"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var all struct {
			Kind  string
			Tests []json.RawMessage
		}
		require.NoError(t, json.Unmarshal(text, &all))
		if all.Kind == "mtl_weighting" {
			continue // belongs to package multitask
		}
		t.Run(all.Kind, func(t *testing.T) {
			test, ok := unitKinds[all.Kind]
			require.True(t, ok, "no test for units of kind %q", all.Kind)
			tensors := readGolden(t, strings.TrimSuffix(file, ".json")+".safetensors")
			require.NotEmpty(t, all.Tests)
			for _, text := range all.Tests {
				u := unit{text: text, tensors: tensors}
				u.decode(t, &u)
				t.Run(u.ID, func(t *testing.T) { test(t, u) })
			}
		})
	}
}
