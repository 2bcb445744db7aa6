package infer

import "github.com/espalier-ml/espalier/nn"

// newPlan prepares Espalier for a problem. The types below stand in for those of nn until it has them; then this function
// is all that stays here:
//
//	m, err := Model(p)
//	...
//	return nn.NewPlan(m, p.Batch, nn.WithWorkers(p.Threads))
func newPlan(p *Problem) (*plan, error) {
	m, err := Model(p)
	if err != nil {
		return nil, err
	}
	return &plan{m, p}, nil
}

type plan struct {
	model   *nn.Model
	problem *Problem
}

// session is Predict behind the methods of a session.
type session struct {
	model   *nn.Model
	inputs  [][]float32
	outputs [][]float32
}

func (p *plan) NewSession() *session {
	s := &session{model: p.model, outputs: make([][]float32, len(p.problem.Outputs))}
	for _, features := range p.problem.Inputs {
		s.inputs = append(s.inputs, make([]float32, p.problem.Batch*features))
	}
	return s
}

func (s *session) Input(i int) []float32  { return s.inputs[i] }
func (s *session) Output(i int) []float32 { return s.outputs[i] }

func (s *session) Run(int) error {
	inputs := nn.Arrays{}
	for i, name := range s.model.InputNames() {
		inputs[name] = nn.Floats(s.inputs[i])
	}
	results, err := s.model.Predict(inputs)
	if err != nil {
		return err
	}
	for o, name := range s.model.OutputNames() {
		s.outputs[o] = results[name].Data
	}
	return nil
}
