package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// The schedules have the formulas, names and fields of Keras. They compute in float64 with what gives the same bits on every
// machine, see package portable; a step rounds the rate to float32 then.

func init() {
	Register("ExponentialDecay", ExponentialDecaySchedule{})
	Register("InverseTimeDecay", InverseTimeDecaySchedule{})
	Register("PiecewiseConstantDecay", PiecewiseConstantDecaySchedule{})
	Register("PolynomialDecay", *PolynomialDecay(0, 0))
	Register("CosineDecay", CosineDecaySchedule{})
	Register("CosineDecayRestarts", *CosineDecayRestarts(0, 0))
	Register("LinearWarmup", LinearWarmupSchedule{})
	Register("FlatCosineDecay", FlatCosineDecaySchedule{})
}

// ExponentialDecaySchedule is the schedule of [ExponentialDecay].
type ExponentialDecaySchedule struct {
	Initial   float64 `json:"initial_learning_rate"`
	Steps     float64 `json:"decay_steps"`
	Decay     float64 `json:"decay_rate"`
	Staircase bool    `json:"staircase"` // whole powers only: the rate changes every Steps steps
}

// ExponentialDecay is initial · decay^(step/steps).
func ExponentialDecay(initial, steps, decay float64) *ExponentialDecaySchedule {
	return &ExponentialDecaySchedule{Initial: initial, Steps: steps, Decay: decay}
}

// Check reports numbers out of range.
func (s *ExponentialDecaySchedule) Check() error { return checkSteps("decay_steps", s.Steps) }

// Rate implements [Schedule].
func (s *ExponentialDecaySchedule) Rate(step int64) float64 {
	p := float64(step) / s.Steps
	if s.Staircase {
		p = math.Floor(p)
	}
	return s.Initial * portable.Pow(s.Decay, p)
}

// InverseTimeDecaySchedule is the schedule of [InverseTimeDecay].
type InverseTimeDecaySchedule struct {
	Initial   float64 `json:"initial_learning_rate"`
	Steps     float64 `json:"decay_steps"`
	Decay     float64 `json:"decay_rate"`
	Staircase bool    `json:"staircase"` // the rate changes every Steps steps
}

// InverseTimeDecay is initial / (1 + decay·step/steps).
func InverseTimeDecay(initial, steps, decay float64) *InverseTimeDecaySchedule {
	return &InverseTimeDecaySchedule{Initial: initial, Steps: steps, Decay: decay}
}

// Check reports numbers out of range.
func (s *InverseTimeDecaySchedule) Check() error { return checkSteps("decay_steps", s.Steps) }

// Rate implements [Schedule].
func (s *InverseTimeDecaySchedule) Rate(step int64) float64 {
	p := float64(step) / s.Steps
	if s.Staircase {
		p = math.Floor(p)
	}
	return s.Initial / (1 + float64(s.Decay*p))
}

// PiecewiseConstantDecaySchedule is the schedule of [PiecewiseConstantDecay].
type PiecewiseConstantDecaySchedule struct {
	Boundaries []float64 `json:"boundaries"` // rising
	Values     []float64 `json:"values"`     // one more
}

// PiecewiseConstantDecay is values[0] up to step boundaries[0], values[1] from the next step up to boundaries[1], and so on.
// Values has one element more than boundaries, which rise.
func PiecewiseConstantDecay(boundaries, values []float64) *PiecewiseConstantDecaySchedule {
	return &PiecewiseConstantDecaySchedule{slices.Clone(boundaries), slices.Clone(values)}
}

// Check reports lists that do not fit.
func (s *PiecewiseConstantDecaySchedule) Check() error {
	if len(s.Values) != len(s.Boundaries)+1 {
		return fmt.Errorf("%d values for %d boundaries, must be one more", len(s.Values), len(s.Boundaries))
	}
	for i, b := range s.Boundaries {
		if b != b || i > 0 && !(b > s.Boundaries[i-1]) {
			return fmt.Errorf("boundary %d is %v, boundaries must rise", i, b)
		}
	}
	return nil
}

// Rate implements [Schedule].
func (s *PiecewiseConstantDecaySchedule) Rate(step int64) float64 {
	i, _ := slices.BinarySearch(s.Boundaries, float64(step)) // of those below step
	return s.Values[i]
}

// PolynomialDecaySchedule is the schedule of [PolynomialDecay].
type PolynomialDecaySchedule struct {
	Initial float64 `json:"initial_learning_rate"`
	Steps   float64 `json:"decay_steps"`
	End     float64 `json:"end_learning_rate"`
	Power   float64 `json:"power"`
	Cycle   bool    `json:"cycle"` // after Steps steps, start anew with as many more, from where the longer decay then is
}

// PolynomialDecay is (initial - End)·(1 - step/steps)^Power + End, and End after these steps. As in Keras End is 0.0001 and
// Power 1, a straight line.
func PolynomialDecay(initial, steps float64) *PolynomialDecaySchedule {
	return &PolynomialDecaySchedule{Initial: initial, Steps: steps, End: 0.0001, Power: 1}
}

// Check reports numbers out of range.
func (s *PolynomialDecaySchedule) Check() error { return checkSteps("decay_steps", s.Steps) }

// Rate implements [Schedule].
func (s *PolynomialDecaySchedule) Rate(step int64) float64 {
	at, steps := float64(step), s.Steps
	if s.Cycle {
		steps *= max(1, math.Ceil(at/steps))
	}
	p := min(at/steps, 1)
	return float64((s.Initial-s.End)*portable.Pow(1-p, s.Power)) + s.End
}

// CosineDecaySchedule is the schedule of [CosineDecay].
type CosineDecaySchedule struct {
	Initial      float64  `json:"initial_learning_rate"`
	Steps        float64  `json:"decay_steps"`
	Alpha        float64  `json:"alpha"`         // the share of the rate that is left in the end
	WarmupTarget *float64 `json:"warmup_target"` // nil for no warm-up
	WarmupSteps  float64  `json:"warmup_steps"`
}

// CosineDecay goes from initial to Alpha times that along half a wave of a cosine (Loshchilov and Hutter 2016,
// arXiv:1608.03983): initial · ((1-Alpha)·(1 + cos(π·step/steps))/2 + Alpha). See [CosineDecaySchedule.Warmup].
func CosineDecay(initial, steps float64) *CosineDecaySchedule {
	return &CosineDecaySchedule{Initial: initial, Steps: steps}
}

// Warmup puts a straight line from Initial to target before the decay, which then starts from target, and returns s.
func (s *CosineDecaySchedule) Warmup(target, steps float64) *CosineDecaySchedule {
	s.WarmupTarget, s.WarmupSteps = &target, steps
	return s
}

// Check reports numbers out of range.
func (s *CosineDecaySchedule) Check() error {
	if !(s.WarmupSteps >= 0) {
		return fmt.Errorf("warmup_steps %v must not be negative", s.WarmupSteps)
	}
	return checkSteps("decay_steps", s.Steps)
}

// Rate implements [Schedule].
func (s *CosineDecaySchedule) Rate(step int64) float64 {
	at, from := float64(step), s.Initial
	if s.WarmupTarget != nil {
		if from = *s.WarmupTarget; at < s.WarmupSteps {
			return s.Initial + float64((from-s.Initial)*(at/s.WarmupSteps))
		}
		at -= s.WarmupSteps
	}
	return from * cosineShare(at/s.Steps, 1, s.Alpha)
}

// cosineShare falls from top to alpha while p goes from 0 to 1.
func cosineShare(p, top, alpha float64) float64 {
	return float64((1-alpha)*float64(top*(1+portable.CosPi(min(p, 1)))/2)) + alpha
}

// CosineDecayRestartsSchedule is the schedule of [CosineDecayRestarts].
type CosineDecayRestartsSchedule struct {
	Initial float64 `json:"initial_learning_rate"`
	Steps   float64 `json:"first_decay_steps"`
	Longer  float64 `json:"t_mul"` // each period than the one before
	Lower   float64 `json:"m_mul"` // the start of each period than that of the one before
	Alpha   float64 `json:"alpha"` // the share of the rate that is left in the end
}

// CosineDecayRestarts is [CosineDecay] that starts anew after its steps: the next period is Longer times as long, 2 in Keras,
// and starts Lower times as high, 1 in Keras (Loshchilov and Hutter 2016, arXiv:1608.03983).
func CosineDecayRestarts(initial, steps float64) *CosineDecayRestartsSchedule {
	return &CosineDecayRestartsSchedule{Initial: initial, Steps: steps, Longer: 2, Lower: 1}
}

// Check reports numbers out of range.
func (s *CosineDecayRestartsSchedule) Check() error {
	if !(s.Longer >= 1) {
		return fmt.Errorf("t_mul %v must be at least 1", s.Longer)
	}
	return checkSteps("first_decay_steps", s.Steps)
}

// Rate implements [Schedule].
func (s *CosineDecayRestartsSchedule) Rate(step int64) float64 {
	p, t := float64(step)/s.Steps, s.Longer
	period := math.Floor(p)
	if t == 1 {
		p -= period
	} else {
		start := func(period float64) float64 { return (math.Pow(t, period) - 1) / (t - 1) }
		period = math.Floor(portable.Log(1+float64(p*(t-1))) / portable.Log(t))
		if start(period+1) <= p { // rounding has put it on the wrong side
			period++
		} else if start(period) > p {
			period--
		}
		p = (p - start(period)) / math.Pow(t, period)
	}
	return s.Initial * cosineShare(p, portable.Pow(s.Lower, period), s.Alpha)
}

// FlatCosineDecaySchedule is the schedule of [FlatCosineDecay].
type FlatCosineDecaySchedule struct {
	Initial float64 `json:"initial_learning_rate"`
	Flat    float64 `json:"flat_steps"`
	Steps   float64 `json:"decay_steps"`
	Alpha   float64 `json:"alpha"` // the share of the rate that is left in the end
}

// FlatCosineDecay is initial for some steps, and then [CosineDecay]. Keras does not have it.
func FlatCosineDecay(initial, flat, steps float64) *FlatCosineDecaySchedule {
	return &FlatCosineDecaySchedule{Initial: initial, Flat: flat, Steps: steps}
}

// Check reports numbers out of range.
func (s *FlatCosineDecaySchedule) Check() error {
	if !(s.Flat >= 0) {
		return fmt.Errorf("flat_steps %v must not be negative", s.Flat)
	}
	return checkSteps("decay_steps", s.Steps)
}

// Rate implements [Schedule].
func (s *FlatCosineDecaySchedule) Rate(step int64) float64 {
	return s.Initial * cosineShare(max(0, float64(step)-s.Flat)/s.Steps, 1, s.Alpha)
}

// LinearWarmupSchedule is the schedule of [LinearWarmup].
type LinearWarmupSchedule struct {
	Initial float64 `json:"initial_learning_rate"`
	Steps   float64 `json:"warmup_steps"`
	Then    Rate    `json:"then"`
}

// LinearWarmup is a straight line from 0, or Initial, to where then begins, and after these steps what then is: a number, or
// a schedule whose step 0 that is. Keras does not have it; [CosineDecaySchedule.Warmup] is Keras' for that schedule.
func LinearWarmup(steps float64, then Rate) *LinearWarmupSchedule {
	return &LinearWarmupSchedule{Steps: steps, Then: then}
}

// Check reports numbers out of range.
func (s *LinearWarmupSchedule) Check() error {
	if _, again := s.Then.Schedule.(*LinearWarmupSchedule); again {
		return errors.New("a warm-up cannot follow a warm-up")
	}
	if err := s.Then.check(); err != nil {
		return err
	}
	return checkSteps("warmup_steps", s.Steps)
}

// Rate implements [Schedule].
func (s *LinearWarmupSchedule) Rate(step int64) float64 {
	if at := float64(step); at < s.Steps {
		return s.Initial + float64((s.Then.at(0)-s.Initial)*(at/s.Steps))
	}
	return s.Then.at(step - int64(math.Ceil(s.Steps)))
}

// checkSteps reports a number of steps that is none.
func checkSteps(name string, v float64) error {
	if !(v > 0 && v <= maxIterations) {
		return fmt.Errorf("%s %v must be positive, and at most %v", name, v, float64(maxIterations))
	}
	return nil
}
