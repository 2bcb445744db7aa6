package main

import "fmt"

// amd64Transpose prints the function that turns up to 16 rows of src into columns: dst[p][i] = src[i][p] for each of 16 i,
// where those beyond the rows repeat the last one. AVX-512 uses it too: it is bound by its loads and stores.
//
// Blocks of 4 columns are loaded as four rows in the low halves and four in the high halves of the registers, so that only
// the two steps within halves are left to shuffle.
func amd64Transpose() *fn {
	f := &fn{name: "transpose16AVX2", proto: "rows, cols int, dst *float32, dstRow int, src *float32, srcRow int", args: 6 * 8, frame: 16 * 8}
	f.note("Requires: AVX2")
	f.note("")
	f.note("Vectors: Y0 to Y3 rows, then columns; Y4 to Y7 scratch.")
	f.note("General: BX columns left; DI destination; DX its stride; R11 3·DX; SI source; AX, CX, R8, R9, R10 scratch. The frame has the")
	f.note("offset of each row.")
	row := func(i int) string { return fmt.Sprintf("offset%d-%d(SP)", i, 128-8*i) }
	f.op("MOVQ", "rows+0(FP)", "CX")
	f.op("MOVQ", "srcRow+40(FP)", "R8")
	f.op("XORL", "AX", "AX")
	for i := range 16 {
		f.op("MOVQ", "AX", row(i))
		if i < 15 {
			f.op("LEAQ", "(AX)(R8*1)", "R9")
			f.op("CMPQ", "CX", fmt.Sprintf("$%d", i+1))
			f.op("CMOVQGT", "R9", "AX")
		}
	}
	f.op("MOVQ", "cols+8(FP)", "BX")
	f.op("MOVQ", "dst+16(FP)", "DI")
	f.op("MOVQ", "dstRow+24(FP)", "DX")
	f.op("LEAQ", "(DX)(DX*2)", "R11")
	f.op("MOVQ", "src+32(FP)", "SI")
	block, tail, column, done := f.label("block"), f.label("tail"), f.label("column"), f.label("done")
	f.op("SUBQ", "$4", "BX")
	f.op("JLT", tail)
	f.at(block)
	for half := range 2 {
		for i := range 4 {
			f.op("MOVQ", row(8*half+i), "R9")
			f.op("MOVQ", row(8*half+4+i), "R10")
			f.op("VMOVUPS", "(SI)(R9*1)", fmt.Sprintf("X%d", i))
			f.op("VINSERTF128", "$1", "(SI)(R10*1)", fmt.Sprintf("Y%d", i), fmt.Sprintf("Y%d", i))
		}
		f.op("VUNPCKLPS", "Y1", "Y0", "Y4")
		f.op("VUNPCKHPS", "Y1", "Y0", "Y5")
		f.op("VUNPCKLPS", "Y3", "Y2", "Y6")
		f.op("VUNPCKHPS", "Y3", "Y2", "Y7")
		f.op("VUNPCKLPD", "Y6", "Y4", "Y0")
		f.op("VUNPCKHPD", "Y6", "Y4", "Y1")
		f.op("VUNPCKLPD", "Y7", "Y5", "Y2")
		f.op("VUNPCKHPD", "Y7", "Y5", "Y3")
		for p, index := range []string{"", "(DX*1)", "(DX*2)", "(R11*1)"} {
			f.op("VMOVUPS", fmt.Sprintf("Y%d", p), fmt.Sprintf("%d(DI)%s", 32*half, index))
		}
	}
	f.op("ADDQ", "$16", "SI")
	f.op("LEAQ", "(DI)(DX*4)", "DI")
	f.op("SUBQ", "$4", "BX")
	f.op("JGE", block)
	f.at(tail)
	f.op("ADDQ", "$4", "BX")
	f.op("JEQ", done)
	f.at(column)
	for i := range 16 {
		f.op("MOVQ", row(i), "R9")
		f.op("MOVL", "(SI)(R9*1)", "AX")
		f.op("MOVL", "AX", fmt.Sprintf("%d(DI)", 4*i))
	}
	f.op("ADDQ", "$4", "SI")
	f.op("ADDQ", "DX", "DI")
	f.op("SUBQ", "$1", "BX")
	f.op("JNE", column)
	f.at(done)
	f.op("VZEROUPPER")
	f.op("RET")
	return f
}
