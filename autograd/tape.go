package autograd

import (
	"fmt"
	"time"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A Tensor is a matrix on a tape. It is valid until the tape's next Reset.
type Tensor = ops.Tensor

// A variable is a tensor and what the tape knows of it.
type variable struct {
	Tensor
	grad  kernels.Matrix
	place []float32 // for grad; nil: in the arena
	param bool      // made by Param
	needs bool      // a parameter lies beneath it, so a gradient must reach it
	has   bool      // grad holds something

	sparse *sparseGrad // owns grad if that is sparse
}

// A Tape records operations and differentiates them. It belongs to one goroutine.
type Tape struct {
	table   *kernels.Table
	scratch kernels.Scratch
	arena   arena
	vars    freeList[variable]
	ops     []entry // behind its end those of the step before, to be used again
	err     error
	label   int
	times   []time.Duration // of Backward by label; nil: not asked for
	dead    Tensor          // what operations return once the tape has failed; its ID is that of no variable
	sparses freeList[sparseGrad]
	in, dx  []kernels.Matrix // what a Function sees, for one call
	labels  []int32          // what a loss sees, for one call
}

// An op is one recorded operation. Its backward reads the gradient of its result and adds to those of its operands.
type op interface{ backward(t *Tape) error }

type entry struct {
	op    op
	y     *variable // its result
	label int
}

// NewTape returns an empty tape that computes with the given kernels; nil stands for [kernels.Default].
func NewTape(table *kernels.Table) *Tape {
	if table == nil {
		table = kernels.Default()
	}
	return &Tape{table: table, dead: Tensor{ID: -1}}
}

// Reset forgets everything recorded and takes all of the tape's memory back. Tensors made before it are invalid.
func (t *Tape) Reset() {
	t.ops = t.ops[:0]
	t.err = nil
	t.label = 0
	t.arena.reset()
	for _, x := range t.vars.items[:t.vars.used] {
		*x = variable{} // lets go of the caller's data
	}
	t.vars.reset()
	t.sparses.reset()
}

// Share lets the workers of pool help with large products; nil ends that. Results do not depend on it.
func (t *Tape) Share(pool *kernels.Pool) { t.scratch.Pool = pool }

// Label gives the operations recorded from now on a label for [Tape.TimeBackward]. After Reset it is 0.
func (t *Tape) Label(label int) { t.label = label }

// TimeBackward makes Backward add the time of each operation to times[label]; nil ends that. Every label must have its
// place in times.
func (t *Tape) TimeBackward(times []time.Duration) { t.times = times }

// Err returns the first error of an operation since the last Reset.
func (t *Tape) Err() error { return t.err }

// Const puts m on the tape as data: no gradient is computed for it. The tape reads m in place.
func (t *Tape) Const(m kernels.Matrix) *Tensor { return t.leaf("Const", m, false) }

// Param puts m on the tape as a parameter: Backward computes its gradient, see [Tape.Grad]. The tape reads m in place.
func (t *Tape) Param(m kernels.Matrix) *Tensor { return t.leaf("Param", m, true) }

// ParamInto is [Tape.Param] with memory for the gradient, one element for each of m. It has the gradient after Backward,
// unless that is zero but for some rows, see [Tape.GradRows], or none has arrived.
func (t *Tape) ParamInto(m kernels.Matrix, grad []float32) *Tensor {
	x := t.leaf("ParamInto", m, true)
	if v := t.of(x); v != nil {
		if len(grad) != m.Rows*m.Cols {
			t.fail(fmt.Errorf("autograd: ParamInto: %d elements for the gradient of a %dx%d parameter: %w", len(grad), m.Rows, m.Cols, kernels.ErrShape))
			return &t.dead
		}
		v.place = grad
	}
	return x
}

// leaf refuses a view that its data does not fill, so that operations can index what is on the tape.
func (t *Tape) leaf(name string, m kernels.Matrix, needs bool) *Tensor {
	if !m.Valid() {
		t.fail(fmt.Errorf("autograd: %s: a %dx%d matrix (stride %d) of %d elements: %w",
			name, m.Rows, m.Cols, m.Stride, len(m.Data), kernels.ErrShape))
		return &t.dead
	}
	x := t.variable(m, needs)
	x.param = needs
	return &x.Tensor
}

// Grad returns the gradient of the last Backward's loss with respect to x. It is meaningful for tensors made by
// [Tape.Param]; the memory of other gradients is reused on the way. It is the zero Matrix where none arrived, and for a
// tensor that is not on this tape.
func (t *Tape) Grad(x *Tensor) kernels.Matrix {
	if v := t.of(x); v != nil {
		return v.grad
	}
	return kernels.Matrix{}
}

// GradRows returns the rows of [Tape.Grad] that may differ from zero, each once, in the order in which they were reached;
// nil stands for all of them. Only a parameter that [Tape.Embedding] looks up has such rows. The other rows of the gradient
// must not be written to: they stay zero.
func (t *Tape) GradRows(x *Tensor) []int {
	if v := t.of(x); v != nil && v.sparse != nil {
		return v.sparse.rows
	}
	return nil
}

// of returns what the tape knows of x, nil if it did not make it.
func (t *Tape) of(x *Tensor) *variable {
	if x == nil || uint(x.ID) >= uint(t.vars.used) {
		return nil
	}
	if v := t.vars.items[x.ID]; &v.Tensor == x {
		return v
	}
	return nil
}

// Backward computes the gradient of the 1x1 tensor loss with respect to every parameter that it depends on. The gradient of
// several losses is that of their sum, made by [Tape.Add]. Backward can run again, for this loss or another one on the
// tape: it forgets the gradients of the run before, whose memory stays as it is until Reset.
func (t *Tape) Backward(loss *Tensor) error {
	if !t.accept("Backward", loss) {
		return t.err
	}
	if loss.Rows != 1 || loss.Cols != 1 {
		return t.fail(fmt.Errorf("autograd: Backward: the loss is %dx%d, it must be 1x1", loss.Rows, loss.Cols))
	}
	for _, x := range t.vars.items[:t.vars.used] {
		x.has, x.grad = false, kernels.Matrix{}
	}
	root := t.of(loss)
	if !root.needs {
		return nil
	}
	g, _ := t.into(root)
	g.Data[0] = 1
	var last time.Time
	if t.times != nil {
		last = time.Now()
	}
	for i := len(t.ops) - 1; i >= 0; i-- {
		if !t.ops[i].y.has {
			continue // no path from here to the loss
		}
		if err := t.ops[i].op.backward(t); err != nil {
			return t.fail(err)
		}
		if t.times != nil {
			now := time.Now()
			t.times[t.ops[i].label] += now.Sub(last)
			last = now
		}
	}
	return nil
}

func (t *Tape) variable(m kernels.Matrix, needs bool) *variable {
	id := int32(t.vars.used)
	x := t.vars.get()
	*x = variable{Tensor: Tensor{Matrix: m, ID: id}, needs: needs}
	return x
}

// result returns a new rows x cols tensor in the arena, not zeroed, that needs a gradient if an operand does.
func (t *Tape) result(rows, cols int, operands ...*Tensor) *variable {
	needs := false
	for _, x := range operands {
		needs = needs || t.of(x).needs
	}
	return t.variable(t.matrix(rows, cols), needs)
}

func (t *Tape) matrix(rows, cols int) kernels.Matrix {
	return kernels.MatrixOf(t.arena.alloc(rows*cols), rows, cols)
}

// record keeps o for Backward if y needs a gradient. A failed forward has already failed the tape.
func record[T any, P opOf[T]](t *Tape, y *variable, o T) *Tensor {
	if t.err != nil {
		return &t.dead
	}
	if y.needs {
		p := next[T, P](t)
		*p = o
		t.ops = append(t.ops, entry{p, y, t.label})
	}
	return &y.Tensor
}

type opOf[T any] interface {
	*T
	op
}

// next returns the memory of the next op: that of the step before at the same place, if it was of the same kind, so that
// a steady loop allocates nothing and the tape need not know what ops there are.
func next[T any, P opOf[T]](t *Tape) P {
	if i := len(t.ops); i < cap(t.ops) {
		if o, ok := t.ops[:i+1][i].op.(P); ok {
			return o
		}
	}
	return new(T)
}

// accept reports whether an operation may go on: the tape has not failed and all operands are on it.
func (t *Tape) accept(name string, operands ...*Tensor) bool {
	if t.err != nil {
		return false
	}
	for i, x := range operands {
		if t.of(x) == nil {
			t.fail(fmt.Errorf("autograd: %s: operand %d is not on this tape", name, i))
			return false
		}
	}
	return true
}

func (t *Tape) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return t.err
}

// check fails the tape if err is not nil.
func (t *Tape) check(err error) {
	if err != nil {
		t.fail(err)
	}
}

// into returns where a gradient of x belongs and whether it must be added to what is there.
func (t *Tape) into(x *variable) (g kernels.Matrix, accumulate bool) {
	if x.has {
		x.sparse.touchAll()
		return x.grad, true
	}
	x.has = true
	if x.place != nil {
		x.grad = kernels.MatrixOf(x.place, x.Rows, x.Cols)
	} else {
		x.grad = t.matrix(x.Rows, x.Cols)
	}
	return x.grad, false
}

// give makes g the gradient of x, or adds it. The caller gives the memory of g away.
func (t *Tape) give(x *variable, g kernels.Matrix) error {
	if x.has {
		x.sparse.touchAll()
		return t.table.Add(x.grad, x.grad, g)
	}
	if x.place != nil {
		return t.lend(x, g)
	}
	x.has, x.grad = true, g
	return nil
}

// lend adds g to the gradient of x and leaves g as it is.
func (t *Tape) lend(x *variable, g kernels.Matrix) error {
	into, accumulate := t.into(x)
	if accumulate {
		return t.table.Add(into, into, g)
	}
	return t.table.Copy(into, g)
}

// A freeList hands out values that stay where they are and are handed out again after reset.
type freeList[T any] struct {
	items []*T
	used  int
}

func (p *freeList[T]) get() *T {
	if p.used == len(p.items) {
		p.items = append(p.items, new(T))
	}
	p.used++
	return p.items[p.used-1]
}

func (p *freeList[T]) reset() { p.used = 0 }

// An arena hands out float32 memory from one block; what does not fit goes to further blocks until the next reset,
// which makes the one block large enough for all of it.
type arena struct {
	block []float32
	used  int // floats of block handed out
	total int // floats asked for since the last reset
}

const lane = 16 // floats in a 64-byte cache line: every slice starts on one, as far as the block does

func (a *arena) alloc(n int) []float32 {
	size := (n + lane - 1) &^ (lane - 1)
	a.total += size
	if a.used+size > len(a.block) {
		return make([]float32, n)
	}
	s := a.block[a.used : a.used+n : a.used+n]
	a.used += size
	return s
}

func (a *arena) reset() {
	if a.total > len(a.block) {
		a.block = make([]float32, a.total)
	}
	a.used, a.total = 0, 0
}
