package main

func binaryCrossEntropy() description {
	return description{"binaryCrossEntropy", lossParams + targetParams + weightParams + ", n float32",
		"z, t = logits[i,j], targets[i,j]; loss[i] = mean of max(z,0) - z*t + log1p(exp(-|z|)); probs[i,j] = sigmoid(z); grad[i,j] = (sigmoid(z) - t) * weights[i] / n",
		func(k *kernel) {
			b := k.lossRows("targets")
			w, sum, limit := k.uni("weight/n"), k.vec("sum of the losses"), k.limit(-expMin)
			k.rows(b.count, func() {
				k.weight(w, b.weights, false)
				k.set(sum, num(0))
				k.binaryColumns(sum, w, limit, b.probs, b.grad, b.logits, b.targets)
				k.mean(b.loss, sum)
			}, b.steps("targetsRow")...)
		}}
}

func binaryCrossEntropyColumn() description {
	return description{"binaryCrossEntropyColumn", "n int, loss *float32, probs *float32, grad *float32, logits *float32, targets *float32, weights *float32",
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
		}}
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
