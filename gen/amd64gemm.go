package main

import (
	"fmt"
	"strings"
)

// field returns the address of a field of the call.
func field(name string) string { return fieldAt(name, "R10") }

// panel is how many columns of B lie beside each other; the next ones are bPanel bytes further.
func (m amd64) panel() int { return 2 * m.width }

// rows returns how many rows the main tile has, and the highest one: with two vectors of columns its accumulators, the
// two vectors of B and the broadcast element of A fill the registers; AVX2 keeps one more for the mask. Where that leaves
// too few sums for a single vector of columns, AVX2 has higher tiles for those alone.
func (m amd64) rows() (main, highest int) {
	if m.width == 16 {
		return 14, 14
	}
	return 6, 12
}

// widths returns how many vectors of columns tiles of the given rows take, widest first: with few rows they need more
// columns to have the eight or more independent sums that hide the latency of the multiply-add.
func (m amd64) widths(rows int) []int {
	main, _ := m.rows()
	switch {
	case rows > main:
		return nil
	case rows == 1:
		return []int{8, 4, 2}
	case 4*rows+min(rows, 4)+1 <= m.regs:
		return []int{4, 2}
	}
	return []int{2}
}

// amd64Block prints a row block of the products.
type amd64Block struct {
	*fn
	amd64
	rows int
}

var (
	rowBases   = []string{"AX", "BX", "CX", "DX", "SI"} // of every third row of A
	panelBases = []string{"R9", "R15", "CX", "DX"}      // of the panels of B; those of A end before a tile is so wide
)

// gemm prints the function that computes blocks row blocks of the given number of rows and n columns each: for every
// tile of the block, acc = init, or 0 without it; for k ascending acc = fma(a, b, acc); C = max(acc, floor).
//
// The first rows of A, C and init move on in the call. Where a tile begins in B and init follows from where it begins
// in C, so a call of one tile keeps nothing in memory.
func (m amd64) gemm(rows int) *fn {
	columns := m.panel()
	if main, _ := m.rows(); rows > main {
		columns = m.width
	}
	f := &fn{name: fmt.Sprintf("gemm%dx%d%s", rows, columns, m.suffix), proto: "call *tileCall", args: 8}
	f.note("Requires: %s", m.requires)
	f.note("")
	f.note("Vectors: accumulators from %s up, row by row; then a row of B and an element of A, or the other way round in tiles", m.v(0))
	f.note("wider than high; %s the mask of the last columns.", m.mask)
	f.note("General: %s every third row of A; DI aRow; R8 aCol; SI 3·aCol; R9 R15 CX DX panels of B; R11 bRow; R14 3·bRow;", strings.Join(rowBases, " "))
	f.note("R12 k; R13 C; R10 call,")
	f.note("whose fields are %s.", strings.Join(callFields, ", "))
	g := amd64Block{f, m, rows}
	f.op("MOVQ", "call+0(FP)", "R10")
	f.op("MOVQ", field("aRow"), "DI")
	f.op("MOVQ", field("aCol"), "R8")
	f.op("MOVQ", field("bRow"), "R11")
	block := f.label("block")
	f.at(block)
	f.op("MOVQ", field("c"), "R13")
	done := f.label("done")
	g.wholeTiles()
	g.lastTile(done)
	f.at(done)
	g.nextBlock(block)
	f.op("VZEROUPPER")
	f.op("RET")
	return f
}

// wholeTiles computes the tiles of a block whose vectors are whole, and leaves the number of the columns behind them in AX.
func (g amd64Block) wholeTiles() {
	g.op("MOVQ", field("n"), "AX")
	for _, w := range g.widths(g.rows) {
		next, again := g.label("narrower"), g.label("columns")
		g.at(again)
		g.op("CMPQ", "AX", fmt.Sprintf("$%d", w*g.width))
		g.op("JLT", next)
		amd64Tile{g, w, false}.print()
		g.op("MOVQ", field("c"), "AX")
		g.op("SUBQ", "R13", "AX")
		g.op("SARQ", "$2", "AX")
		g.op("ADDQ", field("n"), "AX")
		g.op("JMP", again)
		g.at(next)
	}
}

// lastTile computes the tile of the AX columns that are left, if there are any. It may jump to done.
func (g amd64Block) lastTile(done string) {
	narrow := g.label("narrow")
	g.op("MOVQ", "AX", "DX")
	g.op("SUBQ", "$1", "AX")
	g.op("JLT", done)
	g.op("ANDQ", fmt.Sprintf("$%d", g.width-1), "AX")
	g.op("ADDQ", "$1", "AX")
	g.tailMask(g.fn, "AX")
	if main, _ := g.amd64.rows(); g.rows <= main {
		g.op("CMPQ", "DX", fmt.Sprintf("$%d", g.width))
		g.op("JLE", narrow)
		amd64Tile{g, 2, true}.print()
		g.op("JMP", done)
		g.at(narrow)
	}
	amd64Tile{g, 1, true}.print()
}

// nextBlock moves A, C and init on and jumps to the block unless it was the last one.
func (g amd64Block) nextBlock(block string) {
	g.op("SUBQ", "$1", field("blocks"))
	last := g.label("last")
	g.op("JLE", last) // not JEQ: the count of a call that two goroutines share by mistake can pass zero
	for _, step := range [][2]string{{"DI", field("a")}, {field("cRow"), field("c")}, {field("initRow"), field("init")}} {
		g.op("MOVQ", step[0], "AX")
		g.op("IMULQ", fmt.Sprintf("$%d", g.rows), "AX")
		g.op("ADDQ", "AX", step[1])
	}
	g.op("JMP", block)
	g.at(last)
}
