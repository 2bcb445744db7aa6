package main

func optimizers() []description {
	return []description{
		sgd(),
		momentum("momentum", "v[j] = fma(v[j], momentum, -g[j]*lr); w[j] += v[j]", false),
		momentum("nesterov", "v[j] = fma(v[j], momentum, -g[j]*lr); w[j] += fma(v[j], momentum, -g[j]*lr)", true),
		adam(), rmsprop(), adagrad(),
	}
}

func sgd() description {
	return description{"sgd", "n int, w *float32, grad *float32, lr float32", "w[j] = fma(-g[j], lr, w[j])", func(k *kernel) {
		k.columns("n")
		p, lr := k.args("w", "grad"), k.shared("lr")[0]
		r := k.vectors(2)
		w, g := r[0], r[1]
		k.each(4, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(w, at(p[0], i))
				k.load(g, at(p[1], i))
				k.negMulAdd(w, g, lr, w)
				k.store(at(p[0], i), w)
			}
		})
	}}
}

func momentum(name, loop string, nesterov bool) description {
	return description{name, "n int, w *float32, v *float32, grad *float32, lr, momentum float32", loop, func(k *kernel) {
		k.columns("n")
		p, c := k.args("w", "v", "grad"), k.shared("lr", "momentum")
		r := k.vectors(3)
		w, v, g := r[0], r[1], r[2]
		k.each(2, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(g, at(p[2], i))
				k.load(v, at(p[1], i))
				k.load(w, at(p[0], i))
				k.mul(g, g, c[0])
				k.mulSub(v, v, c[1], g)
				k.store(at(p[1], i), v)
				if nesterov {
					k.mulSub(v, v, c[1], g)
				}
				k.add(w, w, v)
				k.store(at(p[0], i), w)
			}
		})
	}}
}

func adam() description {
	return description{"adam", "n int, w *float32, m *float32, v *float32, grad *float32, alpha, c1, c2, epsilon float32",
		"m[j] = fma(g[j]-m[j], c1, m[j]); v[j] = fma(fma(g[j], g[j], -v[j]), c2, v[j]); w[j] -= m[j]*alpha / (sqrt(v[j])+epsilon)",
		func(k *kernel) {
			k.columns("n")
			p, c := k.args("w", "m", "v", "grad"), k.shared("alpha", "c1", "c2", "epsilon")
			r := k.vectors(5)
			w, m, v, g, d := r[0], r[1], r[2], r[3], r[4]
			k.each(1, func(_ int, at func(word, int) mem) {
				k.load(g, at(p[3], 0))
				k.load(m, at(p[1], 0))
				k.load(v, at(p[2], 0))
				k.load(w, at(p[0], 0))
				k.sub(d, g, m)
				k.mulAdd(m, d, c[1], m)
				k.store(at(p[1], 0), m)
				k.mulSub(g, g, g, v)
				k.mulAdd(v, g, c[2], v)
				k.store(at(p[2], 0), v)
				k.mul(m, m, c[0])
				k.sqrt(v, v)
				k.add(v, v, c[3])
				k.div(m, m, v)
				k.sub(w, w, m)
				k.store(at(p[0], 0), w)
			})
		}}
}

func rmsprop() description {
	return description{"rmsprop", "n int, w *float32, v *float32, grad *float32, lr, rho, c, epsilon float32",
		"v[j] = fma(v[j], rho, g[j]*g[j]*c); w[j] -= g[j]*lr / sqrt(v[j]+epsilon)",
		func(k *kernel) {
			k.columns("n")
			p, c := k.args("w", "v", "grad"), k.shared("lr", "rho", "c", "epsilon")
			r := k.vectors(4)
			w, v, g, d := r[0], r[1], r[2], r[3]
			k.each(1, func(_ int, at func(word, int) mem) {
				k.load(g, at(p[2], 0))
				k.load(v, at(p[1], 0))
				k.load(w, at(p[0], 0))
				k.mul(d, g, g)
				k.mul(d, d, c[2])
				k.mulAdd(v, v, c[1], d)
				k.store(at(p[1], 0), v)
				k.add(v, v, c[3])
				k.sqrt(v, v)
				k.mul(g, g, c[0])
				k.div(g, g, v)
				k.sub(w, w, g)
				k.store(at(p[0], 0), w)
			})
		}}
}

func adagrad() description {
	return description{"adagrad", "n int, w *float32, v *float32, grad *float32, lr, epsilon float32",
		"v[j] = fma(g[j], g[j], v[j]); w[j] -= g[j]*lr / sqrt(v[j]+epsilon)",
		func(k *kernel) {
			k.columns("n")
			p, c := k.args("w", "v", "grad"), k.shared("lr", "epsilon")
			r := k.vectors(3)
			w, v, g := r[0], r[1], r[2]
			k.each(1, func(_ int, at func(word, int) mem) {
				k.load(g, at(p[2], 0))
				k.load(v, at(p[1], 0))
				k.load(w, at(p[0], 0))
				k.mulAdd(v, g, g, v)
				k.store(at(p[1], 0), v)
				k.add(v, v, c[1])
				k.sqrt(v, v)
				k.mul(g, g, c[0])
				k.div(g, g, v)
				k.sub(w, w, g)
				k.store(at(p[0], 0), w)
			})
		}}
}
