package main

func softmaxCrossEntropy() description {
	return description{"softmaxCrossEntropy", lossParams + "labels *int32, " + weightParams,
		"p = softmax(logits[i]); loss[i] = -log p[labels[i]]; probs[i] = p; grad[i] = (p - onehot(labels[i])) * weights[i]",
		func(k *kernel) {
			l := labelKernel{k.lossRows("labels")}
			l.rowsByWidth(l.count, l.fours, l.narrow, l.wide, l.steps(4)...)
		}}
}

// labelKernel is the cross-entropy with labels, to which targets points.
type labelKernel struct{ lossKernel }

// label sets d to a label in bytes, or to 0 if it is none of the columns: a label that another goroutine changes after
// it was checked must not lead outside of the row.
func (k *kernel) label(d word, m mem) {
	valid := k.fn.label("valid")
	k.loadLabel(d, m)
	k.scale(d, 2)
	k.branch(d, "<", k.end, valid)
	k.move(d, 0)
	k.fn.at(valid)
}

// logitOf shares the logit of the row's label in z and returns where it is in the row.
func (k labelKernel) logitOf(z reg) word {
	label := k.word("label in bytes")
	k.label(label, mem{base: k.targets})
	k.share(z, mem{base: k.logits, index: label})
	return label
}

// lossOf stores the loss log Σ - z of a row and leaves 1/Σ in total.
func (k labelKernel) lossOf(total, z reg) {
	l := k.uni("")
	k.set(l, total)
	k.log(l)
	k.sub(l, l, z)
	k.storeOne(mem{base: k.loss}, l)
	k.free(l)
	k.reciprocal(total)
}

// oneHotGradient stores (v-onehot)*weight for the narrow row whose label is offset bytes from the next one.
func (k labelKernel) oneHotGradient(v reg, offset int) {
	numbers, hot, label := k.vec(""), k.test(), k.uni("")
	k.laneNumbers(numbers)
	k.share(label, mem{base: k.targets, offset: offset})
	k.compare(hot, numbers, "==", label)
	k.free(label)
	one := k.uni("")
	k.set(one, f32(1))
	k.set(numbers, one)
	k.keep(numbers, numbers, hot)
	k.sub(v, v, numbers)
	k.share(one, mem{base: k.weights})
	k.mul(v, v, one)
	k.free(numbers, hot, one)
	k.store(narrow(k.grad), v)
}

// fours takes narrow rows by four.
func (k labelKernel) fours() {
	z := k.uni("logits of the labels")
	k.softmaxFours(k.count, k.logits, "logitsRow",
		func(m reg) { k.logitsOf(z, m) },
		func(v []reg, total reg) { k.resultsOfFour(z, v, total) })
	k.free(z)
}

// logitsOf sets z to the logits of four labels, less the maxima of their rows.
func (k labelKernel) logitsOf(z, m reg) {
	label, at := k.word("label in bytes"), k.word("its row")
	k.move(at, k.logits)
	for i := range 4 {
		k.label(label, mem{base: k.targets, offset: 4 * i})
		k.insert(z, i, mem{base: at, index: label})
		k.addArg(at, "logitsRow")
	}
	k.free(label, at)
	k.sub(z, z, m)
}

// resultsOfFour stores the results of four rows with the terms v and their sums.
func (k labelKernel) resultsOfFour(z reg, v []reg, total reg) {
	l := k.uni("")
	k.set(l, total)
	k.log(l)
	k.sub(l, l, z)
	k.storeFour(mem{base: k.loss}, l)
	k.addTo(k.loss, 16)
	k.reciprocal(total)
	for i := range v {
		k.shareLane(l, total, i)
		k.mul(v[i], v[i], l)
	}
	k.free(l)
	k.unless(k.probs, func() {
		for i := range v {
			k.store(narrow(k.probs), v[i])
			k.addArg(k.probs, "probsRow")
		}
	})
	k.unless(k.grad, func() {
		// These rows are done with z and total, so the gradient may have their registers: otherwise it would need the last of
		// the sixteen that AVX2 has. Then they are reserved again, since z serves the next four rows and total is freed later.
		k.free(z, total)
		for i := range v {
			k.oneHotGradient(v[i], 4*i)
			k.addArg(k.grad, "gradRow")
			k.addArg(k.weights, "weightStep")
		}
		k.hold(z, total)
	})
	k.addTo(k.targets, 16)
}

// narrow takes a row of less than 16 columns.
func (k labelKernel) narrow() {
	m, total, z := k.uni(""), k.uni(""), k.uni("")
	k.free(k.logitOf(z))
	v := k.softmaxRow(m, total, k.logits)
	k.sub(z, z, m)
	k.free(m)
	k.lossOf(total, z)
	k.mul(v, v, total)
	k.unless(k.probs, func() { k.store(narrow(k.probs), v) })
	k.unless(k.grad, func() { k.oneHotGradient(v, 0) })
	k.free(v, total, z)
}

// wide takes a row of any other width: the exponentials wait where the probabilities or the gradient go.
func (k labelKernel) wide() {
	m, total, z := k.uni("maximum"), k.uni("Σ and 1/Σ"), k.uni("logit of the label")
	k.maxOfRow(m, k.logits)
	label := k.logitOf(z)
	k.sub(z, z, m)
	terms := k.word("terms")
	k.firstOf(terms, k.probs, k.grad)
	k.expOfRow(total, m, k.logits, func(v reg, at func(word) mem) {
		k.unless(terms, func() { k.store(at(terms), v) })
	})
	k.lossOf(total, z)
	k.unless(terms, func() { k.results(total, terms, label) })
	k.free(label, terms, m, total, z)
}

// results makes a row of the terms; r holds 1/Σ. The column of the label has a gradient of its own.
func (k labelKernel) results(r reg, terms, label word) {
	w, p, v := k.uni(""), k.uni(""), k.vec("")
	k.share(w, mem{base: k.weights})
	k.share(p, mem{base: terms, index: label})
	k.each(1, func(_ int, at func(word, int) mem) {
		k.load(v, at(terms, 0))
		k.mul(v, v, r)
		k.unless(k.probs, func() { k.store(at(k.probs, 0), v) })
		k.unless(k.grad, func() {
			k.mul(v, v, w)
			k.store(at(k.grad, 0), v)
		})
	})
	k.unless(k.grad, func() {
		k.mul(p, p, r)
		k.sub(p, p, f32(1))
		k.mul(p, p, w)
		k.storeOne(mem{base: k.grad, index: label}, p)
	})
	k.free(w, p, v)
}
