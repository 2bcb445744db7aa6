package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// AdamWOptimizer is Adam with weight decay, see [AdamW].
type AdamWOptimizer struct {
	AdamOptimizer
	WeightDecay float64 `json:"weight_decay"` // w -= rate·WeightDecay·w in each step
}

func init() { Register("AdamW", *AdamW(0.001)) }

// AdamW is [Adam] that first takes from each weight its own share, apart from the gradient (Loshchilov and Hutter,
// arXiv:1711.05101): w -= learningRate·WeightDecay·w. As in Keras WeightDecay is 0.004, and every weight that is trained
// decays, biases and rows of an [Embedding] that no batch looks up too.
func AdamW(learningRate float64) *AdamWOptimizer {
	return &AdamWOptimizer{AdamOptimizer: *Adam(learningRate), WeightDecay: 0.004}
}

// Check reports numbers out of range.
func (o *AdamWOptimizer) Check() error { return cmp.Or(o.checkDecay(), o.AdamOptimizer.Check()) }

func (o *AdamWOptimizer) checkDecay() error {
	switch decay, rate := o.WeightDecay, o.Rate.Value; {
	case !(decay >= 0 && decay <= math.MaxFloat32):
		return fmt.Errorf("weight decay %v must be finite and not negative, in float32", decay)
	case vanishes(decay):
		return fmt.Errorf("weight decay %v is 0 in float32", decay)
	case rate*decay > math.MaxFloat32:
		return fmt.Errorf("learning rate %v times weight decay %v is beyond float32", rate, decay)
	}
	return nil
}

// Step implements [Optimizer].
func (o *AdamWOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	// Scaling w by 1 - rate·decay would change a small decay: of 1 - 4e-8 float32 makes 1 - 6e-8.
	decay, all := float32(s.LearningRate*o.WeightDecay), kernels.MatrixOf(w, 1, len(w))
	if err := s.Table.Axpy(all, -decay, all); err != nil {
		return err
	}
	return o.AdamOptimizer.Step(s, w, g, slots)
}
