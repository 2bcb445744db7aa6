package main

// The losses share their results and weights; a step of zero bytes stays at one weight for all rows, and results that
// are nil are skipped.
const (
	lossParams   = "rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, "
	targetParams = "targets *float32, targetsRow int, "
	weightParams = "weights *float32, weightStep int"
)

// reciprocal sets d to 1/d.
func (k *kernel) reciprocal(d reg) {
	one := k.uni("")
	k.set(one, f32(1))
	k.div(d, one, d)
	k.free(one)
}

// firstOf sets d to a, or to b if that is zero.
func (k *kernel) firstOf(d, a, b word) {
	found := k.fn.label("found")
	k.move(d, a)
	k.branch(d, "!=", 0, found)
	k.move(d, b)
	k.fn.at(found)
}

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

func crossEntropies() []description {
	return []description{
		{"softmaxCrossEntropy", lossParams + "labels *int32, " + weightParams,
			"p = softmax(logits[i]); loss[i] = -log p[labels[i]]; probs[i] = p; grad[i] = (p - onehot(labels[i])) * weights[i]",
			func(k *kernel) {
				k.columns("cols")
				rows, loss, probs, grad, logits := k.arg("rows"), k.arg("loss"), k.arg("probs"), k.arg("grad"), k.arg("logits")
				labels, weights := k.arg("labels"), k.arg("weights")
				// lossOf stores the loss and leaves the reciprocal of the sum.
				lossOf := func(total, z reg) {
					l := k.uni("")
					k.set(l, total)
					k.log(l)
					k.sub(l, l, z)
					k.storeOne(mem{base: loss}, l)
					k.free(l)
					k.reciprocal(total)
				}
				labelOf := func(z reg) word {
					label := k.word("label in bytes")
					k.label(label, mem{base: labels})
					k.share(z, mem{base: logits, index: label})
					return label
				}
				steps := []step{{loss, 4}, {probs, "probsRow"}, {grad, "gradRow"}, {logits, "logitsRow"}, {labels, 4}, {weights, "weightStep"}}
				// gradient stores (v-onehot)*weight for the row whose label is offset bytes from labels.
				gradient := func(v reg, offset int) {
					numbers, hot, label := k.vec(""), k.test(), k.uni("")
					k.laneNumbers(numbers)
					k.share(label, mem{base: labels, offset: offset})
					k.compare(hot, numbers, "==", label)
					k.free(label)
					one := k.uni("")
					k.set(one, f32(1))
					k.set(numbers, one)
					k.keep(numbers, numbers, hot)
					k.sub(v, v, numbers)
					k.share(one, mem{base: weights})
					k.mul(v, v, one)
					k.free(numbers, hot, one)
					k.store(narrow(grad), v)
				}
				k.rowsByWidth(rows, func() {
					z := k.uni("logits of the labels")
					k.softmaxFours(rows, logits, "logitsRow", func(m reg) {
						label, at := k.word("label in bytes"), k.word("its row")
						k.move(at, logits)
						for i := range 4 {
							k.label(label, mem{base: labels, offset: 4 * i})
							k.insert(z, i, mem{base: at, index: label})
							k.addArg(at, "logitsRow")
						}
						k.free(label, at)
						k.sub(z, z, m)
					}, func(v []reg, total reg) {
						l := k.uni("")
						k.set(l, total)
						k.log(l)
						k.sub(l, l, z)
						k.storeFour(mem{base: loss}, l)
						k.addTo(loss, 16)
						k.reciprocal(total)
						for i := range v {
							k.shareLane(l, total, i)
							k.mul(v[i], v[i], l)
						}
						k.free(l)
						k.unless(probs, func() {
							for i := range v {
								k.store(narrow(probs), v[i])
								k.addArg(probs, "probsRow")
							}
						})
						k.unless(grad, func() {
							k.free(z, total)
							for i := range v {
								gradient(v[i], 4*i)
								k.addArg(grad, "gradRow")
								k.addArg(weights, "weightStep")
							}
							k.hold(z, total)
						})
						k.addTo(labels, 16)
					})
					k.free(z)
				}, func() {
					m, total, z := k.uni(""), k.uni(""), k.uni("")
					k.free(labelOf(z))
					v := k.softmaxRow(m, total, logits)
					k.sub(z, z, m)
					k.free(m)
					lossOf(total, z)
					k.mul(v, v, total)
					k.unless(probs, func() { k.store(narrow(probs), v) })
					k.unless(grad, func() { gradient(v, 0) })
					k.free(v, total, z)
				}, func() {
					m, total, z := k.uni("maximum"), k.uni("Σ and 1/Σ"), k.uni("logit of the label")
					k.maxOfRow(m, logits)
					label := labelOf(z)
					k.sub(z, z, m)
					terms := k.word("terms")
					k.firstOf(terms, probs, grad)
					k.expOfRow(total, m, logits, func(v reg, at func(word) mem) {
						k.unless(terms, func() { k.store(at(terms), v) })
					})
					lossOf(total, z)
					k.unless(terms, func() {
						w, p, v := k.uni(""), k.uni(""), k.vec("")
						k.share(w, mem{base: weights})
						k.share(p, mem{base: terms, index: label})
						k.each(1, func(_ int, at func(word, int) mem) {
							k.load(v, at(terms, 0))
							k.mul(v, v, total)
							k.unless(probs, func() { k.store(at(probs, 0), v) })
							k.unless(grad, func() {
								k.mul(v, v, w)
								k.store(at(grad, 0), v)
							})
						})
						k.unless(grad, func() {
							k.mul(p, p, total)
							k.sub(p, p, f32(1))
							k.mul(p, p, w)
							k.storeOne(mem{base: grad, index: label}, p)
						})
						k.free(w, p, v)
					})
					k.free(label, terms, m, total, z)
				}, steps...)
			}},
		{"softCrossEntropy", lossParams + targetParams + weightParams,
			"p = softmax(logits[i]); loss[i] = -Σ targets[i] * log p; probs[i] = p; grad[i] = (p * Σ targets[i] - targets[i]) * weights[i]",
			func(k *kernel) {
				k.columns("cols")
				rows, loss, probs, grad, logits := k.arg("rows"), k.arg("loss"), k.arg("probs"), k.arg("grad"), k.arg("logits")
				targets, weights := k.arg("targets"), k.arg("weights")
				m, low := k.uni("maximum, then log Σ"), k.limit(expMin)
				// lossOf stores the loss and leaves the reciprocal of the sum.
				lossOf := func(total, mass, dot reg) {
					k.set(m, total)
					k.log(m)
					k.mulSub(m, m, mass, dot)
					k.storeOne(mem{base: loss}, m)
					k.reciprocal(total)
				}
				steps := []step{{loss, 4}, {probs, "probsRow"}, {grad, "gradRow"}, {logits, "logitsRow"}, {targets, "targetsRow"}, {weights, "weightStep"}}
				k.rowsByWidth(rows, nil, func() {
					v, t := k.vec(""), k.vec("")
					mass, dot := k.uni(""), k.uni("")
					k.loadLow(v, narrow(logits))
					k.foldMax(m, v)
					k.sub(v, v, m)
					k.keepTail(v)
					k.load(t, narrow(targets))
					k.foldAdd(mass, t)
					d := k.vec("")
					k.mul(d, t, v)
					k.foldAdd(dot, d)
					k.free(d)
					k.max(v, v, low)
					v = k.exp(v)[0]
					k.keepTail(v)
					total := k.uni("")
					k.foldAdd(total, v)
					lossOf(total, mass, dot)
					k.mul(v, v, total)
					k.unless(probs, func() { k.store(narrow(probs), v) })
					k.unless(grad, func() {
						w := k.uni("")
						k.mulSub(v, v, mass, t)
						k.share(w, mem{base: weights})
						k.mul(v, v, w)
						k.store(narrow(grad), v)
						k.free(w)
					})
					k.free(v, t, mass, dot, total)
				}, func() {
					k.maxOfRow(m, logits)
					v, sum := k.vec(""), k.vec("")
					mass := k.uni("")
					k.set(sum, num(0))
					k.each(4, func(vectors int, at func(word, int) mem) {
						for i := range vectors {
							k.load(v, at(targets, i))
							k.add(sum, sum, v)
						}
					})
					k.foldAdd(mass, sum)
					k.storeOne(mem{base: loss}, mass) // for now
					k.free(mass)

					terms := k.word("terms")
					k.firstOf(terms, probs, grad)
					dot := k.vec("")
					k.set(sum, num(0))
					k.set(dot, num(0))
					k.free(v)
					k.softTerms(sum, dot, m, low, terms, logits, targets)
					total, across := k.uni(""), k.uni("")
					k.foldAdd(total, sum)
					k.foldAdd(across, dot)
					mass = k.uni("")
					k.share(mass, mem{base: loss})
					lossOf(total, mass, across)
					k.unless(terms, func() {
						w := k.uni("")
						k.share(w, mem{base: weights})
						k.softResults(total, mass, w, probs, grad, terms, targets)
						k.free(w)
					})
					k.free(sum, dot, terms, total, across, mass)
				}, steps...)
			}},
		{"binaryCrossEntropy", lossParams + targetParams + weightParams + ", n float32",
			"z, t = logits[i,j], targets[i,j]; loss[i] = mean of max(z,0) - z*t + log1p(exp(-|z|)); probs[i,j] = sigmoid(z); grad[i,j] = (sigmoid(z) - t) * weights[i] / n",
			func(k *kernel) {
				k.columns("cols")
				rows, loss, probs, grad, logits := k.arg("rows"), k.arg("loss"), k.arg("probs"), k.arg("grad"), k.arg("logits")
				targets, weights := k.arg("targets"), k.arg("weights")
				w, sum, limit := k.uni("weight/n"), k.vec("sum of the losses"), k.limit(-expMin)
				k.rows(rows, func() {
					k.weight(w, weights, false)
					k.set(sum, num(0))
					k.binaryColumns(sum, w, limit, probs, grad, logits, targets)
					k.mean(loss, sum)
				}, step{loss, 4}, step{probs, "probsRow"}, step{grad, "gradRow"}, step{logits, "logitsRow"}, step{targets, "targetsRow"}, step{weights, "weightStep"})
			}},
		{"binaryCrossEntropyColumn", "n int, loss *float32, probs *float32, grad *float32, logits *float32, targets *float32, weights *float32",
			"z, t = logits[i], targets[i]; loss[i] = max(z,0) - z*t + log1p(exp(-|z|)); probs[i] = sigmoid(z); grad[i] = (sigmoid(z) - t) * weights[i]",
			func(k *kernel) {
				k.columns("n")
				loss, probs, grad, logits, targets, weights := k.arg("loss"), k.arg("probs"), k.arg("grad"), k.arg("logits"), k.arg("targets"), k.arg("weights")
				limit := k.limit(-expMin)
				k.each(1, func(_ int, at func(word, int) mem) {
					s := k.binaryLoss(at, limit, probs, grad, logits, targets, func(g reg) { k.timesWeight(g, weights, at) })
					k.store(at(loss, 0), s)
					k.free(s)
				})
			}},
	}
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

// binaryColumns adds the losses of a row to sum and stores its results.
func (k *kernel) binaryColumns(sum, w, limit reg, probs, grad, logits, targets word) {
	k.each(1, func(_ int, at func(word, int) mem) {
		s := k.binaryLoss(at, limit, probs, grad, logits, targets, func(g reg) { k.mul(g, g, w) })
		if at(logits, 0).tail {
			k.keepTail(s)
		}
		k.add(sum, sum, s)
		k.free(s)
	})
}

// binaryLoss returns the losses of one vector, and stores its probabilities and its gradient, to which it applies the
// weight. limit holds -expMin.
func (k *kernel) binaryLoss(at func(word, int) mem, limit reg, probs, grad, logits, targets word, weight func(g reg)) reg {
	z, t := k.vec(""), k.vec("")
	k.load(z, at(logits, 0))
	k.sigmoidTail([]reg{t}, []reg{z}, limit)
	u, y := k.vec(""), k.vec("")
	k.set(u, f32(1))
	k.sub(u, u, t)
	k.load(y, at(targets, 0))
	s := k.vec("")
	k.pickNegative(s, z, t, u)
	k.unless(probs, func() { k.store(at(probs, 0), s) })
	k.unless(grad, func() {
		k.sub(s, s, y)
		weight(s)
		k.store(at(grad, 0), s)
	})
	zero := k.uni("")
	k.set(zero, num(0))
	k.max(s, z, zero)
	k.free(zero)
	k.negMulAdd(s, z, y, s)
	k.free(z)

	// less log1p(-t), which is the logarithm of the rounded u and the correction for that
	k.set(y, f32(1))
	k.sub(y, y, u)
	k.sub(y, y, t)
	k.mulAdd(t, y, t, y)
	k.free(y)
	k.log(u)
	k.add(u, u, t)
	k.sub(s, s, u)
	k.free(t, u)
	return s
}

// timesWeight multiplies g by the weights at the same place, if there are any.
func (k *kernel) timesWeight(g reg, weights word, at func(word, int) mem) {
	k.unless(weights, func() {
		w := k.vec("")
		k.load(w, at(weights, 0))
		k.mul(g, g, w)
		k.free(w)
	})
}

// weight sets w to the weight of the row, twice that if asked, divided by the number of columns.
func (k *kernel) weight(w reg, weights word, twice bool) {
	n := k.uni("")
	k.shareArg(n, "n")
	k.share(w, mem{base: weights})
	if twice {
		k.add(w, w, w)
	}
	k.div(w, w, n)
	k.free(n)
}

// mean stores the folded sum divided by the number of columns.
func (k *kernel) mean(loss word, sum reg) {
	total, n := k.uni(""), k.uni("")
	k.foldAdd(total, sum)
	k.shareArg(n, "n")
	k.div(total, total, n)
	k.storeOne(mem{base: loss}, total)
	k.free(total, n)
}
