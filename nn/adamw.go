package nn

// AdamWOptimizer is Adam with weight decay, see [AdamW].
type AdamWOptimizer struct {
	AdamOptimizer
}

func init() { Register("AdamW", *AdamW(0.001)) }

// AdamW is [Adam] with the WeightDecay of Keras, 0.004: see [OptimizerOptions].
func AdamW(learningRate float64) *AdamWOptimizer {
	o := &AdamWOptimizer{*Adam(learningRate)}
	o.WeightDecay = 0.004
	return o
}
