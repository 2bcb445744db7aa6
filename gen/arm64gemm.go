package main

import (
	"fmt"
	"strings"
)

// neonRows is how many rows the main tile has: with 16 columns its sums take 24 registers, which leaves four for a row of
// B and four for elements of A.
const neonRows = 6

// neonPanels returns how many panels of 16 columns the widest tile of the given rows takes: with few rows it needs more
// columns to have the sums that hide the latency of the multiply-add.
func neonPanels(rows int) int {
	switch {
	case rows == 1:
		return 4
	case rows <= 3:
		return 2
	}
	return 1
}

// neonTile prints one GEMM function. A tile of B's last columns consists of two halves of 8, 4, 2 or 1 columns, the first
// and the last ones of what is left: where they overlap, both compute and store the same bits. So nothing is read or
// written beside the operands, without a mask, and 16 columns are the case where the halves lie side by side.
type neonTile struct {
	*fn
	rows int
}

func neonGemm(rows int) *fn {
	f := &fn{name: fmt.Sprintf("gemm%dx16%s", rows, neonSuffix), proto: "call *tileCall", args: 8}
	g := neonTile{f, rows}
	f.note("Requires: %s", neonRequires)
	f.note("")
	f.note("Vectors: the sums from V0 up, row by row; V24 to V27 a row of B; V28 to V31 elements of A.")
	f.note("General: R0 to R5 the rows of A; R7 aCol; R8 the way along the rows; R9, R10, R23, R24 B; R11 bRow; R12 bPanel; R13 k;")
	f.note("R14 C; R15 cRow; R19 columns left; R20 blocks left; R21 initRow; R22 from the first half to the last one; R25 B of the")
	f.note("tile; R26 C of the block; R6 call; R16, R17 scratch. The fields of the call are")
	f.note("%s.", strings.Join(callFields, ", "))
	f.op("MOVD", "call+0(FP)", "R6")
	f.op("MOVD", fieldAt("a", "R6"), "R0")
	f.op("MOVD", fieldAt("aRow", "R6"), "R16")
	for i := 1; i < rows; i++ {
		f.op("ADD", "R16", fmt.Sprintf("R%d", i-1), fmt.Sprintf("R%d", i))
	}
	f.op("MOVD", fieldAt("aCol", "R6"), "R7")
	f.op("MOVD", fieldAt("bRow", "R6"), "R11")
	f.op("MOVD", fieldAt("bPanel", "R6"), "R12")
	f.op("MOVD", fieldAt("cRow", "R6"), "R15")
	f.op("MOVD", fieldAt("initRow", "R6"), "R21")
	f.op("MOVD", fieldAt("blocks", "R6"), "R20")
	f.op("MOVD", fieldAt("c", "R6"), "R26")
	block, done := f.label("block"), f.label("done")
	f.at(block)
	f.op("MOVD", fieldAt("n", "R6"), "R19")
	f.op("MOVD", fieldAt("b", "R6"), "R25")
	f.op("MOVD", "R26", "R14")

	if panels := neonPanels(rows); panels > 1 {
		again, next := f.label("wide"), f.label("narrower")
		f.at(again)
		f.op("CMP", fmt.Sprintf("$%d", 16*panels), "R19")
		f.op("BLT", next)
		g.tile(panels, 8)
		f.op("SUBS", fmt.Sprintf("$%d", 16*panels), "R19")
		f.op("BEQ", done)
		f.op("B", again)
		f.at(next)
	}
	again := f.label("columns")
	f.at(again)
	for half := 8; half >= 1; half /= 2 {
		next := f.label("narrower")
		if half > 1 {
			f.op("CMP", fmt.Sprintf("$%d", half), "R19")
			f.op("BLE", next)
		}
		f.op("SUB", fmt.Sprintf("$%d", half), "R19", "R22")
		if half == 8 {
			f.op("MOVD", "$8", "R16")
			f.op("CMP", "R16", "R22")
			f.op("CSEL", "LT", "R22", "R16", "R22")
		}
		f.op("LSL", "$2", "R22")
		g.tile(1, half)
		if half == 8 {
			f.op("SUBS", "$16", "R19")
			f.op("BGT", again)
		}
		if half > 1 {
			f.op("B", done)
			f.at(next)
		}
	}
	f.at(done)
	f.op("MOVD", fmt.Sprintf("$%d", rows), "R17")
	f.op("MOVD", fieldAt("aRow", "R6"), "R16")
	f.op("MUL", "R17", "R16")
	for i := range rows {
		f.op("ADD", "R16", fmt.Sprintf("R%d", i))
	}
	f.op("MUL", "R15", "R17", "R16")
	f.op("ADD", "R16", "R26")
	f.op("MUL", "R21", "R17")
	f.op("MOVD", fieldAt("init", "R6"), "R16")
	f.op("ADD", "R17", "R16")
	f.op("SUBS", "$1", "R20")
	again = f.label("last")
	f.op("BEQ", again)
	f.op("MOVD", "R16", fieldAt("init", "R6")) // the garbage collector minds an address behind the operand
	f.op("B", block)
	f.at(again)
	f.op("RET")
	return f
}

// move prints the load or store of a half in registers from v on: two of them for 8 columns.
func (g neonTile) move(load bool, half, v int, address string) {
	mnemonic, registers := map[int]string{8: "FLDPQ", 4: "FMOVQ", 2: "FMOVD", 1: "FMOVS"}[half], fmt.Sprintf("F%d", v)
	if half == 8 {
		registers = fmt.Sprintf("(F%d, F%d)", v, v+1)
		if !load {
			mnemonic = "FSTPQ"
		}
	}
	if load {
		g.op(mnemonic, address, registers)
	} else {
		g.op(mnemonic, registers, address)
	}
}

// row prints the loads or stores of a row of C, or of init: R16 points to it, and R17 to its last half if there is but one
// panel.
func (g neonTile) row(load bool, panels, half, first int) {
	per := g.registers(half)
	for p := range panels {
		last := fmt.Sprintf("%d(R16)", 64*p+32)
		if panels == 1 {
			last = "(R17)"
		}
		g.move(load, half, first+2*per*p, fmt.Sprintf("%d(R16)", 64*p))
		g.move(load, half, first+2*per*p+per, last)
	}
}

// registers returns how many a half takes.
func (g neonTile) registers(half int) int { return max(1, half/4) }

// tile computes one tile of two halves in each of its panels; if they are complete it steps to the next one.
func (g neonTile) tile(panels, half int) {
	per := g.registers(half)
	columns := 2 * per * panels // registers of a row
	sums := g.rows * columns
	if sums > 24 {
		panic("a tile has 24 sums")
	}
	halves := func(base string) {
		if panels == 1 {
			g.op("ADD", "R22", base, "R17")
		}
	}
	zero, start := g.label("zero"), g.label("start")
	g.op("MOVD", fieldAt("init", "R6"), "R16")
	g.op("CBZ", "R16", zero)
	g.op("SUB", "R26", "R14", "R17")
	g.op("ADD", "R17", "R16")
	for i := range g.rows {
		halves("R16")
		g.row(true, panels, half, i*columns)
		if i < g.rows-1 {
			g.op("ADD", "R21", "R16")
		}
	}
	g.op("B", start)
	g.at(zero)
	for v := range sums {
		g.op("VMOVI", "$0", fmt.Sprintf("V%d.B16", v))
	}
	g.at(start)

	// the sum over k
	b := []string{"R9", "R10", "R23", "R24"}[:max(2, panels)] // of each half or of each panel
	g.op("MOVD", "R25", "R9")
	if panels == 1 {
		g.op("ADD", "R22", "R9", "R10")
	} else {
		for p := 1; p < panels; p++ {
			g.op("ADD", "R12", b[p-1], b[p])
		}
	}
	g.op("MOVD", "$0", "R8")
	g.op("MOVD", fieldAt("k", "R6"), "R13")
	store, loop := g.label("store"), g.label("k")
	g.op("CBZ", "R13", store)
	g.op("PCALIGN", "$16")
	g.at(loop)
	const firstB, firstA = 24, 28
	loadA := func(i int) { g.op("FMOVS", fmt.Sprintf("(R%d)(R8)", i), fmt.Sprintf("F%d", firstA+i%4)) }
	loadB := func(p int) {
		first, last := fmt.Sprintf("(%s)", b[p]), fmt.Sprintf("32(%s)", b[p])
		if panels == 1 {
			last = "(R10)"
		}
		g.move(true, half, firstB, first)
		g.move(true, half, firstB+per, last)
	}
	loadB(0)
	for i := range min(g.rows, 4) {
		loadA(i)
	}
	for p := range panels {
		if p > 0 {
			loadB(p)
		}
		for i := range g.rows {
			if i >= 4 {
				loadA(i)
			}
			for j := range 2 * per {
				g.mulAddElement(i*columns+2*per*p+j, firstB+j, firstA+i%4)
			}
		}
	}
	g.op("ADD", "R7", "R8")
	for _, r := range b {
		g.op("ADD", "R11", r)
	}
	g.op("SUBS", "$1", "R13")
	g.op("BNE", loop)

	// the epilogue
	g.at(store)
	g.op("FMOVS", fieldAt("floor", "R6"), "F24")
	g.op("VDUP", "V24.S[0]", "V24.S4")
	g.op("MOVD", "R14", "R16")
	for i := range g.rows {
		for j := range columns {
			g.vector3("FMAX", i*columns+j, i*columns+j, 24)
		}
		halves("R16")
		g.row(false, panels, half, i*columns)
		if i < g.rows-1 {
			g.op("ADD", "R15", "R16")
		}
	}
	if half == 8 {
		g.op("ADD", fmt.Sprintf("$%d", 64*panels), "R14")
		for range panels {
			g.op("ADD", "R12", "R25")
		}
	}
}
