package nn

import (
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/espalier-ml/espalier/kernels"
)

// An Optimizer says how gradients change weights. Its fields are its configuration, see [Register]; [Model.Compile] takes a
// copy, in which only the learning rate changes. What all optimizers can do besides is in [OptimizerOptions].
type Optimizer interface {
	// LearningRate returns the optimizer's own learning rate, which it leaves alone.
	LearningRate() *Rate
	// Slots returns the names of the state kept for each weight. It is as large as the weight and starts with zeros, see
	// [Starter] and [Shaper].
	Slots() []string
	// Check reports numbers that make no sense. It need not look at the learning rate.
	Check() error
	// Step changes some elements of weights by those of their gradients and slots. It is called from several goroutines at
	// once, for different elements. Between two weights there may be elements that nobody uses, whose gradient is 0.
	Step(s *Step, w, g []float32, slots [][]float32) error
}

// A Preparer is an [Optimizer] with something to compute once for all weights of a step, such as the correction of a bias,
// which s.Rate then has.
type Preparer interface{ Prepare(s *Step) }

// A Squarer is an [Optimizer] whose state has squares of gradients. They must be finite too: a step that would square a
// larger gradient is [ErrNonFinite] before any weight changes.
type Squarer interface{ Squares() bool }

// A Sparser is an [Optimizer] that says whether weights whose gradient is zero stay as they are. Then only those rows of an
// [Embedding] are stepped that a batch looks up.
type Sparser interface{ Sparse() bool }

// A Starter is an [Optimizer] whose state does not start with zeros.
type Starter interface {
	Start(slot int) float32 // what all values of the slot start with
}

// A Wholer is an [Optimizer] that says whether it needs whole weights, such as for their norms. Then Step is called for one
// weight after the other, which s.Weight is.
type Wholer interface{ Whole() bool }

// A Shaper is a [Wholer] whose state is not as large as the weights.
type Shaper interface {
	// SlotShape returns the shape of a slot of a weight, nil if that weight has none: Step has a nil slice for it.
	SlotShape(slot int, w *Weight) Shape
}

// A Step is one update of all weights.
type Step struct {
	Table        *kernels.Table
	Number       int64         // from 1
	LearningRate float64       // at this step
	Rate         float32       // what gradients are multiplied by: the learning rate, unless [Preparer] sets it
	Weight       *Weight       // the one that Step is called for, if the optimizer is a [Wholer]
	Pool         *kernels.Pool // workers that can help such a Step, nil if there are none
}

// A Schedule changes the learning rate from step to step. It is part of the optimizer's configuration, see [Register].
type Schedule interface {
	// Rate returns the learning rate after so many steps, from 0. It must be finite and not negative.
	Rate(steps int64) float64
}

// A ScheduleChecker is a [Schedule] that can report numbers that make no sense before the first step.
type ScheduleChecker interface{ Check() error }

// A Rate is a learning rate: a number or, if there is one, a schedule.
type Rate struct {
	Value    float64
	Schedule Schedule
}

// MarshalJSON writes a number or a class with its configuration.
func (r Rate) MarshalJSON() ([]byte, error) {
	if r.Schedule != nil {
		return encodeJSON(Object[Schedule]{r.Schedule})
	}
	return encodeJSON(r.Value)
}

// UnmarshalJSON reads a number or a class with its configuration.
func (r *Rate) UnmarshalJSON(text []byte) error {
	if len(text) > maxSchedule {
		return fmt.Errorf("a learning rate has %d bytes, at most %d are possible", len(text), maxSchedule)
	}
	if len(text) > 0 && text[0] == '{' {
		var o Object[Schedule]
		err := o.UnmarshalJSON(text)
		*r = Rate{Schedule: o.Value}
		return err
	}
	*r = Rate{}
	return decodeJSON(string(text), &r.Value)
}

// check reports a learning rate that no step can have, or a schedule that is none.
func (r *Rate) check() error {
	if r.Schedule == nil {
		return checkRate(r.Value)
	}
	c, err := classOf(r.Schedule)
	if err != nil {
		return fmt.Errorf("the schedule of the learning rate %w", err)
	}
	if checks, ok := r.Schedule.(ScheduleChecker); ok {
		if err := checks.Check(); err != nil {
			return fmt.Errorf("the schedule %s of the learning rate: %w", c.name, err)
		}
	}
	return nil
}

// maxSchedule is how many bytes a schedule can have in a file: one within another is read again and again.
const maxSchedule = 1 << 16

// at returns the learning rate after so many steps.
func (r *Rate) at(steps int64) float64 {
	if r.Schedule != nil {
		return r.Schedule.Rate(steps)
	}
	return r.Value
}

// checkRate reports a learning rate that no step can have.
func checkRate(v float64) error {
	if !(v >= 0 && v <= math.MaxFloat32) {
		return fmt.Errorf("learning rate %v must be finite and not negative, in float32", v)
	}
	if vanishes(v) {
		return fmt.Errorf("learning rate %v is 0 in float32", v)
	}
	return nil
}

// vanishes reports whether v is 0 in float32 but not in float64.
func vanishes(v float64) bool { return v != 0 && float32(v) == 0 }

// checkOptimizer reports what Compile and SetLearningRate refuse.
func checkOptimizer(o Optimizer) error {
	if o == nil {
		return fmt.Errorf("optimizer is nil")
	}
	c, err := classOf(o)
	if err != nil {
		return fmt.Errorf("the optimizer %w", err)
	}
	name := strings.ToLower(c.name)
	rate := o.LearningRate()
	if rate == nil {
		return fmt.Errorf("optimizer %s: has no learning rate", name)
	}
	if err = rate.check(); err == nil {
		err = optionsOf(o).check(rate.Value)
	}
	if err == nil {
		err = o.Check()
	}
	if err != nil {
		return fmt.Errorf("optimizer %s: %w", name, err)
	}
	return nil
}

// checkDecay reports a factor by which a mean decays that is none.
func checkDecay(name string, v float64) error {
	switch {
	case !(v >= 0 && v < 1):
		return fmt.Errorf("%s %v is not in [0, 1)", name, v)
	case vanishes(v):
		return fmt.Errorf("%s %v is 0 in float32", name, v)
	}
	return nil
}

// checkDecay32 is checkDecay for a factor that is used in float32.
func checkDecay32(name string, v float64) error {
	if v < 1 && float32(v) == 1 {
		return fmt.Errorf("%s %v is 1 in float32", name, v)
	}
	return checkDecay(name, v)
}

func checkEpsilon(v float64) error {
	if !(float32(v) > 0 && v <= math.MaxFloat32) {
		return fmt.Errorf("epsilon %v must be positive and finite in float32", v)
	}
	return nil
}

// copyOf returns an optimizer of its own, whose learning rate can change.
func copyOf(o Optimizer) Optimizer {
	v := reflect.ValueOf(o)
	if v.Kind() != reflect.Pointer {
		return o
	}
	p := reflect.New(v.Type().Elem())
	p.Elem().Set(v.Elem())
	return p.Interface().(Optimizer)
}

// squares reports whether gradients are squared.
func squares(o Optimizer) bool { s, ok := o.(Squarer); return ok && s.Squares() }

// whole reports whether the optimizer needs whole weights.
func takesWhole(o Optimizer) bool { w, ok := o.(Wholer); return ok && w.Whole() }

// sparse reports whether weights without a gradient stay as they are.
func sparse(o Optimizer) bool { s, ok := o.(Sparser); return ok && s.Sparse() }

// LearningRate returns the learning rate that the next training step uses, 0 before Compile.
func (m *Model) LearningRate() float64 {
	if m.trainer == nil {
		return 0
	}
	return m.trainer.optimizer.LearningRate().at(m.trainer.iterations)
}

// SetLearningRate changes the learning rate from the next training step on, and ends a schedule. The optimizer keeps its
// state. Callbacks of Fit may call it; another goroutine must not while the model trains.
func (m *Model) SetLearningRate(lr float64) error {
	if m.trainer == nil {
		return fmt.Errorf("nn: SetLearningRate: %w", ErrNotCompiled)
	}
	o := copyOf(m.trainer.optimizer)
	*o.LearningRate() = Rate{Value: lr}
	if err := checkOptimizer(o); err != nil {
		return fmt.Errorf("nn: SetLearningRate: %w", err)
	}
	m.trainer.optimizer = o
	return nil
}
