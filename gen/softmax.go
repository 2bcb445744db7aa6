package main

// reciprocal sets d to 1/d.
func (k *kernel) reciprocal(d reg) {
	one := k.uni("")
	k.set(one, f32(1))
	k.div(d, one, d)
	k.free(one)
}

// maxOfRow sets m to the maximum of a row. It may miss a NaN, which then shows in the sum of the exponentials.
func (k *kernel) maxOfRow(m reg, x word) {
	const unroll = 4
	v := k.vec("")
	var tops []reg
	for range unroll {
		tops = append(tops, k.vec(""))
		k.set(tops[len(tops)-1], minusInf)
	}
	k.each(unroll, func(vectors int, at func(word, int) mem) {
		for i := range vectors {
			k.loadLow(v, at(x, i))
			k.max(tops[i], tops[i], v)
		}
	})
	k.max(tops[0], tops[0], tops[1])
	k.max(tops[2], tops[2], tops[3])
	k.max(tops[0], tops[0], tops[2])
	k.foldMax(m, tops[0])
	k.free(v)
	for _, t := range tops {
		k.free(t)
	}
}

// expOfRow visits v = exp(x-m) for each vector of a row and sets total to the sum.
func (k *kernel) expOfRow(total, m reg, x word, visit func(v reg, at func(base word) mem)) {
	sum := k.vec("")
	k.set(sum, num(0))
	k.expOfColumns(sum, m, x, visit)
	k.foldAdd(total, sum)
	k.free(sum)
}

// expOfColumns visits v = exp(x-m) for each vector of a row and adds them to sum.
func (k *kernel) expOfColumns(sum, m reg, x word, visit func(v reg, at func(base word) mem)) {
	low := k.limit(expMin)
	k.each(k.fit(3), func(vectors int, at func(word, int) mem) {
		v := k.vectors(vectors)
		for i := range v {
			k.loadLow(v[i], at(x, i))
		}
		for i := range v {
			k.sub(v[i], v[i], m)
			k.max(v[i], v[i], low)
		}
		v = k.exp(v...)
		for i := range v {
			k.add(sum, sum, v[i])
			if visit != nil {
				visit(v[i], func(base word) mem { return at(base, i) })
			}
		}
		k.freeAll(v)
	})
	k.free(low)
}

// softmaxRow returns exp(x-max) for a row of less than 16 columns; total becomes the sum of that.
func (k *kernel) softmaxRow(m, total reg, x word) reg {
	low := k.limit(expMin)
	v := k.vec("")
	k.loadLow(v, narrow(x))
	k.foldMax(m, v)
	k.sub(v, v, m)
	k.max(v, v, low)
	k.free(low)
	v = k.exp(v)[0]
	k.foldAdd(total, v)
	return v
}

// maxOfRows sets lane i of m to the maximum of row i from x on, of four.
func (k *kernel) maxOfRows(m reg, x word, xRow string) {
	ahead := k.word("row ahead")
	k.move(ahead, x)
	var parts []reg
	for range 4 {
		v, part := k.vec(""), k.uni("")
		k.loadLow(v, narrow(ahead))
		k.halfMax(part, v)
		k.addArg(ahead, xRow)
		k.free(v)
		parts = append(parts, part)
	}
	k.fold4Max(m, parts)
	k.freeAll(parts)
	k.free(ahead)
}

// softmaxFours takes narrow rows by four, moving x: between before, which sees the maxima, and after, which gets
// exp(x-max) of the rows and the sums, it looks for the maxima of the next four rows. Without that the processor would
// wait for each of the long chains of dependent operations in turn.
func (k *kernel) softmaxFours(rows, x word, xRow string, before func(m reg), after func(v []reg, total reg)) {
	again, last, rest := k.fn.label("four"), k.fn.label("last"), k.fn.label("rest")
	k.branch(rows, "<", 4, rest)
	m := k.uni("maxima of four rows")
	k.maxOfRows(m, x, xRow)
	k.fn.at(again)
	if before != nil {
		before(m)
	}
	low, one := k.limit(expMin), k.uni("")
	v := k.vectors(4)
	for i := range v {
		k.loadLow(v[i], narrow(x))
		k.addArg(x, xRow)
		k.shareLane(one, m, i)
		k.sub(v[i], v[i], one)
		k.max(v[i], v[i], low)
	}
	k.free(low, one)
	for i := 0; i < len(v); {
		n := k.fit(2)
		copy(v[i:], k.exp(v[i:i+n]...))
		i += n
	}
	k.addTo(rows, -4)
	k.branch(rows, "<", 4, last)
	k.maxOfRows(m, x, xRow)
	k.fn.at(last)
	total := k.uni("")
	var parts []reg
	for i := range v {
		parts = append(parts, k.uni(""))
		k.halfAdd(parts[i], v[i])
	}
	k.fold4Add(total, parts)
	k.freeAll(parts)
	after(v, total)
	k.freeAll(v)
	k.free(total)
	k.branch(rows, ">=", 4, again)
	k.free(m)
	k.fn.at(rest)
}

// rowsByWidth prints the rows once for less than 16 columns and once for more. Of narrow rows fours, which may be nil,
// leaves at most three.
func (k *kernel) rowsByWidth(rows word, fours, small, large func(), steps ...step) {
	wide, done := k.fn.label("wide"), k.fn.label("finish")
	k.branch(k.full, "!=", 0, wide)
	if fours != nil {
		fours()
	}
	k.rows(rows, small, steps...)
	k.jump(done)
	k.fn.at(wide)
	k.rows(rows, large, steps...)
	k.fn.at(done)
}

// softmaxSlope stores the gradient of a softmax, g holding dy and v holding y, or adds it if add is not 0.
func (k *kernel) softmaxSlope(g, v, dot reg, add word, dx mem) {
	k.sub(g, g, dot)
	k.mul(g, g, v)
	k.unless(add, func() {
		k.load(v, dx)
		k.add(g, g, v)
	})
	k.store(dx, g)
}

func softmax() description {
	return description{"softmax", "rows, cols int, y *float32, yRow int, x *float32, xRow int",
		"y[i,j] = exp(x[i,j]-max) / Σ exp(x[i,j]-max) over j", func(k *kernel) {
			k.columns("cols")
			rows, y, x := k.arg("rows"), k.arg("y"), k.arg("x")
			k.rowsByWidth(rows, func() { k.softmaxOfFours(rows, y, x) }, func() {
				m, total := k.uni(""), k.uni("")
				v := k.softmaxRow(m, total, x)
				k.reciprocal(total)
				k.mul(v, v, total)
				k.store(narrow(y), v)
				k.free(v, m, total)
			}, func() {
				m, total := k.uni("maximum"), k.uni("Σ and 1/Σ")
				k.maxOfRow(m, x)
				k.expOfRow(total, m, x, func(v reg, at func(word) mem) { k.store(at(y), v) })
				k.reciprocal(total)
				v := k.vec("")
				k.each(4, func(vectors int, at func(word, int) mem) {
					for i := range vectors {
						k.load(v, at(y, i))
						k.mul(v, v, total)
						k.store(at(y, i), v)
					}
				})
				k.free(v, m, total)
			}, step{y, "yRow"}, step{x, "xRow"})
		}}
}

// softmaxOfFours is softmax of narrow rows by four.
func (k *kernel) softmaxOfFours(rows, y, x word) {
	k.softmaxFours(rows, x, "xRow", nil, func(v []reg, total reg) {
		k.reciprocal(total)
		one := k.uni("")
		for i := range v {
			k.shareLane(one, total, i)
			k.mul(v[i], v[i], one)
			k.store(narrow(y), v[i])
			k.addArg(y, "yRow")
		}
		k.free(one)
	})
}

func logSoftmax() description {
	return description{"logSoftmax", "rows, cols int, y *float32, yRow int, x *float32, xRow int",
		"y[i,j] = (x[i,j]-max) - log Σ exp(x[i,j]-max) over j", func(k *kernel) {
			k.columns("cols")
			rows, y, x := k.arg("rows"), k.arg("y"), k.arg("x")
			k.rowsByWidth(rows, func() { k.logSoftmaxOfFours(rows, y, x) }, func() {
				m, total := k.uni(""), k.uni("")
				v := k.softmaxRow(m, total, x)
				k.log(total)
				k.load(v, narrow(x))
				k.sub(v, v, m)
				k.sub(v, v, total)
				k.store(narrow(y), v)
				k.free(v, m, total)
			}, func() {
				m, total := k.uni("maximum"), k.uni("Σ and log Σ")
				k.maxOfRow(m, x)
				k.expOfRow(total, m, x, nil)
				k.log(total)
				v := k.vec("")
				k.each(4, func(vectors int, at func(word, int) mem) {
					for i := range vectors {
						k.load(v, at(x, i))
						k.sub(v, v, m)
						k.sub(v, v, total)
						k.store(at(y, i), v)
					}
				})
				k.free(v, m, total)
			}, step{y, "yRow"}, step{x, "xRow"})
		}}
}

// logSoftmaxOfFours is logSoftmax of narrow rows by four. It reads x again, whose registers the exponentials took.
func (k *kernel) logSoftmaxOfFours(rows, y, x word) {
	back, maxima := k.word("x of the results"), k.uni("")
	k.move(back, x)
	k.softmaxFours(rows, x, "xRow", func(m reg) { k.set(maxima, m) }, func(v []reg, total reg) {
		k.log(total)
		one := k.uni("")
		for i := range v {
			k.load(v[i], narrow(back))
			k.addArg(back, "xRow")
			k.shareLane(one, maxima, i)
			k.sub(v[i], v[i], one)
			k.shareLane(one, total, i)
			k.sub(v[i], v[i], one)
			k.store(narrow(y), v[i])
			k.addArg(y, "yRow")
		}
		k.free(one)
	})
	k.free(back, maxima)
}

func softmaxGrad() description {
	return description{"softmaxGrad", "rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int",
		"dx[i,j] = y[i,j] * (dy[i,j] - Σ dy[i,j]*y[i,j] over j), or dx[i,j] += that if add is not 0", func(k *kernel) {
			k.columns("cols")
			p := k.args("rows", "dx", "dy", "y", "add")
			s := slopeKernel{k, p[0], p[1], p[2], p[3], p[4], k.uni("Σ dy*y"), k.vec(""), k.vec(""), k.vec("")}
			k.rowsByWidth(s.count, s.fours, s.narrow, s.wide, step{s.dx, "dxRow"}, step{s.dy, "dyRow"}, step{s.y, "yRow"})
		}}
}

// slopeKernel is the kernel of a softmax's gradient, with the pointers to the row that is next.
type slopeKernel struct {
	*kernel
	count, dx, dy, y, adds word // adds is the parameter add
	dot, g, v, sum         reg  // g and v are dy and y of one vector
}

func (k slopeKernel) read(dy, y mem) {
	k.load(k.g, dy)
	k.load(k.v, y)
}

func (k slopeKernel) write(dx mem) { k.softmaxSlope(k.g, k.v, k.dot, k.adds, dx) }

// fours takes narrow rows by four: it folds their four sums at once, and then reads them again.
func (k slopeKernel) fours() {
	again, rest := k.fn.label("four"), k.fn.label("rest")
	dots, backDY, backY := k.uni("dots of four rows"), k.word("dy of the results"), k.word("y of the results")
	k.move(backDY, k.dy)
	k.move(backY, k.y)
	k.fn.at(again)
	k.branch(k.count, "<", 4, rest)
	var parts []reg
	for i := range 4 {
		parts = append(parts, k.uni(""))
		k.read(narrow(k.dy), narrow(k.y))
		k.mul(k.g, k.g, k.v)
		k.halfAdd(parts[i], k.g)
		k.addArg(k.dy, "dyRow")
		k.addArg(k.y, "yRow")
	}
	k.fold4Add(dots, parts)
	k.freeAll(parts)
	for i := range 4 {
		k.read(narrow(backDY), narrow(backY))
		k.shareLane(k.dot, dots, i)
		k.write(narrow(k.dx))
		k.addArg(backDY, "dyRow")
		k.addArg(backY, "yRow")
		k.addArg(k.dx, "dxRow")
	}
	k.addTo(k.count, -4)
	k.jump(again)
	k.fn.at(rest)
	k.free(dots, backDY, backY)
}

// narrow takes a row of less than 16 columns.
func (k slopeKernel) narrow() {
	k.read(narrow(k.dy), narrow(k.y))
	k.mul(k.sum, k.g, k.v)
	k.foldAdd(k.dot, k.sum)
	k.write(narrow(k.dx))
}

// wide takes a row of any other width.
func (k slopeKernel) wide() {
	k.set(k.sum, num(0))
	k.each(4, func(vectors int, at func(word, int) mem) {
		for i := range vectors {
			k.read(at(k.dy, i), at(k.y, i))
			k.mulAdd(k.sum, k.g, k.v, k.sum)
		}
	})
	k.foldAdd(k.dot, k.sum)
	k.each(2, func(vectors int, at func(word, int) mem) {
		for i := range vectors {
			k.read(at(k.dy, i), at(k.y, i))
			k.write(at(k.dx, i))
		}
	})
}
