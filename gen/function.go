package main

// function describes y = f(x) over n elements; f gives the results, in the registers of xs or in others for theirs, and
// takes so many for each x.
func function(name string, registers int, f func(k *kernel, xs ...reg) []reg) description {
	return description{name, "n int, y *float32, x *float32", "y[j] = " + name + "(x[j])", func(k *kernel) {
		k.columns("n")
		p := k.args("y", "x")
		k.each(k.fit(registers), func(vectors int, at func(word, int) mem) {
			v := k.vectors(vectors)
			for i := range vectors {
				k.load(v[i], at(p[1], i))
			}
			v = f(k, v...)
			for i := range vectors {
				k.store(at(p[0], i), v[i])
			}
			k.freeAll(v)
		})
	}}
}

func functions() []description {
	return []description{
		function("exp", 5, (*kernel).expAll),
		function("log", 6, func(k *kernel, xs ...reg) []reg {
			var ys []reg
			for _, x := range xs {
				ys = append(ys, k.logAll(x))
			}
			return ys
		}),
		function("erf", 6, (*kernel).erf),
		function("gelu", 7, (*kernel).gelu),
		geluGrad(),
	}
}

func geluGrad() description {
	return description{"geluGrad", "n int, dx *float32, dy *float32, x *float32, add int",
		"g = dy[j] * the derivative of gelu(x[j]); dx[j] = g, or dx[j] += g if add is not 0", func(k *kernel) {
			k.columns("n")
			p, add := k.args("dx", "dy", "x"), k.arg("add")
			k.each(1, func(_ int, at func(word, int) mem) {
				x, g := k.vec(""), k.vec("")
				k.load(x, at(p[2], 0))
				k.geluSlope(x)
				k.load(g, at(p[1], 0))
				k.mul(g, g, x)
				k.unless(add, func() {
					k.load(x, at(p[0], 0))
					k.add(g, g, x)
				})
				k.store(at(p[0], 0), g)
				k.free(x, g)
			})
		}}
}
