package main

// The losses share their results and weights; a step of zero bytes stays at one weight for all rows, and results that
// are nil are skipped.
const (
	lossParams   = "rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, "
	targetParams = "targets *float32, targetsRow int, "
	weightParams = "weights *float32, weightStep int"
)

// lossKernel is the kernel of a loss of rows of logits, with the pointers to the row that is next.
type lossKernel struct {
	*kernel
	count, loss, probs, grad, logits, targets, weights word
}

// lossRows loads the parameters; targets is the name of that one.
func (k *kernel) lossRows(targets string) lossKernel {
	k.columns("cols")
	p := k.args("rows", "loss", "probs", "grad", "logits", targets, "weights")
	return lossKernel{k, p[0], p[1], p[2], p[3], p[4], p[5], p[6]}
}

// steps moves the pointers to the next row, that of the targets as given.
func (k lossKernel) steps(targets any) []step {
	return []step{{k.loss, 4}, {k.probs, "probsRow"}, {k.grad, "gradRow"}, {k.logits, "logitsRow"}, {k.targets, targets}, {k.weights, "weightStep"}}
}

// firstOf sets d to a, or to b if that is zero.
func (k *kernel) firstOf(d, a, b word) {
	found := k.fn.label("found")
	k.move(d, a)
	k.branch(d, "!=", 0, found)
	k.move(d, b)
	k.fn.at(found)
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
