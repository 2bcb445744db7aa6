package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// NaN, infinities, denormals and both zeros in each place of a row of each operand: the SIMD levels agree on every bit, and
// with Generic on what is no number, what is infinite and, within rounding, on the rest.
func TestSpecialValues(t *testing.T) {
	inf, negativeZero := float32(math.Inf(1)), float32(math.Copysign(0, -1))
	special := []float32{float32(math.NaN()), inf, -inf, 1e-40, -1e-40, 0, negativeZero}
	for _, c := range calls() {
		t.Run(c.name, func(t *testing.T) {
			const cols = 33
			run := func(table *Table, operand, place int, v float32) *operands {
				o := newOperands(uint64(place), 3, cols)
				o.fill = func(i int, x []float32) {
					if i == operand {
						x[place%len(x)] = v
					}
				}
				require.NoError(t, o.run(table, c))
				o.requireIntact(t)
				return o
			}
			tables := Tables()
			for operand := range run(tables[0], -1, 0, 0).made {
				for place := range cols {
					for _, v := range special {
						generic := run(tables[0], operand, place, v)
						var first *operands
						for _, table := range tables[1:] {
							o := run(table, operand, place, v)
							o.requireSimilar(t, generic, "%v in place %d of operand %d on %s", v, place, operand, table.ISA)
							if first == nil {
								first = o
							}
							o.requireSame(t, first, "%v in place %d of operand %d on %s", v, place, operand, table.ISA)
						}
					}
				}
			}
		})
	}
}

// requireSimilar demands the results of another run but for rounding.
func (o *operands) requireSimilar(t testing.TB, other *operands, format string, args ...any) {
	t.Helper()
	for i, m := range o.made {
		for r := range m.Rows {
			if !m.written {
				continue
			}
			want := other.made[i].Row(r)
			for j, v := range m.Row(r) {
				w := want[j]
				if v == w || v != v && w != w || abs(v-w) <= 1e-4*max(1, abs(w)) && !math.IsInf(float64(w), 0) {
					continue
				}
				require.Failf(t, "too different", format+": operand %d, element %d,%d: %v and %v", append(args, i, r, j, w, v)...)
			}
		}
	}
}
