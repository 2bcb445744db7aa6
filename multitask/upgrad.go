package multitask

type cone struct {
	Preference []float64 `json:"preference,omitempty"`
	dual       bool
}

// UPGrad moves each gradient to the nearest point of the cone of directions in which no task gets worse, and takes the mean
// (Quinton and Rey, "Jacobian Descent for Multi-Objective Optimization", 2024, arXiv:2406.16232). With G the Gramian over
// its trace, plus 1e-4 on its diagonal, the weights are the sum over the tasks of the v ≥ pᵢeᵢ for which vᵀGv is least. The
// preference p is 1/m where none is given. The addition makes the weights unique, and so a task may lose at most 1e-4·wᵢ
// times the trace. Scaling all gradients scales the result.
func UPGrad(preference ...float64) Balancer { return &cone{Preference: preference} }

// DualProj is [UPGrad] applied once, to the mean of the gradients: the v ≥ p for which vᵀGv is least (Lopez-Paz and Ranzato,
// "Gradient Episodic Memory", 2017, arXiv:1706.08840).
func DualProj(preference ...float64) Balancer { return &cone{preference, true} }

func (b *cone) Name() string {
	if b.dual {
		return "DualProj"
	}
	return "UPGrad"
}
func (*cone) Needs() Needs { return FromGramian }

func (b *cone) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Preference))
	if err != nil {
		return err
	}
	gram, _ := s.scaled(m)
	trace := 0.0
	for i := range m {
		trace += gram[i*m+i]
	}
	for i := range gram {
		if trace > 0 {
			gram[i] /= trace
		}
		if i%(m+1) == 0 {
			gram[i] += 1e-4
		}
	}
	p := s.preference(b.Preference)
	u, q, x := s.zeros(m), s.zeros(m), s.zeros(m)
	clear(s.Weights)
	for i := range m {
		clear(u)
		u[i] = p[i]
		if b.dual {
			copy(u, p)
		}
		multiply(q, gram, u) // v = u + x, x ≥ 0: ½xᵀGx + (Gu)ᵀx
		s.minimize(x, q, gram, false)
		for j, v := range x {
			s.Weights[j] += u[j] + v
		}
		if b.dual {
			break
		}
	}
	return nil
}
