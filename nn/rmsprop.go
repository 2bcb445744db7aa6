package nn

import "cmp"

// RMSpropOptimizer is RMSprop, see [RMSprop].
type RMSpropOptimizer struct {
	Rate     Rate    `json:"learning_rate"`
	Rho      float64 `json:"rho"` // decay of the mean of squared gradients
	Epsilon  float64 `json:"epsilon"`
	Momentum float64 `json:"momentum"` // u = Momentum·u + rate·g/sqrt(...); w -= u
	Centered bool    `json:"centered"` // divide by the deviation: v less the square of the mean of gradients
	OptimizerOptions
}

func init() { Register("RMSprop", *RMSprop(0.001)) }

// RMSprop is RMSprop as Keras computes it, with epsilon inside the root: v = Rho·v + (1-Rho)·g²; w -= learningRate ·
// g/sqrt(v+Epsilon). Set Momentum and Centered for those forms (Tieleman and Hinton 2012; Graves 2013, arXiv:1308.0850).
func RMSprop(learningRate float64) *RMSpropOptimizer {
	return &RMSpropOptimizer{Rate: Rate{Value: learningRate}, Rho: 0.9, Epsilon: 1e-7, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *RMSpropOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "velocity", the mean of squared gradients, with Momentum "momentum", and if it is Centered
// "average_gradient".
func (o *RMSpropOptimizer) Slots() []string {
	slots := []string{"velocity"}
	if o.Momentum != 0 {
		slots = append(slots, "momentum")
	}
	if o.Centered {
		slots = append(slots, "average_gradient")
	}
	return slots
}

// Squares returns true.
func (o *RMSpropOptimizer) Squares() bool { return true }

// Check reports numbers out of range.
func (o *RMSpropOptimizer) Check() error {
	return cmp.Or(checkDecay32("rho", o.Rho), checkDecay32("momentum", o.Momentum), checkEpsilon(o.Epsilon))
}

// Step implements [Optimizer].
func (o *RMSpropOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	if o.Momentum != 0 || o.Centered {
		o.step(s, w, g, slots)
		return nil
	}
	return s.Table.RMSprop(w, slots[0], g, s.Rate, o.Rho, float32(o.Epsilon))
}

func (o *RMSpropOptimizer) step(s *Step, w, g []float32, slots [][]float32) {
	c, epsilon, momentum := float32(1-o.Rho), float32(o.Epsilon), float32(o.Momentum)
	v, means := slots[0], slots[len(slots)-1]
	for i, g := range g {
		v[i] = lerp(v[i], float32(g*g), c)
		squares := v[i]
		if o.Centered {
			means[i] = lerp(means[i], g, c)
			squares = max(0, squares-float32(means[i]*means[i])) // rounding can take it below 0
		}
		step := float32(g*s.Rate) / sqrt32(squares+epsilon)
		if momentum != 0 {
			slots[1][i] = float32(slots[1][i]*momentum) + step
			step = slots[1][i]
		}
		w[i] -= step
	}
}
