package nn

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// 600 rows are more than Predict takes at a time.
func TestPredictRows(t *testing.T) {
	d := tandemData(600)
	m := noisy(t)
	whole, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	for _, r := range [][2]int{{0, 1}, {599, 600}, {255, 257}, {3, 20}, {100, 600}} {
		some, err := m.Predict(part(d, r[0], r[1]).Inputs)
		require.NoError(t, err)
		for name, y := range some {
			require.Equal(t, r[1]-r[0], y.Rows)
			for i := range y.Rows {
				require.Equal(t, whole[name].Row(r[0]+i), y.Row(i), "rows %v of %s", r, name)
			}
		}
	}
	again, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	require.Equal(t, whole, again, "dropout does not act")

	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			y, err := m.Predict(d.Inputs)
			if err != nil || !slices.Equal(y["label"].Data, whole["label"].Data) || !slices.Equal(y["value"].Data, whole["value"].Data) {
				t.Error("differs in another goroutine", err)
			}
		})
	}
	wait.Wait()
}

// Predict writes the rows that it is asked for and nothing behind them, whatever is left of earlier calls.
func TestPredictStaysInItsRows(t *testing.T) {
	m, d := noisy(t), tandemData(12)
	whole, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	p, err := NewPlan(m, 4)
	require.NoError(t, err)
	inputs := [][]float32{d.Inputs["x"].(Floats), d.Inputs["c"].(Floats)}
	for _, rows := range []int{12, 0, 1, 3, 4, 5, 7, 9, 11} {
		outputs := make([][]float32, 2)
		for i, name := range m.OutputNames() {
			y := whole[name]
			outputs[i] = slices.Repeat([]float32{-7}, 12*y.Cols+5)
		}
		require.NoError(t, p.Predict(inputs, outputs, rows))
		some := part(d, 0, rows)
		for i, name := range m.OutputNames() {
			y := whole[name]
			require.Equal(t, y.Data[:rows*y.Cols], outputs[i][:rows*y.Cols])
			require.Equal(t, slices.Repeat([]float32{-7}, (12-rows)*y.Cols+5), outputs[i][rows*y.Cols:], "%d rows", rows)
		}
		if rows > 0 {
			y, err := m.Predict(some.Inputs)
			require.NoError(t, err)
			for name, y := range y {
				require.Equal(t, whole[name].Data[:rows*y.Cols], y.Data)
			}
		}
	}
}

// An output may be an input, a reshaped one, and a node that another output uses.
func TestPredictInner(t *testing.T) {
	x := Input("x", 2, 2)
	f := Flatten(Name("f")).On(x)
	y := Dense(1, Linear, Name("y")).On(f)
	m, err := NewModel([]*Node{x}, []*Node{x, f, y})
	require.NoError(t, err)
	got, err := m.Predict(Arrays{"x": Floats{1, 2, 3, 4, 5, 6, 7, 8}})
	require.NoError(t, err)
	for _, name := range []string{"x", "f"} {
		require.Equal(t, []float32{1, 2, 3, 4, 5, 6, 7, 8}, got[name].Data)
		require.Equal(t, 2, got[name].Rows)
	}
	require.Equal(t, 1, got["y"].Cols)
}
