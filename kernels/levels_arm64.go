//go:build !purego

package kernels

import "github.com/klauspost/cpuid/v2"

//go:generate go run -C ../gen .

var neon = level{
	isa: NEON,
	tiles: tiles{
		lanes:     4,
		panel:     16,
		wide:      64,
		byRows:    []gemmTile{gemm1x16NEON, gemm2x16NEON, gemm3x16NEON, gemm4x16NEON, gemm5x16NEON, gemm6x16NEON},
		dots:      []gemmTile{dots1x8NEON, dots2x4NEON, dots3x4NEON},
		transpose: transpose16NEON,
		deepest:   256,
		block:     32 << 10,
	},
	functions: functionsNEON,
}

// archTables returns the tables of this architecture in ascending order.
func archTables() []*Table { return arm64Tables }

var arm64Tables = []*Table{neon.table()}

func tuned(t *Table, _ cpuid.Vendor, _ int) *Table { return t }
