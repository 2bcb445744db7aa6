package main

import "strings"

// regression is a loss that is the mean of a function of d = pred - target. It is a kernel three times: for rows, for a
// single column, where each row is one element, and for a piece of a row.
type regression struct {
	name, term, slope string                    // the function and its gradient
	twice             bool                      // the function is d*d, whose gradient is twice d
	value             func(k *kernel, v, d reg) // sets v
	gradient          func(k *kernel, d, w reg) // replaces d, with the weight w
}

func regressions() []description {
	var list []description
	for _, r := range []regression{squaredError, absoluteError} {
		list = append(list, r.rows(), r.column(), r.piece())
	}
	return list
}

var squaredError = regression{"meanSquaredError", "d*d", "d * 2 * weights[i]", true,
	func(k *kernel, v, d reg) { k.mul(v, d, d) },
	func(k *kernel, d, w reg) { k.mul(d, d, w) },
}

var absoluteError = regression{"meanAbsoluteError", "|d|", "sign(d) * weights[i]", false,
	func(k *kernel, v, d reg) { k.and(v, d, allBits) },
	func(k *kernel, d, w reg) {
		size, c := k.vec(""), k.test()
		k.and(size, d, allBits)
		k.compare(c, size, ">", num(0))
		k.and(size, d, signBit)
		k.xor(size, size, w)
		k.pick(d, c, size, d)
		k.free(size, c)
	},
}

func (r regression) rows() description {
	return description{r.name, "rows, cols int, loss *float32, grad *float32, gradRow int, pred *float32, predRow int, " + targetParams + weightParams + ", n float32",
		"d = pred[i,j] - targets[i,j]; loss[i] = mean of " + r.term + "; grad[i,j] = " + r.slope + " / n", func(k *kernel) {
			k.columns("cols")
			rows, loss, grad, pred := k.arg("rows"), k.arg("loss"), k.arg("grad"), k.arg("pred")
			targets, weights := k.arg("targets"), k.arg("weights")
			w, sum := k.uni("weight/n"), k.vec("sum of the losses")
			k.rows(rows, func() {
				k.weight(w, weights, r.twice)
				k.set(sum, num(0))
				r.columns(k, sum, w, grad, pred, targets)
				k.mean(loss, sum)
			}, step{loss, 4}, step{grad, "gradRow"}, step{pred, "predRow"}, step{targets, "targetsRow"}, step{weights, "weightStep"})
		}}
}

// columns adds the losses of a row to sum and stores its gradient.
func (r regression) columns(k *kernel, sum, w reg, grad, pred, targets word) {
	d, t := k.vec(""), k.vec("")
	k.each(2, func(vectors int, at func(word, int) mem) {
		for i := range vectors {
			k.load(d, at(pred, i))
			k.load(t, at(targets, i))
			k.sub(d, d, t)
			if r.twice {
				k.mulAdd(sum, d, d, sum)
			} else {
				r.value(k, t, d)
				k.add(sum, sum, t)
			}
			k.unless(grad, func() {
				r.gradient(k, d, w)
				k.store(at(grad, i), d)
			})
		}
	})
	k.free(d, t)
}

func (r regression) column() description {
	return description{r.name + "Column", "n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32",
		"d = pred[i] - targets[i]; loss[i] = " + r.term + "; grad[i] = " + r.slope, func(k *kernel) {
			k.columns("n")
			loss, grad, pred, targets, weights := k.arg("loss"), k.arg("grad"), k.arg("pred"), k.arg("targets"), k.arg("weights")
			d, v, w := k.vec(""), k.vec(""), k.vec("")
			k.each(1, func(_ int, at func(word, int) mem) {
				k.load(d, at(pred, 0))
				k.load(v, at(targets, 0))
				k.sub(d, d, v)
				r.value(k, v, d)
				k.unless(grad, func() {
					k.set(w, f32(1))
					k.unless(weights, func() { k.load(w, at(weights, 0)) })
					if r.twice {
						k.add(w, w, w)
					}
					r.gradient(k, d, w)
					k.store(at(grad, 0), d)
				})
				k.store(at(loss, 0), v)
			})
		}}
}

// piece gets the weight with all its factors.
func (r regression) piece() description {
	slope := strings.TrimSuffix(strings.Replace(r.slope, " * 2", "", 1), "s[i]")
	return description{r.name + "Piece", "n int, lanes *float32, grad *float32, pred *float32, targets *float32, weight float32",
		"d = pred[j] - targets[j]; lanes[j%16] += " + r.term + "; grad[j] = " + slope, func(k *kernel) {
			k.columns("n")
			lanes, grad, pred, targets := k.arg("lanes"), k.arg("grad"), k.arg("pred"), k.arg("targets")
			w := k.shared("weight")[0]
			k.carried(func(sum reg) { r.columns(k, sum, w, grad, pred, targets) }, lanes)
		}}
}
