package multitask

import (
	"fmt"
	"math"
)

type aligned struct {
	Scale      Scale     `json:"scale"`
	Preference []float64 `json:"preference,omitempty"`
}

// Scale is what [AlignedMTL] makes all singular values of the gradients equal to: the root of an eigenvalue of their Gramian.
type Scale string

const (
	Smallest Scale = "min"
	Median   Scale = "median" // the lower of two
	RMSE     Scale = "rmse"   // the mean of the eigenvalues
)

// AlignedMTL makes the gradients orthogonal and equally long before it weighs them: the weights are √σ·V·Λ^(-1/2)·Vᵀp for
// the eigenvalues Λ and eigenvectors V of the Gramian, of those eigenvalues that count: above m·2⁻²³ times the largest, what
// float32 can tell (Senushkin, Patakin, Kuznetsov and Konushin, "Independent Component Alignment for Multi-Task Learning",
// 2023, arXiv:2305.19000). The preference p is 1/m where none is given. If all gradients are 0 the weights are p.
func AlignedMTL(scale Scale, preference ...float64) Balancer { return &aligned{scale, preference} }

func (*aligned) Name() string { return "AlignedMTL" }
func (*aligned) Needs() Needs { return FromGramian }

func (b *aligned) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Preference))
	if err != nil {
		return err
	}
	p := s.preference(b.Preference)
	gram, unit := s.scaled(m)
	vectors, values := s.zeros(m*m), s.zeros(m)
	eigen(gram, vectors, m)
	top, mean := 0.0, 0.0
	for i := range m {
		top = max(top, gram[i*m+i])
	}
	rank := 0
	for i := range m {
		if v := gram[i*m+i]; v > top*float64(m)*0x1p-23 {
			values[rank] = v
			mean += v
			rank++
		}
	}
	if unit == 0 {
		copy(s.Weights, p)
		return nil
	}
	values = values[:rank]
	insertionSort(values)
	var scale float64
	switch b.Scale {
	case Smallest:
		scale = values[0]
	case Median:
		scale = values[(rank-1)/2]
	case RMSE:
		scale = mean / float64(rank)
	default:
		return fmt.Errorf("multitask: AlignedMTL: unknown scale %q, have %q", b.Scale, []Scale{Smallest, Median, RMSE})
	}
	clear(s.Weights)
	for k := range m {
		v := gram[k*m+k]
		if v < values[0] {
			continue
		}
		along := 0.0
		for i := range m {
			along += float64(vectors[i*m+k] * p[i])
		}
		along *= math.Sqrt(scale / v)
		for i := range m {
			s.Weights[i] += float64(along * vectors[i*m+k])
		}
	}
	return nil
}
