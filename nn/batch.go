package nn

import (
	"iter"
	"math/rand/v2"

	"github.com/espalier-ml/espalier/kernels"
)

// A batch stages the rows of one mini-batch. The memory is reused for the next one.
type batch struct {
	chunk             // the batch: views of the first rows of memory
	memory chunk      // grows up to size rows
	size   int        // rows of a full batch
	random *rand.Rand // shuffles the rows of each chunk of data; nil: they stay in order
}

// batches copies the data of source into b, size rows at a time, and yields whenever b holds a batch. The last batch
// may have fewer rows.
func (b *batch) batches(source iter.Seq2[*chunk, error]) iter.Seq2[*batch, error] {
	return func(yield func(*batch, error) bool) {
		b.rows = 0
		for c, err := range source {
			if err != nil {
				yield(nil, err)
				return
			}
			var order []int
			if b.random != nil {
				order = b.random.Perm(c.rows)
			}
			for i := range c.rows {
				if order != nil {
					b.add(c, order[i])
				} else {
					b.add(c, i)
				}
				if b.rows == b.size {
					if b.view(); !yield(b, nil) {
						return
					}
					b.rows = 0
				}
			}
		}
		if b.rows > 0 {
			b.view()
			yield(b, nil)
		}
	}
}

// add appends row i of c.
func (b *batch) add(c *chunk, i int) {
	if b.rows == b.memory.rows {
		b.grow(c)
	}
	for j, x := range c.inputs {
		copy(b.memory.inputs[j].Row(b.rows), x.Row(i))
	}
	for j, y := range c.targets {
		if y.labels != nil {
			b.memory.targets[j].labels[b.rows] = y.labels[i]
		} else {
			copy(b.memory.targets[j].values.Row(b.rows), y.values.Row(i))
		}
		b.memory.weights[j][b.rows] = 1
		if c.weights[j] != nil {
			b.memory.weights[j][b.rows] = c.weights[j][i]
		}
	}
	b.rows++
}

// grow makes room for more rows of the kind that c has: never more than a batch, nor much more than the data.
func (b *batch) grow(c *chunk) {
	rows := min(b.size, max(c.rows, 2*b.memory.rows))
	bigger := chunk{rows: rows}
	resize := func(old kernels.Matrix, cols int) kernels.Matrix {
		m := kernels.NewMatrix(rows, cols)
		copy(m.Data, old.Data[:b.rows*old.Cols])
		return m
	}
	old := b.memory
	if old.rows == 0 {
		old = chunk{inputs: make([]kernels.Matrix, len(c.inputs)), targets: make([]target, len(c.targets)), weights: make([][]float32, len(c.targets))}
	}
	for j, x := range c.inputs {
		bigger.inputs = append(bigger.inputs, resize(old.inputs[j], x.Cols))
	}
	for j, y := range c.targets {
		var t target
		if y.labels != nil {
			t.labels = append(make([]int32, 0, rows), old.targets[j].labels...)[:rows]
		} else {
			t.values = resize(old.targets[j].values, y.values.Cols)
		}
		bigger.targets = append(bigger.targets, t)
		bigger.weights = append(bigger.weights, append(make([]float32, 0, rows), old.weights[j]...)[:rows])
	}
	b.memory = bigger
}

// view points b's matrices and slices at its rows.
func (b *batch) view() {
	m := &b.memory
	b.inputs, b.targets, b.weights = b.inputs[:0], b.targets[:0], b.weights[:0]
	for _, x := range m.inputs {
		b.inputs = append(b.inputs, x.RowRange(0, b.rows))
	}
	for j, y := range m.targets {
		if y.labels != nil {
			y.labels = y.labels[:b.rows]
		} else {
			y.values = y.values.RowRange(0, b.rows)
		}
		b.targets = append(b.targets, y)
		b.weights = append(b.weights, m.weights[j][:b.rows])
	}
}
