//go:build !purego

package kernels

import (
	"slices"

	"github.com/klauspost/cpuid/v2"
)

//go:generate go run -C ../gen .

var avx2 = level{
	isa: AVX2,
	tiles: tiles{
		panel:  16,
		wide:   64,
		byRows: []gemmTile{gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2},
		narrow: []narrowTiles{{8, []gemmTile{
			gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2,
			gemm7x8AVX2, gemm8x8AVX2, gemm9x8AVX2, gemm10x8AVX2, gemm11x8AVX2, gemm12x8AVX2,
		}, AVX2, "a register has all columns, so that there are registers for more rows"}},
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
// Up to 8 columns a register of AVX-512 is half empty, and the plain stores of AVX2 forward what the next layer reads, where
// masked ones do not. Up to 16 it has no more columns than two of AVX2, so it must pay for itself: a processor whose
// multiply-add of 512 bits takes as long as two of 256 has only the masked stores. Those of AMD before Zen 5 are such, and
// whoever is not known to be another.
func tuned(t *Table, vendor cpuid.Vendor, family int) *Table {
	if t.level != &avx512 {
		return t
	}
	v := avx512
	v.narrow = slices.Clone(avx2.narrow)
	if !(vendor == cpuid.Intel || vendor == cpuid.AMD && family >= 26) {
		v.narrow = append(v.narrow, narrowTiles{16, avx2.byRows, AVX2, "a multiply-add of 512 bits takes this processor as long as two of 256"})
	}
	return v.table()
}

// archTables returns the tables of this architecture in ascending order.
func archTables() []*Table { return amd64Tables }

var amd64Tables = []*Table{avx2.table(), avx512.table()}
