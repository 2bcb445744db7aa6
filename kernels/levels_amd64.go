//go:build !purego

package kernels

import "github.com/klauspost/cpuid/v2"

//go:generate go run -C ../gen .

var avx2 = level{
	isa: AVX2,
	tiles: tiles{
		lanes:  8,
		panel:  16,
		wide:   64,
		byRows: []gemmTile{gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2},
		narrow: []narrowTiles{{columns: 8, byRows: []gemmTile{
			gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2,
			gemm7x8AVX2, gemm8x8AVX2, gemm9x8AVX2, gemm10x8AVX2, gemm11x8AVX2, gemm12x8AVX2,
		}, from: AVX2, why: "a register has all columns, so that there are registers for more rows"}},
		dots:      []gemmTile{dots1x8AVX2, dots2x4AVX2, dots3x4AVX2},
		transpose: transpose16AVX2,
		deepest:   512,
		block:     16 << 10,
	},
	functions: functionsAVX2,
}

var avx512 = level{
	isa: AVX512,
	tiles: tiles{
		lanes: 16,
		panel: 32,
		wide:  128,
		byRows: []gemmTile{
			gemm1x32AVX512, gemm2x32AVX512, gemm3x32AVX512, gemm4x32AVX512, gemm5x32AVX512, gemm6x32AVX512, gemm7x32AVX512,
			gemm8x32AVX512, gemm9x32AVX512, gemm10x32AVX512, gemm11x32AVX512, gemm12x32AVX512, gemm13x32AVX512, gemm14x32AVX512,
		},
		dots:      []gemmTile{dots1x16AVX512, dots2x8AVX512, dots3x4AVX512, dots4x4AVX512},
		transpose: transpose16AVX512,
		deepest:   1024,
		block:     128 << 10,
	},
	functions: functionsAVX512,
}

// tuned returns t with the tiles of all levels that are fastest on this processor. All levels give the same bits.
//
// Up to 8 columns a register of AVX-512 is half empty: AVX2 multiplies as fast and loads less, but stores a row that does not
// fill a register in parts, which must have some depth to be paid for. Up to 16 columns AVX-512 has no more of them in a
// register than AVX2 in two, so a processor whose multiply-add of 512 bits takes as long as two of 256 has only masked
// stores from it, which forward nothing to the next layer. Those of AMD before Zen 5 are such, and whoever is not known to be
// another. BenchmarkGEMM has the shapes that show it.
func tuned(t *Table, vendor cpuid.Vendor, family int) *Table {
	if t.level != &avx512 {
		return t
	}
	v := avx512
	narrow := avx2.narrow[0]
	if vendor == cpuid.Intel || vendor == cpuid.AMD && family >= 26 {
		narrow.depth = 32
		v.narrow = []narrowTiles{narrow}
	} else {
		v.narrow = []narrowTiles{narrow, {columns: 16, byRows: avx2.byRows, from: AVX2, why: "a multiply-add of 512 bits takes as long as two of 256"}}
	}
	return v.table()
}

// archTables returns the tables of this architecture in ascending order.
func archTables() []*Table { return amd64Tables }

var amd64Tables = []*Table{avx2.table(), avx512.table()}
