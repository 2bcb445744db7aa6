package multitask

import (
	"fmt"
	"math"
)

type cosmos struct {
	Lambda     float64   `json:"lambda"`
	Preference []float64 `json:"preference,omitempty"`
}

// COSMOS makes the total loss Σ pᵢ·Lᵢ - lambda·cos(p, L), which draws the losses to the direction of a preference (Ruchte
// and Grabocka, "Scalable Pareto Front Approximation for Deep Multi-Objective Learning", 2021, arXiv:2103.13392). The
// preference is 1/m where none is given. lambda is at least 0.
func COSMOS(lambda float64, preference ...float64) Balancer { return &cosmos{lambda, preference} }

func (*cosmos) Name() string { return "COSMOS" }
func (*cosmos) Needs() Needs { return FromLosses }

func (b *cosmos) Balance(s *Step) error {
	if _, err := s.begin(b, len(b.Preference)); err != nil {
		return err
	}
	if !(b.Lambda >= 0) {
		return fmt.Errorf("multitask: COSMOS: lambda %v is below 0", b.Lambda)
	}
	p := s.preference(b.Preference)
	product := math.Sqrt(dot(p, p)) * norm(s.Losses)
	for i, v := range s.Losses {
		s.Weights[i] = p[i]
		if product > 0 { // d cos/dLᵢ = pᵢ/(|p|·|L|) - cos·Lᵢ/|L|²
			n := norm(s.Losses)
			cos := dotScaled(p, s.Losses, n) / math.Sqrt(dot(p, p))
			s.Weights[i] -= float64(b.Lambda * (p[i]/product - float64(cos*(v/n))/n))
		}
	}
	return nil
}

// norm is the Euclidean length of a vector whose squares may be beyond float64.
func norm(v []float64) float64 {
	top := 0.0
	for _, x := range v {
		top = max(top, math.Abs(x))
	}
	if top == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x / top * (x / top))
	}
	return top * math.Sqrt(sum)
}

// dotScaled is Σ aᵢ·bᵢ/n.
func dotScaled(a, b []float64, n float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v * (b[i] / n))
	}
	return sum
}

type pbi struct {
	Theta      float64   `json:"theta"`
	Preference []float64 `json:"preference,omitempty"`
	Ideal      []float64 `json:"ideal,omitempty"`
}

// PBI makes the total loss d₁ + theta·d₂, where d₁ is the part of L - ideal along a preference and d₂ the length of what is
// left, which penalises a distance from that direction (Zhang and Li, "MOEA/D", 2007, penalty-based boundary intersection).
// The preference is 1/m and the ideal point 0 where they are nil. The paper's theta is 5; it is at least 0. A weight may be
// below 0.
func PBI(theta float64, preference, ideal []float64) Balancer { return &pbi{theta, preference, ideal} }

func (*pbi) Name() string { return "PBI" }
func (*pbi) Needs() Needs { return FromLosses }

func (b *pbi) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Preference), len(b.Ideal))
	if err != nil {
		return err
	}
	p := s.preference(b.Preference)
	length := norm(p)
	if !(b.Theta >= 0) || length == 0 {
		return fmt.Errorf("multitask: PBI: theta %v must not be below 0, the preference %v not 0", b.Theta, p)
	}
	rest := s.zeros(m)
	copy(rest, s.Losses)
	for i := range b.Ideal {
		rest[i] -= b.Ideal[i]
	}
	along := dotScaled(rest, p, length)
	for i := range rest {
		rest[i] -= float64(along * (p[i] / length))
	}
	far := math.Sqrt(dot(rest, rest) + 1e-12) // as TorchJD: has a slope where the losses lie on the preference
	for i := range s.Weights {
		s.Weights[i] = p[i]/length + float64(b.Theta*(rest[i]/far))
	}
	return nil
}
