package nn

import "math"

// AdamaxOptimizer is Adam with the maximum norm, see [Adamax].
type AdamaxOptimizer struct {
	Rate    Rate    `json:"learning_rate"`
	Beta1   float64 `json:"beta_1"` // decay of the mean of gradients
	Beta2   float64 `json:"beta_2"` // decay of the largest gradient
	Epsilon float64 `json:"epsilon"`
	OptimizerOptions
}

func init() { Register("Adamax", *Adamax(0.001)) }

// Adamax divides by the largest gradient so far, which decays (Kingma and Ba 2014, section 7.1): u = max(Beta2·u, |g|);
// w -= learningRate/(1-Beta1^t) · m/(u+Epsilon), with the mean m of gradients.
func Adamax(learningRate float64) *AdamaxOptimizer {
	return &AdamaxOptimizer{Rate: Rate{Value: learningRate}, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *AdamaxOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "momentum", the mean of gradients, and "norm", the largest one.
func (o *AdamaxOptimizer) Slots() []string { return []string{"momentum", "norm"} }

// Check reports numbers out of range.
func (o *AdamaxOptimizer) Check() error {
	return checkMoments(o.Rate.Value, o.Beta1, o.Beta2, o.Epsilon)
}

// Prepare corrects the bias of the mean.
func (o *AdamaxOptimizer) Prepare(s *Step) {
	s.Rate = float32(s.LearningRate / (1 - math.Pow(o.Beta1, float64(s.Number))))
}

// Step implements [Optimizer].
func (o *AdamaxOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	m, u := slots[0], slots[1]
	c, decay, epsilon := float32(1-o.Beta1), float32(o.Beta2), float32(o.Epsilon)
	for i, g := range g {
		m[i] = lerp(m[i], g, c)
		u[i] = max(float32(u[i]*decay), g, -g)
		w[i] -= float32(m[i]*s.Rate) / (u[i] + epsilon)
	}
	return nil
}
