package multitask

import (
	"fmt"
	"math"
)

type modo struct {
	Gamma  float64   `json:"gamma"`
	Rho    float64   `json:"rho"`
	Lambda []float64 `json:"lambda"`
}

// MoDo moves its weights λ by a step of gradient descent for the shortest mean of the gradients, on the simplex: λ ←
// project(λ - gamma·(Aλ + rho·λ)), where A holds the products of two independent batches' gradients (Chen, Fernando, Ying
// and Chen, "Three-Way Trade-Off in Multi-Objective Learning", 2023, arXiv:2305.20057). They begin equal.
func MoDo(gamma, rho float64) Balancer { return &modo{Gamma: gamma, Rho: rho} }

func (*modo) Name() string { return "MoDo" }
func (*modo) Needs() Needs { return FromTwoHalves }

func (b *modo) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Lambda))
	if err != nil {
		return err
	}
	if !(b.Gamma > 0 && b.Rho >= 0) {
		return fmt.Errorf("multitask: MoDo: gamma %v must be above 0, rho %v not below", b.Gamma, b.Rho)
	}
	b.Lambda = filled(b.Lambda, m, 1/float64(m))
	multiply(s.Weights, s.Gramian, b.Lambda)
	for i, v := range b.Lambda {
		s.Weights[i] = v - float64(b.Gamma*(s.Weights[i]+float64(b.Rho*v)))
	}
	if !finiteAll(s.Weights) {
		return fmt.Errorf("multitask: MoDo: a step of gamma %v from gradients of this size is not finite", b.Gamma)
	}
	project(s.Weights, s.zeros(m))
	copy(b.Lambda, s.Weights)
	return nil
}

func finiteAll(v []float64) bool {
	for _, x := range v {
		if !finite(x) {
			return false
		}
	}
	return true
}

type sdmgrad struct {
	Lambda     float64   `json:"lambda"`
	Steps      int       `json:"steps"`
	Preference []float64 `json:"preference,omitempty"`
	W          []float64 `json:"weights"`
}

// SDMGrad weighs the gradients by (w + lambda·p)/(1 + lambda), where w follows from steps of gradient descent (rate 10,
// momentum 0.5) on the simplex for the shortest sum, from the last step's w on, by the products of two independent batches'
// gradients over the square of their mean length (Xiao, Ban and Ji, "Direction-oriented Multi-objective Learning", 2023,
// arXiv:2305.18409). lambda, 0.3 in the authors' code, draws towards the preference p, which is 1/m where none is given.
// They take 20 steps.
func SDMGrad(lambda float64, steps int, preference ...float64) Balancer {
	return &sdmgrad{Lambda: lambda, Steps: steps, Preference: preference}
}

func (*sdmgrad) Name() string { return "SDMGrad" }
func (*sdmgrad) Needs() Needs { return FromTwoHalves }

func (b *sdmgrad) Balance(s *Step) error {
	m, err := s.begin(b, len(b.W), len(b.Preference))
	if err != nil {
		return err
	}
	if !(b.Lambda >= 0 && b.Lambda <= 1e100) || b.Steps < 1 || b.Steps > 10_000 {
		return fmt.Errorf("multitask: SDMGrad: lambda %v must not be below 0, the steps %d be from 1 to 10000", b.Lambda, b.Steps)
	}
	b.W = filled(b.W, m, 1/float64(m))
	p := s.preference(b.Preference)
	scale := 0.0
	for i := range m {
		scale += math.Sqrt(max(s.Gramian[i*m+i], 0)) / float64(m)
	}
	a := s.zeros(m * m)
	for i, v := range s.Gramian {
		// Where the batches disagree so much that no product is left, no scale is: the bound keeps the steps finite.
		if scale > 0 {
			a[i] = max(min(v/scale/scale, 1e10), -1e10)
		}
	}
	velocity, grad, sorted := s.zeros(m), s.zeros(m), s.zeros(m)
	w := s.Weights
	copy(w, b.W)
	for range b.Steps {
		for i, v := range w {
			sorted[i] = v + float64(b.Lambda*p[i])
		}
		multiply(grad, a, sorted)
		for i, v := range grad {
			velocity[i] = float64(0.5*velocity[i]) + v
			w[i] -= float64(10 * velocity[i])
		}
		project(w, sorted)
	}
	copy(b.W, w)
	for i, v := range w {
		w[i] = (v + float64(b.Lambda*p[i])) / (1 + b.Lambda)
	}
	return nil
}
