package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// testOptimizerUnit makes an optimizer of Keras' arguments, whose configuration then is Keras', and steps two weights.
func testOptimizerUnit(t *testing.T, u unit) {
	var c struct {
		Optimizer string
		Kwargs    json.RawMessage
		Config    map[string]any
		Steps     []int
		F32Dev    float64 `json:"f32_dev"`
	}
	u.decode(t, &c)
	o, err := newObject[Optimizer](c.Optimizer, c.Kwargs)
	require.NoError(t, err)
	requireConfig(t, c.Config, o, "name", "loss_scale_factor")

	var start [][]float32
	var shapes []Shape
	var gradients []goldenTensor
	for i := range 2 {
		w := u.tensor(t, fmt.Sprint("w", i))
		start, shapes = append(start, w.float32s()), append(shapes, w.shape)
		gradients = append(gradients, u.tensor(t, fmt.Sprint("g", i)))
	}
	m, step := newGiven(t, o, start, shapes)
	for n := 0; len(c.Steps) > 0; n++ {
		require.NoError(t, step([][]float32{gradients[0].rows(n, n+1).float32s(), gradients[1].rows(n, n+1).float32s()}))
		if n+1 != c.Steps[0] {
			continue
		}
		c.Steps = c.Steps[1:]
		for i, w := range m.Weights() {
			want := u.tensor(t, fmt.Sprintf("%s/step%d/w%d", u.ID, n+1, i)).values
			require.InDeltaSlice(t, want, float64s(w.Data), largest(want)*2e-6+1e-6+4*c.F32Dev, "step %d, w%d", n+1, i)
		}
	}
}

// requireConfig demands that v has the configuration of Keras, but for fields that we do not have. Keras' null is our zero.
func requireConfig(t *testing.T, want map[string]any, v any, without ...string) {
	t.Helper()
	text, err := encodeJSON(v)
	require.NoError(t, err)
	var have map[string]any
	require.NoError(t, json.Unmarshal(text, &have))
	for name, v := range want {
		if slices.Contains(without, name) {
			continue
		}
		require.Contains(t, have, name)
		if v == nil {
			require.Contains(t, []any{nil, 0.0, false}, have[name], name)
		} else {
			require.Equal(t, v, have[name], name)
		}
	}
}

// largest returns the largest absolute value.
func largest(x []float64) (most float64) {
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	return most
}
