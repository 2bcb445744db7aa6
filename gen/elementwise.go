package main

// args loads parameters.
func (k *kernel) args(names ...string) []word {
	var list []word
	for _, n := range names {
		list = append(list, k.arg(n))
	}
	return list
}

// shared loads numbers into shared registers.
func (k *kernel) shared(names ...string) []reg {
	var list []reg
	for _, n := range names {
		r := k.uni(n)
		k.shareArg(r, n)
		list = append(list, r)
	}
	return list
}

// vectors returns temporaries for n vectors.
func (k *kernel) vectors(n int) []reg {
	var list []reg
	for range n {
		list = append(list, k.vec(""))
	}
	return list
}

func elementwise() []description {
	return []description{
		fill(), scale(), axpy(),
		binary("add", "y[j] = a[j] + b[j]", func(k *kernel, d, _, b reg) { k.add(d, d, b) }),
		binary("mul", "y[j] = a[j] * b[j]", func(k *kernel, d, _, b reg) { k.mul(d, d, b) }),
		binary("mulAdd", "y[j] = fma(a[j], b[j], y[j])", func(k *kernel, d, y, b reg) { k.mulAdd(d, d, b, y) }),
	}
}

func fill() description {
	return description{"fill", "n int, x *float32, v float32", "x[j] = v", func(k *kernel) {
		k.columns("n")
		x := k.arg("x")
		v := k.vec("v")
		k.set(v, k.shared("v")[0])
		k.each(4, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.store(at(x, i), v)
			}
		})
	}}
}

func scale() description {
	return description{"scale", "n int, y *float32, x *float32, alpha float32", "y[j] = x[j] * alpha", func(k *kernel) {
		k.columns("n")
		p, alpha := k.args("y", "x"), k.shared("alpha")[0]
		v := k.vec("")
		k.each(4, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(v, at(p[1], i))
				k.mul(v, v, alpha)
				k.store(at(p[0], i), v)
			}
		})
	}}
}

func axpy() description {
	return description{"axpy", "n int, y *float32, x *float32, alpha float32", "y[j] = fma(alpha, x[j], y[j])", func(k *kernel) {
		k.columns("n")
		p, alpha := k.args("y", "x"), k.shared("alpha")[0]
		v := k.vectors(2)
		k.each(4, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(v[0], at(p[0], i))
				k.load(v[1], at(p[1], i))
				k.mulAdd(v[0], alpha, v[1], v[0])
				k.store(at(p[0], i), v[0])
			}
		})
	}}
}

// binary describes y = op(a, b) over n elements; op gets a register that holds a.
func binary(name, loop string, op func(k *kernel, d, y, b reg)) description {
	return description{name, "n int, y *float32, a *float32, b *float32", loop, func(k *kernel) {
		k.columns("n")
		p := k.args("y", "a", "b")
		v := k.vectors(3)
		k.each(4, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(v[1], at(p[1], i))
				k.load(v[2], at(p[2], i))
				if name == "mulAdd" {
					k.load(v[0], at(p[0], i))
				}
				op(k, v[1], v[0], v[2])
				k.store(at(p[0], i), v[1])
			}
		})
	}}
}
