package main

import "slices"

// The parts of a row of gates, x and sums lie so many bytes apart.

func recurrent() []description { return []description{gru(), lstm()} }

// cell is the kernel of a recurrent cell, with what all gates need.
type cell struct {
	*kernel
	gates, x, sums, index word // of the row that is next, and the place in it
	sigmoidMax, tanhMax   reg  // limits
}

func (k *kernel) cell(gates, x, sums word) cell {
	return cell{k, gates, x, sums, k.word("index"), k.limit(-expMin), k.limit(tanhLimit)}
}

func (k cell) firstGate() { k.move(k.index, k.j) }
func (k cell) nextGate()  { k.addArg(k.index, "part") }

// sum returns x + sums of a gate.
func (k cell) sum(vectors int, at func(word, int) mem) []reg {
	v, s := k.vectors(vectors), k.vec("")
	for i := range v {
		k.load(v[i], moved(at(k.x, i), k.index))
		k.load(s, moved(at(k.sums, i), k.index))
		k.add(v[i], v[i], s)
	}
	k.free(s)
	return v
}

// storeGate keeps a gate for the gradient.
func (k cell) storeGate(v []reg, at func(word, int) mem) {
	for i := range v {
		k.store(moved(at(k.gates, i), k.index), v[i])
	}
}

// sigmoids is sigmoid for as many at once as fit.
func (k cell) sigmoids(xs ...reg) {
	for len(xs) > 0 {
		n := min(len(xs), k.fit(4))
		k.sigmoid(k.sigmoidMax, xs[:n]...)
		xs = xs[n:]
	}
}

func gru() description {
	return description{"gru", "rows, cols, part int, y *float32, yRow int, gates *float32, gatesRow int, x *float32, xRow int, sums *float32, sumsRow int, before *float32, beforeRow int",
		"z, r = sigmoid(x+sums); c = tanh(r*sums + x); gates[i] = z, r, c; y[i,j] = fma(z, before[i,j]-c, c)", func(k *kernel) {
			k.columns("cols")
			p := k.args("rows", "y", "gates", "x", "sums", "before")
			rows, y, gates, x, sums, before := p[0], p[1], p[2], p[3], p[4], p[5]
			g := k.cell(gates, x, sums)
			k.rows(rows, func() {
				k.each(k.fit(12), func(vectors int, at func(word, int) mem) {
					g.firstGate()
					z := g.sum(vectors, at)
					g.nextGate()
					r := g.sum(vectors, at)
					g.sigmoids(slices.Concat(z, r)...)
					g.storeGate(r, at)
					g.nextGate()
					c, s := r, k.vec("")
					for i := range c {
						k.load(s, moved(at(sums, i), g.index))
						k.mul(c[i], c[i], s)
						k.load(s, moved(at(x, i), g.index))
						k.add(c[i], c[i], s)
					}
					k.free(s)
					k.tanh(g.tanhMax, c...)
					g.storeGate(c, at)
					g.firstGate()
					g.storeGate(z, at)
					s = k.vec("")
					for i := range c {
						k.load(s, at(before, i))
						k.sub(s, s, c[i])
						k.mulAdd(s, z[i], s, c[i])
						k.store(at(y, i), s)
					}
					k.free(s)
					k.freeAll(z, c)
				})
			}, step{y, "yRow"}, step{gates, "gatesRow"}, step{x, "xRow"}, step{sums, "sumsRow"}, step{before, "beforeRow"})
		}}
}

func lstm() description {
	return description{"lstm", "rows, cols, part int, y *float32, yRow int, cell *float32, cellRow int, gates *float32, gatesRow int, x *float32, xRow int, sums *float32, sumsRow int, before *float32, beforeRow int",
		"i, f, o = sigmoid(x+sums); g = tanh(x+sums); gates[i] = i, f, g, o; cell[i,j] = fma(f, before[i,j], i*g); y[i,j] = o * tanh(cell[i,j])", func(k *kernel) {
			k.columns("cols")
			p := k.args("rows", "y", "cell", "gates", "x", "sums", "before")
			rows, y, cell, gates, x, sums, before := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
			g := k.cell(gates, x, sums)
			k.rows(rows, func() {
				k.each(k.fit(12), func(vectors int, at func(word, int) mem) {
					g.firstGate()
					in := g.sum(vectors, at)
					g.nextGate()
					forget := g.sum(vectors, at)
					g.sigmoids(slices.Concat(in, forget)...)
					g.storeGate(forget, at)
					g.nextGate()
					candidate := g.sum(vectors, at)
					k.tanh(g.tanhMax, candidate...)
					g.storeGate(candidate, at)
					g.firstGate()
					g.storeGate(in, at)
					c, s := in, k.vec("")
					for i := range c {
						k.mul(c[i], c[i], candidate[i])
						k.load(s, at(before, i))
						k.mulAdd(c[i], forget[i], s, c[i])
						k.store(at(cell, i), c[i])
					}
					k.free(s)
					k.freeAll(forget, candidate)
					for range 3 {
						g.nextGate()
					}
					out := g.sum(vectors, at)
					g.sigmoids(out...)
					g.storeGate(out, at)
					k.tanh(g.tanhMax, c...)
					for i := range c {
						k.mul(c[i], c[i], out[i])
						k.store(at(y, i), c[i])
					}
					k.freeAll(c, out)
				})
			}, step{y, "yRow"}, step{cell, "cellRow"}, step{gates, "gatesRow"}, step{x, "xRow"}, step{sums, "sumsRow"}, step{before, "beforeRow"})
		}}
}

// moved is m with another index.
func moved(m mem, index word) mem {
	m.index = index
	return m
}
