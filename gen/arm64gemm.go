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

// neonBlock prints a row block of the products. A tile of B's last columns consists of two halves of 8, 4, 2 or 1 columns,
// the first and the last ones of what is left: where they overlap, both compute and store the same bits. So nothing is read
// or written beside the operands, without a mask, and 16 columns are the case where the halves lie side by side.
type neonBlock struct {
	*fn
	rows int
}

// neonGemm prints the function for row blocks of the given number of rows.
func neonGemm(rows int) *fn {
	f := &fn{name: fmt.Sprintf("gemm%dx16%s", rows, neonSuffix), proto: "call *tileCall", args: 8}
	f.note("Requires: %s", neonRequires)
	f.note("")
	f.note("Vectors: the sums from V0 up, row by row; V24 to V27 a row of B; V28 to V31 elements of A.")
	f.note("General: R0 to R5 the rows of A; R7 aCol; R8 the way along the rows; R9, R10, R23, R24 B; R11 bRow; R12 bPanel; R13 k;")
	f.note("R14 C; R15 cRow; R19 columns left; R20 blocks left; R21 initRow; R22 from the first half to the last one; R25 B of the")
	f.note("tile; R26 C of the block; R6 call; R16, R17 scratch. The fields of the call are")
	f.note("%s.", strings.Join(callFields, ", "))
	g := neonBlock{f, rows}
	g.loadCall()
	block, done := f.label("block"), f.label("done")
	f.at(block)
	f.op("MOVD", fieldAt("n", "R6"), "R19")
	f.op("MOVD", fieldAt("b", "R6"), "R25")
	f.op("MOVD", "R26", "R14")
	g.wideTiles(done)
	g.tiles(done)
	f.at(done)
	g.nextBlock(block)
	f.op("RET")
	return f
}

// loadCall loads what stays the same in all blocks, and where the first one begins.
func (g neonBlock) loadCall() {
	g.op("MOVD", "call+0(FP)", "R6")
	g.op("MOVD", fieldAt("a", "R6"), "R0")
	g.op("MOVD", fieldAt("aRow", "R6"), "R16")
	for i := 1; i < g.rows; i++ {
		g.op("ADD", "R16", fmt.Sprintf("R%d", i-1), fmt.Sprintf("R%d", i))
	}
	g.op("MOVD", fieldAt("aCol", "R6"), "R7")
	g.op("MOVD", fieldAt("bRow", "R6"), "R11")
	g.op("MOVD", fieldAt("bPanel", "R6"), "R12")
	g.op("MOVD", fieldAt("cRow", "R6"), "R15")
	g.op("MOVD", fieldAt("initRow", "R6"), "R21")
	g.op("MOVD", fieldAt("blocks", "R6"), "R20")
	g.op("MOVD", fieldAt("c", "R6"), "R26")
}

// wideTiles computes the tiles of several panels.
func (g neonBlock) wideTiles(done string) {
	panels := neonPanels(g.rows)
	if panels == 1 {
		return
	}
	again, next := g.label("wide"), g.label("narrower")
	g.at(again)
	g.op("CMP", fmt.Sprintf("$%d", 16*panels), "R19")
	g.op("BLT", next)
	neonTile{g, panels, 8}.print()
	g.op("SUBS", fmt.Sprintf("$%d", 16*panels), "R19")
	g.op("BEQ", done)
	g.op("B", again)
	g.at(next)
}

// tiles computes the tiles of one panel, with the widest halves that the columns left have room for.
func (g neonBlock) tiles(done string) {
	again := g.label("columns")
	g.at(again)
	for half := 8; half >= 1; half /= 2 {
		next := g.label("narrower")
		if half > 1 {
			g.op("CMP", fmt.Sprintf("$%d", half), "R19")
			g.op("BLE", next)
		}
		g.op("SUB", fmt.Sprintf("$%d", half), "R19", "R22")
		if half == 8 {
			g.op("MOVD", "$8", "R16")
			g.op("CMP", "R16", "R22")
			g.op("CSEL", "LT", "R22", "R16", "R22")
		}
		g.op("LSL", "$2", "R22")
		neonTile{g, 1, half}.print()
		if half == 8 {
			g.op("SUBS", "$16", "R19")
			g.op("BGT", again)
		}
		if half > 1 {
			g.op("B", done)
			g.at(next)
		}
	}
}

// nextBlock moves A, C and init on and jumps to the block unless it was the last one.
func (g neonBlock) nextBlock(block string) {
	g.op("MOVD", fmt.Sprintf("$%d", g.rows), "R17")
	g.op("MOVD", fieldAt("aRow", "R6"), "R16")
	g.op("MUL", "R17", "R16")
	for i := range g.rows {
		g.op("ADD", "R16", fmt.Sprintf("R%d", i))
	}
	g.op("MUL", "R15", "R17", "R16")
	g.op("ADD", "R16", "R26")
	g.op("MUL", "R21", "R17")
	g.op("MOVD", fieldAt("init", "R6"), "R16")
	g.op("ADD", "R17", "R16")
	g.op("SUBS", "$1", "R20")
	last := g.label("last")
	g.op("BEQ", last)
	g.op("MOVD", "R16", fieldAt("init", "R6")) // the garbage collector minds an address behind the operand
	g.op("B", block)
	g.at(last)
}
