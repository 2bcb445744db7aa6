package kernels_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// recurrentData are the operands of a step with so many gates: x, sums and the state and cell before.
func recurrentData(rows, units, gates, gap int) (x, sums, before kernels.Matrix) {
	r := newRand(uint64(100*rows + units))
	return r.matrix(rows, gates*units, gap), r.matrix(rows, gates*units, gap), r.matrix(rows, units, gap)
}

var recurrentShapes = [][2]int{{0, 3}, {1, 1}, {3, 5}, {2, 16}, {5, 17}, {17, 33}, {2, 70}}

// A step beside its formulas in float64, on every level, in any rows, with gates in place, and with a state in place.
func TestGRU(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range recurrentShapes {
			rows, units := s[0], s[1]
			x, sums, before := recurrentData(rows, units, 3, 2)
			y, gates := kernels.NewMatrix(rows, units), copyOf(x, 1)
			require.NoError(t, table.GRU(y, gates, x, sums, before))
			for i := range rows {
				a, b, h := x.Row(i), sums.Row(i), before.Row(i)
				for j := range units {
					at := func(m []float32, gate int) float64 { return float64(m[gate*units+j]) }
					z, r := sigmoid64(at(a, 0)+at(b, 0)), sigmoid64(at(a, 1)+at(b, 1))
					c := math.Tanh(at(a, 2) + r*at(b, 2))
					require.InDelta(t, z*float64(h[j])+(1-z)*c, y.Row(i)[j], 1e-6)
					for gate, want := range []float64{z, r, c} {
						require.InDelta(t, want, gates.Row(i)[gate*units+j], 5e-7)
					}
				}
			}
			requireCanaries(t, gates)
			for i := range rows { // alone, and in place
				one := func(m kernels.Matrix) kernels.Matrix { return copyOf(m.RowRange(i, i+1), 0) }
				state, in := one(before), one(sums)
				require.NoError(t, table.GRU(state, in, one(x), in, state))
				requireSameBits(t, y.Row(i), state.Row(0))
				requireSameBits(t, gates.Row(i), in.Row(0))
			}
		}
	})
}

func TestLSTM(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range recurrentShapes {
			rows, units := s[0], s[1]
			x, sums, before := recurrentData(rows, units, 4, 2)
			y, cell, gates := kernels.NewMatrix(rows, units), copyOf(before, 3), copyOf(x, 1)
			require.NoError(t, table.LSTM(y, cell, gates, x, sums, before))
			for i := range rows {
				a, b := x.Row(i), sums.Row(i)
				for j, c := range before.Row(i) {
					at := func(gate int) float64 { return float64(a[gate*units+j]) + float64(b[gate*units+j]) }
					in, forget, g, o := sigmoid64(at(0)), sigmoid64(at(1)), math.Tanh(at(2)), sigmoid64(at(3))
					want := forget*float64(c) + in*g
					require.InDelta(t, want, cell.Row(i)[j], 1e-6)
					require.InDelta(t, o*math.Tanh(want), y.Row(i)[j], 1e-6)
					for gate, want := range []float64{in, forget, g, o} {
						require.InDelta(t, want, gates.Row(i)[gate*units+j], 5e-7)
					}
				}
			}
			requireCanaries(t, gates)
			requireCanaries(t, cell)
			for i := range rows {
				one := func(m kernels.Matrix) kernels.Matrix { return copyOf(m.RowRange(i, i+1), 0) }
				state, in, h := one(before), one(x), kernels.NewMatrix(1, units)
				require.NoError(t, table.LSTM(h, state, in, in, one(sums), state))
				requireSameBits(t, y.Row(i), h.Row(0))
				requireSameBits(t, cell.Row(i), state.Row(0))
				requireSameBits(t, gates.Row(i), in.Row(0))
			}
		}
	})
}

// All SIMD levels have the same bits.
func TestRecurrentBits(t *testing.T) {
	const rows, units = 5, 37
	var want []kernels.Matrix
	for _, table := range kernels.Tables() {
		if table.ISA == kernels.Generic {
			continue
		}
		var all []kernels.Matrix
		for gates := 3; gates <= 4; gates++ {
			x, sums, before := recurrentData(rows, units, gates, 0)
			y, cell, out := kernels.NewMatrix(rows, units), kernels.NewMatrix(rows, units), kernels.NewMatrix(rows, gates*units)
			if gates == 3 {
				require.NoError(t, table.GRU(y, out, x, sums, before))
			} else {
				require.NoError(t, table.LSTM(y, cell, out, x, sums, before))
			}
			all = append(all, y, cell, out)
		}
		if want == nil {
			want = all
		}
		for i := range all {
			requireSameMatrix(t, want[i], all[i])
		}
	}
}

func TestRecurrentErrors(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		m := kernels.NewMatrix
		short := kernels.Matrix{Data: make([]float32, 5), Rows: 2, Cols: 3, Stride: 3}
		for _, c := range []struct {
			err  error
			want string
		}{
			{table.GRU(m(2, 3), m(2, 9), m(2, 9), m(2, 8), m(2, 3)), "GRU: sums is 2x8, y is 2x3"},
			{table.GRU(m(2, 3), m(2, 9), m(2, 9), m(2, 9), m(1, 3)), "GRU: before is 1x3, y is 2x3"},
			{table.GRU(short, m(2, 9), m(2, 9), m(2, 9), m(2, 3)), "GRU: y is 2x3 with stride 3 but holds 5 elements"},
			{table.GRUGrad(m(2, 9), m(2, 9), m(2, 3), m(2, 3), m(2, 9), m(3, 9), m(2, 3)), "GRUGrad: sums is 3x9, dy is 2x3"},
			{table.LSTM(m(2, 3), m(2, 2), m(2, 12), m(2, 12), m(2, 12), m(2, 3)), "LSTM: cell is 2x2, y is 2x3"},
			{table.LSTM(m(2, 3), m(2, 3), m(2, 9), m(2, 12), m(2, 12), m(2, 3)), "LSTM: gates is 2x9, y is 2x3"},
			{table.LSTMGrad(m(2, 9), m(2, 3), m(2, 3), m(2, 12), m(2, 3), m(2, 3)), "LSTMGrad: dx is 2x9, dy is 2x3"},
		} {
			require.ErrorContains(t, c.err, "kernels: "+c.want)
			require.ErrorIs(t, c.err, kernels.ErrShape)
		}
	})
}
