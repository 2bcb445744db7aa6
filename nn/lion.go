package nn

import "cmp"

// LionOptimizer is Lion, see [Lion].
type LionOptimizer struct {
	Rate  Rate    `json:"learning_rate"`
	Beta1 float64 `json:"beta_1"` // share of the mean in a step
	Beta2 float64 `json:"beta_2"` // decay of the mean of gradients
	OptimizerOptions
}

func init() { Register("Lion", *Lion(0.001)) }

// Lion makes steps of one size (Chen and others 2023, arXiv:2302.06675): w -= learningRate · sign(Beta1·m + (1-Beta1)·g),
// with the mean m of the gradients before. Its learning rate is usually 3 to 10 times smaller than that of [Adam], and its
// weight decay as much larger.
func Lion(learningRate float64) *LionOptimizer {
	return &LionOptimizer{Rate: Rate{Value: learningRate}, Beta1: 0.9, Beta2: 0.99, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *LionOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "momentum", the mean of gradients.
func (o *LionOptimizer) Slots() []string { return []string{"momentum"} }

// Check reports numbers out of range.
func (o *LionOptimizer) Check() error {
	return cmp.Or(checkDecay32("beta 1", o.Beta1), checkDecay32("beta 2", o.Beta2))
}

// Step implements [Optimizer].
func (o *LionOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	m, b, c1, c2 := slots[0], float32(o.Beta1), float32(1-o.Beta1), float32(1-o.Beta2)
	for i, g := range g {
		switch direction := float32(m[i]*b) + float32(g*c1); {
		case direction > 0:
			w[i] -= s.Rate
		case direction < 0:
			w[i] += s.Rate
		}
		m[i] = lerp(m[i], g, c2)
	}
	return nil
}
