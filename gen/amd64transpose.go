package main

import (
	"fmt"
	"strings"
)

// amd64Transpose prints the function that turns up to 16 rows of src into columns: dst[p][i] = src[i][p] for each of 16 i,
// where those beyond the rows repeat the last one.
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

// avx512Transpose prints the function that turns up to 16 rows of src into columns: dst[p][i] = src[i][p]. What dst[p] has for
// rows that are not there is not specified.
//
// Blocks of 16 columns are loaded row by row. The steps within quarters of the registers gather four rows of a column in a
// quarter, and those between quarters the rest. Whole columns are stored: who reads them soon does so by whole vectors, and
// a load waits for stores that it spans.
func avx512Transpose() *fn {
	f := &fn{name: "transpose16AVX512", proto: "rows, cols int, dst *float32, dstRow int, src *float32, srcRow int", args: 6 * 8}
	f.note("Requires: %s", avx512.requires)
	f.note("")
	f.note("Vectors: Z0 to Z15 rows, then columns; Z16 to Z31 scratch; K1 the mask of the last columns of src.")
	f.note("General: BX columns left; R12 rows; DI destination; DX its stride; R11 3·DX; SI, R13, R14, R15 every fourth row of the source;")
	f.note("R8 its stride; R9 3·R8; R10 where a block of columns is stored; AX, CX scratch.")
	for _, load := range []string{"rows+0 R12", "cols+8 BX", "dst+16 DI", "dstRow+24 DX", "src+32 SI", "srcRow+40 R8"} {
		name, register, _ := strings.Cut(load, " ")
		f.op("MOVQ", name+"(FP)", register)
	}
	f.op("LEAQ", "(DX)(DX*2)", "R11")
	f.op("LEAQ", "(R8)(R8*2)", "R9")
	bases := []string{"SI", "R13", "R14", "R15"}
	for i := 1; i < 4; i++ {
		f.op("LEAQ", fmt.Sprintf("(%s)(R8*4)", bases[i-1]), bases[i])
	}
	f.op("MOVQ", "BX", "AX")
	f.op("ANDQ", "$15", "AX")
	avx512.tailMask(f, "AX")
	for _, masked := range []bool{false, true} {
		block, next := f.label("block"), f.label("next")
		f.at(block)
		if masked {
			f.op("CMPQ", "BX", "$0")
			f.op("JLE", next)
		} else {
			f.op("CMPQ", "BX", "$16")
			f.op("JLT", next)
		}
		loaded := f.label("loaded")
		for i := range 16 {
			if i > 0 {
				f.op("CMPQ", "R12", fmt.Sprintf("$%d", i))
				f.op("JLE", loaded)
			}
			avx512.load(f, i, fmt.Sprintf("(%s)", bases[i/4])+[]string{"", "(R8*1)", "(R8*2)", "(R9*1)"}[i%4], masked)
		}
		f.at(loaded)
		turn16(f)
		f.op("MOVQ", "DI", "R10")
		for p := range 16 {
			if masked && p > 0 {
				f.op("CMPQ", "BX", fmt.Sprintf("$%d", p))
				f.op("JLE", next)
			}
			f.op("VMOVUPS", fmt.Sprintf("Z%d", p), "(R10)"+[]string{"", "(DX*1)", "(DX*2)", "(R11*1)"}[p%4])
			if p%4 == 3 {
				f.op("LEAQ", "(R10)(DX*4)", "R10")
			}
		}
		if !masked {
			for _, base := range bases {
				f.op("ADDQ", "$64", base)
			}
			f.op("MOVQ", "R10", "DI")
			f.op("SUBQ", "$16", "BX")
			f.op("JMP", block)
		}
		f.at(next)
	}
	f.op("VZEROUPPER")
	f.op("RET")
	return f
}

// turn16 turns 16 rows of 16 columns, Z0 to Z15, into columns.
func turn16(f *fn) {
	z := func(i int) string { return fmt.Sprintf("Z%d", i) }
	for i := 0; i < 16; i += 2 { // columns 0 and 1 of each quarter of two rows, and columns 2 and 3
		f.op("VUNPCKLPS", z(i+1), z(i), z(16+i))
		f.op("VUNPCKHPS", z(i+1), z(i), z(17+i))
	}
	for i := 0; i < 16; i += 4 { // one column of each quarter of four rows
		for j := range 2 {
			f.op("VUNPCKLPD", z(18+i+j), z(16+i+j), z(i+2*j))
			f.op("VUNPCKHPD", z(18+i+j), z(16+i+j), z(i+2*j+1))
		}
	}
	for i := 0; i < 16; i += 8 { // columns j and 8+j of eight rows, and columns 4+j and 12+j
		for j := range 4 {
			f.op("VSHUFF64X2", "$0x88", z(i+4+j), z(i+j), z(16+i+j))
			f.op("VSHUFF64X2", "$0xdd", z(i+4+j), z(i+j), z(20+i+j))
		}
	}
	for j := range 8 { // of 16 rows
		f.op("VSHUFF64X2", "$0x88", z(24+j), z(16+j), z(j))
		f.op("VSHUFF64X2", "$0xdd", z(24+j), z(16+j), z(8+j))
	}
}
