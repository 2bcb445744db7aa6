package main

import (
	"fmt"
	"math/bits"
)

// amd64Tile prints one tile, some vectors of columns wide. A masked tile is the last one; its last vector is masked.
type amd64Tile struct {
	amd64Block
	vectors int
	masked  bool
}

// acc is the register of the sums in row i and vector j.
func (g amd64Tile) acc(i, j int) int { return i*g.vectors + j }

// free is the first register that is not an accumulator.
func (g amd64Tile) free() int { return g.rows * g.vectors }

// tail says whether vector j is masked.
func (g amd64Tile) tail(j int) bool { return g.masked && j == g.vectors-1 }

// vectorAt returns the address of vector j of the row at AX, of C or init.
func (g amd64Tile) vectorAt(j int) string { return fmt.Sprintf("%d(AX)", j*g.width*4) }

// unroll is how many steps of k the main loop takes at once: as a core that is shared with another thread has slots for
// three or four instructions a cycle, those that only count and move pointers are worth saving.
func (g amd64Tile) unroll() int {
	if g.rows*g.vectors <= 16 {
		return 4
	}
	return 1
}

// print computes the tile and steps C to the next one.
func (g amd64Tile) print() {
	g.begin()
	g.multiply()
	g.floor()
	stored := g.label("stored")
	if g.masked && g.width == 8 && g.rows > 1 {
		g.storeRunning(stored)
	}
	g.storeRows(field("cRow"), func(int) bool { return false })
	g.at(stored)
	if !g.masked {
		g.op("ADDQ", fmt.Sprintf("$%d", 4*g.vectors*g.width), "R13")
	}
}

// begin sets the sums to init, or to 0 without it, and R9 to the bytes of C before the tile.
func (g amd64Tile) begin() {
	zero, start := g.label("zero"), g.label("start")
	g.op("MOVQ", "R13", "R9")
	g.op("SUBQ", field("c"), "R9")
	g.op("MOVQ", field("init"), "AX")
	g.op("TESTQ", "AX", "AX")
	g.op("JEQ", zero)
	g.op("ADDQ", "R9", "AX")
	for i := range g.rows {
		for j := range g.vectors {
			g.load(g.fn, g.acc(i, j), g.vectorAt(j), g.tail(j))
		}
		if i < g.rows-1 {
			g.op("ADDQ", field("initRow"), "AX")
		}
	}
	g.op("JMP", start)
	g.at(zero)
	for i := range g.free() {
		g.zero(g.fn, i)
	}
	g.at(start)
}

// multiply adds A·B: with A by rows, where its columns lie beside each other, or by columns.
func (g amd64Tile) multiply() {
	g.op("SHRQ", fmt.Sprintf("$%d", bits.Len(uint(4*g.panel()-1))), "R9")
	g.op("IMULQ", field("bPanel"), "R9")
	g.op("ADDQ", field("b"), "R9")
	for p := 1; p < g.vectors/2; p++ {
		g.op("MOVQ", panelBases[p-1], panelBases[p])
		g.op("ADDQ", field("bPanel"), panelBases[p])
	}
	g.op("MOVQ", field("a"), "AX")
	columns, store := g.label("columns"), g.label("store")
	if g.unroll() > 1 {
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
	g.sum(false)
	g.op("JMP", store)
	g.at(columns)
	if g.unroll() > 1 {
		g.op("LEAQ", "(R8)(R8*2)", "SI")
	}
	g.sum(true)
	g.at(store)
}

// floor replaces the sums by max(sum, floor), and sets BX to the columns of a tail that has to be stored in parts.
func (g amd64Tile) floor() {
	if g.masked && g.width == 8 {
		g.op("MOVQ", field("n"), "BX")
		g.op("SUBQ", "$1", "BX")
		g.op("ANDQ", "$7", "BX")
		g.op("ADDQ", "$1", "BX")
	}
	g.op("VBROADCASTSS", field("floor"), g.v(g.free()))
	for i := range g.free() {
		g.op("VMAXPS", g.v(i), g.v(g.free()), g.v(i)) // of NaN and floor the sum: it is the second source
	}
}

// storeRows stores the sums from R13 on, in rows that are stride apart. In those that whole selects every vector is whole.
func (g amd64Tile) storeRows(stride string, whole func(i int) bool) {
	g.op("MOVQ", "R13", "AX")
	for i := range g.rows {
		for j := range g.vectors {
			if g.tail(j) && !whole(i) {
				g.storeTail(i)
			} else {
				g.store(g.fn, g.acc(i, j), g.vectorAt(j))
			}
		}
		if i < g.rows-1 {
			g.op("ADDQ", stride, "AX")
		}
	}
}

// storeRunning stores the rows of a tile that is all of C's columns, where these lie without a gap: each row but the last
// one as if it were complete, since the next row overwrites what is too much. It goes on behind it if they do not, or if
// a row is shorter than what is too much.
func (g amd64Tile) storeRunning(stored string) {
	parts := g.label("byParts")
	g.op("MOVQ", field("n"), "AX")
	g.op("CMPQ", "AX", fmt.Sprintf("$%d", g.vectors*g.width/2))
	g.op("JLT", parts)
	g.op("SHLQ", "$2", "AX")
	g.op("CMPQ", "AX", field("cRow"))
	g.op("JNE", parts)
	g.op("CMPQ", "R13", field("c"))
	g.op("JNE", parts)
	g.op("MOVQ", "AX", "DX")
	g.storeRows("DX", func(i int) bool { return i < g.rows-1 })
	g.op("JMP", stored)
	g.at(parts)
}

// storeTail writes the columns of a tail in row i, BX of them, to its vector in the row at AX: all of them perhaps, if the
// tile has no other. AVX2 does it in parts of 8, 4, 2 and 1 columns: a masked store costs some processors as much as 40
// plain ones.
func (g amd64Tile) storeTail(i int) {
	src, to := g.acc(i, g.vectors-1), g.vectorAt(g.vectors-1)
	if g.width == 16 {
		g.op("VMOVUPS", g.v(src), g.mask, to)
		return
	}
	parts, two, one, done := g.label("parts"), g.label("two"), g.label("one"), g.label("done")
	x := fmt.Sprintf("X%d", src)
	if g.vectors == 1 {
		g.op("CMPQ", "BX", "$8")
		g.op("JNE", parts)
		g.store(g.fn, src, to)
		g.op("JMP", done)
		g.at(parts)
	}
	g.op("LEAQ", to, "CX")
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

// sum prints the loops over k for A by rows or by columns: one of several steps at a time and one for the rest.
func (g amd64Tile) sum(columns bool) {
	unroll := g.unroll()
	rest, done := g.label("rest"), g.label("done")
	g.op("MOVQ", field("k"), "R12")
	if unroll > 1 {
		again := g.label("steps")
		g.op("SUBQ", fmt.Sprintf("$%d", unroll), "R12")
		g.op("JLT", rest)
		g.op("PCALIGN", "$32")
		g.at(again)
		for u := range unroll {
			g.step(u, columns)
		}
		g.advance(unroll, columns)
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
	g.step(0, columns)
	g.advance(1, columns)
	g.op("SUBQ", "$1", "R12")
	g.op("JNE", again)
	g.at(done)
}

// step adds one row of B to the sums, u steps after the pointers.
func (g amd64Tile) step(u int, columns bool) {
	if g.rows >= g.vectors {
		b, a := g.free(), g.free()+g.vectors
		for j := range g.vectors {
			g.load(g.fn, b+j, g.columnsOf(j, u), g.tail(j))
		}
		for i := range g.rows {
			g.op("VBROADCASTSS", g.rowOf(i, u, columns), g.v(a))
			for j := range g.vectors {
				g.op("VFMADD231PS", g.v(b+j), g.v(a), g.v(g.acc(i, j)))
			}
		}
		return
	}
	a, b := g.free(), g.free()+g.rows
	for i := range g.rows {
		g.op("VBROADCASTSS", g.rowOf(i, u, columns), g.v(a+i))
	}
	for j := range g.vectors {
		if g.rows == 1 && !g.tail(j) { // nobody else needs the load: one instruction instead of two
			g.op("VFMADD231PS", g.columnsOf(j, u), g.v(a), g.v(j))
			continue
		}
		g.load(g.fn, b, g.columnsOf(j, u), g.tail(j))
		for i := range g.rows {
			g.op("VFMADD231PS", g.v(b), g.v(a+i), g.v(g.acc(i, j)))
		}
	}
}

// rowOf returns the address of the element of A in row i of the block, u steps of k further.
func (g amd64Tile) rowOf(i, u int, columns bool) string {
	if columns {
		return fmt.Sprintf("%d(AX)", 4*i) + []string{"", "(R8*1)", "(R8*2)", "(SI*1)"}[u]
	}
	return fmt.Sprintf("%d(%s)", 4*u, rowBases[i/3]) + []string{"", "(DI*1)", "(DI*2)"}[i%3]
}

// columnsOf returns the address of vector j of a row of B, u steps of k further.
func (g amd64Tile) columnsOf(j, u int) string {
	return fmt.Sprintf("%d(%s)", j%2*g.width*4, panelBases[j/2]) + []string{"", "(R11*1)", "(R11*2)", "(R14*1)"}[u]
}

// advance moves the pointers to A and B by one or four steps of k.
func (g amd64Tile) advance(steps int, columns bool) {
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
	for p := range (g.vectors + 1) / 2 {
		by(panelBases[p], "R11")
	}
}
