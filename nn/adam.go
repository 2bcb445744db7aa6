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
	AMSGrad bool    `json:"amsgrad"` // divide by the root of the largest mean of squares so far
	OptimizerOptions
}

func init() { Register("Adam", *Adam(0.001)) }

// Adam is Adam as Keras computes it, with epsilon added before the bias correction (the paper's "epsilon hat"; Kingma and
// Ba 2014, end of section 2): w -= learningRate · sqrt(1-Beta2^t)/(1-Beta1^t) · m/(sqrt(v)+Epsilon). Set AMSGrad for that
// form (Reddi, Kale and Kumar 2018, arXiv:1904.09237).
func Adam(learningRate float64) *AdamOptimizer {
	return &AdamOptimizer{Rate: Rate{Value: learningRate}, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *AdamOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "momentum" and "velocity", the means of gradients and of their squares, and with AMSGrad "velocity_hat", the
// largest of the latter.
func (o *AdamOptimizer) Slots() []string {
	if o.AMSGrad {
		return []string{"momentum", "velocity", "velocity_hat"}
	}
	return []string{"momentum", "velocity"}
}

// Squares returns true.
func (o *AdamOptimizer) Squares() bool { return true }

// Check reports numbers out of range.
func (o *AdamOptimizer) Check() error {
	return checkMoments(o.Rate.Value, o.Beta1, o.Beta2, o.Epsilon)
}

// checkMoments reports numbers of an Adam that are out of range.
func checkMoments(rate, beta1, beta2, epsilon float64) error {
	if err := cmp.Or(checkDecay("beta 1", beta1), checkDecay("beta 2", beta2), checkEpsilon(epsilon)); err != nil {
		return err
	}
	if rate/(1-beta1) > math.MaxFloat32 {
		return fmt.Errorf("learning rate %v over 1 - beta 1 of %v, which the first steps can reach, is beyond float32", rate, beta1)
	}
	return nil
}

// Prepare corrects the bias of both means. Of whole exponents math.Pow gives the same bits everywhere: it only multiplies.
func (o *AdamOptimizer) Prepare(s *Step) {
	n := float64(s.Number)
	s.Rate = float32(s.LearningRate * math.Sqrt(1-math.Pow(o.Beta2, n)) / (1 - math.Pow(o.Beta1, n)))
}

// Step implements [Optimizer].
func (o *AdamOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	if o.AMSGrad {
		o.stepAMSGrad(s, w, g, slots)
		return nil
	}
	return s.Table.Adam(w, slots[0], slots[1], g, s.Rate, o.Beta1, o.Beta2, float32(o.Epsilon))
}

func (o *AdamOptimizer) stepAMSGrad(s *Step, w, g []float32, slots [][]float32) {
	m, v, largest := slots[0], slots[1], slots[2]
	c1, c2, epsilon := float32(1-o.Beta1), float32(1-o.Beta2), float32(o.Epsilon)
	for i, g := range g {
		m[i] = lerp(m[i], g, c1)
		v[i] = lerp(v[i], float32(g*g), c2)
		largest[i] = max(largest[i], v[i])
		w[i] -= float32(m[i]*s.Rate) / (sqrt32(largest[i]) + epsilon)
	}
}

// sqrt32 returns the root of x, rounded once: that of float64 is exact enough.
func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
