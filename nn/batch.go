package nn

import (
	"iter"
	"math/rand/v2"

	"github.com/espalier-ml/espalier/kernels"
)

// A batch is the rows of one mini-batch: the data itself where they lie beside each other, and otherwise copies in memory
// that the next batch takes over.
type batch struct {
	chunk
	size   int        // rows of a full batch
	random *rand.Rand // shuffles the rows of each chunk of data; nil: they stay in order
	order  []int
	memory chunk
	given  []bool // whether any row in memory has come with a weight, by target
}

// batches yields b whenever it holds the next size rows of source. The last batch may have fewer rows.
func (b *batch) batches(source iter.Seq2[*chunk, error]) iter.Seq2[*batch, error] {
	return func(yield func(*batch, error) bool) {
		staged := 0 // rows in memory
		for c, err := range source {
			if err != nil {
				yield(nil, err)
				return
			}
			b.shuffle(c.rows)
			for from := 0; from < c.rows; {
				n := min(b.size-staged, c.rows-from)
				if n == b.size && b.random == nil {
					b.view(c, from, from+n)
				} else {
					b.stage(c, from, n, staged)
					b.view(&b.memory, 0, staged+n)
					for i, given := range b.given {
						if !given {
							b.weights[i] = nil
						}
					}
				}
				from, staged = from+n, staged+n
				if staged == b.size || n == b.size {
					if !yield(b, nil) {
						return
					}
					staged = 0
				}
			}
		}
		if staged > 0 {
			yield(b, nil)
		}
	}
}

// shuffle draws the order of the next rows.
func (b *batch) shuffle(rows int) {
	b.order = b.order[:0]
	if b.random == nil {
		return
	}
	for i := range rows {
		b.order = append(b.order, i)
	}
	b.random.Shuffle(rows, func(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] })
}

// stage copies n rows of c, in order those after the first from, behind the staged ones.
func (b *batch) stage(c *chunk, from, n, staged int) {
	if staged+n > b.memory.rows {
		b.grow(c, staged, n)
	}
	m := &b.memory
	if staged == 0 {
		b.given = append(b.given[:0], make([]bool, len(c.targets))...)
	}
	for j, x := range c.inputs {
		b.gather(m.inputs[j].RowRange(staged, staged+n), x, from)
	}
	for j, y := range c.targets {
		if y.Labels != nil {
			gather(b, m.targets[j].Labels[staged:staged+n], y.Labels, from)
		} else {
			b.gather(m.targets[j].Values.RowRange(staged, staged+n), y.Values, from)
		}
		to := m.weights[j][staged : staged+n]
		if w := c.weights[j]; w != nil {
			b.given[j] = true
			gather(b, to, w, from)
			continue
		}
		for i := range to {
			to[i] = 1
		}
	}
}

// gather copies rows of a matrix, in order those after the first from.
func (b *batch) gather(to, x kernels.Matrix, from int) {
	if b.random == nil || x.Cols == 1 {
		gather(b, to.Data[:to.Rows*to.Cols], x.Data, from*x.Cols)
		return
	}
	for i, row := range b.order[from : from+to.Rows] {
		copy(to.Row(i), x.Row(row))
	}
}

// gather copies elements, in order those after the first from.
func gather[T any](b *batch, to, x []T, from int) {
	if b.random == nil {
		copy(to, x[from:])
		return
	}
	for i, at := range b.order[from : from+len(to)] {
		to[i] = x[at]
	}
}

// grow makes room for n more rows of the kind that c has: never more than a batch, nor much more than the data.
func (b *batch) grow(c *chunk, staged, n int) {
	rows := min(b.size, max(staged+n, c.rows, 2*b.memory.rows))
	old := b.memory
	b.memory = chunk{rows: rows}
	m := &b.memory
	for j, x := range c.inputs {
		m.inputs = append(m.inputs, kernels.NewMatrix(rows, x.Cols))
		if staged > 0 {
			copy(m.inputs[j].Data, old.inputs[j].Data)
		}
	}
	for j, y := range c.targets {
		var t Target
		if y.Labels != nil {
			t.Labels = make([]int32, rows)
		} else {
			t.Values = kernels.NewMatrix(rows, y.Values.Cols)
		}
		w := make([]float32, rows)
		if staged > 0 {
			copy(t.Labels, old.targets[j].Labels)
			copy(t.Values.Data, old.targets[j].Values.Data)
			copy(w, old.weights[j])
		}
		m.targets, m.weights = append(m.targets, t), append(m.weights, w)
	}
}
