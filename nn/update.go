package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// An updater is the memory of [trainer.update].
type updater struct {
	pieces  []piece
	views   [][]float32 // of the pieces: their parts of the slots
	now     Step        // the update
	squares bool        // gradients must have squares

	// Methods of the trainer, for which a pool needs functions.
	gather, check, measure, clip, step, constrain func(i int)
}

func (u *updater) init(t *trainer) {
	u.gather, u.check, u.measure, u.clip, u.step = t.gatherGradient, t.checkGradient, t.measureGradient, t.clipGradient, t.updateWeights
	u.constrain = t.constrainWeight
}

// A piece is a part of a weight, or some of them that lie behind each other, that one worker updates.
type piece struct {
	weight int // the first one
	w, g   []float32
	slots  [][]float32
	rows   []int      // instead of these: the rows that the gradient has
	sum    [1]float32 // of the gradient, or of its squares
	norm   float64    // squared, of the gradient
	limit  float64    // what the gradient is multiplied by or, for ClipValue, what its values are at most
	err    error
}

const pieceSize = 1 << 14 // floats: some microseconds of an update

// update changes the weights by their gradients, or none of them.
func (t *trainer) update() error {
	o, u := optionsOf(t.optimizer), &t.updater
	changes := o.updates(t.iterations+1) > o.updates(t.iterations)
	if t.means != nil {
		t.parallel(len(t.block), u.gather)
	}
	t.cutAll(o)
	if o.ClipNorm > 0 || o.GlobalClipNorm > 0 || o.ClipValue > 0 {
		u.squares = false
		if err := t.each(u.check); err != nil {
			return err
		}
		if changes {
			if err := t.clip(o); err != nil {
				return err
			}
		}
	}
	u.squares = changes && squares(t.optimizer)
	if err := t.each(u.check); err != nil {
		return err
	}
	if err := t.eachState(t.checkNewState); err != nil {
		return err
	}
	rate := t.optimizer.LearningRate().at(t.iterations)
	if err := checkRate(rate); err != nil {
		return fmt.Errorf("step %d: %w", t.iterations, err)
	}
	u.now = Step{Table: t.table, Number: o.updates(t.iterations) + 1, LearningRate: rate, Rate: float32(rate), Pool: t.pool}
	t.iterations++
	if t.means != nil {
		t.keepGradients(changes)
	}
	var err error
	if changes {
		if p, ok := t.optimizer.(Preparer); ok {
			p.Prepare(&u.now)
		}
		if takesWhole(t.optimizer) {
			err = t.inOrder(u.step)
		} else {
			err = t.each(u.step)
		}
	}
	if o.UseEMA && err == nil {
		t.average(o)
	}
	if len(t.constrain) > 0 && err == nil {
		t.parallel(len(t.constrain), u.constrain)
	}
	if err != nil {
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

// constrainWeight moves one of the weights with a constraint to where it may be.
func (t *trainer) constrainWeight(i int) {
	i = t.constrain[i]
	if w := t.model.weights[i]; len(t.gradient(i)) > 0 {
		w.param.constraint.Constrain(w.Data, w.param.shape)
	}
}

// cutAll makes pieces of all weights that have a gradient. Neighbours are in one piece, unless the optimizer treats each
// weight in its own way.
func (t *trainer) cutAll(o *OptimizerOptions) {
	u := &t.updater
	u.pieces, u.views = u.pieces[:0], u.views[:0]
	whole := takesWhole(t.optimizer)
	apart := whole || o.ClipNorm > 0 || o.GlobalClipNorm > 0
	for i := 0; i < len(t.block); {
		first, param := i, t.runner.params[i]
		for !apart && i < len(t.block) && t.gathered(i) && t.decays[i] == t.decays[first] {
			i++
		}
		if i > first {
			gradients := t.gradients
			if t.means != nil {
				gradients = t.means
			}
			t.cut(first, t.block[first].from, t.block[i-1].to, t.model.values, gradients, t.allSlots)
			continue
		}
		w, g := t.model.weights[i], t.gradient(i) // none if frozen, or on no path to a loss
		rows := t.runner.tape.GradRows(param)
		switch {
		case whole && len(g) > 0:
			u.pieces = append(u.pieces, piece{weight: i, w: w.Data, g: g, slots: t.slots[i][:t.ownSlots]})
		case rows != nil && t.means == nil && t.decays[i] == 0 && sparse(t.optimizer):
			u.pieces = append(u.pieces, piece{weight: i, rows: rows})
		default:
			t.cut(i, 0, len(g), w.Data, g, t.slots[i])
		}
		i++
	}
}

// gradient returns the gradient of weight i, empty if it has none.
func (t *trainer) gradient(i int) []float32 {
	g := t.runner.tape.Grad(t.runner.params[i]).Data
	if t.means != nil && len(g) > 0 {
		return t.block.of(t.means, i)
	}
	return g
}

// gathered reports whether weight i and its gradient lie among those of all weights.
func (t *trainer) gathered(i int) bool {
	g := t.runner.tape.Grad(t.runner.params[i]).Data
	return t.model.values != nil && len(g) > 0 && (t.means != nil || &g[0] == &t.gradients[t.block[i].from])
}

// cut makes pieces of a range of numbers.
func (t *trainer) cut(weight, from, to int, w, g []float32, slots [][]float32) {
	u := &t.updater
	for ; from < to; from += pieceSize {
		end, first := min(from+pieceSize, to), len(u.views)
		for _, s := range slots[:t.ownSlots] {
			u.views = append(u.views, s[from:end])
		}
		u.pieces = append(u.pieces, piece{weight: weight, w: w[from:end], g: g[from:end], slots: u.views[first:len(u.views):len(u.views)]})
	}
}

// parallel calls do for 0 to n-1.
func (t *trainer) parallel(n int, do func(i int)) {
	if t.pool != nil {
		t.pool.Do(n, do)
		return
	}
	for i := range n {
		do(i)
	}
}

// each calls do for every piece.
func (t *trainer) each(do func(i int)) error {
	t.parallel(len(t.updater.pieces), do)
	return t.pieceError()
}

// inOrder calls do for one piece after the other.
func (t *trainer) inOrder(do func(i int)) error {
	for i := range t.updater.pieces {
		do(i)
	}
	return t.pieceError()
}

func (t *trainer) pieceError() error {
	for i := range t.updater.pieces {
		if err := t.updater.pieces[i].err; err != nil {
			return err
		}
	}
	return nil
}

// gatherGradient adds the gradient of weight i to those of the steps before, and divides the sum in the step that changes
// weights. It writes to t.means alone.
func (t *trainer) gatherGradient(i int) {
	g := t.runner.tape.Grad(t.runner.params[i]).Data
	if len(g) == 0 {
		return
	}
	n := optionsOf(t.optimizer).GradientAccumulationSteps
	divisor := float32(1)
	if (t.iterations+1)%n == 0 {
		divisor = float32(n)
	}
	mean, before := t.block.of(t.means, i), t.slots[i][t.ownSlots]
	for j, v := range g {
		mean[j] = (before[j] + v) / divisor
	}
}

// keepGradients makes the sums of gradients part of the optimizer's state, or starts anew where they change the weights.
func (t *trainer) keepGradients(changes bool) {
	for i := range t.block {
		if len(t.gradient(i)) == 0 {
			continue
		}
		if sum := t.slots[i][t.ownSlots]; changes {
			clear(sum)
		} else {
			copy(sum, t.block.of(t.means, i))
		}
	}
}

// checkGradient looks for values that are not finite, or that the optimizer cannot square: a finite loss can have them. It
// looks at each value only where their sum is not finite, which can also happen to finite values.
func (t *trainer) checkGradient(i int) {
	p := &t.updater.pieces[i]
	if p.rows != nil {
		g := t.runner.tape.Grad(t.runner.params[p.weight])
		for _, row := range p.rows {
			p.err = cmp.Or(p.err, t.gradientError(p.weight, g.Row(row)))
		}
		return
	}
	if t.updater.squares {
		p.err = t.table.RowSumSquares(p.sum[:], kernels.MatrixOf(p.g, 1, len(p.g)))
	} else {
		p.err = t.table.RowSum(p.sum[:], kernels.MatrixOf(p.g, 1, len(p.g)))
	}
	if nonFinite(p.sum[:]) < 0 {
		return
	}
	for i := p.weight; i < len(t.block) && (i == p.weight || t.gathered(i)); i++ {
		p.err = cmp.Or(p.err, t.gradientError(i, t.gradient(i)))
	}
}

func (t *trainer) gradientError(weight int, g []float32) error {
	name := t.model.weights[weight].Name
	if nonFinite(g) >= 0 {
		return fmt.Errorf("the gradient of weight %q is %w", name, ErrNonFinite)
	}
	if !t.updater.squares {
		return nil
	}
	for _, v := range g {
		if v*v > math.MaxFloat32 {
			return fmt.Errorf("the gradient of weight %q has a value of %v, whose square, which %s takes, is %w", name, v, className(t.optimizer), ErrNonFinite)
		}
	}
	return nil
}

// clip makes gradients smaller. They are finite.
func (t *trainer) clip(o *OptimizerOptions) error {
	u := &t.updater
	if o.ClipValue > 0 {
		for i := range u.pieces {
			u.pieces[i].limit = o.ClipValue
		}
		return t.each(u.clip)
	}
	if err := t.each(u.measure); err != nil {
		return err
	}
	bound := cmp.Or(o.ClipNorm, o.GlobalClipNorm)
	for first := 0; first < len(u.pieces); {
		end, squares := first, 0.0
		for end < len(u.pieces) && (o.GlobalClipNorm > 0 || u.pieces[end].weight == u.pieces[first].weight) {
			squares += u.pieces[end].norm
			end++
		}
		limit := 1.0
		if norm := math.Sqrt(squares); norm > bound {
			limit = bound / norm // float32 may not have it
		}
		for ; first < end; first++ {
			u.pieces[first].limit = limit
		}
	}
	return t.each(u.clip)
}

// measureGradient computes the squared norm of a piece of the gradient. In float32 that can overflow, and lose what is small.
func (t *trainer) measureGradient(i int) {
	p := &t.updater.pieces[i]
	p.norm = 0
	t.eachPart(p, func(g []float32) { p.norm += sumSquares(g) })
}

// sumSquares returns the sum of the squares of x. The square of a float32 is exact in float64, so it matters to no machine
// whether it is fused with the sum.
func sumSquares(x []float32) float64 {
	var s [4]float64
	for len(x) >= 4 {
		for j, v := range x[:4] {
			s[j] += float64(v) * float64(v)
		}
		x = x[4:]
	}
	for j, v := range x {
		s[j] += float64(v) * float64(v)
	}
	return s[0] + s[1] + s[2] + s[3]
}

// clipGradient applies the limit of a piece.
func (t *trainer) clipGradient(i int) {
	p, value := &t.updater.pieces[i], optionsOf(t.optimizer).ClipValue > 0
	switch {
	case value:
		most := float32(p.limit)
		t.eachPart(p, func(g []float32) {
			for j, v := range g {
				g[j] = min(max(v, -most), most)
			}
		})
	case p.limit != 1:
		t.eachPart(p, func(g []float32) {
			for j, v := range g {
				g[j] = float32(float64(v) * p.limit)
			}
		})
	}
}

// eachPart calls do for the gradient of a piece, or for each of its rows.
func (t *trainer) eachPart(p *piece, do func(g []float32)) {
	if p.rows == nil {
		do(p.g)
		return
	}
	g := t.runner.tape.Grad(t.runner.params[p.weight])
	for _, row := range p.rows {
		do(g.Row(row))
	}
}

func (t *trainer) updateWeights(i int) {
	u := &t.updater
	p := &u.pieces[i]
	if p.rows != nil {
		w, g := t.model.weights[p.weight], t.runner.tape.Grad(t.runner.params[p.weight])
		for _, row := range p.rows {
			p.err = cmp.Or(p.err, t.optimizer.Step(&u.now, w.Row(row), g.Row(row), nil))
		}
		return
	}
	if decay := t.decays[p.weight]; decay != 0 {
		// Scaling w by 1 - rate·decay would change a small decay: of 1 - 4e-8 float32 makes 1 - 6e-8.
		w := kernels.MatrixOf(p.w, 1, len(p.w))
		if p.err = t.table.Axpy(w, -float32(u.now.LearningRate*decay), w); p.err != nil {
			return
		}
	}
	if takesWhole(t.optimizer) {
		u.now.Weight = t.model.weights[p.weight]
	}
	p.err = t.optimizer.Step(&u.now, p.w, p.g, p.slots)
}

// average moves the means of the weights towards them. Up to the first change of the weights their means are what they are
// themselves, and that of a frozen weight always is.
func (t *trainer) average(o *OptimizerOptions) {
	before := o.updates(t.iterations - 1)
	momentum := float32(o.EMAMomentum)
	if before == 0 {
		momentum = 0
	}
	overwrite := o.EMAOverwriteFrequency > 0 && (before+1)%o.EMAOverwriteFrequency == 0
	for i, w := range t.model.weights {
		if w.param.state {
			continue
		}
		mean := t.slots[i][len(t.slotNames)-1]
		if w.layer.frozen {
			copy(mean, w.Data)
			continue
		}
		for j, v := range w.Data {
			mean[j] = lerp(v, mean[j], momentum)
		}
		if overwrite {
			copy(w.Data, mean)
		}
	}
}

// finish puts the means of the weights in their place.
func (t *trainer) finish() {
	if !optionsOf(t.optimizer).UseEMA || t.iterations == 0 {
		return
	}
	for i, w := range t.model.weights {
		if !w.layer.frozen && !w.param.state {
			copy(w.Data, t.slots[i][len(t.slotNames)-1])
		}
	}
}

// lerp returns what lies between a and b: a for a share of 0.
func lerp(a, b, share float32) float32 { return a + float32((b-a)*share) }
