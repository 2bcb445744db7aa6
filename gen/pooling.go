package main

func pooling() []description {
	return []description{
		binary("maximum", "y[j] = max(a[j], b[j]), or NaN where one is", func(k *kernel, d, _, b reg) {
			c := k.test()
			k.compare(c, b, "!<=", b) // is NaN
			k.max(d, d, b)
			k.pick(d, c, b, d)
			k.free(c)
		}),
		firstMaximum(),
	}
}

// firstMaximum gives what is left of a gradient to where a maximum is.
func firstMaximum() description {
	return description{"firstMaximum", "n int, part *float32, left *float32, x *float32, y *float32", "part[j] = left[j] where !(y[j] > x[j]), else 0; left[j] = 0 there", func(k *kernel) {
		k.columns("n")
		p := k.args("part", "left", "x", "y")
		left, x, y := k.vec(""), k.vec(""), k.vec("")
		c := k.test()
		k.each(2, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(left, at(p[1], i))
				k.load(x, at(p[2], i))
				k.load(y, at(p[3], i))
				k.compare(c, y, "!>", x)
				k.keep(x, left, c)
				k.store(at(p[0], i), x)
				k.sub(left, left, x)
				k.store(at(p[1], i), left)
			}
		})
	}}
}
