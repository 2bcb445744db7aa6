package nn

import (
	"cmp"
	"fmt"
	"math"
)

// AdagradOptimizer is Adagrad, see [Adagrad].
type AdagradOptimizer struct {
	Rate    Rate    `json:"learning_rate"`
	Initial float64 `json:"initial_accumulator_value"` // what the sum of squares starts with
	Epsilon float64 `json:"epsilon"`
	OptimizerOptions
}

func init() { Register("Adagrad", *Adagrad(0.001)) }

// Adagrad divides by the root of the sum of squared gradients (Duchi, Hazan and Singer 2011): v += g²; w -= learningRate ·
// g/sqrt(v+Epsilon).
func Adagrad(learningRate float64) *AdagradOptimizer {
	return &AdagradOptimizer{Rate: Rate{Value: learningRate}, Initial: 0.1, Epsilon: 1e-7, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *AdagradOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "accumulator", the sum of squared gradients.
func (o *AdagradOptimizer) Slots() []string { return []string{"accumulator"} }

// Start returns o.Initial.
func (o *AdagradOptimizer) Start(int) float32 { return float32(o.Initial) }

// Squares returns true.
func (o *AdagradOptimizer) Squares() bool { return true }

// Check reports numbers out of range.
func (o *AdagradOptimizer) Check() error {
	return cmp.Or(checkInitial(o.Initial), checkEpsilon(o.Epsilon))
}

func checkInitial(v float64) error {
	if !(v >= 0 && v <= math.MaxFloat32) {
		return fmt.Errorf("initial_accumulator_value %v must be finite and not negative, in float32", v)
	}
	return nil
}

// Step implements [Optimizer].
func (o *AdagradOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	return s.Table.Adagrad(w, slots[0], g, s.Rate, float32(o.Epsilon))
}
