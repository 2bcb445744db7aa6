package multitask

import (
	"fmt"
	"math"
)

type mgda struct {
	Normalize Normalization `json:"normalize"`
}

// Normalization is what [MGDA] divides the gradient of each task by.
type Normalization string

const (
	Plain           Normalization = "none"
	ByNorm          Normalization = "l2"    // its length
	ByLoss          Normalization = "loss"  // the loss
	ByLossTimesNorm Normalization = "loss+" // both
)

// MGDA takes the shortest of all weighted means of the gradients: the w of sum 1 and at least 0 for which wᵀGw is least, so
// that no task gets worse (Désidéri, 2012, doi:10.1016/j.crma.2012.03.014; Sener and Koltun, "Multi-Task Learning as
// Multi-Objective Optimization", 2018, arXiv:1810.04650). The weights are exact, not those of the Frank-Wolfe steps of the
// second paper. It is the gradients that normalize divides that are combined, as in LibMTL; a gradient or loss of 0 divides
// nothing.
func MGDA(normalize Normalization) Balancer { return &mgda{normalize} }

func (*mgda) Name() string { return "MGDA" }
func (*mgda) Needs() Needs { return FromGramian }

func (b *mgda) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	gram, unit := s.scaled(m)
	by, units := s.zeros(m), s.zeros(m)
	for i := range by {
		by[i], units[i] = 1, 1
		length := math.Sqrt(gram[i*m+i])
		switch b.Normalize {
		case Plain:
		case ByNorm:
			by[i], units[i] = length, unit
		case ByLoss:
			by[i] = s.Losses[i]
		case ByLossTimesNorm:
			by[i], units[i] = s.Losses[i]*length, unit
		default:
			return fmt.Errorf("multitask: MGDA: unknown normalization %q, have %q", b.Normalize, []Normalization{Plain, ByNorm, ByLoss, ByLossTimesNorm})
		}
		if !(math.Abs(by[i]) > 1e-70) {
			by[i], units[i] = 1, 1
		}
	}
	for i := range gram {
		gram[i] = gram[i] / by[i/m] / by[i%m]
	}
	s.minimize(s.Weights, s.zeros(m), gram, true)
	for i, v := range by {
		if s.Weights[i] > 0 {
			s.Weights[i] = min(s.Weights[i]/v/units[i], largest)
		}
	}
	return nil
}
