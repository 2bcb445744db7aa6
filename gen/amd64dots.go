package main

import (
	"fmt"
	"strings"
)

// A dot product is a sum in 16 lanes: one register of AVX-512. AVX2 sums the lanes from 0 to 7 along all of the depth and
// then those from 8 to 15, which leaves each sum one register and so tiles as high and wide as twice the registers would.

// amd64Dots prints one tile of dot products, of the rows of a block with some rows of B, which are columns of C.
type amd64Dots struct {
	amd64Block
	columns int
}

// dotRows returns how many rows the highest tile has: with four columns its sums, a row of A each and a vector of B fill
// the registers.
func (m amd64) dotRows() int {
	if m.width == 16 {
		return 6
	}
	return 3
}

// dotColumns returns how many columns tiles of the given rows take, widest first. The results of the widest tile fill a
// vector, or groups of four lanes of it.
func (m amd64) dotColumns(rows int) []int {
	widest := m.width
	for widest > 4 && widest*rows > m.width {
		widest /= 2
	}
	if widest > 4 {
		return []int{widest, 4, 1}
	}
	return []int{4, 1}
}

// free is the first register that holds no sum.
func (m amd64) free() int { return 4 * m.dotRows() }

// A folding adds lanes of two vectors so that one vector has the sums of both: what low and high select of them. The
// second one's results begin step lanes behind the first one's.
type folding struct {
	step      int
	low, high string
}

// foldings returns them from the last to the first: lanes that are 1, 2, 4 and, unless that is the sum of registers, 8
// apart.
func (m amd64) foldings() []folding {
	last := []folding{{2, "VSHUFPS $0x88,", "VSHUFPS $0xdd,"}, {1, "VUNPCKLPD", "VUNPCKHPD"}}
	if m.width == 16 {
		return append(last, folding{8, "VSHUFF64X2 $0x88,", "VSHUFF64X2 $0xdd,"}, folding{4, "VSHUFF64X2 $0x44,", "VSHUFF64X2 $0xee,"})
	}
	return append(last, folding{4, "VPERM2F128 $0x20,", "VPERM2F128 $0x31,"})
}

// dots prints the function that computes blocks row blocks of the given number of rows and n columns each: for every
// tile of the block, the lanes of its sums, acc[p%16] = fma(a[p], b[p], acc[p%16]) for p ascending; their folds;
// C = max(init + sum, floor), or max(sum, floor) without init.
func (m amd64) dots(rows int) *fn {
	widths := m.dotColumns(rows)
	f := &fn{name: fmt.Sprintf("dots%dx%d%s", rows, widths[0], m.suffix), proto: "call *tileCall", args: 8}
	f.note("Requires: %s", m.requires)
	f.note("")
	f.note("Vectors: the sums from %s up, row by row; from %s up the rows of A and a row of B, then the results by rows, and at the", m.v(0), m.v(m.free()))
	f.note("end the floor; %s the mask of the last columns of A and B.", m.mask)
	f.note("General: %s every third row of A; DI aRow; R8 3·aRow; %s every fourth row of B; R11 from one to the next;", strings.Join(rowBases[:(m.dotRows()+2)/3], " "), strings.Join(panelBases[:m.width/4], " "))
	f.note("R14 3·R11; SI B of the tile; R12 k; R13 C; R10 call,")
	f.note("whose fields are %s.", strings.Join(callFields, ", "))
	g := amd64Block{f, m, rows}
	f.op("MOVQ", "call+0(FP)", "R10")
	f.op("MOVQ", field("k"), "AX")
	f.op("ANDQ", "$15", "AX")
	if m.width == 16 {
		m.tailMask(f, "AX")
	} else {
		f.frame = 32 * rows * widths[0]
	}
	f.op("MOVQ", field("aRow"), "DI")
	f.op("LEAQ", "(DI)(DI*2)", "R8")
	f.op("MOVQ", field("bPanel"), "R11")
	f.op("LEAQ", "(R11)(R11*2)", "R14")
	block := f.label("block")
	f.at(block)
	f.op("MOVQ", field("b"), "SI")
	f.op("MOVQ", field("c"), "R13")
	for _, w := range widths {
		amd64Dots{g, w}.print()
	}
	g.nextBlock(block)
	f.op("VZEROUPPER")
	f.op("RET")
	return f
}

// print computes tiles as long as there are columns for them.
func (g amd64Dots) print() {
	again, next := g.label("columns"), g.label("narrower")
	g.at(again)
	g.op("MOVQ", field("c"), "AX")
	g.op("SUBQ", "R13", "AX")
	g.op("SARQ", "$2", "AX")
	g.op("ADDQ", field("n"), "AX")
	g.op("CMPQ", "AX", fmt.Sprintf("$%d", g.columns))
	g.op("JLT", next)
	for pass := range 16 / g.width {
		g.multiply(pass)
	}
	for strip := 0; strip < g.sums(); strip += g.width {
		g.fold(strip, strip, g.foldings())
	}
	g.finish()
	g.op("ADDQ", fmt.Sprintf("$%d", 4*g.columns), "R13")
	for left := g.columns; left > 0; left -= min(left, 8) {
		g.op("LEAQ", fmt.Sprintf("(SI)(R11*%d)", min(left, 8)), "SI")
	}
	g.op("JMP", again)
	g.at(next)
}

func (g amd64Dots) sums() int { return g.rows * g.columns }

// multiply sums the lanes of a pass.
func (g amd64Dots) multiply(pass int) {
	for i := range g.sums() {
		g.zero(g.fn, i)
	}
	g.op("MOVQ", field("a"), "AX")
	if g.rows > 3 {
		g.op("LEAQ", "(AX)(R8*1)", "BX")
	}
	g.op("MOVQ", "SI", panelBases[0])
	for p := 1; p < g.columns/4; p++ {
		g.op("LEAQ", fmt.Sprintf("(%s)(R11*4)", panelBases[p-1]), panelBases[p])
	}
	tail, again, done := g.label("tail"), g.label("depth"), g.label("folds")
	g.op("MOVQ", field("k"), "R12")
	g.op("SUBQ", "$16", "R12")
	g.op("JLT", tail)
	g.op("PCALIGN", "$32")
	g.at(again)
	g.step(32 * pass)
	for i := 0; i < g.rows; i += 3 {
		g.op("ADDQ", "$64", rowBases[i/3])
	}
	for j := 0; j < g.columns; j += 4 {
		g.op("ADDQ", "$64", panelBases[j/4])
	}
	g.op("SUBQ", "$16", "R12")
	g.op("JGE", again)
	g.at(tail)
	g.op("ADDQ", fmt.Sprintf("$%d", 16-8*pass), "R12")
	g.op("JLE", done)
	g.lastStep(32 * pass)
	g.at(done)
	if g.width == 16 {
		return
	}
	for i := range g.sums() {
		saved := fmt.Sprintf("lanes%d-%d(SP)", i, g.frame-32*i)
		if pass == 0 {
			g.store(g.fn, i, saved)
		} else {
			g.op("VADDPS", saved, g.v(i), g.v(i))
		}
	}
}

// step adds the products of a vector of each row, so many bytes behind the pointers.
func (g amd64Dots) step(at int) {
	a, b := g.free(), g.free()+g.rows
	for i := range g.rows {
		g.load(g.fn, a+i, g.rowOf(i, at), false)
	}
	for j := range g.columns {
		if g.rows == 1 { // nobody else needs the load: one instruction instead of two
			g.op("VFMADD231PS", g.columnOf(j, at), g.v(a), g.v(j))
			continue
		}
		g.load(g.fn, b, g.columnOf(j, at), false)
		for i := range g.rows {
			g.op("VFMADD231PS", g.v(b), g.v(a+i), g.v(i*g.columns+j))
		}
	}
}

// lastStep is a step with the last columns, of which R12 are left to the pass. AVX2 has no register left for all rows of
// A beside the mask.
func (g amd64Dots) lastStep(at int) {
	if g.width < 16 {
		g.op("MOVQ", field("k"), "R12")
		g.op("ANDQ", "$15", "R12")
		g.op("SHLQ", "$2", "R12")
		g.op("LEAQ", fmt.Sprintf("tailMask<>+%d(SB)", 64+at), "DX")
		g.op("SUBQ", "R12", "DX")
		g.op("VMOVUPS", "(DX)", g.mask)
	}
	a, b := g.free(), g.free()+1
	for i := range g.rows {
		g.load(g.fn, a, g.rowOf(i, at), true)
		for j := range g.columns {
			g.load(g.fn, b, g.columnOf(j, at), true)
			g.op("VFMADD231PS", g.v(b), g.v(a), g.v(i*g.columns+j))
		}
	}
}

func (g amd64Dots) rowOf(i, at int) string {
	return fmt.Sprintf("%d(%s)", at, rowBases[i/3]) + []string{"", "(DI*1)", "(DI*2)"}[i%3]
}

func (g amd64Dots) columnOf(j, at int) string {
	return fmt.Sprintf("%d(%s)", at, panelBases[j/4]) + []string{"", "(R11*1)", "(R11*2)", "(R14*1)"}[j%4]
}

// fold makes register first the vector of the strip's sums whose first one that is, each in the lane of its number, by
// the given foldings, of which the last one comes first. What is missing at the end of a tile is no matter.
func (g amd64Dots) fold(strip, first int, by []folding) {
	if len(by) == 0 {
		return
	}
	f, second := by[0], first+by[0].step
	g.fold(strip, first, by[1:])
	if second < min(strip+g.width, g.sums()) {
		g.fold(strip, second, by[1:])
	} else {
		second = first
	}
	t := g.v(g.free())
	g.op(f.low, g.v(second), g.v(first), t)
	g.op(f.high, g.v(second), g.v(first), g.v(first))
	g.op("VADDPS", t, g.v(first), g.v(first))
}

// finish stores max(init + sum, floor), row by row.
func (g amd64Dots) finish() {
	var results []string
	for i := range g.rows {
		results = append(results, g.result(i))
	}
	store := g.label("store")
	g.op("MOVQ", field("init"), "AX")
	g.op("TESTQ", "AX", "AX")
	g.op("JEQ", store)
	g.op("ADDQ", "R13", "AX")
	g.op("SUBQ", field("c"), "AX")
	for i, r := range results {
		start := "(AX)"
		if g.columns == 1 {
			start = fmt.Sprintf("X%d", g.free()-1)
			g.op("VBROADCASTSS", "(AX)", start)
		}
		g.op("VADDPS", start, r, r)
		if i < g.rows-1 {
			g.op("ADDQ", field("initRow"), "AX")
		}
	}
	g.at(store)
	floor := results[0][:1] + fmt.Sprint(g.free()+g.rows)
	g.op("VBROADCASTSS", field("floor"), floor)
	g.op("MOVQ", "R13", "AX")
	for i, r := range results {
		g.op("VMAXPS", r, floor, r) // of NaN and floor the sum: it is the second source
		if g.columns == 1 {
			g.op("VMOVSS", r, "(AX)")
		} else {
			g.op("VMOVUPS", r, "(AX)")
		}
		if i < g.rows-1 {
			g.op("ADDQ", field("cRow"), "AX")
		}
	}
}

// result returns the register with the results of row i, as wide as they are many: one that none of the others is in.
func (g amd64Dots) result(i int) string {
	strip, lane := i*g.columns&^(g.width-1), i*g.columns&(g.width-1)
	from, to := g.v(strip), fmt.Sprintf("X%d", g.free()+i)
	switch {
	case g.columns == 16:
		return from
	case g.columns == 8 && lane == 0:
		return fmt.Sprintf("Y%d", strip)
	case g.columns == 8:
		to = fmt.Sprintf("Y%d", g.free()+i)
		g.op("VEXTRACTF64X4", "$1", from, to)
		return to
	case lane == 0:
		return fmt.Sprintf("X%d", strip)
	}
	if lane < 4 {
		from = fmt.Sprintf("X%d", strip)
	} else {
		extract := "VEXTRACTF128"
		if g.width == 16 {
			extract = "VEXTRACTF32X4"
		}
		g.op(extract, fmt.Sprintf("$%d", lane/4), from, to)
		from = to
	}
	if lane%4 > 0 {
		g.op("VPERMILPS", fmt.Sprintf("$%#x", lane%4*0x55), from, to)
	}
	return to
}
