package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A state that does not fit changes nothing.
func TestSetOptimizerStateErrors(t *testing.T) {
	build := func() *Model {
		x := Input("x", 2)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(x)})
		require.NoError(t, err)
		return m
	}
	_, err := build().OptimizerState()
	require.ErrorIs(t, err, ErrNotCompiled)
	require.ErrorIs(t, build().SetOptimizerState(OptimizerState{}), ErrNotCompiled)
	_, ok := build().Compiled()
	require.False(t, ok)
	m := build()
	require.NoError(t, m.Compile(Adam(0.1), Losses{"y": MSE()}))
	before, err := m.OptimizerState()
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		change func(s *OptimizerState)
		want   string
	}{
		{"no slots", func(s *OptimizerState) { delete(s.Slots, "y/bias") }, `weight "y/bias": 0 slots are given, the optimizer has 2`},
		{"values", func(s *OptimizerState) { s.Slots["y/kernel"][1] = s.Slots["y/kernel"][1][:1] }, `weight "y/kernel": velocity has 1 values, must have 2`},
		{"NaN", func(s *OptimizerState) { s.Slots["y/bias"][0][0] = float32(math.NaN()) }, `weight "y/bias": momentum: value 0 is NaN`},
		{"steps", func(s *OptimizerState) { s.Steps = -1 }, "-1 steps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := m.OptimizerState()
			require.NoError(t, err)
			s.Slots["y/kernel"][0][0] = 5
			c.change(&s)
			require.ErrorContains(t, m.SetOptimizerState(s), c.want)
			after, err := m.OptimizerState()
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

// A new model has no more weights than MaxBytes allows.
func TestMaxBytesOfNewModel(t *testing.T) {
	x := Input("x", 10)
	y := Dense(10, Linear, Name("y")).On(x)
	_, err := NewModel([]*Node{x}, []*Node{y}, MaxBytes(439))
	require.ErrorContains(t, err, "its weights take more than the 439 bytes that MaxBytes allows")
	_, err = NewModel([]*Node{x}, []*Node{y}, MaxBytes(440))
	require.NoError(t, err)
}
