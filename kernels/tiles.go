package kernels

import (
	"math"
	"unsafe"
)

// A gemmTile computes blocks blocks of a fixed number of rows by n columns of C: each sum starts from 0, from the
// column's element of init or from C itself (mode 0, 1, 2), adds a·b for k ascending with one rounding each, and ends as
// max(sum, floor). Strides are in bytes; columns of B lie in panels, bPanel bytes apart.
type gemmTile func(k, blocks, n int, a *float32, aRow, aCol int, b *float32, bRow, bPanel int, c *float32, cRow int, init *float32, mode int, floor float32)

const (
	fromZero = iota
	fromInit
	fromC
)

// tiles is how a SIMD level multiplies matrices.
type tiles struct {
	panel     int                                                                      // columns of a panel of B
	wide      int                                                                      // columns of the widest tile
	byRows    []gemmTile                                                               // byRows[i] computes i+1 rows
	transpose func(rows, cols int, dst *float32, dstRow int, src *float32, srcRow int) // up to 8 rows to columns
	deepest   int                                                                      // rows of B per pass: a panel of them stays in the first cache
	slab      int                                                                      // floats of B that a pass over the rows keeps in the second cache
	activate  func(y, x Matrix, bias []float32, act Activation)                        // what a tile cannot: sigmoid and tanh
}

// A call is not preempted, so it is kept to about this many multiply-adds: a few microseconds.
const maxCall = 1 << 18

// A product is C = act(A·B + bias), or C += A·B. Strides are in floats.
type product struct {
	rows, cols, k int
	c             *float32
	cRow          int
	a             *float32
	aRow, aCol    int
	b             *float32
	bRow          int
	bPanel        int // from a panel of B to the next one
	bias          *float32
	act           Activation
	accumulate    bool
}

// gemm reads the operands in place while they are small. Rows of a large B, and columns of a large A, lie in so many
// pages and so few sets of the caches that it pays to copy them first.
func (g *tiles) gemm(s *Scratch, c *Matrix, a *float32, aRow, aCol int, b *Matrix, e *Epilogue) {
	p := product{c.Rows, c.Cols, b.Rows, unsafe.SliceData(c.Data), c.Stride, a, aRow, aCol,
		unsafe.SliceData(b.Data), b.Stride, g.panel, unsafe.SliceData(e.Bias), e.Act, e.Accumulate}
	if aCol != 1 && p.cols >= 4*g.panel && p.rows*p.k > inPlace {
		// One cache line more than needed keeps rows from falling into the same sets.
		p.aRow, p.aCol = (p.k+7)&^7+16, 1
		s.a = grow(s.a, p.rows*p.aRow)
		p.a = &s.a[0]
		for k := 0; k < p.k; k += 8 {
			g.transpose(min(8, p.k-k), p.rows, &s.a[k], 4*p.aRow, offset(a, k*aCol), 4*aCol)
		}
	}
	if p.rows >= 32 && p.k*p.cols > inPlace {
		panels := (p.cols + g.panel - 1) / g.panel
		s.b = grow(s.b, panels*p.k*g.panel)
		pack(s.b, *b, g.panel)
		p.b, p.bRow, p.bPanel = &s.b[0], g.panel, p.k*g.panel
	}
	g.run(&p)
}

// inPlace is how many floats of an operand are read where they lie.
const inPlace = 1 << 15

// gemmNT transposes B into panels first: for the weights of a layer that costs less than a row or two of the product.
func (g *tiles) gemmNT(s *Scratch, c, a, b *Matrix, e *Epilogue) {
	n, k := b.Rows, b.Cols
	panels := (n + g.panel - 1) / g.panel
	s.b = grow(s.b, panels*k*g.panel)
	const rows = 8
	for j := 0; j < n && k > 0; j += rows {
		to := j/g.panel*k*g.panel + j%g.panel
		g.transpose(min(rows, n-j), k, &s.b[to], 4*g.panel, &b.Data[j*b.Stride], 4*b.Stride)
	}
	g.run(&product{c.Rows, c.Cols, k, unsafe.SliceData(c.Data), c.Stride, unsafe.SliceData(a.Data), a.Stride, 1,
		unsafe.SliceData(s.b), g.panel, k * g.panel, unsafe.SliceData(e.Bias), e.Act, e.Accumulate})
}

func (g *tiles) dense(y, x *Matrix, w *PackedB, act Activation) {
	g.run(&product{y.Rows, y.Cols, w.rows, unsafe.SliceData(y.Data), y.Stride, unsafe.SliceData(x.Data), x.Stride, 1,
		unsafe.SliceData(w.data), g.panel, w.rows * g.panel, unsafe.SliceData(w.bias), act, false})
}

func (g *tiles) run(p *product) {
	if p.rows == 0 || p.cols == 0 {
		return
	}
	if p.k == 0 { // A and B have no memory to point into
		p.aRow, p.aCol, p.bRow, p.bPanel = 0, 0, 0, 0
	}
	mode, floor := fromZero, float32(math.Inf(-1))
	switch {
	case p.accumulate:
		mode = fromC
	case p.bias != nil:
		mode = fromInit
	}
	if p.act == ReLU {
		floor = 0
	}
	if p.rows <= len(g.byRows) && p.k <= g.deepest && p.rows*p.cols*p.k <= maxCall {
		g.byRows[p.rows-1](p.k, 1, p.cols, p.a, 4*p.aRow, 4*p.aCol, p.b, 4*p.bRow, 4*p.bPanel, p.c, 4*p.cRow, p.bias, mode, floor)
	} else {
		g.blocked(p, mode, floor)
	}
	if p.act == Sigmoid || p.act == Tanh {
		c := Matrix{unsafe.Slice(p.c, (p.rows-1)*p.cRow+p.cols), p.rows, p.cols, p.cRow}
		flatten(&c)
		g.activate(c, c, nil, p.act)
	}
}

// blocked goes through blocks of k, then slabs of columns, then blocks of rows.
func (g *tiles) blocked(p *product, mode int, floor float32) {
	for from := 0; from == 0 || from < p.k; from += g.deepest {
		k := min(g.deepest, p.k-from)
		bound := floor
		if from+k < p.k {
			bound = float32(math.Inf(-1))
		}
		width := p.cols
		if k*width > g.slab {
			width = max(g.wide, g.slab/k/g.wide*g.wide)
		}
		for j := 0; j < p.cols; j += width {
			b := offset(p.b, from*p.bRow+j/g.panel*p.bPanel)
			g.slabOf(p, offset(p.a, from*p.aCol), b, k, j, min(width, p.cols-j), mode, bound)
		}
		mode = fromC
	}
}

// slabOf computes all rows of n columns of C from column j on, for k rows of B.
func (g *tiles) slabOf(p *product, a, b *float32, k, j, n, mode int, floor float32) {
	blocks := (p.rows + len(g.byRows) - 1) / len(g.byRows)
	height := (p.rows + blocks - 1) / blocks // even blocks are faster than full ones and a small rest
	perCall := max(1, maxCall/(height*n*max(k, 1)))
	small := height*blocks - p.rows // blocks that have one row less
	init := p.bias
	if mode == fromInit {
		init = offset(init, j)
	}
	for i, left := 0, blocks; left > 0; {
		if left == small {
			height--
			small = 0
		}
		count := min(left-small, perCall)
		g.byRows[height-1](k, count, n, offset(a, i*p.aRow), 4*p.aRow, 4*p.aCol, b, 4*p.bRow, 4*p.bPanel,
			offset(p.c, i*p.cRow+j), 4*p.cRow, init, mode, floor)
		left -= count
		i += count * height
	}
}

// offset returns the address n floats further.
func offset(p *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*n)) }
