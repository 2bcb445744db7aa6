package multitask

import (
	"fmt"
	"math"
)

type krum struct {
	Byzantine int `json:"byzantine"`
	Selected  int `json:"selected"`
}

// Krum takes the mean of the selected gradients whose distances to their m-byzantine-2 nearest others have the least sums
// (Blanchard, El Mhamdi, Guerraoui and Stainer, "Machine Learning with Adversaries", 2017, arXiv:1703.02757, Multi-Krum;
// distances, not their squares, as TorchJD sums them). It needs at least byzantine+3 tasks and as many as it selects.
func Krum(byzantine, selected int) Balancer { return &krum{byzantine, selected} }

func (*krum) Name() string { return "Krum" }
func (*krum) Needs() Needs { return FromGramian }

func (b *krum) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	if b.Byzantine < 0 || b.Selected < 1 || m < b.Byzantine+3 || m < b.Selected {
		return fmt.Errorf("multitask: Krum: %d tasks, want at least %d, and %d to select (at least 1)", m, b.Byzantine+3, b.Selected)
	}
	gram, _ := s.scaled(m)
	scores, distances := s.zeros(m), s.zeros(m)
	for i := range m {
		for j := range m {
			distances[j] = math.Sqrt(max((gram[i*m+i]-gram[i*m+j])+(gram[j*m+j]-gram[i*m+j]), 0))
		}
		insertionSort(distances)
		for _, v := range distances[:m-b.Byzantine-1] { // the distance to itself, 0, and those to the nearest
			scores[i] += v
		}
	}
	clear(s.Weights)
	for range b.Selected {
		best := -1
		for i, v := range scores {
			if s.Weights[i] == 0 && (best < 0 || v < scores[best]) {
				best = i
			}
		}
		s.Weights[best] = 1 / float64(b.Selected)
	}
	return nil
}

type trimmedMean struct {
	Trim int `json:"trim"`
}

// TrimmedMean takes for each number of the gradient the mean over the tasks without the trim largest and smallest (Yin,
// Chen, Ramchandran and Bartlett, "Byzantine-Robust Distributed Learning", 2018, arXiv:1803.01498). It needs at least
// 2·trim+1 tasks.
func TrimmedMean(trim int) Balancer { return &trimmedMean{trim} }

func (*trimmedMean) Name() string { return "TrimmedMean" }
func (*trimmedMean) Needs() Needs { return FromJacobian }

func (b *trimmedMean) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	if b.Trim < 0 || m < 2*b.Trim+1 {
		return fmt.Errorf("multitask: TrimmedMean: %d tasks, want at least %d", m, 2*b.Trim+1)
	}
	column := s.zeros(m)
	for k := range s.Gradient {
		for i, row := range s.Jacobian {
			column[i] = float64(row[k])
		}
		insertionSort(column)
		sum := 0.0
		for _, v := range column[b.Trim : m-b.Trim] {
			sum += v
		}
		s.Gradient[k] = float32(sum / float64(m-2*b.Trim))
	}
	return nil
}

type gradDrop struct {
	Leak []float64 `json:"leak,omitempty"`
}

// GradDrop keeps of each number of the gradient either what is above 0 or what is below, by chance: above with probability
// (1 + Σgᵢ/Σ|gᵢ|)/2 (Chen, Ngiam, Huang, Luong, Kretzschmar, Chai and Anguelov, "Just Pick a Sign", 2020, arXiv:2010.06808).
// A leak, one number from 0 to 1 for each task, is the part of its gradient that is always kept.
func GradDrop(leak ...float64) Balancer { return &gradDrop{leak} }

func (*gradDrop) Name() string { return "GradDrop" }
func (*gradDrop) Needs() Needs { return FromJacobian }

func (b *gradDrop) Balance(s *Step) error {
	if _, err := s.begin(b, len(b.Leak)); err != nil {
		return err
	}
	for i, v := range b.Leak {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("multitask: GradDrop: the leak %v of task %d is not from 0 to 1", v, i)
		}
	}
	for k := range s.Gradient {
		sum, size := 0.0, 0.0
		for _, row := range s.Jacobian {
			sum += float64(row[k])
			size += math.Abs(float64(row[k]))
		}
		u := s.uniform()
		if size == 0 {
			s.Gradient[k] = 0
			continue
		}
		above := (1+sum/size)/2 > u
		sum = 0
		for i, row := range s.Jacobian {
			v := float64(row[k])
			if above != (v > 0) {
				if len(b.Leak) == 0 {
					continue
				}
				v *= b.Leak[i]
			}
			sum += v
		}
		s.Gradient[k] = narrow(sum)
	}
	return nil
}
