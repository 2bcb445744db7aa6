package main

import (
	"fmt"
	"math/bits"
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
		return []int{8, 2}
	case 4*rows+min(rows, 4)+1 <= m.regs:
		return []int{4, 2}
	}
	return []int{2}
}

// gemm prints the function that computes blocks row blocks of the given number of rows and n columns each: for every
// tile of the block, acc = init, or 0 without it; for k ascending acc = fma(a, b, acc); C = max(acc, floor).
//
// The first rows of A, C and init move on in the call. Where a tile begins in B and init follows from where it begins
// in C, so a call of one tile keeps nothing in memory.
func (m amd64) gemm(rows int) *fn {
	columns := m.panel()
	main, _ := m.rows()
	if rows > main {
		columns = m.width
	}
	f := &fn{name: fmt.Sprintf("gemm%dx%d%s", rows, columns, m.suffix), proto: "call *tileCall", args: 8}
	g := &amd64Tile{fn: f, amd64: m, rows: rows}
	f.note("Requires: %s", m.requires)
	f.note("")
	f.note("Vectors: accumulators from %s up, row by row; then a row of B and an element of A, or the other way round in tiles", m.v(0))
	f.note("wider than high; %s the mask of the last columns.", m.mask)
	f.note("General: %s every third row of A; DI aRow; R8 aCol; SI 3·aCol; R9 R15 CX DX panels of B; R11 bRow; R14 3·bRow;", strings.Join(rowBases, " "))
	f.note("R12 k; R13 C; R10 call,")
	f.note("whose fields are %s.", strings.Join(callFields, ", "))

	f.op("MOVQ", "call+0(FP)", "R10")
	f.op("MOVQ", field("aRow"), "DI")
	f.op("MOVQ", field("aCol"), "R8")
	f.op("MOVQ", field("bRow"), "R11")

	block := f.label("block")
	f.at(block)
	f.op("MOVQ", field("c"), "R13")
	done := f.label("done")
	left := func() { // columns left, in AX
		f.op("MOVQ", field("c"), "AX")
		f.op("SUBQ", "R13", "AX")
		f.op("SARQ", "$2", "AX")
		f.op("ADDQ", field("n"), "AX")
	}
	f.op("MOVQ", field("n"), "AX")
	for _, w := range m.widths(rows) {
		next := f.label("narrower")
		again := f.label("columns")
		f.at(again)
		f.op("CMPQ", "AX", fmt.Sprintf("$%d", w*m.width))
		f.op("JLT", next)
		g.tile(w, false)
		left()
		f.op("JMP", again)
		f.at(next)
	}
	narrow := f.label("narrow")
	f.op("MOVQ", "AX", "DX")
	f.op("SUBQ", "$1", "AX")
	f.op("JLT", done)
	f.op("ANDQ", fmt.Sprintf("$%d", m.width-1), "AX")
	f.op("ADDQ", "$1", "AX")
	m.tailMask(f, "AX")
	if rows <= main {
		f.op("CMPQ", "DX", fmt.Sprintf("$%d", m.width))
		f.op("JLE", narrow)
		g.tile(2, true)
		f.op("JMP", done)
		f.at(narrow)
	}
	g.tile(1, true)
	f.at(done)
	f.op("SUBQ", "$1", field("blocks"))
	last := f.label("last")
	f.op("JLE", last) // not JEQ: the count of a call that two goroutines share by mistake can pass zero
	for _, step := range [][2]string{{"DI", field("a")}, {field("cRow"), field("c")}, {field("initRow"), field("init")}} {
		f.op("MOVQ", step[0], "AX")
		f.op("IMULQ", fmt.Sprintf("$%d", rows), "AX")
		f.op("ADDQ", "AX", step[1])
	}
	f.op("JMP", block)
	f.at(last)
	f.op("VZEROUPPER")
	f.op("RET")
	return f
}

// amd64Tile prints the parts of one GEMM function.
type amd64Tile struct {
	*fn
	amd64
	rows int
}

var (
	rowBases   = []string{"AX", "BX", "CX", "DX", "SI"} // of every third row of A
	panelBases = []string{"R9", "R15", "CX", "DX"}      // of the panels of B; those of A end before a tile is so wide
)

// unroll is how many steps of k the main loop takes at once: as a core that is shared with another thread has slots for
// three or four instructions a cycle, those that only count and move pointers are worth saving.
func (g *amd64Tile) unroll(vectors int) int {
	if g.rows*vectors <= 16 {
		return 4
	}
	return 1
}

// rowOf returns the address of the element of A in row i of the block, u steps of k further.
func (g *amd64Tile) rowOf(i, u int, columns bool) string {
	if columns {
		return fmt.Sprintf("%d(AX)", 4*i) + []string{"", "(R8*1)", "(R8*2)", "(SI*1)"}[u]
	}
	return fmt.Sprintf("%d(%s)", 4*u, rowBases[i/3]) + []string{"", "(DI*1)", "(DI*2)"}[i%3]
}

// columnsOf returns the address of vector j of a row of B, u steps of k further.
func (g *amd64Tile) columnsOf(j, u int) string {
	return fmt.Sprintf("%d(%s)", j%2*g.width*4, panelBases[j/2]) + []string{"", "(R11*1)", "(R11*2)", "(R14*1)"}[u]
}

// storeTail writes the columns of a tail, BX of them, to offset(AX); whole says that they may be all of them. AVX2 does it
// in parts of 8, 4, 2 and 1 columns: a masked store costs some processors as much as 40 plain ones.
func (g *amd64Tile) storeTail(src, offset int, whole bool) {
	if g.width == 16 {
		g.store(g.fn, src, fmt.Sprintf("%d(AX)", offset), true)
		return
	}
	parts, two, one, done := g.label("parts"), g.label("two"), g.label("one"), g.label("done")
	x := fmt.Sprintf("X%d", src)
	if whole {
		g.op("CMPQ", "BX", "$8")
		g.op("JNE", parts)
		g.store(g.fn, src, fmt.Sprintf("%d(AX)", offset), false)
		g.op("JMP", done)
		g.at(parts)
	}
	g.op("LEAQ", fmt.Sprintf("%d(AX)", offset), "CX")
	g.op("TESTQ", "$4", "BX")
	g.op("JEQ", two)
	g.op("VMOVUPS", x, "(CX)")
	g.op("VEXTRACTF128", "$1", g.v(src), x)
	g.op("ADDQ", "$16", "CX")
	g.at(two)
	g.op("TESTQ", "$2", "BX")
	g.op("JEQ", one)
	g.op("VMOVLPS", x, "(CX)")
	g.op("VMOVHLPS", x, x, x)
	g.op("ADDQ", "$8", "CX")
	g.at(one)
	g.op("TESTQ", "$1", "BX")
	g.op("JEQ", done)
	g.op("VMOVSS", x, "(CX)")
	g.at(done)
}

// tile computes one tile of the given number of vectors of columns and steps C to the next one. A masked tile is the last
// one; its last vector is masked.
func (g *amd64Tile) tile(vectors int, masked bool) {
	acc := func(i, j int) int { return i*vectors + j }
	tail := func(j int) bool { return masked && j == vectors-1 }
	bytes := g.width * 4
	// start
	zero, start := g.label("zero"), g.label("start")
	g.op("MOVQ", "R13", "R9")
	g.op("SUBQ", field("c"), "R9")
	g.op("MOVQ", field("init"), "AX")
	g.op("TESTQ", "AX", "AX")
	g.op("JEQ", zero)
	g.op("ADDQ", "R9", "AX")
	for i := range g.rows {
		for j := range vectors {
			g.load(g.fn, acc(i, j), fmt.Sprintf("%d(AX)", j*bytes), tail(j))
		}
		if i < g.rows-1 {
			g.op("ADDQ", field("initRow"), "AX")
		}
	}
	g.op("JMP", start)
	g.at(zero)
	for i := range g.rows * vectors {
		g.zero(g.fn, i)
	}
	g.at(start)

	// the sum over k
	g.op("SHRQ", fmt.Sprintf("$%d", bits.Len(uint(4*g.panel()-1))), "R9")
	g.op("IMULQ", field("bPanel"), "R9")
	g.op("ADDQ", field("b"), "R9")
	for p := 1; p < vectors/2; p++ {
		g.op("MOVQ", panelBases[p-1], panelBases[p])
		g.op("ADDQ", field("bPanel"), panelBases[p])
	}
	g.op("MOVQ", field("a"), "AX")
	columns, store := g.label("columns"), g.label("store")
	if g.unroll(vectors) > 1 {
		g.op("LEAQ", "(R11)(R11*2)", "R14")
	}
	g.op("CMPQ", "R8", "$4")
	g.op("JNE", columns)
	if g.rows > 3 {
		g.op("LEAQ", "(DI)(DI*2)", "R12")
	}
	for i := 3; i < g.rows; i += 3 {
		g.op("LEAQ", fmt.Sprintf("(%s)(R12*1)", rowBases[i/3-1]), rowBases[i/3])
	}
	g.sum(vectors, tail, false)
	g.op("JMP", store)
	g.at(columns)
	if g.unroll(vectors) > 1 {
		g.op("LEAQ", "(R8)(R8*2)", "SI")
	}
	g.sum(vectors, tail, true)

	// the epilogue
	g.at(store)
	if masked && g.width == 8 {
		g.op("MOVQ", field("n"), "BX")
		g.op("SUBQ", "$1", "BX")
		g.op("ANDQ", "$7", "BX")
		g.op("ADDQ", "$1", "BX")
	}
	free := g.rows * vectors // the first register that is not an accumulator
	g.op("VBROADCASTSS", field("floor"), g.v(free))
	for i := range g.rows * vectors {
		g.op("VMAXPS", g.v(i), g.v(free), g.v(i)) // of NaN and floor the sum: it is the second source
	}
	stored := g.label("stored")
	if masked && g.width == 8 && g.rows > 1 {
		g.storeRunning(vectors, stored)
	}
	g.op("MOVQ", "R13", "AX")
	for i := range g.rows {
		for j := range vectors {
			if tail(j) {
				g.storeTail(acc(i, j), j*bytes, vectors == 1)
			} else {
				g.store(g.fn, acc(i, j), fmt.Sprintf("%d(AX)", j*bytes), false)
			}
		}
		if i < g.rows-1 {
			g.op("ADDQ", field("cRow"), "AX")
		}
	}
	g.at(stored)
	if !masked {
		g.op("ADDQ", fmt.Sprintf("$%d", vectors*bytes), "R13")
	}
}

// storeRunning stores the rows of a tile that is all of C's columns, where these lie without a gap: each row but the last
// one as if it were complete, since the next row overwrites what is too much. It goes on behind it if they do not, or if
// a row is shorter than what is too much.
func (g *amd64Tile) storeRunning(vectors int, stored string) {
	parts := g.label("byParts")
	g.op("MOVQ", field("n"), "AX")
	g.op("CMPQ", "AX", fmt.Sprintf("$%d", vectors*g.width/2))
	g.op("JLT", parts)
	g.op("SHLQ", "$2", "AX")
	g.op("CMPQ", "AX", field("cRow"))
	g.op("JNE", parts)
	g.op("CMPQ", "R13", field("c"))
	g.op("JNE", parts)
	g.op("MOVQ", "AX", "DX")
	g.op("MOVQ", "R13", "AX")
	for i := range g.rows {
		for j := range vectors {
			if i == g.rows-1 && j == vectors-1 {
				g.storeTail(i*vectors+j, j*g.width*4, vectors == 1)
			} else {
				g.store(g.fn, i*vectors+j, fmt.Sprintf("%d(AX)", j*g.width*4), false)
			}
		}
		if i < g.rows-1 {
			g.op("ADDQ", "DX", "AX")
		}
	}
	g.op("JMP", stored)
	g.at(parts)
}

// sum prints the loops over k for A by rows or by columns: one of several steps at a time and one for the rest.
func (g *amd64Tile) sum(vectors int, tail func(j int) bool, columns bool) {
	unroll := g.unroll(vectors)
	rest, done := g.label("rest"), g.label("done")
	g.op("MOVQ", field("k"), "R12")
	if unroll > 1 {
		again := g.label("steps")
		g.op("SUBQ", fmt.Sprintf("$%d", unroll), "R12")
		g.op("JLT", rest)
		g.op("PCALIGN", "$32")
		g.at(again)
		for u := range unroll {
			g.step(vectors, u, tail, columns)
		}
		g.advance(vectors, unroll, columns)
		g.op("SUBQ", fmt.Sprintf("$%d", unroll), "R12")
		g.op("JGE", again)
		g.at(rest)
		g.op("ADDQ", fmt.Sprintf("$%d", unroll), "R12")
	} else {
		g.op("TESTQ", "R12", "R12")
	}
	again := g.label("step")
	g.op("JEQ", done)
	if unroll == 1 {
		g.op("PCALIGN", "$32")
	}
	g.at(again)
	g.step(vectors, 0, tail, columns)
	g.advance(vectors, 1, columns)
	g.op("SUBQ", "$1", "R12")
	g.op("JNE", again)
	g.at(done)
}

// step adds one row of B to the sums, u steps after the pointers.
func (g *amd64Tile) step(vectors, u int, tail func(j int) bool, columns bool) {
	free := g.rows * vectors // the first register that is not an accumulator
	if g.rows >= vectors {
		a := free + vectors
		for j := range vectors {
			g.load(g.fn, free+j, g.columnsOf(j, u), tail(j))
		}
		for i := range g.rows {
			g.op("VBROADCASTSS", g.rowOf(i, u, columns), g.v(a))
			for j := range vectors {
				g.op("VFMADD231PS", g.v(free+j), g.v(a), g.v(i*vectors+j))
			}
		}
		return
	}
	b := free + g.rows
	for i := range g.rows {
		g.op("VBROADCASTSS", g.rowOf(i, u, columns), g.v(free+i))
	}
	for j := range vectors {
		if g.rows == 1 && !tail(j) { // nobody else needs the load: one instruction instead of two
			g.op("VFMADD231PS", g.columnsOf(j, u), g.v(free), g.v(j))
			continue
		}
		g.load(g.fn, b, g.columnsOf(j, u), tail(j))
		for i := range g.rows {
			g.op("VFMADD231PS", g.v(b), g.v(free+i), g.v(i*vectors+j))
		}
	}
}

// advance moves the pointers to A and B by one or four steps of k.
func (g *amd64Tile) advance(vectors, steps int, columns bool) {
	by := func(base, stride string) {
		if steps == 4 {
			g.op("LEAQ", fmt.Sprintf("(%s)(%s*4)", base, stride), base)
		} else {
			g.op("ADDQ", stride, base)
		}
	}
	if columns {
		by("AX", "R8")
	} else {
		for i := 0; i < g.rows; i += 3 {
			g.op("ADDQ", fmt.Sprintf("$%d", 4*steps), rowBases[i/3])
		}
	}
	for p := range (vectors + 1) / 2 {
		by(panelBases[p], "R11")
	}
}
