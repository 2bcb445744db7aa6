package main

import "fmt"

// neonTranspose prints the function that turns up to 16 rows of src into columns, as amd64Transpose does: eight rows at a
// time, of which it takes four columns at a time and the last ones one by one.
func neonTranspose() *fn {
	f := &fn{name: "transpose16" + neonSuffix, proto: "rows, cols int, dst *float32, dstRow int, src *float32, srcRow int", args: 6 * 8}
	f.note("Requires: %s", neonRequires)
	f.note("")
	f.note("Vectors: V0 to V7 the rows, V8 to V11 scratch, V16 to V23 columns, the upper halves behind the lower ones.")
	f.note("General: R0 rows; R1 columns left; R2 destination; R3 its stride; R4 source; R5 its stride; R6 the place in it.")
	for i, name := range []string{"rows", "cols", "dst", "dstRow", "src", "srcRow"} {
		f.op("MOVD", fmt.Sprintf("%s+%d(FP)", name, 8*i), fmt.Sprintf("R%d", i))
	}
	eight := f.label("eight")
	f.at(eight)
	v := func(i int) string { return fmt.Sprintf("V%d.S4", i) }
	d := func(i int) string { return fmt.Sprintf("V%d.D2", i) }
	// eachRow visits the rows that there are; of eight the others are zero.
	eachRow := func(registers int, visit func(i int)) {
		loaded := f.label("loaded")
		for i := range registers {
			f.op("VMOVI", "$0", fmt.Sprintf("V%d.B16", i))
		}
		f.op("MOVD", "R4", "R6")
		for i := range 8 {
			if i > 0 {
				f.op("CMP", fmt.Sprintf("$%d", i), "R0")
				f.op("BLE", loaded)
				f.op("ADD", "R5", "R6")
			}
			visit(i)
		}
		f.at(loaded)
	}
	block, tail, done := f.label("block"), f.label("tail"), f.label("done")
	f.at(block)
	f.op("SUBS", "$4", "R1")
	f.op("BLT", tail)
	eachRow(8, func(i int) { f.op("FMOVQ", "(R6)", fmt.Sprintf("F%d", i)) })
	for i := 0; i < 8; i += 4 { // pairs of rows, then fours
		f.op("VTRN1", v(i+1), v(i), v(8))
		f.op("VTRN2", v(i+1), v(i), v(9))
		f.op("VTRN1", v(i+3), v(i+2), v(10))
		f.op("VTRN2", v(i+3), v(i+2), v(11))
		f.op("VTRN1", d(10), d(8), d(16+i))
		f.op("VTRN1", d(11), d(9), d(17+i))
		f.op("VTRN2", d(10), d(8), d(18+i))
		f.op("VTRN2", d(11), d(9), d(19+i))
	}
	for p := range 4 {
		f.op("FSTPQ", fmt.Sprintf("(F%d, F%d)", 16+p, 20+p), "(R2)")
		f.op("ADD", "R3", "R2")
	}
	f.op("ADD", "$16", "R4")
	f.op("B", block)
	f.at(tail)
	f.op("ADDS", "$4", "R1")
	f.op("BEQ", done)
	column := f.label("column")
	f.at(column)
	eachRow(2, func(i int) { f.op("VLD1", "(R6)", fmt.Sprintf("V%d.S[%d]", i/4, i%4)) })
	f.op("FSTPQ", "(F0, F1)", "(R2)")
	f.op("ADD", "R3", "R2")
	f.op("ADD", "$4", "R4")
	f.op("SUBS", "$1", "R1")
	f.op("BNE", column)
	f.at(done)
	end := f.label("end")
	f.op("SUBS", "$8", "R0")
	f.op("BLE", end)
	f.op("MOVD", "cols+8(FP)", "R1")
	f.op("MOVD", "dst+16(FP)", "R2")
	f.op("ADD", "$32", "R2")
	f.op("MOVD", "src+32(FP)", "R4")
	f.op("LSL", "$3", "R5", "R6")
	f.op("ADD", "R6", "R4")
	f.op("B", eight)
	f.at(end)
	f.op("RET")
	return f
}
