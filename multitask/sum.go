package multitask

// equal gives every task the same weight.
type equal struct {
	mean bool
}

// Sum weighs every task by 1.
func Sum() Balancer { return &equal{} }

// Mean weighs each of m tasks by 1/m.
func Mean() Balancer { return &equal{mean: true} }

func (b *equal) Name() string {
	if b.mean {
		return "Mean"
	}
	return "Sum"
}
func (*equal) Needs() Needs { return FromLosses }

func (b *equal) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	for i := range s.Weights {
		s.Weights[i] = 1
		if b.mean {
			s.Weights[i] = 1 / float64(m)
		}
	}
	return nil
}

type constant struct {
	Given []float64 `json:"weights"`
}

// Constant weighs the tasks by given numbers, or by 1 where none are given.
func Constant(weights ...float64) Balancer { return &constant{weights} }

func (*constant) Name() string { return "Constant" }
func (*constant) Needs() Needs { return FromLosses }

func (b *constant) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Given))
	if err != nil {
		return err
	}
	b.Given = filled(b.Given, m, 1)
	copy(s.Weights, b.Given)
	return nil
}

type random struct{}

// Random draws the weights of each step: the softmax of independent normal numbers (Lin, Ye, Zhang and Tsang, "Reasonable
// Effectiveness of Random Weighting", 2022, arXiv:2111.10603, RLW). [FromLosses], it is RLW; the weights of gradients would
// be the same, RGW.
func Random() Balancer { return &random{} }

func (*random) Name() string { return "Random" }
func (*random) Needs() Needs { return FromLosses }

func (b *random) Balance(s *Step) error {
	if _, err := s.begin(b); err != nil {
		return err
	}
	for i := range s.Weights {
		s.Weights[i] = s.normal()
	}
	softmax(s.Weights, s.Weights, 1)
	return nil
}

// preference is what tasks weigh against each other in a method, 1/m each where none is given.
func (s *Step) preference(given []float64) []float64 {
	if len(given) > 0 {
		return given
	}
	p := s.zeros(len(s.Losses))
	for i := range p {
		p[i] = 1 / float64(len(p))
	}
	return p
}
