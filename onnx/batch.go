package onnx

import "slices"

// A model serves and trains on batches of rows, each for itself, and so a graph must not mix them. The graph is looked at with
// batches of one row and of two: the axis of a value on which the two differ is that of the batch, and every operator says
// whether it leaves the samples on it apart. Where one of them does not, nothing of the graph is run on more than one row.

// A batching is a node, with batches of two rows, and where the batch is.
type batching struct {
	*call
	one []*tensor // the outputs with one row
	at  []int     // the axis of each input, -1 where it is the same for all rows
	out []int     // for the operator to set; they start with -1
}

// all sets the axis of all outputs.
func (b *batching) all(axis int) {
	for i := range b.out {
		b.out[i] = axis
	}
}

// only reports whether no other input than i has the batch.
func (b *batching) only(i int) bool {
	for j, at := range b.at {
		if j != i && at >= 0 {
			return false
		}
	}
	return true
}

// likeFirst is for a result that has the shape of the first input.
func likeFirst(b *batching) bool {
	b.all(b.at[0])
	return b.only(0)
}

// elementwise is for inputs that are broadcast to the shape of the result.
func elementwise(b *batching) bool {
	rank, axis := len(b.call.out[0].shape), -1
	for i, at := range b.at {
		if at < 0 {
			continue
		}
		if at += rank - len(b.in[i].shape); axis >= 0 && at != axis {
			return false
		}
		axis = at
	}
	b.all(axis)
	return true
}

// along is for what works along some axes of the first input, which a reduction may leave out.
func along(axes func(c *call) []int) func(b *batching) bool {
	return func(b *batching) bool {
		at := b.at[0]
		touched := axes(b.call)
		if slices.Contains(touched, at) || !b.only(0) {
			return false
		}
		if y := b.call.out[slices.IndexFunc(b.call.out, func(y *tensor) bool { return y != nil })]; len(y.shape) < len(b.in[0].shape) {
			for _, a := range touched {
				if a < b.at[0] {
					at--
				}
			}
		}
		b.all(at)
		return true
	}
}

// regrouped is for another shape of the same elements: what lies before the batch must stay before it.
func regrouped(b *batching) bool {
	at := b.grows(0)
	b.all(at)
	return at >= 0 && b.at[0] >= 0 && product(b.in[0].shape[:b.at[0]]) == product(b.call.out[0].shape[:at])
}

func expanded(b *batching) bool {
	at := b.grows(0)
	b.all(at)
	return at >= 0 && (b.at[0] < 0 || b.at[0]+len(b.call.out[0].shape)-len(b.in[0].shape) == at)
}

func joined(b *batching) bool {
	axis := b.concatAxis()
	for _, at := range b.at {
		if at < 0 || at == axis || at != b.at[0] {
			return false
		}
	}
	b.all(b.at[0])
	return true
}

func gathered(b *batching) bool {
	x, at, axis := b.at[0], b.at[1], b.oneAxis(0)
	switch {
	case x >= 0 && at >= 0 || x == axis:
		return false
	case at >= 0:
		b.all(axis + at)
	case x > axis:
		b.all(x - 1 + len(b.in[1].shape))
	default:
		b.all(x)
	}
	return true
}

func matrices(b *batching) bool {
	x, y := b.in[0].shape, b.in[1].shape
	rank := len(b.call.out[0].shape)
	if len(y) == 1 {
		rank++
	}
	if len(x) == 1 {
		rank++
	}
	axis := -1
	for i, s := range [][]int{x, y} {
		at := b.at[i]
		if at < 0 {
			continue
		}
		last := len(s) - 1
		if i == 0 && at == last || i == 1 && at == max(0, last-1) || b.at[1-i] >= 0 && at >= last-1 {
			return false // it is summed over, or there is more than one
		}
		if i == 1 && at == last {
			at = rank - 1
		} else {
			at += rank - len(s)
		}
		if axis >= 0 && axis != at {
			return false
		}
		axis = at
	}
	if len(x) == 1 && axis == rank-1 {
		axis--
	}
	b.all(axis)
	return true
}

// firstAxis is for batch, channels and more axes.
func firstAxis(b *batching) bool {
	b.all(0)
	return b.at[0] == 0 && b.only(0)
}

// firstAxis2 is firstAxis for rows of features.
func firstAxis2(b *batching) bool { return firstAxis(b) && len(b.in[0].shape) == 2 }

// belowAxis is for what works along all axes from one on.
func belowAxis(b *batching) bool {
	b.all(b.at[0])
	return b.at[0] < b.oneAxis(-1) && b.only(0)
}

// allFirst is for inputs that all have the batch first.
func allFirst(b *batching) bool {
	b.all(0)
	for i, at := range b.at {
		if b.has(i) && at != 0 && !(i == 3 && at < 0 && (len(b.in[3].shape) < 4 || b.in[3].shape[0] == 1)) {
			return false
		}
		if i == 3 && at == 0 && len(b.in[3].shape) < 4 {
			return false
		}
	}
	return true
}

func sequences(b *batching) bool {
	first := 1
	if b.flag("layout") {
		first = 0
	}
	want := []int{first, -1, -1, -1, 0, first, first, -1}
	if b.at[0] != first {
		return false
	}
	for i, at := range b.at {
		if b.has(i) && at != want[i] {
			return false
		}
	}
	for i, axis := range []int{2 * first, first, first} {
		if i < len(b.out) {
			b.out[i] = axis
		}
	}
	return true
}

func losses(b *batching) bool {
	b.all(0)
	return b.at[0] == 0 && b.at[1] == 0 && (len(b.at) < 3 || b.at[2] < 0) && b.text("reduction", "mean") == "none"
}
