package main

import "fmt"

// neonTile prints one tile of two halves in each of its panels.
type neonTile struct {
	neonBlock
	panels, half int
}

// per is how many registers a half takes.
func (g neonTile) per() int { return max(1, g.half/4) }

// columns is how many registers a row takes.
func (g neonTile) columns() int { return 2 * g.per() * g.panels }

// print computes the tile; if its halves are complete it steps to the next one.
func (g neonTile) print() {
	if g.rows*g.columns() > firstB {
		panic("the sums of a tile do not fit")
	}
	g.begin()
	g.multiply()
	g.store()
	if g.half == 8 {
		g.op("ADD", fmt.Sprintf("$%d", 64*g.panels), "R14")
		for range g.panels {
			g.op("ADD", "R12", "R25")
		}
	}
}

// begin sets the sums to init, or to 0 without it.
func (g neonTile) begin() {
	zero, start := g.label("zero"), g.label("start")
	g.op("MOVD", fieldAt("init", "R6"), "R16")
	g.op("CBZ", "R16", zero)
	g.op("SUB", "R26", "R14", "R17")
	g.op("ADD", "R17", "R16")
	for i := range g.rows {
		g.row(true, i)
		if i < g.rows-1 {
			g.op("ADD", "R21", "R16")
		}
	}
	g.op("B", start)
	g.at(zero)
	for v := range g.rows * g.columns() {
		g.op("VMOVI", "$0", fmt.Sprintf("V%d.B16", v))
	}
	g.at(start)
}

// The registers of a row of B and of the elements of A, behind the sums.
const firstB, firstA = 24, 28

// multiply adds A·B.
func (g neonTile) multiply() {
	b := []string{"R9", "R10", "R23", "R24"}[:max(2, g.panels)] // of each half or of each panel
	g.op("MOVD", "R25", "R9")
	if g.panels == 1 {
		g.op("ADD", "R22", "R9", "R10")
	} else {
		for p := 1; p < g.panels; p++ {
			g.op("ADD", "R12", b[p-1], b[p])
		}
	}
	g.op("MOVD", "$0", "R8")
	g.op("MOVD", fieldAt("k", "R6"), "R13")
	store, loop := g.label("store"), g.label("k")
	g.op("CBZ", "R13", store)
	g.op("PCALIGN", "$16")
	g.at(loop)
	g.step(b)
	g.op("ADD", "R7", "R8")
	for _, r := range b {
		g.op("ADD", "R11", r)
	}
	g.op("SUBS", "$1", "R13")
	g.op("BNE", loop)
	g.at(store)
}

// step adds one row of B, at the addresses in b, to the sums.
func (g neonTile) step(b []string) {
	loadA := func(i int) { g.op("FMOVS", fmt.Sprintf("(R%d)(R8)", i), fmt.Sprintf("F%d", firstA+i%4)) }
	loadB := func(p int) {
		first, last := fmt.Sprintf("(%s)", b[p]), fmt.Sprintf("32(%s)", b[p])
		if g.panels == 1 {
			last = "(R10)"
		}
		g.move(true, firstB, first)
		g.move(true, firstB+g.per(), last)
	}
	loadB(0)
	for i := range min(g.rows, 4) {
		loadA(i)
	}
	for p := range g.panels {
		if p > 0 {
			loadB(p)
		}
		for i := range g.rows {
			if i >= 4 {
				loadA(i)
			}
			for j := range 2 * g.per() {
				g.mulAddElement(i*g.columns()+2*g.per()*p+j, firstB+j, firstA+i%4)
			}
		}
	}
}

// store writes max(sum, floor) to C.
func (g neonTile) store() {
	g.op("FMOVS", fieldAt("floor", "R6"), "F24")
	g.op("VDUP", "V24.S[0]", "V24.S4")
	g.op("MOVD", "R14", "R16")
	for i := range g.rows {
		for v := i * g.columns(); v < (i+1)*g.columns(); v++ {
			g.vector3("FMAX", v, v, 24)
		}
		g.row(false, i)
		if i < g.rows-1 {
			g.op("ADD", "R15", "R16")
		}
	}
}

// row prints the loads or stores of row i of C, or of init: R16 points to it. If there is but one panel, its last half
// begins R22 bytes further.
func (g neonTile) row(load bool, i int) {
	if g.panels == 1 {
		g.op("ADD", "R22", "R16", "R17")
	}
	v := i * g.columns()
	for p := range g.panels {
		last := fmt.Sprintf("%d(R16)", 64*p+32)
		if g.panels == 1 {
			last = "(R17)"
		}
		g.move(load, v, fmt.Sprintf("%d(R16)", 64*p))
		g.move(load, v+g.per(), last)
		v += 2 * g.per()
	}
}

// move prints the load or store of a half in registers from v on: two of them for 8 columns.
func (g neonTile) move(load bool, v int, address string) {
	mnemonic, registers := map[int]string{8: "FLDPQ", 4: "FMOVQ", 2: "FMOVD", 1: "FMOVS"}[g.half], fmt.Sprintf("F%d", v)
	if g.half == 8 {
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
