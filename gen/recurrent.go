package main

// The parts of a row of gates, x and sums lie so many bytes apart.

func recurrent() []description { return []description{gru(), lstm()} }

func gru() description {
	return description{"gru", "rows, cols, part int, y *float32, yRow int, gates *float32, gatesRow int, x *float32, xRow int, sums *float32, sumsRow int, before *float32, beforeRow int",
		"z, r, c = gates[i] and so with x and sums; c[j] = tanh(r[j]*sums.c[j] + x.c[j]); y[i,j] = fma(z[j], before[i,j]-c[j], c[j])", func(k *kernel) {
			k.columns("cols")
			p := k.args("rows", "y", "gates", "x", "sums", "before")
			rows, y, gates, x, sums, before := p[0], p[1], p[2], p[3], p[4], p[5]
			index, limit := k.word("index"), k.limit(tanhLimit)
			k.rows(rows, func() {
				k.each(k.fit(5), func(vectors int, at func(word, int) mem) {
					c, s := k.vectors(vectors), k.vec("")
					k.move(index, k.j)
					k.addArg(index, "part")
					for i := range vectors {
						k.load(c[i], moved(at(gates, i), index))
					}
					k.addArg(index, "part")
					for i := range vectors {
						k.load(s, moved(at(sums, i), index))
						k.mul(c[i], c[i], s)
						k.load(s, moved(at(x, i), index))
						k.add(c[i], c[i], s)
					}
					k.free(s)
					k.tanh(limit, c...)
					for i := range vectors {
						k.store(moved(at(gates, i), index), c[i])
					}
					z, s := k.vec(""), k.vec("")
					for i := range vectors {
						k.load(z, at(gates, i))
						k.load(s, at(before, i))
						k.sub(s, s, c[i])
						k.mulAdd(s, z, s, c[i])
						k.store(at(y, i), s)
					}
					k.free(z, s)
					k.freeAll(c)
				})
			}, step{y, "yRow"}, step{gates, "gatesRow"}, step{x, "xRow"}, step{sums, "sumsRow"}, step{before, "beforeRow"})
		}}
}

func lstm() description {
	return description{"lstm", "rows, cols, part int, y *float32, yRow int, cell *float32, cellRow int, gates *float32, gatesRow int, before *float32, beforeRow int",
		"i, f, g, o = gates[i]; cell[i,j] = fma(f[j], before[i,j], i[j]*g[j]); y[i,j] = o[j] * tanh(cell[i,j])", func(k *kernel) {
			k.columns("cols")
			p := k.args("rows", "y", "cell", "gates", "before")
			rows, y, cell, gates, before := p[0], p[1], p[2], p[3], p[4]
			index, limit := k.word("index"), k.limit(tanhLimit)
			k.rows(rows, func() {
				k.each(k.fit(5), func(vectors int, at func(word, int) mem) {
					c, f, s := k.vectors(vectors), k.vec(""), k.vec("")
					for i := range vectors {
						k.move(index, k.j)
						k.load(c[i], at(gates, i))
						k.addArg(index, "part")
						k.load(f, moved(at(gates, i), index))
						k.addArg(index, "part")
						k.load(s, moved(at(gates, i), index))
						k.mul(c[i], c[i], s)
						k.load(s, at(before, i))
						k.mulAdd(c[i], f, s, c[i])
						k.store(at(cell, i), c[i])
					}
					k.free(f, s)
					k.tanh(limit, c...)
					k.addArg(index, "part")
					o := k.vec("")
					for i := range vectors {
						k.load(o, moved(at(gates, i), index))
						k.mul(o, o, c[i])
						k.store(at(y, i), o)
					}
					k.free(o)
					k.freeAll(c)
				})
			}, step{y, "yRow"}, step{cell, "cellRow"}, step{gates, "gatesRow"}, step{before, "beforeRow"})
		}}
}

// moved is m with another index.
func moved(m mem, index word) mem {
	m.index = index
	return m
}
