package autograd

import "github.com/espalier-ml/espalier/kernels"

type embeddingOp struct {
	w, y *variable
	rows []int // of w, in the order in which x names them
}

// Embedding looks up rows of w: x is [rows, n] of whole numbers from 0 to w.Rows-1, w is [w.Rows, dim], and the result
// [rows, n·dim] has in row i the rows x[i, 0], x[i, 1], ... of w beside each other. Anything else in x is a
// [kernels.IndexError]. No gradient reaches x; that of w is zero but for the rows that x names, see [Tape.GradRows].
func (t *Tape) Embedding(x, w *Tensor) *Tensor {
	if !t.accept("Embedding", x, w) {
		return &t.dead
	}
	y := t.result(x.Rows, x.Cols*w.Cols, w)
	if err := t.table.Gather(y.Matrix, x.Matrix, w.Matrix); err != nil {
		t.fail(err)
		return &t.dead
	}
	if y.needs {
		o := next[embeddingOp](t)
		o.w, o.y, o.rows = t.of(w), y, o.rows[:0]
		for i := range x.Rows {
			for _, v := range x.Row(i) {
				o.rows = append(o.rows, int(v))
			}
		}
		t.ops = append(t.ops, entry{o, y, t.label})
	}
	return &y.Tensor
}

func (o *embeddingOp) backward(t *Tape) error {
	w := o.w
	switch {
	case w.has:
	case w.param:
		w.has = true
		if w.sparse == nil {
			w.sparse = t.sparses.get()
		}
		w.grad = w.sparse.zero(w.Rows, w.Cols)
	default: // the operation that made w may write to its gradient
		g, _ := t.into(w)
		clear(g.Data)
	}
	dy := kernels.MatrixOf(o.y.grad.Data, len(o.rows), w.Cols)
	long := o.long()
	for i, row := range o.rows {
		w.sparse.touch(row)
		to, from := w.grad.Row(row), dy.Row(i)
		if sum, ok := long[row]; ok {
			for j, d := range from {
				sum[j] += float64(d)
			}
			continue
		}
		for j, d := range from {
			to[j] += d
		}
	}
	for row, sum := range long {
		for j, d := range sum {
			w.grad.Row(row)[j] += float32(d)
		}
	}
	return nil
}

// long returns sums for the rows that are named more often than one chain of float32 additions takes.
func (o *embeddingOp) long() map[int][]float64 {
	if len(o.rows) <= rowsPerSum {
		return nil
	}
	times, sums := make([]int, o.w.Rows), map[int][]float64{}
	for _, row := range o.rows {
		if times[row]++; times[row] == rowsPerSum+1 {
			sums[row] = make([]float64, o.w.Cols)
		}
	}
	return sums
}

// A sparseGrad is a gradient that is zero but for some rows. It keeps its memory from step to step, so that a step only
// zeroes the rows that the last one touched.
type sparseGrad struct {
	kernels.Matrix
	rows    []int // that may differ from zero, each once
	touched []bool
}

// zero returns the gradient as a rows x cols matrix of zeros.
func (s *sparseGrad) zero(rows, cols int) kernels.Matrix {
	if s.Rows != rows || s.Cols != cols {
		*s = sparseGrad{Matrix: kernels.NewMatrix(rows, cols), touched: make([]bool, rows)}
	}
	for _, i := range s.rows {
		clear(s.Row(i))
		s.touched[i] = false
	}
	s.rows = s.rows[:0]
	return s.Matrix
}

// touch notes that row i may differ from zero from now on. On a gradient that is not sparse it does nothing.
func (s *sparseGrad) touch(i int) {
	if s != nil && !s.touched[i] {
		s.touched[i] = true
		s.rows = append(s.rows, i)
	}
}

func (s *sparseGrad) touchAll() {
	if s != nil {
		for i := range s.Rows {
			s.touch(i)
		}
	}
}
