package multitask

import (
	"errors"
	"fmt"
)

type crmogm struct {
	Inner  Balancer  `json:"inner"`
	Alpha  float64   `json:"alpha"`
	Smooth []float64 `json:"weights"`
}

// CRMOGM smooths the weights of another method: λ ← alpha·λ + (1-alpha)·w, from the first w on (Zhou, Zhang, Jiang, Zhong,
// Gu and Zhu, "On the Convergence of Stochastic Multi-Objective Gradient Manipulation and Beyond", NeurIPS 2022,
// called CR-MOGM). alpha is from 0 to 1. The method is one that gives weights.
func CRMOGM(inner Balancer, alpha float64) Balancer { return &crmogm{Inner: inner, Alpha: alpha} }

func (*crmogm) Name() string { return "CR-MOGM" }
func (b *crmogm) Needs() Needs {
	if b.Inner == nil { // as a file may have it
		return FromLosses
	}
	return b.Inner.Needs()
}

func (b *crmogm) Balance(s *Step) error {
	if b.Inner == nil {
		return errors.New("multitask: CR-MOGM: there is no method to smooth")
	}
	m, err := s.begin(b, len(b.Smooth))
	if err != nil {
		return err
	}
	if !(b.Alpha >= 0 && b.Alpha <= 1) || b.Inner.Needs() == FromJacobian {
		return fmt.Errorf("multitask: CR-MOGM: alpha %v must be from 0 to 1, and %s give weights", b.Alpha, b.Inner.Name())
	}
	if err := b.Inner.Balance(s); err != nil {
		return err
	}
	if len(b.Smooth) == 0 {
		b.Smooth = make([]float64, m)
		copy(b.Smooth, s.Weights)
	}
	for i, v := range s.Weights {
		b.Smooth[i] = float64(b.Alpha*b.Smooth[i]) + float64((1-b.Alpha)*v)
	}
	copy(s.Weights, b.Smooth)
	return nil
}
