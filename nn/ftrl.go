package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
)

// FtrlOptimizer is FTRL-Proximal, see [Ftrl].
type FtrlOptimizer struct {
	Rate        Rate    `json:"learning_rate"`
	Power       float64 `json:"learning_rate_power"`       // 0 or below
	Initial     float64 `json:"initial_accumulator_value"` // what the sum of squares starts with
	L1          float64 `json:"l1_regularization_strength"`
	L2          float64 `json:"l2_regularization_strength"`
	L2Shrinkage float64 `json:"l2_shrinkage_regularization_strength"` // adds 2·L2Shrinkage·w to the gradient
	Beta        float64 `json:"beta"`
	OptimizerOptions
}

func init() { Register("Ftrl", *Ftrl(0.001)) }

// Ftrl follows the regularized leader (McMahan and others 2013): with L1, weights of little use are exactly 0, so it suits
// wide models of rare features. For each weight it keeps n, the sum of squared gradients, and z:
//
//	z += g - (sqrt(n+g²)-sqrt(n))/learningRate · w;  n += g²
//	w = (clip(z, -L1, L1) - z) / (sqrt(n)/learningRate + 2·(L2 + Beta/(2·learningRate)))
//
// Power -0.5 stands for these roots. A learning rate of 0 leaves everything as it is.
func Ftrl(learningRate float64) *FtrlOptimizer {
	return &FtrlOptimizer{Rate: Rate{Value: learningRate}, Power: -0.5, Initial: 0.1, OptimizerOptions: usualOptions()}
}

// LearningRate returns o.Rate.
func (o *FtrlOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "accumulator", the sum of squared gradients, and "linear".
func (o *FtrlOptimizer) Slots() []string { return []string{"accumulator", "linear"} }

// Start returns o.Initial for the accumulator.
func (o *FtrlOptimizer) Start(slot int) float32 {
	if slot == 0 {
		return float32(o.Initial)
	}
	return 0
}

// Squares returns true.
func (o *FtrlOptimizer) Squares() bool { return true }

// Check reports numbers out of range.
func (o *FtrlOptimizer) Check() error {
	if !(o.Power <= 0 && o.Power >= -math.MaxFloat32) {
		return fmt.Errorf("learning_rate_power %v must be finite and not positive", o.Power)
	}
	return cmp.Or(checkInitial(o.Initial),
		checkStrength("l1_regularization_strength", o.L1),
		checkStrength("l2_regularization_strength", o.L2),
		checkStrength("l2_shrinkage_regularization_strength", o.L2Shrinkage),
		checkStrength("beta", o.Beta))
}

// checkStrength reports a number that is not finite and at least 0.
func checkStrength(name string, v float64) error {
	if !(v >= 0 && v <= math.MaxFloat32) {
		return fmt.Errorf("%s %v must be finite and not negative, in float32", name, v)
	}
	return nil
}

// Step implements [Optimizer]. The difference of the roots needs float64.
func (o *FtrlOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	rate := s.LearningRate
	if rate == 0 {
		return nil
	}
	n, z, constant := slots[0], slots[1], float64(2*o.L2)+o.Beta/rate
	for i, g := range g {
		g, old, weight := float64(g), float64(n[i]), float64(w[i])
		sum := old + g*g // exact squares
		root := portable.Pow(sum, -o.Power)
		linear := float64(z[i]) + g + float64(2*o.L2Shrinkage*weight) - float64((root-portable.Pow(old, -o.Power))/rate*weight)
		n[i], z[i] = float32(sum), float32(linear)
		if quadratic := root/rate + constant; quadratic > 0 {
			w[i] = float32((min(max(linear, -o.L1), o.L1) - linear) / quadratic)
		}
	}
	return nil
}
