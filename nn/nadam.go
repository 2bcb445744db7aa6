package nn

import "math"

// NadamOptimizer is Adam with the momentum of Nesterov, see [Nadam].
type NadamOptimizer struct {
	Rate    Rate    `json:"learning_rate"`
	Beta1   float64 `json:"beta_1"` // decay of the mean of gradients
	Beta2   float64 `json:"beta_2"` // decay of the mean of squared gradients
	Epsilon float64 `json:"epsilon"`
	OptimizerOptions

	ofMean, ofGradient, ofSquare float32 // the factors of this step
}

func init() { Register("Nadam", *Nadam(0.001)) }

// Nadam is Adam that looks ahead by its momentum (Dozat 2016). With u(t) = Beta1·(1 - 0.96^t/2), U(t) = u(1)·...·u(t), and
// the means m of gradients and v of their squares, it computes
//
//	w -= learningRate · (u(t+1)/(1-U(t+1)) · m + (1-u(t))/(1-U(t)) · g) / (sqrt(v/(1-Beta2^t)) + Epsilon)
func Nadam(learningRate float64) *NadamOptimizer {
	return &NadamOptimizer{Rate: Rate{Value: learningRate}, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *NadamOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "momentum" and "velocity", the means of gradients and of their squares.
func (o *NadamOptimizer) Slots() []string { return []string{"momentum", "velocity"} }

// Squares returns true.
func (o *NadamOptimizer) Squares() bool { return true }

// Check reports numbers out of range.
func (o *NadamOptimizer) Check() error {
	return checkMoments(o.Rate.Value, o.Beta1, o.Beta2, o.Epsilon)
}

// Prepare computes the factors. Of whole exponents math.Pow gives the same bits everywhere: it only multiplies.
func (o *NadamOptimizer) Prepare(s *Step) {
	n := float64(s.Number)
	u := func(t float64) float64 { return o.Beta1 * (1 - math.Pow(0.96, t)/2) }
	product := math.Pow(o.Beta1, n)
	for t := 1.0; t <= min(n, 1000); t++ { // from there on the factors are 1
		product *= 1 - math.Pow(0.96, t)/2
	}
	o.ofMean = float32(s.LearningRate * u(n+1) / (1 - float64(product*u(n+1))))
	o.ofGradient = float32(s.LearningRate * (1 - u(n)) / (1 - product))
	o.ofSquare = float32(1 / (1 - math.Pow(o.Beta2, n)))
}

// Step implements [Optimizer].
func (o *NadamOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	m, v := slots[0], slots[1]
	c1, c2, epsilon := float32(1-o.Beta1), float32(1-o.Beta2), float32(o.Epsilon)
	for i, g := range g {
		m[i] = lerp(m[i], g, c1)
		v[i] = lerp(v[i], float32(g*g), c2)
		w[i] -= (float32(m[i]*o.ofMean) + float32(g*o.ofGradient)) / (sqrt32(float32(v[i]*o.ofSquare)) + epsilon)
	}
	return nil
}
