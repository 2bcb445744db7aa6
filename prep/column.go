package prep

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A Feature is one column of a record, or several together, and the steps that make numbers of it.
type Feature struct {
	names    []string
	steps    []Transform
	optional bool
	target   bool
	width    int // values that a row has; -1: any number

	reads   Kind // what the values are made when they come from the record
	imputer *Imputer
	fill    Value
	kind    Kind // what the last step gives
	out     int  // numbers in the input or target; 0 while that is not known
}

// Column returns what steps make of a column of the records, one after the other. A gap, which is a missing value or an empty
// text, is an error unless the first step is an [Imputer]; without one, an empty text is a text where texts are read. One step may
// be fitted beside it, to what the steps before it give. Without steps, or where the last one gives numbers, these are the numbers
// of the model.
func Column(name string, steps ...Transform) *Feature {
	return &Feature{names: []string{name}, steps: steps, width: 1}
}

// Cross returns what steps make of several columns together, such as a [HashedCrossing].
func Cross(names []string, steps ...Transform) *Feature {
	return &Feature{names: slices.Clone(names), steps: steps, width: len(names)}
}

// Optional says that a record may lack the column: that is a gap then, for the [Imputer] that is the first step. In a target it
// says that there may be gaps, and needs no Imputer: a row with one lacks the label of that output: it is NaN, or -1 as a class.
func (f *Feature) Optional() *Feature { f.optional = true; return f }

// List says that a row has a list in the column, []string, []int and the like, of any length, also a single value. The last step
// then encodes it as MultiHot or Count.
func (f *Feature) List() *Feature { f.width = -1; return f }

// Vector says that a row has n values in the column, such as []float32.
func (f *Feature) Vector(n int) *Feature { f.width = n; return f }

func (f *Feature) describe() string {
	if len(f.names) == 1 {
		return "column " + brief.Quote(f.names[0])
	}
	return "columns " + brief.QuoteAll(f.names)
}

// build checks the steps and finds out what they give.
func (f *Feature) build() error {
	if err := f.check(); err != nil {
		return fmt.Errorf("%s: %w", f.describe(), err)
	}
	return nil
}

func (f *Feature) check() error {
	switch {
	case len(f.names) == 0:
		return errors.New("there are no columns")
	case f.width < -1 || f.width == 0 || f.width > maxWidth:
		return fmt.Errorf("a row has %d values, valid are 1 to %d", f.width, maxWidth)
	case len(f.names) > 1 && f.width != len(f.names):
		return fmt.Errorf("%d columns together cannot be of %s", len(f.names), widthOf(f.width))
	}
	for _, name := range f.names {
		if !utf8.ValidString(name) {
			return errors.New("the name is not valid UTF-8")
		}
	}
	for i, t := range f.steps {
		if t == nil || classOf(t) == "" {
			return fmt.Errorf("step %d is %T, which is not registered: see Register", i, t)
		}
	}
	steps := f.steps
	f.imputer, f.fill = nil, Value{}
	if len(steps) > 0 {
		if f.imputer, _ = steps[0].(*Imputer); f.imputer != nil {
			steps = steps[1:]
		}
	}
	if f.optional && f.imputer == nil && !f.target {
		return errors.New("is optional, so its first step must be an Imputer")
	}
	f.reads = Number
	if len(steps) > 0 {
		f.reads = steps[0].Reads()
	}
	if f.reads < Number || f.reads > Any {
		return fmt.Errorf("%s reads %v, which no record has", classOf(steps[0]), f.reads)
	}
	if t := f.imputer; t != nil {
		if _, _, err := t.Build(f.width); err != nil {
			return fmt.Errorf("Imputer: %w", err)
		}
		if (f.reads == Text || f.reads == Any) && (t.Strategy == Mean || t.Strategy == Median) {
			return fmt.Errorf("Imputer: strategy %q is for numbers, %s reads %v", t.Strategy, classOf(steps[0]), f.reads)
		}
		if t.Fitted() {
			if !utf8.ValidString(t.fill.text) {
				return fmt.Errorf("Imputer: fill_value %v is not valid UTF-8", t.fill)
			}
			var err error
			var c Cell
			if f.fill, err = c.convert(t.fill, f.reads); err == nil && f.fill.kind == Missing {
				err = errors.New("is missing itself")
			}
			if err != nil {
				return fmt.Errorf("Imputer: fill_value %v: %w", t.fill, err)
			}
		}
	}
	kind, width := f.reads, f.width
	fitted := false
	for i, t := range steps {
		if _, again := t.(*Imputer); again {
			return errors.New("an Imputer can only be the first step")
		}
		if reads := t.Reads(); i > 0 && reads != kind && !(reads == Number && kind == Integer) && !(reads == Any && kind <= Text) {
			return fmt.Errorf("%s reads %v, %s before it gives %v", classOf(t), reads, classOf(steps[i-1]), kind)
		}
		if _, is := t.(Fitter); is {
			if fitted {
				return fmt.Errorf("%s would have to be fitted to what a fitted step gives: one pass over the data cannot do that", classOf(t))
			}
			fitted = true
		}
		var err error
		if kind, width, err = t.Build(width); err != nil {
			return fmt.Errorf("%s: %w", classOf(t), err)
		}
	}
	switch {
	case kind == Text || kind == Any || kind == Time:
		return fmt.Errorf("its last step gives %v, must give numbers: add a lookup, Hashing or Calendar", kind)
	case width < 0:
		return errors.New("its rows have lists, so its last step must encode them, such as with MultiHot or Count")
	}
	f.kind, f.out = kind, width
	if f.imputer != nil && f.imputer.AddIndicator && width > 0 {
		f.out++
	}
	return nil
}

// fitters returns the steps that are not fitted yet.
func (f *Feature) fitters() []Fitter {
	var all []Fitter
	for _, t := range f.steps {
		if t, is := t.(Fitter); is && !t.Fitted() {
			all = append(all, t)
		}
	}
	return all
}

// convert makes the values of c what the first step reads, fills gaps, and reports whether there were any.
func (f *Feature) convert(c *Cell) (gap bool, err error) {
	if f.width >= 0 && len(c.Values) != f.width {
		return false, fmt.Errorf("%s has %d values, must have %d", f.describe(), len(c.Values), f.width)
	}
	for i, v := range c.Values {
		made, err := c.convert(v, f.reads)
		if err != nil {
			return false, f.wrong(i, v, err)
		}
		if f.isGap(made) {
			if f.imputer == nil && !f.mayLack() {
				return false, f.wrong(i, made, errors.New("give the column an Imputer to allow gaps"))
			}
			gap, made = true, f.fill
		}
		c.Values[i] = made
	}
	return gap, nil
}

// wrong returns an error with the column and the value.
func (f *Feature) wrong(i int, v Value, err error) error {
	name := f.describe()
	if len(f.names) > 1 && i < len(f.names) {
		name = "column " + brief.Quote(f.names[i])
	}
	return fmt.Errorf("%s: %v: %w", name, v, err)
}

// isGap reports a missing value, and an empty text where gaps are allowed: files do not tell one from the other.
func (f *Feature) isGap(v Value) bool {
	return v.kind == Missing || v.kind == Text && v.text == "" && (f.imputer != nil || f.mayLack())
}

// mayLack reports whether a gap is a label that is missing.
func (f *Feature) mayLack() bool { return f.target && f.optional && f.imputer == nil }

// errUnlabelled says that a row lacks the label of a target.
var errUnlabelled = errors.New("has a gap")

// fit shows a row to the steps that are not fitted. Steps after them would be fitted to what is not known yet; check refuses that.
func (f *Feature) fit(c *Cell) error {
	c.bytes = c.bytes[:0]
	values := c.Values
	if f.width >= 0 && len(values) != f.width {
		return fmt.Errorf("%s has %d values, must have %d", f.describe(), len(values), f.width)
	}
	kept := values[:0]
	for i, v := range values {
		made, err := c.convert(v, f.reads)
		if err != nil {
			return f.wrong(i, v, err)
		}
		if !f.isGap(made) {
			kept = append(kept, made)
		} else if f.imputer == nil && !f.mayLack() {
			return f.wrong(i, made, errors.New("give the column an Imputer to allow gaps"))
		}
	}
	c.Values = kept
	if len(kept) < len(values) && (len(kept) == 0 || len(f.names) > 1) {
		return nil
	}
	steps := f.steps
	if f.imputer != nil {
		if !f.imputer.Fitted() {
			if err := f.imputer.Fit(kept); err != nil {
				return f.wrong(0, c.first(), err)
			}
		}
		steps = steps[1:]
	}
	for _, t := range steps {
		first := c.first()
		if t, is := t.(Fitter); is && !t.Fitted() {
			if err := t.Fit(c.Values); err != nil {
				return f.wrong(0, first, err)
			}
			return nil
		}
		if err := t.Apply(c); err != nil {
			return f.wrong(0, first, err)
		}
	}
	return nil
}

// first returns the first value, for errors.
func (c *Cell) first() Value {
	if len(c.Values) == 0 {
		return Value{}
	}
	return c.Values[0]
}

// apply writes the numbers of a row. c has its values, and memory.
func (f *Feature) apply(c *Cell, out []float32) error {
	c.bytes = c.bytes[:0]
	gap, err := f.convert(c)
	if err != nil {
		return err
	}
	if gap && f.mayLack() {
		return errUnlabelled
	}
	steps := f.steps
	if f.imputer != nil {
		steps = steps[1:]
		if f.imputer.AddIndicator {
			last := len(out) - 1
			if out[last] = 0; gap {
				out[last] = 1
			}
			out = out[:last]
		}
	}
	c.Out = out
	first := c.first()
	for _, t := range steps {
		if err := t.Apply(c); err != nil {
			return f.wrong(0, first, err)
		}
	}
	if f.kind == Encoded {
		return nil
	}
	if len(c.Values) != len(out) {
		return f.wrong(0, first, fmt.Errorf("the steps gave %d numbers, must give %d", len(c.Values), len(out)))
	}
	for i, v := range c.Values {
		x := v.Float()
		y := float32(x)
		if y-y != 0 || v.kind == Integer && float64(y) != x {
			return f.wrong(0, first, fmt.Errorf("the number %v is none of float32", v))
		}
		out[i] = y
	}
	return nil
}
