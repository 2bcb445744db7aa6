package nn

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// An Optimizer says how gradients change weights. Make one with SGD, Adam or RMSprop and set its other fields before
// Compile, which takes a copy. Numbers must be finite in float32, and only 0 may be 0 there; a field that the algorithm
// does not use must be 0.
type Optimizer struct {
	Algorithm    string  `json:"algorithm"` // "sgd", "adam" or "rmsprop"
	LearningRate float64 `json:"learning_rate"`

	Momentum float64 `json:"momentum,omitempty"` // sgd: v = Momentum·v - LearningRate·g; w += v
	Nesterov bool    `json:"nesterov,omitempty"` // sgd with momentum: w += Momentum·v - LearningRate·g

	Beta1   float64 `json:"beta_1,omitempty"` // adam: decay of the mean of gradients
	Beta2   float64 `json:"beta_2,omitempty"` // adam: decay of the mean of squared gradients
	Rho     float64 `json:"rho,omitempty"`    // rmsprop: decay of the mean of squared gradients
	Epsilon float64 `json:"epsilon,omitempty"`
}

// SGD is gradient descent: w -= learningRate·g. Set Momentum and Nesterov for those forms.
func SGD(learningRate float64) *Optimizer {
	return &Optimizer{Algorithm: "sgd", LearningRate: learningRate}
}

// Adam is Adam as Keras computes it, with epsilon added before the bias correction (the paper's "epsilon hat"; Kingma and
// Ba 2014, end of section 2): w -= learningRate · sqrt(1-Beta2^t)/(1-Beta1^t) · m/(sqrt(v)+Epsilon).
func Adam(learningRate float64) *Optimizer {
	return &Optimizer{Algorithm: "adam", LearningRate: learningRate, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}
}

// RMSprop is RMSprop as Keras computes it, with epsilon inside the root: v = Rho·v + (1-Rho)·g²; w -= learningRate ·
// g/sqrt(v+Epsilon).
func RMSprop(learningRate float64) *Optimizer {
	return &Optimizer{Algorithm: "rmsprop", LearningRate: learningRate, Rho: 0.9, Epsilon: 1e-7}
}

func (o *Optimizer) check() error {
	if o == nil {
		return fmt.Errorf("optimizer is nil")
	}
	if o.Algorithm != "sgd" && o.Algorithm != "adam" && o.Algorithm != "rmsprop" {
		return fmt.Errorf("unknown optimizer %q: valid are %q", o.Algorithm, []string{"sgd", "adam", "rmsprop"})
	}
	if !(o.LearningRate >= 0 && o.LearningRate <= math.MaxFloat32) {
		return fmt.Errorf("optimizer %s: learning rate %v must be finite and not negative, in float32", o.Algorithm, o.LearningRate)
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"momentum", o.Momentum}, {"beta 1", o.Beta1}, {"beta 2", o.Beta2}, {"rho", o.Rho}} {
		if !(f.value >= 0 && f.value < 1) {
			return fmt.Errorf("optimizer %s: %s %v is not in [0, 1)", o.Algorithm, f.name, f.value)
		}
	}
	if o.Algorithm != "sgd" && !(float32(o.Epsilon) > 0 && o.Epsilon <= math.MaxFloat32) {
		return fmt.Errorf("optimizer %s: epsilon %v must be positive and finite in float32", o.Algorithm, o.Epsilon)
	}
	return nil
}

// checkNew reports what Compile and SetLearningRate refuse. A file may have it: it was written when they did not.
func (o *Optimizer) checkNew() error {
	if err := o.check(); err != nil {
		return err
	}
	if o.Nesterov && o.Momentum == 0 {
		return fmt.Errorf("optimizer %s: Nesterov needs Momentum", o.Algorithm)
	}
	if vanishes(o.LearningRate) {
		return fmt.Errorf("optimizer %s: learning rate %v is 0 in float32", o.Algorithm, o.LearningRate)
	}
	if o.LearningRate/(1-o.Beta1) > math.MaxFloat32 {
		return fmt.Errorf("optimizer %s: learning rate %v over 1 - beta 1 of %v, which the first steps can reach, is beyond float32", o.Algorithm, o.LearningRate, o.Beta1)
	}
	for _, f := range []struct {
		name, algorithm string
		value           float64
	}{{"momentum", "sgd", o.Momentum}, {"beta 1", "adam", o.Beta1}, {"beta 2", "adam", o.Beta2}, {"rho", "rmsprop", o.Rho}} {
		switch {
		case f.value != 0 && o.Algorithm != f.algorithm:
			return fmt.Errorf("optimizer %s: has no %s, which is set to %v", o.Algorithm, f.name, f.value)
		case vanishes(f.value):
			return fmt.Errorf("optimizer %s: %s %v is 0 in float32", o.Algorithm, f.name, f.value)
		case o.Algorithm != "adam" && float32(f.value) == 1: // Adam works with 1 - beta
			return fmt.Errorf("optimizer %s: %s %v is 1 in float32", o.Algorithm, f.name, f.value)
		}
	}
	if o.Algorithm == "sgd" && o.Epsilon != 0 {
		return fmt.Errorf("optimizer sgd: has no epsilon, which is set to %v", o.Epsilon)
	}
	return nil
}

// squares reports whether the state has squares of gradients, which must be finite.
func (o *Optimizer) squares() bool { return o.Algorithm != "sgd" }

// slots returns the names of the state kept for each weight.
func (o *Optimizer) slots() []string {
	switch {
	case o.Algorithm == "adam":
		return []string{"momentum", "velocity"}
	case o.Algorithm == "rmsprop":
		return []string{"velocity"}
	case o.Momentum != 0:
		return []string{"momentum"}
	}
	return nil
}

// rate returns what the update of step number step, counted from 1, multiplies gradients by: for Adam with the correction
// of both means' bias.
func (o *Optimizer) rate(step int64) float32 {
	if o.Algorithm != "adam" {
		return float32(o.LearningRate)
	}
	n := float64(step)
	return float32(o.LearningRate * math.Sqrt(1-math.Pow(o.Beta2, n)) / (1 - math.Pow(o.Beta1, n)))
}

// update changes w by its gradient g.
func (o *Optimizer) update(t *kernels.Table, rate float32, w, g []float32, slots [][]float32) error {
	switch {
	case o.Algorithm == "adam":
		return t.Adam(w, slots[0], slots[1], g, rate, o.Beta1, o.Beta2, float32(o.Epsilon))
	case o.Algorithm == "rmsprop":
		return t.RMSprop(w, slots[0], g, rate, o.Rho, float32(o.Epsilon))
	case o.Momentum != 0:
		return t.Momentum(w, slots[0], g, rate, float32(o.Momentum), o.Nesterov)
	}
	return t.SGD(w, g, rate)
}

// sparse reports whether weights whose gradient is zero stay as they are.
func (o *Optimizer) sparse() bool { return o.Algorithm == "sgd" && o.Momentum == 0 }
