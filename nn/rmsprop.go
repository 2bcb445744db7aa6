package nn

import "cmp"

// RMSpropOptimizer is RMSprop, see [RMSprop].
type RMSpropOptimizer struct {
	Rate    Rate    `json:"learning_rate"`
	Rho     float64 `json:"rho"` // decay of the mean of squared gradients
	Epsilon float64 `json:"epsilon"`
}

func init() { Register("RMSprop", *RMSprop(0.001)) }

// RMSprop is RMSprop as Keras computes it, with epsilon inside the root: v = Rho·v + (1-Rho)·g²; w -= learningRate ·
// g/sqrt(v+Epsilon).
func RMSprop(learningRate float64) *RMSpropOptimizer {
	return &RMSpropOptimizer{Rate: Rate{Value: learningRate}, Rho: 0.9, Epsilon: 1e-7}
}

// LearningRate returns o.Rate.
func (o *RMSpropOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "velocity", the mean of squared gradients.
func (o *RMSpropOptimizer) Slots() []string { return []string{"velocity"} }

// Squares returns true.
func (o *RMSpropOptimizer) Squares() bool { return true }

// Check reports numbers out of range.
func (o *RMSpropOptimizer) Check() error {
	return cmp.Or(checkDecay32("rho", o.Rho), checkEpsilon(o.Epsilon))
}

// Step implements [Optimizer].
func (o *RMSpropOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	return s.Table.RMSprop(w, slots[0], g, s.Rate, o.Rho, float32(o.Epsilon))
}
