package nn

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A trainer is what Compile makes: the heads, the optimizer with its state, and the memory of a training step.
type trainer struct {
	model      *Model
	table      *kernels.Table
	optimizer  Optimizer     // its own copy
	iterations int64         // updates so far: with the seed, the source of everything random
	slotNames  []string      // the optimizer's own, then those of its options
	ownSlots   int           // how many are its own
	slots      [][][]float32 // optimizer state: weight, slot, values
	block      block         // of the model's weights
	allSlots   [][]float32   // the optimizer's state of all weights, by slot
	gradients  []float32     // of all weights
	means      []float32     // of the gradients of all weights, if the optimizer gathers them
	decays     []float64     // of the weights
	constrain  []int         // the weights that have a constraint
	penalties  []penalized   // weights that have a penalty
	activities []penalized   // nodes that have one
	penalty    float64       // the sum in the step
	heads      []*head
	headByName map[string]*head
	places     []int // of the heads' nodes in the runner
	from       []int // and of those whose activation a loss includes
	runner     *runner
	scale      [][]float32 // per head: what each row's loss counts
	weights    []float32   // rowWeights
	losses     []*autograd.Tensor
	preds      []*autograd.Tensor

	pool    *kernels.Pool // of the Fit or Evaluate that runs; nil for one worker
	updater updater
	profile *profile // of the Fit that runs; nil if it has none

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
		slotNames: slices.Concat(optimizer.Slots(), optionsOf(optimizer).slots()),
		ownSlots:  len(optimizer.Slots()),
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
	t.updater.init(t)
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
	t.penalties, t.activities = m.penalties()
	for _, p := range t.activities {
		t.runner.nodes[p.place].used = true
	}
	for i, w := range m.weights {
		if w.param.constraint != nil {
			t.constrain = append(t.constrain, i)
		}
	}
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
	t.decays, _ = decaysOf(t.optimizer, t.model.weights) // the error has been reported: see checkOptimizer
	for j := range t.slotNames {
		start := t.start(j)
		if t.shaped(j) {
			for i := range t.slots {
				if shape := t.slotShape(i, j); t.slots[i][j] == nil && shape != nil {
					t.slots[i][j] = slices.Repeat([]float32{start}, shape.Elements())
				}
			}
			t.allSlots = append(t.allSlots, nil)
			continue
		}
		all := t.block.memory()
		for i := range all {
			all[i] = start
		}
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
	if optionsOf(t.optimizer).GradientAccumulationSteps > 0 {
		t.means = t.block.memory()
	}
	for i := range t.block {
		t.runner.gradients = append(t.runner.gradients, t.block.of(t.gradients, i))
	}
}

// start returns what the values of a slot start with.
func (t *trainer) start(slot int) float32 {
	if s, ok := t.optimizer.(Starter); ok && slot < t.ownSlots {
		return s.Start(slot)
	}
	return 0
}

// shaped reports whether a slot may have another shape than the weight.
func (t *trainer) shaped(slot int) bool {
	_, ok := t.optimizer.(Shaper)
	return ok && slot < t.ownSlots && takesWhole(t.optimizer)
}

// slotShape returns the shape of a slot of weight i, nil if it has none.
func (t *trainer) slotShape(i, slot int) Shape {
	if w := t.model.weights[i]; t.shaped(slot) {
		return t.optimizer.(Shaper).SlotShape(slot, w)
	} else {
		return w.Shape
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
	total, err := t.penalize(total, b)
	if err != nil {
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

// penalize returns the total loss with all penalties.
func (t *trainer) penalize(total *autograd.Tensor, b *batch) (_ *autograd.Tensor, err error) {
	if err := t.runner.tape.Err(); err != nil {
		return nil, err
	}
	t.penalty = 0
	for _, p := range t.penalties {
		if t.model.weights[p.place].layer.frozen {
			continue
		}
		if total, err = t.addPenalty(total, p, t.runner.params[p.place], 1); err != nil {
			return nil, err
		}
	}
	for _, p := range t.activities {
		if total, err = t.addPenalty(total, p, t.runner.values[p.place], 1/float32(b.rows)); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// addPenalty returns the total loss with one more penalty.
func (t *trainer) addPenalty(total *autograd.Tensor, p penalized, x *autograd.Tensor, scale float32) (*autograd.Tensor, error) {
	tape := t.runner.tape
	penalty := tape.Custom(p.f, 1, 1, x)
	if scale != 1 {
		penalty = tape.Scale(penalty, scale)
	}
	if err := tape.Err(); err != nil {
		return nil, err
	}
	v := float64(penalty.Data[0])
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, fmt.Errorf("%s is %v: %w", p.f.Name(), v, ErrNonFinite)
	}
	t.penalty += v
	return tape.Add(total, penalty), tape.Err()
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
