package main

import "fmt"

// transpose prints the function that turns up to eight rows of src into columns: dst[p][i] = src[i][p], with zeros where
// i is beyond the rows. AVX-512 uses it too: it is bound by its loads and stores.
func transpose() *fn {
	m := avx2
	f := &fn{name: "transpose8AVX2", proto: "rows, cols int, dst *float32, dstRow int, src *float32, srcRow int", args: 6 * 8}
	f.note("Requires: AVX2")
	f.note("")
	f.note("Vectors: Y0 to Y7 the rows, Y8 to Y11 scratch, Y15 the mask of the last columns.")
	f.note("General: AX rows; BX columns left; DI destination; DX its stride; SI source; R8 its stride; R9, R10 scratch.")
	f.op("MOVQ", "rows+0(FP)", "AX")
	f.op("MOVQ", "cols+8(FP)", "BX")
	f.op("MOVQ", "dst+16(FP)", "DI")
	f.op("MOVQ", "dstRow+24(FP)", "DX")
	f.op("MOVQ", "src+32(FP)", "SI")
	f.op("MOVQ", "srcRow+40(FP)", "R8")
	block, tail, done := f.label("block"), f.label("tail"), f.label("done")
	f.at(block)
	f.op("CMPQ", "BX", "$8")
	f.op("JLT", tail)
	m.transposeBlock(f, false)
	f.op("SUBQ", "$8", "BX")
	f.op("JMP", block)
	f.at(tail)
	f.op("TESTQ", "BX", "BX")
	f.op("JEQ", done)
	f.op("MOVQ", "BX", "R10")
	m.tailMask(f, "R10")
	m.transposeBlock(f, true)
	f.at(done)
	f.op("VZEROUPPER")
	f.op("RET")
	return f
}

// transposeBlock moves eight columns, or the BX < 8 last ones.
func (m amd64) transposeBlock(f *fn, masked bool) {
	loaded := f.label("loaded")
	for i := 1; i < 8; i++ {
		m.zero(f, i)
	}
	f.op("MOVQ", "SI", "R9")
	for i := range 8 {
		if i > 0 {
			f.op("CMPQ", "AX", fmt.Sprintf("$%d", i))
			f.op("JLE", loaded)
			f.op("ADDQ", "R8", "R9")
		}
		m.load(f, i, "(R9)", masked)
	}
	f.at(loaded)
	// Pairs of rows, then fours, then the halves of the registers.
	y := m.v
	for i := 0; i < 8; i += 4 {
		f.op("VUNPCKLPS", y(i+1), y(i), y(8))
		f.op("VUNPCKHPS", y(i+1), y(i), y(9))
		f.op("VUNPCKLPS", y(i+3), y(i+2), y(10))
		f.op("VUNPCKHPS", y(i+3), y(i+2), y(11))
		f.op("VUNPCKLPD", y(10), y(8), y(i))
		f.op("VUNPCKHPD", y(10), y(8), y(i+1))
		f.op("VUNPCKLPD", y(11), y(9), y(i+2))
		f.op("VUNPCKHPD", y(11), y(9), y(i+3))
	}
	stored := f.label("stored")
	for p := range 8 {
		if masked && p > 0 {
			f.op("CMPQ", "BX", fmt.Sprintf("$%d", p))
			f.op("JLE", stored)
		}
		f.op("VPERM2F128", []string{"$0x20", "$0x31"}[p/4], y(p%4+4), y(p%4), y(8))
		m.store(f, 8, "(DI)", false)
		f.op("ADDQ", "DX", "DI")
	}
	f.at(stored)
	f.op("ADDQ", "$32", "SI")
}
