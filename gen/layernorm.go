package main

// Layer normalization, of whole rows and of pieces of long ones. x̂ stands for (x-mean) * inv.

func layerNorms() []description {
	return []description{
		layerNorm(), layerNormGrad(),
		layerNormDeviations(), layerNormPiece(), layerNormSums(), layerNormGradPiece(),
	}
}

func layerNorm() description {
	return description{"layerNorm", "rows, cols int, y *float32, yRow int, x *float32, xRow int, gamma *float32, beta *float32, stats *float32, statsRow int, n, epsilon float32",
		"m = Σ x[i,j] / n; d = Σ (x[i,j]-m) / n; mean = m + d; inv = 1/sqrt(max(fma(-d, d, Σ (x[i,j]-m)² / n), 0) + epsilon); " +
			"stats[i] = mean, inv unless stats is nil; x̂ = (x[i,j]-mean) * inv; y[i,j] = fma(x̂, gamma[j], beta[j])",
		func(k *kernel) {
			k.columns("cols")
			p := k.args("rows", "y", "x", "gamma", "beta", "stats")
			count, y, x, gamma, beta, stats := p[0], p[1], p[2], p[3], p[4], p[5]
			given := k.shared("n", "epsilon")
			n, epsilon := given[0], given[1]
			mean, inv := k.uni("mean"), k.uni("variance, then inv")
			k.rows(count, func() {
				sum, squares, v := k.vec("sum"), k.vec("sum of squares"), k.vec("")
				k.set(sum, num(0))
				k.each(4, func(vectors int, at func(word, int) mem) {
					for i := range vectors {
						k.load(v, at(x, i))
						k.add(sum, sum, v)
					}
				})
				k.free(v)
				k.foldAdd(mean, sum)
				k.div(mean, mean, n)
				k.set(sum, num(0))
				k.set(squares, num(0))
				k.deviations(sum, squares, mean, x)
				d, zero := k.uni(""), k.uni("")
				k.foldAdd(d, sum)
				k.div(d, d, n)
				k.foldAdd(inv, squares)
				k.div(inv, inv, n)
				k.free(sum, squares)
				k.add(mean, mean, d)
				k.negMulAdd(inv, d, d, inv)
				k.set(zero, num(0))
				k.max(inv, inv, zero)
				k.add(inv, inv, epsilon)
				k.sqrt(inv, inv)
				k.reciprocal(inv)
				k.free(d, zero)
				k.unless(stats, func() {
					k.storeOne(mem{base: stats}, mean)
					k.storeOne(mem{base: stats, offset: 4}, inv)
				})
				k.normalize(mean, inv, y, x, gamma, beta)
			}, step{y, "yRow"}, step{x, "xRow"}, step{stats, "statsRow"})
		}}
}

func layerNormGrad() description {
	return description{"layerNormGrad", "rows, cols int, dx *float32, dxRow int, dgamma *float32, dbeta *float32, dy *float32, dyRow int, x *float32, xRow int, gamma *float32, stats *float32, statsRow int, n float32, add int",
		"mean, inv = stats[i]; x̂ = (x[i,j]-mean) * inv; g = dy[i,j] * gamma[j]; dx[i,j] = fma(-x̂, Σ g*x̂ / n, g - Σ g / n) * inv, or dx[i,j] += that if add is not 0; " +
			"dgamma[j] = fma(dy[i,j], x̂, dgamma[j]); dbeta[j] += dy[i,j]; dx, dgamma and dbeta may be nil",
		func(k *kernel) {
			k.columns("cols")
			p := k.args("rows", "dx", "dgamma", "dbeta", "dy", "x", "gamma", "stats", "add")
			count, dx, dgamma, dbeta, dy, x, gamma, stats, add := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]
			mean, inv := k.uni("mean"), k.uni("inv")
			k.rows(count, func() {
				k.share(mean, mem{base: stats})
				k.share(inv, mem{base: stats, offset: 4})
				sum, dot := k.vec("sum of g"), k.vec("sum of g*x̂")
				k.set(sum, num(0))
				k.set(dot, num(0))
				k.slopeSums(sum, dot, mean, inv, dgamma, dbeta, dy, x, gamma)
				a, b, n := k.uni(""), k.uni(""), k.uni("")
				k.shareArg(n, "n")
				k.foldAdd(a, sum)
				k.div(a, a, n)
				k.foldAdd(b, dot)
				k.div(b, b, n)
				k.free(sum, dot, n)
				k.unless(dx, func() { k.slopes(mean, inv, a, b, add, dx, dy, x, gamma) })
				k.free(a, b)
			}, step{dx, "dxRow"}, step{dy, "dyRow"}, step{x, "xRow"}, step{stats, "statsRow"})
		}}
}

func layerNormDeviations() description {
	return description{"layerNormDeviations", "n int, sums *float32, squares *float32, x *float32, m float32",
		"d = x[j] - m; sums[j%16] += d; squares[j%16] = fma(d, d, squares[j%16])", func(k *kernel) {
			k.columns("n")
			p, m := k.args("sums", "squares", "x"), k.shared("m")[0]
			k.carried(func(sum reg) {
				k.carried(func(square reg) { k.deviations(sum, square, m, p[2]) }, p[1])
			}, p[0])
		}}
}

func layerNormPiece() description {
	return description{"layerNormPiece", "n int, y *float32, x *float32, gamma *float32, beta *float32, mean, inv float32",
		"y[j] = fma(x̂, gamma[j], beta[j])", func(k *kernel) {
			k.columns("n")
			p, r := k.args("y", "x", "gamma", "beta"), k.shared("mean", "inv")
			k.normalize(r[0], r[1], p[0], p[1], p[2], p[3])
		}}
}

func layerNormSums() description {
	return description{"layerNormSums", "n int, sums *float32, dots *float32, dgamma *float32, dbeta *float32, dy *float32, x *float32, gamma *float32, mean, inv float32",
		"g = dy[j] * gamma[j]; sums[j%16] += g; dots[j%16] = fma(g, x̂, dots[j%16]); dgamma[j] = fma(dy[j], x̂, dgamma[j]); dbeta[j] += dy[j]", func(k *kernel) {
			k.columns("n")
			p, r := k.args("sums", "dots", "dgamma", "dbeta", "dy", "x", "gamma"), k.shared("mean", "inv")
			k.carried(func(sum reg) {
				k.carried(func(dot reg) { k.slopeSums(sum, dot, r[0], r[1], p[2], p[3], p[4], p[5], p[6]) }, p[1])
			}, p[0])
		}}
}

func layerNormGradPiece() description {
	return description{"layerNormGradPiece", "n int, dx *float32, dy *float32, x *float32, gamma *float32, mean, inv, a, b float32, add int",
		"dx[j] = fma(-x̂, b, dy[j]*gamma[j] - a) * inv, or dx[j] += that if add is not 0", func(k *kernel) {
			k.columns("n")
			p, add, r := k.args("dx", "dy", "x", "gamma"), k.arg("add"), k.shared("mean", "inv", "a", "b")
			k.slopes(r[0], r[1], r[2], r[3], add, p[0], p[1], p[2], p[3])
		}}
}

// deviations adds x-m of a row to sum and (x-m)² to squares.
func (k *kernel) deviations(sum, squares, m reg, x word) {
	v := k.vec("")
	k.each(4, func(vectors int, at func(word, int) mem) {
		for i := range vectors {
			k.load(v, at(x, i))
			k.sub(v, v, m)
			if at(x, i).tail {
				k.keepTail(v)
			}
			k.add(sum, sum, v)
			k.mulAdd(squares, v, v, squares)
		}
	})
	k.free(v)
}

// standard sets d to x̂.
func (k *kernel) standard(d, mean, inv reg, x mem) {
	k.load(d, x)
	k.sub(d, d, mean)
	k.mul(d, d, inv)
}

// normalize stores x̂·gamma + beta for a row.
func (k *kernel) normalize(mean, inv reg, y, x, gamma, beta word) {
	v, g, b := k.vec(""), k.vec(""), k.vec("")
	k.each(2, func(vectors int, at func(word, int) mem) {
		for i := range vectors {
			k.standard(v, mean, inv, at(x, i))
			k.load(g, at(gamma, i))
			k.load(b, at(beta, i))
			k.mulAdd(b, v, g, b)
			k.store(at(y, i), b)
		}
	})
	k.free(v, g, b)
}

// slopeSums adds g = dy·gamma of a row to sum and g·x̂ to dot, and the row's gradients to dgamma and dbeta unless they are nil.
func (k *kernel) slopeSums(sum, dot, mean, inv reg, dgamma, dbeta, dy, x, gamma word) {
	up, v, g := k.vec(""), k.vec(""), k.vec("")
	k.each(1, func(_ int, at func(word, int) mem) {
		k.standard(v, mean, inv, at(x, 0))
		if at(x, 0).tail { // beyond it x̂ may be infinite
			k.keepTail(v)
		}
		k.load(up, at(dy, 0))
		k.unless(dgamma, func() {
			k.load(g, at(dgamma, 0))
			k.mulAdd(g, up, v, g)
			k.store(at(dgamma, 0), g)
		})
		k.unless(dbeta, func() {
			k.load(g, at(dbeta, 0))
			k.add(g, g, up)
			k.store(at(dbeta, 0), g)
		})
		k.load(g, at(gamma, 0))
		k.mul(g, g, up)
		k.add(sum, sum, g)
		k.mulAdd(dot, g, v, dot)
	})
	k.free(up, v, g)
}

// slopes stores the gradient of a row, a and b being the means of g and of g·x̂, or adds it if add is not 0.
func (k *kernel) slopes(mean, inv, a, b reg, add, dx, dy, x, gamma word) {
	v, g, t := k.vec(""), k.vec(""), k.vec("")
	k.each(1, func(_ int, at func(word, int) mem) {
		k.standard(v, mean, inv, at(x, 0))
		k.load(g, at(dy, 0))
		k.load(t, at(gamma, 0))
		k.mul(g, g, t)
		k.sub(g, g, a)
		k.negMulAdd(g, v, b, g)
		k.mul(g, g, inv)
		k.unless(add, func() {
			k.load(t, at(dx, 0))
			k.add(g, g, t)
		})
		k.store(at(dx, 0), g)
	})
	k.free(v, g, t)
}
