package multitask

import (
	"fmt"

	"github.com/espalier-ml/espalier/internal/portable"
)

type stch struct {
	Mu         float64   `json:"mu"`
	Preference []float64 `json:"preference,omitempty"`
	Ideal      []float64 `json:"ideal,omitempty"`
}

// STCH makes the total loss a smooth maximum, mu·log Σ exp(pᵢ·(Lᵢ-idealᵢ)/mu) (Lin, Zhang, Yang, Liu, Wang and Zhang,
// "Smooth Tchebycheff Scalarization for Multi-Objective Optimization", 2024, arXiv:2402.19078): the weights are
// pᵢ·softmax(p·(L-ideal)/mu)ᵢ. The preference p is 1/m and the ideal point 0 where they are nil. The smaller mu, which is
// above 0, the more the worst task counts.
func STCH(mu float64, preference, ideal []float64) Balancer { return &stch{mu, preference, ideal} }

func (*stch) Name() string { return "STCH" }
func (*stch) Needs() Needs { return FromLosses }

func (b *stch) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Preference), len(b.Ideal))
	if err == nil {
		err = checkMu(b, b.Mu)
	}
	if err != nil {
		return err
	}
	p := s.preference(b.Preference)
	y := s.zeros(m)
	for i, v := range s.Losses {
		if len(b.Ideal) > 0 {
			v -= b.Ideal[i]
		}
		y[i] = p[i] * v
	}
	softmax(s.Weights, y, 1/b.Mu)
	for i := range s.Weights {
		s.Weights[i] *= p[i]
	}
	return nil
}

func checkMu(b Balancer, mu float64) error {
	if !(mu >= 1e-300) {
		return fmt.Errorf("multitask: %s: mu %v is not above 0", b.Name(), mu)
	}
	return nil
}

type logSTCH struct {
	Mu     float64 `json:"mu"`
	Warmup int     `json:"warmup_epochs"`

	Sum   []float64 `json:"sum"`
	Steps int       `json:"steps"`
}

// LogSTCH is the form of [STCH] that LibMTL trains networks with: the total loss is m·mu·log Σ exp(log(Lᵢ/nᵢ)/mu), where nᵢ is
// the mean loss of the task in the epoch numbered warmup. Until that epoch ends the total loss is Σ log Lᵢ, which has the
// weights 1/Lᵢ. A task whose loss is 0 has weight 0. A loss below 0 is an error.
func LogSTCH(mu float64, warmup int) Balancer { return &logSTCH{Mu: mu, Warmup: warmup} }

func (*logSTCH) Name() string { return "LogSTCH" }
func (*logSTCH) Needs() Needs { return FromLosses }

func (b *logSTCH) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Sum))
	if err == nil {
		err = s.positive(b)
	}
	if err == nil {
		err = checkMu(b, b.Mu)
	}
	if err != nil {
		return err
	}
	b.Sum = filled(b.Sum, m, 0)
	scale := 1.0
	if len(s.Epochs) == b.Warmup {
		b.Steps++
		for i, v := range s.Losses {
			b.Sum[i] += v
		}
	}
	if len(s.Epochs) > b.Warmup {
		y := s.zeros(m)
		for i, v := range s.Losses {
			y[i] = portable.Log(v/max(b.Sum[i]/float64(max(b.Steps, 1)), 1e-20) + 1e-20)
		}
		softmax(s.Weights, y, 1/b.Mu)
		scale = float64(m)
	} else {
		for i := range s.Weights {
			s.Weights[i] = 1
		}
	}
	for i, v := range s.Losses {
		if v == 0 {
			s.Weights[i] = 0
		} else {
			s.Weights[i] = min(scale*s.Weights[i]/v, largest)
		}
	}
	return nil
}
