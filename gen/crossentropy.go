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
	numbers, hot, one := k.vec(""), k.test(), k.uni("")
	k.laneNumbers(numbers)
	k.share(one, mem{base: k.targets, offset: offset})
	k.compare(hot, numbers, "==", one)
	k.set(one, f32(1))
	k.keep(numbers, one, hot)
	k.sub(v, v, numbers)
	k.share(one, mem{base: k.weights})
	k.mul(v, v, one)
	k.free(numbers, hot, one)
	k.store(narrow(k.grad), v)
}

// A waiting loss needs a logarithm. Its chain of dependent operations is as long as the exponential's, and the processor would
// have to look far beyond it for other work, so sixteen rows share one: until then their sums, and behind those their
// logits, are in the frame.
type waitingLosses struct {
	labelKernel
	at    word // the frame: sixteen sums and sixteen logits
	bytes word // of the sums that wait
}

// fours takes narrow rows by four.
func (k labelKernel) fours() {
	w := waitingLosses{k, k.full, k.j} // of which narrow rows have no use
	k.frameOf(w.at, 2*64)
	k.move(w.bytes, 0)
	k.softmaxFours(k.count, k.logits, "logitsRow", w.logits, w.results)
	k.unless(w.bytes, w.rest)
}

// logits lets the logits of four labels wait, less the maxima of their rows.
func (k waitingLosses) logits(m reg) {
	z, label, at := k.uni(""), k.word("label in bytes"), k.word("its row")
	k.move(at, k.labelKernel.logits)
	for i := range 4 {
		k.label(label, mem{base: k.targets, offset: 4 * i})
		k.insert(z, i, mem{base: at, index: label})
		k.addArg(at, "logitsRow")
	}
	k.sub(z, z, m)
	k.storeFour(mem{base: k.at, index: k.bytes, offset: 64}, z)
	k.free(z, label, at)
}

// results stores the probabilities and gradients of four rows with the terms v and their sums.
func (k waitingLosses) results(v []reg, total reg) {
	k.storeFour(mem{base: k.at, index: k.bytes}, total)
	k.addTo(k.bytes, 16)
	k.reciprocal(total)
	r := k.uni("")
	for i := range v {
		k.shareLane(r, total, i)
		k.mul(v[i], v[i], r)
	}
	k.free(r)
	k.unless(k.probs, func() {
		for i := range v {
			k.store(narrow(k.probs), v[i])
			k.addArg(k.probs, "probsRow")
		}
	})
	k.unless(k.grad, func() {
		for i := range v {
			k.oneHotGradient(v[i], 4*i)
			k.addArg(k.grad, "gradRow")
			k.addArg(k.weights, "weightStep")
		}
	})
	k.addTo(k.targets, 16)
	k.freeAll(v)
	later := k.fn.label("later")
	k.branch(k.bytes, "<", 64, later)
	l := k.losses()
	k.store(mem{base: k.loss}, l)
	k.addTo(k.loss, 64)
	k.move(k.bytes, 0)
	k.free(l)
	k.fn.at(later)
	for i := range v { // softmaxFours frees them
		k.hold(v[i])
	}
}

// losses returns what waits.
func (k waitingLosses) losses() reg {
	l, z := k.vec(""), k.vec("")
	k.load(l, mem{base: k.at})
	k.log(l)
	k.load(z, mem{base: k.at, offset: 64})
	k.sub(l, l, z)
	k.free(z)
	return l
}

// rest stores the losses of 4, 8 or 12 rows.
func (k waitingLosses) rest() {
	again, i := k.fn.label("loss"), k.word("i")
	l := k.losses()
	k.store(mem{base: k.at}, l)
	k.move(i, 0)
	k.fn.at(again)
	k.share(reg{l.first, 1}, mem{base: k.at, index: i})
	k.storeOne(mem{base: k.loss, index: i}, l)
	k.addTo(i, 4)
	k.branch(i, "<", k.bytes, again)
	k.addTo(k.loss, k.bytes)
	k.free(l, i)
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
