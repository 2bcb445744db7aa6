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
	}
}
