package multitask

import (
	"fmt"
	"math"
)

type pcgrad struct {
	inOrder bool
}

// PCGrad takes from each gradient, for the other tasks in random order, what points against the other's gradient, and adds
// up what is left (Yu, Kumar, Gupta, Levine, Hausman and Finn, "Gradient Surgery for Multi-Task Learning", 2020,
// arXiv:2001.06782).
func PCGrad() Balancer { return &pcgrad{} }

// PCGradOrdered is [PCGrad] that visits the other tasks in the order of their numbers.
func PCGradOrdered() Balancer { return &pcgrad{true} }

func (b *pcgrad) Name() string {
	if b.inOrder {
		return "PCGradOrdered"
	}
	return "PCGrad"
}
func (*pcgrad) Needs() Needs { return FromGramian }

func (b *pcgrad) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	gram, _ := s.scaled(m)
	w := s.zeros(m)
	s.ints = resize(s.ints, m)
	clear(s.Weights)
	for i := range m {
		clear(w)
		w[i] = 1
		s.order(s.ints, b.inOrder)
		for _, j := range s.ints {
			if p := dot(gram[j*m:][:m], w); j != i && p < 0 && gram[j*m+j] > 0 {
				w[j] -= p / gram[j*m+j]
			}
		}
		for j, v := range w {
			s.Weights[j] += v
		}
	}
	return nil
}

type gradVac struct {
	Beta    float64   `json:"beta"`
	Cosines []float64 `json:"cosines"` // the goals, m rows of m
	inOrder bool
}

// GradVac moves each gradient towards the other tasks' until its cosines with them reach goals, which follow the cosines
// that are measured: goal ← (1-beta)·goal + beta·cosine, from 0 (Wang, Tsvetkov, Firat and Cao, "Gradient Vaccine", 2021,
// arXiv:2010.05874). Tasks are visited in random order. beta is from 0 to 1; LibMTL's is 0.5.
func GradVac(beta float64) Balancer { return &gradVac{Beta: beta} }

// GradVacOrdered is [GradVac] that visits the other tasks in the order of their numbers.
func GradVacOrdered(beta float64) Balancer { return &gradVac{Beta: beta, inOrder: true} }

func (b *gradVac) Name() string {
	if b.inOrder {
		return "GradVacOrdered"
	}
	return "GradVac"
}
func (*gradVac) Needs() Needs { return FromGramian }

func (b *gradVac) Balance(s *Step) error {
	m, err := s.begin(b, int(math.Round(math.Sqrt(float64(len(b.Cosines))))))
	if err != nil {
		return err
	}
	if !(b.Beta >= 0 && b.Beta <= 1) || len(b.Cosines) != 0 && len(b.Cosines) != m*m {
		return fmt.Errorf("multitask: %s: beta %v must be from 0 to 1, the goals %d numbers, have %d", b.Name(), b.Beta, m*m, len(b.Cosines))
	}
	b.Cosines = filled(b.Cosines, m*m, 0)
	gram, _ := s.scaled(m)
	w, product := s.zeros(m), s.zeros(m)
	s.ints = resize(s.ints, m)
	clear(s.Weights)
	for i := range m {
		clear(w)
		w[i] = 1
		s.order(s.ints, b.inOrder)
		for _, j := range s.ints {
			if j == i {
				continue
			}
			multiply(product, gram, w)
			own, other := math.Sqrt(max(dot(product, w), 0)), math.Sqrt(gram[j*m+j])
			if own == 0 || other == 0 {
				continue
			}
			goal := &b.Cosines[i*m+j]
			cos := max(min(product[j]/own/other, 1), -1)
			sine, goalSine := math.Sqrt(1-float64(cos*cos)), math.Sqrt(max(1-float64(*goal**goal), 0))
			if cos < *goal && goalSine > 1e-8 {
				w[j] += float64(own / other * ((float64(*goal*sine) - float64(cos*goalSine)) / goalSine))
			}
			*goal = float64((1-b.Beta)**goal) + float64(b.Beta*cos)
		}
		for j, v := range w {
			s.Weights[j] += v
		}
	}
	return nil
}
