//go:build (amd64 || arm64) && !purego

package kernels

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// What another goroutine may change between check and use leads nowhere outside of the operands.

func TestLabelChangedAfterItsCheck(t *testing.T) {
	for _, table := range Tables()[1:] {
		for _, cols := range []int{3, 15, 16, 40} {
			for _, rows := range []int{1, 4, 7} {
				for _, label := range []int32{-1, -1 << 31, 1<<31 - 1, int32(cols), 1 << 20} {
					const around = 64
					memory := make([]float32, around+rows*cols+around)
					for i := range memory {
						memory[i] = canary
					}
					grad := memory[around : around+rows*cols]
					clear(grad)
					x, loss, labels := make([]float32, rows*cols), make([]float32, rows), make([]int32, rows)
					for i := range labels {
						labels[i] = label
					}
					table.level.softmaxCrossEntropy(rows, cols, &loss[0], nil, 0, &grad[0], 4*cols, &x[0], 4*cols, &labels[0], &unitWeight, 0)
					for i := range around {
						require.Equal(t, canary, memory[i])
						require.Equal(t, canary, memory[around+rows*cols+i])
					}
				}
			}
		}
	}
}

func TestBlocksThatPassedZero(t *testing.T) {
	for _, table := range Tables()[1:] {
		if table.ISA == NEON { // counts in a register, which no other goroutine changes
			continue
		}
		tiles := slices.Concat(table.level.byRows, table.level.dots)
		for _, n := range table.level.narrow {
			tiles = append(tiles, n.byRows...)
		}
		for _, tile := range tiles {
			a, b, c := make([]float32, 64), make([]float32, 64), make([]float32, 64)
			for i := range c {
				a[i], b[i], c[i] = 1, 1, canary
			}
			call := tileCall{k: 16, blocks: 0, n: 1, a: &a[0], aRow: 4, aCol: 4, b: &b[0], bRow: 4, bPanel: 4, c: &c[0], cRow: 4, floor: minusInf32}
			tile(&call)
			require.Equal(t, canary, c[32], "one block and no more")
		}
	}
}
