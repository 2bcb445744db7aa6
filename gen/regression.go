package main

import "strings"

// regression describes a loss that is the mean of a function of d = pred - target, three times: for rows, for a single
// column, where each row is one element, and for a piece of a row. term replaces d by the function's value; slope replaces d by its gradient with
// weight w.
func regression(name, term, slope string, twice bool, value func(k *kernel, v, d reg), gradient func(k *kernel, d, w reg)) []description {
	const head, tail = "grad *float32, gradRow int, pred *float32, predRow int, ", "targets *float32, targetsRow int, weights *float32, weightStep int, n float32"
	columns := func(k *kernel, sum, w reg, grad, pred, targets word) {
		d, t := k.vec(""), k.vec("")
		k.each(2, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(d, at(pred, i))
				k.load(t, at(targets, i))
				k.sub(d, d, t)
				if twice {
					k.mulAdd(sum, d, d, sum)
				} else {
					value(k, t, d)
					k.add(sum, sum, t)
				}
				k.unless(grad, func() {
					gradient(k, d, w)
					k.store(at(grad, i), d)
				})
			}
		})
		k.free(d, t)
	}
	rows := description{name, "rows, cols int, loss *float32, " + head + tail,
		"d = pred[i,j] - targets[i,j]; loss[i] = mean of " + term + "; grad[i,j] = " + slope + " / n", func(k *kernel) {
			k.columns("cols")
			rows, loss, grad, pred := k.arg("rows"), k.arg("loss"), k.arg("grad"), k.arg("pred")
			targets, weights := k.arg("targets"), k.arg("weights")
			w, sum := k.uni("weight/n"), k.vec("sum of the losses")
			k.rows(rows, func() {
				k.weight(w, weights, twice)
				k.set(sum, num(0))
				columns(k, sum, w, grad, pred, targets)
				k.mean(loss, sum)
			}, step{loss, 4}, step{grad, "gradRow"}, step{pred, "predRow"}, step{targets, "targetsRow"}, step{weights, "weightStep"})
		}}
	column := description{name + "Column", "n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32",
		"d = pred[i] - targets[i]; loss[i] = " + term + "; grad[i] = " + slope, func(k *kernel) {
			k.columns("n")
			loss, grad, pred, targets, weights := k.arg("loss"), k.arg("grad"), k.arg("pred"), k.arg("targets"), k.arg("weights")
			d, v, w := k.vec(""), k.vec(""), k.vec("")
			k.each(1, func(_ int, at func(word, int) mem) {
				k.load(d, at(pred, 0))
				k.load(v, at(targets, 0))
				k.sub(d, d, v)
				value(k, v, d)
				k.unless(grad, func() {
					k.set(w, f32(1))
					k.unless(weights, func() { k.load(w, at(weights, 0)) })
					if twice {
						k.add(w, w, w)
					}
					gradient(k, d, w)
					k.store(at(grad, 0), d)
				})
				k.store(at(loss, 0), v)
			})
		}}
	piece := description{name + "Piece", "n int, lanes *float32, grad *float32, pred *float32, targets *float32, weight float32",
		"d = pred[j] - targets[j]; lanes[j%16] += " + term + "; grad[j] = " + strings.TrimSuffix(strings.Replace(slope, " * 2", "", 1), "s[i]"), func(k *kernel) {
			k.columns("n")
			lanes, grad, pred, targets := k.arg("lanes"), k.arg("grad"), k.arg("pred"), k.arg("targets")
			w := k.shared("weight")[0]
			k.carried(func(sum reg) { columns(k, sum, w, grad, pred, targets) }, lanes)
		}}
	return []description{rows, column, piece}
}

func regressions() []description {
	squared := regression("meanSquaredError", "d*d", "d * 2 * weights[i]", true,
		func(k *kernel, v, d reg) { k.mul(v, d, d) },
		func(k *kernel, d, w reg) { k.mul(d, d, w) })
	absolute := regression("meanAbsoluteError", "|d|", "sign(d) * weights[i]", false,
		func(k *kernel, v, d reg) { k.and(v, d, allBits) },
		func(k *kernel, d, w reg) {
			size, c := k.vec(""), k.test()
			k.and(size, d, allBits)
			k.compare(c, size, ">", num(0))
			k.and(size, d, signBit)
			k.xor(size, size, w)
			k.pick(d, c, size, d)
			k.free(size, c)
		})
	return append(squared, absolute...)
}
