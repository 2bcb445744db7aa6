package main

import (
	"fmt"
	"strings"
)

// The sum of a dot product has 16 lanes: one register of AVX-512. AVX2 sums lanes 0 to 7 along all of the depth and then 8
// to 15, so that a sum takes one register there, too: with two each, tiles would have to be half as large.

// amd64Dots prints the tiles of some rows of A and some columns of C, which are rows of B.
type amd64Dots struct {
	amd64Block
	columns int
}

// dotRows returns how many rows the highest tile has: with four columns its sums, a vector of each row of A and one of B
// fit into the registers. Higher ones of AVX-512 would have more sums than one vector has results.
func (m amd64) dotRows() int {
	if m.width == 16 {
		return 4
	}
	return 3
}

// dotColumns returns how many columns tiles of the given rows take, widest first: as many as a vector has results for, and
// four at least.
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

// afterSums is the first register that holds no sum.
func (m amd64) afterSums() int { return 4 * m.dotRows() }

// dots prints the function that computes blocks row blocks of the given number of rows and n columns each: for every
// element acc[p%16] = fma(a[p], b[p], acc[p%16]) for p ascending; sum = the lanes of acc, folded 8, 4, 2, 1;
// C = max(init + sum, floor), or max(sum, floor) without init. There are 16 terms or more.
func (m amd64) dots(rows int) *fn {
	widths := m.dotColumns(rows)
	f := &fn{name: fmt.Sprintf("dots%dx%d%s", rows, widths[0], m.suffix), proto: "call *tileCall", args: 8}
	f.note("Requires: %s", m.requires)
	f.note("")
	f.note("Vectors: the sums from %s up, row by row, then what they fold to; from %s up A and B, then init; the last of these is", m.v(0), m.v(m.afterSums()))
	f.note("floor; %s the mask of the last columns of A and B.", m.mask)
	f.note("General: AX A; DI aRow; R8 3·aRow; %s every fourth row of B; R11 bPanel; R14 3·bPanel;", strings.Join(panelBases[:m.width/4], " "))
	f.note("SI B of the tile; R12 k; R13 C; R10 call, whose fields are")
	f.note("%s.", strings.Join(callFields, ", "))
	f.op("MOVQ", "call+0(FP)", "R10")
	f.op("MOVQ", field("aRow"), "DI")
	f.op("LEAQ", "(DI)(DI*2)", "R8")
	f.op("MOVQ", field("bPanel"), "R11")
	f.op("LEAQ", "(R11)(R11*2)", "R14")
	if m.width == 16 {
		f.op("MOVQ", field("k"), "AX")
		f.op("ANDQ", "$15", "AX")
		m.tailMask(f, "AX")
	} else {
		f.frame = 32 * rows * widths[0]
	}
	g := amd64Block{f, m, rows}
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
	for i := range g.vectors() {
		g.fold(i*g.width, g.foldings())
	}
	g.finish()
	g.op("ADDQ", fmt.Sprintf("$%d", 4*g.columns), "R13")
	for left := g.columns; left > 0; left -= 8 {
		g.op("LEAQ", fmt.Sprintf("(SI)(R11*%d)", min(left, 8)), "SI")
	}
	g.op("JMP", again)
	g.at(next)
}

func (g amd64Dots) sums() int { return g.rows * g.columns }

// vectors is how many vectors the results take.
func (g amd64Dots) vectors() int { return (g.sums() + g.width - 1) / g.width }

// multiply sums the lanes of a pass: the first one's wait in the frame to be added to the other's.
func (g amd64Dots) multiply(pass int) {
	g.op("MOVQ", field("a"), "AX")
	g.op("MOVQ", "SI", panelBases[0])
	for p := 1; p < g.columns/4; p++ {
		g.op("LEAQ", fmt.Sprintf("(%s)(R11*4)", panelBases[p-1]), panelBases[p])
	}
	again, tail, done := g.label("depth"), g.label("tail"), g.label("summed")
	g.op("MOVQ", field("k"), "R12")
	g.op("SUBQ", "$32", "R12")
	g.step("VMULPS", 32*pass)
	g.op("JLT", tail)
	g.op("PCALIGN", "$32")
	g.at(again)
	g.step("VFMADD231PS", 32*pass)
	g.op("SUBQ", "$16", "R12")
	g.op("JGE", again)
	g.at(tail)
	g.op("ADDQ", fmt.Sprintf("$%d", 16-8*pass), "R12")
	g.op("JLE", done)
	g.lastStep(pass)
	g.at(done)
	for i := range g.sums() {
		switch waiting := fmt.Sprintf("lanes%d-%d(SP)", i, g.frame-32*i); {
		case g.width == 16:
		case pass == 0:
			g.store(g.fn, i, waiting)
		default:
			g.op("VADDPS", waiting, g.v(i), g.v(i))
		}
	}
}

// step adds the products of one vector of each row, so many bytes from where the pointers are, and moves these on. The first
// one has nothing to add to.
func (g amd64Dots) step(mnemonic string, at int) {
	a, b := g.afterSums(), g.afterSums()+g.rows
	for i := range g.rows {
		g.load(g.fn, a+i, g.rowOfA(i, at), false)
	}
	for j := range g.columns {
		if g.rows == 1 { // nobody else needs the load: one instruction instead of two
			g.op(mnemonic, g.rowOfB(j, at), g.v(a), g.v(j))
			continue
		}
		g.load(g.fn, b, g.rowOfB(j, at), false)
		for i := range g.rows {
			g.op(mnemonic, g.v(b), g.v(a+i), g.v(i*g.columns+j))
		}
	}
	for _, pointer := range append([]string{"AX"}, panelBases[:(g.columns+3)/4]...) {
		g.op("LEAQ", fmt.Sprintf("64(%s)", pointer), pointer)
	}
}

// lastStep is a step with the last columns of A and B, of which R12 are left to the pass. Beside the mask AVX2 has two
// registers.
func (g amd64Dots) lastStep(pass int) {
	if g.width < 16 {
		g.op("LEAQ", "tailMask<>+64(SB)", "DX")
		g.op("SHLQ", "$2", "R12")
		g.op("SUBQ", "R12", "DX")
		g.op("VMOVUPS", "(DX)", g.mask)
	}
	a, b := g.afterSums(), g.afterSums()+1
	for i := range g.rows {
		g.load(g.fn, a, g.rowOfA(i, 32*pass), true)
		for j := range g.columns {
			g.load(g.fn, b, g.rowOfB(j, 32*pass), true)
			g.op("VFMADD231PS", g.v(b), g.v(a), g.v(i*g.columns+j))
		}
	}
}

func (g amd64Dots) rowOfA(i, at int) string {
	return fmt.Sprintf("%d(AX)", at) + []string{"", "(DI*1)", "(DI*2)", "(R8*1)"}[i]
}

func (g amd64Dots) rowOfB(j, at int) string {
	return fmt.Sprintf("%d(%s)", at, panelBases[j/4]) + []string{"", "(R11*1)", "(R11*2)", "(R14*1)"}[j%4]
}

// A folding adds to each other what low and high select of two vectors, so that one vector holds half as many lanes of the
// sums of both. The results of the second one are step lanes behind those of the first one in the end.
type folding struct {
	step      int
	low, high string
}

// foldings returns those of lanes that are 1, 2, 4 and, where a sum has them in one register, 8 apart.
func (m amd64) foldings() []folding {
	f := []folding{{2, "VSHUFPS $0x88,", "VSHUFPS $0xdd,"}, {1, "VUNPCKLPD", "VUNPCKHPD"}}
	if m.width < 16 {
		return append(f, folding{4, "VPERM2F128 $0x20,", "VPERM2F128 $0x31,"})
	}
	return append(f, folding{8, "VSHUFF64X2 $0x88,", "VSHUFF64X2 $0xdd,"}, folding{4, "VSHUFF64X2 $0x44,", "VSHUFF64X2 $0xee,"})
}

// fold replaces the first of the sums whose results share a vector by that vector: the last foldings first, and of less
// sums than a vector has room for some with themselves.
func (g amd64Dots) fold(first int, by []folding) {
	if len(by) == 0 {
		return
	}
	second, t := first+by[0].step, g.v(g.afterSums())
	g.fold(first, by[1:])
	if second < g.sums() {
		g.fold(second, by[1:])
	} else {
		second = first
	}
	g.op(by[0].low, g.v(second), g.v(first), t)
	g.op(by[0].high, g.v(second), g.v(first), g.v(first))
	g.op("VADDPS", t, g.v(first), g.v(first))
}

// finish stores max(init + sum, floor).
func (g amd64Dots) finish() {
	start, floor, store := g.afterSums(), g.v(g.afterSums()+2), g.label("store")
	g.op("MOVQ", field("init"), "AX")
	g.op("TESTQ", "AX", "AX")
	g.op("JEQ", store)
	g.op("ADDQ", "R13", "AX")
	g.op("SUBQ", field("c"), "AX")
	g.eachRow(field("initRow"), func(vector, lane int) { g.move(true, start+vector, lane) })
	for i := range g.vectors() {
		g.op("VADDPS", g.v(start+i), g.v(i*g.width), g.v(i*g.width))
	}
	g.at(store)
	g.op("VBROADCASTSS", field("floor"), floor)
	for i := range g.vectors() {
		g.op("VMAXPS", g.v(i*g.width), floor, g.v(i*g.width)) // of NaN and floor the sum: it is the second source
	}
	g.op("MOVQ", "R13", "AX")
	g.eachRow(field("cRow"), func(vector, lane int) { g.move(false, vector*g.width, lane) })
}

// eachRow visits the rows of the tile with AX stepping from one to the next, and tells where among the vectors of results
// theirs begin.
func (g amd64Dots) eachRow(stride string, visit func(vector, lane int)) {
	for i := range g.rows {
		if i > 0 {
			g.op("ADDQ", stride, "AX")
		}
		visit(i*g.columns/g.width, i*g.columns%g.width)
	}
}

// move loads or stores a row of the tile at AX, which begins at a lane of a register.
func (g amd64Dots) move(load bool, v, lane int) {
	whole, register := "VMOVUPS", g.v(v)
	parts := map[int][2]string{1: {"VPINSRD", "VPEXTRD"}, 4: {"VINSERTF128", "VEXTRACTF128"}, 8: {"VINSERTF64X4", "VEXTRACTF64X4"}}[g.columns]
	switch {
	case g.columns == 1:
		whole, register = "VMOVSS", fmt.Sprintf("X%d", v)
	case g.columns == 4 && g.width == 16:
		parts = [2]string{"VINSERTF32X4", "VEXTRACTF32X4"}
	}
	if lane == 0 {
		register = map[int]string{1: "X", 4: "X", 8: "Y", 16: "Z"}[g.columns] + register[1:]
	}
	part := fmt.Sprintf("$%d", lane/g.columns)
	switch {
	case lane == 0 && load:
		g.op(whole, "(AX)", register)
	case lane == 0:
		g.op(whole, register, "(AX)")
	case load:
		g.op(parts[0], part, "(AX)", register, register)
	default:
		g.op(parts[1], part, register, "(AX)")
	}
}
