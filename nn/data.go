package nn

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"runtime/debug"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
)

// An Array holds the values of one input or target: [Floats] or [Labels].
type Array interface {
	rows(width int) (int, error)
}

// Floats are rows of features, one after the other: rows x features values.
type Floats []float32

// Labels are whole numbers. As a target they are class numbers from 0, one per row; as an input, and as a target of numbers,
// they stand for the Floats of the same values, such as the indices of an [Embedding]. A number that float32 does not have,
// as most beyond 2^24 = 16,777,216, is then an error.
type Labels []int32

// Arrays are the values of several inputs or targets, by name.
type Arrays map[string]Array

// Data is a data set in memory. Every array has the same number of rows, at least one. The call that it is given to reads it
// in place, does not write to it, and keeps nothing of it afterwards.
type Data struct {
	Inputs  Arrays // by input name
	Targets Arrays // by output name: Labels for a sparse cross-entropy, otherwise Floats or, for one column, also Labels; not needed where the loss is nil
	// SampleWeights scales the loss of each row, by output name; outputs that are not named weigh every row 1.
	SampleWeights map[string][]float32
	// Labelled says which rows have a label, by output name. Outputs that are not named have all but those that are missing in
	// Targets themselves: Floats with a NaN in any column, and Labels of -1 where they are classes. A row adds nothing to the
	// loss, the gradient and the metrics of an output whose label it lacks: it weighs 0 in its [Reduction].
	Labelled map[string][]bool
}

// A Stream yields the data of one pass in chunks of any size, in memory one at a time, such as a file read in blocks.
// It is called once for each epoch. Batches do not depend on where chunks end. A chunk may have no rows: all its arrays are
// there and empty. A yielded error ends training.
type Stream func() iter.Seq2[Data, error]

// A Dataset is what Fit and Evaluate read: [Data] or a [Stream].
type Dataset interface {
	// chunks starts a pass over the data, checked against the model.
	chunks(m *Model) iter.Seq2[*chunk, error]
}

func (f Floats) rows(width int) (int, error) {
	if len(f)%width != 0 {
		return 0, fmt.Errorf("%d values are not rows of %d", len(f), width)
	}
	return len(f) / width, nil
}

func (l Labels) rows(int) (int, error) { return len(l), nil }

// A chunk is data that has been checked: its matrices and slices all have the same number of rows.
type chunk struct {
	rows    int
	inputs  []kernels.Matrix // in the model's order
	targets []Target         // in the order of the heads
	weights [][]float32      // in the order of the heads; nil: 1 for every row; see unlabelled
	filled  []filled         // targets that lack labels, with their weights
	numbers []float32        // what Labels stand for
	sum     [1]float32       // of some of the data
}

// checkDataset reports a nil and anything else that is neither Data nor a Stream, such as a pointer to Data.
func checkDataset(d Dataset) error {
	switch d := d.(type) {
	case nil:
		return errors.New("is nil")
	case Stream:
		if d == nil {
			return errors.New("is a nil Stream")
		}
	case Data, *chunk:
	default:
		return fmt.Errorf("is %T, must be Data or a Stream", d)
	}
	return nil
}

func (d Data) chunks(m *Model) iter.Seq2[*chunk, error] {
	return func(yield func(*chunk, error) bool) { yield(m.check(d)) }
}

func (s Stream) chunks(m *Model) iter.Seq2[*chunk, error] {
	return func(yield func(*chunk, error) bool) {
		pass := s()
		if pass == nil {
			yield(nil, errNoIterator)
			return
		}
		i := 0
		for d, err := range pass {
			var c *chunk
			empty := err == nil && d.empty()
			if empty {
				err = errors.Join(m.checkInputNames(d.Inputs), m.checkTargetNames(d))
			} else if err == nil {
				c, err = m.check(d)
			}
			if err != nil {
				err = fmt.Errorf("chunk %d of the stream: %w", i, err)
			}
			if !(empty && err == nil) && (!yield(c, err) || err != nil) {
				return
			}
			i++
		}
	}
}

// Prefetch returns the stream with its next chunk made on another goroutine while the last one is used. Two chunks are then
// in memory, so s must not write to what it has yielded.
func (s Stream) Prefetch() Stream {
	if s == nil {
		return nil
	}
	return func() iter.Seq2[Data, error] {
		return func(yield func(Data, error) bool) {
			type item struct {
				data Data
				err  error
			}
			items, stop := make(chan item), make(chan struct{})
			send := func(d Data, err error) bool {
				select {
				case items <- item{d, err}:
					return true
				case <-stop:
					return false
				}
			}
			go func() {
				defer close(items)
				defer func() {
					if r := recover(); r != nil {
						send(Data{}, fmt.Errorf("the stream panicked: %v\n%s", r, debug.Stack()))
					}
				}()
				if pass := s(); pass == nil {
					send(Data{}, errNoIterator)
				} else {
					pass(send)
				}
			}()
			defer func() {
				close(stop)
				for range items { // until the goroutine has ended
				}
			}()
			for i := range items {
				if !yield(i.data, i.err) {
					return
				}
			}
		}
	}
}

var errNoIterator = errors.New("the stream has no iterator")

// empty reports data whose arrays have no elements.
func (d Data) empty() bool {
	for _, arrays := range []Arrays{d.Inputs, d.Targets} {
		for _, a := range arrays {
			switch a := a.(type) {
			case Floats:
				if len(a) > 0 {
					return false
				}
			case Labels:
				if len(a) > 0 {
					return false
				}
			default:
				return false
			}
		}
	}
	for _, w := range d.SampleWeights {
		if len(w) > 0 {
			return false
		}
	}
	for _, l := range d.Labelled {
		if len(l) > 0 {
			return false
		}
	}
	return true
}

// check returns d in the model's order once every name, size and value has proved valid.
func (m *Model) check(d Data) (*chunk, error) {
	c := &chunk{}
	return c, c.fill(m, d)
}

// fill makes c the data d. Memory of an earlier fill is used again.
func (c *chunk) fill(m *Model, d Data) error {
	if err := c.fillInputs(m, d.Inputs); err != nil {
		return err
	}
	if err := m.checkTargetNames(d); err != nil {
		return err
	}
	t := m.trainer
	c.targets, c.weights = c.targets[:0], c.weights[:0]
	for i, h := range t.heads {
		y, lacks, err := c.target(h, d.Targets[h.name])
		if err != nil {
			return fmt.Errorf("target %q: %w", h.name, err)
		}
		w := d.SampleWeights[h.name]
		if w != nil && len(w) != c.rows {
			return fmt.Errorf("sample weights %q: %d values for %d rows", h.name, len(w), c.rows)
		}
		if i := slices.IndexFunc(w, func(w float32) bool { return !(w >= 0) || math.IsInf(float64(w), 0) }); i >= 0 {
			return fmt.Errorf("sample weights %q: row %d is %v, must be finite and not negative", h.name, i, w[i])
		}
		if labelled := d.Labelled[h.name]; lacks || labelled != nil {
			if y, w, err = c.fillIn(i, h, y, w, labelled); err != nil {
				return err
			}
		}
		c.targets, c.weights = append(c.targets, y), append(c.weights, w)
	}
	return nil
}

func (m *Model) checkTargetNames(d Data) error {
	t := m.trainer
	complete := len(d.Targets) == len(t.heads) && len(d.SampleWeights)+len(d.Labelled) == 0
	for _, h := range t.heads {
		_, ok := d.Targets[h.name]
		complete = complete && ok
	}
	if complete {
		return nil
	}
	return errors.Join(
		checkUnknown("target", d.Targets, m.outputNodes), // one for an output that is not trained is not used
		checkMissing("target", d.Targets, t.headByName),
		checkUnknown("sample weights", d.SampleWeights, t.headByName),
		checkUnknown("marks of labels", d.Labelled, t.headByName),
	)
}

func (m *Model) checkInputNames(a Arrays) error {
	complete := len(a) == len(m.inputs)
	for _, n := range m.inputs {
		_, ok := a[n.layer.name]
		complete = complete && ok
	}
	if complete {
		return nil
	}
	return errors.Join(checkUnknown("input", a, m.inputNodes), checkMissing("input", a, m.inputNodes))
}

func (c *chunk) fillInputs(m *Model, a Arrays) error {
	if err := m.checkInputNames(a); err != nil {
		return err
	}
	c.inputs, c.numbers = c.inputs[:0], c.numbers[:0]
	for i, n := range m.inputs {
		name := n.layer.name
		var x Floats
		switch a := a[name].(type) {
		case Floats:
			x = a
		case Labels:
			var err error
			if x, err = c.floats(a, n.features()); err != nil {
				return fmt.Errorf("input %q: %w", name, err)
			}
		default: // nil, or a pointer to one of these
			return fmt.Errorf("input %q: is %T, must be Floats or Labels", name, a)
		}
		rows, err := x.rows(n.features())
		switch {
		case err != nil:
			return fmt.Errorf("input %q: %w", name, err)
		case rows == 0:
			return fmt.Errorf("input %q: has no rows", name)
		case i > 0 && rows != c.rows:
			return fmt.Errorf("input %q: has %d rows, input %q has %d", name, rows, m.inputs[0].layer.name, c.rows)
		}
		matrix := kernels.MatrixOf(x, rows, n.features())
		if err := cmp.Or(m.checkIndices(n, matrix), c.checkFinite(matrix)); err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
		c.rows, c.inputs = rows, append(c.inputs, matrix)
	}
	return nil
}

// checkIndices checks the data of an input against the layers that look them up.
func (m *Model) checkIndices(input *Node, x kernels.Matrix) error {
	for _, n := range m.lookups[input] {
		if err := kernels.CheckIndices(x, n.limit); err != nil {
			return fmt.Errorf("%s: %w", n.layer.describe(), err)
		}
	}
	return nil
}

// floats returns the numbers that labels, in rows of the given width, stand for.
func (c *chunk) floats(labels Labels, width int) (Floats, error) {
	from := len(c.numbers)
	for i, l := range labels {
		v := float32(l)
		if int64(v) != int64(l) {
			return nil, fmt.Errorf("row %d, column %d is %d, which float32 does not have", i/width, i%width, l)
		}
		c.numbers = append(c.numbers, v)
	}
	return c.numbers[from:], nil
}

// target returns a as the head's loss wants it, and whether it lacks labels, which it then has as NaN or -1.
func (c *chunk) target(h *head, a Array) (y Target, lacks bool, err error) {
	width := h.columns
	switch a.(type) {
	case Floats, Labels:
	default: // nil, or a pointer to one of these
		return Target{}, false, fmt.Errorf("is %T, must be Floats or Labels", a)
	}
	have, err := a.rows(width)
	if err != nil {
		return Target{}, false, err
	}
	if have != c.rows {
		return Target{}, false, fmt.Errorf("has %d rows, the inputs have %d", have, c.rows)
	}
	numbers, _ := a.(Floats)
	labels, isLabels := a.(Labels)
	if h.loss.Targets() == Classes {
		if !isLabels {
			return Target{}, false, fmt.Errorf("is %T, loss %s needs Labels", a, h.loss.Name())
		}
		lacks, err = checkLabels(labels, width, ignoredClass(h.loss))
		return Target{Labels: labels}, lacks, err
	}
	if isLabels { // one column of numbers
		if width != 1 {
			return Target{}, false, fmt.Errorf("is Labels, loss %s of %d columns needs Floats", h.loss.Name(), width)
		}
		if numbers, err = c.floats(labels, width); err != nil {
			return Target{}, false, err
		}
		for i := range numbers {
			if h.loss.Targets() == Probabilities && numbers[i] == unlabelled {
				numbers[i] = float32(math.NaN())
			}
		}
	}
	values := kernels.MatrixOf(numbers, c.rows, width)
	if lacks, err = c.checkTarget(values); err != nil {
		return Target{}, false, err
	}
	if h.loss.Targets() == Probabilities {
		for i, v := range values.Data[:c.rows*width] {
			if v < 0 || v > 1 {
				return Target{}, false, fmt.Errorf("row %d, column %d is %v, loss %s needs values from 0 to 1", i/width, i%width, v, h.loss.Name())
			}
		}
	}
	return Target{Values: values}, lacks, nil
}

func (c *chunk) checkFinite(m kernels.Matrix) error {
	v := m.Data[:m.Rows*m.Cols]
	i, err := findNonFinite(v, c.sum[:])
	if err == nil && i >= 0 {
		err = fmt.Errorf("row %d, column %d is %v", i/m.Cols, i%m.Cols, v[i])
	}
	return err
}

// findNonFinite is nonFinite for many values: it looks closer only where a sum, for which there is memory, is not finite.
func findNonFinite(v, sum []float32) (int, error) {
	for from := 0; from < len(v); from += pieceSize {
		piece := v[from:min(from+pieceSize, len(v))]
		if err := kernels.Default().RowSum(sum, kernels.MatrixOf(piece, 1, len(piece))); err != nil {
			return -1, err
		}
		if nonFinite(sum) < 0 {
			continue
		}
		if i := nonFinite(piece); i >= 0 { // the sum of finite values can overflow
			return from + i, nil
		}
	}
	return -1, nil
}

// nonFinite returns the index of the first NaN or infinity, or -1.
func nonFinite(v []float32) int {
	for i, x := range v {
		if x-x != 0 {
			return i
		}
	}
	return -1
}

// checkUnknown reports the names given that are not valid.
func checkUnknown[A, B any](what string, given map[string]A, valid map[string]B) error {
	var unknown []string
	for name := range given {
		if _, ok := valid[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	return nameErrors("unknown", what, unknown, "valid", valid)
}

// checkMissing reports the names needed that are not given.
func checkMissing[A, B any](what string, given map[string]A, needed map[string]B) error {
	var missing []string
	for name := range needed {
		if _, ok := given[name]; !ok {
			missing = append(missing, name)
		}
	}
	return nameErrors("missing", what, missing, "needed", needed)
}

func nameErrors[T any](problem, what string, names []string, are string, all map[string]T) error {
	slices.Sort(names)
	var errs []error
	for _, name := range names {
		errs = append(errs, fmt.Errorf("%s %s %q: %s are %q", problem, what, name, are, slices.Sorted(maps.Keys(all))))
	}
	return errors.Join(errs...)
}

// forget lets go of the data.
func (c *chunk) forget() {
	clear(c.inputs)
	clear(c.targets)
	clear(c.weights)
	c.inputs, c.targets, c.weights = c.inputs[:0], c.targets[:0], c.weights[:0]
}

// slice returns the rows from (included) to (excluded).
func (c *chunk) slice(from, to int) *chunk {
	s := &chunk{}
	s.view(c, from, to)
	return s
}

// view makes s the rows from (included) to (excluded) of c.
func (s *chunk) view(c *chunk, from, to int) {
	s.rows = to - from
	s.inputs, s.targets, s.weights = s.inputs[:0], s.targets[:0], s.weights[:0]
	for _, x := range c.inputs {
		s.inputs = append(s.inputs, x.RowRange(from, to))
	}
	for i, y := range c.targets {
		if y.Labels != nil {
			y.Labels = y.Labels[from:to]
		} else {
			y.Values = y.Values.RowRange(from, to)
		}
		w := c.weights[i]
		if w != nil {
			w = w[from:to]
		}
		s.targets, s.weights = append(s.targets, y), append(s.weights, w)
	}
}

func (c *chunk) chunks(*Model) iter.Seq2[*chunk, error] {
	return func(yield func(*chunk, error) bool) { yield(c, nil) }
}
