package main

func softCrossEntropy() description {
	return description{"softCrossEntropy", lossParams + targetParams + weightParams,
		"p = softmax(logits[i]); loss[i] = -Σ targets[i] * log p; probs[i] = p; grad[i] = (p * Σ targets[i] - targets[i]) * weights[i]",
		func(k *kernel) {
			s := softKernel{k.lossRows("targets"), k.uni("maximum, then log Σ"), k.limit(expMin)}
			s.rowsByWidth(s.count, nil, s.narrow, s.wide, s.steps("targetsRow")...)
		}}
}

// softKernel is the cross-entropy with soft targets, with two registers for all rows.
type softKernel struct {
	lossKernel
	m, low reg
}

// lossOf stores the loss log Σ · mass - dot of a row and leaves 1/Σ in total.
func (k softKernel) lossOf(total, mass, dot reg) {
	k.set(k.m, total)
	k.log(k.m)
	k.mulSub(k.m, k.m, mass, dot)
	k.storeOne(mem{base: k.loss}, k.m)
	k.reciprocal(total)
}

// narrow takes a row of less than 16 columns.
func (k softKernel) narrow() {
	v, t := k.vec(""), k.vec("")
	mass, dot := k.uni(""), k.uni("")
	k.loadLow(v, narrow(k.logits))
	k.foldMax(k.m, v)
	k.sub(v, v, k.m)
	k.keepTail(v)
	k.load(t, narrow(k.targets))
	k.foldAdd(mass, t)
	d := k.vec("")
	k.mul(d, t, v)
	k.foldAdd(dot, d)
	k.free(d)
	k.max(v, v, k.low)
	v = k.exp(v)[0]
	k.keepTail(v)
	total := k.uni("")
	k.foldAdd(total, v)
	k.lossOf(total, mass, dot)
	k.mul(v, v, total)
	k.unless(k.probs, func() { k.store(narrow(k.probs), v) })
	k.unless(k.grad, func() {
		w := k.uni("")
		k.mulSub(v, v, mass, t)
		k.share(w, mem{base: k.weights})
		k.mul(v, v, w)
		k.store(narrow(k.grad), v)
		k.free(w)
	})
	k.free(v, t, mass, dot, total)
}

// wide takes a row of any other width. Its mass waits in the place of the loss, since the exponentials need the register.
func (k softKernel) wide() {
	k.maxOfRow(k.m, k.logits)
	v, sum := k.vec(""), k.vec("")
	mass := k.uni("")
	k.set(sum, num(0))
	k.each(4, func(vectors int, at func(word, int) mem) {
		for i := range vectors {
			k.load(v, at(k.targets, i))
			k.add(sum, sum, v)
		}
	})
	k.foldAdd(mass, sum)
	k.storeOne(mem{base: k.loss}, mass)
	k.free(mass)

	terms := k.word("terms")
	k.firstOf(terms, k.probs, k.grad)
	dot := k.vec("")
	k.set(sum, num(0))
	k.set(dot, num(0))
	k.free(v)
	k.softTerms(sum, dot, k.m, k.low, terms, k.logits, k.targets)
	total, across := k.uni(""), k.uni("")
	k.foldAdd(total, sum)
	k.foldAdd(across, dot)
	mass = k.uni("")
	k.share(mass, mem{base: k.loss})
	k.lossOf(total, mass, across)
	k.unless(terms, func() {
		w := k.uni("")
		k.share(w, mem{base: k.weights})
		k.softResults(total, mass, w, k.probs, k.grad, terms, k.targets)
		k.free(w)
	})
	k.free(sum, dot, terms, total, across, mass)
}

// softTerms leaves exp(x-m) of a row of logits in terms, unless that is nil, and adds it to sum and t·(x-m) to dot.
func (k *kernel) softTerms(sum, dot, m, low reg, terms, logits, targets word) {
	v := k.vec("")
	k.each(1, func(_ int, at func(word, int) mem) {
		k.load(v, at(logits, 0))
		k.sub(v, v, m)
		t := k.vec("")
		k.load(t, at(targets, 0))
		k.mulAdd(dot, t, v, dot)
		k.free(t)
		k.max(v, v, low)
		v = k.exp(v)[0]
		if at(logits, 0).tail {
			k.keepTail(v)
		}
		k.unless(terms, func() { k.store(at(terms, 0), v) })
		k.add(sum, sum, v)
	})
	k.free(v)
}

// softResults stores p = terms·r and (p·mass - t)·w.
func (k *kernel) softResults(r, mass, w reg, probs, grad, terms, targets word) {
	v, t := k.vec(""), k.vec("")
	k.each(1, func(_ int, at func(word, int) mem) {
		k.load(v, at(terms, 0))
		k.mul(v, v, r)
		k.unless(grad, func() { k.load(t, at(targets, 0)) })
		k.unless(probs, func() { k.store(at(probs, 0), v) })
		k.unless(grad, func() {
			k.mulSub(v, v, mass, t)
			k.mul(v, v, w)
			k.store(at(grad, 0), v)
		})
	})
	k.free(v, t)
}
