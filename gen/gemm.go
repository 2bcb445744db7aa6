package main

import "fmt"

// gemmParams are the parameters of every GEMM tile function, all strides in bytes.
const gemmParams = "k, blocks, n int, a *float32, aRow, aCol int, b *float32, bRow, bPanel int, c *float32, cRow int, init *float32, mode int, floor float32"

// panel is how many columns of B lie beside each other; the next ones are bPanel bytes further.
func (m amd64) panel() int { return 2 * m.width }

// maxRows is how many rows the main tile has: with two vectors of columns its accumulators, the two vectors of B and the
// broadcast element of A fill the registers; AVX2 keeps one more for the mask.
func (m amd64) maxRows() int {
	if m.width == 16 {
		return 14
	}
	return 6
}

// widths returns how many vectors of columns tiles of the given rows take, widest first: with few rows they need more
// columns to have the eight or more independent sums that hide the latency of the multiply-add.
func (m amd64) widths(rows int) []int {
	switch {
	case rows == 1:
		return []int{8, 2}
	case 4*rows+min(rows, 4)+1 <= m.regs:
		return []int{4, 2}
	}
	return []int{2}
}

// gemm prints the function that computes blocks row blocks of the given number of rows and n columns each: for every
// tile of the block, acc = 0, the columns of init or C itself (mode 0, 1, 2); for k ascending acc = fma(a, b, acc);
// C = max(acc, floor).
func (m amd64) gemm(rows int) *fn {
	f := &fn{name: fmt.Sprintf("gemm%dx%d%s", rows, m.panel(), m.suffix), proto: gemmParams, args: 13*8 + 4, frame: 5 * 8}
	g := &gemmFn{fn: f, amd64: m, rows: rows}
	f.note("Requires: %s", m.requires)
	f.note("")
	f.note("Vectors: accumulators from %s up, row by row; then a row of B and an element of A, or the other way round in tiles", m.v(0))
	f.note("wider than high; %s the mask of the last columns.", m.mask)
	f.note("General: %s every third row of A; DI aRow; R8 aCol; R9 B; R10 bPanel; R11 bRow; R12 k; R13 C; R14, R15 scratch.", "AX BX CX DX SI")

	f.op("MOVQ", "aRow+32(FP)", "DI")
	f.op("MOVQ", "aCol+40(FP)", "R8")
	f.op("MOVQ", "bRow+56(FP)", "R11")
	f.op("MOVQ", "bPanel+64(FP)", "R10")
	f.move("a+24(FP)", "a-8(SP)")
	f.move("c+72(FP)", "c-16(SP)")
	f.move("blocks+8(FP)", "blocks-24(SP)")

	block := f.label("block")
	f.at(block)
	f.move("n+16(FP)", "n-32(SP)")
	f.move("init+88(FP)", "init-40(SP)")
	f.op("MOVQ", "b+48(FP)", "R9")
	f.op("MOVQ", "c-16(SP)", "R13")
	done := f.label("done")
	widths := m.widths(rows)
	for _, w := range widths {
		next := f.label("narrower")
		again := f.label("columns")
		f.at(again)
		f.op("CMPQ", "n-32(SP)", fmt.Sprintf("$%d", w*m.width))
		f.op("JLT", next)
		g.tile(w, false)
		f.op("SUBQ", fmt.Sprintf("$%d", w*m.width), "n-32(SP)")
		f.op("JMP", again)
		f.at(next)
	}
	narrow := f.label("narrow")
	f.op("MOVQ", "n-32(SP)", "AX")
	f.op("SUBQ", "$1", "AX")
	f.op("JLT", done)
	f.op("ANDQ", fmt.Sprintf("$%d", m.width-1), "AX")
	f.op("ADDQ", "$1", "AX")
	m.tailMask(f, "AX")
	f.op("CMPQ", "n-32(SP)", fmt.Sprintf("$%d", m.width))
	f.op("JLE", narrow)
	g.tile(2, true)
	f.op("JMP", done)
	f.at(narrow)
	g.tile(1, true)
	f.at(done)
	f.op("MOVQ", fmt.Sprintf("$%d", rows), "AX")
	f.op("IMULQ", "DI", "AX")
	f.op("ADDQ", "AX", "a-8(SP)")
	f.op("MOVQ", fmt.Sprintf("$%d", rows), "AX")
	f.op("IMULQ", "cRow+80(FP)", "AX")
	f.op("ADDQ", "AX", "c-16(SP)")
	f.op("SUBQ", "$1", "blocks-24(SP)")
	f.op("JNE", block)
	f.op("VZEROUPPER")
	f.op("RET")
	return f
}

// gemmFn prints the parts of one GEMM function.
type gemmFn struct {
	*fn
	amd64
	rows int
}

// rowOf returns the address of the element of A in row i of the block.
func rowOf(i int) string {
	base := []string{"AX", "BX", "CX", "DX", "SI"}[i/3]
	return []string{"(" + base + ")", "(" + base + ")(DI*1)", "(" + base + ")(DI*2)"}[i%3]
}

// columns returns the address of vector j of a row of B.
func (g *gemmFn) columns(j int) string {
	offset := j % 2 * g.width * 4
	return []string{fmt.Sprintf("%d(R9)", offset), fmt.Sprintf("%d(R9)(R10*1)", offset), fmt.Sprintf("%d(R9)(R10*2)", offset), fmt.Sprintf("%d(R15)", offset)}[j/2]
}

// storeTail writes the columns of a tail, BX of them, to offset(AX); whole says that they may be all of them. AVX2 does it in parts of 8, 4, 2 and 1 columns: a
// masked store costs some processors as much as 40 plain ones.
func (g *gemmFn) storeTail(src, offset int, whole bool) {
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

// tile computes one tile of the given number of vectors of columns and steps B, C and init to the next one. A masked
// tile is the last one; its last vector is masked.
func (g *gemmFn) tile(vectors int, masked bool) {
	acc := func(i, j int) int { return i*vectors + j }
	tail := func(j int) bool { return masked && j == vectors-1 }
	bytes := g.width * 4
	each := func(do func(i, j int)) {
		for i := range g.rows {
			for j := range vectors {
				do(i, j)
			}
		}
	}
	// start
	zero, sums, start := g.label("zero"), g.label("sums"), g.label("start")
	g.op("MOVQ", "mode+96(FP)", "AX")
	g.op("CMPQ", "AX", "$1")
	g.op("JLT", zero)
	g.op("JGT", sums)
	g.op("MOVQ", "init-40(SP)", "AX")
	for j := range vectors {
		g.load(g.fn, acc(0, j), fmt.Sprintf("%d(AX)", j*bytes), tail(j))
	}
	each(func(i, j int) {
		if i > 0 {
			g.op("VMOVAPS", g.v(acc(0, j)), g.v(acc(i, j)))
		}
	})
	if !masked {
		g.op("ADDQ", fmt.Sprintf("$%d", vectors*bytes), "init-40(SP)")
	}
	g.op("JMP", start)
	g.at(sums)
	g.op("MOVQ", "R13", "AX")
	for i := range g.rows {
		for j := range vectors {
			g.load(g.fn, acc(i, j), fmt.Sprintf("%d(AX)", j*bytes), tail(j))
		}
		if i < g.rows-1 {
			g.op("ADDQ", "cRow+80(FP)", "AX")
		}
	}
	g.op("JMP", start)
	g.at(zero)
	each(func(i, j int) { g.zero(g.fn, acc(i, j)) })
	g.at(start)

	// the sum over k
	g.op("MOVQ", "k+0(FP)", "R12")
	g.op("MOVQ", "a-8(SP)", "AX")
	if g.rows > 3 {
		g.op("LEAQ", "(DI)(DI*2)", "R14")
	}
	for i := 3; i < g.rows; i += 3 {
		regs := []string{"AX", "BX", "CX", "DX", "SI"}
		g.op("LEAQ", fmt.Sprintf("(%s)(R14*1)", regs[i/3-1]), regs[i/3])
	}
	g.op("MOVQ", "R9", "R14") // where the tile's columns of B begin
	if vectors == 8 {
		g.op("LEAQ", "(R10)(R10*2)", "R15")
		g.op("ADDQ", "R9", "R15")
	}
	store, loop := g.label("store"), g.label("k")
	g.op("TESTQ", "R12", "R12")
	g.op("JEQ", store)
	g.op("PCALIGN", "$32")
	g.at(loop)
	free := g.rows * vectors // the first register that is not an accumulator
	switch {
	case g.rows >= vectors:
		a := free + vectors
		for j := range vectors {
			g.load(g.fn, free+j, g.columns(j), tail(j))
		}
		for i := range g.rows {
			g.op("VBROADCASTSS", rowOf(i), g.v(a))
			for j := range vectors {
				g.op("VFMADD231PS", g.v(free+j), g.v(a), g.v(acc(i, j)))
			}
		}
	default:
		b := free + g.rows
		for i := range g.rows {
			g.op("VBROADCASTSS", rowOf(i), g.v(free+i))
		}
		for j := range vectors {
			g.load(g.fn, b, g.columns(j), tail(j))
			for i := range g.rows {
				g.op("VFMADD231PS", g.v(b), g.v(free+i), g.v(acc(i, j)))
			}
		}
	}
	for i := 0; i < g.rows; i += 3 {
		g.op("ADDQ", "R8", []string{"AX", "BX", "CX", "DX", "SI"}[i/3])
	}
	g.op("ADDQ", "R11", "R9")
	if vectors == 8 {
		g.op("ADDQ", "R11", "R15")
	}
	g.op("SUBQ", "$1", "R12")
	g.op("JNE", loop)

	// the epilogue
	g.at(store)
	if masked && g.width == 8 {
		g.op("MOVQ", "n-32(SP)", "BX")
		g.op("SUBQ", "$1", "BX")
		g.op("ANDQ", "$7", "BX")
		g.op("ADDQ", "$1", "BX")
	}
	g.op("VBROADCASTSS", "floor+104(FP)", g.v(free))
	g.op("MOVQ", "R13", "AX")
	for i := range g.rows {
		for j := range vectors {
			g.op("VMAXPS", g.v(acc(i, j)), g.v(free), g.v(acc(i, j))) // of NaN and floor the sum: it is the second source
			if tail(j) {
				g.storeTail(acc(i, j), j*bytes, vectors == 1)
			} else {
				g.store(g.fn, acc(i, j), fmt.Sprintf("%d(AX)", j*bytes), false)
			}
		}
		if i < g.rows-1 {
			g.op("ADDQ", "cRow+80(FP)", "AX")
		}
	}
	if !masked {
		g.op("ADDQ", fmt.Sprintf("$%d", vectors*bytes), "R13")
		g.op("MOVQ", "R14", "R9")
		for range vectors / 2 {
			g.op("ADDQ", "R10", "R9")
		}
	}
}
