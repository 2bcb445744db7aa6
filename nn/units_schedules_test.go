package nn

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// testScheduleUnit makes a schedule of Keras' arguments.
func testScheduleUnit(t *testing.T, u unit) {
	var c struct {
		Schedule string
		Kwargs   json.RawMessage
		Steps    []int64
		LR       []float64
	}
	u.decode(t, &c)
	s, err := newObject[Schedule](c.Schedule, c.Kwargs)
	require.NoError(t, err)
	require.NoError(t, (&Rate{Schedule: s}).check())
	for i, step := range c.Steps {
		require.InDelta(t, c.LR[i], s.Rate(step), 1e-15*(1+largest(c.LR)), "step %d", step)
	}
}
