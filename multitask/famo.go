package multitask

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
)

type famo struct {
	Rate    float64   `json:"learning_rate"`
	Decay   float64   `json:"weight_decay"`
	Minimum []float64 `json:"minimum,omitempty"`

	Logits   []float64 `json:"logits"`
	First    []float64 `json:"first_moments"`
	Second   []float64 `json:"second_moments"`
	Steps    int       `json:"steps"`
	Previous []float64 `json:"previous_losses"`
}

// FAMO moves all losses down at one relative rate, at a cost that does not grow with the tasks (Liu, Feng, Stone and Liu,
// "FAMO: Fast Adaptive Multitask Optimization", 2023, arXiv:2306.03792). With z = softmax of learned logits and Dᵢ = Lᵢ -
// minimumᵢ + 1e-8 the weights are zᵢ/Dᵢ, divided by Σ zⱼ/Dⱼ. The logits learn, by Adam of a rate and a decay (0.025 and
// 0.001 in the authors' code), from how much log Dᵢ fell from one step to the next. The authors measure the losses of a
// batch once more after the update; here the losses of the next batch stand for them, which costs nothing. Minimum losses
// are 0 where none are given; a loss below is an error.
func FAMO(rate, decay float64, minimum ...float64) Balancer {
	return &famo{Rate: rate, Decay: decay, Minimum: minimum}
}

func (*famo) Name() string { return "FAMO" }
func (*famo) Needs() Needs { return FromLosses }

func (b *famo) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Minimum), len(b.Logits), len(b.First), len(b.Second), len(b.Previous))
	if err != nil {
		return err
	}
	b.Minimum = filled(b.Minimum, m, 0)
	excess := s.zeros(m)
	for i, v := range s.Losses {
		if excess[i] = v - b.Minimum[i] + 1e-8; !(excess[i] > 0) {
			return fmt.Errorf("multitask: FAMO: the loss %v of task %d is below its minimum %v", v, i, b.Minimum[i])
		}
	}
	b.Logits, b.First, b.Second = filled(b.Logits, m, 0), filled(b.First, m, 0), filled(b.Second, m, 0)
	z := s.Weights
	softmax(z, b.Logits, 1)
	if len(b.Previous) == m {
		b.learn(s, z, excess)
		softmax(z, b.Logits, 1)
	}
	b.Previous = append(b.Previous[:0], s.Losses...)
	sum := 0.0
	for i, v := range excess {
		z[i] /= v
		sum += z[i]
	}
	for i := range z {
		z[i] /= sum
	}
	return nil
}

// learn takes a step of Adam, with the epsilon of PyTorch, 1e-8 after the correction of the bias.
func (b *famo) learn(s *Step, z, excess []float64) {
	fall := s.zeros(len(z))
	for i, v := range excess {
		fall[i] = portable.Log(b.Previous[i]-b.Minimum[i]+1e-8) - portable.Log(v)
	}
	mean := dot(z, fall)
	b.Steps++
	n := float64(b.Steps)
	c1, c2 := 1-portable.Pow(0.9, n), 1-portable.Pow(0.999, n)
	for i, v := range fall {
		g := float64(z[i]*(v-mean)) + float64(b.Decay*b.Logits[i])
		b.First[i] = float64(0.9*b.First[i]) + float64(0.1*g)
		b.Second[i] = float64(0.999*b.Second[i]) + float64(0.001*float64(g*g))
		b.Logits[i] -= b.Rate * (b.First[i] / c1) / (math.Sqrt(b.Second[i]/c2) + 1e-8)
	}
}
