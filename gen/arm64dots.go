package main

import (
	"fmt"
	"strings"
)

// The sum of a dot product has 16 lanes in four registers, of which the first and the third one are summed along all of the
// depth and then the others: see amd64Dots.

// neonDots prints the tiles of some rows of A and some columns of C, which are rows of B.
type neonDots struct {
	*fn
	rows, columns int
}

// neonDotRows is how many rows the highest tile has: with four columns its sums take 24 registers, A three and B four.
const neonDotRows = 3

// The registers of A and B behind the sums, and the rows of B in memory.
const firstDotA, firstDotB, lastVector = 24, 27, 31

var neonDotRowsOfB = []string{"R9", "R10", "R11", "R12", "R13", "R14", "R15", "R19"}

// neonDotsOf prints the function for row blocks of the given number of rows.
func neonDotsOf(rows int) *fn {
	widths := []int{4, 1}
	if rows == 1 { // which would have too few sums to hide the latency of the multiply-add
		widths = []int{8, 4, 1}
	}
	f := &fn{name: fmt.Sprintf("dots%dx%d%s", rows, widths[0], neonSuffix), proto: "call *tileCall", args: 8, frame: 16 * rows * widths[0]}
	f.note("Requires: %s", neonRequires)
	f.note("")
	f.note("Vectors: from V0 up two of the four registers of each sum, row by row; V24 to V26 A; V27 to V30 B; V31 the bytes of A and B")
	f.note("behind whole vectors, lanes that wait, init and floor.")
	f.note("General: R0 to R2 rows of A; R3 cRow; R4 initRow; R5 init; R7 aRow; R8 bPanel; %s", strings.Join(neonDotRowsOfB, " "))
	f.note("rows of B; R20 k; R21 columns left; R22 blocks left; R23 C; R24 B of the tile; R25 A of the block; R26 the numbers;")
	f.note("R6 call; R16, R17 scratch. The fields of the call are")
	f.note("%s.", strings.Join(callFields, ", "))
	f.op("MOVD", "call+0(FP)", "R6")
	for _, load := range []string{"cRow R3", "initRow R4", "init R5", "aRow R7", "bPanel R8", "blocks R22", "c R23", "a R25"} {
		name, register, _ := strings.Cut(load, " ")
		f.op("MOVD", fieldAt(name, "R6"), register)
	}
	f.op("MOVD", "$numbers<>(SB)", neonNumbers)
	block := f.label("block")
	f.at(block)
	f.op("MOVD", fieldAt("n", "R6"), "R21")
	f.op("MOVD", fieldAt("b", "R6"), "R24")
	for _, w := range widths {
		neonDots{f, rows, w}.print()
	}
	neonDots{f, rows, 0}.nextBlock(block)
	f.op("RET")
	return f
}

// nextBlock moves A, C and init on and jumps to the block unless it was the last one.
func (g neonDots) nextBlock(block string) {
	done, moved := g.label("done"), g.label("moved")
	g.op("SUBS", "$1", "R22")
	g.op("BLE", done)
	g.op("MOVD", fieldAt("n", "R6"), "R16")
	for range g.rows {
		g.op("ADD", "R7", "R25")
		g.op("ADD", "R3", "R23")
	}
	g.op("SUB", "R16<<2", "R23")
	g.op("CBZ", "R5", moved)
	for range g.rows {
		g.op("ADD", "R4", "R5")
	}
	g.op("SUB", "R16<<2", "R5")
	g.at(moved)
	g.op("B", block)
	g.at(done)
}

// print computes tiles as long as there are columns for them.
func (g neonDots) print() {
	again, next := g.label("columns"), g.label("narrower")
	g.at(again)
	g.op("CMP", fmt.Sprintf("$%d", g.columns), "R21")
	g.op("BLT", next)
	for pass := range 2 {
		g.multiply(pass)
	}
	for first := 0; first < g.sums(); first += 4 {
		g.fold(first)
	}
	g.finish()
	g.op("ADD", fmt.Sprintf("$%d", 4*g.columns), "R23")
	g.op("ADD", fmt.Sprintf("R8<<%d", map[int]int{1: 0, 4: 2, 8: 3}[g.columns]), "R24")
	g.op("SUB", fmt.Sprintf("$%d", g.columns), "R21")
	g.op("B", again)
	g.at(next)
}

func (g neonDots) sums() int { return g.rows * g.columns }

// multiply sums the lanes of a pass: the first one's wait in the frame to be added to the other's.
func (g neonDots) multiply(pass int) {
	for v := range 2 * g.sums() {
		g.op("VMOVI", "$0", fmt.Sprintf("V%d.B16", v))
	}
	g.op("ADD", fmt.Sprintf("$%d", 16*pass), "R25", "R0")
	for i := 1; i < g.rows; i++ {
		g.op("ADD", "R7", fmt.Sprintf("R%d", i-1), fmt.Sprintf("R%d", i))
	}
	b := neonDotRowsOfB
	g.op("ADD", fmt.Sprintf("$%d", 16*pass), "R24", b[0])
	for j := 1; j < g.columns; j++ {
		g.op("ADD", "R8", b[j-1], b[j])
	}
	again, tail, done := g.label("depth"), g.label("tail"), g.label("summed")
	g.op("MOVD", fieldAt("k", "R6"), "R20")
	g.op("SUBS", "$16", "R20")
	g.op("BLT", tail)
	g.op("PCALIGN", "$16")
	g.at(again)
	for half := 1; half >= 0; half-- { // the first one moves on
		g.step(half, func(register string, v int) {
			if half == 0 {
				g.op("FMOVQ.P", fmt.Sprintf("64(%s)", register), fmt.Sprintf("F%d", v))
			} else {
				g.op("FMOVQ", fmt.Sprintf("32(%s)", register), fmt.Sprintf("F%d", v))
			}
		})
	}
	g.op("SUBS", "$16", "R20")
	g.op("BGE", again)
	g.at(tail)
	g.op("ADD", "$16", "R20")
	for half := range 2 {
		g.lastStep(half, 4*pass+8*half, done)
	}
	g.at(done)
	for s := range g.sums() {
		g.vector3("FADD", 2*s, 2*s, 2*s+1)
		waiting := fmt.Sprintf("lanes%d-%d(SP)", s, g.frame-16*s)
		if pass == 0 {
			g.op("FMOVQ", fmt.Sprintf("F%d", 2*s), waiting)
		} else {
			g.op("FMOVQ", waiting, fmt.Sprintf("F%d", lastVector))
			g.vector3("FADD", 2*s, 2*s, lastVector)
		}
	}
}

// step adds the products of four lanes of each row, which load puts into a register.
func (g neonDots) step(half int, load func(register string, v int)) {
	for i := range g.rows {
		load(fmt.Sprintf("R%d", i), firstDotA+i)
	}
	for j := range g.columns {
		b := firstDotB + j%4
		load(neonDotRowsOfB[j], b)
		for i := range g.rows {
			g.vector3("FMLA", 2*(i*g.columns+j)+half, firstDotA+i, b)
		}
	}
}

// lastStep is a step with those of the last R20 columns that are in lanes from the given one up: it loads the last four
// of the row and moves what it wants of them down. If there are none it jumps to done.
func (g neonDots) lastStep(half, lane int, done string) {
	g.op("SUB", fmt.Sprintf("$%d", lane), "R20", "R17")
	g.op("CMP", "$0", "R17")
	g.op("BLE", done)
	g.op("MOVD", "$4", "R16")
	g.op("CMP", "R16", "R17")
	g.op("CSEL", "LT", "R17", "R16", "R17")
	g.op("SUB", "R17<<2", neonNumbers, "R16")
	g.op("FMOVQ", fmt.Sprintf("%d(R16)", neonBytes+16), fmt.Sprintf("F%d", lastVector))
	g.op("LSL", "$2", "R17")
	g.op("SUB", fmt.Sprintf("$%d", 16-32*half), "R17")
	g.step(half, func(register string, v int) {
		g.op("ADD", "R17", register, "R16")
		g.op("FMOVQ", "(R16)", fmt.Sprintf("F%d", v))
		g.op("VTBL", fmt.Sprintf("V%d.B16", lastVector), fmt.Sprintf("[V%d.B16]", v), fmt.Sprintf("V%d.B16", v))
	})
}

// fold replaces the first of four sums by a vector of their results, or of those that there are.
func (g neonDots) fold(first int) {
	sum := func(i int) int { return 2 * min(first+i, g.sums()-1) }
	d2 := func(v int) string { return fmt.Sprintf("V%d.D2", v) }
	for i := 0; i < 4; i += 2 { // lanes 0+2 and 1+3 of a sum and of the next one
		g.op("VZIP1", d2(sum(i+1)), d2(sum(i)), d2(firstDotA+i))
		g.op("VZIP2", d2(sum(i+1)), d2(sum(i)), d2(firstDotA+i+1))
		g.vector3("FADD", firstDotA+i, firstDotA+i, firstDotA+i+1)
	}
	g.vector3("FADDP", 2*first, firstDotA, firstDotA+2)
}

// finish stores max(init + sum, floor). Four results are in every eighth register, those of a single column in lanes of V0.
func (g neonDots) finish() {
	store, results, vector := g.label("store"), (g.sums()+3)/4, fmt.Sprintf("F%d", lastVector)
	g.op("CBZ", "R5", store)
	g.eachRow("R5", "R4", func(i int) {
		for q := range g.columns / 4 {
			g.op("FMOVQ", fmt.Sprintf("%d(R16)", 16*q), vector)
			g.vector3("FADD", 2*(i*g.columns+4*q), 2*(i*g.columns+4*q), lastVector)
		}
		if g.columns == 1 {
			g.op("VLD1", "(R16)", fmt.Sprintf("V%d.S[%d]", lastVector, i))
		}
	})
	if g.columns == 1 {
		g.vector3("FADD", 0, 0, lastVector)
	}
	g.op("ADD", fmt.Sprintf("$%d", 4*g.columns), "R5")
	g.at(store)
	g.op("FMOVS", fieldAt("floor", "R6"), vector)
	g.op("VDUP", fmt.Sprintf("V%d.S[0]", lastVector), fmt.Sprintf("V%d.S4", lastVector))
	for r := range results {
		g.vector3("FMAX", 8*r, 8*r, lastVector)
	}
	g.eachRow("R23", "R3", func(i int) {
		for q := range g.columns / 4 {
			g.op("FMOVQ", fmt.Sprintf("F%d", 2*(i*g.columns+4*q)), fmt.Sprintf("%d(R16)", 16*q))
		}
		if g.columns == 1 {
			g.op("VST1", fmt.Sprintf("V0.S[%d]", i), "(R16)")
		}
	})
}

// eachRow visits the rows of the tile with R16 stepping from one to the next.
func (g neonDots) eachRow(start, stride string, visit func(i int)) {
	g.op("MOVD", start, "R16")
	for i := range g.rows {
		if i > 0 {
			g.op("ADD", stride, "R16")
		}
		visit(i)
	}
}
