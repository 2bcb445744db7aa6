package nn

import "math"

// LambOptimizer is LAMB, see [Lamb].
type LambOptimizer struct {
	Rate    Rate    `json:"learning_rate"`
	Beta1   float64 `json:"beta_1"` // decay of the mean of gradients
	Beta2   float64 `json:"beta_2"` // decay of the mean of squared gradients
	Epsilon float64 `json:"epsilon"`
	OptimizerOptions
}

func init() { Register("Lamb", *Lamb(0.001)) }

// Lamb is Adam whose step has the size of the weight, for large batches (You and others 2019, arXiv:1904.00962): w -=
// learningRate · ‖w‖/‖u‖ · u with u = (m/(1-Beta1^t)) / (sqrt(v/(1-Beta2^t)) + Epsilon). The norms are those of a whole
// weight; where one is 0, their ratio counts as 1.
func Lamb(learningRate float64) *LambOptimizer {
	return &LambOptimizer{Rate: Rate{Value: learningRate}, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *LambOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "momentum" and "velocity", the means of gradients and of their squares.
func (o *LambOptimizer) Slots() []string { return []string{"momentum", "velocity"} }

// Squares returns true.
func (o *LambOptimizer) Squares() bool { return true }

// Whole returns true.
func (o *LambOptimizer) Whole() bool { return true }

// Check reports numbers out of range.
func (o *LambOptimizer) Check() error {
	return checkMoments(o.Rate.Value, o.Beta1, o.Beta2, o.Epsilon)
}

// Step implements [Optimizer].
func (o *LambOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	m, v, n := slots[0], slots[1], float64(s.Number)
	c1, c2, epsilon := float32(1-o.Beta1), float32(1-o.Beta2), float32(o.Epsilon)
	ofMean, ofSquare := float32(1/(1-math.Pow(o.Beta1, n))), float32(1/(1-math.Pow(o.Beta2, n)))
	update := func(i int) float32 {
		return float32(m[i]*ofMean) / (sqrt32(float32(v[i]*ofSquare)) + epsilon)
	}
	squares := 0.0
	for i, g := range g {
		m[i] = lerp(m[i], g, c1)
		v[i] = lerp(v[i], float32(g*g), c2)
		u := float64(update(i))
		squares += u * u // exact, so it does not matter whether it is fused
	}
	rate := s.LearningRate
	if norm := math.Sqrt(sumSquares(w)); norm > 0 && squares > 0 {
		rate *= norm / math.Sqrt(squares)
	}
	r := float32(rate)
	for i := range w {
		w[i] -= float32(update(i) * r)
	}
	return nil
}
