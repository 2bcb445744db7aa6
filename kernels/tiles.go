package kernels

import (
	"math"
	"unsafe"
)

// A tileCall is what a gemmTile computes: n columns of C, in as many blocks of its rows as blocks says. Each sum starts from init, whose rows
// are initRow apart, or from 0 if that is nil, adds a·b for k ascending with one rounding each, and ends as max(sum,
// floor). Strides are in bytes, and aRow or aCol is 4; columns of B lie in panels, bPanel bytes apart. A tile of dot products
// adds them to init; it has an aCol and a bRow of 4, and panels of one column. A tile may change blocks, a, c and init. The
// generator knows the order of the fields.
type tileCall struct {
	k, blocks, n int
	a            *float32
	aRow, aCol   int
	b            *float32
	bRow, bPanel int
	c            *float32
	cRow         int
	init         *float32
	initRow      int
	floor        float32
}

type gemmTile = func(call *tileCall)

// tiles is how a SIMD level multiplies matrices.
type tiles struct {
	lanes     int                                                                      // of a register
	panel     int                                                                      // columns of a panel of B
	wide      int                                                                      // columns of the widest tile
	byRows    []gemmTile                                                               // byRows[i] computes i+1 rows
	narrow    []narrowTiles                                                            // of products of few columns, the fewest first
	dots      []gemmTile                                                               // dots[i] computes i+1 rows of dot products
	transpose func(rows, cols int, dst *float32, dstRow int, src *float32, srcRow int) // up to 16 rows to columns
	deepest   int                                                                      // rows of B per pass: a panel of them stays in the first cache
	block     int                                                                      // floats of A that stay in the second cache meanwhile
}

// narrowTiles are tiles for products of up to so many columns and from a depth on.
type narrowTiles struct {
	columns int
	depth   int
	byRows  []gemmTile
	from    ISA    // the level that they belong to
	why     string // for [Table.Describe]
}

const (
	maxCall   = 1 << 18 // multiply-adds in a call, which is not preempted: a few microseconds
	maxMoved  = 1 << 16 // floats that a call reads and writes, should they come from main memory
	maxBlocks = 1 << 7  // blocks of rows in a call, should there be next to nothing to compute
	shareFrom = 1 << 20 // multiply-adds of a product that is worth sharing: it takes tens of microseconds
	inPlace   = 1 << 15 // floats of an operand that are read where they lie
)

// begin sets where the sums of a product begin and what bounds them.
func (t *tileCall) begin(bias []float32, act Activation, accumulate bool) {
	t.init, t.floor = unsafe.SliceData(bias), minusInf32
	if accumulate {
		t.init, t.initRow = t.c, t.cRow
	}
	if act == ReLU {
		t.floor = 0
	}
}

var minusInf32 = float32(math.Inf(-1))

// A product is C = act(A·B + bias), or C += A·B: more than one call of a tile.
type product struct {
	tileCall // blocks is not set, and n is all columns
	rows     int
	bCol     int  // bytes, like the other strides; not 4 where B is to be transposed
	copyB    bool // into panels first
	dots     bool // of rows of A and columns of B that lie in memory as rows do
}

// Products and matrices are filled field by field: a composite literal is made elsewhere and copied by wider loads than the
// stores it waits for, which costs as much as a small product.

func (g *level) gemm(s *Scratch, c *Matrix, a *float32, aRow, aCol int, b *Matrix, e *Epilogue) {
	var p product
	p.rows, p.n, p.k = c.Rows, c.Cols, b.Rows
	p.a, p.aRow, p.aCol = a, 4*aRow, 4*aCol
	p.b, p.bRow, p.bCol, p.bPanel = unsafe.SliceData(b.Data), 4*b.Stride, 4, 4*g.panel
	p.c, p.cRow = unsafe.SliceData(c.Data), 4*c.Stride
	p.begin(e.Bias, e.Act, e.Accumulate)
	if tiles := g.of(p.n, p.k); isCall(len(tiles), g.deepest, p.rows, p.k, p.n) {
		p.blocks = 1
		tiles[p.rows-1](noescape(&p.tileCall))
	} else {
		// Rows that are a multiple of 2 KiB apart fall into so few sets of the first cache that eight of them fill it, of 4 KiB
		// that they disturb each other all the time.
		p.copyB = p.rows >= 48 && (p.k*p.n > inPlace || p.k > 8 && p.bRow%2048 == 0) || p.rows >= 16 && p.k > 8 && p.bRow%4096 == 0
		g.run(s, &p)
	}
	g.finish(c, c.Rows, e.Act)
}

// gemmTN lays a product on its side if its columns leave a quarter of the vectors empty or more: Cᵀ = Bᵀ·A has the same sums in
// the same order. They must be long enough to pay for a transposition. A bias belongs to columns and stays upright.
func (g *level) gemmTN(s *Scratch, c, a, b *Matrix, e *Epilogue) {
	column := c.Cols == 1 && c.Stride == 1 // is its own transpose
	lanes := (c.Cols + g.lanes - 1) &^ (g.lanes - 1)
	if e.Bias != nil || !column && (c.Cols > 12 || 4*c.Cols > 3*lanes || c.Cols == 0 || c.Rows < max(16, 2*c.Cols) || b.Rows < 32) {
		g.gemm(s, c, unsafe.SliceData(a.Data), 1, a.Stride, b, e)
		return
	}
	var side Matrix
	side.Rows, side.Cols, side.Stride, side.Data = c.Cols, c.Rows, c.Rows, c.Data
	if column {
		g.gemm(s, &side, unsafe.SliceData(b.Data), 1, b.Stride, a, e)
		return
	}
	if s == nil {
		s = new(Scratch)
	}
	side.Stride = (c.Rows + 15) &^ 15 // what transposes fills sixteen columns
	s.c = grow(s.c, side.Rows*side.Stride+c.Rows*16)
	upright := s.c[side.Rows*side.Stride:]
	if side.Data = s.c; e.Accumulate {
		for i := 0; i < c.Rows; i += 16 {
			g.columnsOf(min(16, c.Rows-i), c.Cols, &side.Data[i], 4*side.Stride, c.row(i), 4*c.Stride)
		}
	}
	g.gemm(s, &side, unsafe.SliceData(b.Data), 1, b.Stride, a, e)
	g.columnsOf(side.Rows, side.Cols, &upright[0], 64, side.row(0), 4*side.Stride)
	for i, rows := range parts(c.Rows, flatCall/16) {
		g.copy(rows, c.Cols, c.row(i), 4*c.Stride, &upright[16*i], 64)
	}
}

// dots reports whether a product with the transpose of B[n,k] is made of dot products, on every SIMD level. It must not depend
// on the rows of the product: a row would not have the same bits alone then. The fold of a short sum costs more than the sum, but so does
// the other way where there are few columns.
func dots(n, k int) bool { return k >= 64 || k >= 32 && n <= 8 }

// deepestDots is how many terms of a dot product the lanes sum at most: four rows of A and eight of B then stay in the first
// cache. It is part of the numeric contract.
const deepestDots = 512

// gemmNT multiplies by the rows of B as they are, or transposes B into panels.
func (g *level) gemmNT(s *Scratch, c, a, b *Matrix, e *Epilogue) {
	var p product
	p.rows, p.n, p.k = c.Rows, c.Cols, b.Cols
	p.a, p.aRow, p.aCol = unsafe.SliceData(a.Data), 4*a.Stride, 4
	p.b, p.bRow, p.bCol, p.bPanel = unsafe.SliceData(b.Data), 4, 4*b.Stride, 4*b.Stride
	p.dots = dots(p.n, p.k)
	p.copyB = !p.dots
	p.c, p.cRow = unsafe.SliceData(c.Data), 4*c.Stride
	p.begin(e.Bias, e.Act, e.Accumulate)
	if tiles, deepest := g.tilesOf(&p); isCall(len(tiles), deepest, p.rows, p.k, p.n) {
		if !p.dots {
			if s == nil {
				s = new(Scratch)
			}
			g.panels(s, &p)
		}
		p.blocks = 1
		tiles[p.rows-1](noescape(&p.tileCall))
	} else {
		g.run(s, &p)
	}
	g.finish(c, c.Rows, e.Act)
}

func (g *level) dense(s *Scratch, y, x *Matrix, w *PackedB, act Activation) {
	var p product
	g.prepare(&p, y, x, w, act)
	if tiles := g.of(p.n, p.k); isCall(len(tiles), g.deepest, p.rows, p.k, p.n) {
		p.blocks = 1
		tiles[p.rows-1](noescape(&p.tileCall))
	} else {
		g.run(s, &p)
	}
	g.finish(y, y.Rows, act)
}

// finish applies the activations that a tile cannot to the first rows.
func (g *level) finish(c *Matrix, rows int, act Activation) {
	if act > ReLU {
		g.activateRows(c, rows, act)
	}
}

func (g *level) activateRows(c *Matrix, rows int, act Activation) {
	var m Matrix
	m.Data, m.Rows, m.Cols, m.Stride = c.Data, rows, c.Cols, c.Stride
	flatten(&m)
	g.activateColumns(&m, &m, nil, act)
}

// of returns the tiles for a product of n columns, by rows.
func (g *level) of(n, k int) []gemmTile {
	for i := range g.narrow {
		if n <= g.narrow[i].columns && k >= g.narrow[i].depth {
			return g.narrow[i].byRows
		}
	}
	return g.byRows
}

// tilesOf returns the tiles for a product, by rows, and how many rows of B they take at most.
func (g *level) tilesOf(p *product) (tiles []gemmTile, deepest int) {
	if p.dots {
		return g.dots, deepestDots
	}
	return g.of(p.n, p.k), g.deepest
}

// isCall reports whether one call computes a product, given the rows and the depth of the largest tile.
func isCall(highest, deepest, rows, k, n int) bool {
	return uint(rows-1) < uint(highest) && k > 0 && n > 0 && k <= deepest && rows*k*n <= maxCall && k*n+rows*(2*n+k) <= maxMoved
}

// run computes a product that is more.
func (g *level) run(s *Scratch, p *product) {
	if p.k == 0 { // A and B have no memory to point into
		p.aRow, p.aCol, p.bRow, p.bCol, p.bPanel = 0, 0, 0, 0, 0
	}
	tiles, deepest := g.tilesOf(p)
	switch {
	case p.rows == 0 || p.n == 0:
	case s != nil && s.Pool != nil && p.rows*p.n*p.k >= shareFrom:
		g.share(s, p)
	case p.k <= deepest && p.rows*p.k <= inPlace/4 && (p.rows > 3 || p.k*g.wide <= maxMoved) && !p.copyB:
		g.allColumns(p, tiles)
	default:
		g.blocked(s, p)
	}
}

// A shared product is computed in parts by the workers of a pool: each has some of the columns, and so its own part of B,
// or some of the rows if there are few columns.
type shared struct {
	level     *level
	product   product
	rows      int // of a part
	cols      int
	scratches []Scratch      // one for each part
	part      func(part int) // is made once
}

func (g *level) share(s *Scratch, p *product) {
	if s.shared == nil {
		s.shared = new(shared)
		s.shared.part = s.shared.compute
	}
	sh := s.shared
	sh.level, sh.product = g, *p
	sh.rows, sh.cols = p.rows, p.n
	parts := 2 * s.Pool.Workers() // a late worker leaves more to the others
	if p.n >= 2*parts*g.panel || p.n > p.rows {
		sh.cols = ((p.n+parts-1)/parts + g.panel - 1) / g.panel * g.panel
		parts = (p.n + sh.cols - 1) / sh.cols
	} else {
		tiles, _ := g.tilesOf(p)
		height := len(tiles)
		sh.rows = ((p.rows+parts-1)/parts + height - 1) / height * height
		parts = (p.rows + sh.rows - 1) / sh.rows
	}
	for len(sh.scratches) < parts {
		sh.scratches = append(sh.scratches, Scratch{})
	}
	s.Pool.Do(parts, sh.part)
	sh.product = product{} // keeps no operand alive
}

func (sh *shared) compute(part int) {
	p := sh.product
	row, col := 0, part*sh.cols
	if sh.rows < p.rows {
		row, col = part*sh.rows, 0
	}
	p.rows, p.n = min(sh.rows, p.rows-row), min(sh.cols, p.n-col)
	p.a = offset(p.a, row*p.aRow)
	if p.bCol == 4 {
		p.b = offset(p.b, col/sh.level.panel*p.bPanel)
	} else {
		p.b = offset(p.b, col*p.bCol)
	}
	p.c = offset(p.c, row*p.cRow+4*col)
	if p.init != nil {
		p.init = offset(p.init, row*p.initRow+4*col)
	}
	sh.level.blocked(&sh.scratches[part], &p)
}

// blocked goes through blocks of k, then blocks of rows, then panels: a panel of B waits in the first cache while the
// block of A passes by from the second one. Blocks of both are copied where they lie in too many pages and too few sets
// of the caches.
func (g *level) blocked(s *Scratch, p *product) {
	if s == nil && p.copyB {
		s = new(Scratch)
	}
	whole := *p
	tiles, deepest := g.tilesOf(p)
	if p.rows <= 3 && !p.dots {
		deepest = min(deepest, maxMoved/g.wide)
	}
	passes, vectors := max(1, (p.k+deepest-1)/deepest), (p.k+15)/16
	for pass := range passes {
		from, to := pass*vectors/passes*16, (pass+1)*vectors/passes*16
		p.k = min(to, whole.k) - from
		p.floor = minusInf32
		if from+p.k == whole.k {
			p.floor = whole.floor
		}
		p.b, p.bRow, p.bPanel = offset(whole.b, from*whole.bRow), whole.bRow, whole.bPanel
		if p.copyB {
			g.panels(s, p)
		}
		height, tall := len(tiles), whole.rows
		if whole.rows*p.k > g.block {
			tall = max(1, g.block/p.k/height) * height
		}
		for i := 0; i < whole.rows; i += tall {
			p.rows = min(tall, whole.rows-i)
			p.a, p.aRow, p.aCol = offset(whole.a, from*whole.aCol+i*whole.aRow), whole.aRow, whole.aCol
			p.c = offset(whole.c, i*p.cRow)
			p.init = offset(whole.init, i*whole.initRow)
			if from > 0 {
				p.init, p.initRow = p.c, p.cRow
			}
			g.copyA(s, p)
			g.allColumns(p, tiles)
		}
	}
}

// allColumns computes a block of rows.
func (g *level) allColumns(p *product, tiles []gemmTile) {
	a, b, c, init, n := p.a, p.b, p.c, p.init, p.n
	most := len(tiles)
	blocks := (p.rows + most - 1) / most
	tallest := (p.rows + blocks - 1) / blocks // even blocks are faster than full ones and a small rest
	width, panel := n, g.panel
	if p.dots {
		panel = 1
	}
	switch {
	case p.dots && blocks > 1: // B waits in the first cache while A passes by, eight rows of it if they are long
		width = max(8, 1<<12/p.k&^7)
	case p.k > 32 && p.k*n > 1<<12 && p.rows > 3: // with few sums it is C that passes by, in the order of its memory
		width = g.panel
	case tallest*n*p.k > maxCall || p.k*n+2*tallest*n > maxMoved:
		width = min(maxCall/(tallest*max(p.k, 1)), maxMoved/(p.k+2*tallest))
		width = max(g.wide, width/g.wide*g.wide)
	}
	for j := 0; j < n; j += width {
		p.n = min(width, n-j)
		if j > 0 {
			p.b = offset(b, j/panel*p.bPanel)
		}
		height := tallest
		less := height*blocks - p.rows // blocks that have one row less
		perCall := min(blocks, maxBlocks)
		if lanes := (p.n + 15) &^ 15; blocks*height*lanes*p.k > maxCall || blocks*height*(2*p.n+p.k) > maxMoved {
			perCall = max(1, min(perCall, maxCall/(height*lanes*max(p.k, 1)), maxMoved/(height*(2*p.n+p.k))))
		}
		for i, left := 0, blocks; left > 0; {
			if left == less {
				height--
				less = 0
			}
			count := min(left-less, perCall)
			p.blocks = count
			p.a, p.c = offset(a, i*p.aRow), offset(c, i*p.cRow+4*j)
			if init != nil {
				p.init = offset(init, i*p.initRow+4*j)
			}
			if i+j > 0 {
				safePoint()
			}
			tiles[height-1](noescape(&p.tileCall))
			left -= count
			i += count * height
		}
	}
	p.b, p.n = b, n
}

// panels copies k rows of B into panels. It reads memory in order: rows of B as they are, or 16 rows of its transpose at a
// time.
func (g *level) panels(s *Scratch, p *product) {
	panel := p.k*g.panel + 16 // a cache line more than needed keeps panels from falling into the same sets
	s.b = grow(s.b, (p.n+g.panel-1)/g.panel*panel)
	src, row := p.b, p.bRow
	p.b, p.bRow, p.bPanel = unsafe.SliceData(s.b), 4*g.panel, 4*panel
	if p.bCol != 4 {
		for j, to := 0, 0; j < p.n && p.k > 0; j += 16 {
			g.columnsOf(min(16, p.n-j), p.k, &s.b[to], p.bRow, offset(src, j*p.bCol), p.bCol)
			if to += 16; (j+16)&(g.panel-1) == 0 {
				to += panel - g.panel
			}
		}
		return
	}
	whole, rest := p.n/g.panel, p.n%g.panel
	for i := range p.k {
		for from, n := range parts(whole, flatCall/g.panel) {
			g.copy(n, g.panel, &s.b[i*g.panel+from*panel], p.bPanel, offset(src, i*row+from*p.bRow), p.bRow)
		}
		safePoint()
	}
	if rest > 0 {
		for from, n := range parts(p.k, flatCall/g.panel) {
			g.copy(n, rest, &s.b[whole*panel+from*g.panel], p.bRow, offset(src, whole*p.bRow+from*row), row)
		}
	}
}

// copy copies rows.
func (g *level) copy(rows, cols int, dst *float32, dstRow int, src *float32, srcRow int) {
	g.functions.activate[Linear](rows, cols, dst, dstRow, src, srcRow, nil)
}

// columnsOf makes up to 16 rows columns.
func (g *level) columnsOf(rows, cols int, dst *float32, dstRow int, src *float32, srcRow int) {
	safePoint()
	for from, n := range parts(cols, rowCall/16) {
		g.transpose(rows, n, offset(dst, from*dstRow), dstRow, offset(src, 4*from), srcRow)
	}
}

// copyA copies a block of A, by rows, if there are enough columns to make that pay.
func (g *level) copyA(s *Scratch, p *product) {
	row := (p.k+15)&^15 + 16
	switch {
	case s == nil:
		return
	case p.aCol != 4 && p.n >= 4*g.panel && p.rows*p.k > inPlace/4:
		s.a = grow(s.a, p.rows*row)
		for k := 0; k < p.k; k += 16 {
			g.columnsOf(min(16, p.k-k), p.rows, &s.a[k], 4*row, offset(p.a, k*p.aCol), p.aCol)
		}
	case p.aCol == 4 && p.aRow >= 2048 && p.rows >= 32 && p.n >= 8*g.panel:
		s.a = grow(s.a, p.rows*row)
		for i := 0; i < p.rows; i += 16 {
			safePoint()
			g.copy(min(16, p.rows-i), p.k, &s.a[i*row], 4*row, offset(p.a, i*p.aRow), p.aRow)
		}
	default:
		return
	}
	p.a, p.aRow, p.aCol = &s.a[0], 4*row, 4
}

// offset returns the address that is bytes further. It must lie in the operand: the garbage collector looks at it.
func offset(p *float32, bytes int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes)) }
