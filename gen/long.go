package main

// A row that is too long for one call is computed in pieces, by the passes of the kernel for whole rows: what a pass
// knows of the columns before is its 16 lanes, in memory.

// carried adds to lanes in memory while body runs.
func (k *kernel) carried(body func(sum reg), lanes word) {
	sum := k.vec("sum of a lane")
	k.load(sum, mem{base: lanes})
	body(sum)
	k.store(mem{base: lanes}, sum)
	k.free(sum)
}

func longRows() []description {
	return []description{
		rowMax(), expSum(), shift(), dot(), softmaxGradPiece(),
		softCrossEntropyPiece(), softCrossEntropyGradPiece(), binaryCrossEntropyPiece(),
	}
}

func rowMax() description {
	return description{"rowMax", "n int, top *float32, x *float32", "top[0] = max(top[0], x[j])", func(k *kernel) {
		k.columns("n")
		top, x := k.arg("top"), k.arg("x")
		m, before := k.uni("maximum"), k.uni("")
		k.maxOfRow(m, x)
		k.share(before, mem{base: top})
		k.max(m, m, before)
		k.storeOne(mem{base: top}, m)
	}}
}

func expSum() description {
	return description{"expSum", "n int, lanes *float32, y *float32, x *float32, m float32", "e = exp(x[j]-m); lanes[j%16] += e; y[j] = e unless y is nil", func(k *kernel) {
		k.columns("n")
		lanes, y, x, m := k.arg("lanes"), k.arg("y"), k.arg("x"), k.shared("m")[0]
		k.carried(func(sum reg) {
			k.expOfColumns(sum, m, x, func(v reg, at func(word) mem) {
				k.unless(y, func() { k.store(at(y), v) })
			})
		}, lanes)
	}}
}

func shift() description {
	return description{"shift", "n int, y *float32, x *float32, a, b float32", "y[j] = (x[j]-a) - b", func(k *kernel) {
		k.columns("n")
		p, by := k.args("y", "x"), k.shared("a", "b")
		v := k.vec("")
		k.each(4, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(v, at(p[1], i))
				k.sub(v, v, by[0])
				k.sub(v, v, by[1])
				k.store(at(p[0], i), v)
			}
		})
	}}
}

func dot() description {
	return description{"dot", "n int, lanes *float32, a *float32, b *float32", "lanes[j%16] = fma(a[j], b[j], lanes[j%16])", func(k *kernel) {
		k.columns("n")
		lanes, a, b := k.arg("lanes"), k.arg("a"), k.arg("b")
		v := k.vectors(2)
		k.carried(func(sum reg) {
			k.each(4, func(vectors int, at func(word, int) mem) {
				for i := range vectors {
					k.load(v[0], at(a, i))
					k.load(v[1], at(b, i))
					k.mulAdd(sum, v[0], v[1], sum)
				}
			})
		}, lanes)
	}}
}

func softmaxGradPiece() description {
	return description{"softmaxGradPiece", "n int, dx *float32, dy *float32, y *float32, dot float32, add int",
		"dx[j] = y[j] * (dy[j] - dot), or dx[j] += that if add is not 0", func(k *kernel) {
			k.columns("n")
			p, add, dot := k.args("dx", "dy", "y"), k.arg("add"), k.shared("dot")[0]
			g, v := k.vec(""), k.vec("")
			k.each(2, func(vectors int, at func(word, int) mem) {
				for i := range vectors {
					k.load(g, at(p[1], i))
					k.load(v, at(p[2], i))
					k.softmaxSlope(g, v, dot, add, at(p[0], i))
				}
			})
		}}
}

func softCrossEntropyPiece() description {
	return description{"softCrossEntropyPiece", "n int, lanes *float32, dots *float32, terms *float32, logits *float32, targets *float32, m float32",
		"e = exp(logits[j]-m); lanes[j%16] += e; dots[j%16] = fma(targets[j], logits[j]-m, dots[j%16]); terms[j] = e unless terms is nil", func(k *kernel) {
			k.columns("n")
			lanes, dots, terms, logits, targets := k.arg("lanes"), k.arg("dots"), k.arg("terms"), k.arg("logits"), k.arg("targets")
			m, low := k.shared("m")[0], k.limit(expMin)
			k.carried(func(sum reg) {
				k.carried(func(dot reg) { k.softTerms(sum, dot, m, low, terms, logits, targets) }, dots)
			}, lanes)
		}}
}

func softCrossEntropyGradPiece() description {
	return description{"softCrossEntropyGradPiece", "n int, probs *float32, grad *float32, terms *float32, targets *float32, r, mass, weight float32",
		"p = terms[j] * r; probs[j] = p; grad[j] = fma(p, mass, -targets[j]) * weight", func(k *kernel) {
			k.columns("n")
			probs, grad, terms, targets := k.arg("probs"), k.arg("grad"), k.arg("terms"), k.arg("targets")
			r := k.shared("r", "mass", "weight")
			k.softResults(r[0], r[1], r[2], probs, grad, terms, targets)
		}}
}

func binaryCrossEntropyPiece() description {
	return description{"binaryCrossEntropyPiece", "n int, lanes *float32, probs *float32, grad *float32, logits *float32, targets *float32, weight float32",
		"z, t = logits[j], targets[j]; lanes[j%16] += max(z,0) - z*t + log1p(exp(-|z|)); probs[j] = sigmoid(z); grad[j] = (sigmoid(z) - t) * weight", func(k *kernel) {
			k.columns("n")
			lanes, probs, grad, logits, targets := k.arg("lanes"), k.arg("probs"), k.arg("grad"), k.arg("logits"), k.arg("targets")
			w, limit := k.shared("weight")[0], k.limit(-expMin)
			k.carried(func(sum reg) { k.binaryColumns(sum, w, limit, probs, grad, logits, targets) }, lanes)
		}}
}
