package kernels

import (
	"errors"
	"unsafe"
)

// BoundDense is a dense layer whose operands stay, checked once: a call costs little more than the arithmetic. Make it
// with [Table.Bind]. One goroutine may use it at a time.
type BoundDense struct {
	table   *Table
	w       *PackedB
	act     Activation
	y, x    Matrix
	product product
	tiles   []gemmTile // tiles[i] computes i+1 rows
	direct  int        // the most rows that are one call
}

// Bind makes d compute y = act(x·w + bias) as [Table.Dense] does, for any number of the first rows of x and y. w must not
// be packed again while d is in use.
func (t *Table) Bind(d *BoundDense, y, x Matrix, w *PackedB, act Activation) error {
	if t.err != nil {
		return t.err
	}
	if err := t.checkDense(y, x, w, act); err != nil {
		return err
	}
	*d = BoundDense{table: t, w: w, act: act, y: y, x: x}
	v := t.level
	if v == nil {
		return nil
	}
	v.prepare(&d.product, &y, &x, w, act)
	d.tiles = v.of(w.cols, w.rows)
	for d.direct < y.Rows && isCall(len(d.tiles), v.deepest, d.direct+1, w.rows, w.cols) {
		d.direct++
	}
	return nil
}

// Move makes d read x from other memory, where its rows lie as far from each other as before.
func (d *BoundDense) Move(x []float32) error {
	m := d.x
	m.Data = x
	if !m.Valid() {
		return operand{"x", m}.check("BoundDense.Move")
	}
	d.x, d.product.a = m, unsafe.SliceData(x)
	return nil
}

// Run computes the first rows rows. A nil Scratch is legal, but may allocate.
func (d *BoundDense) Run(s *Scratch, rows int) error {
	if uint(rows-1) < uint(d.direct) {
		y, x := d.y, d.x
		y.Rows, x.Rows = rows, rows
		raceProduct(y, x, vector(d.w.data), d.w.bias)
		d.product.blocks = 1
		d.tiles[rows-1](&d.product.tileCall)
	} else if err := d.run(s, rows); err != nil {
		return err
	}
	if d.act > ReLU && d.table.level != nil {
		d.table.level.finish(&d.y, rows, d.act)
	}
	return nil
}

// run computes rows that are more than a tile, but for what a tile cannot.
func (d *BoundDense) run(s *Scratch, rows int) error {
	if d.table == nil {
		return errors.New("kernels: BoundDense.Run: nothing is bound: use Table.Bind")
	}
	if rows < 0 || rows > d.y.Rows {
		return shapeError("BoundDense.Run", "%d rows are not from 0 to the %d bound", rows, d.y.Rows)
	}
	y, x := d.y, d.x
	y.Rows, x.Rows = rows, rows
	if d.table.level == nil {
		return d.table.Dense(s, y, x, d.w, d.act)
	}
	raceProduct(y, x, vector(d.w.data), d.w.bias)
	p := d.product
	p.rows = rows
	d.table.level.run(s, &p)
	return nil
}

// prepare fills in the product of a packed layer.
func (g *level) prepare(p *product, y, x *Matrix, w *PackedB, act Activation) {
	p.rows, p.n, p.k = y.Rows, y.Cols, w.rows
	p.a, p.aRow, p.aCol = unsafe.SliceData(x.Data), 4*x.Stride, 4
	p.b, p.bRow, p.bCol, p.bPanel = unsafe.SliceData(w.data), 4*g.panel, 4, 4*g.panel*w.rows
	p.c, p.cRow = unsafe.SliceData(y.Data), 4*y.Stride
	p.begin(w.bias, act, false)
}
