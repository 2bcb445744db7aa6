package nn

import (
	"fmt"
	"hash/fnv"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// schedules are all of them, in forms that Keras' numbers do not have.
func schedules() map[string]Schedule {
	restarts := CosineDecayRestarts(0.1, 7)
	restarts.Longer, restarts.Lower, restarts.Alpha = 1.7, 0.8, 0.1
	same := CosineDecayRestarts(0.1, 7)
	same.Longer, same.Lower = 1, 0.5
	return map[string]Schedule{
		"exponential": set(ExponentialDecay(0.1, 7, 0.7), func(s *ExponentialDecaySchedule) { s.Staircase = true }),
		"inverse":     set(InverseTimeDecay(0.1, 7, 0.7), func(s *InverseTimeDecaySchedule) { s.Staircase = true }),
		"piecewise":   PiecewiseConstantDecay([]float64{2, 30}, []float64{3, 2, 1}),
		"polynomial":  set(PolynomialDecay(0.1, 20), func(s *PolynomialDecaySchedule) { s.Power = 1.3 }),
		"cosine":      CosineDecay(0.01, 30).Warmup(0.1, 10),
		"restarts":    restarts,
		"same":        same,
		"flat":        set(FlatCosineDecay(0.1, 10, 20), func(s *FlatCosineDecaySchedule) { s.Alpha = 0.2 }),
		"warmup":      set(LinearWarmup(5, Rate{Schedule: ExponentialDecay(0.1, 10, 0.5)}), func(s *LinearWarmupSchedule) { s.Initial = 0.02 }),
		"constant":    LinearWarmup(4, Rate{Value: 0.2}),
	}
}

func TestScheduleFormulas(t *testing.T) {
	all := schedules()
	for step := range int64(100) {
		n := float64(step)
		wave := func(p float64) float64 { return (1 + math.Cos(math.Pi*min(p, 1))) / 2 }
		// The period of a cosine with restarts, found by walking.
		start, length, top := 0.0, 7.0, 1.0
		for n >= start+length-1e-9 {
			start, length, top = start+length, length*1.7, top*0.8
		}
		warmup := 0.02 + 0.08*n/5
		if step >= 5 {
			warmup = 0.1 * math.Pow(0.5, (n-5)/10)
		}
		cosine := 0.01 + 0.09*n/10
		if step >= 10 {
			cosine = 0.1 * wave((n-10)/30)
		}
		for name, want := range map[string]float64{
			"exponential": 0.1 * math.Pow(0.7, math.Floor(n/7)),
			"inverse":     0.1 / (1 + 0.7*math.Floor(n/7)),
			"piecewise":   map[bool]float64{true: 3, false: map[bool]float64{true: 2, false: 1}[n <= 30]}[n <= 2],
			"polynomial":  0.0999*math.Pow(1-min(n/20, 1), 1.3) + 0.0001,
			"cosine":      cosine,
			"restarts":    0.1 * (0.9*top*wave((n-start)/length) + 0.1),
			"same":        0.1 * math.Pow(0.5, math.Floor(n/7)) * wave(n/7-math.Floor(n/7)),
			"flat":        0.1 * (0.8*wave(max(0, n-10)/20) + 0.2),
			"warmup":      warmup,
			"constant":    min(0.2, 0.05*n),
		} {
			require.InDelta(t, want, all[name].Rate(step), 1e-14, "%s, step %d", name, step)
		}
	}
}

// Rounding moves no step into another period: these are the first of theirs.
func TestScheduleRestarts(t *testing.T) {
	s := CosineDecayRestarts(1, 1)
	s.Longer = 3
	for step, period := int64(0), int64(1); period < 1e12; step, period = step+period, 3*period {
		require.Equal(t, 1.0, s.Rate(step), "step %d", step)
		require.Less(t, s.Rate(step+1), 1.0000001, "step %d", step+1)
	}
}

// Every machine has the same rates, to the bit.
func TestScheduleBits(t *testing.T) {
	h, all := fnv.New64a(), schedules()
	for _, name := range []string{"exponential", "inverse", "piecewise", "polynomial", "cosine", "restarts", "same", "flat", "warmup", "constant"} {
		for step := range int64(200) {
			fmt.Fprintln(h, all[name].Rate(step))
		}
	}
	require.Equal(t, "bd3cb6b74b8c2a14", fmt.Sprintf("%x", h.Sum64()))
}

// A model trains by a schedule, its file has it, and goes on with it.
func TestSchedulesSaved(t *testing.T) {
	for name, s := range schedules() {
		m := plain(t, 1, &SGDOptimizer{Rate: Rate{Schedule: s}})
		for range 3 {
			_, err := m.TrainOnBatch(point(1, 0))
			require.NoError(t, err)
		}
		again, err := parse(savedBytes(t, m))
		require.NoError(t, err, name)
		require.Equal(t, s.Rate(3), again.LearningRate(), name)
		require.Equal(t, m.trainer.optimizer, again.trainer.optimizer, name)
	}
}

func TestScheduleErrors(t *testing.T) {
	for want, s := range map[string]Schedule{
		"the schedule ExponentialDecay of the learning rate: decay_steps 0 must be positive": ExponentialDecay(1, 0, 1),
		"decay_steps -1 must be positive":                                 InverseTimeDecay(1, -1, 1),
		"decay_steps NaN must be positive":                                PolynomialDecay(1, math.NaN()),
		"decay_steps +Inf must be positive":                               CosineDecay(1, math.Inf(1)),
		"warmup_steps -1 must not be negative":                            CosineDecay(1, 1).Warmup(1, -1),
		"first_decay_steps 0 must be positive":                            CosineDecayRestarts(1, 0),
		"t_mul 0.5 must be at least 1":                                    set(CosineDecayRestarts(1, 1), func(s *CosineDecayRestartsSchedule) { s.Longer = 0.5 }),
		"flat_steps -1 must not be negative":                              FlatCosineDecay(1, -1, 1),
		"2 values for 2 boundaries, must be one more":                     PiecewiseConstantDecay([]float64{1, 2}, []float64{1, 2}),
		"boundary 1 is 1, boundaries must rise":                           PiecewiseConstantDecay([]float64{1, 1}, []float64{1, 2, 3}),
		"a warm-up cannot follow a warm-up":                               LinearWarmup(1, Rate{Schedule: LinearWarmup(1, Rate{})}),
		"the schedule CosineDecay of the learning rate: decay_steps 0":    LinearWarmup(1, Rate{Schedule: CosineDecay(1, 0)}),
		"learning rate -1 must be finite and not negative, in float32":    LinearWarmup(1, Rate{Value: -1}),
		"warmup_steps 0 must be positive, and at most 9.007199254740992e": LinearWarmup(0, Rate{Value: 1}),
	} {
		requireError(t, checkOptimizer(&SGDOptimizer{Rate: Rate{Schedule: s}}), "optimizer sgd: ", want)
	}
	var r Rate
	require.ErrorContains(t, r.UnmarshalJSON(make([]byte, maxSchedule+1)), "a learning rate has 65537 bytes")
}
