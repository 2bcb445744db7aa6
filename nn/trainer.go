package nn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A trainer is what Compile makes: the heads, the optimizer with its state, and the memory of a training step.
type trainer struct {
	model      *Model
	table      *kernels.Table
	optimizer  Optimizer // its own copy
	iterations int64     // updates so far: with the seed, the source of everything random
	slotNames  []string
	slots      [][][]float32 // optimizer state: weight, slot, values
	block      block         // of the model's weights
	allSlots   [][]float32   // the optimizer's state of all weights, by slot
	gradients  []float32     // of all weights
	heads      []*head
	headByName map[string]*head
	places     []int // of the heads' nodes in the runner
	from       []int // and of those whose activation a loss includes
	runner     *runner
	scale      [][]float32 // per head: what each row's loss counts
	weights    []float32   // rowWeights
	losses     []*autograd.Tensor
	preds      []*autograd.Tensor

	pool        *kernels.Pool // of the Fit or Evaluate that runs; nil for one worker
	pieces      []piece
	views       [][]float32 // of the pieces: their parts of the slots
	now         Step        // the update
	checkPiece  func(i int) // checkGradient
	updatePiece func(i int) // updateWeights
	profile     *profile    // of the Fit that runs; nil if it has none

	// of TrainOnBatch
	batch batch
	sum   *tally
	logs  Logs
}

// newTrainer returns a trainer without the optimizer's state: gather makes it of what Load has read, or of zeros.
func newTrainer(m *Model, optimizer Optimizer, heads []*head) *trainer {
	t := &trainer{
		model:     m,
		table:     kernels.Default(),
		optimizer: optimizer,
		slotNames: optimizer.Slots(),
		heads:     heads,
		scale:     make([][]float32, len(heads)),
		losses:    make([]*autograd.Tensor, len(heads)),
		preds:     make([]*autograd.Tensor, len(heads)),
	}
	t.headByName = map[string]*head{}
	for _, h := range heads {
		t.headByName[h.name] = h
	}
	t.logs = Logs{}
	t.checkPiece, t.updatePiece = t.checkGradient, t.updateWeights
	for _, w := range m.weights {
		n := len(t.slotNames)
		if w.param.state {
			n = 0
		}
		t.slots = append(t.slots, make([][]float32, n))
	}
	fused := map[*Node]bool{}
	for _, h := range heads {
		fused[h.from] = fused[h.from] || h.fused != nil
	}
	t.runner = newRunner(m, fused)
	places := map[*Node]int{}
	for i, n := range m.nodes {
		places[n] = i
	}
	for _, h := range heads {
		t.places = append(t.places, places[h.node])
		t.from = append(t.from, places[h.from])
	}
	return t
}

// forget lets go of the data of the last step.
func (t *trainer) forget() {
	t.runner.tape.Reset()
	t.batch.forget()
}

// gather moves the optimizer's state into one slice for each slot, and gives the gradients one of their own.
func (t *trainer) gather() {
	t.block = blockOf(t.model.weights)
	for j := range t.slotNames {
		all := t.block.memory()
		for i, slots := range t.slots {
			if len(slots) == 0 {
				continue // a state
			}
			values := t.block.of(all, i)
			copy(values, slots[j])
			slots[j] = values
		}
		t.allSlots = append(t.allSlots, all)
	}
	t.gradients = t.block.memory()
	for i := range t.block {
		t.runner.gradients = append(t.runner.gradients, t.block.of(t.gradients, i))
	}
}

// optimizerCount returns how many numbers Keras counts as the optimizer's once it has taken a step: iterations,
// learning rate and slots.
func (t *trainer) optimizerCount() int {
	if t.iterations == 0 {
		return 0
	}
	n := 2
	for _, slots := range t.slots {
		for _, s := range slots {
			n += len(s)
		}
	}
	return n
}

// classWeights scales the loss of rows by their class, by head.
type classWeights map[*head]map[int]float64

// forward runs the model and its losses on a batch, adds to the tally, and returns the total loss.
func (t *trainer) forward(b *batch, training bool, seed uint64, classes classWeights, sum *tally) (*autograd.Tensor, error) {
	t.runner.run(b.inputs, training, seed)
	if t.runner.err != nil {
		return nil, t.runner.err
	}
	tape := t.runner.tape
	tape.Label(len(t.runner.nodes)) // the losses
	var total *autograd.Tensor
	for i, h := range t.heads {
		var err error
		if t.scale[i], err = h.scale(t.scale[i], b, i, classes[h]); err != nil {
			return nil, err
		}
		var loss *autograd.Tensor
		if h.fused != nil {
			loss, t.preds[i] = h.fused.FusedLoss(tape, t.runner.fused[t.from[i]], b.targets[i], t.scale[i])
		} else {
			t.preds[i] = t.runner.values[t.places[i]]
			loss = h.loss.Loss(tape, t.preds[i], b.targets[i], t.scale[i])
		}
		t.losses[i] = loss
		if err := h.checkLoss(loss, tape.Err()); err != nil {
			return nil, err
		}
		if h.weight != 1 {
			loss = tape.Scale(loss, float32(h.weight))
		}
		if i == 0 {
			total = loss
		} else {
			total = tape.Add(total, loss)
		}
	}
	if err := tape.Err(); err != nil {
		return nil, err
	}
	for i, h := range t.heads {
		if loss := float64(t.losses[i].Data[0]); math.IsNaN(loss) || math.IsInf(loss, 0) {
			return nil, fmt.Errorf("the loss of output %q is %v: %w", h.name, loss, ErrNonFinite)
		}
	}
	sum.add(t, b, classes)
	t.profile.lap(inLosses)
	return total, nil
}

// checkLoss reports the error of a loss, or one that is no number.
func (h *head) checkLoss(loss *autograd.Tensor, err error) error {
	if err == nil && (loss == nil || loss.Rows != 1 || loss.Cols != 1) {
		err = fmt.Errorf("loss %s returned %s, must be 1 row of 1", h.loss.Name(), sizeOf(loss))
	}
	if err != nil {
		return fmt.Errorf("output %q: %w", h.name, err)
	}
	return nil
}

// ErrNonFinite is the error of training that has left the range of float32: in a loss, a gradient, a weight or the state of
// the optimizer.
var ErrNonFinite = errors.New("not finite")

// rowWeights returns what each row counts in weighted metrics of head i, as in its loss; nil stands for 1 each.
func (t *trainer) rowWeights(i int, b *batch, classes map[int]float64) []float32 {
	if classes == nil {
		return b.weights[i]
	}
	t.weights = t.weights[:0]
	for row := range b.rows {
		weight := weightOf(b.weights[i], row)
		if c, ok := classes[classOfRow(b.targets[i], row)]; ok {
			weight *= c
		}
		t.weights = append(t.weights, float32(weight))
	}
	return t.weights
}

// classOfRow returns the class of row i: its label, where it has its maximum, or, of one column, its integer part, -1 if that is
// beyond every class.
func classOfRow(y Target, i int) int {
	switch {
	case y.Labels != nil:
		return int(y.Labels[i])
	case y.Values.Cols == 1:
		v := y.Values.Row(i)[0]
		if !(v > -1 && v < 2) { // machines differ in what int makes of a huge number
			return -1
		}
		return int(v)
	}
	return argmax(y.Values.Row(i))
}

// goldenRatio is 2⁶⁴ over the golden ratio, made odd: the increment of splitmix64. Its multiples lie far apart, so that
// neighbouring seeds do not give a training the random numbers of another one's next step.
const goldenRatio = 0x9E3779B97F4A7C15

// step trains on one batch. If it fails, no weight has changed.
func (t *trainer) step(b *batch, seed uint64, classes classWeights, sum *tally) error {
	total, err := t.forward(b, true, seed+uint64(t.iterations)*goldenRatio, classes, sum)
	if err != nil {
		return err
	}
	if err := t.runner.tape.Backward(total); err != nil {
		return err
	}
	t.profile.lap(inBackward)
	err = t.update()
	t.profile.lap(inUpdate)
	return err
}

// A piece is a part of a weight, or some of them that lie behind each other, that one worker updates.
type piece struct {
	weight int // the first one
	w, g   []float32
	slots  [][]float32
	rows   []int      // instead of these: the rows that the gradient has
	sum    [1]float32 // of the gradient
	err    error
}

const pieceSize = 1 << 14 // floats: some microseconds of an update

// update changes the weights by their gradients, or none of them.
func (t *trainer) update() error {
	t.pieces, t.views = t.pieces[:0], t.views[:0]
	for i := 0; i < len(t.block); {
		first, param := i, t.runner.params[i]
		for i < len(t.block) && t.gathered(i) {
			i++
		}
		if i > first {
			t.cut(first, t.block[first].from, t.block[i-1].to, t.model.values, t.gradients, t.allSlots)
			continue
		}
		if rows := t.runner.tape.GradRows(param); rows != nil && sparse(t.optimizer) {
			t.pieces = append(t.pieces, piece{weight: i, rows: rows})
		} else {
			g := t.runner.tape.Grad(param).Data // none if frozen, or on no path to a loss
			t.cut(i, 0, len(g), t.model.weights[i].Data, g, t.slots[i])
		}
		i++
	}
	if err := t.each(t.checkPiece); err != nil {
		return err
	}
	if err := t.eachState(t.checkNewState); err != nil {
		return err
	}
	rate := t.optimizer.LearningRate().at(t.iterations)
	if err := checkRate(rate); err != nil {
		return fmt.Errorf("step %d: %w", t.iterations, err)
	}
	t.iterations++
	t.now = Step{Table: t.table, Number: t.iterations, LearningRate: rate, Rate: float32(rate)}
	if p, ok := t.optimizer.(Preparer); ok {
		p.Prepare(&t.now)
	}
	if err := t.each(t.updatePiece); err != nil {
		return err
	}
	return t.eachState(func(w *Weight, value kernels.Matrix) error { return t.table.Copy(w.Matrix, value) })
}

// eachState calls do for every state, with what it becomes.
func (t *trainer) eachState(do func(w *Weight, value kernels.Matrix) error) error {
	for i, w := range t.model.weights {
		if w.param.state {
			if err := do(w, t.runner.params[i].Matrix); err != nil {
				return err
			}
		}
	}
	return nil
}

func (*trainer) checkNewState(w *Weight, value kernels.Matrix) error {
	for i := range value.Rows {
		if nonFinite(value.Row(i)) >= 0 {
			return fmt.Errorf("the new value of %q is %w", w.Name, ErrNonFinite)
		}
	}
	return nil
}

// gathered reports whether weight i and its gradient lie among those of all weights.
func (t *trainer) gathered(i int) bool {
	g := t.runner.tape.Grad(t.runner.params[i]).Data
	return t.model.values != nil && len(g) > 0 && &g[0] == &t.gradients[t.block[i].from]
}

// cut makes pieces of a range of numbers.
func (t *trainer) cut(weight, from, to int, w, g []float32, slots [][]float32) {
	for ; from < to; from += pieceSize {
		end, first := min(from+pieceSize, to), len(t.views)
		for _, s := range slots {
			t.views = append(t.views, s[from:end])
		}
		t.pieces = append(t.pieces, piece{weight: weight, w: w[from:end], g: g[from:end], slots: t.views[first:len(t.views):len(t.views)]})
	}
}

// each calls do for every piece.
func (t *trainer) each(do func(i int)) error {
	if t.pool != nil {
		t.pool.Do(len(t.pieces), do)
	} else {
		for i := range t.pieces {
			do(i)
		}
	}
	for i := range t.pieces {
		if err := t.pieces[i].err; err != nil {
			return err
		}
	}
	return nil
}

// checkGradient looks for values that are not finite, or that the optimizer cannot square: a finite loss can have them. It
// looks at each value only where their sum is not finite, which can also happen to finite values.
func (t *trainer) checkGradient(i int) {
	p := &t.pieces[i]
	if p.rows != nil {
		g := t.runner.tape.Grad(t.runner.params[p.weight])
		for _, row := range p.rows {
			p.err = cmp.Or(p.err, t.gradientError(p.weight, g.Row(row)))
		}
		return
	}
	if squares(t.optimizer) {
		p.err = t.table.RowSumSquares(p.sum[:], kernels.MatrixOf(p.g, 1, len(p.g)))
	} else {
		p.err = t.table.RowSum(p.sum[:], kernels.MatrixOf(p.g, 1, len(p.g)))
	}
	if nonFinite(p.sum[:]) < 0 {
		return
	}
	for i := p.weight; i < len(t.block) && (i == p.weight || t.gathered(i)); i++ {
		p.err = cmp.Or(p.err, t.gradientError(i, t.runner.tape.Grad(t.runner.params[i]).Data))
	}
}

func (t *trainer) gradientError(weight int, g []float32) error {
	name := t.model.weights[weight].Name
	if nonFinite(g) >= 0 {
		return fmt.Errorf("the gradient of weight %q is %w", name, ErrNonFinite)
	}
	if !squares(t.optimizer) {
		return nil
	}
	for _, v := range g {
		if v*v > math.MaxFloat32 {
			return fmt.Errorf("the gradient of weight %q has a value of %v, whose square, which %s takes, is %w", name, v, className(t.optimizer), ErrNonFinite)
		}
	}
	return nil
}

// checkState looks for weights and state of the optimizer that updates have driven out of the finite range.
func (t *trainer) checkState() error {
	var sum [1]float32
	check := func(what string, weight int, v []float32) error {
		i, err := findNonFinite(v, sum[:])
		if err == nil && i >= 0 {
			err = fmt.Errorf("%s %q: value %d is %v: %w", what, t.model.weights[weight].Name, i, v[i], ErrNonFinite)
		}
		return err
	}
	for i, w := range t.model.weights {
		if err := check("weight", i, w.Data); err != nil {
			return err
		}
		for j, values := range t.slots[i] {
			if err := check("the optimizer's "+t.slotNames[j]+" of weight", i, values); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *trainer) updateWeights(i int) {
	p := &t.pieces[i]
	if p.rows == nil {
		p.err = t.optimizer.Step(&t.now, p.w, p.g, p.slots)
		return
	}
	w, g := t.model.weights[p.weight], t.runner.tape.Grad(t.runner.params[p.weight])
	for _, row := range p.rows {
		p.err = cmp.Or(p.err, t.optimizer.Step(&t.now, w.Row(row), g.Row(row), nil))
	}
}

// share lets workers help until the function that it returns is called.
func (t *trainer) share(workers int) (done func()) {
	if workers <= 1 {
		return func() {}
	}
	t.pool = kernels.NewPool(workers)
	t.runner.tape.Share(t.pool)
	return func() {
		t.pool.Close()
		t.pool = nil
		t.runner.tape.Share(nil)
	}
}

// evaluate returns the logs of the model over a data set, or over its first batches if steps is not 0.
func (t *trainer) evaluate(ctx context.Context, source iter.Seq2[*chunk, error], size, steps int) (Logs, error) {
	b := &batch{size: size}
	done := 0
	sum, err := newTally(t)
	if err != nil {
		return nil, err
	}
	for b, err := range b.batches(source) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			_, err = t.forward(b, false, 0, nil, sum)
		}
		if err != nil {
			return nil, err
		}
		if done++; done == steps {
			break
		}
	}
	if sum.rows == 0 {
		return nil, errNoRows
	}
	return sum.logs(t, Logs{}), nil
}

var errNoRows = fmt.Errorf("the data has no rows")
