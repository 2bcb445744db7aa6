package nn

import (
	"cmp"
	"fmt"
	"math"
)

// AdamOptimizer is Adam, see [Adam].
type AdamOptimizer struct {
	Rate    Rate    `json:"learning_rate"`
	Beta1   float64 `json:"beta_1"` // decay of the mean of gradients
	Beta2   float64 `json:"beta_2"` // decay of the mean of squared gradients
	Epsilon float64 `json:"epsilon"`
}

func init() { Register("Adam", *Adam(0.001)) }

// Adam is Adam as Keras computes it, with epsilon added before the bias correction (the paper's "epsilon hat"; Kingma and
// Ba 2014, end of section 2): w -= learningRate · sqrt(1-Beta2^t)/(1-Beta1^t) · m/(sqrt(v)+Epsilon).
func Adam(learningRate float64) *AdamOptimizer {
	return &AdamOptimizer{Rate: Rate{Value: learningRate}, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}
}

// LearningRate returns o.Rate.
func (o *AdamOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "momentum" and "velocity", the means of gradients and of their squares.
func (o *AdamOptimizer) Slots() []string { return []string{"momentum", "velocity"} }

// Squares returns true.
func (o *AdamOptimizer) Squares() bool { return true }

// Check reports numbers out of range.
func (o *AdamOptimizer) Check() error {
	if err := cmp.Or(checkDecay("beta 1", o.Beta1), checkDecay("beta 2", o.Beta2), checkEpsilon(o.Epsilon)); err != nil {
		return err
	}
	if rate := o.Rate.Value; rate/(1-o.Beta1) > math.MaxFloat32 {
		return fmt.Errorf("learning rate %v over 1 - beta 1 of %v, which the first steps can reach, is beyond float32", rate, o.Beta1)
	}
	return nil
}

// Prepare corrects the bias of both means.
func (o *AdamOptimizer) Prepare(s *Step) {
	n := float64(s.Number)
	s.Rate = float32(s.LearningRate * math.Sqrt(1-math.Pow(o.Beta2, n)) / (1 - math.Pow(o.Beta1, n)))
}

// Step implements [Optimizer].
func (o *AdamOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	return s.Table.Adam(w, slots[0], slots[1], g, s.Rate, o.Beta1, o.Beta2, float32(o.Epsilon))
}
