package nn

import "cmp"

// AdadeltaOptimizer is Adadelta, see [Adadelta].
type AdadeltaOptimizer struct {
	Rate    Rate    `json:"learning_rate"`
	Rho     float64 `json:"rho"` // decay of both means
	Epsilon float64 `json:"epsilon"`
	OptimizerOptions
}

func init() { Register("Adadelta", *Adadelta(0.001)) }

// Adadelta makes steps of the size of those before (Zeiler 2012, arXiv:1212.5701): d = g · sqrt(u+Epsilon)/sqrt(v+Epsilon),
// with the means v of g² and u of d² before; w -= learningRate·d. The paper has 1 for the learning rate.
func Adadelta(learningRate float64) *AdadeltaOptimizer {
	return &AdadeltaOptimizer{Rate: Rate{Value: learningRate}, Rho: 0.95, Epsilon: 1e-7, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *AdadeltaOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "accumulated_grad" and "accumulated_delta_var", the means of squared gradients and of squared steps.
func (o *AdadeltaOptimizer) Slots() []string {
	return []string{"accumulated_grad", "accumulated_delta_var"}
}

// Squares returns true.
func (o *AdadeltaOptimizer) Squares() bool { return true }

// Check reports numbers out of range.
func (o *AdadeltaOptimizer) Check() error {
	return cmp.Or(checkDecay32("rho", o.Rho), checkEpsilon(o.Epsilon))
}

// Step implements [Optimizer].
func (o *AdadeltaOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	v, u := slots[0], slots[1]
	c, epsilon := float32(1-o.Rho), float32(o.Epsilon)
	for i, g := range g {
		v[i] = lerp(v[i], float32(g*g), c)
		d := float32(sqrt32(u[i]+epsilon)*g) / sqrt32(v[i]+epsilon)
		u[i] = lerp(u[i], float32(d*d), c)
		w[i] -= float32(d * s.Rate)
	}
	return nil
}
