package kernels

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An operand that is larger than the others, in a dimension that it shares with one of them, is an error of every kernel.
func TestMisfits(t *testing.T) {
	const rows, cols, depth = 3, 5, 4
	eachCall(t, func(t *testing.T, table *Table, c call) {
		if strings.HasPrefix(c.name, "Dense") || c.name == "Pack" || c.isConv() {
			t.Skip("TestDenseErrors, TestWindowErrors") // the operands of packed weights are no matrices
		}
		fitting := &operands{Rand: newOperands(1, 0, 0).Rand, rows: rows, cols: cols, depth: depth}
		require.NoError(t, fitting.run(table, c))
		for i, m := range fitting.made {
			for _, grow := range [][2]int{{1, 0}, {0, 1}} {
				if m.Rows == 1 && grow[0] > 0 || !shares(fitting.made, i, grow) {
					continue
				}
				o := &operands{Rand: newOperands(1, 0, 0).Rand, rows: rows, cols: cols, depth: depth}
				o.view = func(rows, cols int) made {
					x := NewMatrix(rows, cols)
					if len(o.made) == i {
						x = NewMatrix(rows+grow[0], cols+grow[1])
					}
					return made{x, false, slices.Clone(x.Data)}
				}
				require.ErrorIs(t, o.run(table, c), ErrShape, "operand %d is larger by %v", i, grow)
			}
		}
	})
}

// shares reports whether another operand has a dimension that operand i would no longer have.
func shares(all []made, i int, grow [2]int) bool {
	n := all[i].Rows
	if grow[1] > 0 {
		n = all[i].Cols
	}
	for j, m := range all {
		if j != i && (m.Rows == n && m.Rows > 1 || m.Cols == n) {
			return true
		}
	}
	return false
}
