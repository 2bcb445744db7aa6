package kernels_test

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

type random struct{ *rand.Rand }

func newRand(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 7))} }

// floats returns n normally distributed values.
func (r random) floats(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

const canary = float32(12345)

// guarded returns a matrix whose rows are separated by gap canaries.
func guarded(rows, cols, gap int) kernels.Matrix {
	m := kernels.NewMatrix(rows, cols+gap)
	for i := range m.Data {
		m.Data[i] = canary
	}
	m.Cols = cols
	return m
}

// matrix returns normally distributed values in a guarded matrix.
func (r random) matrix(rows, cols, gap int) kernels.Matrix {
	m := guarded(rows, cols, gap)
	for i := range rows {
		copy(m.Row(i), r.floats(cols))
	}
	return m
}

// probabilities returns rows that are positive and sum to scale.
func (r random) probabilities(rows, cols int, scale float64) kernels.Matrix {
	m := kernels.NewMatrix(rows, cols)
	for i := range rows {
		sum := 0.0
		for j := range m.Row(i) {
			v := 0.1 + r.Float64()
			m.Row(i)[j] = float32(v)
			sum += v
		}
		for j := range m.Row(i) {
			m.Row(i)[j] *= float32(scale / sum)
		}
	}
	return m
}

// copyOf returns the same values in rows that gap canaries separate.
func copyOf(m kernels.Matrix, gap int) kernels.Matrix {
	c := guarded(m.Rows, m.Cols, gap)
	for i := range m.Rows {
		copy(c.Row(i), m.Row(i))
	}
	return c
}

func requireCanaries(t *testing.T, m kernels.Matrix) {
	t.Helper()
	for i := range m.Rows {
		for _, v := range m.Data[i*m.Stride+m.Cols : (i+1)*m.Stride] {
			require.Equal(t, canary, v, "behind row %d", i)
		}
	}
}

// requireSameBits compares bit by bit, except that any NaN equals any other and
// that the sign of a zero does not count.
func requireSameBits(t *testing.T, want, got []float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for j := range want {
		if want[j] != got[j] && !(isNaN(want[j]) && isNaN(got[j])) {
			require.Failf(t, "different bits", "element %d: want %v, got %v", j, want[j], got[j])
		}
	}
}

func requireSameMatrix(t *testing.T, want, got kernels.Matrix) {
	t.Helper()
	for i := range want.Rows {
		requireSameBits(t, want.Row(i), got.Row(i))
	}
}

// requireNear demands |got-want| <= tolerance·max(1, |want|) of every element.
func requireNear(t *testing.T, want []float64, got []float32, tolerance float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for j := range want {
		bound := tolerance * max(1, math.Abs(want[j]))
		if !(math.Abs(float64(got[j])-want[j]) <= bound) {
			require.Failf(t, "too far", "element %d: want %v, got %v, bound %v", j, want[j], got[j], bound)
		}
	}
}

// eachTable runs a sub-test for every table of this machine.
func eachTable(t *testing.T, run func(t *testing.T, table *kernels.Table)) {
	for name, table := range tables() {
		t.Run("isa="+name, func(t *testing.T) { run(t, table) })
	}
}

// tables yields every table of this machine: the levels, and auto if that mixes some.
func tables() iter.Seq2[string, *kernels.Table] {
	return func(yield func(string, *kernels.Table) bool) {
		for _, table := range kernels.Tables() {
			if !yield(table.ISA.String(), table) {
				return
			}
		}
		if best := kernels.Default(); !slices.Contains(kernels.Tables(), best) {
			yield("auto", best)
		}
	}
}

func doubles(x []float32) []float64 {
	y := make([]float64, len(x))
	for j, v := range x {
		y[j] = float64(v)
	}
	return y
}

// gradient returns the central differences of f at x.
func gradient(f func([]float64) float64, x []float64) []float64 {
	const h = 1e-6
	g := make([]float64, len(x))
	for j, v := range x {
		x[j] = v + h
		up := f(x)
		x[j] = v - h
		g[j] = (up - f(x)) / (2 * h)
		x[j] = v
	}
	return g
}

func shapeName(rows, cols int) string { return fmt.Sprintf("m=%d/n=%d", rows, cols) }

var nan, inf = float32(math.NaN()), float32(math.Inf(1))

func isNaN(x float32) bool { return x != x }
