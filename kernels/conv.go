package kernels

// A convolution is a product whose left operand is never in memory as a whole: Patches of a block of places, which stay in the
// second cache, are multiplied before the next ones are gathered. The results do not depend on the blocks.

// Conv computes y = act(p·w + bias) for the patches p of the images x, see [Table.Patches]: w, packed by the same table, has
// v.Elements() rows. y has x.Rows·v.Places() rows and must not share memory with x. The result has the bits of [Table.Patches]
// and [Table.Dense]. A nil Scratch is legal, but allocates.
func (t *Table) Conv(s *Scratch, y, x Matrix, v *Window, w *PackedB, act Activation) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "Conv"
	if err := v.check(kernel, operand{"x", x}, operand{"y", y}, y.Cols); err != nil {
		return err
	}
	if err := t.checkWeights(kernel, y.Cols, v.Elements(), w, act); err != nil {
		return err
	}
	raceReads(x, vector(w.data), vector(w.bias))
	raceWrites(y)
	c := s.convolution(t, v)
	c.y, c.x, c.w, c.act, c.do = y, x, w, act, (*convolution).forward
	c.run(y.Rows, y.Rows*y.Cols*v.Elements())
	return nil
}

// ConvWeightsGrad computes dw = pᵀ·dy, or adds it to dw if accumulate is set: the gradient of [Table.Conv] by the weights,
// [v.Elements(), dy.Cols], for the gradient dy by the sums. A nil Scratch is legal, but allocates.
func (t *Table) ConvWeightsGrad(s *Scratch, dw, x, dy Matrix, v *Window, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "ConvWeightsGrad"
	if err := v.check(kernel, operand{"x", x}, operand{"dy", dy}, dy.Cols); err != nil {
		return err
	}
	if err := (operand{"dw", dw}).check(kernel); err != nil {
		return err
	}
	if dw.Rows != v.Elements() || dw.Cols != dy.Cols {
		return shapeError(kernel, "dw is %dx%d, the weights are %dx%d", dw.Rows, dw.Cols, v.Elements(), dy.Cols)
	}
	raceReads(x, dy)
	raceWrites(dw)
	if !accumulate {
		clearGrid(dw.Rows, dw.Cols, grid{dw.Data, dw.Stride})
	}
	c := s.convolution(t, v)
	c.y, c.x, c.dw, c.do = dy, x, dw, (*convolution).weights
	c.run(v.Size[0]*v.Size[1], dy.Rows*dy.Cols*v.Elements())
	return nil
}

// ConvInputGrad computes the gradient of [Table.Conv] by the images, or adds it to dx if accumulate is set, for the gradient
// dy by the sums. w has the transposed weights, [dy.Cols, v.Elements()], packed without a bias. A nil Scratch is legal, but
// allocates.
func (t *Table) ConvInputGrad(s *Scratch, dx, dy Matrix, v *Window, w *PackedB, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "ConvInputGrad"
	if err := v.check(kernel, operand{"dx", dx}, operand{"dy", dy}, dy.Cols); err != nil {
		return err
	}
	if err := t.checkWeights(kernel, v.Elements(), dy.Cols, w, Linear); err != nil {
		return err
	}
	raceReads(dy, vector(w.data))
	raceWrites(dx)
	if !accumulate {
		clearGrid(dx.Rows, dx.Cols, grid{dx.Data, dx.Stride})
	}
	c := s.convolution(t, v)
	c.y, c.x, c.w, c.do = dy, dx, w, (*convolution).input
	c.run(dx.Rows, dy.Rows*dy.Cols*v.Elements())
	return nil
}

// checkWeights reports packed weights that are not rows x cols.
func (t *Table) checkWeights(kernel string, cols, rows int, w *PackedB, act Activation) error {
	switch {
	case w == nil:
		return shapeError(kernel, "w is nil: use Table.Pack")
	case w.level != t.level:
		return shapeError(kernel, "w is packed for %s, the table is %s", w.level.nameOf(), t.level.nameOf())
	case w.rows != rows || w.cols != cols:
		return shapeError(kernel, "w is %dx%d, must be %dx%d", w.rows, w.cols, rows, cols)
	}
	return act.check(kernel)
}

// A convolution is one call, which workers share in parts.
type convolution struct {
	table    *Table
	window   Window
	y, x, dw Matrix
	w        *PackedB
	act      Activation
	do       func(c *convolution, s *Scratch, from, to int)

	scratch   *Scratch
	units     int // of what the parts are ranges
	parts     int
	scratches []Scratch      // one for each part
	part      func(part int) // is made once
}

// convolution returns the one that s keeps.
func (s *Scratch) convolution(t *Table, v *Window) *convolution {
	if s == nil {
		s = new(Scratch)
	}
	c := s.conv
	if c == nil {
		c = new(convolution)
		c.part = func(part int) { c.do(c, &c.scratches[part], part*c.units/c.parts, (part+1)*c.units/c.parts) }
		s.conv = c
	}
	c.table, c.window, c.scratch = t, *v, s
	return c
}

// run does all units, with the workers of the pool if the work is worth it.
func (c *convolution) run(units, work int) {
	if pool := c.scratch.Pool; pool == nil || pool.Workers() == 1 || work < shareFrom || units < 2 {
		c.do(c, c.scratch, 0, units)
	} else {
		c.units, c.parts = units, min(units, pool.Workers())
		for len(c.scratches) < c.parts {
			c.scratches = append(c.scratches, Scratch{})
		}
		pool.Do(c.parts, c.part)
	}
	*c = convolution{scratches: c.scratches, part: c.part} // keeps no operand alive
}

// forward computes rows of y.
func (c *convolution) forward(s *Scratch, from, to int) {
	k := c.window.Elements()
	most := min(blockOf(k), to-from)
	s.patches = grow(s.patches, most*k)
	for row := from; row < to; row += most {
		n := min(most, to-row)
		c.table.patches(grid{s.patches, k}, &c.x, &c.window, row, row+n, 0, c.window.Size[0]*c.window.Size[1])
		c.table.multiply(s, c.y.RowRange(row, row+n), MatrixOf(s.patches, n, k), c.w, c.act)
	}
}

// weights computes the rows of dw that belong to some elements of the window.
func (c *convolution) weights(s *Scratch, from, to int) {
	t, k := c.table, (to-from)*c.window.Channels
	dw, most := c.dw.RowRange(from*c.window.Channels, to*c.window.Channels), min(blockOf(k), c.y.Rows)
	s.patches = grow(s.patches, most*k)
	for row := 0; row < c.y.Rows; row += most {
		n := min(most, c.y.Rows-row)
		t.patches(grid{s.patches, k}, &c.x, &c.window, row, row+n, from, to)
		dy := c.y.RowRange(row, row+n)
		if t.level == nil {
			gemmGeneric(dw, s.patches, 1, k, dy, Epilogue{Accumulate: true})
		} else {
			t.level.gemm(s, &dw, &s.patches[0], 1, k, &dy, &Epilogue{Accumulate: true})
		}
	}
}

// input computes the gradients of some images. A block begins where an image does or so many blocks behind that, so that the
// order of the terms of a sum does not depend on the batch.
func (c *convolution) input(s *Scratch, from, to int) {
	k, places := c.window.Elements(), c.window.Places()
	most := blockOf(k)
	if most > places {
		most = min(most/places, to-from) * places
	}
	s.patches = grow(s.patches, most*k)
	for row := from * places; row < to*places; {
		n := min(most, to*places-row)
		if most < places {
			n = min(most, places-row%places)
		}
		c.table.multiply(s, MatrixOf(s.patches, n, k), c.y.RowRange(row, row+n), c.w, Linear)
		c.table.addPatches(&c.x, grid{s.patches, k}, &c.window, row, row+n)
		row += n
	}
}

// blockOf returns how many patches of k floats are multiplied at a time: what stays in the second cache, but enough rows to pay
// for reading the weights.
func blockOf(k int) int {
	const cached, most, enough = 1 << 15, 1 << 20, 1 << 6
	return max(cached/k, min(enough, most/k), 1)
}

// multiply is Dense of what has been checked.
func (t *Table) multiply(s *Scratch, y, x Matrix, w *PackedB, act Activation) {
	if t.level == nil {
		gemmGeneric(y, x.Data, x.Stride, 1, MatrixOf(w.data, w.rows, w.cols), Epilogue{Bias: w.bias, Act: act})
	} else {
		t.level.dense(s, &y, &x, w, act)
	}
}
