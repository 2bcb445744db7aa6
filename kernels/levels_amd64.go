//go:build !purego

package kernels

//go:generate go run -C ../gen .

var avx2 = level{
	isa: AVX2,
	tiles: tiles{
		panel:  16,
		wide:   64,
		byRows: []gemmTile{gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2},
		narrow: 8,
		ofNarrow: []gemmTile{gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2,
			gemm7x8AVX2, gemm8x8AVX2, gemm9x8AVX2, gemm10x8AVX2, gemm11x8AVX2, gemm12x8AVX2},
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

// archTables returns the tables of this architecture in ascending order.
func archTables() []*Table { return amd64Tables }

var amd64Tables = []*Table{avx2.table(), avx512.table()}
