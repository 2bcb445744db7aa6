package nn

// SGDOptimizer is gradient descent, see [SGD].
type SGDOptimizer struct {
	Rate     Rate    `json:"learning_rate"`
	Momentum float64 `json:"momentum"` // v = Momentum·v - rate·g; w += v
	Nesterov bool    `json:"nesterov"` // with momentum: w += Momentum·v - rate·g
	OptimizerOptions
}

func init() { Register("SGD", *SGD(0.01)) }

// SGD is gradient descent: w -= learningRate·g. Set Momentum and Nesterov for those forms.
func SGD(learningRate float64) *SGDOptimizer {
	return &SGDOptimizer{Rate: Rate{Value: learningRate}, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *SGDOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "momentum" if there is one.
func (o *SGDOptimizer) Slots() []string {
	if o.Momentum == 0 {
		return nil
	}
	return []string{"momentum"}
}

// Sparse reports whether there is no momentum, which goes on without a gradient.
func (o *SGDOptimizer) Sparse() bool { return o.Momentum == 0 }

// Check reports numbers out of range.
func (o *SGDOptimizer) Check() error { return checkDecay32("momentum", o.Momentum) }

// Step implements [Optimizer].
func (o *SGDOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	if o.Momentum == 0 {
		return s.Table.SGD(w, g, s.Rate)
	}
	return s.Table.Momentum(w, slots[0], g, s.Rate, float32(o.Momentum), o.Nesterov)
}
